//! The calls that are open, each with its context, and whether it fulfils conditions.

use super::{ContextCall, RecordScope};
use crate::hash::{Map, Set};
use crate::model::{Call, CallId, Task};

/// Open calls.
#[derive(Debug, Default)]
pub struct OpenContexts {
    /// Name or number of the task that is selected.
    pub task: Option<String>,
    /// The calls of I/Os that are selected; none if conditions are on no I/Os.
    pub calls: Option<Set<CallId>>,
    pub(super) open: Map<CallId, ContextCall>,
}

impl OpenContexts {
    /// A call begins.
    pub fn enter(&mut self, call: &Call, scope: &RecordScope) -> &ContextCall {
        let outer =
            call.parent.filter(|_| call.depth_in_context > 0).and_then(|parent| self.open.get(&parent));
        let task = scope.tasks.get(call.task);
        let within = outer.is_some_and(|outer| outer.selected);
        let entered = ContextCall {
            id: call.id,
            parent: outer.map(|outer| outer.id),
            root: outer.map_or(call.id, |outer| outer.root),
            clock: call.clock,
            task,
            level: call.level,
            selected: self.is_task(&task)
                && self.calls.as_ref().is_none_or(|calls| within || calls.contains(&call.id)),
        };
        self.open.entry(call.id).insert_entry(entered).into_mut()
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
