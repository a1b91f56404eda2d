//! Which hand-over a context began with, and where hand-overs and stops are shown.

use super::super::handovers::{HandoverIndex, attach};
use super::super::shape::tests::line;
use super::super::{Line, Segment};
use crate::model::{CallId, DeviceStart, Handover, HandoverKind, Level, Point, Switch, Task};

const WAKE: HandoverKind = HandoverKind::Wake { task: 1 };
const WORK: HandoverKind = HandoverKind::Work { function: 1 };
const DONE: HandoverKind = HandoverKind::Interrupt { irq: Some(1), command: 1, since: DeviceStart::Doorbell };

fn handover(kind: HandoverKind, from: (u64, Option<CallId>), to: (u64, Option<CallId>)) -> Handover {
    let point = |clock, call, root| Point {
        clock,
        event: 0,
        call,
        root,
        task: 0,
        level: Level::Task,
        completes: None,
    };
    Handover { kind, from: point(from.0, from.1, None), to: point(to.0, None, to.1) }
}

fn segment(lines: Vec<Line>) -> Segment {
    let (function, task) = (String::new(), Task::default());
    Segment {
        root: 1,
        function,
        task,
        level: Level::Task,
        interrupt: None,
        work: None,
        resumed: false,
        lines,
    }
}

fn at(clock: u64, call: Option<CallId>) -> Line {
    Line { clock, call, ..line(0, "f", false) }
}

#[test]
fn a_context_begins_with_its_last_hand_over_and_goes_on_with_its_last_wake_up() {
    let index = HandoverIndex::new(&[
        handover(WORK, (10, None), (40, Some(5))),
        handover(WORK, (12, None), (42, Some(5))),
        handover(WAKE, (70, None), (90, Some(5))),
        handover(WAKE, (50, None), (60, Some(5))),
        handover(WAKE, (51, None), (61, None)),
        handover(WAKE, (52, None), (62, Some(6))),
    ]);
    assert_eq!([0, 100].map(|clock| index.find(5, false, clock)), [Some(1), Some(1)]);
    let woken = [59, 60, 89, 90].map(|clock| index.find(5, true, clock));
    assert_eq!(woken, [None, Some(3), Some(3), Some(2)]);
    assert_eq!((index.find(6, false, 100), index.find(7, true, 100)), (None, None));
}

// A doorbell is rung at 20, in call 1; work is queued in call 2; where a third came from is not known.
#[test]
fn a_hand_over_is_shown_at_its_call_and_a_doorbell_at_its_access() {
    let handovers = [
        handover(DONE, (20, Some(1)), (40, None)),
        handover(WORK, (30, Some(2)), (50, None)),
        handover(WORK, (35, Some(2)), (51, None)),
        handover(WORK, (20, None), (52, None)),
    ];
    let lines = vec![at(10, Some(1)), at(20, None), at(21, None), at(30, Some(2)), at(20, Some(3))];
    let mut segments = [segment(lines)];
    attach(&mut segments, &handovers, &[]);
    let shown: Vec<_> = segments[0].lines.iter().map(|line| line.handovers.clone()).collect();
    assert_eq!(shown, [vec![], vec![0], vec![], vec![1, 2], vec![]]);
}

#[test]
fn so_many_accesses_at_one_clock_are_shown_to_ring_a_doorbell() {
    let mut segments = [segment(vec![at(20, None); 10]), segment(vec![at(20, None); 10])];
    attach(&mut segments, &[handover(DONE, (20, None), (40, None))], &[]);
    let shown = segments.iter().flat_map(|segment| &segment.lines).filter(|line| !line.handovers.is_empty());
    assert_eq!(shown.count(), 16);
}

// The task 1 stops at 30 in call 7, where it went on at 30 before, goes on at 50, stops again at 70 for good.
#[test]
fn a_stop_is_shown_with_the_clock_at_which_the_task_goes_on() {
    let switch = |clock, from, to, call| Switch { clock, vcpu: 0, from, to, call };
    let switches = [
        switch(60, 2, 3, Some(9)),
        switch(50, 2, 1, None),
        switch(30, 3, 1, None),
        switch(30, 1, 2, Some(7)),
        switch(70, 1, 2, Some(7)),
    ];
    let mut segments = [segment(vec![at(20, Some(7)), at(20, None), at(25, Some(8))])];
    attach(&mut segments, &[], &switches);
    let stops: Vec<_> = segments[0].lines.iter().map(|line| line.stops.clone()).collect();
    assert_eq!(stops, [vec![(30, 50), (70, 0)], vec![], vec![]]);
}
