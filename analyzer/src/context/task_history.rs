//! Names of tasks at every clock of a stretch of a trace, for what is described once the stretch was read.
//!
//! In: the names at its begin, what its events tell of tasks, with clocks in instructions. Out: the task that was at an
//! address at a clock. Memory follows the names that are recorded in the stretch.

use super::Tasks;
use crate::hash::Map;
use crate::model::Task;

/// Tasks by the addresses of their `task_struct`, each from its first clock on.
#[derive(Debug, Clone, Default)]
pub struct TaskHistory {
    begun: Tasks,
    /// Of each address the names that were recorded of it, in order; a task of which nothing is known yet has no name.
    named: Map<u64, Vec<(u64, Task)>>,
}

impl TaskHistory {
    /// The stretch begins with these tasks.
    pub fn resume(&mut self, tasks: &Tasks) {
        self.begun = tasks.clone();
    }

    /// From this clock on the task is at its address.
    pub fn tell(&mut self, clock: u64, task: Task) {
        let named = self.named.entry(task.address).or_default();
        // Clocks of several vCPUs may be out of order: what was recorded last holds.
        let clock = named.last().map_or(clock, |(last, _)| clock.max(*last));
        named.push((clock, task));
    }

    /// The task at an address at a clock. A task that has no name yet is known by the first that it gets.
    #[must_use]
    pub fn at(&self, address: u64, clock: u64) -> Task {
        let named = self.named.get(&address).map_or(&[][..], Vec::as_slice);
        let after = named.partition_point(|(since, _)| *since <= clock);
        let task = after.checked_sub(1).map_or_else(|| self.begun.get(address), |at| named[at].1);
        match named.get(after) {
            Some((_, named)) if !task.is_known() => *named,
            _ => task,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Comm;
    use iotrace_format::event::{Event, TASK};

    fn task(pid: u32, comm: &str) -> Task {
        Task { address: 0x100, pid, tgid: pid, comm: Comm::from_text(comm) }
    }

    #[test]
    fn a_task_has_the_name_of_the_clock() {
        let mut history = TaskHistory::default();
        let (first, second) = Comm::from_text("sh").words();
        let words = [0x100, 7, 7, first, second];
        let mut tasks = Tasks::default();
        tasks.event(&Event {
            kind: TASK.id,
            vcpu: 0,
            clock: 1,
            context: 0,
            task: 0,
            stack: 0,
            words: &words,
        });
        history.resume(&tasks);
        history.tell(20, task(7, "dd"));
        // It ends; from 30 on another one is there, which has no name before 35.
        history.tell(30, Task { address: 0x100, ..Task::default() });
        history.tell(35, task(9, "cat"));
        // Another vCPU's clock, which is behind.
        history.tell(33, task(9, "cp"));
        let at = |clock| history.at(0x100, clock);
        let named =
            [(0, 7, "sh"), (19, 7, "sh"), (20, 7, "dd"), (29, 7, "dd"), (30, 9, "cat"), (35, 9, "cp")];
        for (clock, pid, comm) in named {
            assert_eq!(at(clock), task(pid, comm), "{clock}");
        }
        assert_eq!(history.at(0x200, 30), Task { address: 0x200, ..Task::default() });
    }
}
