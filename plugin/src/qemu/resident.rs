//! Guest memory that is read again and again, and stays where it is: a CPU's own data.
//!
//! For each read that the plugin API makes, QEMU walks the guest's page tables. Where this QEMU exports what is needed
//! (10.0 does, 11.1 does not), that is done once for an address, and what it maps to is read in QEMU's own memory.

use super::abi::{current, symbol};
use super::{Cpu, arch};
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
}

impl Default for Resident {
    fn default() -> Self {
        Self { functions: Functions::find(), address: 0, words: None }
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

    /// From now on it is at this address. What QEMU itself has just read there is the proof that the words are the same
    /// memory.
    fn follow(&mut self, address: u64, read: &[u8]) {
        self.address = address;
        let Some(functions) = self.functions else { return };
        let old = self.words.take();
        old.into_iter().for_each(|words| functions.give_back(words));
        let Some(words) = functions.map(address, read.len()) else { return };
        let same = |(word, bytes): (&AtomicU32, &[u8])| word.load(Ordering::Relaxed).to_ne_bytes() == bytes;
        if words.iter().zip(read.chunks_exact(4)).all(same) {
            self.words = Some(words);
        } else {
            functions.give_back(words);
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
