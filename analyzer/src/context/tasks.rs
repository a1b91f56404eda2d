//! Names of tasks as they were at each moment.

use crate::hash::Map;
use crate::model::{Comm, Task};
use iotrace_format::event::{Event, TASK};

/// Tasks by the address of their `task_struct`.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Map<u64, Task>);

impl Tasks {
    /// Takes in an event if it tells of a task.
    pub fn event(&mut self, event: &Event<'_>) {
        if let (true, &[address, pid, tgid, comm0, comm1, ..]) = (event.kind == TASK.id, event.words) {
            let comm = Comm::from_words(comm0, comm1);
            self.0.insert(address, Task { address, pid: pid as u32, tgid: tgid as u32, comm });
        }
    }

    /// The task at an address; without a name if there was none yet.
    #[must_use]
    pub fn get(&self, address: u64) -> Task {
        self.0.get(&address).copied().unwrap_or(Task { address, ..Task::default() })
    }
}
