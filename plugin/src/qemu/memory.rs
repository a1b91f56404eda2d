//! Whether an address in the guest is that of memory.
//!
//! What a guest has in its pages may be registers of a device. To the device a read through the plugin API is one by
//! the guest, which may change it; and where the register tells the time QEMU ends itself ("Bad icount read"). So each
//! page is asked for before it is read, where this QEMU exports what is needed: 10.0 and 11.1 do, by different names.
//!
//! In: addresses, and what the API has read there. Out: whether they may be read. Used once the API has read memory
//! where this says that memory is; if it has read something where this says that there is nothing, never.

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
struct Functions {
    physical: ToPhysical,
    kind: Kind,
}

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Memory,
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

/// Whether the API may be asked for these bytes: not where something else than memory is.
pub(super) fn may_read(address: u64, length: usize) -> bool {
    match PROOF.get() {
        Proof::Proved(functions) => functions.range(address, length) == Page::Memory,
        _ => true,
    }
}

/// The API was asked for these bytes and has read them, or has not.
pub(super) fn learn(address: u64, length: usize, read: bool) {
    let next = match PROOF.get() {
        Proof::Proved(_) | Proof::GivenUp => return,
        Proof::Unknown => Functions::find().map_or(Proof::GivenUp, |functions| Proof::Tried(functions, 0, 0)),
        Proof::Tried(functions, agreed, doubts) => match (functions.range(address, length), read) {
            (Page::Memory, true) if agreed == PROOFS => Proof::Proved(functions),
            (Page::Memory, true) => Proof::Tried(functions, agreed + 1, doubts),
            (Page::NotMapped, false) => return,
            (Page::NoMemory, _) if agreed > 0 || doubts < DOUBTS => {
                Proof::Tried(functions, agreed, doubts.saturating_add(1))
            }
            _ => {
                disagrees(PrivateRead::MemoryKind);
                Proof::GivenUp
            }
        },
    };
    PROOF.set(next);
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
            Some(Self { physical: address.or(page)?, kind: system.or(space)? })
        }
    }

    /// What a range is: memory, or the first other thing in it.
    fn range(self, address: u64, length: usize) -> Page {
        let size = arch().memory.page_size();
        let first = address - address % size;
        let pages = (address % size + length as u64).div_ceil(size);
        let mut all = (0..pages).map(|page| self.page(first.wrapping_add(page * size)));
        all.find(|page| *page != Page::Memory).unwrap_or(Page::Memory)
    }

    fn page(self, address: u64) -> Page {
        let Some(cpu) = current() else { return Page::NotMapped };
        // SAFETY: the vCPU is in execution on this thread, in a callback of it; the functions only look at the guest's
        // state.
        unsafe {
            let mut physical = u64::MAX;
            match self.physical {
                ToPhysical::Page(get) => physical = get(cpu.as_ptr(), address),
                ToPhysical::Address(translate) => _ = translate(address, &raw mut physical),
            }
            if physical == u64::MAX {
                return Page::NotMapped;
            }
            let no_memory = match self.kind {
                Kind::OfSystem(is_io) => is_io(physical),
                Kind::OfSpace(is_io, space) => is_io(space, physical),
            };
            if no_memory { Page::NoMemory } else { Page::Memory }
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
            assert!(cpu.read(CODE + 4092, &mut bytes) && !cpu.read(CODE + 0x20_0000, &mut bytes));
        }
        (cpu.read(at, &mut bytes), take_fallbacks().collect())
    }

    #[test]
    fn devices_are_not_read() {
        assert_eq!(reads(None, CODE + 0x10_0000), (false, vec![]));
        assert!(is_known());
    }

    #[test]
    fn an_access_that_reaches_into_a_device_is_none_of_memory() {
        assert_eq!(reads(None, CODE + 0x10_0000 - 4), (false, vec![]));
        assert_eq!(reads(None, CODE + 8), (true, vec![]));
    }

    #[test]
    fn a_map_that_disagrees_with_the_api_is_not_used() {
        assert_eq!(reads(Some(Lie::NothingMapped), CODE), (true, vec![PrivateRead::MemoryKind]));
        assert!(!is_known());
    }

    #[test]
    fn a_map_that_finds_devices_in_the_kernels_code_is_not_used() {
        assert_eq!(reads(Some(Lie::OnlyDevices), CODE), (true, vec![PrivateRead::MemoryKind]));
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
