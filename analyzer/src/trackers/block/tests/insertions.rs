//! Insertions and merges in the tracker of requests by itself.

use super::request_tracker::{NEXT, Requests, arguments, joined};
use crate::model::{BlockKind, Join};
use crate::trackers::block::fact::{MergedBios, RequestFact};
use crate::trackers::counts::Oddity;
use crate::trackers::timelines::{B, RQ, SDA, WRITE};

#[test]
fn an_insertion_without_an_exit_is_one() {
    let mut requests = Requests::default();
    requests.reach(10, "rq.insert", &arguments(RQ, &[]));
    assert_eq!(requests.found.said(BlockKind::RqInsert), [(10, 100, 8)]);
    assert_eq!(requests.finish(RQ).inserted, [10]);
}

#[test]
fn an_insertion_is_one_when_its_exit_says_so_or_nothing_else_does() {
    // insert: 0 is success. insert_merge: not 0 is a merge.
    for (inner, outer, inserted) in [
        (None, Some(0), true),
        (None, Some(1), false),
        (Some(0), None, true),
        (Some(5), None, false),
        (None, None, true),
    ] {
        let mut requests = Requests::default();
        requests.enter(10, "rq.insert", &arguments(RQ, &[]));
        assert_eq!(requests.found.said.len(), 0, "it is pending");
        if let Some(returned) = inner {
            requests.enter(11, "rq.insert_merge", &[("rq", RQ)]);
            assert_eq!(requests.exit(12, "rq.insert_merge", returned), None);
        }
        if let Some(returned) = outer {
            assert_eq!(requests.exit(13, "rq.insert", returned), None);
        }
        requests.tracker.settle_inserts(&mut requests.found);
        let said = if inserted { vec![(10, 100, 8)] } else { vec![] };
        assert_eq!(requests.found.said(BlockKind::RqInsert), said, "{inner:?} {outer:?}");
        assert_eq!(requests.finish(RQ).inserted.len(), usize::from(inserted));
    }
}

#[test]
fn what_comes_next_settles_insertions() {
    for stage in ["rq.issue", "rq.dispatch", "rq.insert"] {
        let mut requests = Requests::default();
        requests.enter(10, "rq.insert", &[("rq", RQ)]);
        requests.enter(20, stage, &arguments(NEXT, &[]));
        assert_eq!(requests.finish(RQ).inserted, [10], "{stage}");
        assert_eq!(requests.found.said(BlockKind::RqInsert), [], "the event did not say of what");
    }
}

#[test]
fn a_bio_joins_a_request_when_the_merge_succeeded() {
    for (stage, join, kind) in [
        ("merge.back", Join::Back, Some(BlockKind::BackMerge)),
        ("merge.front", Join::Front, Some(BlockKind::FrontMerge)),
        ("merge.discard", Join::Discard, None),
    ] {
        let mut requests = Requests::default();
        requests.get(2, RQ);
        requests.bio(B, 7);
        let merge = [("bio", B), ("bio.sector", 108), ("bio.size", 1024), ("bio.op", WRITE)];
        let merge = arguments(RQ, &merge);
        requests.enter(10, stage, &merge);
        requests.exit(11, stage, 1);
        requests.enter(20, stage, &merge);
        requests.lose(21, stage);
        assert_eq!((requests.facts.len(), requests.found.said.len()), (0, 0), "{stage}");
        requests.enter(30, stage, &merge);
        requests.exit(31, stage, 0);
        requests.reach(40, stage, &merge);
        assert_eq!(requests.facts, [joined(B, 1, 31, join), joined(B, 1, 40, join)]);
        let said: Vec<_> =
            requests.found.said.iter().map(|e| (e.kind, e.clock, e.sector, e.sectors, e.dev)).collect();
        let expected = kind.map(|kind| [31, 40].map(|clock| (kind, clock, 108, 2, SDA + 1)));
        assert_eq!(said, expected.into_iter().flatten().collect::<Vec<_>>(), "{stage}");
        assert_eq!(requests.oddities(), []);
    }
}

// Bios that are not known: of the device that the event tells.
#[test]
fn a_merge_of_an_unknown_bio_is_said_with_the_events_device() {
    for (more, dev) in [(&[("bio.dev", 5)][..], 5), (&[], SDA)] {
        let mut requests = Requests::default();
        requests.get(2, RQ);
        requests.reach(40, "merge.back", &arguments(RQ, &[&[("bio", B)][..], more].concat()));
        assert_eq!((requests.found.said[0].dev, requests.facts.len()), (dev, 0));
    }
}

#[test]
fn a_request_that_is_gone_takes_no_bio() {
    let mut requests = Requests::default();
    requests.bio(B, 7);
    requests.get(2, RQ);
    requests.enter(30, "merge.back", &arguments(RQ, &[("bio", B)]));
    requests.reach(31, "rq.free", &[("rq", RQ)]);
    requests.exit(32, "merge.back", 0);
    assert_eq!((requests.facts.clone(), requests.oddities()), (vec![], vec![(Oddity::RequestUnknown, 1)]));
}

#[test]
fn a_merged_request_hands_its_bios_on_once() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.bio(B, 7);
    requests.ask(3, Some(B));
    requests.exit(4, "rq.get", NEXT);
    requests.facts.clear();
    requests.enter(10, "rq.insert", &arguments(NEXT, &[]));
    let next = [("next", NEXT), ("next.sector", 108), ("next.size", 1024), ("next.op", WRITE)];
    let merge = arguments(RQ, &next);
    requests.enter(20, "rq.merge", &merge);
    requests.exit(21, "rq.merge", 0);
    requests.enter(22, "rq.merge", &merge);
    requests.lose(23, "rq.merge");
    assert_eq!((requests.facts.len(), requests.found.said(BlockKind::RqMerge).len()), (0, 0));
    for (clock, bios) in [(30, vec![(7, B)]), (40, vec![])] {
        requests.enter(clock, "rq.merge", &merge);
        requests.exit(clock + 1, "rq.merge", NEXT);
        let merged = MergedBios { clock: clock + 1, bios, into: RQ };
        assert_eq!(requests.facts.pop(), Some(RequestFact::Merged(merged)));
    }
    assert_eq!(requests.found.said(BlockKind::RqMerge), [(31, 108, 2), (41, 108, 2)]);
    requests.tracker.settle_inserts(&mut requests.found);
    assert_eq!(requests.found.said(BlockKind::RqInsert), [], "it was a merge");
    let dev = requests.found.said.iter().find(|event| event.kind == BlockKind::RqMerge).unwrap().dev;
    assert_eq!((dev, requests.finish(NEXT).merged_into, requests.oddities()), (SDA, Some(1), vec![]));
}

// A function that asks for the merge, and the one that makes it, both return that it was made; the latter may be inlined.
#[test]
fn a_merge_that_two_calls_report_is_one() {
    for inner in [false, true] {
        let mut requests = Requests::default();
        requests.get(2, RQ);
        requests.get(4, NEXT);
        let merge = arguments(RQ, &[("next", NEXT), ("next.sector", 108), ("next.size", 1024)]);
        requests.enter(20, "rq.merge", &merge);
        if inner {
            requests.enter(21, "rq.merge", &merge);
            requests.exit(22, "rq.merge", NEXT);
        }
        requests.exit(23, "rq.merge", 1);
        let clock = if inner { 22 } else { 23 };
        assert_eq!(requests.found.said(BlockKind::RqMerge), [(clock, 108, 2)]);
        assert_eq!((requests.facts.len(), requests.finish(NEXT).merged_into), (1, Some(1)));
    }
}

// blk_attempt_req_merge frees the request that it has merged (to 5.15), before it returns that it did.
#[test]
fn a_request_that_is_freed_in_the_merge_was_merged() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.bio(B, 7);
    requests.ask(3, Some(B));
    requests.exit(4, "rq.get", NEXT);
    requests.facts.clear();
    requests.enter(20, "rq.merge", &arguments(RQ, &[("next", NEXT), ("next.sector", 108)]));
    requests.reach(22, "rq.free", &[("rq", NEXT)]);
    requests.exit(23, "rq.merge", 1);
    let merged = MergedBios { clock: 22, bios: vec![(7, B)], into: RQ };
    assert_eq!(requests.facts, [RequestFact::Merged(merged)]);
    assert_eq!(requests.found.said(BlockKind::RqMerge).len(), 1);
    assert_eq!((requests.finish(NEXT).merged_into, requests.oddities()), (Some(1), vec![]));
}

#[test]
fn a_merge_of_an_unknown_request_is_counted() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.enter(30, "rq.merge", &arguments(RQ, &[("next", NEXT)]));
    requests.exit(31, "rq.merge", NEXT);
    assert_eq!((requests.facts.len(), requests.oddities()), (0, vec![(Oddity::RequestUnknown, 1)]));
}
