//! What a tracker keeps of the calls that are open, from a call's entry to its end.
//!
//! In: the facts of entries and ends. Each tracker has its own, of the type that it needs, so that no tracker sees
//! another one's. A call that the call tracker has given up (too many are open, or the task is gone) is not found any
//! more, and makes room with the next one.

use super::fact::{Context, EndFact, Fact};
use crate::model::CallId;

/// States of open calls, for each task's stack of calls the outermost first.
#[derive(Debug)]
pub struct CallStates<T> {
    stacks: Vec<Vec<(CallId, T)>>,
}

impl<T> Default for CallStates<T> {
    fn default() -> Self {
        Self { stacks: Vec::new() }
    }
}

impl<T> CallStates<T> {
    /// Keeps a state up to the end of the call that begins; if none does, there is nothing to keep.
    pub fn insert(&mut self, fact: &Fact<'_>, state: T) {
        let Some(call) = fact.call else { return };
        let at = fact.context.calls.stack_number();
        if self.stacks.len() <= at {
            self.stacks.resize_with(at + 1, Vec::new);
        }
        let stack = &mut self.stacks[at];
        let oldest = fact.context.open().first().map_or(CallId::MAX, |call| call.number);
        if stack.first().is_some_and(|(call, _)| *call < oldest) {
            let given_up = stack.partition_point(|(call, _)| *call < oldest);
            stack.drain(..given_up);
        }
        stack.push((call, state));
    }

    /// The state of a call that has ended, if it has one.
    pub fn remove(&mut self, end: &EndFact<'_>) -> Option<T> {
        let stack = self.stacks.get_mut(end.context.calls.stack_number())?;
        while let Some((call, state)) = stack.pop_if(|(call, _)| *call >= end.call.id) {
            if call == end.call.id {
                return Some(state);
            }
        }
        None
    }

    /// Those of the context and level at hand, the outermost first.
    pub fn of_context(&self, context: &Context<'_>) -> impl DoubleEndedIterator<Item = &T> {
        let oldest = context.open().first().map_or(CallId::MAX, |call| call.number);
        self.since(context.calls.stack_number(), oldest.max(context.first()))
    }

    /// The same, to be changed.
    pub fn of_context_mut(&mut self, context: &Context<'_>) -> impl DoubleEndedIterator<Item = &mut T> {
        let oldest = context.open().first().map_or(CallId::MAX, |call| call.number).max(context.first());
        let stack = self.stacks.get_mut(context.calls.stack_number()).map_or(&mut [][..], Vec::as_mut_slice);
        let begin = stack.partition_point(|(call, _)| *call < oldest);
        stack[begin..].iter_mut().map(|(_, state)| state)
    }

    /// Those of the task at hand and of what interrupted it, the outermost first.
    pub fn of_stack(&self, context: &Context<'_>) -> impl DoubleEndedIterator<Item = &T> {
        let oldest = context.open().first().map_or(CallId::MAX, |call| call.number);
        self.since(context.calls.stack_number(), oldest)
    }

    /// Those of a task, the outermost first.
    pub fn of_task(&self, context: &Context<'_>, task: u64) -> impl DoubleEndedIterator<Item = &T> {
        let oldest = context.calls.of_task(task).first().map_or(CallId::MAX, |call| call.number);
        self.since(context.calls.stack_number_of(task).unwrap_or(usize::MAX), oldest)
    }

    fn since(&self, stack: usize, oldest: CallId) -> impl DoubleEndedIterator<Item = &T> {
        let stack = self.stacks.get(stack).map_or(&[][..], Vec::as_slice);
        let begin = stack.partition_point(|(call, _)| *call < oldest);
        stack[begin..].iter().map(|(_, state)| state)
    }
}
