//! The block layer's own flushes. Clocks stand under the events.

use crate::trackers::timelines::*;

/// Runs the device's flush request: made at `clock`, issued at +2, interrupt at +10, over at +14.
fn flush(guest: &mut SyntheticGuest, clock: u64) {
    let flush = io(u64::MAX, 0, 2 | PREFLUSH);
    guest.entry(clock, "rq.init", &[("rq", 0xf000)]);
    guest.issue(clock + 2, 0xf000, 0, flush);
    guest.interrupt(clock + 10, &[0xf000]);
    guest.update(clock + 13, 0xf000, 0, flush, 0);
    guest.entry(clock + 14, "flush.end", &[("rq", 0xf000)]);
}

fn step(guest: &mut SyntheticGuest, clock: u64, rq: u64, bio: u64, io: Extent, step: u64) {
    guest.rq_with(clock, "flush.step", rq, bio, io, &[("seq", step)]);
}

// #1 FUA write: G  preflush(30..44)  D 50 .. C 70  postflush(80..94)  E 96
// #2 empty flush, waits for the same first flush: E 46
#[test]
fn flushes_are_shared_and_framed_by_their_steps() {
    let data = io(100, 4096, WRITE | PREFLUSH | FUA | SYNC);
    let empty = io(0, 0, WRITE | PREFLUSH);
    let (one, two) = (RQ, RQ + 0x400);
    let mut guest = SyntheticGuest::default();
    guest.submit(1, B, one, data);
    guest.submit(13, C, two, empty);
    guest.rq(26, "flush.insert", one, B, data);
    step(&mut guest, 27, one, B, data, 0);
    guest.rq(28, "flush.insert", two, C, empty);
    step(&mut guest, 29, two, C, empty, 6);
    flush(&mut guest, 30);
    step(&mut guest, 44, one, B, data, 1);
    step(&mut guest, 45, two, C, empty, 1);
    guest.update(45, two, C, empty, 0);
    guest.end(46, C);
    guest.free(47, two);
    guest.issue(50, one, B, data);
    guest.interrupt(60, &[one]);
    guest.update(70, one, B, data, 4096);
    step(&mut guest, 71, one, B, data, 2);
    flush(&mut guest, 80);
    step(&mut guest, 94, one, B, data, 4);
    guest.update(95, one, B, io(100, 0, data.op), 0);
    guest.end(96, B);
    guest.free(97, one);
    let found = track(&guest);
    found.assert_sound();
    let expected = [
        (Queued, 1),
        (Got, 11),
        (Preflushed, 44),
        (Issued, 50),
        (Driver, 51),
        (Doorbell, 53),
        (Interrupt, 60),
        (Done, 62),
        (Completed, 70),
        (Postflushed, 94),
        (Ended, 96),
    ];
    assert_eq!(found.stages(1), expected);
    assert_eq!(found.bio(1).stages[2].shared, 2);
    let expected = [
        (Queued, 13),
        (Got, 23),
        (Issued, 32),
        (Driver, 33),
        (Doorbell, 35),
        (Interrupt, 40),
        (Done, 42),
        (Completed, 45),
        (Ended, 46),
    ];
    assert_eq!(found.stages(2), expected);
    assert_eq!((&found.bio(1).other_requests[..], &found.bio(2).other_requests[..]), (&[3, 4][..], &[3][..]));
    assert_eq!(found.requests[2].kind, RequestKind::Flush);
    // As the kernel prints them: no sector, and all ones for it when it is completed.
    assert_eq!(found.said(BlockKind::RqIssue)[0], (32, 0, 0));
    assert_eq!(found.said(BlockKind::RqComplete)[0], (43, u64::MAX, 0));
}

// To 4.20 a flush request ends as those do that the scheduler gave out: it is told so within the end of the flush.
#[test]
fn a_flush_request_is_freed_once() {
    let mut guest = SyntheticGuest::default();
    flush(&mut guest, 30);
    guest.free(45, 0xf000);
    guest.exit(46, "flush.end", 0);
    let unknown = |guest: &SyntheticGuest| track(guest).counts.of(crate::trackers::Oddity::RequestUnknown);
    assert_eq!(unknown(&guest), 0);
    guest.free(50, 0xf000);
    assert_eq!(unknown(&guest), 1);
}
