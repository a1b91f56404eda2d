//! Softirqs: how long they are pending, which of several it was, and timers in them.

use super::super::Context;
use super::drawing::{A, B, BLOCK, Drawing, TIMER, at, done, within};
use crate::model::{HandoverKind, Point};
use iotrace_format::stage::TIMER_SOFTIRQ;

const RAISED: HandoverKind = HandoverKind::Softirq { number: BLOCK };
const TIMER_NR: u64 = TIMER_SOFTIRQ as u64;

/// `a/1` stops at 20. Softirqs (6) are served from 45 on while `b/2` runs; one of them wakes it at 60, it runs again
/// at 70.
fn woken_by_a_softirq() -> Drawing {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (70, A)]);
    drawing.root(6, Context::Softirq, B, 45..65);
    drawing.wake(Point { call: Some(8), ..within(60, 6) }, A, 70);
    drawing.seen.names.extend([(8, 77), (9, 78)]);
    drawing
}

// b      |  irq raise     |softirqs: block, wake|
// 20     30     40        45         50     60  70
#[test]
fn a_softirq_is_pending_from_its_raise_to_its_function() {
    let mut drawing = woken_by_a_softirq();
    drawing.interrupt(5, B, 30..43);
    drawing.handover(RAISED, Point { call: Some(9), ..within(40, 5) }, within(50, 6));
    drawing.seen.softirqs.insert(6, vec![(47, 3), (50, BLOCK), (61, 9)]);
    let expected = [
        "0..20 0 a/1 runs",
        "20..30 2 interrupt intr for what is not known",
        "30..40 2 interrupt intr [probe-78]",
        "40..50 1 softirq BLOCK pending [probe-78]",
        "50..60 1 softirq [probe-77]",
        "60..70 0 a/1 runnable [probe-77]",
    ];
    assert_eq!(drawing.spans(0, 70), expected);
}

// Two are served; the wake-up at 60 is in the one that began last before it, at its very clock.
#[test]
fn it_is_the_softirq_that_was_served_last() {
    let mut drawing = woken_by_a_softirq();
    drawing.handover(HandoverKind::Softirq { number: 9 }, at(42, B), within(61, 6));
    drawing.handover(RAISED, at(41, B), within(60, 6));
    drawing.handover(HandoverKind::Softirq { number: 3 }, at(40, B), within(47, 6));
    drawing.seen.softirqs.insert(6, vec![(47, 3), (60, BLOCK), (61, 9)]);
    assert_eq!(drawing.spans(0, 70)[1..3], ["20..41 2 b/2 runs", "41..60 1 softirq BLOCK pending"]);
}

// The begin of no softirq's function was seen: the last that was handed over is taken.
#[test]
fn without_the_begin_of_its_function_it_is_the_last_one() {
    let mut drawing = woken_by_a_softirq();
    drawing.handover(HandoverKind::Softirq { number: 9 }, at(44, B), within(61, 6));
    drawing.handover(RAISED, at(42, B), within(50, 6));
    drawing.handover(HandoverKind::Softirq { number: 3 }, at(41, B), within(47, 6));
    let expected = ["20..42 2 b/2 runs", "42..50 1 softirq BLOCK pending", "50..60 1 softirq [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..4], expected);
}

// The wake-up is before any softirq's function begins, and before anything was handed over.
#[test]
fn a_softirq_whose_raise_was_not_seen_is_all_there_is() {
    let mut drawing = woken_by_a_softirq();
    drawing.seen.softirqs.insert(6, vec![(61, BLOCK)]);
    drawing.handover(RAISED, at(40, B), within(61, 6));
    let unknown = ["20..45 1 softirq  for what is not known", "45..60 1 softirq [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..3], unknown);
    drawing.seen.softirqs.insert(6, vec![(50, BLOCK)]);
    let unknown = ["20..50 1 softirq BLOCK for what is not known", "50..60 1 softirq [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..3], unknown);
}

// Who raised it was not seen, but it completed the command whose end woke the task.
#[test]
fn a_softirq_that_completes_a_command_ends_its_devices_work() {
    let mut drawing = woken_by_a_softirq();
    drawing.seen.handovers[0].from.completes = Some(7);
    drawing.handover(done(7), at(30, B), within(52, 6));
    drawing.seen.softirqs.insert(6, vec![(50, BLOCK)]);
    let expected = ["20..30 2 b/2 runs", "30..50 1 command 7 of BLOCK", "50..60 1 softirq [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..4], expected);
}

// Two commands are done in the interrupt, the first raises the softirq, the end of the second wakes the task there.
#[test]
fn of_two_commands_of_a_softirq_the_one_counts_whose_end_woke_the_task() {
    let mut drawing = woken_by_a_softirq();
    drawing.interrupt(5, B, 30..43);
    drawing.seen.handovers[0].from.completes = Some(8);
    drawing.handover(done(7), at(22, B), within(30, 5));
    drawing.handover(done(8), at(25, B), within(30, 5));
    drawing.handover(RAISED, Point { completes: Some(7), ..within(40, 5) }, within(50, 6));
    drawing.seen.softirqs.insert(6, vec![(50, BLOCK)]);
    assert_eq!(drawing.spans(0, 70)[1..3], ["20..25 3 b/2 runs", "25..30 2 command 8 of intr"]);
    // It is not known what woke the task: what raised the softirq is.
    drawing.seen.handovers[0].from.completes = None;
    assert_eq!(drawing.spans(0, 70)[1..3], ["20..22 3 b/2 runs", "22..30 2 command 7 of intr"]);
}

// Timer softirq raised at 40, served from 46 on; in it the function of a timer that was started at 10 begins at 48.
#[test]
fn a_timer_tells_more_than_its_softirq() {
    let mut drawing = woken_by_a_softirq();
    drawing.handover(HandoverKind::Timer { function: TIMER }, at(25, B), within(48, 6));
    drawing.handover(HandoverKind::Softirq { number: TIMER_NR }, at(40, B), within(46, 6));
    drawing.seen.softirqs.insert(6, vec![(46, TIMER_NR)]);
    let expected = ["20..25 2 b/2 runs", "25..48 1 timer timer_fn", "48..60 1 softirq [probe-77]"];
    assert_eq!(drawing.spans(0, 70)[1..4], expected);
}

// The softirq's function began at 55; the hand-over's end was seen before.
#[test]
fn it_is_pending_until_its_function_begins() {
    let mut drawing = woken_by_a_softirq();
    drawing.handover(RAISED, at(40, B), within(50, 6));
    drawing.seen.softirqs.insert(6, vec![(55, BLOCK)]);
    assert_eq!(drawing.spans(0, 70)[2], "40..55 1 softirq BLOCK pending");
}
