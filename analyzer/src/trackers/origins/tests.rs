//! Causes: work items, timers, wake-ups. Clocks stand under the events.

use crate::model::{HandoverKind, Level};
use crate::trackers::Oddity;
use crate::trackers::timelines::*;
use iotrace_format::event::UNKNOWN_CONTEXT;
use std::sync::Arc;

// write #1 starts a timer   softirq: the timer queues work   kworker: work, Q of #1
// 200      220              400                              460         500
#[test]
fn a_write_back_goes_back_to_the_write_that_started_its_timer() {
    let found = track(&buffered());
    assert_eq!(found.chain(1), [("kernel", 3), ("work", WB_WORKFN), ("timer", WAKE_FN), ("syscall", 1)]);
    assert_eq!(found.chain(2), [("syscall", 5)], "the direct one");
    // Who started a timer is not why its work writes what it writes.
    let (write, own) = (found.io(1), found.io(3));
    assert_eq!((&write.bios[..], &write.all_bios()[..], &own.bios[..]), (&[][..], &[1][..], &[1][..]));
    assert_eq!((own.kind, &*own.syscall), (crate::model::IoKind::Kernel, "wb_workfn"));
    let kinds: Vec<_> = found.handovers.iter().map(|h| (h.kind, h.from.clock, h.to.clock)).collect();
    let expected = [
        (HandoverKind::Timer { function: WAKE_FN }, 220, 401),
        (HandoverKind::Work { function: WB_WORKFN }, 402, 460),
    ];
    assert_eq!(kinds[..2], expected);
}

#[test]
fn work_that_a_system_call_queues_goes_back_to_it() {
    let page = io(80, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.begin_write(100, 3, 0, 59);
    guest.queue_work(110, 0xe0);
    guest.queue_work(111, 0xe0); // once more while it waits
    guest.switch(120, KWORKER);
    guest.begin_work_of(130, 0xe0);
    guest.queue(140, B, page);
    guest.end_work(150);
    guest.queue(160, C, page); // of the worker, but of no work
    guest.switch(170, TASK);
    guest.end_write(180, 59);
    let found = track(&guest);
    assert_eq!(found.chain(1), [("work", WB_WORKFN), ("syscall", 1)]);
    assert_eq!(found.chain(2), [("kernel", 2), ("thread", 26)]);
    assert_eq!((found.bio(1).task.pid, &found.io(1).bios[..]), (26, &[1][..]));
}

// fsync #1 waits for its bio    irq: the completion wakes the task    it runs again
// 100      150 Q   170 switch   200      210 wake .. 212              230
#[test]
fn a_wait_ends_with_the_completion_that_woke_the_task() {
    let flush = io(80, 4096, WRITE | SYNC);
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.submit(150, B, RQ, flush);
    guest.issue(160, RQ, B, flush);
    guest.entry(165, "task.wait.completion", &[("x", 1)]);
    guest.switch(170, KWORKER);
    guest.entry(200, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.entry(203, "cmd.done", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
        guest.entry(205, "rq.complete", &[("rq", RQ)]);
        guest.entry(210, "task.wake", &[("task", TASK)]);
        guest.exit(212, "task.wake", 1);
        guest.exit(213, "rq.complete", 0);
    });
    guest.exit(220, "irq.entry", 0);
    guest.switch(230, TASK);
    guest.exit(240, "task.wait.completion", 0);
    guest.exit(250, "sys.fsync", 0);
    let found = track(&guest);
    let [wait] = &found.waits[..] else { panic!("{:?}", found.waits) };
    assert_eq!((wait.io, wait.what.as_str(), wait.clocks), (1, "completion", (170, 212, 230)));
    assert_eq!(wait.waker, ["rq_complete_function", "task_wake_function"].map(Arc::from));
    assert_eq!((wait.task.pid, wait.level, wait.waker_task.pid), (42, Level::Hardirq, 26));
    let woken = found.handovers.iter().find(|h| matches!(h.kind, HandoverKind::Wake { .. })).unwrap();
    assert_eq!((woken.kind, woken.to.clock), (HandoverKind::Wake { task: TASK }, 230));
}

// fsync wakes a thread: 110   the thread waits for a buffer: 130   an interrupt ends the wait: 140   Q: 160
#[test]
fn a_thread_that_waits_in_its_work_keeps_its_cause() {
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "jbd2/sda-8");
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.entry(110, "task.wake", &[("task", KWORKER)]);
    guest.exit(112, "task.wake", 1);
    guest.switch(120, KWORKER);
    guest.entry(130, "task.wait.buffer", &[("x", 1)]);
    guest.switch(135, TASK);
    guest.entry(138, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.entry(140, "task.wake", &[("task", KWORKER)]);
        guest.exit(142, "task.wake", 1);
    });
    guest.exit(145, "irq.entry", 0);
    guest.switch(150, KWORKER);
    guest.exit(155, "task.wait.buffer", 0);
    guest.queue(160, B, io(80, 4096, WRITE));
    guest.switch(170, TASK);
    guest.exit(180, "sys.fsync", 0);
    let found = track(&guest);
    assert_eq!(found.chain(1), [("kernel", 2), ("thread", 26), ("syscall", 1)]);
}

// A wake-up that finds the task running wakes nobody.
#[test]
fn a_wake_up_without_success_is_none() {
    let mut guest = SyntheticGuest::default();
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.switch(170, KWORKER);
    // Seen of wake-ups that race with one another.
    guest.entry(180, "task.wake", &[("task", TASK)]);
    guest.exit(181, "task.wake", 0);
    guest.switch(230, TASK);
    guest.exit(250, "sys.fsync", 0);
    let found = track(&guest);
    assert_eq!(found.waits.len(), 0);
}

// What a thread does goes back to who woke it last; that only so far.
#[test]
fn chains_have_an_end() {
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "xfsaild/sda");
    for clock in (100..2000).step_by(20) {
        let other = if guest.task == TASK { KWORKER } else { TASK };
        guest.entry(clock, "task.wake", &[("task", other)]);
        guest.exit(clock + 1, "task.wake", 1);
        guest.switch(clock + 2, other);
    }
    guest.queue(5000, B, io(8, 4096, WRITE));
    let chain = track(&guest).chain(1);
    assert!((2..=9).contains(&chain.len()), "{chain:?}");
}

#[test]
fn what_ran_in_an_unknown_context_is_not_taken_for_a_task() {
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.switch(120, KWORKER);
    guest.queue(140, B, io(80, 4096, WRITE));
    guest.at(UNKNOWN_CONTEXT, |guest| guest.queue(160, C, io(88, 4096, WRITE)));
    let found = track(&guest);
    assert_eq!((found.chain(1), found.chain(2)), (vec![("kernel", 1), ("thread", 26)], vec![("unknown", 0)]));
    assert_eq!(found.counts.of(Oddity::ContextUnknown), 1);
}
