//! In which function a task waits.
//!
//! In: facts of functions whose stage is a wait, called or inlined; the open calls of a task. Out: the innermost wait
//! of the innermost I/O, and that I/O.
//!
//! Functions that many waits use (`task.block`) do not say what for: the wait around them does. Without one, the
//! outermost of them says most: `wait_for_completion`, not the `schedule_timeout` that it calls.
//!
//! The end of an inlined wait has no event. It counts as long as the call that it is in has called nothing but
//! functions of the scheduler.

use super::{OriginState, OriginTracker};
use crate::context::Calls;
use crate::model::CallId;
use crate::trackers::fact::{BegunIo, CallPosition, Context, Fact, OpenCall};
use bincode::{Decode, Encode};
use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;
use std::iter::Peekable;
use std::sync::Arc;

/// A function in which tasks wait.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WaitFunction {
    /// Its number.
    pub function: u16,
    /// What it waits for, or the means.
    pub what: Arc<str>,
    /// Many waits use it.
    pub is_means: bool,
    /// Number of the event with which it began.
    pub event: u64,
}

impl WaitFunction {
    /// The function that has reached its stage, if that is a wait.
    pub fn of(fact: &Fact<'_>) -> Option<Self> {
        let (what, is_means) = match fact.stage {
            // Earlier catalogs have `schedule_timeout`, which many waits use, as a wait for a timer.
            Stage::Wait(what) => (what, &**what == "timer"),
            Stage::Block(means) => (means, true),
            _ => return None,
        };
        let (function, event) = (fact.roles.function(), fact.context.number);
        Some(Self { function, what: Arc::clone(what), is_means, event })
    }
}

/// What was found on the way from the innermost call outwards.
#[derive(Debug, Default)]
struct FoundWaits<'a> {
    wait: Option<&'a WaitFunction>,
    means: Option<&'a WaitFunction>,
}

impl<'a> FoundWaits<'a> {
    fn add(&mut self, found: &'a WaitFunction) {
        match (self.wait, found.is_means) {
            (Some(_), _) => {}
            (None, true) => self.means = Some(found),
            (None, false) => self.wait = Some(found),
        }
    }
}

impl OriginTracker {
    /// Waits in inlined functions of calls that are open: the call's number, that of the event.
    pub fn inlined_waits(&self, calls: &Calls<CallPosition>) -> impl Iterator<Item = (CallId, u64)> {
        let of_task = move |task| self.inlined_waits.numbered(calls, task);
        calls.stacks().flat_map(move |(task, _)| of_task(task).map(|(call, wait)| (call, wait.event)))
    }

    /// In which function a task waits, within the innermost I/O that it has begun, and that I/O.
    pub(super) fn waiting(
        &self,
        context: &Context<'_>,
        task: u64,
    ) -> (Option<&WaitFunction>, Option<&BegunIo>) {
        let open = context.calls.of_task(task);
        let mut states = self.calls.numbered(context.calls, task).rev().peekable();
        let mut inlined = self.inlined_waits.numbered(context.calls, task).rev().peekable();
        let (mut found, mut called_others) = (FoundWaits::default(), false);
        let mut io = None;
        for call in open.iter().rev() {
            if let Some(wait) = state_of(&mut inlined, call.number).filter(|_| !called_others) {
                found.add(wait);
            }
            called_others |= !is_scheduler(context, call);
            match state_of(&mut states, call.number) {
                Some(OriginState::Wait(wait)) => found.add(wait),
                Some(OriginState::Io(begun)) => {
                    io = Some(begun);
                    break;
                }
                _ => {}
            }
        }
        (found.wait.or(found.means), io)
    }
}

/// Whether a call is one by which a task stops running.
fn is_scheduler(context: &Context<'_>, call: &OpenCall) -> bool {
    context.probes.layer(call.function) == Layer::Sched
        || context.probes.stage(call.kind) == Some(&Stage::TaskSwitch)
}

/// The state of a call, of states with the innermost call first.
fn state_of<'a, T>(
    states: &mut Peekable<impl Iterator<Item = (CallId, &'a T)>>,
    call: CallId,
) -> Option<&'a T> {
    while states.next_if(|(number, _)| *number > call).is_some() {}
    states.next_if(|(number, _)| *number == call).map(|(_, state)| state)
}
