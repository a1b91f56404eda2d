//! What the workload uses again of what was there before it: addresses of tasks that are gone, and their stacks.

use super::original::alignment;
use iotrace::model::{Definitions, Level};
use iotrace::reader::{Flow, Visitor};
use iotrace_format::event::{Event, MARK, MARK_BEGIN, TASK};
use std::collections::{HashMap, HashSet};

/// Finds tasks that begin in the workload where another one was before.
#[derive(Debug, Default)]
pub struct RenewedTasks {
    /// Their addresses, and the numbers of their stacks.
    pub found: HashSet<u64>,
    pids: HashMap<u64, u64>,
    in_workload: bool,
}

impl Visitor for RenewedTasks {
    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.in_workload |= event.kind == MARK.id && event.words.first() == Some(&MARK_BEGIN);
        if let (true, &[address, pid, ..]) = (event.kind == TASK.id, event.words) {
            let before = self.pids.insert(address, pid);
            if self.in_workload && before.is_some_and(|before| before != pid) {
                self.found.insert(address);
            }
        }
        if self.found.contains(&event.task) && Level::of(event.context) == Level::Task {
            self.found.insert(event.stack >> alignment());
        }
        Flow::Continue
    }
}
