//! What can be attached to an instruction. Made once, when a probe is placed; lives forever.

use crate::choice::FieldTest;
use iotrace_format::definition::ReturnType;
use iotrace_format::event::KindId;
use iotrace_profile::Action;
use iotrace_profile::plan::EntryPlan;
use std::sync::OnceLock;

/// What is attached to an instruction.
#[derive(Debug)]
pub enum ProbeSite {
    /// A function's first instruction, or that of an inlined instance.
    Entry(EntryProbe),
    /// The first instruction of a function that is not of the catalog.
    Function(KernelFunction),
    /// A return instruction in the code of a probed function.
    Return,
    /// An address behind a call: where a function returns to that ended in a tail call.
    Behind,
    /// The kernel returns from an interrupt or an exception.
    ExceptionReturn,
    /// An instruction that may access a device, at this address.
    Device {
        /// Address of the instruction.
        pc: u64,
        /// The access is recorded, not only used to set the clock.
        record: bool,
    },
    /// The processor waits for an interrupt.
    Halt,
    /// Perhaps a mark.
    Mark,
}

/// A function's entry.
#[derive(Debug)]
pub struct EntryProbe {
    /// Number in the trace; none if the entry is not recorded.
    pub kind: Option<KindId>,
    /// What is read.
    pub plan: EntryPlan,
    /// What the plugin does itself.
    pub action: Action,
    /// The function's returns; none if they are not recorded.
    pub exit: Option<ExitProbe>,
    /// With this entry the recording begins, if all hold.
    pub begins: Option<Box<[FieldTest]>>,
    /// It is recorded whatever task runs: it is part of an interrupt, or lasting.
    pub always: bool,
    /// It is recorded even before the beginning: what it tells lasts (where a device's registers are).
    pub lasting: bool,
    /// The argument that is the task which runs next.
    pub next: Option<u8>,
    /// The argument that the action is about, by its place in the plan.
    pub subject: Option<u8>,
}

/// A function that is not of the catalog: it is numbered and defined when it is first recorded, since there are more of
/// them than numbers.
#[derive(Debug)]
pub struct KernelFunction {
    /// Address in the guest.
    pub address: u64,
    /// Its symbol.
    pub name: String,
    /// The module it is in.
    pub module: Option<String>,
    /// What it returns; none if it is not known.
    pub returns: Option<ReturnType>,
    /// Number of its entry, and its return; none if there was no number left.
    pub probe: OnceLock<Option<(KindId, ExitProbe)>>,
}

/// A function's return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitProbe {
    /// Number in the trace.
    pub kind: KindId,
    /// The returned value is recorded.
    pub value: bool,
    /// It is recorded whatever task runs: it is part of an interrupt.
    pub always: bool,
    /// A task has its new name from here on.
    pub renames: bool,
}

impl ProbeSite {
    /// The site for as long as QEMU lives: translated code refers to it.
    pub fn keep(self) -> &'static Self {
        Box::leak(Box::new(self))
    }
}
