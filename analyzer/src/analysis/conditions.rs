//! Conditions, as breakpoints have them: which I/Os, bios and events somebody wants to see.
//!
//! In: what was asked for (texts are read by [`parse`]). Out: yes or no for an I/O, a bio, an event. All
//! conditions must hold. One that says nothing about a thing is decided by what belongs to it: an I/O lies in
//! a range of sectors if one of its bios does, a bio is of a file descriptor if one of its I/Os is.

mod event;
pub mod parse;

pub use event::ConditionFields;
pub use parse::OpIs;

use crate::analysis::workload;
use crate::model::{Bio, BioStage, BlockEvent, Cause, Io, PAGE_FAULT, Task, TimeMap, WorkloadMark};
use iotrace_format::layer::Layer;
use std::ops::RangeInclusive;

/// Bytes of a sector.
const SECTOR: u64 = 512;

/// A range with both its ends.
pub type Range = RangeInclusive<u64>;

/// What is wanted; without any condition, everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Name or number of a task: the one that asked, or that did the work.
    pub task: Option<String>,
    /// Name (its last part) or inode number of a file.
    pub file: Option<String>,
    /// File descriptor.
    pub fd: Option<u64>,
    /// Bytes that an I/O asked for, or of a bio.
    pub size: Option<Range>,
    /// Name of the system call, as [`parse::syscall`] gives it.
    pub syscall: Option<String>,
    /// Operation.
    pub op: Option<OpIs>,
    /// Sectors of 512 bytes; touching them is enough.
    pub sector: Option<Range>,
    /// A layer that was reached. `sched` and `kernel` are told by events only.
    pub layer: Option<Layer>,
    /// Clocks, in instructions; being under way is enough.
    pub clock: Option<Range>,
    /// Virtual nanoseconds since the workload began: [`Conditions::settled`] makes clocks of them.
    pub time: Option<Range>,
    /// Virtual nanoseconds of an I/O from call to return, of a bio from queue to end.
    pub elapsed: Option<Range>,
    /// From clocks to virtual time, for [`Conditions::elapsed`]: settled conditions have it.
    pub map: Option<TimeMap>,
}

/// A window of virtual time was asked for, and the trace has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no virtual time in the trace (QEMU ran without icount): use --clock")]
pub struct NoVirtualTime;

fn given<T>(wanted: &Option<T>, holds: impl FnOnce(&T) -> bool) -> bool {
    wanted.as_ref().is_none_or(holds)
}

fn touch(range: &Range, from: u64, to: Option<u64>) -> bool {
    !range.is_empty() && from <= *range.end() && to.is_none_or(|to| to >= *range.start())
}

impl Conditions {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same with a window of clocks in place of one of virtual time. That is counted from the first mark
    /// of the workload's beginning, or from the guest's start if there is none.
    ///
    /// # Errors
    /// [`NoVirtualTime`].
    pub fn settled(&self, time: &TimeMap, marks: &[WorkloadMark]) -> Result<Self, NoVirtualTime> {
        let map = self.elapsed.is_some().then(|| time.clone());
        if map.as_ref().is_some_and(|map| !map.is_virtual()) {
            return Err(NoVirtualTime);
        }
        let with_map = Self { map, ..self.clone() };
        let Some(window) = &self.time else { return Ok(with_map) };
        let zero = workload(marks).map_or(Some(0), |(begin, _)| time.ns(begin)).ok_or(NoVirtualTime)?;
        let first = |ns: u64| time.clock_at(zero.saturating_add(ns)).ok_or(NoVirtualTime);
        let (from, after) = (first(*window.start())?, first(window.end().saturating_add(1))?);
        let clock = self.clock.clone().unwrap_or(0..=u64::MAX);
        let clock = from.max(*clock.start())..=after.saturating_sub(1).min(*clock.end());
        Ok(Self { clock: Some(clock), time: None, ..with_map })
    }

    /// Whether one of them is on what only I/Os and bios tell: of a context's calls it is known by their I/O alone.
    #[must_use]
    pub fn are_on_ios(&self) -> bool {
        let rest = Self { task: None, clock: None, time: None, map: None, ..self.clone() };
        !rest.is_empty()
    }

    /// Whether what a block tracepoint reports of so many bytes is wanted; with conditions on what it does not have, it is
    /// not.
    #[must_use]
    pub fn block_event(&self, event: &BlockEvent, bytes: u64) -> bool {
        let has_all = self.fd.is_none()
            && self.file.is_none()
            && self.syscall.is_none()
            && self.layer.is_none()
            && self.elapsed.is_none();
        has_all
            && given(&self.clock, |range| range.contains(&event.clock))
            && given(&self.task, |name| is_task(&event.task, name))
            && given(&self.size, |range| range.contains(&bytes))
            && given(&self.op, |op| op.is(event.op))
            && given(&self.sector, |range| sectors_touch(range, event.sector, bytes))
    }

    /// Whether an I/O is wanted, given its bios.
    pub fn io<'a>(&self, io: &Io, bios: impl IntoIterator<Item = &'a Bio>) -> bool {
        let by_bios =
            self.op.is_some() || self.sector.is_some() || !given(&self.layer, |l| io_reached(io, *l));
        self.took(Some(io.entered), io.left)
            && self.hold(Some(io), None)
            && (!by_bios || bios.into_iter().any(|bio| self.hold_in_queue(bio)))
    }

    /// Whether a bio is wanted, given the I/Os that it was queued for or carries bytes of.
    pub fn bio<'a>(&self, bio: &Bio, ios: impl IntoIterator<Item = &'a Io>) -> bool {
        self.took(Some(bio.queued()), bio.ended())
            && self.hold_in_queue(bio)
            && (self.hold(None, Some(bio)) || ios.into_iter().any(|io| self.hold(Some(io), Some(bio))))
    }

    /// Whether something took as long as is wanted; what is not over did not.
    fn took(&self, from: Option<u64>, to: Option<u64>) -> bool {
        given(&self.elapsed, |range| {
            let ends = from.zip(to).zip(self.map.as_ref());
            let elapsed = ends.and_then(|((from, to), map)| map.between(from, to));
            elapsed.is_some_and(|elapsed| range.contains(&elapsed))
        })
    }

    /// Conditions that either an I/O or a bio of it can fulfil.
    fn hold(&self, io: Option<&Io>, bio: Option<&Bio>) -> bool {
        let either = |of_io: &dyn Fn(&Io) -> bool, of_bio: &dyn Fn(&Bio) -> bool| {
            io.is_some_and(of_io) || bio.is_some_and(of_bio)
        };
        given(&self.fd, |fd| io.is_some_and(|io| io.fd == Some(*fd)))
            && given(&self.syscall, |name| {
                either(&|io| *io.syscall == **name, &|bio| caused(bio, |cause| is_syscall(cause, name)))
            })
            && given(&self.task, |name| {
                either(&|io| is_task(&io.task, name), &|bio| {
                    is_task(&bio.task, name) || caused(bio, |cause| is_of_task(cause, name))
                })
            })
            && given(&self.file, |file| {
                let number = file.parse().ok();
                either(
                    &|io| io.file.as_ref().is_some_and(|f| f.name == *file || Some(f.ino) == number),
                    &|bio| bio.call.is_some_and(|call| Some(call.ino) == number),
                )
            })
            && given(&self.size, |range| {
                either(&|io| io.count.is_some_and(|n| range.contains(&n)), &|bio| range.contains(&bio.bytes))
            })
            && given(&self.clock, |range| {
                either(&|io| touch(range, io.entered, io.left), &|bio| {
                    touch(range, bio.queued(), bio.ended())
                })
            })
    }

    /// Conditions that only a bio can fulfil: one that does not is of no interest, whatever belongs to it.
    pub fn hold_in_queue(&self, bio: &Bio) -> bool {
        given(&self.op, |op| op.is(bio.op))
            && given(&self.sector, |range| sectors_touch(range, bio.sector, bio.bytes))
            && given(&self.layer, |layer| bio_reached(bio, *layer))
    }
}

/// What has no bytes (a flush) has no sectors.
fn sectors_touch(range: &Range, sector: u64, bytes: u64) -> bool {
    bytes > 0 && touch(range, sector, Some(sector.saturating_add((bytes - 1) / SECTOR)))
}

fn is_task(task: &Task, wanted: &str) -> bool {
    task.comm.to_string() == wanted || wanted.parse() == Ok(task.pid)
}

fn caused(bio: &Bio, by: impl Fn(&Cause) -> bool) -> bool {
    bio.cause.as_ref().is_some_and(|cause| cause.origins().any(by))
}

fn is_syscall(cause: &Cause, wanted: &str) -> bool {
    match cause {
        Cause::Syscall { name, .. } => **name == *wanted,
        Cause::Fault { .. } => wanted == PAGE_FAULT,
        _ => false,
    }
}

fn is_of_task(cause: &Cause, wanted: &str) -> bool {
    match cause {
        Cause::Syscall { task, .. }
        | Cause::Fault { task, .. }
        | Cause::Work { task, .. }
        | Cause::Thread { task, .. } => is_task(task, wanted),
        Cause::Kernel { .. }
        | Cause::Timer { .. }
        | Cause::Interrupt { .. }
        | Cause::Softirq
        | Cause::Unknown => false,
    }
}

/// Whether an I/O reached a layer, as far as it tells itself.
fn io_reached(io: &Io, layer: Layer) -> bool {
    match layer {
        Layer::Syscall | Layer::Sched | Layer::Kernel | Layer::Other => true,
        Layer::Vfs | Layer::Filesystem => io.file.is_some(),
        Layer::PageCache => io.cached > 0,
        _ => false,
    }
}

fn bio_reached(bio: &Bio, layer: Layer) -> bool {
    match layer {
        Layer::Syscall => bio.cause.as_ref().is_some_and(|cause| cause.io().is_some()),
        Layer::Vfs => bio.call.is_some(),
        Layer::PageCache | Layer::Writeback => !bio.carries.is_empty(),
        Layer::Scsi => bio.at(BioStage::Issued).is_some(),
        Layer::Driver => bio.at(BioStage::Driver).is_some(),
        Layer::Irq => bio.at(BioStage::Interrupt).is_some(),
        Layer::Softirq => bio.at(BioStage::Completed).is_some(),
        _ => true,
    }
}

#[cfg(test)]
pub(crate) mod tests;
