//! The kernel profile: the catalog matched against one kernel.
//!
//! In: a [`Catalog`](iotrace_catalog::Catalog), a vmlinux, the kernel's modules. Out: a
//! [`Profile`]: where each function is, what to read there and how, what is missing. The plugin works
//! from a profile and from nothing else.
//!
//! - [`plan`]: what is read when a function is entered or left.
//! - `compile`: finds the functions and turns the catalog's paths into plans.
//! - [`ReturnTypes`]: what functions return, those of the catalog and all others.
//! - [`summary`]: what of a guest with the kernel is traced, what is not, why, and what to do.
//! - `file`: a profile kept in a file, since reading DWARF takes too long to do it for every replay.

mod compile;
mod file;
pub mod plan;
mod returns;
pub mod sealed;
pub mod summary;

pub use compile::{CompileError, Sources, compile};
pub use file::ProfileError;
pub use iotrace_catalog::{Action, CatalogPart, Controller};
pub use returns::ReturnTypes;

use bincode::{Decode, Encode};
use iotrace_arch::Arch;
use iotrace_format::definition::{Constant, Device, ReturnType, SiteFrame};
use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;
use iotrace_kernel::SymbolTable;
use plan::{EntryPlan, ValueAccess};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// The catalog matched against one kernel.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Profile {
    /// The kernel's architecture, by [`Arch::name`].
    pub arch: String,
    /// Text of `linux_banner`.
    pub banner: String,
    /// GNU build-id, empty if the image has none.
    pub build_id: Vec<u8>,
    /// Addresses in the image that tell where the guest's kernel is.
    pub anchors: Anchors,
    /// How to find what is running.
    pub context: ContextAccess,
    /// Of `struct module`; none if its layout is not known.
    pub module: Option<ModuleAccess>,
    /// The functions of the catalog that this kernel or its modules may have.
    pub functions: Vec<ProbedFunction>,
    /// Code that accesses device memory.
    pub mmio: Vec<MmioCode>,
    /// Values of enumerators.
    pub constants: Vec<Constant>,
    /// Devices whose registers are known.
    pub devices: Vec<Device>,
    /// The parts of the catalog.
    pub parts: Vec<CatalogPart>,
    /// Controllers that QEMU emulates.
    pub controllers: Vec<Controller>,
    /// What the catalog has and this kernel has not.
    pub missing: Vec<Missing>,
    /// Stages of the catalog that no function of this kernel tells, nor of its modules that were looked at.
    pub missing_stages: Vec<Stage>,
    /// The image has debug information: source lines and inlined functions are known.
    pub lines: bool,
    /// The image's functions and labels in its code.
    pub symbols: SymbolTable,
    /// Code that stands for a return or for a call through a pointer.
    pub thunks: Thunks,
    /// Functions of the image that end in a jump to one of those: that one returns behind the call of this one.
    pub jumpers: Vec<Range<u64>>,
    /// Functions of the image that call some of those through pointers.
    pub callers: Vec<Range<u64>>,
    /// What functions return.
    pub returns: ReturnTypes,
    /// Where in the source the calls of the image are, by the address behind the call.
    pub sites: Vec<(u64, Vec<SiteFrame>)>,
    /// The same of modules: by module, function and offset in it.
    pub module_sites: BTreeMap<(String, String, u64), Vec<SiteFrame>>,
}

impl Profile {
    /// The functions that a call of the image is in, by the address behind it.
    #[must_use]
    pub fn site(&self, address: u64) -> Option<&[SiteFrame]> {
        let at = self.sites.binary_search_by_key(&address, |(a, _)| *a).ok()?;
        Some(&self.sites[at].1)
    }

    /// The functions that a call of a module is in, by the symbol and the offset behind the call.
    #[must_use]
    pub fn sites_of(&self, module: &str, symbol: &str, offset: u64) -> Option<&[SiteFrame]> {
        self.module_sites.get(&(module.to_owned(), symbol.to_owned(), offset)).map(Vec::as_slice)
    }
}

/// Addresses as linked, without KASLR's slide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Anchors {
    /// `linux_banner`.
    pub banner: u64,
    /// `__start_notes` and `__stop_notes`: where the build-id is.
    pub notes: Option<(u64, u64)>,
    /// `_stext` and `_etext`.
    pub text: (u64, u64),
    /// The code through which the kernel is entered and left: `__entry_text_start` and `__entry_text_end`
    /// of the kernel's linker script. Empty if the image does not say.
    pub entry_text: Range<u64>,
}

/// Code of the image that the compiler has functions jump to and call in the place of other instructions. Addresses as linked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Thunks {
    /// A jump to one of these is a return.
    pub returns: Vec<u64>,
    /// A call of one of these is a call through a pointer.
    pub calls: Vec<u64>,
}

/// How to find what is running, from the base of the per-CPU data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct ContextAccess {
    /// Offset of the pointer to the current task.
    pub current_task: Option<u64>,
    /// The preemption count; none if it was not found: then no context is known.
    pub preempt_count: Option<CountPlace>,
    /// What its bits are.
    pub count_bits: CountBits,
    /// Offset of the kernel's pid (the thread) in a task.
    pub pid: Option<ValueAccess>,
    /// Offset of the thread group's id.
    pub tgid: Option<ValueAccess>,
    /// Address of the 16 bytes of the task's name.
    pub comm: Option<ValueAccess>,
    /// A task's memory; null for a thread of the kernel.
    pub mm: Option<ValueAccess>,
    /// Lowest address of a task's stack.
    pub stack: Option<ValueAccess>,
}

/// Where the preemption count is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CountPlace {
    /// At an offset in the per-CPU data.
    PerCpu(u64),
    /// Behind the current task.
    OfTask(ValueAccess),
}

/// The bits of a preemption count, from bit 16 on; below, all kernels count preemption and softirqs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub enum CountBits {
    /// Four of interrupts and four of NMIs: from 3.13 on (include/linux/preempt.h).
    #[default]
    Usual,
    /// Eight of how often interrupts were disabled, then the usual ones (7.x, `HARDIRQ_DISABLE_BITS`).
    Disabled,
    /// Ten of interrupts and one of NMIs (to 3.12, include/linux/hardirq.h).
    Wide,
}

impl CountBits {
    /// A count as most kernels have it: interrupts from bit 16 on.
    #[must_use]
    pub fn usual(self, count: u32) -> u32 {
        match self {
            Self::Usual => count,
            Self::Disabled => count & 0xffff | count >> 8 & 0xff_0000,
            Self::Wide => {
                let (interrupts, nmis) = (count >> 16 & 0x3ff, count >> 26 & 1);
                count & 0xffff | interrupts.min(0xf) << 16 | nmis << 20
            }
        }
    }
}

impl ContextAccess {
    /// The same in a guest whose kernel was moved by `slide`. From 6.15 on per-CPU data is linked among the image's
    /// other sections, and moved with them; before, it was linked at 0.
    #[must_use]
    pub fn moved(&self, slide: u64, arch: &Arch) -> Self {
        let moved = |offset: u64| {
            if offset >= arch.memory.images.start { offset.wrapping_add(slide) } else { offset }
        };
        Self {
            current_task: self.current_task.map(moved),
            preempt_count: self.preempt_count.clone().map(|place| match place {
                CountPlace::PerCpu(offset) => CountPlace::PerCpu(moved(offset)),
                of_task @ CountPlace::OfTask(_) => of_task,
            }),
            ..self.clone()
        }
    }
}

/// How to read a `struct module`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ModuleAccess {
    /// Address of the name.
    pub name: ValueAccess,
    /// Its symbol table.
    pub symtab: ValueAccess,
    /// Entries of the symbol table.
    pub num_symtab: ValueAccess,
    /// Names of the symbols.
    pub strtab: ValueAccess,
    /// The kernel keeps the letters of `nm` in a table of their own, not in the symbol table.
    pub has_typetab: bool,
}

/// Where a function is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FunctionLocation {
    /// In the image, at this address as linked.
    Image(u64),
    /// In this module.
    Module(String),
    /// Not in the image, nor in a module that was looked at: perhaps in one that was not.
    Elsewhere,
}

/// A function of the catalog, in this kernel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ProbedFunction {
    /// The catalog's name.
    pub name: String,
    /// Names to look for, the kernel's own first.
    pub symbols: Vec<String>,
    /// Where it is.
    pub place: FunctionLocation,
    /// Length in bytes; 0 if not known, and of an inlined instance.
    pub size: u64,
    /// A part of its code that stands elsewhere, since it is seldom executed; of functions in the image.
    pub cold: Option<Range<u64>>,
    /// Of an inlined instance in a module: its offset in the function that has the symbol, in bytes.
    pub offset: u64,
    /// Of an inlined instance: the functions it is in, the innermost first, the one with the symbol last.
    pub inside: Vec<String>,
    /// Layer.
    pub layer: Layer,
    /// What it tells about an I/O.
    pub stage: Option<Stage>,
    /// What views call it by, if it tells no stage.
    pub label: String,
    /// What the plugin does itself.
    pub action: Action,
    /// Source file, empty if not known.
    pub file: String,
    /// Source line, 0 if not known.
    pub line: u32,
    /// What is read at the entry.
    pub entry: EntryPlan,
    /// The returns are probed too.
    pub exit: Option<ExitPlan>,
}

impl ProbedFunction {
    /// Its stage's name, or its label; empty if it has neither.
    #[must_use]
    pub fn stage_name(&self) -> Cow<'_, str> {
        Stage::name_or(self.stage.as_ref(), &self.label)
    }
}

/// What is recorded when a function returns.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ExitPlan {
    /// Name of the returned value; none if the function returns nothing.
    pub value: Option<String>,
    /// What it returns; none if it is not known.
    pub returns: Option<ReturnType>,
    /// Which value means success.
    pub success: Option<iotrace_format::definition::Success>,
}

/// Code that accesses device memory.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MmioCode {
    /// Its accesses are recorded, not only used to set the clock.
    pub record: bool,
    /// Ranges of the image: first address, length.
    pub ranges: Vec<(u64, u64)>,
    /// Whole modules.
    pub modules: Vec<String>,
}

/// A function of the catalog that this kernel has not, or a field that could not be found.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Missing {
    /// The catalog's name of the function.
    pub function: String,
    /// What is missing and why.
    pub reason: String,
    /// The function itself is there; only something that was to be read is not.
    pub partial: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_interrupts_from_bit_16_on_whatever_the_kernel() {
        for (bits, count, usual) in [
            (CountBits::Usual, 0x8011_0301, 0x8011_0301),
            (CountBits::Disabled, 0x1102_0301, 0x0011_0301),
            // Interrupts while one is being handled, PREEMPT_ACTIVE, an NMI.
            (CountBits::Wide, 0x0002_0100, 0x0002_0100),
            (CountBits::Wide, 0x1000_0001, 0x0000_0001),
            (CountBits::Wide, 0x0401_0100, 0x0011_0100),
            (CountBits::Wide, 0x0011_0000, 0x000f_0000),
        ] {
            assert_eq!(bits.usual(count), usual, "{bits:?} {count:#x}");
        }
    }
}
