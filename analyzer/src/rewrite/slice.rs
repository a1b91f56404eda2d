//! A part of a trace.
//!
//! Its events have the numbers that they have in the whole, and so have the objects in it. Beside all definitions it has,
//! before its first event, what has to be known of the time before: context records up to there, so that tasks, devices and
//! virtual time are told as in the whole (marks are context records: of a part of the workload it is known that it is one);
//! the events with which calls under way began; and hand-offs under way.

mod context;
mod reach;

use super::numbers::PartNumbers;
use super::{Output, RewriteError};
use crate::analysis::Progress;
use crate::analysis::conditions::Conditions;
use crate::analysis::path::{Path as SubjectPath, path};
use crate::analysis::subject::Wanted;
use crate::context::Tasks;
use crate::hash::{Map, Set};
use crate::model::{Definitions, Level};
use crate::ranges::Ranges;
use crate::reader::{Flow, Needs, Visitor, read};
use crate::session::Session;
use context::{PartContext, context};
use iotrace_format::definition::{Definition, Severity};
use iotrace_format::event::{Event, is_landmark};
use iotrace_format::stage::Stage;
use reach::{Reached, reach};
use rustc_hash::FxHashSet;
use std::ops::RangeInclusive;
use std::path::Path;

/// Which part is wanted. All that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct SliceSelection {
    /// A window, and a task by name or number: of the conditions only these are looked at.
    pub conditions: Conditions,
    /// An I/O or a bio: the time from the begin of what is done for it to the end of what belongs to it, and the tasks that
    /// are on its way.
    pub subject: Option<Wanted>,
}

/// Writes a part of a trace; returns how many events are in it.
///
/// Of tasks that are not wanted, what happened while they ran is left out, but not what happened in interrupts and
/// softirqs, where they are switched from or to, and context records.
///
/// # Errors
/// [`RewriteError`].
pub fn slice(
    trace: &Session,
    part: &SliceSelection,
    to: &Path,
    progress: Progress<'_>,
) -> Result<u64, RewriteError> {
    let mut window = Needs::ALL.clocks;
    if part.conditions.clock.is_some() || part.conditions.time.is_some() {
        let times = trace.times()?;
        window = part.conditions.settled(&times.time, &times.marks)?.clock.unwrap_or(window);
    }
    let mut tasks = SlicedTasks { name: part.conditions.task.clone(), ..SlicedTasks::default() };
    if let Some(wanted) = &part.subject {
        let found = path(trace, wanted, progress)?;
        let path = found.ok_or_else(|| RewriteError::Nothing { what: wanted.to_string() })?;
        let (from, to) = extent(&path);
        let given = window;
        window = from.max(*given.start())..=to.min(*given.end());
        let Reached { tasks: addresses, times, begin } = reach(trace, &path, &window, progress)?;
        window = from.min(begin).max(*given.start())..=*window.end();
        tasks.addresses = Some(addresses);
        let numbered = |(task, times): (u64, Vec<(u64, u64)>)| {
            (task, Ranges::new(times.into_iter().enumerate().map(|(at, (from, to))| (at, from, to))))
        };
        tasks.times = times.into_iter().map(numbered).collect();
    }
    let PartContext { begin, events, hand_offs } = context(trace, &window, &tasks, progress)?;
    let mut slicer = Slicer {
        output: Output::create(to)?,
        numbers: PartNumbers::default(),
        window,
        tasks,
        begin: begin.map(Definition::Begin),
        known: events.into_iter().collect(),
        hand_offs: hand_offs.into_iter().map(Definition::HandOff).collect(),
        begun: false,
        switches: FxHashSet::default(),
        landmarks: FxHashSet::default(),
    };
    read(trace, &mut slicer, progress)?;
    let text = format!(
        "part of another trace: clocks {} to {}{}",
        slicer.window.start(),
        slicer.window.end(),
        part.subject.as_ref().map(|wanted| format!(", {wanted}")).unwrap_or_default()
            + &slicer.tasks.name.as_ref().map(|task| format!(", task {task}")).unwrap_or_default()
    );
    slicer.output.note(Severity::Info, "slice", text);
    slicer.output.finish()
}

/// From the begin of the contexts in which something is done for the subject to their end, and that of what belongs to it.
fn extent(path: &SubjectPath) -> (u64, u64) {
    let (mut from, mut to) = path.subject.window;
    for segment in &path.segments {
        from = segment.interrupt.map_or(from, |irq| from.min(irq.clock));
        for line in &segment.lines {
            from = from.min(line.clock);
            to = to.max(line.end.unwrap_or(line.clock));
        }
    }
    (from, to)
}

/// Of which tasks a part has what happened while they ran.
#[derive(Debug, Clone, Default)]
struct SlicedTasks {
    /// By address.
    addresses: Option<Set<u64>>,
    /// By name or number.
    name: Option<String>,
    names: Tasks,
    /// When other tasks, or they before the part begins, work for what its subject shares.
    times: Map<u64, Ranges>,
}

impl SlicedTasks {
    /// Takes in an event that may tell a name.
    fn event(&mut self, event: &Event<'_>) {
        self.names.event(event);
    }

    /// Whether a task works at an event for what the part's subject shares.
    fn shares(&self, event: &Event<'_>) -> bool {
        !self.times.is_empty()
            && Level::of(event.context) == Level::Task
            && self.times.get(&event.task).is_some_and(|times| times.find(event.clock).is_some())
    }

    /// Whether a task is among them, under the name it has now.
    fn has(&self, task: u64) -> bool {
        let named = |name: &String| {
            let of = self.names.get(task);
            of.comm.to_string() == *name || name.parse() == Ok(of.pid)
        };
        self.addresses.as_ref().is_none_or(|tasks| tasks.contains(&task))
            && self.name.as_ref().is_none_or(named)
    }
}

struct Slicer {
    output: Output,
    numbers: PartNumbers,
    window: RangeInclusive<u64>,
    tasks: SlicedTasks,
    /// Where the part begins, to be said behind what trace it is of.
    begin: Option<Definition>,
    /// Numbers of the events before that have to be known.
    known: Set<u64>,
    /// What is stated where the window begins.
    hand_offs: Vec<Definition>,
    begun: bool,
    /// Probes where a task is switched to another, or softirqs are served.
    switches: FxHashSet<u16>,
    /// Probes whose events are context records.
    landmarks: FxHashSet<u16>,
}

impl Slicer {
    fn wants(&self, event: &Event<'_>) -> bool {
        self.tasks.has(event.task)
            || Level::of(event.context) != Level::Task
            || self.switches.contains(&event.kind)
    }

    fn is_landmark(&self, event: &Event<'_>) -> bool {
        is_landmark(event.kind) || self.landmarks.contains(&event.kind)
    }

    fn begin(&mut self) {
        self.begun = true;
        self.numbers.restate();
        for hand_off in std::mem::take(&mut self.hand_offs) {
            self.numbers.state(&hand_off);
            self.output.define(&hand_off);
        }
    }
}

impl Visitor for Slicer {
    fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition {
            // Softirqs begin before the kernel has counted them; what was raised is served there, whoever runs.
            let for_all = matches!(probe.stage, Some(Stage::TaskSwitch | Stage::SoftirqRun));
            self.switches.extend(for_all.then_some(probe.id));
            self.landmarks.extend(probe.is_landmark().then_some(probe.id));
        }
        self.numbers.define(definition);
        if !super::is_of_part(definition) {
            self.output.define(definition);
        }
        if let Definition::Trace(_) = definition
            && let Some(begin) = self.begin.take()
        {
            self.output.define(&begin);
        }
    }

    fn skipped(&mut self, events: u64) {
        self.numbers.skipped(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        if event.clock > *self.window.end() || self.output.failed.is_some() {
            return Flow::Stop;
        }
        self.tasks.event(event);
        self.numbers.follow(event);
        let before = event.clock < *self.window.start();
        if !before && !self.begun {
            self.begin();
        }
        let number = self.numbers.event();
        let known = self.is_landmark(event) || self.known.contains(&number) || self.tasks.shares(event);
        if known || !before && self.wants(event) {
            let stated = self.numbers.choose(event);
            if !stated.is_empty() {
                self.output.define(&Definition::Numbers(stated));
            }
            self.output.event(number, event);
        }
        Flow::Continue
    }
}
