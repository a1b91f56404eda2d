use super::*;
use crate::model::{Op, OpName};

fn event(clock: u64, sector: u64) -> BlockEvent {
    let op = Op::plain(OpName::Read);
    BlockEvent { kind: BlockKind::BioQueue, clock, dev: 8 << 20, sector, sectors: 8, op }
}

fn compared(theirs: &[u64], ours: &[(u64, u64)], window: Option<(u64, u64)>) -> Compared {
    let ours: Vec<_> = ours.iter().map(|(clock, sector)| event(*clock, *sector)).collect();
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
