//! Picks up the contexts that have a part in a subject's way.
//!
//! In: a trace, the subject. Out: their calls. A context's calls are kept while it is open, and longer only if
//! one of them is about an object of the subject.

use crate::analysis::Progress;
use crate::analysis::describe::Describer;
use crate::analysis::objects::Objects;
use crate::analysis::subject::Subject;
use crate::context::{TaskHistory, Tasks};
use crate::hash::{Map, Set};
use crate::model::{Call, CallEnd, CallId, Definitions, Handover, IrqRef, Level, Switch};
use crate::ranges::Ranges;
use crate::session::{Observer, Pass, Session, SessionError};
use crate::trackers::Sink;
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, FIRST_PROBE, KindId};
use iotrace_format::stage::Stage;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// An event of a context: a call, or something in one.
#[derive(Debug, Clone)]
pub struct EventNode {
    /// Its place among all events that were looked at.
    pub order: u64,
    /// Number of the call; none of what is no call.
    pub call: Option<CallId>,
    /// The call it is in, by its place among the context's nodes.
    pub parent: Option<usize>,
    /// Kind of the event.
    pub kind: KindId,
    /// When, in instructions.
    pub clock: u64,
    /// The return address.
    pub caller: u64,
    /// The event's words.
    pub words: Vec<u64>,
    /// How it ended.
    pub end: Option<CallEnd>,
    /// It is about an object of the subject.
    pub marked: bool,
}

/// A context, from its outermost call to its end.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The outermost call.
    pub root: CallId,
    /// The task that it is, or that was interrupted.
    pub task: u64,
    /// What the CPU was in when it began.
    pub level: Level,
    /// The interrupt, if it is one.
    pub interrupt: Option<IrqRef>,
    /// All of it was asked for.
    pub whole: bool,
    /// Its events in order.
    pub nodes: Vec<EventNode>,
}

/// What was picked up.
#[derive(Debug, Default)]
pub struct SubjectEvents {
    /// Contexts, in the order in which they began.
    pub activities: Vec<Activity>,
    /// Hand-overs between contexts, at least one of which is among them.
    pub handovers: Vec<Handover>,
    /// Switches from and to the subject's tasks.
    pub switches: Vec<Switch>,
    /// Names of tasks.
    pub tasks: TaskHistory,
}

/// Picks up what belongs to a subject.
pub fn collect(
    session: &Session,
    subject: &Subject,
    progress: Progress<'_>,
) -> Result<(SubjectEvents, Definitions, Describer), SessionError> {
    let mut collector = Collector::new(subject);
    let end = session.run_window(subject.window, &mut [&mut collector], progress)?;
    Ok((collector.finish(), end.finished.definitions, end.pass.describer))
}

struct Collector {
    objects: Objects,
    /// Tasks whose being woken matters, and when.
    sleepers: Map<u64, Ranges>,
    doorbells: Set<u64>,
    /// Calls of which everything is wanted.
    whole: Set<CallId>,
    /// Kinds of events that wake a task.
    wakes: FxHashSet<KindId>,
    first: u64,
    last: u64,
    /// Clock of the event at hand.
    clock: u64,
    order: u64,
    open: Map<CallId, Activity>,
    /// Root and place of each open call.
    places: Map<CallId, (CallId, usize)>,
    kept: Set<CallId>,
    /// So many of them are still open and will end.
    waiting: usize,
    /// When I/Os began that were not seen to return.
    unreturned: BTreeSet<u64>,
    /// The contexts that their calls are in: nothing waits for their ends.
    unending: Set<CallId>,
    collected: SubjectEvents,
}

impl Collector {
    fn new(subject: &Subject) -> Self {
        let (first, last) = subject.window;
        let attempts = subject.requests.iter().flat_map(|request| &request.attempts);
        let mut sleepers = Map::<u64, Vec<_>>::default();
        for (number, io) in subject.ios.iter().enumerate() {
            let sleeps = (number, io.entered, io.left.unwrap_or(u64::MAX));
            sleepers.entry(io.task.address).or_default().push(sleeps);
        }
        Self {
            objects: Objects::new(&subject.bios, &subject.requests),
            sleepers: sleepers.into_iter().map(|(task, sleeps)| (task, Ranges::new(sleeps))).collect(),
            doorbells: attempts.filter_map(|attempt| attempt.doorbell).collect(),
            whole: subject.ios.iter().filter_map(|io| io.call).collect(),
            wakes: FxHashSet::default(),
            first,
            last,
            clock: 0,
            order: 0,
            open: Map::default(),
            places: Map::default(),
            kept: Set::default(),
            waiting: 0,
            unreturned: subject.unreturned.clone(),
            unending: Set::default(),
            collected: SubjectEvents::default(),
        }
    }

    /// A context that has a part in it is still open.
    fn waits(&self) -> bool {
        self.waiting > 0
    }

    fn is_about(&self, event: &Event<'_>) -> bool {
        if event.clock < self.first {
            return false;
        }
        if event.kind < FIRST_PROBE {
            return self.doorbells.contains(&event.clock);
        }
        let wakes = self.wakes.contains(&event.kind);
        event.words.iter().any(|word| {
            self.objects.name(*word, event.clock).is_some() || wakes && self.sleeps(*word, event.clock)
        })
    }

    fn sleeps(&self, task: u64, clock: u64) -> bool {
        self.sleepers.get(&task).is_some_and(|sleeps| sleeps.find(clock).is_some())
    }

    fn add(&mut self, root: CallId, mut node: EventNode) {
        self.order += 1;
        node.order = self.order;
        let Some(activity) = self.open.get_mut(&root) else { return };
        let has_part = node.marked || node.call.is_some_and(|call| self.whole.contains(&call));
        let never_ends = node.call.is_some() && self.unreturned.contains(&node.clock);
        if has_part || never_ends {
            self.waiting -= usize::from(is_waited_for(&self.kept, &self.unending, root));
            _ = has_part && self.kept.insert(root);
            _ = never_ends && self.unending.insert(root);
            self.waiting += usize::from(is_waited_for(&self.kept, &self.unending, root));
        }
        if let Some(call) = node.call {
            activity.whole |= self.whole.contains(&call);
            self.places.insert(call, (root, activity.nodes.len()));
        }
        activity.nodes.push(node);
    }

    fn close(&mut self, root: CallId) {
        let Some(activity) = self.open.remove(&root) else { return };
        activity.nodes.iter().filter_map(|node| node.call).for_each(|call| _ = self.places.remove(&call));
        self.waiting -= usize::from(is_waited_for(&self.kept, &self.unending, root));
        if self.kept.contains(&root) {
            self.collected.activities.push(activity);
        }
    }

    fn finish(mut self) -> SubjectEvents {
        let open: Vec<_> = self.open.keys().copied().collect();
        open.into_iter().for_each(|root| self.close(root));
        let Self { kept, mut collected, .. } = self;
        collected.activities.sort_by_key(|activity| activity.root);
        let has = |root: Option<CallId>| root.is_some_and(|root| kept.contains(&root));
        collected.handovers.retain(|handover| has(handover.from.root) || has(handover.to.root));
        collected
    }
}

/// A context has a part in it, and will end.
fn is_waited_for(kept: &Set<CallId>, unending: &Set<CallId>, root: CallId) -> bool {
    kept.contains(&root) && !unending.contains(&root)
}

impl Observer for Collector {
    fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition
            && probe.stage == Some(Stage::TaskWake)
        {
            self.wakes.insert(probe.id);
        }
    }

    fn resumed(&mut self, _: &[u64], tasks: &Tasks) {
        self.collected.tasks.resume(tasks);
    }

    fn event(&mut self, pass: &Pass, _: &Definitions, event: &Event<'_>) {
        if let Some(task) = pass.describer.told_task(event) {
            self.collected.tasks.tell(event.clock, pass.describer.task(task));
        }
        self.clock = event.clock;
    }

    fn is_complete(&self) -> bool {
        self.clock > self.last && !self.waits()
    }
}

impl Sink for Collector {
    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        let parent = call.parent.filter(|_| call.depth_in_context > 0);
        let place = parent.and_then(|parent| self.places.get(&parent).copied());
        let root = place.map_or(call.id, |(root, _)| root);
        if place.is_none() {
            let activity = Activity {
                root,
                task: call.task,
                level: call.level,
                interrupt: None,
                whole: false,
                nodes: Vec::new(),
            };
            self.open.insert(root, activity);
        }
        let marked = self.is_about(event);
        let node = EventNode {
            order: 0,
            call: Some(call.id),
            parent: place.map(|(_, at)| at),
            kind: event.kind,
            clock: event.clock,
            caller: call.caller,
            words: event.words.to_vec(),
            end: None,
            marked,
        };
        self.add(root, node);
    }

    fn passed(&mut self, within: Option<CallId>, event: &Event<'_>) {
        let Some((root, at)) = within.and_then(|within| self.places.get(&within).copied()) else { return };
        let node = EventNode {
            order: 0,
            call: None,
            parent: Some(at),
            kind: event.kind,
            clock: event.clock,
            caller: 0,
            words: event.words.to_vec(),
            end: None,
            marked: self.is_about(event),
        };
        self.add(root, node);
    }

    fn left(&mut self, end: &CallEnd) {
        let Some((root, at)) = self.places.get(&end.id).copied() else { return };
        if let Some(node) = self.open.get_mut(&root).and_then(|activity| activity.nodes.get_mut(at)) {
            node.end = Some(*end);
        }
        if root == end.id {
            self.close(root);
        }
    }

    fn switched(&mut self, switch: &Switch) {
        let inside = (self.first..=self.last).contains(&switch.clock);
        let ours = |task| self.sleepers.contains_key(task);
        if inside && (ours(&switch.from) || ours(&switch.to)) {
            self.collected.switches.push(*switch);
        }
    }

    fn handover(&mut self, handover: &Handover) {
        let inside = handover.to.clock >= self.first && handover.from.clock <= self.last;
        if inside {
            self.collected.handovers.push(*handover);
        }
    }

    fn interrupted(&mut self, irq: &IrqRef) {
        if let Some(activity) = irq.call.and_then(|call| self.open.get_mut(&call)) {
            activity.interrupt = Some(*irq);
        }
    }
}
