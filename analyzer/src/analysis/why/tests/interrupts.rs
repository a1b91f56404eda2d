//! Interrupts: those that are waited for, those that come in between, and contexts that are not known.

use super::super::Context;
use super::drawing::{A, B, Drawing, INTR, K, at, done, within};
use crate::model::{DeviceStart, HandoverKind, Level, Point};

/// `a/1` stops at 20, the interrupt 5 comes at 40 while `b/2` runs and wakes it at 50, it runs again at 60.
fn woken_by_an_interrupt() -> Drawing {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (60, A)]);
    drawing.interrupt(5, B, 40..55);
    drawing.wake(Point { call: Some(8), completes: Some(7), ..within(50, 5) }, A, 60);
    drawing.seen.names.insert(8, 77);
    drawing
}

const DONE: HandoverKind = done(7);

// a ring --|              |====
// b        |     irq wake |
// 0 10    20     40  50   60
#[test]
fn a_device_works_from_its_doorbell_to_its_interrupt() {
    let mut drawing = woken_by_an_interrupt();
    drawing.handover(DONE, Point { call: Some(9), ..at(10, A) }, within(45, 5));
    drawing.seen.names.insert(9, 78);
    let expected = [
        "0..20 0 a/1 runs",
        "20..40 1 command 7 of intr [probe-78]",
        "40..50 1 interrupt intr [probe-77]",
        "50..60 0 a/1 runnable [probe-77]",
        "60..70 0 a/1 runs",
    ];
    assert_eq!(drawing.spans(0, 70), expected);
}

// Of two commands that complete in the interrupt, the one counts whose end woke the task.
#[test]
fn before_the_doorbell_it_is_whoever_rings_it() {
    let mut drawing = woken_by_an_interrupt();
    drawing.handover(done(8), at(35, B), within(45, 5));
    drawing.handover(DONE, at(30, B), within(45, 5));
    let expected = ["20..30 2 b/2 runs", "30..40 1 command 7 of intr", "40..50 1 interrupt intr [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..4], expected);
}

#[test]
fn without_a_doorbell_a_device_works_from_the_issue_of_the_request() {
    let mut drawing = woken_by_an_interrupt();
    let kind = HandoverKind::Interrupt { irq: Some(1), command: 7, since: DeviceStart::Issue };
    drawing.handover(kind, Point { call: Some(9), ..at(30, B) }, within(45, 5));
    drawing.seen.names.insert(9, 78);
    let expected = ["20..30 2 b/2 runs", "30..40 1 command 7 of intr since its issue [probe-78]"];
    assert_eq!(drawing.spans(0, 70)[1..3], expected);
}

#[test]
fn an_interrupt_in_which_a_clocks_handler_runs_is_a_timers() {
    let mut drawing = woken_by_an_interrupt();
    drawing.seen.roots.get_mut(&5).unwrap().is_timer = true;
    let expected = ["20..40 1 timer intr", "40..50 1 interrupt intr [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..3], expected);
    drawing.handover(DONE, at(10, A), within(45, 5));
    assert_eq!(drawing.spans(0, 70)[1], "20..40 1 command 7 of intr", "what it completed is known better");
}

// It completed nothing, another command, or the command was completed by another interrupt.
#[test]
fn an_interrupt_that_completed_nothing_that_was_waited_for_has_no_known_cause() {
    for (command, root) in [(None, 5), (Some(8), 5), (Some(7), 6)] {
        let mut drawing = woken_by_an_interrupt();
        drawing.interrupt(6, B, 22..25);
        command.into_iter().for_each(|command| drawing.handover(done(command), at(10, A), within(45, root)));
        let expected =
            ["20..40 1 interrupt intr for what is not known", "40..50 1 interrupt intr [probe-77]"];
        assert_eq!(drawing.spans(0, 70)[1..3], expected, "{command:?} {root}");
    }
}

// The outermost call of the interrupt is not known: its time is.
#[test]
fn an_interrupt_without_an_entry_is_known_by_its_time() {
    for (clock, expected) in
        [(40, "20..40 1 command 7 of intr"), (39, "20..40 1 interrupt intr for what is not known")]
    {
        let mut drawing = woken_by_an_interrupt();
        drawing.handover(DONE, at(10, A), at(clock, B));
        assert_eq!(drawing.spans(0, 70)[1], expected);
    }
}

// A work item's hand-over to the interrupt's call.
#[test]
fn another_hand_over_to_an_interrupt_is_no_doorbell() {
    let mut drawing = woken_by_an_interrupt();
    drawing.handover(HandoverKind::Work { function: 1 }, at(30, B), within(45, 5));
    assert_eq!(drawing.spans(0, 70)[1], "20..40 1 interrupt intr for what is not known");
}

// a    |                              |===
// k    | irq: wake k |    |= completes 7, wakes a
// 20     40..55 45        60  65      70
#[test]
fn what_a_task_completes_that_an_interrupt_woke_is_its_devices() {
    for (last, expected) in [
        (true, ["20..40 2 command 7 of intr"].as_slice()),
        (false, &["20..30 2 command 7 of intr", "38..40 2 interrupt intr for what is not known"]),
    ] {
        let mut drawing = Drawing::default();
        drawing.switches(A, &[(20, B), (60, K), (70, A)]);
        drawing.interrupt(5, B, 40..55);
        if !last {
            // It waits once more, for another interrupt: of that nothing is known.
            drawing.switches(A, &[(20, B), (35, K), (38, B), (60, K), (70, A)]);
            drawing.interrupt(4, B, 30..32);
            drawing.wake(within(31, 4), K, 35);
            drawing.handover(done(7), at(10, A), within(30, 4));
        } else {
            drawing.handover(DONE, at(10, A), within(40, 5));
        }
        drawing.wake(within(45, 5), K, 60);
        drawing.wake(Point { completes: Some(7), ..at(65, K) }, A, 70);
        let spans = drawing.spans(0, 80);
        let before: Vec<_> =
            spans.iter().filter(|span| span.contains(" of ") || span.contains(" for ")).collect();
        assert_eq!(before, expected);
    }
}

// clock   20   30,30  40     60        90        120
// a    ---| 5 || 7   |------| p        | 9 goes on after the end
//           6
#[test]
fn interrupts_while_the_task_runs_come_in_between() {
    let mut drawing = Drawing::default();
    drawing.interrupt(9, A, 90..120);
    drawing.interrupt(5, A, 20..30);
    drawing.handled_by(6, A, 22..25, Some(0x11));
    drawing.handled_by(7, A, 30..40, Some(0x12));
    drawing.handled_by(8, B, 60..70, None);
    let expected = [
        "0..20 0 a/1 runs",
        "20..30 0 interrupted by intr",
        "30..40 0 interrupted by 0x12",
        "40..90 0 a/1 runs",
        "90..100 0 interrupted by intr",
    ];
    assert_eq!(drawing.spans(0, 100), expected);
}

#[test]
fn only_interrupts_that_begin_in_a_run_interrupt_it() {
    let mut drawing = Drawing::default();
    drawing.interrupt(5, A, 10..15);
    drawing.interrupt(6, A, 20..25);
    drawing.interrupt(7, A, 50..55);
    drawing.root(8, Context::Softirq, A, 30..35);
    let expected = ["20..25 0 interrupted by intr", "25..50 0 a/1 runs"];
    assert_eq!(drawing.spans(20, 50), expected);
}

#[test]
fn an_interrupt_without_a_known_handler_has_the_name_of_its_entry() {
    for (handler, name) in [(Some(INTR), "intr"), (Some(0), "probe-64"), (None, "probe-64")] {
        let mut drawing = Drawing::default();
        drawing.handled_by(5, A, 20..30, handler);
        assert_eq!(drawing.spans(20, 30), [format!("20..30 0 interrupted by {name}")]);
    }
    let mut drawing = Drawing::default();
    drawing.root(5, Context::Interrupt, A, 20..30);
    assert_eq!(drawing.spans(20, 30), ["20..30 0 interrupted by probe-64"]);
}

#[test]
fn what_woke_in_an_unknown_context_is_not_taken_for_its_task() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (60, A)]);
    drawing.root(5, Context::Unknown, K, 40..55);
    drawing.wake(Point { call: Some(8), ..within(50, 5) }, A, 60);
    drawing.seen.names.insert(8, 77);
    assert_eq!(drawing.spans(0, 70)[1], "20..50 1 something runs in k/3 [probe-77]");
}

// A system call of b is a context too: what b did before it is looked at as well. Of a context that was not
// gathered the task is known.
#[test]
fn a_wake_up_in_a_tasks_call_is_its_tasks() {
    for gathered in [true, false] {
        let mut drawing = Drawing::default();
        drawing.switches(A, &[(20, B), (60, A)]);
        if gathered {
            drawing.root(5, Context::Task, B, 40..55);
        }
        drawing.wake(Point { root: Some(5), ..at(50, B) }, A, 60);
        assert_eq!(drawing.spans(0, 70)[1], "20..50 1 b/2 runs", "{gathered}");
    }
}

/// `a/1` stops at 20. The interrupt 5 comes at 30 and leaves work to `k/3` at 32, which does it (7) from 50 on, completes
/// a command and wakes `a/1` at 60.
fn woken_by_a_thread() -> Drawing {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (45, K), (70, A)]);
    drawing.interrupt(5, B, 30..35);
    drawing.root(7, Context::IrqThread, K, 50..65);
    let from = Point { call: Some(9), ..within(32, 5) };
    drawing.handover(HandoverKind::IrqThread { irq: 1 }, from, within(50, 7));
    drawing.wake(Point { completes: Some(7), ..within(60, 7) }, A, 70);
    drawing.seen.names.insert(9, 78);
    drawing
}

#[test]
fn a_thread_does_what_its_interrupt_left_to_it() {
    let mut drawing = woken_by_a_thread();
    drawing.handover(DONE, at(10, A), Point { level: Level::Hardirq, ..within(30, 5) });
    let expected = [
        "0..20 0 a/1 runs",
        "20..30 2 command 7 of intr",
        "30..32 2 interrupt intr [probe-78]",
        "32..50 1 irq thread k/3 pending [probe-78]",
        "50..60 1 k/3 runs",
        "60..70 0 a/1 runnable",
    ];
    assert_eq!(drawing.spans(0, 70), expected);
}

// While the thread is pending the interrupt 6 comes, with which the command was complete.
#[test]
fn of_the_interrupts_of_a_thread_the_one_counts_that_the_command_came_with() {
    let mut drawing = woken_by_a_thread();
    drawing.interrupt(6, B, 40..44);
    drawing.handover(DONE, at(25, B), Point { level: Level::Hardirq, ..within(40, 6) });
    let expected =
        ["20..25 3 b/2 runs", "25..40 2 command 7 of intr", "40..50 1 irq thread k/3 pending [probe-78]"];
    assert_eq!(drawing.spans(0, 70)[1..4], expected);
}

#[test]
fn a_thread_whose_interrupt_was_not_seen_is_a_task() {
    let mut drawing = woken_by_a_thread();
    drawing.seen.handovers.remove(0);
    assert_eq!(drawing.spans(0, 70)[1..3], ["20..45 1 k/3 runnable", "45..60 1 k/3 runs"]);
}

// a/1 wakes a thread, which carries out command 7 in two parts, each with a doorbell and an interrupt, and wakes a/1 again.
//
//   a/1 100   b/2 rings 110, stops 120   irq 200   b/2 220   rings 230, stops 240   irq 300   b/2 320   wakes 330   a/1 340
#[test]
fn each_part_of_a_command_that_a_thread_waits_for_is_its_device() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(100, B), (120, K), (220, B), (240, K), (320, B), (340, A)]);
    drawing.wake(at(90, A), B, 100);
    for (ring, irq, runs, id) in [(110, 200, 220, 9), (230, 300, 320, 10)] {
        drawing.interrupt(id, K, irq..irq + 10);
        drawing.wake(within(irq + 5, id), B, runs);
        drawing.handover(done(7), at(ring, B), within(irq, id));
    }
    drawing.handover(done(7), at(110, B), within(300, 10));
    drawing.wake(Point { completes: Some(7), ..at(330, B) }, A, 340);
    assert_eq!(
        drawing.spans(80, 350),
        [
            "80..100 0 a/1 runs",
            "100..120 1 b/2 runs",
            "120..200 2 command 7 of intr",
            "200..205 2 interrupt intr",
            "205..220 1 b/2 runnable",
            "220..240 1 b/2 runs",
            "240..300 2 command 7 of intr",
            "300..305 2 interrupt intr",
            "305..320 1 b/2 runnable",
            "320..330 1 b/2 runs",
            "330..340 0 a/1 runnable",
            "340..350 0 a/1 runs",
        ]
    );
}
