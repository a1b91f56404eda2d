//! From what happened to what was being waited for.

use super::gather::{Root, SchedulingEvents};
use super::index::SchedulingIndex;
use super::{Context, Doing, FARTHEST, Span, function, named, push};
use crate::model::{CallId, Definitions, Handover, HandoverKind, Level, Point};

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

/// How far back it is from the task that asked.
#[derive(Debug, Clone, Copy, Default)]
struct Distance {
    /// Hand-overs.
    depth: usize,
    /// The command whose completion led from here to the task, as far as it is known.
    command: Option<u64>,
    /// The command that was carried out here, in parts perhaps, before its completion led to the task.
    carried_out: Option<u64>,
}

impl Distance {
    fn next(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Where the completion of a command was processed, if it was.
    fn led_by(self, point: Point) -> Self {
        let command = point.completes.or(self.command);
        Self { command, carried_out: command.or(self.carried_out), ..self }
    }

    /// Before the command was issued.
    fn before_command(self) -> Self {
        Self { command: None, carried_out: None, ..self.next() }
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
        self.task(task, None, Range { from, to }, Distance::default(), &mut spans);
        spans
    }

    fn push(&self, spans: &mut Vec<Span>, range: Range, doing: Doing, far: Distance, place: String) {
        push(spans, Span { from: range.from, to: range.to, doing, depth: far.depth, place });
    }

    /// What a task did in a range: it ran, or waited. What it did last led on.
    fn task(&self, task: u64, work: Option<String>, range: Range, far: Distance, spans: &mut Vec<Span>) {
        let switches = self.index.switches(task);
        let before = switches.partition_point(|switch| switch.clock <= range.from);
        let last = before.checked_sub(1).map(|at| switches[at].to == task);
        let mut runs = last.unwrap_or_else(|| self.index.runs_at(task, range.from));
        let mut at = range.from;
        let mut part = |runs, range, far| match runs {
            true => self.running(task, work.as_ref(), range, far, spans),
            false => self.stopped(task, range, far, spans),
        };
        let switches: Vec<_> =
            switches[before..].iter().take_while(|switch| switch.clock < range.to).collect();
        let last_wait = switches.iter().rposition(|switch| switch.to == task);
        for (place, switch) in switches.iter().enumerate() {
            let command = far.command.filter(|_| Some(place) == last_wait);
            part(runs, Range { from: at, to: switch.clock }, Distance { command, ..far });
            (at, runs) = (switch.clock, switch.to == task);
        }
        part(runs, Range { from: at, to: range.to }, far);
    }

    /// The task runs, apart from interrupts that come in between.
    fn running(&self, task: u64, work: Option<&String>, range: Range, far: Distance, spans: &mut Vec<Span>) {
        let doing = || Doing::Running { task: self.named(task, range.from), work: work.cloned() };
        let mut at = range.from;
        for root in self.index.interrupts(task, range.from, range.to) {
            if root.from < at {
                continue;
            }
            self.push(spans, Range { from: at, to: root.from }, doing(), far, String::new());
            let to = root.to.clamp(root.from, range.to);
            let handler = self.handler(root);
            let interrupted = Doing::Interrupted { handler };
            self.push(spans, Range { from: root.from, to }, interrupted, far, String::new());
            at = to;
        }
        self.push(spans, Range { from: at, to: range.to }, doing(), far, String::new());
    }

    /// The task does not run: until it is woken it waits, then for the CPU.
    fn stopped(&self, task: u64, range: Range, far: Distance, spans: &mut Vec<Span>) {
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
            return self.push(spans, range, doing, far, String::new());
        };
        let until = wake.from.clock.clamp(range.from, range.to);
        self.cause(wake.from, Range { from: range.from, to: until }, far.next(), spans);
        let place = self.place(wake.from.call);
        self.push(spans, Range { from: until, to: range.to }, Doing::Runnable { task: name }, far, place);
    }

    /// What came to do something at a point: everything before that in the range.
    fn cause(&self, point: Point, range: Range, far: Distance, spans: &mut Vec<Span>) {
        if range.is_empty() {
            return;
        }
        if far.depth >= FARTHEST {
            let task = self.named(point.task, point.clock);
            return self.push(spans, range, Doing::TooFar { task }, far, String::new());
        }
        let led = far.led_by(point);
        let Some((id, root)) = self.index.root(point.root) else {
            return self.task(point.task, None, range, led, spans);
        };
        let begun = root.from.clamp(range.from, range.to);
        let (before, during) = (Range { from: range.from, to: begun }, Range { from: begun, to: range.to });
        match root.context {
            Context::Interrupt => {
                self.before_interrupt((id, root), point, before, far, spans);
                let doing = Doing::Interrupt { handler: self.handler(root) };
                self.push(spans, during, doing, far, self.place(point.call));
            }
            Context::Softirq => self.softirq((id, root), point, range, far, spans),
            Context::Work => {
                let far = led;
                let work = root.work.map_or_else(|| "?".to_owned(), |work| function(self.definitions, work));
                self.before_work(id, root, &work, before, far, spans);
                self.task(root.task, Some(work), during, far, spans);
            }
            Context::IrqThread => {
                self.before_thread((id, root), before, led, spans);
                self.task(root.task, None, during, led, spans);
            }
            Context::Task => self.task(root.task, None, range, led, spans),
            Context::Unknown => {
                let doing = Doing::UnknownContext { task: self.named(root.task, root.from) };
                self.push(spans, range, doing, far, self.place(point.call));
            }
        }
    }

    /// What came to hand something over at a point. Returns the rest of the range.
    fn up_to(&self, point: Point, range: Range, far: Distance, spans: &mut Vec<Span>) -> Range {
        let clock = point.clock.clamp(range.from, range.to);
        self.cause(point, Range { from: range.from, to: clock }, far, spans);
        Range { from: clock, to: range.to }
    }

    /// What an interrupt came for that something at a point in it led on from.
    fn before_interrupt(
        &self,
        (id, root): (CallId, &Root),
        point: Point,
        range: Range,
        far: Distance,
        spans: &mut Vec<Span>,
    ) {
        let commands = [far.command, point.completes, far.carried_out].into_iter().flatten();
        let mut handovers = commands.flat_map(|command| self.index.parts(command)).copied();
        if let Some(handover) = handovers.find(|handover| is_of_interrupt(handover, id, root)) {
            return self.device(handover, self.handler(root), range, far, spans);
        }
        let handler = self.handler(root);
        let doing = match root.is_timer {
            true => Doing::Timer { function: handler },
            false => Doing::UnknownInterrupt { handler },
        };
        self.push(spans, range, doing, far, String::new());
    }

    /// A device works on a command, up to the end of the range.
    fn device(
        &self,
        handover: &Handover,
        handler: String,
        range: Range,
        far: Distance,
        spans: &mut Vec<Span>,
    ) {
        let HandoverKind::Interrupt { command, since, .. } = handover.kind else { return };
        let begun = self.up_to(handover.from, range, far.before_command(), spans);
        let doing = Doing::Device { command, handler, since };
        self.push(spans, begun, doing, far, self.place(handover.from.call));
    }

    /// A softirq, and what it was raised for. Others may have been served before it in the same context, and
    /// interrupts may have come meanwhile: it begins when its own function does.
    fn softirq(
        &self,
        (id, root): (CallId, &Root),
        point: Point,
        range: Range,
        far: Distance,
        spans: &mut Vec<Span>,
    ) {
        let served = self.index.served(id, point.clock);
        let begun = served.map_or(root.from, |(clock, _)| clock);
        let number = served.map(|(_, number)| number);
        let led = far.led_by(point);
        let Some(handover) = self.index.raised(id, number, point.clock) else {
            let begun = begun.clamp(range.from, range.to);
            let name = number.map(|number| self.definitions.softirq(number)).unwrap_or_default();
            self.before_softirq(name, led, Range { from: range.from, to: begun }, spans);
            let during = Range { from: begun, to: range.to };
            return self.push(spans, during, Doing::Softirq, far, self.place(point.call));
        };
        let raised = self.up_to(handover.from, range, led.next(), spans).from;
        let begun = begun.max(handover.to.clock).clamp(raised, range.to);
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
        self.push(spans, Range { from: raised, to: begun }, waiting, far, place);
        let place = self.place(point.call);
        self.push(spans, Range { from: begun, to: range.to }, Doing::Softirq, far, place);
    }

    /// What led to a softirq of which it is not known who raised it.
    fn before_softirq(&self, name: String, far: Distance, range: Range, spans: &mut Vec<Span>) {
        let handover = far.command.and_then(|command| self.index.command(command));
        match handover.filter(|handover| handover.from.clock < range.to) {
            Some(handover) => self.device(handover, name, range, far, spans),
            None => self.push(spans, range, Doing::UnknownSoftirq { name }, far, String::new()),
        }
    }

    fn before_work(
        &self,
        id: CallId,
        root: &Root,
        work: &str,
        range: Range,
        far: Distance,
        spans: &mut Vec<Span>,
    ) {
        let Some(handover) = self.index.queued(id) else {
            return self.task(root.task, None, range, far, spans);
        };
        let pending = self.up_to(handover.from, range, far.next(), spans);
        let doing = Doing::WorkPending { function: work.to_owned() };
        self.push(spans, pending, doing, far, self.place(handover.from.call));
    }

    /// The thread of an interrupt, and the interrupt that left work to it. While it runs others may come: the one
    /// counts whose command is known to be complete.
    fn before_thread(&self, (id, root): (CallId, &Root), range: Range, far: Distance, spans: &mut Vec<Span>) {
        let Some(handover) = self.index.queued(id) else {
            return self.task(root.task, None, range, far, spans);
        };
        let command = far.command.and_then(|command| self.index.command(command)).map(|command| command.to);
        let later = command.filter(|to| to.level == Level::Hardirq && to.clock > handover.from.clock);
        let pending = self.up_to(later.unwrap_or(handover.from), range, far.next(), spans);
        let doing = Doing::ThreadPending { task: self.named(root.task, root.from) };
        self.push(spans, pending, doing, far, self.place(handover.from.call));
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
        self.definitions.title(kind).into_owned()
    }
}

/// Whether a command was handed over to an interrupt, by its outermost call; by the time if that is not known.
fn is_of_interrupt(handover: &Handover, id: CallId, root: &Root) -> bool {
    handover.to.root.map_or((root.from..=root.to).contains(&handover.to.clock), |to| to == id)
}
