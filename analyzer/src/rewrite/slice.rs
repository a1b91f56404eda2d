//! A part of a trace.
//!
//! It has all definitions that the part needs, and before its first event the landmarks up to there, so that tasks,
//! devices and virtual time are told as in the whole. Marks are landmarks: of a part of the workload it is known
//! that it is one.

use super::{Output, RewriteError};
use crate::analysis::Progress;
use crate::analysis::conditions::Conditions;
use crate::analysis::events::times;
use crate::analysis::path::path;
use crate::analysis::subject::Wanted;
use crate::context::Tasks;
use crate::hash::Set;
use crate::model::{Definitions, Level};
use crate::reader::{Flow, Needs, Trace, Visitor, read};
use iotrace_format::definition::{Definition, Severity};
use iotrace_format::event::{Event, is_landmark};
use iotrace_format::stage::Stage;
use rustc_hash::FxHashSet;
use std::ops::RangeInclusive;
use std::path::Path;

/// Which part is wanted. All that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct SliceSelection {
    /// A window, and a task by name or number: of the conditions only these are looked at.
    pub conditions: Conditions,
    /// An I/O or a bio: the time from its begin to the end of what belongs to it, and the tasks that are on its way.
    pub subject: Option<Wanted>,
}

/// Writes a part of a trace; returns how many events are in it.
///
/// Of tasks that are not wanted, what happened while they ran is left out, but not what happened in interrupts and
/// softirqs, where they are switched from or to, and landmarks.
///
/// # Errors
/// [`RewriteError`].
pub fn slice(
    trace: &Trace,
    part: &SliceSelection,
    to: &Path,
    progress: Progress<'_>,
) -> Result<u64, RewriteError> {
    let mut window = Needs::ALL.clocks;
    if part.conditions.clock.is_some() || part.conditions.time.is_some() {
        let times = times(trace)?;
        window = part.conditions.settled(&times.time, &times.marks)?.clock.unwrap_or(window);
    }
    let mut tasks = None;
    if let Some(wanted) = &part.subject {
        let found = path(trace, wanted, progress)?;
        let path = found.ok_or_else(|| RewriteError::Nothing { what: wanted.to_string() })?;
        let (from, to) = path.subject.window();
        window = from.max(*window.start())..=to.min(*window.end());
        tasks = Some(path.segments.iter().map(|segment| segment.task.address).collect());
    }
    let mut slicer = Slicer {
        output: Output::create(to)?,
        window,
        tasks,
        name: part.conditions.task.clone(),
        names: Tasks::default(),
        switches: FxHashSet::default(),
        landmarks: FxHashSet::default(),
    };
    read(trace, &mut slicer, progress)?;
    let text = format!(
        "a part of another trace: the clocks {} to {}{}",
        slicer.window.start(),
        slicer.window.end(),
        part.subject.as_ref().map(|wanted| format!(", {wanted}")).unwrap_or_default()
            + &slicer.name.as_ref().map(|task| format!(", task {task}")).unwrap_or_default()
    );
    slicer.output.note(Severity::Info, "slice", text);
    slicer.output.finish()
}

struct Slicer {
    output: Output,
    window: RangeInclusive<u64>,
    /// Tasks that are wanted, by address.
    tasks: Option<Set<u64>>,
    /// Or by name or number.
    name: Option<String>,
    names: Tasks,
    /// Probes where a task is switched to another.
    switches: FxHashSet<u16>,
    /// Probes whose events are landmarks.
    landmarks: FxHashSet<u16>,
}

impl Slicer {
    fn wants(&self, event: &Event<'_>) -> bool {
        let named = |name: &String| {
            let task = self.names.get(event.task);
            task.comm.to_string() == *name || name.parse() == Ok(task.pid)
        };
        let of_task = self.tasks.as_ref().is_none_or(|tasks| tasks.contains(&event.task))
            && self.name.as_ref().is_none_or(named);
        of_task || Level::of(event.context) != Level::Task || self.switches.contains(&event.kind)
    }

    fn is_landmark(&self, event: &Event<'_>) -> bool {
        is_landmark(event.kind) || self.landmarks.contains(&event.kind)
    }
}

impl Visitor for Slicer {
    fn needs(&self) -> Needs {
        Needs { clocks: self.window.clone(), ..Needs::ALL }
    }

    fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition {
            self.switches.extend((probe.stage == Some(Stage::TaskSwitch)).then_some(probe.id));
            self.landmarks.extend(probe.is_landmark().then_some(probe.id));
        }
        self.output.define(definition);
    }

    fn landmark(&mut self, definitions: &Definitions, event: &Event<'_>) {
        if event.clock < *self.window.start() {
            self.event(definitions, event);
        }
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        if event.clock > *self.window.end() || self.output.failed.is_some() {
            return Flow::Stop;
        }
        self.names.event(event);
        let landmark = self.is_landmark(event);
        let before = event.clock < *self.window.start();
        if landmark || !before && self.wants(event) {
            self.output.event(event);
        }
        Flow::Continue
    }
}
