//! Hand-offs under way, as a part of a trace states them, and back.

use super::{FARTHEST, OriginState, OriginTracker, PendingWork, TaskWaker, WokenTask};
use crate::context::{Calls, Tasks};
use crate::model::{Cause, Comm, Level, Point, Task};
use crate::trackers::fact::CallPosition;
use crate::trackers::probes::Probes;
use iotrace_format::definition::{HandOffPoint, HandOffTarget, OriginStep, OriginTask, PendingHandOff};
use std::sync::Arc;

impl OriginTracker {
    /// All that was asked for and has not begun, what tasks run for, and what calls under way were made for; to be known
    /// before an event, by its number.
    pub fn hand_offs(&self, event: u64, calls: &Calls<CallPosition>, probes: &Probes) -> Vec<PendingHandOff> {
        let asked =
            |target, (key, asked): (&u64, &PendingWork)| pending(target, *key, asked.from, Some(&asked.by));
        let works = self.works.iter().map(|of| asked(HandOffTarget::Work, of));
        let timers = self.timers.iter().map(|of| asked(HandOffTarget::Timer, of));
        let woken = self.woken.iter().map(|(task, woken)| PendingHandOff {
            begun: woken.runs,
            waker: woken.waker.names(probes).iter().map(ToString::to_string).collect(),
            ..pending(HandOffTarget::Task, *task, woken.from, Some(&woken.by))
        });
        let raised = self.raised.iter().flat_map(|(vcpu, raised)| {
            let raised = raised.iter().zip(0..).filter_map(|(from, number)| Some(((*from)?, number)));
            raised.map(|(from, number)| PendingHandOff {
                vcpu: *vcpu,
                ..pending(HandOffTarget::Softirq, number, from, None)
            })
        });
        let of_calls = self.of_calls(calls);
        let mut all: Vec<_> = works.chain(timers).chain(woken).chain(raised).chain(of_calls).collect();
        all.iter_mut().for_each(|pending| pending.event = event);
        all.sort_by_key(|pending| (pending.target as u8, pending.key, pending.vcpu));
        all
    }

    /// What the work items and timers under way were asked for by.
    fn of_calls(&self, calls: &Calls<CallPosition>) -> Vec<PendingHandOff> {
        let mut all = Vec::new();
        for (task, _) in calls.stacks() {
            let of_task = point(HandOffPoint { task, ..HandOffPoint::default() });
            let by = self.calls.numbered(calls, task).filter_map(|(call, state)| match state {
                OriginState::Work { by, .. } | OriginState::Timer { by, .. } => Some((call, by.as_ref()?)),
                _ => None,
            });
            all.extend(by.map(|(call, by)| pending(HandOffTarget::Call, call, of_task, Some(by))));
        }
        all
    }

    /// Takes in what a part of a trace states.
    pub fn restore(&mut self, hand_off: &PendingHandOff, calls: &Calls<CallPosition>, tasks: &Tasks) {
        let PendingHandOff { key, vcpu, begun, .. } = *hand_off;
        let (from, by) = (point(hand_off.from), cause(&hand_off.origin));
        match (hand_off.target, by) {
            (HandOffTarget::Work, Some(by)) => _ = self.works.insert(key, PendingWork { from, by }),
            (HandOffTarget::Timer, Some(by)) => _ = self.timers.insert(key, PendingWork { from, by }),
            (HandOffTarget::Task, Some(by)) => {
                let waker =
                    TaskWaker::Stated(hand_off.waker.iter().map(|name| name.as_str().into()).collect());
                let waker_task = tasks.get(from.task);
                self.woken.insert(key, WokenTask { from, by, waker, waker_task, runs: begun });
            }
            (HandOffTarget::Softirq, _) => {
                let raised = self.raised.entry(vcpu).or_default();
                if let Some(place) = usize::try_from(key).ok().and_then(|number| raised.get_mut(number)) {
                    *place = Some(from);
                }
            }
            (HandOffTarget::Call, Some(cause)) => {
                let state = calls.stack_number_of(from.task).and_then(|stack| self.calls.get_mut(stack, key));
                if let Some(OriginState::Work { by, .. } | OriginState::Timer { by, .. }) = state {
                    *by = Some(cause);
                }
            }
            (_, None) => {}
        }
    }
}

/// What was asked for at a point; of which event it is to be known before is not said yet.
fn pending(target: HandOffTarget, key: u64, from: Point, by: Option<&Arc<Cause>>) -> PendingHandOff {
    let Point { clock, event, call, root, task, level, .. } = from;
    let context = level.preempt_count();
    PendingHandOff {
        event: 0,
        target,
        key,
        vcpu: 0,
        from: HandOffPoint { clock, event, call, root, task, context },
        begun: false,
        waker: Vec::new(),
        origin: by.iter().flat_map(|by| by.chain()).map(step).collect(),
    }
}

fn point(from: HandOffPoint) -> Point {
    let HandOffPoint { clock, event, call, root, task, context } = from;
    Point { clock, event, call, root, task, level: Level::of(context), completes: None }
}

fn named(task: &Task) -> OriginTask {
    let Task { address, pid, tgid, comm } = *task;
    OriginTask { address, pid, tgid, comm: comm.words() }
}

fn task(named: &OriginTask) -> Task {
    let OriginTask { address, pid, tgid, comm } = *named;
    Task { address, pid, tgid, comm: Comm::from_words(comm.0, comm.1) }
}

fn step(cause: &Cause) -> OriginStep {
    match cause {
        Cause::Syscall { io, name, task } => OriginStep::Syscall(*io, name.to_string(), named(task)),
        Cause::Fault { io, address, task, .. } => OriginStep::Fault(*io, *address, named(task)),
        // Bios alone have such a cause, which is made when they are queued.
        Cause::Kernel { .. } => OriginStep::Unknown,
        Cause::Work { function, task, .. } => OriginStep::Work(*function, named(task)),
        Cause::Timer { function, .. } => OriginStep::Timer(*function),
        Cause::Interrupt { irq } => OriginStep::Interrupt(*irq),
        Cause::Softirq => OriginStep::Softirq,
        Cause::Thread { task, .. } => OriginStep::Thread(named(task)),
        Cause::Unknown => OriginStep::Unknown,
    }
}

/// The cause that its steps make; no longer than it is kept.
fn cause(steps: &[OriginStep]) -> Option<Arc<Cause>> {
    steps.iter().take(FARTHEST).rev().fold(None, |by, step| {
        Some(Arc::new(match step {
            OriginStep::Syscall(io, name, of) => {
                Cause::Syscall { io: *io, name: name.as_str().into(), task: task(of) }
            }
            OriginStep::Fault(io, address, of) => {
                Cause::Fault { io: *io, address: *address, task: task(of), by }
            }
            OriginStep::Work(function, of) => Cause::Work { function: *function, task: task(of), by },
            OriginStep::Timer(function) => Cause::Timer { function: *function, by },
            OriginStep::Interrupt(irq) => Cause::Interrupt { irq: *irq },
            OriginStep::Softirq => Cause::Softirq,
            OriginStep::Thread(of) => Cause::Thread { task: task(of), by },
            OriginStep::Unknown => Cause::Unknown,
        }))
    })
}
