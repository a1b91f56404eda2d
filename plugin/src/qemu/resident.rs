//! Guest memory that is read again and again, and stays where it is: a CPU's own data.
//!
//! For each read that the plugin API makes, QEMU walks the guest's page tables. Where this QEMU exports what is needed
//! (10.0 does, 11.1 does not), that is done once for an address, and what it maps to is read in QEMU's own memory. The
//! API has just read the same there: if it differs, the API alone is used for ever. A guest that maps other memory at
//! the address has the old one read until [`Resident::renew`].

use super::abi::{current, symbol};
use super::agreement::{PrivateRead, disagrees};
use super::{Cpu, arch, memory};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

/// `hwaddr cpu_get_phys_page_debug(CPUState *, vaddr)`, include/hw/core/cpu.h.
type Translate = unsafe extern "C" fn(*mut c_void, u64) -> u64;
/// `void *cpu_physical_memory_map(hwaddr, hwaddr *, bool)`, include/exec/cpu-common.h.
type Map = unsafe extern "C" fn(u64, *mut u64, bool) -> *mut c_void;
/// `void cpu_physical_memory_unmap(void *, hwaddr, bool, hwaddr)`, include/exec/cpu-common.h.
type Unmap = unsafe extern "C" fn(*mut c_void, u64, bool, u64);

#[derive(Debug, Clone, Copy)]
struct Functions {
    translate: Translate,
    map: Map,
    unmap: Unmap,
}

/// One piece of guest memory, as it lies in QEMU's.
#[derive(Debug)]
pub struct Resident {
    functions: Option<Functions>,
    /// Its virtual address and its words; none if the API has to be asked.
    address: u64,
    words: Option<&'static [AtomicU32]>,
    /// How often they have differed from what the API had just read, one time after the other: another vCPU may have
    /// changed them meanwhile.
    doubts: u8,
}

/// How often they may be.
const DOUBTS: u8 = 3;

impl Default for Resident {
    fn default() -> Self {
        Self { functions: Functions::find(), address: 0, words: None, doubts: 0 }
    }
}

impl Resident {
    /// Reads at a virtual address into `out`, as [`Cpu::read`] does. Quick if it is the same address again, and as much
    /// of it.
    pub fn read(&mut self, cpu: &Cpu, address: u64, out: &mut [u8]) -> bool {
        if self.address != address {
            let read = cpu.read(address, out);
            self.follow(address, if read { out } else { &[] });
            return read;
        }
        let Some(words) = self.words.filter(|words| size_of_val(*words) == out.len()) else {
            return cpu.read(address, out);
        };
        for (word, place) in words.iter().zip(out.chunks_exact_mut(4)) {
            place.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        true
    }

    /// The next read is of the guest's page tables again.
    pub fn renew(&mut self) {
        self.forget();
        self.address = 0;
    }

    fn forget(&mut self) {
        if let Some((functions, words)) = self.functions.zip(self.words.take()) {
            functions.give_back(words);
        }
    }

    /// From now on it is at this address. What QEMU itself has just read there is the proof that the words are the same
    /// memory.
    fn follow(&mut self, address: u64, read: &[u8]) {
        self.address = address;
        self.forget();
        // A device would be mapped as a copy of its registers.
        let Some(functions) = self.functions.filter(|_| memory::is_known()) else { return };
        let Some(words) = functions.map(address, read.len()) else { return };
        let same = |(word, bytes): (&AtomicU32, &[u8])| word.load(Ordering::Relaxed).to_ne_bytes() == bytes;
        self.words = Some(words);
        if words.iter().zip(read.chunks_exact(4)).all(same) {
            self.doubts = 0;
            return;
        }
        self.renew();
        self.doubts += 1;
        if self.doubts == DOUBTS {
            self.functions = None;
            disagrees(PrivateRead::Resident);
        }
    }
}

impl Functions {
    fn find() -> Option<Self> {
        let names = [c"cpu_get_phys_page_debug", c"cpu_physical_memory_map", c"cpu_physical_memory_unmap"];
        let [Some(translate), Some(map), Some(unmap)] = names.map(symbol) else { return None };
        // SAFETY: QEMU's functions of these names have these signatures in all versions that export them.
        unsafe {
            Some(Self {
                translate: std::mem::transmute::<*mut c_void, Translate>(translate),
                map: std::mem::transmute::<*mut c_void, Map>(map),
                unmap: std::mem::transmute::<*mut c_void, Unmap>(unmap),
            })
        }
    }

    /// The words at a virtual address of the vCPU on this thread, if they are in one page of memory.
    fn map(self, address: u64, length: usize) -> Option<&'static [AtomicU32]> {
        let page = arch().memory.page_size();
        let offset = address % page;
        let cpu = current()?.as_ptr();
        if length == 0
            || offset + length as u64 > page
            || !offset.is_multiple_of(4)
            || !length.is_multiple_of(4)
        {
            return None;
        }
        // SAFETY: `cpu` is in execution on this thread, in a callback of it; both functions only look at the guest's
        // state. What was mapped stays until it is given back.
        unsafe {
            let page = (self.translate)(cpu, address - offset);
            let mut mapped = length as u64;
            let memory = if page == u64::MAX {
                std::ptr::null_mut()
            } else {
                (self.map)(page + offset, &raw mut mapped, false)
            };
            if memory.is_null() {
                return None;
            }
            let words = memory.cast::<AtomicU32>().cast_const();
            if mapped == length as u64 && words.is_aligned() {
                return Some(std::slice::from_raw_parts(words, length / 4));
            }
            (self.unmap)(memory, mapped, false, 0);
            None
        }
    }

    fn give_back(self, words: &'static [AtomicU32]) {
        // SAFETY: the words were mapped, and are referred to no more.
        unsafe { (self.unmap)(words.as_ptr().cast_mut().cast(), size_of_val(words) as u64, false, 0) }
    }
}
