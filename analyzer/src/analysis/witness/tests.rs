use super::*;
use crate::model::{Comm, Level, Op, OpName, Task};

fn event(clock: u64, sector: u64) -> BlockEvent {
    let op = Op::plain(OpName::Read);
    let task = Task { address: 1, pid: 42, tgid: 42, comm: Comm::from_text("dd") };
    BlockEvent { kind: BlockKind::BioQueue, clock, task, dev: 8 << 20, sector, sectors: 8, op }
}

fn compared(theirs: &[u64], ours: &[(u64, u64)], window: Option<(u64, u64)>) -> Compared {
    let ours: Vec<_> =
        ours.iter().map(|(clock, sector)| ReportedEvent::new(event(*clock, *sector))).collect();
    let theirs: Vec<_> = theirs.iter().map(|sector| Saying::of(&event(0, *sector))).collect();
    compare_kind(BlockKind::BioQueue, &theirs, &ours, window)
}

// ours:      1   2 | 3   4 | 5        (sectors; the workload is between the bars)
const OURS: [(u64, u64); 5] = [(10, 1), (20, 2), (30, 3), (40, 4), (50, 5)];
const WINDOW: Option<(u64, u64)> = Some((25, 45));

#[test]
fn a_stretch_that_covers_the_workload_is_equal() {
    for theirs in [&[3, 4][..], &[2, 3, 4], &[3, 4, 5], &[1, 2, 3, 4, 5]] {
        let compared = compared(theirs, &OURS, WINDOW);
        assert!(compared.differences.is_empty(), "{theirs:?}: {compared:?}");
        assert_eq!(compared.equal, theirs.len());
    }
}

#[test]
fn what_is_missing_invented_or_swapped_is_found() {
    for theirs in [&[3][..], &[4], &[], &[4, 3], &[3, 4, 9], &[3, 9, 4]] {
        assert!(!compared(theirs, &OURS, WINDOW).differences.is_empty(), "{theirs:?}");
    }
}

// The task of 3 is preempted in the call that has its tracepoint, and 4 is another task's.
#[test]
fn what_calls_that_overlap_say_may_come_in_another_order() {
    let mut ours = OURS.map(|(clock, sector)| ReportedEvent::new(event(clock, sector)));
    let theirs: Vec<_> = [4, 3, 5].iter().map(|sector| Saying::of(&event(0, *sector))).collect();
    let compare = |ours: &[ReportedEvent]| compare_kind(BlockKind::BioQueue, &theirs, ours, WINDOW);
    assert_eq!(compare(&ours).differences.len(), 2);
    for (at, task, until) in [(2, 1, 48), (3, 2, 44)] {
        ours[at].within.1 = until;
        ours[at].context = Some((task, Level::Task));
    }
    assert_eq!((compare(&ours).differences, compare(&ours).equal), (vec![], 3));
    ours[2].within.1 = 39;
    assert_eq!(compare(&ours).differences.len(), 2);
}

#[test]
fn the_first_difference_has_both_sides() {
    let compared = compared(&[3, 9], &OURS, WINDOW);
    assert_eq!((compared.equal, compared.differences.len()), (1, 1));
    let first = &compared.differences[0];
    assert_eq!(first.witness.as_ref().unwrap().sector, 9);
    assert_eq!(first.ours.as_ref().map(|(saying, clock)| (saying.sector, *clock)), Some((4, 40)));
}

#[test]
fn without_marks_any_stretch_will_do() {
    assert!(compared(&[2, 3], &OURS, None).differences.is_empty());
}

/// One event of ours against what the guest's tracepoint said of it.
fn differs(kind: BlockKind, task: Task, theirs: &str) -> bool {
    let ours = BlockEvent { kind, task, ..event(30, 3) };
    let theirs = parse::parse(theirs).unwrap();
    assert_eq!(theirs.len(), 1);
    !compare_kind(kind, &theirs, &[ReportedEvent::new(ours)], WINDOW).differences.is_empty()
}

#[test]
fn another_task_is_a_difference() {
    let dd = event(30, 3).task;
    let queue = |task, theirs| differs(BlockKind::BioQueue, task, theirs);
    let theirs = "     <...>-42   [000] .....  3.1: block_bio_queue: 8,0 R 3 + 8 [dd]";
    assert!(!queue(dd, theirs));
    assert!(queue(Task { pid: 43, ..dd }, theirs));
    assert!(queue(Task { comm: Comm::from_text("sh"), ..dd }, theirs));
    assert!(queue(Task { address: 1, ..Task::default() }, theirs), "an unknown task");
    // An end's name is that which the tracing saw last, and what is in the brackets an error.
    let end = |task, theirs| differs(BlockKind::RqComplete, task, theirs);
    let theirs = "     dd-42   [000] .....  3.1: block_rq_complete: 8,0 R () 3 + 8 [0]";
    assert!(!end(Task { comm: Comm::from_text("sh"), ..dd }, theirs));
    assert!(end(Task { pid: 43, ..dd }, theirs));
    let idle = Task { pid: 0, tgid: 0, comm: Comm::from_text("swapper/0"), ..dd };
    let theirs = "     <idle>-0   [000] .....  3.1: block_rq_complete: 8,0 R () 3 + 8 [0]";
    assert!(!end(idle, theirs));
    assert!(end(Task::default(), theirs), "an unknown task");
}

#[test]
fn thread_ids_that_function_graph_was_not_told_to_print_are_not_compared() {
    let dd = event(30, 3).task;
    let theirs = " 0)               |    /* block_bio_queue: 8,0 R 3 + 8 [dd] */";
    assert!(!differs(BlockKind::BioQueue, Task { pid: 43, ..dd }, theirs));
    assert!(differs(BlockKind::BioQueue, Task { comm: Comm::from_text("sh"), ..dd }, theirs));
}

#[test]
fn completions_without_a_bio_are_compared_if_the_kernel_tells_of_any() {
    let complete =
        |clock, sector, sectors| BlockEvent { kind: BlockKind::RqComplete, sectors, ..event(clock, sector) };
    // A flush, a write that ends with no bytes left, another flush, whose sector is none.
    let ours = [complete(40, u64::MAX, 0), complete(30, 3, 0), complete(20, 0, 0)].map(ReportedEvent::new);
    let sectors = |theirs: &[BlockEvent], kind| {
        let theirs: Vec<_> = theirs.iter().map(Saying::of).collect();
        ours_of(kind, &ours, &theirs).iter().map(|our| our.event.clock).collect::<Vec<_>>()
    };
    assert_eq!(sectors(&[complete(0, 3, 0)], BlockKind::RqComplete), [30]);
    assert_eq!(sectors(&[complete(0, 3, 0), complete(0, 0, 0)], BlockKind::RqComplete), [20, 30, 40]);
    assert_eq!(sectors(&[], BlockKind::RqComplete), [20, 30, 40]);
    assert!(sectors(&[complete(0, 3, 0)], BlockKind::BioQueue).is_empty());
}
