//! From what happened to what was being waited for.

use super::gather::{Root, SchedulingEvents};
use super::index::SchedulingIndex;
use super::{Context, Doing, FARTHEST, Span, function, named};
use crate::model::{CallId, Definitions, HandoverKind, Point};

/// Resolves waits.
pub struct Resolver<'a> {
    seen: &'a SchedulingEvents,
    index: SchedulingIndex<'a>,
    definitions: &'a Definitions,
}

/// The time that is to be explained.
#[derive(Debug, Clone, Copy)]
struct Range {
    from: u64,
    to: u64,
}

impl Range {
    fn is_empty(self) -> bool {
        self.from >= self.to
    }
}

impl<'a> Resolver<'a> {
    /// Of what was seen.
    pub fn new(seen: &'a SchedulingEvents, definitions: &'a Definitions) -> Self {
        Self { seen, index: SchedulingIndex::new(seen), definitions }
    }

    /// The spans from one clock to another of a task that runs at the first.
    pub fn resolve(&self, task: u64, from: u64, to: u64) -> Vec<Span> {
        let mut spans = Vec::new();
        self.task(task, None, Range { from, to }, 0, &mut spans);
        spans
    }

    fn push(&self, spans: &mut Vec<Span>, range: Range, doing: Doing, depth: usize, place: String) {
        match spans.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.doing == doing && last.depth == depth && last.place == place => {
                last.to = range.to
            }
            _ => spans.push(Span { from: range.from, to: range.to, doing, depth, place }),
        }
    }

    /// What a task did in a range: it ran, or waited.
    fn task(&self, task: u64, work: Option<String>, range: Range, depth: usize, spans: &mut Vec<Span>) {
        let switches = self.index.switches(task);
        let before = switches.partition_point(|switch| switch.clock <= range.from);
        let last = before.checked_sub(1).map(|at| switches[at].to == task);
        let mut runs = last.unwrap_or_else(|| self.index.runs_at(task, range.from));
        let mut at = range.from;
        let mut part = |runs, range| match runs {
            true => self.running(task, work.as_ref(), range, depth, spans),
            false => self.stopped(task, range, depth, spans),
        };
        for switch in switches[before..].iter().take_while(|switch| switch.clock < range.to) {
            part(runs, Range { from: at, to: switch.clock });
            (at, runs) = (switch.clock, switch.to == task);
        }
        part(runs, Range { from: at, to: range.to });
    }

    /// The task runs, apart from interrupts that come in between.
    fn running(&self, task: u64, work: Option<&String>, range: Range, depth: usize, spans: &mut Vec<Span>) {
        let doing = || Doing::Running { task: self.named(task, range.from), work: work.cloned() };
        let mut at = range.from;
        for root in self.index.interrupts(task, range.from, range.to) {
            if root.from < at {
                continue;
            }
            self.push(spans, Range { from: at, to: root.from }, doing(), depth, String::new());
            let to = root.to.clamp(root.from, range.to);
            let handler = self.handler(root);
            let interrupted = Doing::Interrupted { handler };
            self.push(spans, Range { from: root.from, to }, interrupted, depth, String::new());
            at = to;
        }
        self.push(spans, Range { from: at, to: range.to }, doing(), depth, String::new());
    }

    /// The task does not run: until it is woken it waits, then for the CPU.
    fn stopped(&self, task: u64, range: Range, depth: usize, spans: &mut Vec<Span>) {
        if range.is_empty() {
            return;
        }
        let name = self.named(task, range.from);
        // A task is woken, runs, and only then is woken again.
        let mut wakes = self.index.wakes(task, range.to).take_while(|wake| wake.from.clock <= range.to);
        let first = wakes.next();
        let runnable = first.is_some_and(|wake| wake.from.clock <= range.from);
        let Some(wake) = first.into_iter().chain(wakes).find(|wake| wake.from.clock >= range.from) else {
            let on = self.index.runs_at(task, range.to) || runnable;
            let doing = if on { Doing::Runnable { task: name } } else { Doing::Unknown { task: name } };
            return self.push(spans, range, doing, depth, String::new());
        };
        let until = wake.from.clock.clamp(range.from, range.to);
        self.cause(wake.from, Range { from: range.from, to: until }, depth + 1, spans);
        let place = self.place(wake.from.call);
        self.push(spans, Range { from: until, to: range.to }, Doing::Runnable { task: name }, depth, place);
    }

    /// What came to do something at a point: everything before that in the range.
    fn cause(&self, point: Point, range: Range, depth: usize, spans: &mut Vec<Span>) {
        if range.is_empty() {
            return;
        }
        if depth >= FARTHEST {
            let task = self.named(point.task, point.clock);
            return self.push(spans, range, Doing::TooFar { task }, depth, String::new());
        }
        let Some((id, root)) = self.index.root(point.root) else {
            return self.task(point.task, None, range, depth, spans);
        };
        let begun = root.from.clamp(range.from, range.to);
        let (before, during) = (Range { from: range.from, to: begun }, Range { from: begun, to: range.to });
        match root.context {
            Context::Interrupt => {
                self.before_interrupt(id, root, before, depth, spans);
                let doing = Doing::Interrupt { handler: self.handler(root) };
                self.push(spans, during, doing, depth, self.place(point.call));
            }
            Context::Softirq => self.softirq(id, root, point, range, depth, spans),
            Context::Work => {
                let work = root.work.map_or_else(|| "?".to_owned(), |work| function(self.definitions, work));
                self.before_work(id, root, &work, before, depth, spans);
                self.task(root.task, Some(work), during, depth, spans);
            }
            Context::Task => self.task(root.task, None, range, depth, spans),
            Context::Unknown => {
                let doing = Doing::UnknownContext { task: self.named(root.task, root.from) };
                self.push(spans, range, doing, depth, self.place(point.call));
            }
        }
    }

    fn before_interrupt(&self, id: CallId, root: &Root, range: Range, depth: usize, spans: &mut Vec<Span>) {
        let Some((handover, command)) = self.index.doorbell(id).and_then(|h| match h.kind {
            HandoverKind::Interrupt { command, .. } => Some((h, command)),
            _ => None,
        }) else {
            let doing = Doing::Timer { function: self.handler(root) };
            return self.push(spans, range, doing, depth, String::new());
        };
        let rung = handover.from.clock.clamp(range.from, range.to);
        self.cause(handover.from, Range { from: range.from, to: rung }, depth + 1, spans);
        let doing = Doing::Device { command, handler: self.handler(root) };
        let place = self.place(handover.from.call);
        self.push(spans, Range { from: rung, to: range.to }, doing, depth, place);
    }

    /// A softirq, and what it was raised for. Others may have been served before it in the same context, and
    /// interrupts may have come meanwhile: it begins when its own function does.
    fn softirq(
        &self,
        id: CallId,
        root: &Root,
        point: Point,
        range: Range,
        depth: usize,
        spans: &mut Vec<Span>,
    ) {
        let served = self.index.served(id, point.clock);
        let begun = served.map_or(root.from, |(clock, _)| clock);
        let number = served.map(|(_, number)| number);
        let Some(handover) = self.index.raised(id, number, point.clock) else {
            return self.push(spans, range, Doing::Softirq, depth, self.place(point.call));
        };
        let asked = handover.from.clock.clamp(range.from, range.to);
        let begun = begun.max(handover.to.clock).clamp(asked, range.to);
        self.cause(handover.from, Range { from: range.from, to: asked }, depth + 1, spans);
        let waiting = match handover.kind {
            HandoverKind::Timer { function: address } => {
                Doing::Timer { function: function(self.definitions, address) }
            }
            HandoverKind::Softirq { number } => {
                Doing::SoftirqPending { name: self.definitions.softirq(number) }
            }
            _ => Doing::Softirq,
        };
        let place = self.place(handover.from.call);
        self.push(spans, Range { from: asked, to: begun }, waiting, depth, place);
        let place = self.place(point.call);
        self.push(spans, Range { from: begun, to: range.to }, Doing::Softirq, depth, place);
    }

    fn before_work(
        &self,
        id: CallId,
        root: &Root,
        work: &str,
        range: Range,
        depth: usize,
        spans: &mut Vec<Span>,
    ) {
        let Some(handover) = self.index.queued(id) else {
            return self.task(root.task, None, range, depth, spans);
        };
        let clock = handover.from.clock.clamp(range.from, range.to);
        self.cause(handover.from, Range { from: range.from, to: clock }, depth + 1, spans);
        let doing = Doing::WorkPending { function: work.to_owned() };
        let place = self.place(handover.from.call);
        self.push(spans, Range { from: clock, to: range.to }, doing, depth, place);
    }

    /// A task, under its name at a clock.
    fn named(&self, task: u64, clock: u64) -> String {
        named(&self.seen.tasks.at(task, clock))
    }

    fn handler(&self, root: &Root) -> String {
        let handler = root.irq.and_then(|irq| irq.handler).filter(|handler| *handler != 0);
        handler.map_or_else(|| self.name(root.kind), |handler| function(self.definitions, handler))
    }

    fn place(&self, call: Option<CallId>) -> String {
        let kind = call.and_then(|call| self.seen.names.get(&call));
        kind.map(|kind| self.name(*kind)).unwrap_or_default()
    }

    fn name(&self, kind: u16) -> String {
        self.definitions.function_name(kind).into_owned()
    }
}
