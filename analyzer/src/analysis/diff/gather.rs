//! What each I/O of a workload did: the calls made for it, as a tree, and what each step of its way cost.
//!
//! In: a trace. Out: its I/Os in order, as plain data, so that traces can be gathered side by side.

mod contexts;
mod others;
mod steps;
#[cfg(test)]
mod tests;

pub use steps::{IoStep, StepTotals};

use super::names::FunctionNames;
use super::tree::Tree;
use crate::analysis::{Progress, subject::cut};
use crate::model::StageMark;
use crate::session::{PassEnd, Session};
use contexts::Gatherer;
use iotrace_format::trace::reader::ReadError;

/// A bio of an I/O.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffBio {
    /// Its number.
    pub id: u64,
    /// Letters of its operation.
    pub op: String,
    /// First sector, of 512 bytes.
    pub sector: u64,
    /// Bytes.
    pub bytes: u64,
    /// The stages that it reached.
    pub stages: Vec<StageMark>,
}

/// A wait of an I/O's task, until it was woken and ran again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskWait {
    /// The function that it waited in.
    pub function: String,
    /// For what.
    pub what: String,
    /// When it stopped running, was woken, and ran again, in instructions.
    pub clocks: (u64, u64, u64),
    /// For how long, in virtual nanoseconds; 0 without virtual time.
    pub ns: u64,
    /// Of that, for a device.
    pub device: u64,
}

/// An I/O with what was done for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    /// Its number.
    pub io: u64,
    /// Name of the system call.
    pub syscall: String,
    /// Who asked.
    pub task: String,
    /// Name of the file; empty if not known.
    pub file: String,
    /// Position in the file, in bytes.
    pub position: Option<u64>,
    /// Bytes asked for.
    pub count: Option<u64>,
    /// When the system call was entered and returned, in instructions.
    pub clocks: (u64, Option<u64>),
    /// Virtual nanoseconds between the two; 0 without virtual time, or if it did not return.
    pub elapsed: u64,
    /// Of those, the nanoseconds in which its task slept for a device.
    pub device: u64,
    /// Instructions of the system call itself.
    pub call: u64,
    /// Bios queued for it or with bytes of it, by number.
    pub bios: Vec<DiffBio>,
    /// The calls made for it; the first level are contexts.
    pub tree: Tree,
    /// Accesses to devices made for it.
    pub accesses: u64,
    /// Interrupts that its commands rang for. One for commands of several I/Os is the first one's here.
    pub interrupts: u64,
    /// Interrupts for commands of its that stand with another I/O, whose command was done first.
    pub shared_interrupts: u64,
    /// Instructions of contexts that worked for it and stand with another I/O.
    pub shared_instructions: u64,
    /// Waits of its task.
    pub waits: Vec<TaskWait>,
    /// The steps of its way, in their order.
    pub steps: Vec<(IoStep, StepTotals)>,
}

/// The I/Os of a trace.
#[derive(Debug, Clone)]
pub struct Run {
    /// The I/Os of the workload that concern a disk, in order.
    pub works: Vec<Work>,
    /// The trace's functions, by the numbers that the trees have.
    pub names: FunctionNames,
    /// What the kernel says of itself.
    pub banner: String,
    /// Virtual time was only read now and then.
    pub approximate_times: bool,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

/// Gathers the I/Os of a trace.
///
/// # Errors
/// [`ReadError`].
pub fn gather(session: &Session, progress: Progress<'_>) -> Result<Run, ReadError> {
    let mut gatherer = Gatherer::default();
    let PassEnd { pass, finished } = session.run(&mut [&mut gatherer], progress)?;
    let cut = cut(&finished);
    let time = pass.keeper.map();
    let (works, names) = gatherer.finish(time);
    let approximate_times = time.is_approximate();
    Ok(Run { works, names, banner: finished.definitions.trace.banner, approximate_times, cut })
}
