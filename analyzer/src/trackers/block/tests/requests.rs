//! Requests: got, inserted, sent back, passed through. Clocks stand under the events.

use crate::trackers::Oddity;
use crate::trackers::timelines::*;

// insert() calls insert_merge() as its last act: only the inner exit is seen
//   30 insert   31 insert_merge   35 returns 0          60 insert   65 returns 1
#[test]
fn an_insertion_that_leaves_by_a_tail_call_is_told_by_it() {
    let write = io(100, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    guest.rq(30, "rq.insert", RQ, B, write);
    guest.entry(31, "rq.insert_merge", &[("rq", RQ)]);
    guest.exit(35, "rq.insert_merge", 0);
    guest.submit(40, C, RQ + 0x400, write);
    guest.rq(60, "rq.insert", RQ + 0x400, C, write);
    guest.entry(61, "rq.insert_merge", &[("rq", RQ + 0x400)]);
    guest.exit(65, "rq.insert_merge", 1);
    guest.exit(66, "rq.insert", 1);
    let found = track(&guest);
    assert_eq!(found.said(BlockKind::RqInsert), [(30, 100, 8)]);
    assert_eq!(found.requests[0].inserted, [30]);
}

// D(busy)  requeue    D    irq  C
// 50       54         60   70   80
#[test]
fn of_a_requeued_request_the_last_attempt_counts() {
    let read = io(8, 4096, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.rq(40, "rq.insert", RQ, B, read);
    guest.entry(49, "rq.dispatch", &[("data", 1), ("data.rq", RQ)]);
    guest.rq(50, "rq.issue", RQ, B, read);
    guest.entry(51, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
    guest.exit(53, "rq.dispatch", 9);
    guest.rq(54, "rq.requeue", RQ, B, read);
    guest.issue(60, RQ, B, read);
    guest.interrupt(70, &[RQ]);
    guest.complete(80, RQ, B, read);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!(
        (found.bio(1).requeues, found.bio(1).at(Issued), found.bio(1).at(Inserted)),
        (1, Some(60), Some(40))
    );
    let attempts = &found.requests[0].attempts;
    assert_eq!(attempts.iter().map(|a| (a.command, a.refused)).collect::<Vec<_>>(), [(1, true), (2, false)]);
    assert_eq!(found.said(BlockKind::RqIssue).len(), 2);
    assert_eq!(found.said(BlockKind::RqRequeue), [(54, 8, 8)]);
}

// a command of a user: no bio is queued, but one ends
#[test]
fn a_passthrough_request_is_no_bio() {
    let inquiry = io(u64::MAX, 36, DRV_IN);
    let mut guest = SyntheticGuest::default();
    guest.get(10, RQ);
    guest.issue(50, RQ, B, inquiry);
    guest.interrupt(60, &[RQ]);
    guest.update(70, RQ, B, inquiry, 36);
    guest.end(71, B);
    guest.free(72, RQ);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!((found.bios.len(), found.requests[0].kind), (0, RequestKind::Passthrough));
    assert_eq!(found.said(BlockKind::RqIssue), [(50, 0, 0)]);
    assert_eq!(found.said(BlockKind::GetRq), []);
}

// the allocation's exit is not seen: the request is known by its bio at 30; asked for at 19
#[test]
fn an_allocation_that_leaves_by_a_tail_call_is_found_by_its_bio() {
    let read = io(8, 4096, 0);
    let mut guest = SyntheticGuest::default();
    guest.queue(10, B, read);
    guest.enter(11, B, read);
    guest.entry(19, "rq.get", &[]);
    guest.rq(30, "rq.plug", RQ, B, read);
    guest.leave(31);
    guest.exit(32, "rq.get", 0); // of a call that the trace began in: only makes the exits known
    let found = track(&guest);
    assert_eq!(found.stages(1), [(Queued, 10), (Got, 19), (Plugged, 30)]);
    assert_eq!(found.counts.of(Oddity::RequestAdopted), 0);
    assert_eq!(found.said(BlockKind::GetRq), [(19, 8, 8)]);
}

#[test]
fn a_request_out_of_a_plugs_cache_is_taken_in() {
    let read = io(8, 4096, 0);
    let mut guest = SyntheticGuest::default();
    guest.queue(10, B, read);
    guest.enter(11, B, read);
    guest.rq(30, "rq.plug", RQ, B, read);
    guest.leave(31);
    let found = track(&guest);
    assert_eq!(found.stages(1), [(Queued, 10), (Got, 30), (Plugged, 30)]);
    assert_eq!((found.counts.of(Oddity::RequestAdopted), found.requests[0].adopted), (1, true));
}
