//! The records of a trace, one after the other, for who writes them in another form.
//!
//! In: a session, conditions. Out: calls to a [`RecordSink`]: I/Os, bios, requests, waits, what the kernel's block
//! tracepoints would have reported, events, and the calls of all contexts, each as soon as it is decided that it fulfils the
//! conditions. The trace is read once, and memory does not grow with it.
//!
//! An I/O may be selected by its bios and a bio by its I/Os, so that each waits until these are known: [`join`]. A context
//! is selected by its task and its clocks; where conditions are on I/Os ([`Conditions::are_on_ios`]), by the calls of the
//! I/Os that fulfil them, which takes a pass of its own.

mod contexts;
mod join;
mod observer;

use super::conditions::{Conditions, NoVirtualTime};
use super::describe::Described;
use super::events::TraceTimes;
use super::{Progress, Warning, warnings, workload};
use crate::context::Tasks;
use crate::hash::Set;
use crate::model::{
    Bio, BlockEvent, CallEnd, CallId, Definitions, Handover, Io, IrqRef, Level, Request, Switch, Task,
    TimeMap, Wait,
};
use crate::session::{PassEnd, Session};
use crate::trackers::Counts;
use iotrace_format::event::{Event, KindId};
use iotrace_format::trace::reader::ReadError;
use observer::RecordObserver;

/// What a sink takes. What it does not take costs nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordNeeds {
    /// I/Os, bios, requests.
    pub objects: bool,
    /// Events, described.
    pub events: bool,
    /// What the block tracepoints would have reported.
    pub block_events: bool,
    /// Calls, hand-offs, switches, interrupts.
    pub contexts: bool,
}

/// Which records are passed on.
#[derive(Debug, Clone, Default)]
pub struct RecordQuery {
    /// Boot and shutdown as well, and I/Os that concern no disk.
    pub all: bool,
    /// Only what fulfils these.
    pub conditions: Conditions,
}

/// What is known of the trace at a record.
#[derive(Debug, Default)]
pub struct RecordScope {
    /// From clocks to virtual time, of the whole trace.
    pub time: TimeMap,
    /// What the trace says about itself, as far as it was read.
    pub definitions: Definitions,
    /// Names of tasks at this moment.
    pub tasks: Tasks,
    /// The clocks that records are of: the workload's, and those of the conditions; both ends are in it.
    pub window: (u64, u64),
    /// The workload: its marks, in instructions.
    pub workload: Option<(u64, Option<u64>)>,
}

impl RecordScope {
    /// The time at a clock: virtual nanoseconds, or instructions if there are none.
    #[must_use]
    pub fn at(&self, clock: u64) -> u64 {
        self.time.ns(clock).unwrap_or(clock)
    }

    /// Whether a clock is in the window.
    #[must_use]
    pub fn contains(&self, clock: u64) -> bool {
        (self.window.0..=self.window.1).contains(&clock)
    }
}

/// A call that begins, and the context that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextCall {
    /// Its number.
    pub id: CallId,
    /// The call it was made in, in the same context.
    pub parent: Option<CallId>,
    /// The outermost call of its context.
    pub root: CallId,
    /// How many calls of the task were open, those interrupted included.
    pub depth: usize,
    /// When it was entered, in instructions.
    pub clock: u64,
    /// Kind of its entry's event.
    pub kind: KindId,
    /// The task that runs, or is interrupted.
    pub task: Task,
    /// What the CPU is in.
    pub level: Level,
    /// It fulfils the conditions.
    pub selected: bool,
}

/// Takes records.
pub trait RecordSink {
    /// What it takes.
    fn needs(&self) -> RecordNeeds;
    /// An I/O.
    fn io(&mut self, _io: &Io, _scope: &RecordScope) {}
    /// A bio.
    fn bio(&mut self, _bio: &Bio, _scope: &RecordScope) {}
    /// A request; under conditions, one that had a bio that fulfils them.
    fn request(&mut self, _request: &Request, _scope: &RecordScope) {}
    /// A task waited in an I/O; it comes behind the I/O.
    fn wait(&mut self, _wait: &Wait, _scope: &RecordScope) {}
    /// What a block tracepoint would have reported. Those of one bio are in order; some come late.
    fn block_event(&mut self, _event: &BlockEvent, _scope: &RecordScope) {}
    /// An event.
    fn event(&mut self, _event: &Described<'_>, _scope: &RecordScope) {}
    /// A call begins. All calls are passed on, also those that are not selected.
    fn entered(&mut self, _call: &ContextCall, _event: &Event<'_>, _scope: &RecordScope) {}
    /// An inlined function, or an access to a device, in a call.
    fn passed(&mut self, _within: &ContextCall, _event: &Event<'_>, _scope: &RecordScope) {}
    /// All that was executed from one clock to another, within the window, was in this call, the innermost; in none if
    /// there was none.
    fn ran(&mut self, _call: Option<&ContextCall>, _task: Task, _from: u64, _to: u64, _scope: &RecordScope) {}
    /// A call ended, or is given up: too many are open.
    fn left(&mut self, _end: &CallEnd, _call: &ContextCall, _scope: &RecordScope) {}
    /// Another task runs.
    fn switched(&mut self, _switch: &Switch, _scope: &RecordScope) {}
    /// A context began that another one had asked for.
    fn handover(&mut self, _handover: &Handover, _scope: &RecordScope) {}
    /// An interrupt was handled.
    fn interrupted(&mut self, _irq: &IrqRef, _scope: &RecordScope) {}
    /// The trace is over.
    fn finish(&mut self, _scope: &RecordScope) {}
    /// Nothing more is needed: it cannot be written, say.
    fn is_complete(&self) -> bool {
        false
    }
}

/// What is known after all records.
#[derive(Debug, Clone, Default)]
pub struct RecordsEnd {
    /// The file is truncated or damaged: where and why.
    pub lost: Option<String>,
    /// I/Os and bios that were decided about before all that belongs to them was known.
    pub undecided: u64,
    /// What could not be attributed, of the whole trace.
    pub counts: Counts,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The trace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A condition cannot be answered.
    #[error(transparent)]
    Condition(#[from] NoVirtualTime),
}

/// Passes the records of a trace on.
///
/// # Errors
/// [`RecordsError`].
pub fn records(
    session: &Session,
    query: &RecordQuery,
    sink: &mut dyn RecordSink,
    progress: Progress<'_>,
) -> Result<RecordsEnd, RecordsError> {
    let (scope, conditions) = prepared(session, query)?;
    let calls = match sink.needs().contexts && conditions.are_on_ios() {
        true => Some(calls_of_ios(session, query, progress)?),
        false => None,
    };
    run(session, RecordObserver::new(scope, conditions, query.all, calls, sink), progress)
}

/// The scope of a pass, and the conditions as clocks.
fn prepared(session: &Session, query: &RecordQuery) -> Result<(RecordScope, Conditions), RecordsError> {
    let TraceTimes { time, marks } = session.times()?;
    let conditions = query.conditions.settled(time, marks)?;
    let workload = workload(marks);
    let (begin, end) = workload.filter(|_| !query.all).unwrap_or((0, None));
    let (from, to) = conditions.clock.clone().unwrap_or(0..=u64::MAX).into_inner();
    let window = (begin.max(from), end.unwrap_or(u64::MAX).min(to));
    Ok((RecordScope { time: time.clone(), window, workload, ..RecordScope::default() }, conditions))
}

fn run(
    session: &Session,
    mut observer: RecordObserver<'_>,
    progress: Progress<'_>,
) -> Result<RecordsEnd, RecordsError> {
    let PassEnd { pass, finished } = session.run(&mut [&mut observer], progress)?;
    let undecided = observer.finish();
    let counts = pass.trackers.counts();
    Ok(RecordsEnd { lost: finished.lost(), undecided, counts, warnings: warnings(&finished) })
}

/// The calls of the I/Os that fulfil conditions.
fn calls_of_ios(
    session: &Session,
    query: &RecordQuery,
    progress: Progress<'_>,
) -> Result<Set<CallId>, RecordsError> {
    #[derive(Default)]
    struct Calls(Set<CallId>);
    impl RecordSink for Calls {
        fn needs(&self) -> RecordNeeds {
            RecordNeeds { objects: true, ..RecordNeeds::default() }
        }
        fn io(&mut self, io: &Io, _: &RecordScope) {
            self.0.extend(io.call);
        }
    }
    let mut calls = Calls::default();
    let (scope, conditions) = prepared(session, query)?;
    run(session, RecordObserver::new(scope, conditions, query.all, None, &mut calls), progress)?;
    Ok(calls.0)
}
