//! What was executed for others while an I/O was under way: by other tasks, and in interrupts that are not its own.
//!
//! In: which task runs from when on, what was executed in interrupts and softirqs. Out: instructions between two clocks,
//! without those of a task itself and of idle tasks. Of several vCPUs, whose clocks run side by side, nothing is said.

use crate::hash::{Map, Set};
use crate::model::Task;

/// Stretches of execution that do not overlap, in the order of time, and their sums.
#[derive(Debug, Default)]
struct RunSums(Vec<RunSum>);

#[derive(Debug, Clone, Copy)]
struct RunSum {
    from: u64,
    to: u64,
    /// Instructions of all before it.
    before: u64,
}

impl RunSums {
    /// Something ran from one clock to another.
    fn ran(&mut self, from: u64, to: u64) {
        match self.0.last_mut() {
            Some(last) if last.to >= from => last.to = last.to.max(to),
            last => {
                let before = last.map_or(0, |last| last.before + (last.to - last.from));
                self.0.push(RunSum { from, to: to.max(from), before });
            }
        }
    }

    /// Instructions up to a clock.
    fn upto(&self, clock: u64) -> u64 {
        let after = self.0.partition_point(|run| run.from < clock);
        let last = after.checked_sub(1).map(|at| self.0[at]);
        last.map_or(0, |run| run.before + (run.to.min(clock) - run.from))
    }

    fn between(&self, from: u64, to: u64) -> u64 {
        self.upto(to).saturating_sub(self.upto(from))
    }
}

/// What runs on the vCPU.
#[derive(Debug, Clone, Copy)]
struct Running {
    task: u64,
    since: u64,
}

/// Who ran when.
#[derive(Debug, Default)]
pub struct ExecutionLog {
    running: Option<Running>,
    /// Tasks that run when nothing else does.
    idle: Set<u64>,
    /// When each task ran or was interrupted.
    tasks: Map<u64, RunSums>,
    /// The same of all tasks that are not idle.
    busy: RunSums,
    /// Interrupts, of the tasks that they interrupted.
    interrupts: Map<u64, RunSums>,
    /// Interrupts of idle tasks.
    idle_interrupts: RunSums,
    has_several_vcpus: bool,
}

impl ExecutionLog {
    /// A task has this name.
    pub fn named(&mut self, address: u64, task: &Task) {
        let is_idle = task.pid == 0 && task.comm.to_string().starts_with("swapper");
        if is_idle {
            self.idle.insert(address);
        } else {
            self.idle.remove(&address);
        }
    }

    /// An event happened while a task ran, or in an interrupt of it.
    pub fn at(&mut self, clock: u64, task: u64, vcpu: u16) {
        self.has_several_vcpus |= vcpu != 0;
        // At a switch the event is still the last task's.
        if self.running.is_none_or(|running| running.task != task && running.since < clock) {
            self.switched(clock, task);
        }
    }

    /// A task runs from here on.
    pub fn switched(&mut self, clock: u64, task: u64) {
        self.settle(clock);
        self.running = Some(Running { task, since: clock });
    }

    /// It is known up to here what ran.
    pub fn settle(&mut self, clock: u64) {
        let Some(Running { task, since }) = &mut self.running else { return };
        if clock > *since {
            self.tasks.entry(*task).or_default().ran(*since, clock);
            if !self.idle.contains(task) {
                self.busy.ran(*since, clock);
            }
            *since = clock;
        }
    }

    /// An interrupt or a softirq ran.
    pub fn interrupt_ran(&mut self, from: u64, to: u64) {
        let Some(Running { task, .. }) = self.running else { return };
        if self.idle.contains(&task) {
            self.idle_interrupts.ran(from, to);
        } else {
            self.interrupts.entry(task).or_default().ran(from, to);
        }
    }

    /// Instructions between two clocks of other tasks than this one, and of all interrupts.
    pub fn of_others(&self, task: u64, from: u64, to: u64) -> u64 {
        if self.has_several_vcpus {
            return 0;
        }
        let of = |sums: &Map<u64, RunSums>| sums.get(&task).map_or(0, |sums| sums.between(from, to));
        let all = self.busy.between(from, to) + self.idle_interrupts.between(from, to);
        (all + of(&self.interrupts)).saturating_sub(of(&self.tasks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Comm;

    const OURS: u64 = 1;
    const BUSY: u64 = 2;
    const IDLE: u64 = 3;

    // ours 0..100 with an interrupt 40..50, busy 100..160 with one 110..115, idle 160..300 with one 200..230, ours 300..
    fn log() -> ExecutionLog {
        let mut log = ExecutionLog::default();
        let comm = Comm::from_words(u64::from_le_bytes(*b"swapper/"), u64::from(b'0'));
        log.named(IDLE, &Task { address: IDLE, pid: 0, tgid: 0, comm });
        log.named(BUSY, &Task::default());
        log.at(0, OURS, 0);
        log.interrupt_ran(40, 50);
        log.at(50, OURS, 0);
        log.switched(100, BUSY);
        log.at(100, OURS, 0);
        log.interrupt_ran(110, 115);
        log.switched(160, IDLE);
        log.interrupt_ran(200, 230);
        log.switched(300, OURS);
        log.settle(400);
        log
    }

    #[test]
    fn other_tasks_and_interrupts_are_others_and_idle_tasks_are_not() {
        let log = log();
        for (from, to, expected) in [
            (0, 40, 0),
            (0, 100, 10),
            (45, 130, 5 + 30),
            (100, 160, 60),
            (160, 300, 30),
            (210, 220, 10),
            (300, 400, 0),
            (0, 400, 10 + 60 + 30),
        ] {
            assert_eq!(log.of_others(OURS, from, to), expected, "{from} to {to}");
        }
        assert_eq!(log.of_others(BUSY, 0, 400), 200 + 5 + 30);
    }

    #[test]
    fn nothing_is_said_of_several_vcpus() {
        let mut log = log();
        log.at(401, OURS, 1);
        assert_eq!(log.of_others(OURS, 0, 400), 0);
    }

    #[test]
    fn a_task_that_was_not_switched_to_runs_from_its_first_event_on() {
        let mut log = ExecutionLog::default();
        log.at(10, OURS, 0);
        log.at(30, BUSY, 0);
        log.settle(50);
        assert_eq!(log.of_others(OURS, 0, 100), 20);
    }
}
