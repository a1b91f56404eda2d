//! What happened while an I/O was under way: contexts, hand-overs, switches.

use super::Context;
use crate::analysis::Progress;
use crate::context::{TaskHistory, Tasks};
use crate::hash::Map;
use crate::model::{Call, CallEnd, CallId, Definitions, Handover, IrqRef, Level, Switch};
use crate::session::{Observer, Pass, Session, SessionError};
use crate::trackers::Sink;
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, KindId};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A context: the outermost call of a task, an interrupt, a softirq, a work item.
#[derive(Debug, Clone)]
pub struct Root {
    /// What it is.
    pub context: Context,
    /// The task that it is, or that was interrupted.
    pub task: u64,
    /// When it began, in instructions.
    pub from: u64,
    /// When it was over; the end of what was looked at if it was not.
    pub to: u64,
    /// The interrupt.
    pub irq: Option<IrqRef>,
    /// A clock's handler runs in it.
    pub is_timer: bool,
    /// Address of the work item's function.
    pub work: Option<u64>,
    /// Kind of its entry.
    pub kind: KindId,
}

/// What happened.
#[derive(Debug, Default)]
pub struct SchedulingEvents {
    /// Contexts by their outermost calls.
    pub roots: BTreeMap<CallId, Root>,
    /// Hand-overs in the order in which they began.
    pub handovers: Vec<Handover>,
    /// Switches in order.
    pub switches: Vec<Switch>,
    /// Tasks that are seen to run behind events that the trace does not have, and when.
    pub resumed: Vec<(u64, u64)>,
    /// When each softirq began to be served, by the context: clock, and its number.
    pub softirqs: Map<CallId, Vec<(u64, u64)>>,
    /// Names of the functions in which switches and hand-overs happened, by their calls.
    pub names: Map<CallId, KindId>,
    /// The task that ran at the begin.
    pub running: u64,
    /// vCPUs of the guest.
    pub vcpus: u32,
    /// Names of tasks.
    pub tasks: TaskHistory,
}

/// Gathers what happened from one clock to another. What began before and was still going on is in it too.
pub fn gather(
    session: &Session,
    from: u64,
    to: u64,
    progress: Progress<'_>,
) -> Result<(SchedulingEvents, Definitions), SessionError> {
    let mut gatherer = Gatherer { from, to, ..Gatherer::default() };
    let end = session.run_window((from, to), &mut [&mut gatherer], progress)?;
    let Gatherer { mut seen, open, .. } = gatherer;
    seen.roots.extend(open);
    seen.vcpus = end.finished.definitions.trace.vcpus;
    Ok((seen, end.finished.definitions))
}

#[derive(Default)]
struct Gatherer {
    from: u64,
    to: u64,
    /// The stages of the probes.
    stages: FxHashMap<KindId, Option<Stage>>,
    /// Of the functions that run work items, which word is the item's function.
    works: FxHashMap<KindId, usize>,
    open: BTreeMap<CallId, Root>,
    /// Events are missing since the last switch, and with them perhaps another one.
    is_behind_gap: bool,
    seen: SchedulingEvents,
    /// Clock of the event at hand.
    clock: u64,
}

impl Gatherer {
    /// A clock's handler runs in the innermost context of a task: that which was entered last.
    fn timer_handled(&mut self, task: u64) {
        let innermost = self.open.values_mut().rev().find(|root| root.task == task);
        innermost.into_iter().for_each(|root| root.is_timer = true);
    }

    /// A task runs behind a gap.
    fn runs(&mut self, clock: u64, task: u64) {
        if clock < self.from {
            self.seen.running = task;
        } else {
            self.seen.resumed.push((clock, task));
        }
    }
}

impl Observer for Gatherer {
    fn define(&mut self, definition: &Definition) {
        let Definition::Probe(probe) = definition else { return };
        self.stages.insert(probe.id, probe.stage.clone());
        if probe.stage == Some(Stage::WorkRun)
            && let Some(at) = probe.word(Role::WorkFunction)
        {
            self.works.insert(probe.id, at);
        }
    }

    fn resumed(&mut self, running: &[u64], tasks: &Tasks) {
        self.seen.tasks.resume(tasks);
        self.seen.running = running.first().copied().unwrap_or(0);
    }

    fn skipped(&mut self, _: u64) {
        self.is_behind_gap = true;
    }

    fn event(&mut self, pass: &Pass, _: &Definitions, event: &Event<'_>) {
        if let Some(task) = pass.describer.told_task(event) {
            self.seen.tasks.tell(event.clock, pass.describer.task(task));
        }
        if self.clock == 0 && self.seen.running == 0 && event.clock <= self.from {
            self.seen.running = event.task;
        }
        self.clock = event.clock;
    }

    // The last hand-over of a call is told in the moment in which the task goes on.
    fn is_complete(&self) -> bool {
        self.clock > self.to
    }
}

impl Sink for Gatherer {
    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        if call.clock >= self.from {
            self.seen.names.insert(call.id, call.kind);
        }
        if call.depth_in_context > 0 && self.stages.get(&event.kind) == Some(&Some(Stage::IrqTimer)) {
            self.timer_handled(call.task);
        }
        if call.depth_in_context > 1 {
            return;
        }
        if call.level == Level::Task && std::mem::take(&mut self.is_behind_gap) {
            self.runs(call.clock, call.task);
        }
        let stage = self.stages.get(&event.kind).and_then(Option::as_ref);
        if call.depth_in_context == 1 {
            if let (Some(Stage::Softirq(number)), Some(root)) = (stage, call.parent) {
                self.seen.softirqs.entry(root).or_default().push((call.clock, (*number).into()));
            }
            return;
        }
        let work = self.works.get(&event.kind);
        let root = Root {
            context: Context::of(stage, call.level),
            task: call.task,
            from: call.clock,
            to: u64::MAX,
            irq: None,
            is_timer: stage == Some(&Stage::IrqTimer),
            work: work.and_then(|at| event.words.get(*at).copied()),
            kind: call.kind,
        };
        self.open.insert(call.id, root);
    }

    fn left(&mut self, end: &CallEnd) {
        if let Some(root) = self.open.remove(&end.id)
            && end.clock >= self.from
        {
            self.seen.roots.insert(end.id, Root { to: end.clock, ..root });
        }
    }

    fn interrupted(&mut self, irq: &IrqRef) {
        if let Some(root) = irq.call.and_then(|call| self.open.get_mut(&call)) {
            root.irq = Some(*irq);
        }
    }

    fn switched(&mut self, switch: &Switch) {
        self.is_behind_gap = false;
        if switch.clock < self.from {
            self.seen.running = switch.to;
        } else {
            self.seen.switches.push(*switch);
        }
    }

    fn handover(&mut self, handover: &Handover) {
        if handover.to.clock >= self.from {
            self.seen.handovers.push(*handover);
        }
    }
}
