//! Where what happened is found, at the clocks at which something begins and ends.

use super::super::Context;
use super::super::index::SchedulingIndex;
use super::drawing::{A, B, BLOCK, Drawing, K, at, done, within};
use crate::model::{Handover, HandoverKind};

fn clocks<'a>(handovers: impl IntoIterator<Item = &'a Handover>) -> Vec<(u64, u64)> {
    handovers.into_iter().map(|handover| (handover.from.clock, handover.to.clock)).collect()
}

#[test]
fn a_task_runs_from_the_clock_of_its_switch_on() {
    let mut drawing = Drawing::default();
    drawing.seen.running = K;
    drawing.switches(K, &[(20, A), (50, B)]);
    let index = SchedulingIndex::new(&drawing.seen);
    let running =
        [19, 20, 49, 50].map(|clock| [A, B, K].into_iter().find(|task| index.runs_at(*task, clock)));
    assert_eq!(running, [Some(K), Some(A), Some(A), Some(B)]);
}

/// What runs elsewhere says nothing of a task.
#[test]
fn with_several_vcpus_a_task_runs_by_its_own_switches() {
    let mut drawing = Drawing::default();
    drawing.seen.vcpus = 2;
    drawing.switches(K, &[(20, B), (50, K)]);
    let index = SchedulingIndex::new(&drawing.seen);
    let running = |task| [10, 30, 60].map(|clock| index.runs_at(task, clock));
    assert_eq!([A, B, K].map(running), [[true; 3], [false, true, false], [true, false, true]]);
}

/// A part of a trace need not have the switch by which a task came to run.
#[test]
fn a_task_that_is_seen_behind_a_gap_runs_from_there_on() {
    let mut drawing = Drawing::default();
    drawing.switches(K, &[(20, B), (50, K)]);
    drawing.seen.resumed.push((30, A));
    let index = SchedulingIndex::new(&drawing.seen);
    let running =
        [29, 30, 49, 50].map(|clock| [A, B, K].into_iter().find(|task| index.runs_at(*task, clock)));
    assert_eq!(running, [Some(B), Some(A), Some(A), Some(K)]);
    assert!(index.switches(A).is_empty(), "it is no switch");
}

#[test]
fn a_switch_to_the_same_task_is_one_switch() {
    let mut drawing = Drawing::default();
    drawing.switches(A, &[(20, A), (50, B)]);
    let index = SchedulingIndex::new(&drawing.seen);
    let of = |task| index.switches(task).iter().map(|switch| switch.clock).collect::<Vec<_>>();
    assert_eq!((of(A), of(B), of(K)), (vec![20, 50], vec![50], vec![]));
}

#[test]
fn the_wake_ups_are_those_after_which_the_task_runs_at_a_clock_or_later() {
    let mut drawing = Drawing::default();
    drawing.wake(at(55, B), A, 60);
    drawing.wake(at(15, B), A, 20);
    drawing.wake(at(35, B), A, 40);
    drawing.wake(at(36, A), B, 41);
    let index = SchedulingIndex::new(&drawing.seen);
    assert_eq!(clocks(index.wakes(A, 40)), [(35, 40), (55, 60)]);
    assert_eq!(clocks(index.wakes(A, 41)), [(55, 60)]);
    assert_eq!(clocks(index.wakes(K, 0)), []);
}

#[test]
fn interrupts_of_a_task_are_found_by_their_begin() {
    let mut drawing = Drawing::default();
    for (id, begin) in [(5, 60), (6, 20), (7, 40)] {
        drawing.interrupt(id, A, begin..begin + 30);
    }
    drawing.interrupt(8, B, 41..43);
    drawing.root(9, Context::Work, A, 42..44);
    let index = SchedulingIndex::new(&drawing.seen);
    let begins = |from, to| index.interrupts(A, from, to).map(|root| root.from).collect::<Vec<_>>();
    assert_eq!((begins(20, 60), begins(21, 61)), (vec![20, 40], vec![40, 60]));
}

#[test]
fn a_context_begins_with_the_first_hand_over_of_its_sort() {
    let mut drawing = Drawing::default();
    let work = HandoverKind::Work { function: 1 };
    for (kind, from, to) in [(work, 10, 40), (work, 11, 41), (done(7), 12, 42), (done(7), 13, 43)] {
        drawing.handover(kind, at(from, B), within(to, 5));
    }
    drawing.handover(work, at(14, B), at(44, K));
    let index = SchedulingIndex::new(&drawing.seen);
    assert_eq!(clocks(index.queued(5)), [(10, 40)]);
    // A command's own comes after those of its parts.
    assert_eq!(clocks(index.command(7)), [(13, 43)]);
    assert_eq!(clocks(index.parts(7).iter().copied()), [(12, 42), (13, 43)]);
    assert_eq!((index.queued(6), index.command(8)), (None, None));
}

#[test]
fn a_softirq_is_found_from_its_clock_on() {
    let mut drawing = Drawing::default();
    drawing.seen.softirqs.insert(5, vec![(40, BLOCK), (60, 9)]);
    for (number, from, to) in [(9, 30, 60), (BLOCK, 20, 40), (BLOCK, 25, 50)] {
        drawing.handover(HandoverKind::Softirq { number }, at(from, B), within(to, 5));
    }
    let index = SchedulingIndex::new(&drawing.seen);
    let served = [39, 40, 59, 60].map(|clock| index.served(5, clock));
    assert_eq!(served, [None, Some((40, BLOCK)), Some((40, BLOCK)), Some((60, 9))]);
    let raised = |number, clock| index.raised(5, number, clock).map(|handover| handover.to.clock);
    let of_block = [39, 40, 49, 50, 70].map(|clock| raised(Some(BLOCK), clock));
    assert_eq!(of_block, [None, Some(40), Some(40), Some(50), Some(50)]);
    assert_eq!([59, 60].map(|clock| raised(None, clock)), [Some(50), Some(60)]);
    assert_eq!((index.served(6, 70), raised(Some(1), 70)), (None, None));
}

#[test]
fn a_context_is_found_by_its_outermost_call() {
    let mut drawing = Drawing::default();
    drawing.interrupt(5, A, 10..20);
    let index = SchedulingIndex::new(&drawing.seen);
    let found = [None, Some(5), Some(6)].map(|id| index.root(id).map(|(id, root)| (id, root.from)));
    assert_eq!(found, [None, Some((5, 10)), None]);
}
