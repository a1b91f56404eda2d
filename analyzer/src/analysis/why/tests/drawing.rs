//! Draws what happened, and writes the spans of a wait as short lines.

use super::super::gather::{Root, SchedulingEvents};
use super::super::resolve::Resolver;
use super::super::{Context, Doing, Span};
use crate::model::{
    CallId, Comm, Definitions, DeviceStart, Handover, HandoverKind, IrqRef, Level, Point, Switch, Task,
};
use iotrace_format::definition::{AddressName, Constant, Definition};
use iotrace_format::event::FIRST_PROBE;

/// Tasks: `a/1`, which is asked about, `b/2`, and a worker, `k/3`.
pub const A: u64 = 1;
pub const B: u64 = 2;
pub const K: u64 = 3;
/// The functions `intr`, `work_fn` and `timer_fn`.
pub const INTR: u64 = 0x10;
pub const WORK: u64 = 0x20;
pub const TIMER: u64 = 0x30;
pub const BLOCK: u64 = 4;

pub struct Drawing {
    pub seen: SchedulingEvents,
    definitions: Definitions,
}

impl Default for Drawing {
    fn default() -> Self {
        let (mut definitions, mut seen) = (Definitions::default(), SchedulingEvents::default());
        for (address, name) in [(INTR, "intr"), (WORK, "work_fn"), (TIMER, "timer_fn")] {
            definitions.add(&Definition::Symbol(AddressName { address, name: name.into() }));
        }
        definitions
            .add(&Definition::Constant(Constant { name: "BLOCK_SOFTIRQ".into(), value: BLOCK as i64 }));
        for (task, name) in [(A, "a"), (B, "b"), (K, "k")] {
            seen.tasks.tell(0, named(task, name));
        }
        Self { seen, definitions }
    }
}

/// A task whose ids are its address.
pub fn named(task: u64, name: &str) -> Task {
    Task { address: task, pid: task as u32, tgid: task as u32, comm: Comm::from_text(name) }
}

/// A moment in a task, in no context of its own.
pub fn at(clock: u64, task: u64) -> Point {
    Point { clock, event: 0, call: None, root: None, task, level: Level::Task, completes: None }
}

/// A moment in a context.
pub fn within(clock: u64, root: CallId) -> Point {
    Point { root: Some(root), ..at(clock, 0) }
}

/// A command is done, from its doorbell to an interrupt.
pub const fn done(command: u64) -> HandoverKind {
    HandoverKind::Interrupt { irq: Some(1), command, since: DeviceStart::Doorbell }
}

impl Drawing {
    /// Switches from one task to the next: each its clock, the first from `from`.
    pub fn switches(&mut self, mut from: u64, switches: &[(u64, u64)]) {
        for (clock, to) in switches.iter().copied() {
            self.seen.switches.push(Switch { clock, vcpu: 0, from, to, call: None });
            from = to;
        }
    }

    pub fn handover(&mut self, kind: HandoverKind, from: Point, to: Point) {
        self.seen.handovers.push(Handover { kind, from, to });
    }

    /// A task is woken, and runs again.
    pub fn wake(&mut self, from: Point, task: u64, runs: u64) {
        self.handover(HandoverKind::Wake { task }, from, at(runs, task));
    }

    pub fn root(
        &mut self,
        id: CallId,
        context: Context,
        task: u64,
        clocks: std::ops::Range<u64>,
    ) -> &mut Root {
        let (from, to, kind) = (clocks.start, clocks.end, FIRST_PROBE);
        let root = Root { context, task, from, to, irq: None, is_timer: false, work: None, kind };
        self.seen.roots.entry(id).or_insert(root)
    }

    /// An interrupt of the handler `intr`.
    pub fn interrupt(&mut self, id: CallId, task: u64, clocks: std::ops::Range<u64>) {
        self.handled_by(id, task, clocks, Some(INTR));
    }

    pub fn handled_by(&mut self, id: CallId, task: u64, clocks: std::ops::Range<u64>, handler: Option<u64>) {
        let clock = clocks.start;
        let irq = IrqRef { id, clock, vector: None, line: None, handler, call: Some(id) };
        self.root(id, Context::Interrupt, task, clocks).irq = Some(irq);
    }

    /// The spans of `a/1`: begin and end, how many hand-overs away, what is going on, and where.
    pub fn spans(&self, from: u64, to: u64) -> Vec<String> {
        let resolver = Resolver::new(&self.seen, &self.definitions);
        resolver.resolve(A, from, to).iter().map(line).collect()
    }
}

fn line(span: &Span) -> String {
    let Span { from, to, doing, depth, place } = span;
    let place = if place.is_empty() { String::new() } else { format!(" [{place}]") };
    format!("{from}..{to} {depth} {}{place}", words(doing))
}

fn words(doing: &Doing) -> String {
    match doing {
        Doing::Running { task, work: None } => format!("{task} runs"),
        Doing::Running { task, work: Some(work) } => format!("{task} runs {work}"),
        Doing::Runnable { task } => format!("{task} runnable"),
        Doing::Device { command, handler, since: DeviceStart::Doorbell } => {
            format!("command {command} of {handler}")
        }
        Doing::Device { command, handler, since: DeviceStart::Issue } => {
            format!("command {command} of {handler} since its issue")
        }
        Doing::Interrupt { handler } => format!("interrupt {handler}"),
        Doing::Interrupted { handler } => format!("interrupted by {handler}"),
        Doing::SoftirqPending { name } => format!("softirq {name} pending"),
        Doing::Softirq => "softirq".to_owned(),
        Doing::WorkPending { function } => format!("{function} pending"),
        Doing::ThreadPending { task } => format!("irq thread {task} pending"),
        Doing::Timer { function } => format!("timer {function}"),
        Doing::UnknownInterrupt { handler } => format!("interrupt {handler} for what is not known"),
        Doing::UnknownSoftirq { name } => format!("softirq {name} for what is not known"),
        Doing::Unknown { task } => format!("{task} waits for what is not known"),
        Doing::UnknownContext { task } => format!("something runs in {task}"),
        Doing::TooFar { task } => format!("too far, in {task}"),
        Doing::Recovery { command } => format!("recovery of cmd{command}"),
        Doing::Requeued { command, reason } => format!("cmd{command} requeued: {reason}"),
    }
}
