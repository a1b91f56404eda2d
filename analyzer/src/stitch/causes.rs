//! Why something runs: who woke a task, queued a work item, raised a softirq, started a timer.
//!
//! What was asked for waits here until it begins; then the two ends are given as a handover.

use super::probes::RoleValues;
use super::{Open, Sink, Stitcher};
use crate::hash::Map;
use crate::model::{CallId, Cause, Handover, HandoverKind, IoId, Level, Point, Raise, Switch, Task, Wait};
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How far back a cause is kept.
const FARTHEST: usize = 8;
/// Softirqs there may be; the kernel has ten (include/linux/interrupt.h).
const SOFTIRQS: usize = 16;

/// Something asked for that has not begun.
#[derive(Debug, Clone)]
struct Asked {
    from: Point,
    by: Rc<Cause>,
}

/// A task that was woken.
#[derive(Debug, Clone)]
struct Woken {
    from: Point,
    by: Rc<Cause>,
    waker: Waker,
    runs: bool,
}

/// What woke a task.
#[derive(Debug, Clone)]
enum Waker {
    /// The open calls, by their functions, the outermost first.
    Calls(Box<[u16]>),
    /// Whoever made it.
    Maker,
}

/// A task that stopped running in a system call.
#[derive(Debug, Clone)]
struct Blocked {
    clock: u64,
    io: IoId,
    function: Rc<str>,
    /// What that function waits for; none if the catalog does not tell.
    what: Option<Arc<str>>,
}

/// What was asked for and has not begun.
#[derive(Debug, Default)]
pub struct Causes {
    works: Map<u64, Asked>,
    timers: Map<u64, Asked>,
    woken: Map<u64, Woken>,
    blocked: Map<u64, Blocked>,
    raised: FxHashMap<u16, [Option<Point>; SOFTIRQS]>,
}

impl Causes {
    fn raised(&mut self, event: &Event<'_>) -> &mut [Option<Point>; SOFTIRQS] {
        self.raised.entry(event.vcpu).or_insert([None; SOFTIRQS])
    }

    /// What was raised while softirqs were being served was served as well.
    pub fn softirqs_served(&mut self, event: &Event<'_>) {
        *self.raised(event) = [None; SOFTIRQS];
    }
}

impl Stitcher {
    /// What the work at hand goes back to.
    pub(super) fn cause(&self, event: &Event<'_>) -> Rc<Cause> {
        let all = self.calls.all();
        for frame in all.iter().rev() {
            match &frame.data {
                Open::Syscall { io, name } => {
                    let task = self.tasks.get(event.task);
                    return Rc::new(Cause::Syscall { io: *io, name: Rc::clone(name), task });
                }
                Open::Work { function, by } => {
                    let task = self.tasks.get(event.task);
                    return Rc::new(Cause::Work { function: *function, task, by: by.clone() });
                }
                Open::Timer { function, by } => {
                    return Rc::new(Cause::Timer { function: *function, by: by.clone() });
                }
                Open::IrqFrame | Open::Irq => break,
                Open::Softirq => return Rc::new(Cause::Softirq),
                _ => {}
            }
        }
        match Level::of(event.context) {
            Level::Task if !self.within_irq() => {
                let by = self.causes.woken.get(&event.task).map(|woken| Rc::clone(&woken.by));
                Rc::new(Cause::Thread { task: self.tasks.get(event.task), by })
            }
            Level::Softirq => Rc::new(Cause::Softirq),
            Level::Unknown if !self.within_irq() => Rc::new(Cause::Unknown),
            _ => Rc::new(Cause::Interrupt { irq: self.interrupts.number(event) }),
        }
    }

    fn within_irq(&self) -> bool {
        self.calls.all().iter().rev().any(|f| matches!(f.data, Open::IrqFrame | Open::Irq))
    }

    /// The same, to be kept: not for ever longer.
    fn lasting_cause(&self, event: &Event<'_>) -> Rc<Cause> {
        let cause = self.cause(event);
        if cause.chain().count() < FARTHEST {
            return cause;
        }
        Rc::new(match &*cause {
            Cause::Work { function, task, .. } => Cause::Work { function: *function, task: *task, by: None },
            Cause::Timer { function, .. } => Cause::Timer { function: *function, by: None },
            Cause::Thread { task, .. } => Cause::Thread { task: *task, by: None },
            other => other.clone(),
        })
    }

    pub(super) fn work_queue(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let Some(work) = words.get(Role::Work).filter(|work| *work != 0) else { return };
        let asked = Asked { from: self.here_in(event, words), by: self.lasting_cause(event) };
        self.causes.works.insert(work, asked);
    }

    pub(super) fn work_run(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) -> Open {
        let function = words.get(Role::WorkFunction).unwrap_or(0);
        let asked = words.get(Role::Work).and_then(|work| self.causes.works.remove(&work));
        if let Some(asked) = &asked {
            // A work item is a context of its own.
            let to = self.here_in(event, words);
            let to = Point { root: to.call, ..to };
            out.handover(&Handover { kind: HandoverKind::Work { function }, from: asked.from, to });
        }
        Open::Work { function, by: asked.map(|asked| asked.by) }
    }

    pub(super) fn timer_start(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let Some(timer) = words.get(Role::Timer).filter(|timer| *timer != 0) else { return };
        let asked = Asked { from: self.here_in(event, words), by: self.lasting_cause(event) };
        self.causes.timers.insert(timer, asked);
    }

    pub(super) fn timer_run(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        out: &mut dyn Sink,
    ) -> Open {
        let function = words.get(Role::TimerFunction).unwrap_or(0);
        let asked = words.get(Role::Timer).and_then(|timer| self.causes.timers.remove(&timer));
        if let Some(asked) = &asked {
            let to = self.here_in(event, words);
            out.handover(&Handover { kind: HandoverKind::Timer { function }, from: asked.from, to });
        }
        Open::Timer { function, by: asked.map(|asked| asked.by) }
    }

    pub(super) fn softirq_raise(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let from = self.here_in(event, words);
        let number =
            words.get(Role::SoftirqNumber).map_or(SOFTIRQS, |nr| (nr & u64::from(u32::MAX)) as usize);
        if let Some(place @ None) = self.causes.raised(event).get_mut(number) {
            *place = Some(from);
            let calls = self.names(&self.functions(event, words.function()));
            out.raised(Raise { number: number as u64, at: from, calls });
        }
    }

    /// The function of a softirq begins.
    pub(super) fn softirq_served(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        number: u8,
        out: &mut dyn Sink,
    ) {
        let to = self.here_in(event, words);
        let place = self.causes.raised(event).get_mut(usize::from(number));
        if let Some(from) = place.and_then(Option::take) {
            out.handover(&Handover { kind: HandoverKind::Softirq { number: number.into() }, from, to });
        }
    }

    pub(super) fn task_new(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let Some(task) = words.get(Role::Task) else { return };
        let woken = Woken {
            from: self.here_in(event, words),
            by: self.lasting_cause(event),
            waker: Waker::Maker,
            runs: false,
        };
        self.causes.woken.insert(task, woken);
    }

    /// `try_to_wake_up` made a task run.
    pub(super) fn woken(&mut self, event: &Event<'_>, call: CallId, function: u16, task: u64) {
        let waker = Waker::Calls(self.functions(event, function));
        let here = self.here(event);
        let from = Point { call: Some(call), root: here.root.or(Some(call)), ..here };
        // One that waits in the middle of its work goes on with it: that its wait is over is no new cause.
        let waits = self.calls.of_task(task).iter().any(|frame| matches!(frame.data, Open::Wait(_)));
        let before = self.causes.woken.get(&task).filter(|_| waits).map(|woken| Rc::clone(&woken.by));
        let by = before.unwrap_or_else(|| self.lasting_cause(event));
        let woken = Woken { from, by, waker, runs: false };
        self.causes.woken.insert(task, woken);
    }

    pub(super) fn task_switch(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let (Some(from), Some(to)) = (words.get(Role::PreviousTask), words.get(Role::NextTask)) else {
            return;
        };
        out.switched(&Switch { clock: event.clock, from, to, call: self.innermost() });
        self.calls.switch(event, to);
        if let Some(blocked) = self.blocked(event, from) {
            self.causes.blocked.insert(from, blocked);
        }
        let blocked = self.causes.blocked.remove(&to);
        let Some(woken) = self.causes.woken.get_mut(&to).filter(|woken| !woken.runs) else { return };
        // It stays, as the cause of what the task does now.
        woken.runs = true;
        let all = self.calls.of_task(to);
        let point = Point {
            clock: event.clock,
            event: self.seen,
            call: all.last().map(|frame| frame.number),
            root: all.first().map(|frame| frame.number),
            task: to,
            level: Level::Task,
        };
        out.handover(&Handover { kind: HandoverKind::Wake { task: to }, from: woken.from, to: point });
        if let Some(blocked) = blocked.filter(|blocked| blocked.clock <= woken.from.clock) {
            out.wait(Wait {
                task: self.tasks.get(to),
                io: blocked.io,
                function: blocked.function.to_string(),
                what: blocked.what.as_deref().unwrap_or_default().to_owned(),
                clocks: (blocked.clock, woken.from.clock, event.clock),
                event: woken.from.event,
                waker: match &woken.waker {
                    Waker::Calls(calls) => calls.iter().map(|function| self.probes.name(*function)).collect(),
                    Waker::Maker => vec!["wake_up_new_task".into()],
                },
                level: woken.from.level,
                waker_task: self.tasks.get(woken.from.task),
            });
        }
    }

    /// What a task that stops running waits in, if that is a system call.
    fn blocked(&self, event: &Event<'_>, task: u64) -> Option<Blocked> {
        let all = self.calls.of_task(task);
        let (at, io) = all.iter().enumerate().rev().find_map(|(at, frame)| match frame.data {
            Open::Syscall { io, .. } => Some((at, io)),
            _ => None,
        })?;
        let inner = &all[at..];
        let waiting = inner.iter().find_map(|frame| match &frame.data {
            Open::Wait(what) => Some((frame.function, Some(Arc::clone(what)))),
            _ => None,
        });
        let (function, what) = waiting.unwrap_or((inner.last()?.function, None));
        Some(Blocked { clock: event.clock, io, function: self.probes.name(function), what })
    }

    /// The task at an address.
    #[must_use]
    pub fn task_at(&self, address: u64) -> Task {
        self.tasks.get(address)
    }
}
