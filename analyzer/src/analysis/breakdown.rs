//! One trace at a glance: counts, and what instructions and time were spent on.
//!
//! In: a session, conditions. Out: a [`Breakdown`], with a table for each [`BreakdownBy`]. The numbers `own` of a table add up
//! to its whole. Instructions are those executed between the marks of the workload, in all contexts; times are virtual
//! nanoseconds, or instructions without icount.

mod collect;
mod costs;

use super::records::{RecordQuery, RecordsEnd, RecordsError, records};
use super::report::Outcomes;
use super::subject::Wanted;
use super::why::{Doing, why};
use super::{Progress, Warning};
use crate::model::{Definitions, Io, TimeMap};
use crate::session::Session;
use crate::trackers::Counts;
pub use collect::BreakdownCollector;
use std::cmp::Reverse;

/// What a table is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakdownBy {
    /// Functions: instructions.
    Function,
    /// Layers: instructions.
    Layer,
    /// Tasks, and what interrupts them: instructions; the total of a task has what interrupted it.
    Task,
    /// Files of I/Os: guest time; the total has device time.
    File,
    /// Devices of bios: time in which they had a command; the total is from queue to end.
    Device,
    /// What tasks waited for in I/Os: time until they were woken; the total is until they ran again.
    Wait,
    /// Stages of bios: time since the stage before; the total is since the bio was queued.
    Stage,
}

impl BreakdownBy {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Function, Self::Layer, Self::Task, Self::File, Self::Device, Self::Wait, Self::Stage];

    /// Its numbers are instructions in every trace.
    #[must_use]
    pub fn counts_instructions(self) -> bool {
        matches!(self, Self::Function | Self::Layer | Self::Task)
    }
}

/// A row of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakdownRow {
    /// What it is of.
    pub name: String,
    /// Calls, I/Os, bios or waits; 0 of what is not counted.
    pub count: u64,
    /// Its own part.
    pub own: u64,
    /// With what belongs to it.
    pub total: u64,
}

/// Between these times, so many I/Os returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyBucket {
    /// At least so long.
    pub from: u64,
    /// Less than so long.
    pub to: u64,
    /// How many.
    pub count: u64,
}

/// The time between two of the steps that btt prints, of all bios.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepTime {
    /// Name: `Q2G`.
    pub name: &'static str,
    /// Bios.
    pub count: u64,
    /// Added up.
    pub sum: u64,
}

/// A slow I/O, and why it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowIo {
    /// The I/O.
    pub io: Io,
    /// What most of its time was spent on, and how much; none if it cannot be explained.
    pub reason: Option<(Doing, u64)>,
}

/// One trace at a glance.
#[derive(Debug, Default)]
pub struct Breakdown {
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// The workload: its marks, in instructions.
    pub workload: Option<(u64, Option<u64>)>,
    /// I/Os.
    pub ios: u64,
    /// Bios.
    pub bios: u64,
    /// Bytes of bios that were queued.
    pub bytes: u64,
    /// How they ended.
    pub outcomes: Outcomes,
    /// Instructions executed.
    pub instructions: u64,
    /// The tables, each with its rows by their own part, the largest first.
    pub tables: Vec<(BreakdownBy, Vec<BreakdownRow>)>,
    /// I/Os by elapsed time.
    pub latencies: Vec<LatencyBucket>,
    /// Q2G, G2I, Q2M, I2D, M2D, D2C, Q2C.
    pub steps: Vec<StepTime>,
    /// The slowest I/Os, by guest time.
    pub slowest: Vec<SlowIo>,
    /// What could not be attributed, of the whole trace.
    pub counts: Counts,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// Truncated or damaged: where and why.
    pub lost: Option<String>,
}

impl Breakdown {
    /// The rows of a table.
    #[must_use]
    pub fn rows(&self, by: BreakdownBy) -> &[BreakdownRow] {
        self.tables.iter().find(|(of, _)| *of == by).map_or(&[], |(_, rows)| rows)
    }
}

/// Breaks a trace down.
///
/// # Errors
/// [`RecordsError`].
pub fn breakdown(
    session: &Session,
    query: &RecordQuery,
    progress: Progress<'_>,
) -> Result<Breakdown, RecordsError> {
    let mut collector = BreakdownCollector::default();
    let RecordsEnd { lost, counts, warnings, .. } = records(session, query, &mut collector, progress)?;
    let (mut found, slowest) = collector.into_breakdown();
    // Their reasons are in the blocks around them.
    found.slowest = slowest.into_iter().map(|io| SlowIo { reason: reason(session, &io), io }).collect();
    found.time = session.times()?.time.clone();
    Ok(Breakdown { lost, counts, warnings, ..found })
}

/// What most of an I/O's time was spent on.
fn reason(session: &Session, io: &Io) -> Option<(Doing, u64)> {
    let why = why(session, &Wanted::Io(io.id), &mut |_| {}).ok()?;
    let mut sums: Vec<(Doing, u64)> = Vec::new();
    for span in &why.spans {
        let doing = alike(&span.doing);
        let length = why.time.length(span.from, span.to);
        match sums.iter_mut().find(|(other, _)| *other == doing) {
            Some((_, sum)) => *sum += length,
            None => sums.push((doing, length)),
        }
    }
    sums.into_iter().min_by_key(|(_, sum)| Reverse(*sum))
}

/// The same of every command.
fn alike(doing: &Doing) -> Doing {
    match doing {
        Doing::Device { handler, since, .. } => {
            Doing::Device { command: 0, handler: handler.clone(), since: *since }
        }
        Doing::Recovery { .. } => Doing::Recovery { command: 0 },
        Doing::Requeued { reason, .. } => Doing::Requeued { command: 0, reason: reason.clone() },
        other => other.clone(),
    }
}
