//! Guest memory, and nothing else that a guest may have in its pages.
//!
//! What is there may be registers of a device. To the device a read through the plugin API is one by the guest, which
//! may change it; and where the register tells the time QEMU ends itself ("Bad icount read"). So each page is looked up
//! before it is read, where this QEMU exports what is needed: 10.0 and 11.1 do, by different names. What was looked up
//! is then read at its physical address: the API would look it up again.
//!
//! In: addresses, and what the API has read there. Out: what is there, if it is memory. Used once the API has read the
//! same often enough; if it has read something else, or where this says that there is nothing, never.

use super::abi::{current, symbol};
use super::agreement::{PrivateRead, disagrees};
use super::arch;
use std::cell::Cell;
use std::ffi::c_void;

/// How often the API has to have read memory: the first reads are those of the kernel's code.
const PROOFS: u8 = 16;
/// How often the API may have read what is no memory, before it has read any.
const DOUBTS: u16 = 4096;

/// `hwaddr cpu_get_phys_page_debug(CPUState *, vaddr)`, include/hw/core/cpu.h, to 10.x.
type GetPage = unsafe extern "C" fn(*mut c_void, u64) -> u64;
/// `bool qemu_plugin_translate_vaddr(uint64_t, uint64_t *)`, include/plugins/qemu-plugin.h, from 10.1 on.
type TranslateAddress = unsafe extern "C" fn(u64, *mut u64) -> bool;
/// `bool cpu_physical_memory_is_io(hwaddr)`, include/exec/cpu-common.h, to 10.x.
type IsIo = unsafe extern "C" fn(u64) -> bool;
/// `bool address_space_is_io(AddressSpace *, hwaddr)`, include/system/memory.h, of 11.x.
type SpaceIsIo = unsafe extern "C" fn(*mut c_void, u64) -> bool;
/// `void cpu_physical_memory_rw(hwaddr, void *, hwaddr, bool)`, include/exec/cpu-common.h, to 10.x.
type ReadOrWrite = unsafe extern "C" fn(u64, *mut c_void, u64, bool);
/// `void physical_memory_read(hwaddr, void *, hwaddr)`, include/system/physmem.h, of 11.x.
type Read = unsafe extern "C" fn(u64, *mut c_void, u64);

#[derive(Debug, Clone, Copy)]
enum ToPhysical {
    Page(GetPage),
    Address(TranslateAddress),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    OfSystem(IsIo),
    /// With `AddressSpace address_space_memory`, include/system/address-spaces.h.
    OfSpace(SpaceIsIo, *mut c_void),
}

#[derive(Debug, Clone, Copy)]
enum Access {
    ReadOrWrite(ReadOrWrite),
    Read(Read),
}

#[derive(Debug, Clone, Copy)]
struct Functions {
    physical: ToPhysical,
    kind: Kind,
    access: Access,
}

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// At a physical address.
    Memory(u64),
    /// Registers of a device, or nothing at a physical address.
    NoMemory,
    NotMapped,
}

/// How far this is proved.
#[derive(Debug, Clone, Copy)]
enum Proof {
    Unknown,
    /// The API has read memory, and what may be none, so often.
    Tried(Functions, u8, u16),
    Proved(Functions),
    /// The API is used without.
    GivenUp,
}

thread_local! {
    static PROOF: Cell<Proof> = const { Cell::new(Proof::Unknown) };
}

/// Whether what is mapped is known to be memory, if [`may_read`] says so.
pub(super) fn is_known() -> bool {
    matches!(PROOF.get(), Proof::Proved(_))
}

/// Reads memory at a virtual address into `out`, which is as it was where it is not all memory: whether it was read.
/// None if the API is to be asked.
pub(super) fn read(address: u64, out: &mut [u8]) -> Option<bool> {
    match PROOF.get() {
        Proof::Proved(functions) => Some(functions.read(address, out) == Page::Memory(0)),
        _ => None,
    }
}

/// The API was asked for these bytes and has read them, or has not.
pub(super) fn learn(address: u64, bytes: &[u8], read: bool) {
    let next = match PROOF.get() {
        Proof::Proved(_) | Proof::GivenUp => return,
        Proof::Unknown => Functions::find().map_or(Proof::GivenUp, |functions| Proof::Tried(functions, 0, 0)),
        Proof::Tried(functions, agreed, doubts) => {
            let mut same = vec![0; bytes.len()];
            match (functions.read(address, &mut same), read) {
                (Page::Memory(_), true) if same != bytes => give_up(),
                (Page::Memory(_), true) if agreed == PROOFS => Proof::Proved(functions),
                (Page::Memory(_), true) => Proof::Tried(functions, agreed + 1, doubts),
                (Page::NotMapped, false) => return,
                (Page::NoMemory, _) if agreed > 0 || doubts < DOUBTS => {
                    Proof::Tried(functions, agreed, doubts.saturating_add(1))
                }
                _ => give_up(),
            }
        }
    };
    PROOF.set(next);
}

/// The physical address of a device's register that is at a virtual address; no address if memory is there. None if this
/// QEMU does not export what is needed.
///
/// For vCPUs that run at the same time as others. The plugin API looks an access up in the vCPU's TLB after it was made
/// (`tlb_plugin_lookup`, accel/tcg/cputlb.c). Meanwhile another thread may have changed QEMU's memory map: it has waited for
/// the lock of all devices. QEMU 10.0 then ends itself (`iotlb_to_section`: "section_index < d->map.sections_nb").
pub(super) fn device_at(address: u64) -> Option<Option<u64>> {
    let functions = match PROOF.get() {
        Proof::Tried(functions, ..) | Proof::Proved(functions) => functions,
        Proof::Unknown | Proof::GivenUp => Functions::find()?,
    };
    let offset = address % arch().memory.page_size();
    let at = functions.physical(address - offset).map(|page| page + offset);
    Some(at.filter(|at| functions.is_device(*at)))
}

fn give_up() -> Proof {
    disagrees(PrivateRead::Memory);
    Proof::GivenUp
}

impl Functions {
    fn find() -> Option<Self> {
        // SAFETY: QEMU's functions of these names have these signatures in all versions that export them; the address
        // of the variable is only passed on.
        unsafe {
            let address = symbol(c"qemu_plugin_translate_vaddr")
                .map(|f| ToPhysical::Address(std::mem::transmute::<*mut c_void, TranslateAddress>(f)));
            let page = symbol(c"cpu_get_phys_page_debug")
                .map(|f| ToPhysical::Page(std::mem::transmute::<*mut c_void, GetPage>(f)));
            let system = symbol(c"cpu_physical_memory_is_io")
                .map(|f| Kind::OfSystem(std::mem::transmute::<*mut c_void, IsIo>(f)));
            let space = symbol(c"address_space_is_io")
                .zip(symbol(c"address_space_memory"))
                .map(|(f, space)| Kind::OfSpace(std::mem::transmute::<*mut c_void, SpaceIsIo>(f), space));
            let read_or_write = symbol(c"cpu_physical_memory_rw")
                .map(|f| Access::ReadOrWrite(std::mem::transmute::<*mut c_void, ReadOrWrite>(f)));
            let read = symbol(c"physical_memory_read")
                .map(|f| Access::Read(std::mem::transmute::<*mut c_void, Read>(f)));
            // Those of 10.x do less than the newer ones.
            Some(Self {
                physical: page.or(address)?,
                kind: system.or(space)?,
                access: read_or_write.or(read)?,
            })
        }
    }

    /// Reads a range if it is all memory; what it is: memory, wherever that is, or the first other thing in it.
    fn read(self, address: u64, out: &mut [u8]) -> Page {
        let size = arch().memory.page_size();
        let offset = address % size;
        let (mut first, mut rest) = out.split_at_mut(out.len().min((size - offset) as usize));
        let mut page = address - offset;
        if !rest.is_empty() {
            let others =
                (1..=(rest.len() as u64).div_ceil(size)).map(|n| self.page(page.wrapping_add(n * size)));
            if let Some(other) = others.into_iter().find(|page| !matches!(page, Page::Memory(_))) {
                return other;
            }
        }
        let mut at = offset;
        loop {
            match self.page(page) {
                Page::Memory(physical) => self.copy(physical.wrapping_add(at), first),
                other => return other,
            }
            if rest.is_empty() {
                return Page::Memory(0);
            }
            (page, at) = (page.wrapping_add(size), 0);
            (first, rest) = rest.split_at_mut(rest.len().min(size as usize));
        }
    }

    /// Reads memory at a physical address, all in one page.
    fn copy(self, physical: u64, out: &mut [u8]) {
        // SAFETY: the function writes as many bytes as it is given, to `out`.
        unsafe {
            match self.access {
                Access::ReadOrWrite(f) => f(physical, out.as_mut_ptr().cast(), out.len() as u64, false),
                Access::Read(f) => f(physical, out.as_mut_ptr().cast(), out.len() as u64),
            }
        }
    }

    /// The page that begins at a virtual address.
    fn page(self, address: u64) -> Page {
        match self.physical(address) {
            None => Page::NotMapped,
            Some(physical) if self.is_device(physical) => Page::NoMemory,
            Some(physical) => Page::Memory(physical),
        }
    }

    /// The physical address of the page that begins at a virtual address, if it is mapped.
    fn physical(self, address: u64) -> Option<u64> {
        let cpu = current()?;
        let mut physical = u64::MAX;
        // SAFETY: the vCPU is in execution on this thread, in a callback of it; the functions only look at the guest's
        // state.
        unsafe {
            match self.physical {
                ToPhysical::Page(get) => physical = get(cpu.as_ptr(), address),
                ToPhysical::Address(translate) => _ = translate(address, &raw mut physical),
            }
        }
        (physical != u64::MAX).then_some(physical)
    }

    /// Whether no memory is at a physical address.
    fn is_device(self, physical: u64) -> bool {
        // SAFETY: the functions only look at QEMU's memory map, which they hold (RCU).
        unsafe {
            match self.kind {
                Kind::OfSystem(is_io) => is_io(physical),
                Kind::OfSpace(is_io, space) => is_io(space, physical),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::agreement::take_fallbacks;
    use crate::qemu::fake::{self, Lie};

    const CODE: u64 = 0xffff_ffff_8100_0000;

    /// What the API reads at an address after it has read the kernel's code.
    fn reads(lie: Option<Lie>, at: u64) -> (bool, Vec<PrivateRead>) {
        fake::expose(lie);
        fake::execute(0);
        let cpu = fake::cpu(0);
        let mut bytes = [0; 8];
        fake::map(CODE, &[7; 8192]);
        fake::map(CODE + 0x10_0000, &[8; 4096]);
        fake::map_device(CODE + 0x10_0000);
        for _ in 0..=DOUBTS {
            assert!(cpu.read(CODE + 4092, &mut bytes) && bytes == [7; 8]);
            assert!(!cpu.read(CODE + 0x20_0000, &mut bytes));
        }
        (cpu.read(at, &mut bytes), take_fallbacks().collect())
    }

    #[test]
    fn devices_are_not_read() {
        assert_eq!(reads(None, CODE + 0x10_0000), (false, vec![]));
        assert!(is_known());
    }

    #[test]
    fn a_register_is_known_by_its_physical_address() {
        assert_eq!(reads(None, CODE), (true, vec![]));
        let registers = CODE + 0x10_0000;
        let found = [registers + 12, CODE, CODE + 0x20_0000].map(device_at);
        assert_eq!(found, [Some(Some(registers + 12)), Some(None), Some(None)]);
    }

    #[test]
    fn an_access_that_reaches_into_a_device_is_none_of_memory() {
        assert_eq!(reads(None, CODE + 0x10_0000 - 4), (false, vec![]));
        assert_eq!(reads(None, CODE + 8), (true, vec![]));
    }

    #[test]
    fn a_map_that_disagrees_with_the_api_is_not_used() {
        assert_eq!(reads(Some(Lie::NothingMapped), CODE), (true, vec![PrivateRead::Memory]));
        assert!(!is_known());
    }

    #[test]
    fn memory_that_is_not_what_the_api_reads_is_not_used() {
        assert_eq!(reads(Some(Lie::Memory), CODE), (true, vec![PrivateRead::Memory]));
        assert!(!is_known());
    }

    #[test]
    fn a_range_of_pages_is_read_as_one() {
        assert_eq!(reads(None, CODE), (true, vec![]));
        let mut bytes = vec![0; 8000];
        fake::map(CODE + 0x30_0000, &Vec::from_iter((0..20_000_u32).map(|at| (at / 7) as u8)));
        assert!(fake::cpu(0).read(CODE + 0x30_0000 + 4000, &mut bytes));
        assert!(bytes.iter().zip(4000_u32..).all(|(byte, at)| *byte == (at / 7) as u8));
        assert!(!fake::cpu(0).read(CODE + 0x30_0000 + 15_000, &mut bytes));
    }

    #[test]
    fn a_map_that_finds_devices_in_the_kernels_code_is_not_used() {
        assert_eq!(reads(Some(Lie::OnlyDevices), CODE), (true, vec![PrivateRead::Memory]));
        assert!(!is_known());
    }

    #[test]
    fn without_qemus_functions_the_api_reads_all() {
        fake::hide_symbols();
        let cpu = fake::cpu(0);
        fake::map(CODE, &[7; 16]);
        assert!((0..100).all(|_| cpu.read(CODE, &mut [0; 8])) && !is_known());
    }
}
