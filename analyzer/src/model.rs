//! What a trace holds, as plain data. Knows no file and no terminal.
//!
//! Times are clocks (guest instructions completed); [`TimeMap`] turns them into virtual nanoseconds.

mod bio;
mod bio_stage;
mod block_event;
mod call;
mod cause;
mod command_error;
mod definitions;
mod errno;
mod io;
mod level;
mod name;
mod op;
mod request;
mod task;
#[cfg(test)]
mod tests;
mod time;

pub use bio::{Bio, BioCopy, BioId, FileCall, FileCallKind, Join, Origin};
pub use bio_stage::{BioStage, StageMark};
pub use block_event::{BlockEvent, BlockKind};
pub use call::{Call, CallEnd, CallId, Ending};
pub use cause::{Cause, DeviceStart, Handover, HandoverKind, Point, Raise, Switch, Wait};
pub use command_error::{CommandError, ErrorCause, RecoveryMark, RecoveryStep, Sense};
pub use definitions::Definitions;
pub use errno::{errno, errno_name};
pub use io::{Carried, File, FilePlace, Io, IoId, IoKind, IoTime, PAGE_FAULT};
pub use level::Level;
pub use name::{DISK_WORDS, NAME_WORDS, device_name, name_of_words};
pub use op::{Op, OpCodes, OpField, OpName};
pub use request::{
    Attempt, CompletionWay, DispatchWay, FlushRide, IrqRef, Request, RequestId, RequestKind, RequestMember,
    Rider, Update,
};
pub use task::{Comm, Task};
pub use time::TimeMap;

/// Major and minor number of a kernel-internal `dev_t`.
#[must_use]
pub fn major_minor(dev: u64) -> (u64, u64) {
    (dev >> 20, dev & 0xf_ffff)
}

/// A mark that the guest set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct WorkloadMark {
    /// When, in instructions.
    pub clock: u64,
    /// [`iotrace_format::event::MARK_BEGIN`], [`iotrace_format::event::MARK_END`] or the guest's own.
    pub code: u64,
}
