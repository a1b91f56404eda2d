//! What the recorded workload would take on another device.
//!
//! In: a trace, a [`DeviceModel`]. Out: a [`WhatIf`]: recorded and modelled times of each I/O, of each operation at the
//! device, and of the workload, with what is assumed and how often that mattered.
//!
//! The device time of each request, from its hand-over (doorbell, or the call of the driver where there is none) to its
//! interrupt, is replaced by the model's. What the guest executes keeps its length and its order. What changes is the
//! time in which it sleeps:
//!
//! - An idle time goes from a halt to the first interrupt with which a request completes, whatever wake-ups there are
//!   between after which the vCPU halts again in the same task (ticks): it ends when that request is done, and the
//!   interrupt's entry was executed.
//! - An idle time that ended with something else (a timer, whose task ran) keeps its length.
//! - An interrupt that came while the guest was busy, and whose request is not done by then, comes when it is: the
//!   guest sleeps until then.
//!
//! One vCPU only: several have no order that the clocks tell.

mod assumptions;
mod device;
mod gather;
mod queue;
mod replay;
mod timeline;

pub use assumptions::{Assumption, AssumptionCount, Assumptions};
pub use device::{ByteUnit, DeviceModel, ModelError, Picoseconds, Problem, ServiceTime};
pub use gather::MOST;

use super::Progress;
use super::spread::PercentileSummary;
use crate::model::{Io, OpName};
use crate::session::{Pass, PassEnd, Session};
use gather::Gathered;
use iotrace_format::trace::reader::ReadError;
use replay::{DeviceTimes, OpTimes, Outcome, replay};
use thiserror::Error;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct WhatIfQuery {
    /// The other device.
    pub model: DeviceModel,
    /// Show at most so many I/Os.
    pub rows: usize,
}

/// Virtual nanoseconds in the recording and in the modelled run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeChange {
    /// In the recording.
    pub recorded: u64,
    /// In the modelled run.
    pub modelled: u64,
}

impl TimeChange {
    /// How much more it is in the modelled run.
    #[must_use]
    pub fn difference(self) -> i128 {
        i128::from(self.modelled) - i128::from(self.recorded)
    }
}

/// An I/O.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoChange {
    /// It.
    pub io: Io,
    /// From call to return; none if it had not returned when the trace ended.
    pub elapsed: Option<TimeChange>,
}

/// Device times of an operation, from hand-over to interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpChange {
    /// The operation, if it is known.
    pub op: Option<OpName>,
    /// It is in the model.
    pub is_modelled: bool,
    /// In the recording.
    pub recorded: PercentileSummary,
    /// In the modelled run, with the time in which a request waits for its turn.
    pub modelled: PercentileSummary,
}

/// What a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceChange {
    /// `dev_t` of the disk.
    pub dev: u64,
    /// Requests that it completed.
    pub requests: u64,
    /// Time in which it had any of them.
    pub busy: TimeChange,
    /// Requests that waited for their turn in the modelled run.
    pub waited: u64,
    /// Virtual nanoseconds that they waited, in all.
    pub wait: u64,
    /// And the longest.
    pub longest_wait: u64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// The other device.
    pub model: DeviceModel,
    /// It is about what happened between the marks of the workload, otherwise about the whole trace.
    pub marked: bool,
    /// The whole.
    pub total: TimeChange,
    /// The first I/Os, by number.
    pub ios: Vec<IoChange>,
    /// How many I/Os there are.
    pub io_count: u64,
    /// By operation.
    pub operations: Vec<OpChange>,
    /// By disk.
    pub devices: Vec<DeviceChange>,
    /// What is assumed.
    pub assumptions: Assumptions,
    /// Some percentiles are rounded.
    pub rounded: bool,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum WhatIfError {
    /// The trace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Without virtual time there are no device times.
    #[error("no virtual time in the trace (QEMU ran without icount): device times are unknown")]
    NoVirtualTime,
    /// Clocks of several vCPUs are not comparable.
    #[error("trace of {0} vCPUs: whatif needs a trace of one vCPU")]
    SeveralVcpus(u32),
    /// A limit of memory.
    #[error("more than {MOST} requests or halts: use a part of the trace (iotrace-analyze slice)")]
    TooMany,
}

/// What a trace's workload would take on another device.
///
/// # Errors
/// [`WhatIfError`].
pub fn whatif(
    session: &Session,
    question: &WhatIfQuery,
    progress: Progress<'_>,
) -> Result<WhatIf, WhatIfError> {
    let mut gathered = Gathered::new(question.rows);
    let PassEnd { pass: Pass { keeper, .. }, finished } = session.run(&mut [&mut gathered], progress)?;
    let vcpus = finished.definitions.trace.vcpus;
    if vcpus > 1 {
        return Err(WhatIfError::SeveralVcpus(vcpus));
    }
    if gathered.too_many {
        return Err(WhatIfError::TooMany);
    }
    if gathered.clocks.is_some() && keeper.map().ns(gathered.window().1).is_none() {
        return Err(WhatIfError::NoVirtualTime);
    }
    let outcome = replay(&question.model, &gathered, keeper.into_map());
    Ok(answer(&question.model, outcome, gathered, finished.lost()))
}

fn answer(model: &DeviceModel, outcome: Outcome, gathered: Gathered, cut: Option<String>) -> WhatIf {
    let Outcome { timeline, operations, devices, assumptions } = outcome;
    let change = |from, to| {
        let recorded = timeline.time().between(from, to)?;
        let modelled = timeline.modelled(to)?.saturating_sub(timeline.modelled(from)?);
        Some(TimeChange { recorded, modelled })
    };
    let (begin, end) = gathered.window();
    let rounded = |times: &OpTimes| times.recorded.is_rounded() || times.modelled.is_rounded();
    let io_change = |io: Io| IoChange { elapsed: io.left.and_then(|left| change(io.entered, left)), io };
    let op_change = |(op, times): (Option<OpName>, OpTimes)| {
        let (recorded, modelled) = (times.recorded.spread()?, times.modelled.spread()?);
        Some(OpChange { op, is_modelled: model.service(op).is_some(), recorded, modelled })
    };
    WhatIf {
        model: *model,
        marked: gathered.workload.has_begun(),
        total: change(begin, end).unwrap_or_default(),
        io_count: gathered.ios.count(),
        ios: gathered.ios.into_rows().into_iter().map(io_change).collect(),
        rounded: operations.values().any(rounded),
        operations: operations.into_iter().filter_map(op_change).collect(),
        devices: devices.into_iter().filter(|(_, times)| times.requests > 0).map(device_change).collect(),
        assumptions,
        cut,
    }
}

fn device_change((dev, times): (u64, DeviceTimes)) -> DeviceChange {
    let DeviceTimes { requests, recorded_busy, modelled_busy, waited, wait, longest_wait, .. } = times;
    let busy = TimeChange { recorded: recorded_busy.length, modelled: modelled_busy.length };
    DeviceChange { dev, requests, busy, waited, wait, longest_wait }
}

#[cfg(test)]
mod tests;
