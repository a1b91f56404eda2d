//! The origin tracker: why something runs, that is who woke a task, queued a work item, raised a softirq, started a
//! timer.
//!
//! In: facts of wake-ups, task switches, waits, work items, timers, softirqs and interrupt entries; [`BegunIo`]s. Out:
//! to the sink, hand-offs, raised softirqs and waits; to others, the [`Cause`] of what runs.
//!
//! What was asked for waits here until it begins; then the two ends are given as a handover.

mod stated;
mod waiting;

use super::call_states::CallStates;
use super::fact::{BegunIo, Context, EndFact, Fact};
use super::probes::Probes;
use super::sink::Sink;
use crate::hash::Map;
use crate::model::{Cause, Handover, HandoverKind, IoId, Level, Point, Raise, Task, Wait};
use bincode::{Decode, Encode};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use waiting::WaitFunction;

/// How far back a cause is kept.
const FARTHEST: usize = 8;
/// Softirqs there may be; the kernel has ten (include/linux/interrupt.h).
const SOFTIRQS: usize = 16;

/// System calls that a task does not return from.
const EXITS: [&str; 2] = ["exit", "exit_group"];

/// Something asked for that has not begun.
#[derive(Debug, Clone, Encode, Decode)]
struct PendingWork {
    from: Point,
    by: Arc<Cause>,
}

/// A task that was woken.
#[derive(Debug, Clone, Encode, Decode)]
struct WokenTask {
    from: Point,
    by: Arc<Cause>,
    waker: TaskWaker,
    /// The task that ran when it was woken.
    waker_task: Task,
    runs: bool,
}

/// What woke a task.
#[derive(Debug, Clone, Encode, Decode)]
enum TaskWaker {
    /// The open calls, by their functions, the outermost first.
    Calls(Box<[u16]>),
    /// Whoever made it.
    Maker,
    /// The names of the open calls there, as a part of a trace states them.
    Stated(Vec<Arc<str>>),
}

impl TaskWaker {
    /// The names of the functions, the outermost first.
    fn names(&self, probes: &Probes) -> Vec<Arc<str>> {
        match self {
            Self::Calls(functions) => names(probes, functions),
            Self::Maker => vec!["wake_up_new_task".into()],
            Self::Stated(names) => names.clone(),
        }
    }
}

/// A task that stopped running in an I/O.
#[derive(Debug, Clone, Encode, Decode)]
struct BlockedTask {
    clock: u64,
    io: IoId,
    function: Arc<str>,
    /// What that function waits for; none if the catalog does not tell.
    what: Option<Arc<str>>,
}

/// What is kept of an open call.
#[derive(Debug, Encode, Decode)]
enum OriginState {
    /// The system call or the page fault of an I/O.
    Io(BegunIo),
    /// A work item: address of its function, who queued it.
    Work { function: u64, by: Option<Arc<Cause>> },
    /// A timer that ran out: address of its function, who started it.
    Timer { function: u64, by: Option<Arc<Cause>> },
    /// The entry of an interrupt.
    Interrupt,
    /// Softirqs are being served, from this clock on.
    Softirq { from: u64 },
    /// A wait of a task, in this function.
    Wait(WaitFunction),
    /// A task is being woken.
    Wake { task: u64 },
}

/// Follows what was asked for until it begins.
#[derive(Debug, Default, Encode, Decode)]
pub struct OriginTracker {
    works: Map<u64, PendingWork>,
    timers: Map<u64, PendingWork>,
    woken: Map<u64, WokenTask>,
    blocked: Map<u64, BlockedTask>,
    raised: FxHashMap<u16, [Option<Point>; SOFTIRQS]>,
    calls: CallStates<OriginState>,
    /// Waits in functions that are inlined, of the call that they are in.
    inlined_waits: CallStates<WaitFunction>,
    /// I/Os that work items originate from: 1 for one that was queued, -1 for one that is over.
    changes: Vec<(IoId, i32)>,
}

impl OriginTracker {
    /// How many more work items originate from which I/Os, since the last call.
    pub fn take_changes(&mut self) -> Vec<(IoId, i32)> {
        std::mem::take(&mut self.changes)
    }

    fn change(&mut self, by: &Cause, change: i32) {
        self.changes.extend(by.io().map(|io| (io, change)));
    }

    /// An I/O begins with its system call or page fault.
    pub fn io_begun(&mut self, fact: &Fact<'_>, io: &BegunIo) {
        self.calls.insert(fact, OriginState::Io(io.clone()));
    }

    /// A context begins, is asked for or is left.
    pub fn fact(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let state = match fact.stage {
            Stage::IrqFrame | Stage::IrqEntry => OriginState::Interrupt,
            Stage::SoftirqRun => OriginState::Softirq { from: fact.context.clock() },
            Stage::TaskWake => OriginState::Wake { task: fact.roles.get(Role::Task).unwrap_or(0) },
            Stage::Wait(_) | Stage::Block(_) => return self.wait_begun(fact),
            Stage::WorkRun => self.work_run(fact, out),
            Stage::TimerRun => self.timer_run(fact, out),
            Stage::WorkQueue => return self.work_queue(fact),
            Stage::TimerStart => return self.timer_start(fact),
            Stage::TaskNew => return self.task_new(fact),
            Stage::TaskSwitch => return self.task_switch(fact, out),
            Stage::SoftirqRaise => return self.softirq_raise(fact, out),
            Stage::Softirq(number) => return self.softirq_served(fact, *number, out),
            _ => return,
        };
        self.calls.insert(fact, state);
    }

    /// A function whose stage is a wait is entered, or an inlined one reached.
    fn wait_begun(&mut self, fact: &Fact<'_>) {
        let Some(wait) = WaitFunction::of(fact) else { return };
        match fact.call {
            Some(_) => self.calls.insert(fact, OriginState::Wait(wait)),
            None => self.inlined_waits.set_innermost(&fact.context, wait),
        }
    }

    /// A call ended.
    pub fn end(&mut self, end: &EndFact<'_>) {
        let Some(state) = self.calls.remove(end) else { return };
        match state {
            // However it ended, it is over.
            OriginState::Work { by: Some(by), .. } => self.change(&by, -1),
            _ if !end.is_seen() => {}
            OriginState::Wake { task } if end.succeeded() => self.woken(end, task),
            // What was raised meanwhile may be left to ksoftirqd.
            OriginState::Softirq { from } => {
                for place in self.raised(&end.context) {
                    *place = place.filter(|raised| raised.clock > from);
                }
            }
            _ => {}
        }
    }

    /// What the work at hand originates from.
    pub fn cause(&self, context: &Context<'_>) -> Arc<Cause> {
        let innermost = self.cause_of_calls(context, &mut self.calls.of_stack(context).rev());
        Arc::new(innermost.flatten().unwrap_or_else(|| self.cause_of_level(context)))
    }

    /// The cause that the innermost of some open calls is, the innermost first; none if none of them is one, and within
    /// that, none in an interrupt.
    fn cause_of_calls(
        &self,
        context: &Context<'_>,
        calls: &mut dyn Iterator<Item = &OriginState>,
    ) -> Option<Option<Cause>> {
        let task = || context.task();
        let is_cause =
            |state: &&OriginState| !matches!(state, OriginState::Wait(_) | OriginState::Wake { .. });
        let state = std::iter::from_fn(|| calls.next()).find(is_cause)?;
        let cause = match state {
            OriginState::Io(BegunIo { id, address: Some(address), .. }) => {
                let by = self.cause_of_calls(context, calls).flatten();
                let by = by.filter(|by| matches!(by, Cause::Syscall { .. })).map(Arc::new);
                Cause::Fault { io: *id, address: *address, task: task(), by }
            }
            OriginState::Io(BegunIo { id, syscall, .. }) => {
                Cause::Syscall { io: *id, name: Arc::clone(syscall), task: task() }
            }
            OriginState::Work { function, by } => {
                Cause::Work { function: *function, task: task(), by: by.clone() }
            }
            OriginState::Timer { function, by } => Cause::Timer { function: *function, by: by.clone() },
            OriginState::Softirq { .. } => Cause::Softirq,
            OriginState::Interrupt | OriginState::Wait(_) | OriginState::Wake { .. } => {
                return Some(None);
            }
        };
        Some(Some(cause))
    }

    /// What is at hand outside of all calls that are a cause.
    fn cause_of_level(&self, context: &Context<'_>) -> Cause {
        let is_interrupted =
            || self.calls.of_stack(context).any(|state| matches!(state, OriginState::Interrupt));
        match context.level {
            Level::Task if !is_interrupted() => {
                let by = self.woken.get(&context.event.task).map(|woken| Arc::clone(&woken.by));
                Cause::Thread { task: context.task(), by }
            }
            Level::Softirq => Cause::Softirq,
            Level::Unknown if !is_interrupted() => Cause::Unknown,
            _ => Cause::Interrupt { irq: context.interrupt },
        }
    }

    /// The same, to be kept: not for ever longer.
    fn lasting_cause(&self, context: &Context<'_>) -> Arc<Cause> {
        let cause = self.cause(context);
        if cause.chain().count() < FARTHEST {
            return cause;
        }
        Arc::new(match &*cause {
            Cause::Work { function, task, .. } => Cause::Work { function: *function, task: *task, by: None },
            Cause::Fault { io, address, task, .. } => {
                Cause::Fault { io: *io, address: *address, task: *task, by: None }
            }
            Cause::Timer { function, .. } => Cause::Timer { function: *function, by: None },
            Cause::Thread { task, .. } => Cause::Thread { task: *task, by: None },
            other => other.clone(),
        })
    }

    fn pending(&self, fact: &Fact<'_>) -> PendingWork {
        PendingWork { from: fact.here(), by: self.lasting_cause(&fact.context) }
    }

    fn work_queue(&mut self, fact: &Fact<'_>) {
        let Some(work) = fact.roles.get(Role::Work).filter(|work| *work != 0) else { return };
        let pending = self.pending(fact);
        self.change(&pending.by, 1);
        if let Some(before) = self.works.insert(work, pending) {
            self.change(&before.by, -1);
        }
    }

    fn work_run(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) -> OriginState {
        let function = fact.roles.get(Role::WorkFunction).unwrap_or(0);
        let queued = fact.roles.get(Role::Work).and_then(|work| self.works.remove(&work));
        if let Some(queued) = &queued {
            // A work item is a context of its own.
            let to = fact.here();
            let to = Point { root: to.call, ..to };
            out.handover(&Handover { kind: HandoverKind::Work { function }, from: queued.from, to });
        }
        OriginState::Work { function, by: queued.map(|queued| queued.by) }
    }

    fn timer_start(&mut self, fact: &Fact<'_>) {
        let Some(timer) = fact.roles.get(Role::Timer).filter(|timer| *timer != 0) else { return };
        let pending = self.pending(fact);
        self.timers.insert(timer, pending);
    }

    fn timer_run(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) -> OriginState {
        let function = fact.roles.get(Role::TimerFunction).unwrap_or(0);
        let started = fact.roles.get(Role::Timer).and_then(|timer| self.timers.remove(&timer));
        if let Some(started) = &started {
            let (kind, to) = (HandoverKind::Timer { function }, fact.here());
            out.handover(&Handover { kind, from: started.from, to });
        }
        OriginState::Timer { function, by: started.map(|started| started.by) }
    }

    fn raised(&mut self, context: &Context<'_>) -> &mut [Option<Point>; SOFTIRQS] {
        self.raised.entry(context.event.vcpu).or_insert([None; SOFTIRQS])
    }

    fn softirq_raise(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let from = fact.here();
        let number = fact.roles.get(Role::SoftirqNumber);
        let number = number.map_or(SOFTIRQS, |number| (number & u64::from(u32::MAX)) as usize);
        if let Some(place @ None) = self.raised(&fact.context).get_mut(number) {
            *place = Some(from);
            let calls = names(fact.context.probes, &fact.context.functions(fact.roles.function()));
            out.raised(Raise { number: number as u64, at: from, calls });
        }
    }

    /// The function of a softirq begins.
    fn softirq_served(&mut self, fact: &Fact<'_>, number: u8, out: &mut dyn Sink) {
        let place = self.raised(&fact.context).get_mut(usize::from(number));
        if let Some(from) = place.and_then(Option::take) {
            let kind = HandoverKind::Softirq { number: number.into() };
            out.handover(&Handover { kind, from, to: fact.here() });
        }
    }

    fn task_new(&mut self, fact: &Fact<'_>) {
        let Some(task) = fact.roles.get(Role::Task) else { return };
        let PendingWork { from, by } = self.pending(fact);
        // What the task that was at its address waited in is no wait of this one.
        self.blocked.remove(&task);
        let (waker, waker_task) = (TaskWaker::Maker, fact.context.task());
        self.woken.insert(task, WokenTask { from, by, waker, waker_task, runs: false });
    }

    /// `try_to_wake_up` made a task run.
    fn woken(&mut self, end: &EndFact<'_>, task: u64) {
        let context = &end.context;
        let waker = TaskWaker::Calls(context.functions(end.function));
        let from = context.here_in(Some(end.call.id));
        // One that waits in the middle of its work goes on with it: that its wait is over is no new cause.
        let mut of_task = self.calls.of_task(context, task);
        let waits = of_task.any(|state| matches!(state, OriginState::Wait(_)))
            || self.waiting(context, task).0.is_some();
        let before = self.woken.get(&task).filter(|_| waits).map(|woken| Arc::clone(&woken.by));
        let by = before.unwrap_or_else(|| self.lasting_cause(context));
        let waker_task = context.task();
        self.woken.insert(task, WokenTask { from, by, waker, waker_task, runs: false });
    }

    fn task_switch(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let (roles, context) = (fact.roles, &fact.context);
        let (Some(from), Some(to)) = (roles.get(Role::PreviousTask), roles.get(Role::NextTask)) else {
            return;
        };
        if let Some(blocked) = self.blocked(context, from) {
            self.blocked.insert(from, blocked);
        }
        // Why a task runs that exits is the exit: what woke it before is no longer needed.
        if self.woken.get(&from).is_some_and(|woken| woken.runs) && self.exits(context, from) {
            self.woken.remove(&from);
        }
        let blocked = self.blocked.remove(&to);
        let Some(woken) = self.woken.get_mut(&to).filter(|woken| !woken.runs) else { return };
        // It stays, as the cause of what the task does now.
        woken.runs = true;
        let open = context.calls.of_task(to);
        let point = Point {
            call: open.last().map(|call| call.number),
            root: open.first().map(|call| call.number),
            task: to,
            level: Level::Task,
            ..context.here()
        };
        out.handover(&Handover { kind: HandoverKind::Wake { task: to }, from: woken.from, to: point });
        if let Some(blocked) = blocked.filter(|blocked| blocked.clock <= woken.from.clock) {
            out.wait(wait(context, to, &blocked, woken));
        }
    }

    /// Whether a task has begun to exit.
    fn exits(&self, context: &Context<'_>, task: u64) -> bool {
        self.calls
            .of_task(context, task)
            .any(|state| matches!(state, OriginState::Io(io) if EXITS.contains(&&*io.syscall)))
    }

    /// What a task that stops running waits in, if that is a system call.
    fn blocked(&self, context: &Context<'_>, task: u64) -> Option<BlockedTask> {
        let innermost = context.calls.of_task(task).last()?.function;
        let (wait, io) = self.waiting(context, task);
        let function = context.probes.name(wait.map_or(innermost, |wait| wait.function));
        let what = wait.map(|wait| Arc::clone(&wait.what));
        Some(BlockedTask { clock: context.clock(), io: io?.id, function, what })
    }
}

/// A task waited, was woken, and runs again from here on.
fn wait(context: &Context<'_>, task: u64, blocked: &BlockedTask, woken: &WokenTask) -> Wait {
    Wait {
        task: context.tasks.get(task),
        io: blocked.io,
        function: blocked.function.to_string(),
        what: blocked.what.as_deref().unwrap_or_default().to_owned(),
        clocks: (blocked.clock, woken.from.clock, context.clock()),
        event: woken.from.event,
        waker: woken.waker.names(context.probes),
        level: woken.from.level,
        waker_task: woken.waker_task,
    }
}

/// The names of functions.
fn names(probes: &Probes, functions: &[u16]) -> Vec<Arc<str>> {
    functions.iter().map(|function| probes.name(*function)).collect()
}

#[cfg(test)]
mod direct_tests;
#[cfg(test)]
mod tests;
