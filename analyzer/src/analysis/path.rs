//! The whole way of an I/O or a bio: the calls that were made for it, in all contexts, in the order of time.
//!
//! In: a trace, what is asked about. Out: a [`Path`]: segments, each a run of calls in one context, with the
//! hand-overs between them.
//!
//! A context (from the outermost call of a task, an interrupt, a softirq, a work item to its end) belongs to
//! the path if one of its calls is about one of the objects. Of a system call that is asked about everything
//! is shown, of other contexts the calls about the objects, those inside them, and those they were made in. What else a
//! shown call has called is one line, with its instructions: what a call executed itself, and the lines inside it, add up
//! to its total.

mod collect;
mod fold;
mod handovers;
mod lines;
mod omitted;
mod shape;

use super::Progress;
use super::describe::Describer;
use super::subject::{Subject, Wanted, subject};
use crate::model::{CallId, Definitions, Ending, Handover, HandoverKind, IrqRef, Level, Task, TimeMap};
use crate::session::{Session, SessionError};
use iotrace_format::layer::Layer;

use collect::SubjectEvents;
use handovers::HandoverIndex;
pub use shape::{ListingShape, shape};

use std::collections::BTreeMap;

/// A call, or something that happened in one, as the listing shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Number of the call; none of what is no call.
    pub call: Option<CallId>,
    /// How deep in its context, inlined functions included.
    pub depth: usize,
    /// Name of the function in the catalog, or of the event.
    pub name: String,
    /// What views call it.
    pub title: String,
    /// It stands for calls that are not shown, [`Line::times`] of them, inside the call around it.
    pub omitted: bool,
    /// It is an inlined instance, an access to a device, or the like: it has no extent.
    pub instant: bool,
    /// The compiler inlined it into the function around it.
    pub inlined: bool,
    /// Layer in the catalog; empty of what is no function.
    pub layer: Option<Layer>,
    /// Stage in the catalog, or label.
    pub stage: String,
    /// Where the function is in the source; no file if not known.
    pub source: (String, u32),
    /// Where it was called from; no file if not known.
    pub site: (String, u32),
    /// Words worth showing: name and text.
    pub words: Vec<(String, String)>,
    /// When it began, in instructions.
    pub clock: u64,
    /// When it was over, in instructions.
    pub end: Option<u64>,
    /// Instructions in it and in what it called.
    pub total: u64,
    /// Instructions in it alone.
    pub own: u64,
    /// How it ended.
    pub ending: Option<Ending>,
    /// What it returned, as text.
    pub returned: Option<String>,
    /// It is about one of the objects.
    pub marked: bool,
    /// Times that it, and what is inside it, came in a row; the numbers are sums.
    pub times: u64,
    /// What it handed over, by its place in [`Path::handovers`].
    pub handovers: Vec<usize>,
    /// The task stopped running in it at the first clock and went on at the second, in instructions; 0 if it
    /// was not seen to go on.
    pub stops: Vec<(u64, u64)>,
}

/// Calls in one context, in the order in which they were entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The context's outermost call.
    pub root: CallId,
    /// Its function.
    pub function: String,
    /// The task that it is, or that was interrupted.
    pub task: Task,
    /// What the CPU is in.
    pub level: Level,
    /// The interrupt, if it is one.
    pub interrupt: Option<IrqRef>,
    /// The function of the work item, if it is one.
    pub work: Option<String>,
    /// The context goes on: its first part stands further up.
    pub resumed: bool,
    /// The calls.
    pub lines: Vec<Line>,
}

/// The way of an I/O or a bio.
#[derive(Debug, Clone)]
pub struct Path {
    /// What was asked about, and what belongs to it.
    pub subject: Subject,
    /// What was done for it.
    pub segments: Vec<Segment>,
    /// How contexts handed over to one another, those in which the path has a part.
    pub handovers: Vec<Handover>,
    handover_index: HandoverIndex,
    /// Tasks as they were when they were woken, by the places of the wake-ups in [`Path::handovers`].
    pub woken: BTreeMap<usize, Task>,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// What the trace says about itself.
    pub definitions: Definitions,
}

/// The way of what is asked about; none if the trace has it not.
///
/// # Errors
/// [`SessionError`].
pub fn path(
    session: &Session,
    wanted: &Wanted,
    progress: Progress<'_>,
) -> Result<Option<Path>, SessionError> {
    let Some(subject) = subject(session, wanted, progress)? else { return Ok(None) };
    let time = session.times()?.time.clone();
    let (collected, definitions, describer) = collect::collect(session, &subject, progress)?;
    let mut segments = lines::segments(&collected, &definitions, describer.wording(), &subject);
    let SubjectEvents { handovers, switches, tasks, .. } = collected;
    let woken = handovers.iter().enumerate().filter_map(|(at, handover)| match handover.kind {
        HandoverKind::Wake { task } => Some((at, tasks.at(task, handover.from.clock))),
        _ => None,
    });
    let woken = woken.collect();
    handovers::attach(&mut segments, &handovers, &switches);
    let handover_index = HandoverIndex::new(&handovers);
    Ok(Some(Path { subject, segments, handovers, handover_index, woken, time, definitions }))
}

impl Path {
    /// The last hand-over to the context before it began.
    #[must_use]
    pub fn handover_to(&self, segment: &Segment) -> Option<&Handover> {
        let begin = segment.lines.first()?.clock;
        let at = self.handover_index.find(segment.root, segment.resumed, begin)?;
        self.handovers.get(at)
    }
}

impl Describer {
    /// The name of a function's address, or the address.
    pub fn function(definitions: &Definitions, address: u64) -> String {
        definitions.symbols.get(&address).cloned().unwrap_or_else(|| format!("{address:#x}"))
    }
}

#[cfg(test)]
mod tests;
