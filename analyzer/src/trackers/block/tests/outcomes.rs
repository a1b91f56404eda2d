//! What a request went through, for a bio in it.

use crate::model::{
    Attempt, Bio, BioStage, FlushRide, IrqRef, Join, Op, OpName, Origin, Request, RequestKind, RequestMember,
    StageMark, Update,
};
use crate::trackers::block::fact::Membership;
use crate::trackers::block::outcome::{finish, outcome};

const IRQ: IrqRef = IrqRef { id: 3, clock: 60, vector: None, line: None, handler: None, call: None };

/// A request got at 10, plugged 20, inserted 30, issued 40 .. done 70, completed 80; a second bio joins at 35.
fn request() -> Request {
    let mut request = Request::new(1, 0xa000, RequestKind::Data, 10);
    request.plugged = Some(20);
    request.inserted = vec![15, 30];
    let attempt = Attempt {
        driver: Some(45),
        doorbell: Some(50),
        interrupt: Some(IRQ),
        done: Some(70),
        ..Attempt::default()
    };
    request.attempts.push(attempt);
    request.issue(40);
    for (bio, clock) in [(7, 10), (8, 35)] {
        request.members.push(RequestMember { bio, pointer: bio, clock, join: Join::Got });
    }
    request.update(Update { clock: 80, bytes: 512, error: 0 });
    request
}

fn stages(request: &Request, from: u64, join: Join, until: u64) -> Vec<(BioStage, u64, u32)> {
    let outcome = outcome(request, &Membership { pointer: 0xa000, request: 1, from, join }, until);
    outcome.stages.iter().map(|mark| (mark.stage, mark.clock, mark.shared)).collect()
}

fn ride(after_data: bool, done: u64, attempt: Option<Attempt>) -> FlushRide {
    FlushRide { after_data, from: 1, request: Some(9), riders: 3, done: Some(done), attempt }
}

#[test]
fn a_bio_reaches_the_stages_that_come_while_it_is_in_the_request() {
    let expected = [
        (BioStage::Got, 10, 1),
        (BioStage::Plugged, 20, 1),
        (BioStage::Inserted, 15, 1),
        (BioStage::Issued, 40, 2),
        (BioStage::Driver, 45, 2),
        (BioStage::Doorbell, 50, 2),
        (BioStage::Interrupt, 60, 2),
        (BioStage::Done, 70, 2),
        (BioStage::Completed, 80, 2),
    ];
    assert_eq!(stages(&request(), 10, Join::Got, 80), expected);
    assert_eq!(stages(&request(), 10, Join::Got, 79)[..], expected[..8]);
    for join in [Join::Back, Join::Front, Join::Discard, Join::WithRequest] {
        let late = [&[(BioStage::Merged, 21, 1), (BioStage::Inserted, 30, 1)], &expected[3..]].concat();
        assert_eq!(stages(&request(), 21, join, 80), late, "{join:?}");
    }
    assert_eq!(stages(&request(), 40, Join::Back, 45)[1..], expected[3..5]);
}

#[test]
fn flushes_are_stages_of_a_request_with_data() {
    let mut request = request();
    request.flushes = vec![ride(false, 38, None), ride(true, 78, Some(Attempt::default()))];
    let flushes = |stages: Vec<(BioStage, u64, u32)>| {
        let is_flush = |stage| matches!(stage, BioStage::Preflushed | BioStage::Postflushed);
        stages.into_iter().filter(|(stage, ..)| is_flush(*stage)).collect::<Vec<_>>()
    };
    let expected = [(BioStage::Preflushed, 38, 3), (BioStage::Postflushed, 78, 3)];
    assert_eq!(flushes(stages(&request, 10, Join::Got, 90)), expected);
    let membership = Membership { pointer: 0xa000, request: 1, from: 10, join: Join::Got };
    let outcome = outcome(&request, &membership, 90);
    assert_eq!((outcome.flushes, outcome.interrupt, outcome.requeues), (vec![9, 9], Some(IRQ), 0));
}

// A request that is nothing but a flush goes to the device in the last flush that did.
#[test]
fn a_request_without_data_has_the_stages_of_its_flush() {
    let mut request = Request::new(1, 0xa000, RequestKind::Data, 10);
    request.attempts.push(Attempt { driver: Some(12), ..Attempt::default() });
    request.requeue(13);
    let attempt = |issued| Attempt { issued: Some(issued), interrupt: Some(IRQ), ..Attempt::default() };
    request.flushes =
        vec![ride(false, 28, Some(attempt(20))), ride(true, 78, Some(attempt(40))), ride(true, 90, None)];
    let expected = [(BioStage::Got, 10, 1), (BioStage::Issued, 40, 3), (BioStage::Interrupt, 60, 3)];
    assert_eq!(stages(&request, 10, Join::Got, 90), expected);
    let membership = Membership { pointer: 0xa000, request: 1, from: 10, join: Join::Got };
    let outcome = outcome(&request, &membership, 90);
    assert_eq!((outcome.flushes.len(), outcome.interrupt, outcome.requeues), (3, Some(IRQ), 1));
}

#[test]
fn a_request_that_went_nowhere_has_no_stages_of_a_device() {
    let mut request = Request::new(1, 0xa000, RequestKind::Data, 10);
    request.flushes = vec![ride(false, 28, None)];
    assert_eq!(stages(&request, 10, Join::Got, 90), [(BioStage::Got, 10, 1)]);
}

fn bio(stages: &[(BioStage, u64)]) -> Bio {
    let mark = |(stage, clock): &(BioStage, u64)| StageMark { stage: *stage, clock: *clock, shared: 1 };
    Bio {
        request: Some(4),
        other_requests: vec![5, 4, 3, 5],
        stages: stages.iter().map(mark).collect(),
        ..Bio::new(1, 0xb000, Origin::Queued, Op::plain(OpName::Read), 0)
    }
}

#[test]
fn stages_are_in_order_each_once_and_so_are_other_requests() {
    use BioStage::{Completed, Done, Driver, Ended, Got, Inserted, Issued, Plugged, Postflushed, Queued};
    for (stages, expected, disorder) in [
        (&[(Queued, 1), (Got, 9), (Plugged, 5)][..], &[(Queued, 1), (Plugged, 5), (Got, 9)][..], 0),
        (&[(Got, 9), (Got, 5), (Queued, 5)], &[(Queued, 5), (Got, 5)], 0),
        (&[(Issued, 5), (Driver, 5), (Done, 5)], &[(Issued, 5), (Driver, 5), (Done, 5)], 0),
        (&[(Done, 4), (Issued, 5), (Driver, 6)], &[(Done, 4), (Issued, 5), (Driver, 6)], 1),
        (&[(Done, 4), (Driver, 5), (Issued, 6)], &[(Done, 4), (Driver, 5), (Issued, 6)], 2),
        (&[(Issued, 4), (Inserted, 5)], &[(Issued, 4), (Inserted, 5)], 0),
        (&[(Postflushed, 4), (Completed, 5), (Ended, 6)], &[(Postflushed, 4), (Completed, 5), (Ended, 6)], 0),
    ] {
        let mut bio = bio(stages);
        assert_eq!(finish(&mut bio), disorder, "{stages:?}");
        let stages: Vec<_> = bio.stages.iter().map(|mark| (mark.stage, mark.clock)).collect();
        assert_eq!((stages, bio.other_requests), (expected.to_vec(), vec![3, 5]));
    }
}
