//! What a tracker keeps of the calls that are open, from a call's entry to its end.
//!
//! In: the facts of entries and ends. Each tracker has its own, of the type that it needs, so that no tracker sees
//! another one's. A call that the call tracker has given up (too many are open, or the task is gone) is not found any
//! more, and makes room with the next one.

use super::fact::{CallPosition, Context, EndFact, Fact, OpenCall};
use crate::context::Calls;
use crate::model::CallId;
use bincode::{Decode, Encode};

/// States of open calls, for each task's stack of calls the outermost first.
#[derive(Debug, Encode, Decode)]
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
        let stack = self.stack_mut(fact.context.calls.stack_number());
        let oldest = oldest(fact.context.open());
        if stack.first().is_some_and(|(call, _)| *call < oldest) {
            let given_up = stack.partition_point(|(call, _)| *call < oldest);
            stack.drain(..given_up);
        }
        stack.push((call, state));
    }

    /// Keeps a state of the innermost open call, in place of the one that it has: its end is not reported, so that it is
    /// found as long as the call is open.
    pub fn set_innermost(&mut self, context: &Context<'_>, state: T) {
        let open = context.open();
        let Some(innermost) = open.last().map(|call| call.number) else { return };
        let stack = self.stack_mut(context.calls.stack_number());
        let is_open = |call: CallId| open.binary_search_by_key(&call, |call| call.number).is_ok();
        while stack.pop_if(|(call, _)| *call >= innermost || !is_open(*call)).is_some() {}
        stack.push((innermost, state));
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

    /// Those of a stack of calls whose task is gone, the outermost first.
    pub fn take_stack(&mut self, stack: usize) -> Vec<T> {
        let states = self.stacks.get_mut(stack).map(std::mem::take).unwrap_or_default();
        states.into_iter().map(|(_, state)| state).collect()
    }

    /// Those of the context and level at hand, the outermost first.
    pub fn of_context(&self, context: &Context<'_>) -> impl DoubleEndedIterator<Item = &T> {
        let oldest = oldest(context.open()).max(context.first());
        self.since(context.calls.stack_number(), oldest).map(|(_, state)| state)
    }

    /// The same, to be changed.
    pub fn of_context_mut(&mut self, context: &Context<'_>) -> impl DoubleEndedIterator<Item = &mut T> {
        let oldest = oldest(context.open()).max(context.first());
        let stack = self.stacks.get_mut(context.calls.stack_number()).map_or(&mut [][..], Vec::as_mut_slice);
        let begin = stack.partition_point(|(call, _)| *call < oldest);
        stack[begin..].iter_mut().map(|(_, state)| state)
    }

    /// Those of the task at hand and of what interrupted it, the outermost first.
    pub fn of_stack(&self, context: &Context<'_>) -> impl DoubleEndedIterator<Item = &T> {
        let oldest = oldest(context.open());
        self.since(context.calls.stack_number(), oldest).map(|(_, state)| state)
    }

    /// Those of a task, the outermost first.
    pub fn of_task(&self, context: &Context<'_>, task: u64) -> impl DoubleEndedIterator<Item = &T> {
        self.numbered(context.calls, task).map(|(_, state)| state)
    }

    /// The same, with the calls' numbers.
    pub fn numbered(
        &self,
        calls: &Calls<CallPosition>,
        task: u64,
    ) -> impl DoubleEndedIterator<Item = (CallId, &T)> {
        let stack = calls.stack_number_of(task).unwrap_or(usize::MAX);
        self.since(stack, oldest(calls.of_task(task)))
    }

    /// The state of a call in a stack of calls.
    pub fn get_mut(&mut self, stack: usize, call: CallId) -> Option<&mut T> {
        let stack = self.stacks.get_mut(stack)?;
        stack.iter_mut().find(|(number, _)| *number == call).map(|(_, state)| state)
    }

    fn since(&self, stack: usize, oldest: CallId) -> impl DoubleEndedIterator<Item = (CallId, &T)> {
        let stack = self.stacks.get(stack).map_or(&[][..], Vec::as_slice);
        let begin = stack.partition_point(|(call, _)| *call < oldest);
        stack[begin..].iter().map(|(call, state)| (*call, state))
    }

    fn stack_mut(&mut self, at: usize) -> &mut Vec<(CallId, T)> {
        if self.stacks.len() <= at {
            self.stacks.resize_with(at + 1, Vec::new);
        }
        &mut self.stacks[at]
    }
}

/// The number of the outermost of some open calls; the largest if there are none.
fn oldest(open: &[OpenCall]) -> CallId {
    open.first().map_or(CallId::MAX, |call| call.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::DEEPEST;
    use crate::trackers::fixture::FactSource;
    use crate::trackers::timelines::{HARDIRQ, KWORKER, TASK};

    type Names = CallStates<&'static str>;

    const NONE: Vec<&str> = Vec::new();

    fn enter(source: &mut FactSource, states: &mut Names, stage: &str, name: &'static str) {
        source.enter(1, stage, &[], |fact| states.insert(fact, name));
    }

    fn exit(source: &mut FactSource, states: &mut Names, stage: &str) -> Option<&'static str> {
        source.exit(1, stage, 0, |end| states.remove(end))
    }

    /// Those of the context, of the stack, and of a task.
    fn all(source: &mut FactSource, states: &mut Names, task: u64) -> [Vec<&'static str>; 3] {
        source.at(1, &[], |context| {
            let of_context: Vec<_> = states.of_context(context).copied().collect();
            let mutable: Vec<_> = states.of_context_mut(context).map(|name| *name).collect();
            assert_eq!(of_context, mutable);
            let (stack, task) = (states.of_stack(context), states.of_task(context, task));
            [of_context, stack.copied().collect(), task.copied().collect()]
        })
    }

    #[test]
    fn a_state_is_kept_from_the_entry_to_the_end() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        source.reach_only(1, "hw.run", &[], |fact| states.insert(fact, "without an end"));
        assert_eq!(all(&mut source, &mut states, TASK), [NONE; 3]);
        enter(&mut source, &mut states, "hw.run", "run");
        source.enter(1, "hw.work", &[], |_| ());
        enter(&mut source, &mut states, "hw.restart", "restart");
        assert_eq!(all(&mut source, &mut states, TASK), [["run", "restart"]; 3]);
        assert_eq!(exit(&mut source, &mut states, "hw.restart"), Some("restart"));
        assert_eq!(exit(&mut source, &mut states, "hw.work"), None, "it has none");
        assert_eq!(all(&mut source, &mut states, TASK), [["run"]; 3]);
        assert_eq!(exit(&mut source, &mut states, "hw.run"), Some("run"));
        assert_eq!(all(&mut source, &mut states, TASK), [NONE; 3]);
    }

    #[test]
    fn a_context_and_a_level_have_their_own() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        enter(&mut source, &mut states, "hw.run", "run");
        enter(&mut source, &mut states, "sys.write", "write");
        enter(&mut source, &mut states, "vfs.write", "file");
        let both = ["run", "write", "file"];
        let expected = [both[1..].to_vec(), both.to_vec(), both.to_vec()];
        assert_eq!(all(&mut source, &mut states, TASK), expected);
        source.context = HARDIRQ;
        assert_eq!(all(&mut source, &mut states, TASK)[0], NONE);
        enter(&mut source, &mut states, "irq.driver", "driver");
        assert_eq!(all(&mut source, &mut states, TASK)[0], ["driver"]);
        assert_eq!(all(&mut source, &mut states, KWORKER)[2], NONE);
    }

    #[test]
    fn a_task_has_its_own() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        enter(&mut source, &mut states, "hw.run", "run");
        source.switch(2, KWORKER, |_| ());
        enter(&mut source, &mut states, "hw.run", "other");
        let [of_context, stack, task] = all(&mut source, &mut states, TASK);
        assert_eq!((of_context, stack, task), (vec!["other"], vec!["other"], vec!["run"]));
        assert_eq!(exit(&mut source, &mut states, "hw.run"), Some("other"));
    }

    #[test]
    fn a_state_can_be_changed() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        enter(&mut source, &mut states, "hw.run", "run");
        source.at(1, &[], |context| states.of_context_mut(context).for_each(|name| *name = "changed"));
        assert_eq!(exit(&mut source, &mut states, "hw.run"), Some("changed"));
    }

    // The task's address is another one's now, and its calls are gone: what was kept of them is, with the next one.
    #[test]
    fn what_the_call_tracker_gave_up_is_not_found_and_makes_room() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        enter(&mut source, &mut states, "hw.run", "run");
        source.name_task(TASK, 43, *b"other\0\0\0");
        assert_eq!(all(&mut source, &mut states, TASK), [NONE; 3]);
        enter(&mut source, &mut states, "hw.work", "work");
        assert_eq!(states.stacks[1].len(), 1);
        assert_eq!(all(&mut source, &mut states, TASK), [["work"]; 3]);
    }

    /// States of calls whose ends are not reported are no more than calls are open.
    #[test]
    fn the_innermost_call_has_one_state_at_most() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        source.enter(1, "hw.run", &[], |_| ());
        for _ in 0..100 {
            source.enter(1, "hw.work", &[], |_| ());
            for name in ["first", "second"] {
                source.at(1, &[], |context| states.set_innermost(context, name));
            }
            assert_eq!(all(&mut source, &mut states, TASK)[1], ["second"]);
            source.exit(1, "hw.work", 0, |_| ());
        }
        source.at(1, &[], |context| states.set_innermost(context, "outer"));
        assert_eq!(all(&mut source, &mut states, TASK)[1], ["outer"]);
        assert_eq!(states.stacks[1].len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_calls_are_open() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        for _ in 0..3 * DEEPEST {
            enter(&mut source, &mut states, "hw.run", "run");
        }
        assert!(states.stacks[1].len() <= DEEPEST + 64, "{}", states.stacks[1].len());
    }

    // What an end was not reported of does not hide what is below.
    #[test]
    fn states_above_the_one_that_ended_are_dropped() {
        let (mut source, mut states) = (FactSource::default(), Names::default());
        enter(&mut source, &mut states, "hw.run", "run");
        enter(&mut source, &mut states, "hw.work", "work");
        source.exit(1, "hw.work", 0, |_| ());
        assert_eq!(exit(&mut source, &mut states, "hw.run"), Some("run"));
        assert_eq!(states.stacks[1].len(), 0);
    }
}
