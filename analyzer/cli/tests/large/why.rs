//! `why`: waits that go far back, and many of them.

use super::crafted::{Crafted, HARDIRQ, TASK_A, TASK_B};
use super::{MANY, ask, line};
use iotrace_format::definition::At;

/// Task 0 of the only vCPU.
const IDLE: u64 = 0xffff_8880_0000_3000;

/// A guest of two tasks that wake each other.
struct Guest {
    trace: Crafted,
    fsync: (u16, u16),
    wake: (u16, u16),
    switch: u16,
    /// All events happen after this clock, as long as there is one.
    stands: Option<u64>,
}

impl Guest {
    fn new() -> Self {
        let mut trace = Crafted::default();
        let (fsync, wake) = (trace.call("sys.fsync", &["fd"]), trace.call("task.wake", &["task"]));
        let switch = trace.probe("task.switch", At::Entry, &["prev", "next"]);
        (1..).zip([TASK_A, TASK_B]).for_each(|(pid, task)| trace.name_task(task, pid));
        Self { trace, fsync, wake, switch, stands: None }
    }

    fn event(&mut self, kind: u16, words: &[u64]) {
        self.trace.clock = self.stands.unwrap_or(self.trace.clock);
        self.trace.event(kind, words);
    }

    fn begin(&mut self) {
        self.event(self.fsync.0, &[3]);
    }

    fn end(&mut self) {
        self.event(self.fsync.1, &[0]);
    }

    fn wake(&mut self, task: u64) {
        self.event(self.wake.0, &[task]);
        self.event(self.wake.1, &[1]);
    }

    fn switch(&mut self, to: u64) {
        self.event(self.switch, &[self.trace.task, to]);
        self.trace.task = to;
    }
}

/// Each of two tasks was woken by the other, which had been woken by the first.
pub fn waits_in_a_row(count: u64) -> Vec<u8> {
    let mut guest = Guest::new();
    guest.begin();
    for _ in 0..count {
        guest.wake(TASK_B);
        guest.switch(TASK_B);
        guest.wake(TASK_A);
        guest.switch(TASK_A);
    }
    guest.end();
    guest.trace.file()
}

/// Two tasks that have slept wake each other, all at one clock.
pub fn waits_at_once(count: u64) -> Vec<u8> {
    let mut guest = Guest::new();
    guest.begin();
    guest.switch(IDLE);
    guest.stands = Some(guest.trace.clock + 1000);
    guest.switch(TASK_B);
    for _ in 0..count {
        for other in [TASK_A, TASK_B] {
            guest.wake(other);
            guest.switch(other);
        }
    }
    guest.wake(TASK_A);
    guest.switch(TASK_A);
    guest.stands = None;
    guest.end();
    guest.trace.file()
}

#[test]
fn waits_that_go_far_back() {
    for file in [waits_in_a_row(MANY / 4), waits_at_once(MANY / 4)] {
        let why = ask(&file, &["why", "--io", "1"]);
        assert!(why.contains("  total: "), "{why:.2000}");
    }
}

#[test]
fn what_is_too_far_away_is_unknown() {
    let why = ask(&waits_at_once(100), &["why", "--io", "1"]);
    let unknown = "waits: cause more than 24 hand-offs away";
    assert!(line(&why, unknown).contains("dd/"), "{why}");
    let json = ask(&waits_at_once(100), &["why", "--io", "1", "--format", "json"]);
    assert!(json.contains(r#""kind": "unknown""#) && json.contains(unknown), "{json:.2000}");
}

/// Between any two interrupts the task stops, and goes on.
#[test]
fn interrupts_and_switches() {
    let mut guest = Guest::new();
    let (enter, leave) = guest.trace.call("irq.entry", &["vector"]);
    guest.begin();
    let count = MANY / 8;
    for _ in 0..count {
        guest.trace.context = HARDIRQ;
        guest.trace.event(enter, &[38]);
        guest.trace.event(leave, &[0]);
        guest.trace.context = 0;
        guest.switch(TASK_B);
        guest.switch(TASK_A);
    }
    guest.end();
    let why = ask(&guest.trace.file(), &["why", "--io", "1"]);
    assert!(line(&why, "  interrupted by").contains("interrupted by irq_entry"), "{why:.2000}");
    let times = why.lines().filter(|line| line.contains("interrupted by")).count() as u64;
    assert_eq!(times, count + 1, "each of them, and once added up");
}
