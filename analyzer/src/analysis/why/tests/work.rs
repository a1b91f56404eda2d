//! Work items, and how far hand-overs are followed.

use super::super::{Context, FARTHEST};
use super::drawing::{A, B, Drawing, K, WORK, at, within};
use crate::model::{CallId, HandoverKind, Point};

const QUEUED: HandoverKind = HandoverKind::Work { function: WORK };

fn work(drawing: &mut Drawing, id: CallId, clocks: std::ops::Range<u64>) {
    drawing.root(id, Context::Work, K, clocks).work = Some(WORK);
}

/// `a/1` stops at 20; a worker runs a work item from 40 on, which wakes it at 50; it runs again at 60.
fn woken_by_work() -> Drawing {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, B), (35, K), (60, A)]);
    work(&mut drawing, 5, 40..55);
    drawing.wake(within(50, 5), A, 60);
    drawing.seen.names.insert(9, 78);
    drawing
}

#[test]
fn a_work_item_is_pending_from_its_queueing_to_its_begin() {
    for (queued, expected) in [
        (10, &["20..40 1 work_fn pending [probe-78]"][..]),
        (30, &["20..30 2 b/2 runs", "30..40 1 work_fn pending [probe-78]"]),
    ] {
        let mut drawing = woken_by_work();
        let task = if queued < 20 { A } else { B };
        drawing.handover(QUEUED, Point { call: Some(9), ..at(queued, task) }, within(40, 5));
        drawing.handover(QUEUED, at(queued + 5, task), within(41, 5));
        let rest = ["40..50 1 k/3 runs work_fn", "50..60 0 a/1 runnable", "60..70 0 a/1 runs"];
        assert_eq!(drawing.spans(0, 70), [&["0..20 0 a/1 runs"], expected, &rest].concat());
    }
}

#[test]
fn before_a_work_item_whose_queueing_was_not_seen_it_is_its_worker() {
    let expected = ["20..35 1 k/3 runnable", "35..40 1 k/3 runs", "40..50 1 k/3 runs work_fn"];
    assert_eq!(woken_by_work().spans(0, 70)[1..4], expected);
}

#[test]
fn a_work_item_may_be_one_whose_function_is_not_known() {
    let mut drawing = woken_by_work();
    drawing.root(5, Context::Work, K, 40..55).work = None;
    drawing.handover(QUEUED, at(10, A), within(40, 5));
    assert_eq!(drawing.spans(0, 70)[1..3], ["20..40 1 ? pending", "40..50 1 k/3 runs ?"]);
}

// The worker waits in its work item: that is the work item's time as long as it runs.
#[test]
fn what_a_work_item_waits_for_is_followed_as_well() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, K), (40, B), (70, K), (90, A)]);
    work(&mut drawing, 5, 20..85);
    drawing.wake(at(60, B), K, 70);
    drawing.wake(within(80, 5), A, 90);
    let expected = [
        "20..40 1 k/3 runs work_fn",
        "40..60 2 b/2 runs",
        "60..70 1 k/3 runnable",
        "70..80 1 k/3 runs work_fn",
        "80..90 0 a/1 runnable",
    ];
    assert_eq!(drawing.spans(20, 90), expected);
}

// One item queues the next, which begins when it ends.
#[test]
fn the_same_in_a_row_stays_apart_at_another_distance() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, K), (80, A)]);
    work(&mut drawing, 5, 20..40);
    work(&mut drawing, 6, 40..75);
    drawing.handover(QUEUED, within(40, 5), within(40, 6));
    drawing.wake(within(70, 6), A, 80);
    let expected = ["20..40 2 k/3 runs work_fn", "40..70 1 k/3 runs work_fn"];
    assert_eq!(drawing.spans(0, 80)[1..3], expected);
}

// Each item was queued by the one before it: the last at 1000, the one before it at 990, and so on.
#[test]
fn hand_overs_are_followed_so_far() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, K), (1010, A)]);
    for away in 0..30 {
        let begun = 1000 - 10 * away;
        work(&mut drawing, 100 + away, begun..begun + 8);
        drawing.handover(QUEUED, within(begun - 5, 101 + away), within(begun, 100 + away));
    }
    drawing.wake(within(1005, 100), A, 1010);
    let spans = drawing.spans(0, 1010);
    let begun = 1000 - 10 * (FARTHEST as u64 - 2);
    let expected = [
        "0..20 0 a/1 runs".to_owned(),
        format!("20..{} {FARTHEST} too far, in /0", begun - 5),
        format!("{}..{begun} {} work_fn pending", begun - 5, FARTHEST - 1),
        format!("{begun}..{} {} k/3 runs work_fn", begun + 5, FARTHEST - 1),
    ];
    assert_eq!(spans[..4], expected);
    assert_eq!(spans.last().unwrap(), "1005..1010 0 a/1 runnable");
}
