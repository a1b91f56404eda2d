//! Tasks that run, wait for the CPU, and wait for one another.

use super::drawing::{A, B, Drawing, K, at};
use crate::model::Point;

#[test]
fn without_a_switch_the_one_runs_that_ran_at_the_begin() {
    for (running, expected) in
        [(A, "0..100 0 a/1 runs"), (0, "0..100 0 a/1 runs"), (B, "0..100 0 a/1 waits for what is not known")]
    {
        let mut drawing = Drawing::default();
        drawing.seen.running = running;
        assert_eq!(drawing.spans(0, 100), [expected], "{running}");
    }
}

// Nobody saw who ran at the begin.
#[test]
fn the_first_switch_shows_who_ran_before_it() {
    let mut from = Drawing::default();
    from.switches(A, &[(60, B)]);
    assert_eq!(from.spans(0, 100), ["0..60 0 a/1 runs", "60..100 0 a/1 waits for what is not known"]);
    let mut to = Drawing::default();
    to.switches(B, &[(60, A)]);
    assert_eq!(to.spans(0, 100), ["0..60 0 a/1 runnable", "60..100 0 a/1 runs"]);
}

#[test]
fn a_task_that_runs_again_without_being_woken_waited_for_the_cpu() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(30, B), (40, K), (60, A)]);
    let expected = ["0..30 0 a/1 runs", "30..60 0 a/1 runnable", "60..100 0 a/1 runs"];
    assert_eq!(drawing.spans(0, 100), expected);
}

#[test]
fn a_switch_at_the_begin_counts_and_one_at_the_end_does_not() {
    let mut drawing = Drawing::default();
    drawing.switches(B, &[(10, A), (90, B)]);
    assert_eq!(drawing.spans(10, 90), ["10..90 0 a/1 runs"]);
    assert_eq!(drawing.spans(90, 95), ["90..95 0 a/1 waits for what is not known"]);
}

// a  ----|                 |====    the wake-up at 50 is in a function of b
// b      |----------wake---|
// 0      20         50     60
#[test]
fn a_task_waits_for_whoever_wakes_it() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (60, A)]);
    drawing.wake(Point { call: Some(8), ..at(50, B) }, A, 60);
    drawing.seen.names.insert(8, 77);
    let expected =
        ["0..20 0 a/1 runs", "20..50 1 b/2 runs", "50..60 0 a/1 runnable [probe-77]", "60..100 0 a/1 runs"];
    assert_eq!(drawing.spans(0, 100), expected);
}

// a  ----|                         |====
// b      |        wake-a..      |--|          it was woken by k in turn
// k      |---wake b-------------|
// 0      20  30                 40 50,60
#[test]
fn and_for_whoever_woke_that_one() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, K), (40, B), (60, A)]);
    drawing.wake(at(30, K), B, 40);
    drawing.wake(at(50, B), A, 60);
    let expected = [
        "0..20 0 a/1 runs",
        "20..30 2 k/3 runs",
        "30..40 1 b/2 runnable",
        "40..50 1 b/2 runs",
        "50..60 0 a/1 runnable",
        "60..70 0 a/1 runs",
    ];
    assert_eq!(drawing.spans(0, 70), expected);
}

// The time that is asked about ends before the task runs again, at 150.
#[test]
fn a_task_that_was_woken_before_it_stopped_waits_for_the_cpu() {
    for (woken, expected) in [
        (15, "20..100 0 a/1 runnable"),
        (20, "20..100 0 a/1 runnable [probe-77]"),
        (21, "20..21 1 b/2 runs"),
        (100, "20..100 1 b/2 runs"),
        (101, "20..100 0 a/1 waits for what is not known"),
    ] {
        let mut drawing = Drawing::default();
        drawing.switches(A, &[(20, B), (150, A)]);
        drawing.wake(Point { call: Some(8), ..at(woken, B) }, A, 150);
        drawing.seen.names.insert(8, 77);
        assert_eq!(drawing.spans(0, 100)[1], expected, "{woken}");
    }
}

// Woken at 15 for something else; it runs at 60 because of the wake-up at 40.
#[test]
fn a_wake_up_from_before_the_wait_does_not_hide_the_one_in_it() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (60, A)]);
    drawing.wake(at(15, B), A, 60);
    drawing.wake(at(40, B), A, 60);
    let expected = ["0..20 0 a/1 runs", "20..40 1 b/2 runs", "40..60 0 a/1 runnable", "60..70 0 a/1 runs"];
    assert_eq!(drawing.spans(0, 70), expected);
}

// Two waits, the wake-ups written down in another order than they happened in, as vCPUs do.
#[test]
fn each_wait_has_its_own_wake_up() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(10, B), (30, A), (50, K), (80, A)]);
    drawing.seen.switches.swap(0, 2);
    drawing.wake(at(70, K), A, 80);
    drawing.wake(at(20, B), A, 30);
    let expected = [
        "0..10 0 a/1 runs",
        "10..20 1 b/2 runs",
        "20..30 0 a/1 runnable",
        "30..50 0 a/1 runs",
        "50..70 1 k/3 runs",
        "70..80 0 a/1 runnable",
        "80..90 0 a/1 runs",
    ];
    assert_eq!(drawing.spans(0, 90), expected);
}

// a stops at 30, runs and stops again at 50, at one clock. It is woken at 30 and at 50.
#[test]
fn the_same_in_a_row_is_one_span_unless_it_is_elsewhere() {
    for (second, expected) in [
        (77, &["0..30 0 a/1 runs", "30..80 0 a/1 runnable [probe-77]"][..]),
        (78, &["0..30 0 a/1 runs", "30..50 0 a/1 runnable [probe-77]", "50..80 0 a/1 runnable [probe-78]"]),
    ] {
        let mut drawing = Drawing::default();
        drawing.switches(A, &[(30, B), (50, A), (50, B), (80, A)]);
        drawing.wake(Point { call: Some(8), ..at(30, B) }, A, 50);
        drawing.wake(Point { call: Some(9), ..at(50, B) }, A, 80);
        drawing.seen.names.extend([(8, 77), (9, second)]);
        assert_eq!(drawing.spans(0, 80), expected);
    }
}

#[test]
fn an_empty_range_has_no_spans() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (60, A)]);
    drawing.wake(at(50, B), A, 60);
    assert_eq!(drawing.spans(30, 30), [""; 0]);
}
