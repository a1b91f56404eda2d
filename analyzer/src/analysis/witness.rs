//! Comparison with the guest's own block tracepoints, which saw the same run.
//!
//! The guest's tracing begins a little before the mark of the workload and ends a little after it; it
//! says of no event what its clock was. So for each tracepoint its list must be a stretch of ours that
//! covers everything between the marks, apart from the order of calls that overlap. If function_graph ran beside them, the nesting of the calls is
//! compared as well.

mod calls;
mod graph;
mod nesting;
mod order;
mod parse;
mod stretch;

pub use calls::LeftOut;
pub use graph::GraphError;
pub use nesting::{Nesting, NestingDifference, Shown};
pub use parse::{ParseError, Saying};

use super::{Progress, workload};
use crate::context::Tasks;
use crate::model::{BlockEvent, BlockKind, Call, CallEnd, Definitions, WorkloadMark};
use crate::session::{Observer, Pass, PassEnd, Session};
use crate::trackers::Sink;
use iotrace_format::event::Event;
use iotrace_format::trace::reader::ReadError;
use order::{ReportedEvent, ReportedEvents};
use thiserror::Error;

/// Differences that are kept of each tracepoint.
const SHOWN: usize = 5;

/// What the guest's own tracing said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// Its block tracepoints.
    pub sayings: Vec<Saying>,
    /// Its calls, if function_graph followed them.
    graph: Option<graph::Graph>,
}

/// The text of the guest's tracing cannot be taken for what it says.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WitnessError {
    /// A tracepoint.
    #[error(transparent)]
    Tracepoint(#[from] ParseError),
    /// A call.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Reads a text of the kernel's tracing.
///
/// # Errors
/// [`WitnessError`] for the first line that is malformed.
pub fn parse(text: &str) -> Result<Witness, WitnessError> {
    Ok(Witness { sayings: parse::parse(text)?, graph: graph::parse(text)? })
}

/// A place where the two disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracepointDifference {
    /// What the guest's tracepoint said; none if it said nothing more.
    pub witness: Option<Saying>,
    /// What we say, and when in instructions.
    pub ours: Option<(Saying, u64)>,
}

/// One tracepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The tracepoint.
    pub kind: BlockKind,
    /// How many the guest saw.
    pub witness: usize,
    /// How many of ours stand against them.
    pub ours: usize,
    /// How many are the same, counted from the first to the first difference.
    pub equal: usize,
    /// The first differences.
    pub differences: Vec<TracepointDifference>,
}

/// The comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Each tracepoint.
    pub kinds: Vec<Compared>,
    /// The calls, if function_graph followed them, and the functions that were left out.
    pub nesting: Option<(Nesting, LeftOut)>,
    /// The trace has marks of a workload; otherwise its beginning and end were not checked.
    pub marked: bool,
    /// The file was cut.
    pub cut: Option<String>,
}

impl Comparison {
    /// Everything is the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.kinds.iter().all(|kind| kind.differences.is_empty())
            && self.nesting.iter().all(|(nesting, _)| nesting.difference.is_none())
    }
}

/// Compares a trace with what the guest's tracepoints said.
///
/// # Errors
/// [`ReadError`].
pub fn compare(
    session: &Session,
    witness: &Witness,
    progress: Progress<'_>,
) -> Result<Comparison, ReadError> {
    let calls = witness.graph.is_some().then(Default::default);
    let mut heard = Heard { calls, ..Heard::default() };
    let PassEnd { finished, .. } = session.run(&mut [&mut heard], progress)?;
    let window = workload(&heard.marks).map(|(begin, end)| (begin, end.unwrap_or(u64::MAX)));
    let kinds = BlockKind::ALL.into_iter().map(|kind| {
        let theirs: Vec<_> = witness.sayings.iter().filter(|saying| saying.kind == kind).cloned().collect();
        compare_kind(kind, &theirs, &ours_of(kind, &heard.reported.events, &theirs), window)
    });
    let nesting = witness.graph.as_ref().zip(heard.calls.as_ref()).map(|(graph, all)| {
        let (theirs, ours, common) = calls::sides(graph, all, &finished.definitions, window);
        (nesting::compare(&theirs, &ours, &common.names, window), common.left_out)
    });
    Ok(Comparison { kinds: kinds.collect(), nesting, marked: window.is_some(), cut: finished.lost() })
}

/// Our events of a tracepoint, in the order of their clocks: some are known only after others that came later. Up to 3.17
/// nothing is said of the completion of a request without a bio, as the flushes of a sequence are (4a0efdc93368, "block:
/// misplaced rq_complete tracepoint"; distributions have it in older ones): then nothing of it is compared.
fn ours_of(kind: BlockKind, reported: &[ReportedEvent], theirs: &[Saying]) -> Vec<ReportedEvent> {
    let silent = kind == BlockKind::RqComplete && !theirs.is_empty() && !theirs.iter().any(Saying::is_empty);
    let fits = |reported: &&ReportedEvent| {
        reported.event.kind == kind && !(silent && Saying::of(&reported.event).is_empty())
    };
    let mut ours: Vec<_> = reported.iter().filter(fits).copied().collect();
    ours.sort_by_key(|reported| reported.event.clock);
    ours
}

fn compare_kind(
    kind: BlockKind,
    theirs: &[Saying],
    ours: &[ReportedEvent],
    window: Option<(u64, u64)>,
) -> Compared {
    let tells_pid = theirs.is_empty() || theirs.iter().any(|saying| saying.pid.is_some());
    let said: Vec<_> = ours.iter().map(|our| Saying::of(&our.event).with_pid_if(tells_pid)).collect();
    let (begin, end) = match window {
        Some((from, to)) => (
            ours.partition_point(|our| our.event.clock < from),
            ours.partition_point(|our| our.event.clock <= to),
        ),
        None => (said.len().saturating_sub(theirs.len()), 0),
    };
    let fits = |at: &usize| *at <= begin && at + theirs.len() >= end;
    let may_be = |at: &usize| {
        fits(at) && order::may_be(theirs.len(), &ours[*at..], |their, our| theirs[their] == said[at + our])
    };
    let found = stretch::all(theirs, &said).filter(fits).last();
    let reordered = || (0..=begin.min(said.len())).rev().find(may_be);
    let found = found.map(|at| (at, false)).or_else(|| reordered().map(|at| (at, true)));
    let at = found.map_or(begin, |(at, _)| at);
    let until = (at + theirs.len()).max(end).min(said.len());
    let against = &said[at..until];
    let equal = match found {
        Some((_, true)) => theirs.len(),
        _ => theirs.iter().zip(against).take_while(|(a, b)| a == b).count(),
    };
    let differences =
        if found.is_some() { Vec::new() } else { differences(theirs, against, &ours[at..until]) };
    Compared { kind, witness: theirs.len(), ours: against.len(), equal, differences }
}

fn differences(theirs: &[Saying], against: &[Saying], ours: &[ReportedEvent]) -> Vec<TracepointDifference> {
    (0..theirs.len().max(against.len()))
        .filter(|at| theirs.get(*at) != against.get(*at))
        .map(|at| TracepointDifference {
            witness: theirs.get(at).cloned(),
            ours: against.get(at).cloned().zip(ours.get(at).map(|our| our.event.clock)),
        })
        .take(SHOWN)
        .collect()
}

#[derive(Default)]
struct Heard {
    reported: ReportedEvents,
    marks: Vec<WorkloadMark>,
    tasks: Tasks,
    /// Kept if they are compared.
    calls: Option<calls::AllCalls>,
}

impl Sink for Heard {
    fn block_event(&mut self, event: BlockEvent) {
        self.reported.add(event);
    }

    fn mark(&mut self, mark: WorkloadMark) {
        self.marks.push(mark);
    }

    fn entered(&mut self, call: &Call, _: &Event<'_>) {
        self.reported.entered(call);
        if let Some(calls) = &mut self.calls {
            calls.entered(call, self.tasks.get(call.task).pid);
        }
    }

    fn left(&mut self, end: &CallEnd) {
        self.reported.left(end);
        if let Some(calls) = &mut self.calls {
            calls.left(end);
        }
    }
}

impl Observer for Heard {
    fn event(&mut self, _: &Pass, _: &Definitions, event: &Event<'_>) {
        self.tasks.event(event);
    }
}

#[cfg(test)]
mod tests;
