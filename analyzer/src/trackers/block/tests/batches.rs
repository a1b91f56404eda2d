//! Requests completed in a batch. Clocks stand under the events.

use super::request_tracker::{NEXT, Requests, arguments};
use crate::trackers::Oddity;
use crate::trackers::timelines::*;

/// Two requests of one bio each, issued at 50 and 55; their interrupt comes at 70.
fn two_issued(guest: &mut SyntheticGuest, ios: [Extent; 2]) {
    for (at, rq, bio, io) in [(10, RQ, B, ios[0]), (30, NEXT, C, ios[1])] {
        guest.submit(at, bio, rq, io);
        guest.rq(at + 15, "rq.issue", rq, bio, io);
    }
}

// rq.batch   rq.complete  E    rq.complete  E    returns
// 80         82           83   84           85   90
#[test]
fn requests_of_a_batch_are_completed_and_freed() {
    let ios = [io(8, 4096, 0), io(100, 512, WRITE)];
    let mut guest = SyntheticGuest::default();
    for round in [0, 100] {
        guest.submit(10 + round, B, RQ, ios[0]);
        guest.submit(30 + round, C, NEXT, ios[1]);
        guest.entry(80 + round, "rq.batch", &[]);
        for (at, rq, bio, io) in [(82, RQ, B, ios[0]), (84, NEXT, C, ios[1])] {
            guest.rq(at + round, "rq.complete", rq, bio, io);
            guest.end(at + 1 + round, bio);
        }
        guest.exit(90 + round, "rq.batch", 0);
    }
    let found = track(&guest);
    found.assert_sound();
    let ends = |id| [Completed, Ended].map(|stage| found.bio(id).at(stage));
    assert_eq!([ends(1), ends(2)], [[Some(82), Some(83)], [Some(84), Some(85)]]);
    assert_eq!([ends(3), ends(4)], [[Some(182), Some(183)], [Some(184), Some(185)]]);
    let released: Vec<_> = found.requests.iter().map(|rq| (rq.ended, rq.freed, rq.updates.len())).collect();
    assert_eq!(
        released,
        [
            (Some(82), Some(90), 1),
            (Some(84), Some(90), 1),
            (Some(182), Some(190), 1),
            (Some(184), Some(190), 1)
        ]
    );
    assert_eq!(found.said(BlockKind::RqComplete), [(82, 8, 8), (84, 100, 1), (182, 8, 8), (184, 100, 1)]);
}

// Without a probe of each request's completion (no DWARF), its first bio's end tells it.
// rq.batch   E    E (merged)   E of another   returns
// 80         83   84           86             90
#[test]
fn without_a_probe_the_first_bio_completes_its_request() {
    let (one, two, other) = (io(8, 4096, WRITE), io(16, 4096, WRITE), io(100, 512, 0));
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, one);
    guest.queue(20, B + 0x800, two);
    guest.merge(25, "merge.back", (RQ, one), (B + 0x800, two), true);
    guest.rq(40, "rq.issue", RQ, B, io(8, 8192, WRITE));
    guest.submit(50, C, NEXT, other);
    guest.entry(80, "rq.batch", &[]);
    for (at, bio) in [(83, B), (84, B + 0x800), (86, C)] {
        guest.end(at, bio);
    }
    guest.exit(90, "rq.batch", 0);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!([1, 2, 3].map(|id| found.bio(id).at(Completed)), [Some(83), Some(83), Some(86)]);
    assert_eq!([1, 2, 3].map(|id| found.bio(id).at(Ended)), [Some(83), Some(84), Some(86)]);
    assert_eq!(found.said(BlockKind::RqComplete), [(83, 8, 16), (86, 100, 1)]);
    let updates =
        |at: usize| found.requests[at].updates.iter().map(|u| (u.clock, u.bytes)).collect::<Vec<_>>();
    assert_eq!([updates(0), updates(1)], [[(83, 8192)], [(86, 512)]]);
    assert_eq!(found.requests.iter().map(|rq| rq.freed).collect::<Vec<_>>(), [Some(90), Some(90)]);
}

// Outside of a batch, and in an interrupt during one, the end of a bio completes no request.
#[test]
fn only_what_ends_in_the_batch_is_part_of_it() {
    let ios = [io(8, 4096, 0), io(100, 512, WRITE)];
    let mut guest = SyntheticGuest::default();
    two_issued(&mut guest, ios);
    guest.entry(80, "rq.batch", &[]);
    guest.at(HARDIRQ, |guest| guest.end(82, C));
    guest.end(83, B);
    guest.exit(90, "rq.batch", 0);
    let found = track(&guest);
    assert_eq!([1, 2].map(|id| found.bio(id).at(Completed)), [Some(83), None]);
    assert_eq!(found.requests.iter().map(|rq| rq.freed).collect::<Vec<_>>(), [Some(90), None]);
}

// Tags are given back while the batch goes on: the address may be used again before its return, which may not be seen.
#[test]
fn a_request_of_a_batch_may_be_got_again_before_its_return() {
    let mut requests = Requests::default();
    requests.get(10, RQ);
    requests.reach(15, "rq.issue", &arguments(RQ, &[]));
    requests.get(20, NEXT);
    requests.enter(30, "rq.batch", &[]);
    requests.complete(31, Some(RQ));
    requests.exit(32, "rq.complete", 0);
    requests.get(33, RQ);
    assert_eq!(requests.oddities(), []);
    requests.lose(40, "rq.batch");
    requests.get(50, NEXT);
    assert_eq!(requests.oddities(), [(Oddity::RequestGotTwice, 1)], "the one that was in no batch");
}

// A passthrough request belongs to its sender, who frees it: once, after the batch.
#[test]
fn a_passthrough_request_outlives_the_batch() {
    let inquiry = io(u64::MAX, 36, DRV_IN);
    let mut guest = SyntheticGuest::default();
    guest.get(10, RQ);
    guest.rq(50, "rq.issue", RQ, B, inquiry);
    guest.entry(80, "rq.batch", &[]);
    guest.rq(82, "rq.complete", RQ, B, inquiry);
    guest.end(83, B);
    guest.exit(90, "rq.batch", 0);
    guest.free(95, RQ);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!(found.requests.iter().map(|rq| rq.freed).collect::<Vec<_>>(), [Some(95)]);
}
