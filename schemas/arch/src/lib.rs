//! What depends on the guest's processor, and nothing else does.
//!
//! In: the name of a QEMU target, or the machine of an ELF file. Out: an [`Arch`]: constants, and a [`Code`] that
//! answers questions about instructions and about the state of a vCPU. Addresses and sizes are in bytes.
//!
//! - `code`: the questions, as a trait.
//! - `registers`: registers by number.
//! - `x86_64`: the one architecture there is.
//!
//! Another one is another file beside `x86_64`, and a line in [`KNOWN`]. A test (`tests/words.rs`) holds that the rest
//! of the workspace has no words of a processor.

mod code;
mod registers;
mod x86_64;

pub use code::{Callee, Code, Exception, InstructionKind, Relocation, VcpuState};
pub use registers::{Reg, Registers};

use std::ops::Range;

/// An architecture.
#[derive(Debug)]
pub struct Arch {
    /// Name of QEMU's target, and of the architecture in catalog files.
    pub name: &'static str,
    /// The QEMU that emulates a whole system of it.
    pub qemu: &'static str,
    /// `e_machine` of ELF files, include/uapi/linux/elf-em.h.
    pub machine: u16,
    /// How the kernel lays out its memory.
    pub memory: Memory,
    /// Registers.
    pub registers: Registers,
    /// Beginnings of the names of system calls' functions, before `sys_`.
    pub system_call_prefixes: &'static [&'static str],
    /// Instructions.
    pub code: &'static dyn Code,
}

/// How the kernel lays out its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// log2 of the page size: `PAGE_SHIFT`.
    pub page_shift: u8,
    /// Size and alignment of a task's stack: `THREAD_SIZE`.
    pub stack_size: u64,
    /// First address of the kernel's part of the address space.
    pub kernel_start: u64,
    /// Where kernel images are mapped.
    pub images: Range<u64>,
    /// KASLR moves the image by multiples of this.
    pub image_step: u64,
    /// Where the code of modules may be.
    pub modules: Range<u64>,
}

impl Memory {
    /// The page size.
    #[must_use]
    pub const fn page_size(&self) -> u64 {
        1 << self.page_shift
    }

    /// Whether an address is the kernel's.
    #[must_use]
    pub const fn is_kernel(&self, address: u64) -> bool {
        address >= self.kernel_start
    }
}

/// All architectures.
pub const KNOWN: &[&Arch] = &[FIRST];

/// The first one there was: that of whatever does not name its own.
pub static FIRST: &Arch = &x86_64::ARCH;

impl Arch {
    /// The architecture of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        KNOWN.iter().copied().find(|arch| arch.name == name)
    }

    /// The architecture of ELF files of this machine.
    #[must_use]
    pub fn of_machine(machine: u16) -> Option<&'static Self> {
        KNOWN.iter().copied().find(|arch| arch.machine == machine)
    }

    /// Names of all, for messages.
    #[must_use]
    pub fn known_names() -> String {
        KNOWN.iter().map(|arch| arch.name).collect::<Vec<_>>().join(", ")
    }
}

/// There is only one value of each: they are the same if their names are.
impl PartialEq for Arch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Arch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name_and_its_machine_and_is_consistent() {
        for arch in KNOWN.iter().copied() {
            assert_eq!((Arch::named(arch.name), Arch::of_machine(arch.machine)), (Some(arch), Some(arch)));
            let (memory, registers) = (&arch.memory, &arch.registers);
            assert!(memory.stack_size.is_power_of_two() && memory.page_size() >= 4096);
            assert!(memory.is_kernel(memory.images.start) && memory.is_kernel(memory.modules.start));
            let mut order = registers.in_qemu.to_vec();
            order.sort_unstable();
            assert!(order.iter().map(|place| usize::from(*place)).eq(0..registers.general()));
            for register in registers.arguments.iter().chain([&registers.stack, &registers.result]) {
                assert_eq!(registers.dwarf(register.number().into()), Some(*register));
            }
            assert!(registers.name(registers.per_cpu).is_some());
        }
        assert_eq!((Arch::named("vax"), Arch::of_machine(0)), (None, None));
    }
}
