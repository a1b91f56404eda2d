//! The calls that are open, each with its context, and whether it fulfils conditions.

use super::{ContextCall, RecordScope};
use crate::hash::Set;
use crate::model::{Call, CallEnd, CallId, Ending, Task};
use std::collections::BTreeMap;

/// Most open calls. A task that exits never returns from its last calls; the oldest are given up.
const MOST: usize = 1 << 15;

/// Open calls.
#[derive(Debug, Default)]
pub struct OpenContexts {
    /// Name or number of the task that is selected.
    pub task: Option<String>,
    /// The calls of I/Os that are selected; none if conditions are on no I/Os.
    pub calls: Option<Set<CallId>>,
    pub(super) open: BTreeMap<CallId, ContextCall>,
}

impl OpenContexts {
    /// A call begins.
    pub fn enter(&mut self, call: &Call, scope: &RecordScope) -> ContextCall {
        let outer =
            call.parent.filter(|_| call.depth_in_context > 0).and_then(|parent| self.open.get(&parent));
        let task = scope.tasks.get(call.task);
        let within = outer.is_some_and(|outer| outer.selected);
        let entered = ContextCall {
            id: call.id,
            parent: outer.map(|outer| outer.id),
            root: outer.map_or(call.id, |outer| outer.root),
            depth: call.depth,
            clock: call.clock,
            kind: call.kind,
            task,
            level: call.level,
            selected: self.is_task(&task)
                && self.calls.as_ref().is_none_or(|calls| within || calls.contains(&call.id)),
        };
        self.open.insert(call.id, entered.clone());
        entered
    }

    /// The oldest call, if there are too many, as if it had ended at a clock.
    pub fn give_up(&mut self, clock: u64) -> Option<(CallEnd, ContextCall)> {
        let (id, call) = if self.open.len() > MOST { self.open.pop_first()? } else { return None };
        let end = CallEnd {
            id,
            kind: call.kind,
            clock,
            own: 0,
            total: 0,
            ending: Ending::Unseen,
            returned: None,
            returns: None,
        };
        Some((end, call))
    }

    /// Whether what is outside of calls is selected while a task runs.
    pub fn takes_outside(&self, task: &Task) -> bool {
        self.calls.is_none() && self.is_task(task)
    }

    /// A call that is open.
    pub fn get(&self, call: CallId) -> Option<&ContextCall> {
        self.open.get(&call)
    }

    /// A call ended.
    pub fn leave(&mut self, call: CallId) -> Option<ContextCall> {
        self.open.remove(&call)
    }

    fn is_task(&self, task: &Task) -> bool {
        self.task.as_ref().is_none_or(|name| *task.comm.text() == **name || name.parse() == Ok(task.pid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    #[test]
    fn calls_that_never_end_are_given_up() {
        let (mut contexts, scope) = (OpenContexts::default(), RecordScope::default());
        let mut given_up = Vec::new();
        for id in 1..=MOST as u64 + 2 {
            let (level, task, kind) = (Level::Task, 1, 64);
            let call = Call {
                id,
                parent: None,
                depth: 0,
                depth_in_context: 0,
                kind,
                clock: id,
                task,
                level,
                boundary: true,
                caller: 0,
            };
            contexts.enter(&call, &scope);
            given_up.extend(contexts.give_up(id).map(|(end, _)| (end.id, end.clock)));
        }
        let last = MOST as u64;
        assert_eq!((given_up, contexts.open.len()), (vec![(1, last + 1), (2, last + 2)], MOST));
    }
}
