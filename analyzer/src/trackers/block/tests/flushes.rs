//! Flush sequences in the tracker of requests by itself.

use super::request_tracker::{Requests, arguments};
use crate::model::{FlushRide, RequestKind};
use crate::trackers::block::bios::RequestHistory;
use crate::trackers::block::fact::Membership;
use crate::trackers::counts::Oddity;
use crate::trackers::fact::CommandStep;
use crate::trackers::timelines::{RQ, SDA};

const FLUSH: u64 = 0xf000;
const NEXT: u64 = RQ + 0x400;

fn step(requests: &mut Requests, clock: u64, request: u64, step: u64) {
    requests.reach(clock, "flush.step", &arguments(request, &[("seq", step)]));
}

fn init(requests: &mut Requests, clock: u64) {
    requests.reach(clock, "rq.init", &[("rq", FLUSH)]);
}

fn rides(requests: &mut Requests, pointer: u64) -> Vec<FlushRide> {
    requests.finish(pointer).flushes
}

#[test]
fn a_sequence_waits_for_a_flush_before_and_one_after_its_data() {
    // Steps done so far, and what is waited for then: before the data (1), after it (4).
    for (steps, expected) in [
        (&[0][..], &[false][..]),
        (&[0x100], &[false]),
        (&[1], &[]),
        (&[1, 2], &[true]),
        (&[3], &[true]),
        (&[6], &[false]),
        (&[7], &[]),
        (&[0, 1, 2, 4], &[false, true]),
        (&[15], &[]),
        (&[2], &[false]),
    ] {
        let mut requests = Requests::default();
        requests.get(2, RQ);
        assert_eq!(requests.reach(3, "flush.insert", &arguments(RQ, &[])), None);
        for (clock, done) in (10..).zip(steps) {
            step(&mut requests, clock, RQ, *done);
        }
        let waits: Vec<_> = rides(&mut requests, RQ).iter().map(|ride| ride.after_data).collect();
        assert_eq!((waits, requests.oddities()), (expected.to_vec(), vec![]), "{steps:?}");
    }
}

// insert 3, issue 4, data over 10: the kernel has set the step before itself
#[test]
fn data_that_was_passed_on_waits_for_the_flush_after_it() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.reach(3, "flush.insert", &arguments(RQ, &[]));
    requests.reach(4, "rq.issue", &arguments(RQ, &[]));
    step(&mut requests, 10, RQ, 2);
    let waits: Vec<_> = rides(&mut requests, RQ).iter().map(|ride| (ride.after_data, ride.from)).collect();
    assert_eq!((waits, requests.oddities()), (vec![(true, 10)], vec![]));
}

// steps at 3, 5 and 8; the scheduler hears of the data at 7, of the release at 12
#[test]
fn the_end_of_a_sequences_data_is_no_release() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.reach(2, "flush.insert", &arguments(RQ, &[]));
    step(&mut requests, 3, RQ, 0);
    step(&mut requests, 5, RQ, 1);
    requests.reach(6, "rq.issue", &arguments(RQ, &[]));
    requests.reach(7, "rq.free", &[("rq", RQ)]);
    assert!(requests.found.requests.is_empty());
    step(&mut requests, 8, RQ, 2);
    step(&mut requests, 11, RQ, 4);
    requests.reach(12, "rq.free", &[("rq", RQ)]);
    let request = &requests.found.requests[0];
    assert_eq!((request.freed, request.flushes.len(), requests.oddities()), (Some(12), 2, vec![]));
}

// The flush before its data failed: it is released without its data, within that step.
#[test]
fn a_request_whose_data_never_went_out_is_released() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    step(&mut requests, 3, RQ, 0);
    step(&mut requests, 5, RQ, 1);
    requests.reach(6, "rq.free", &[("rq", RQ)]);
    assert_eq!(requests.found.requests[0].freed, Some(6));
}

#[test]
fn an_insertion_begins_a_new_sequence() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    step(&mut requests, 3, RQ, 7);
    assert_eq!(requests.reach(4, "flush.insert", &arguments(RQ, &[])), None);
    step(&mut requests, 5, RQ, 0);
    let request = requests.finish(RQ);
    assert_eq!((request.sequence, request.flushes.len(), request.flushes[0].from), (Some(0), 1, 5));
}

// two wait from 10 and 11, the flush is made at 20, issued 21, over 30
#[test]
fn those_who_wait_share_the_devices_next_flush() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.get(4, NEXT);
    step(&mut requests, 10, RQ, 0);
    step(&mut requests, 11, NEXT, 1);
    step(&mut requests, 12, NEXT, 2);
    init(&mut requests, 20);
    step(&mut requests, 25, RQ, 1);
    requests.reach(26, "rq.issue", &[("rq", FLUSH)]);
    requests.command(FLUSH, 27, CommandStep::Done(None));
    requests.reach(30, "flush.end", &[("rq", FLUSH)]);
    let flush = requests.found.requests.pop().unwrap();
    assert_eq!((flush.id, flush.kind, flush.dev, flush.got), (3, RequestKind::Flush, SDA, 20));
    assert_eq!((flush.ended, flush.freed, flush.riders.len()), (Some(30), Some(30), 2));
    let attempt = Some(flush.attempts[0].clone());
    let before =
        FlushRide { after_data: false, from: 10, request: Some(3), riders: 2, done: Some(30), attempt };
    assert_eq!(rides(&mut requests, RQ), std::slice::from_ref(&before));
    let after = FlushRide { after_data: true, from: 12, ..before };
    let next = requests.found.requests.iter().find(|request| request.pointer == NEXT).unwrap();
    assert_eq!((&next.flushes[..], requests.oddities()), (&[after][..], vec![]));
}

// The end of the flush is that of the request, if that was told before.
#[test]
fn a_flush_is_over_when_its_request_ended() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    step(&mut requests, 10, RQ, 0);
    init(&mut requests, 20);
    requests.reach(28, "rq.end", &[("rq", FLUSH)]);
    requests.reach(30, "flush.end", &[("rq", FLUSH)]);
    let flush = &requests.found.requests[0];
    assert_eq!((flush.ended, flush.freed), (Some(28), Some(30)));
    let ride = rides(&mut requests, RQ).remove(0);
    assert_eq!((ride.done, ride.attempt), (Some(28), None));
}

// made 20, issued 22; a reference is given back at 25, the command is done at 29
#[test]
fn a_flush_is_not_over_while_the_device_has_it() {
    let mut requests = Requests::default();
    init(&mut requests, 20);
    requests.reach(22, "rq.issue", &[("rq", FLUSH)]);
    requests.reach(25, "flush.end", &[("rq", FLUSH)]);
    assert!(requests.found.requests.is_empty());
    requests.command(FLUSH, 29, CommandStep::Done(None));
    requests.reach(30, "flush.end", &[("rq", FLUSH)]);
    assert_eq!(requests.found.requests[0].freed, Some(30));
    assert_eq!(requests.count(Oddity::RequestUnknown), 0);
}

#[test]
fn a_flush_that_is_made_again_ends_the_one_before() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    step(&mut requests, 10, RQ, 0);
    init(&mut requests, 20);
    step(&mut requests, 25, RQ, 3);
    init(&mut requests, 30);
    let done: Vec<_> = rides(&mut requests, RQ).iter().map(|ride| (ride.request, ride.done)).collect();
    assert_eq!(done, [(Some(2), Some(30)), (Some(3), None)]);
    assert_eq!((requests.found.requests[0].id, requests.oddities()), (2, vec![]));
}

#[test]
fn a_request_that_is_got_is_no_flush_though_it_is_initialized() {
    let mut requests = Requests::default();
    let Requests { source, tracker, .. } = &mut requests;
    source.enter(10, "rq.get", &[], |fact| tracker.asked(fact, None));
    init(&mut requests, 11);
    assert_eq!((requests.tracker.state(FLUSH), requests.oddities()), (None, vec![]));
    requests.exit(12, "rq.get", FLUSH);
    assert_eq!(requests.finish(FLUSH).kind, RequestKind::Passthrough);
}

#[test]
fn a_flush_that_nobody_waits_for_is_counted() {
    let mut requests = Requests::default();
    init(&mut requests, 20);
    assert_eq!(requests.oddities(), [(Oddity::FlushWithoutRider, 1)]);
    assert_eq!(requests.finish(FLUSH).kind, RequestKind::Flush);
}

// A flush of another device than the one whose sequence went on last.
#[test]
fn a_flush_is_of_the_device_whose_sequence_went_on_last() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.get(4, NEXT);
    step(&mut requests, 10, RQ, 0);
    requests.reach(11, "flush.step", &[("rq", NEXT), ("rq.dev", SDA + 16), ("seq", 0)]);
    init(&mut requests, 20);
    assert_eq!(rides(&mut requests, RQ)[0].request, None);
    let next = requests.found.requests.iter().find(|request| request.pointer == NEXT).unwrap();
    assert_eq!(next.flushes[0].request, Some(3));
}

#[test]
fn a_rider_that_is_gone_gets_nothing() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    step(&mut requests, 10, RQ, 0);
    requests.reach(11, "rq.free", &[("rq", RQ)]);
    requests.get(13, RQ);
    step(&mut requests, 14, RQ, 1);
    init(&mut requests, 20);
    step(&mut requests, 21, RQ, 2);
    requests.reach(30, "flush.end", &[("rq", FLUSH)]);
    let rides = rides(&mut requests, RQ);
    assert_eq!(rides.iter().map(|ride| (ride.request, ride.done)).collect::<Vec<_>>(), [(None, None)]);
}

#[test]
fn a_bio_has_the_flushes_that_its_request_waited_for() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    step(&mut requests, 10, RQ, 0);
    init(&mut requests, 20);
    step(&mut requests, 25, RQ, 3);
    let membership = Membership { pointer: RQ, request: 1, from: 1, join: crate::model::Join::Got };
    assert_eq!(requests.tracker.outcome(&membership, 99).unwrap().flushes, [2]);
}

#[test]
fn no_more_than_64_flushes_are_noted() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    for _ in 0..65 {
        step(&mut requests, 10, RQ, 0);
    }
    assert_eq!(requests.oddities(), [(Oddity::FlushedTooOften, 1)]);
    assert_eq!(rides(&mut requests, RQ).len(), 64);
}
