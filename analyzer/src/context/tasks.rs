//! Names of tasks at the moment at hand.

use crate::hash::Map;
use crate::model::{Comm, Task};
use bincode::{Decode, Encode};
use iotrace_format::event::{Event, TASK};

/// Tasks by the address of their `task_struct`.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub struct Tasks(Map<u64, Task>);

impl Tasks {
    /// Takes in an event if it tells of a task.
    pub fn event(&mut self, event: &Event<'_>) {
        if let (true, &[address, pid, tgid, comm0, comm1, ..]) = (event.kind == TASK.id, event.words) {
            let comm = Comm::from_words(comm0, comm1);
            self.0.insert(address, Task { address, pid: pid as u32, tgid: tgid as u32, comm });
        }
    }

    /// Another task is at the address, of which nothing is known yet.
    pub fn forget(&mut self, address: u64) {
        self.0.remove(&address);
    }

    /// All of them, by their thread ids.
    #[must_use]
    pub fn all(&self) -> Vec<Task> {
        let mut all = Vec::from_iter(self.0.values().copied());
        all.sort_unstable_by_key(|task| (task.pid, task.address));
        all
    }

    /// The task at an address; without a name if there was none yet.
    #[must_use]
    pub fn get(&self, address: u64) -> Task {
        self.0.get(&address).copied().unwrap_or(Task { address, ..Task::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::event::MARK;

    fn event(kind: u16, words: &[u64]) -> Event<'_> {
        Event { kind, vcpu: 0, clock: 0, context: 0, task: 0, stack: 0, words }
    }

    fn words(pid: u64, tgid: u64, comm: &[u8; 16]) -> [u64; 5] {
        let (first, second) = Comm::from_text(std::str::from_utf8(comm).unwrap()).words();
        [0x100, pid, tgid, first, second]
    }

    #[test]
    fn a_task_has_the_name_that_it_got_last() {
        let mut tasks = Tasks::default();
        let named = |tasks: &Tasks, address| {
            let Task { address, pid, tgid, comm } = tasks.get(address);
            (address, pid, tgid, comm.to_string())
        };
        tasks.event(&event(TASK.id, &words(7, 5, b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0")));
        assert_eq!(named(&tasks, 0x100), (0x100, 7, 5, "sh".into()));
        tasks.event(&event(TASK.id, &words(7, 5, b"kworker/u8:2-ev\0")));
        assert_eq!(named(&tasks, 0x100), (0x100, 7, 5, "kworker/u8:2-ev".into()));
        assert_eq!(
            named(&tasks, 0x200),
            (0x200, 0, 0, String::new()),
            "nothing is known of it but its address"
        );
    }

    #[test]
    fn other_events_and_truncated_ones_name_no_task() {
        let mut tasks = Tasks::default();
        let words = words(7, 5, b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        tasks.event(&event(MARK.id, &words));
        tasks.event(&event(TASK.id, &words[..4]));
        assert_eq!(tasks.get(0x100).pid, 0);
    }
}
