//! The tracker of requests by itself: facts in; requests, facts of bios and what tracepoints would have said out.

use crate::hash::Map;
use crate::model::{BlockKind, Join, Op, OpName, Request, RequestKind, Update};
use crate::trackers::block::bios::RequestHistory;
use crate::trackers::block::fact::{BioState, JoinedBio, Membership, RequestFact};
use crate::trackers::block::requests::{BioStates, Exchange, RequestTracker};
use crate::trackers::counts::Oddity;
use crate::trackers::fact::{CommandFact, CommandStep, EndFact, Fact, ReturnedRequest};
use crate::trackers::fixture::{FactSource, RoleArguments};
use crate::trackers::timelines::{B, C, Found, RQ, SDA, WRITE};
use iotrace_format::definition::{Constant, Definition};

pub const NEXT: u64 = RQ + 0x400;

/// The bios at some addresses.
#[derive(Default)]
pub struct Known(Map<u64, BioState>);

impl BioStates for Known {
    fn state(&self, pointer: u64) -> Option<BioState> {
        self.0.get(&pointer).copied()
    }
}

#[derive(Default)]
pub struct Requests {
    pub source: FactSource,
    pub tracker: RequestTracker,
    bios: Known,
    pub facts: Vec<RequestFact>,
    pub found: Found,
}

/// The arguments of an event of a request of 8 sectors, at sector 100.
pub fn arguments(request: u64, more: RoleArguments<'_>) -> Vec<(&'static str, u64)> {
    let more = more.iter().map(|(name, value)| (&*String::leak((*name).to_owned()), *value));
    let state = [("rq", request), ("rq.dev", SDA), ("rq.sector", 100), ("rq.size", 4096), ("rq.op", WRITE)];
    state.into_iter().chain(more).collect()
}

impl Requests {
    /// A bio that is in flight, queued at 5: 4 sectors from 104 are left of it.
    pub fn bio(&mut self, pointer: u64, id: u64) {
        let (op, has_request) = (Op::plain(OpName::Read), false);
        let bio =
            BioState { pointer, id, queued: 5, dev: SDA + 1, sector: 104, bytes: 2048, op, has_request };
        self.bios.0.insert(pointer, bio);
    }

    /// A function without an exit reaches a stage.
    pub fn reach(
        &mut self,
        clock: u64,
        stage: &str,
        arguments: RoleArguments<'_>,
    ) -> Option<ReturnedRequest> {
        let Self { source, tracker, bios, facts, found } = self;
        let take = |fact: &Fact<'_>| tracker.fact(fact, &mut Exchange { bios, facts, out: found });
        source.reach_only(clock, stage, arguments, take)
    }

    /// A function with an exit reaches a stage.
    pub fn enter(&mut self, clock: u64, stage: &str, arguments: RoleArguments<'_>) {
        let Self { source, tracker, bios, facts, found } = self;
        let take = |fact: &Fact<'_>| tracker.fact(fact, &mut Exchange { bios, facts, out: found });
        assert_eq!(source.enter(clock, stage, arguments, take), None);
    }

    pub fn exit(&mut self, clock: u64, stage: &str, returned: u64) -> Option<ReturnedRequest> {
        let Self { source, tracker, bios, facts, found } = self;
        let take = |end: &EndFact<'_>| tracker.call_ended(end, &mut Exchange { bios, facts, out: found });
        source.exit(clock, stage, returned, take)
    }

    pub fn lose(&mut self, clock: u64, stage: &str) -> Option<ReturnedRequest> {
        let Self { source, tracker, bios, facts, found } = self;
        let take = |end: &EndFact<'_>| tracker.call_ended(end, &mut Exchange { bios, facts, out: found });
        source.lose(clock, stage, take)
    }

    /// A request is asked for, for a bio perhaps.
    pub fn ask(&mut self, clock: u64, bio: Option<u64>) {
        let Self { source, tracker, .. } = self;
        source.enter(clock, "rq.get", &[], |fact| tracker.asked(fact, bio));
    }

    /// A request is got for no bio.
    pub fn get(&mut self, clock: u64, pointer: u64) {
        self.ask(clock - 1, None);
        self.exit(clock, "rq.get", pointer);
    }

    pub fn command(&mut self, request: u64, clock: u64, step: CommandStep) {
        self.tracker.command(&CommandFact { request, clock, step, result: None });
    }

    pub fn count(&self, oddity: Oddity) -> u64 {
        self.tracker.counts().of(oddity)
    }

    pub fn oddities(&self) -> Vec<(Oddity, u64)> {
        self.tracker.counts().all().collect()
    }

    /// The request at an address, as it is given at the end.
    pub fn finish(&mut self, pointer: u64) -> Request {
        self.tracker.finish(&mut self.found);
        self.found.requests.iter().find(|request| request.pointer == pointer).unwrap().clone()
    }
}

/// A bio joined the request at `RQ`.
pub fn joined(bio: u64, request: u64, from: u64, join: Join) -> RequestFact {
    RequestFact::Joined(JoinedBio { bio, membership: Membership { pointer: RQ, request, from, join } })
}

// ask 10, get 12: for the bio B, of which 4 sectors are left
#[test]
fn a_request_that_is_got_for_a_bio_is_as_the_bio() {
    let mut requests = Requests::default();
    requests.bio(B, 7);
    requests.ask(10, Some(B));
    requests.exit(12, "rq.get", RQ);
    assert_eq!(requests.facts, [joined(B, 1, 12, Join::Got)]);
    assert_eq!(requests.found.said(BlockKind::GetRq), [(12, 104, 4)]);
    let request = requests.finish(RQ);
    assert_eq!((request.id, request.kind, request.got, request.adopted), (1, RequestKind::Data, 12, false));
    assert_eq!(
        (request.dev, request.sector, request.bytes, request.op),
        (SDA + 1, 104, 2048, Some(Op::plain(OpName::Read)))
    );
    let members: Vec<_> = request.members.iter().map(|m| (m.bio, m.pointer, m.clock, m.join)).collect();
    assert_eq!((members, requests.oddities()), (vec![(7, B, 12, Join::Got)], vec![]));
}

#[test]
fn a_request_that_is_got_for_no_bio_is_passthrough() {
    let mut requests = Requests::default();
    requests.ask(10, None);
    requests.exit(12, "rq.get", 0);
    requests.ask(20, None);
    requests.lose(21, "rq.get");
    assert_eq!(requests.tracker.state(RQ), None);
    requests.get(32, RQ);
    assert_eq!((requests.facts.len(), requests.found.said.len()), (0, 0));
    assert_eq!((requests.finish(RQ).kind, requests.found.requests.len()), (RequestKind::Passthrough, 1));
    // Asked for by a bio that is over by now.
    let mut requests = Requests::default();
    requests.ask(10, Some(B));
    requests.exit(12, "rq.get", RQ);
    assert_eq!((requests.finish(RQ).kind, requests.facts.len()), (RequestKind::Data, 0));
}

#[test]
fn an_address_that_is_got_again_is_another_request() {
    let mut requests = Requests::default();
    requests.get(10, RQ);
    requests.get(20, RQ);
    assert_eq!((requests.found.requests.len(), requests.found.requests[0].id), (1, 1));
    assert_eq!((requests.oddities(), requests.finish(RQ).id), (vec![(Oddity::RequestGotTwice, 1)], 1));
    assert_eq!(requests.found.requests[1].id, 2);
}

// asked for 10 (for B) and 11 (for C): B's exit is not seen
#[test]
fn a_request_that_nobody_was_seen_to_get_is_the_one_that_was_asked_for() {
    let mut requests = Requests::default();
    requests.bio(B, 7);
    requests.ask(10, Some(B));
    requests.ask(11, Some(C));
    requests.reach(30, "rq.plug", &arguments(RQ, &[("rq.bio", B)]));
    assert_eq!((requests.facts.clone(), requests.oddities()), (vec![joined(B, 1, 10, Join::Got)], vec![]));
    requests.exit(31, "rq.get", 0);
    requests.exit(32, "rq.get", NEXT);
    assert_eq!(requests.tracker.state(NEXT), None, "it was served");
    let request = requests.finish(RQ);
    assert_eq!(
        (request.got, request.adopted, request.plugged, request.kind),
        (10, false, Some(30), RequestKind::Data)
    );
    // As the event shows it, that is not as the bio was.
    assert_eq!((request.dev, request.sector, request.bytes), (SDA, 100, 4096));
}

#[test]
fn a_request_whose_bio_is_unknown_was_asked_for_by_nobody_in_particular() {
    let mut requests = Requests::default();
    requests.ask(10, None);
    requests.reach(30, "rq.plug", &arguments(RQ, &[("rq.bio", B)]));
    let request = requests.finish(RQ);
    assert_eq!((request.got, request.adopted, requests.facts.len()), (10, false, 0));
}

#[test]
fn a_request_that_nobody_asked_for_is_adopted() {
    let mut requests = Requests::default();
    requests.bio(B, 7);
    requests.reach(30, "rq.plug", &arguments(RQ, &[("rq.bio", B)]));
    assert_eq!(requests.facts, [joined(B, 1, 30, Join::Got)]);
    let request = requests.finish(RQ);
    assert_eq!((request.got, request.adopted), (30, true));
    assert_eq!(requests.oddities(), [(Oddity::RequestAdopted, 1)]);
}

// A request got at 4 for no bio, before the bio (5), turns out to be the bio's.
#[test]
fn a_request_without_a_bio_takes_the_one_that_its_event_shows() {
    let mut requests = Requests::default();
    requests.get(4, RQ);
    requests.bio(B, 7);
    requests.bios.0.get_mut(&B).unwrap().has_request = true;
    requests.reach(30, "rq.plug", &arguments(RQ, &[("rq.bio", B)]));
    assert_eq!(requests.facts, []);
    requests.bio(B, 7);
    requests.reach(31, "rq.plug", &arguments(RQ, &[("rq.bio", B)]));
    assert_eq!(requests.facts, [joined(B, 1, 5, Join::Got)]);
    requests.reach(32, "rq.plug", &arguments(RQ, &[("rq.bio", B)]));
    assert_eq!((requests.facts.len(), requests.finish(RQ).members.len()), (1, 1));
}

#[test]
fn events_without_a_request_are_counted() {
    let mut requests = Requests::default();
    let mut missing = 0;
    for stage in [
        "rq.plug",
        "rq.insert",
        "rq.requeue",
        "rq.dispatch",
        "rq.issue",
        "rq.update",
        "rq.init",
        "flush.step",
        "merge.back",
        "rq.merge",
    ] {
        assert_eq!(requests.reach(1, stage, &[("rq", 0), ("bio", B), ("next", NEXT)]), None);
        missing += 1;
        assert_eq!(requests.oddities(), [(Oddity::WordMissing, missing)], "{stage}");
    }
    requests.reach(1, "rq.insert_merge", &[("x", 0)]);
    for (unknown, stage) in (1..).zip(["rq.end", "rq.free", "flush.end", "flush.insert"]) {
        requests.reach(1, stage, &[("rq", 0)]);
        assert_eq!(requests.count(Oddity::RequestUnknown), unknown, "{stage}");
    }
    requests.get(2, RQ);
    requests.reach(3, "merge.front", &[("rq", RQ)]);
    requests.reach(3, "rq.merge", &[("rq", RQ)]);
    assert_eq!(requests.count(Oddity::WordMissing), missing + 2);
}

#[test]
fn a_request_is_as_it_was_seen_before_it_was_issued() {
    let mut requests = Requests::default();
    let constant = Constant { name: "REQ_OP_DISCARD".into(), value: 1 };
    requests.tracker.define(&Definition::Constant(constant));
    requests.get(2, RQ);
    requests.reach(3, "rq.plug", &[("rq", RQ), ("rq.sector", 1), ("rq.size", 512), ("rq.op", 0)]);
    requests.reach(4, "rq.plug", &arguments(RQ, &[]));
    assert_eq!(requests.reach(5, "rq.issue", &arguments(RQ, &[])), None);
    requests.reach(
        6,
        "rq.update",
        &[("rq", RQ), ("rq.dev", 1), ("rq.sector", 1), ("rq.size", 1), ("rq.op", 0)],
    );
    let request = requests.finish(RQ);
    assert_eq!((request.dev, request.sector, request.bytes), (SDA, 100, 4096));
    assert_eq!(request.op.map(|op| op.name), Some(OpName::Discard));
}

#[test]
fn a_flush_without_bios_is_a_request_of_the_block_layer() {
    let flush = [("rq", RQ), ("rq.dev", SDA), ("rq.sector", u64::MAX), ("rq.size", 0), ("rq.op", 2)];
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.reach(3, "rq.issue", &flush);
    assert_eq!(requests.found.said(BlockKind::RqIssue), [(3, 0, 0)]);
    assert_eq!(requests.finish(RQ).kind, RequestKind::Flush);
    let mut requests = Requests::default();
    requests.bio(B, 7);
    requests.ask(1, Some(B));
    requests.exit(2, "rq.get", RQ);
    requests.reach(3, "rq.plug", &flush);
    assert_eq!(requests.finish(RQ).kind, RequestKind::Data);
}

#[test]
fn passthrough_requests_are_said_without_sectors() {
    let mut requests = Requests::default();
    for (stage, kind) in [("rq.issue", BlockKind::RqIssue), ("rq.requeue", BlockKind::RqRequeue)] {
        let driver = [("rq", RQ), ("rq.dev", 0), ("rq.sector", 100), ("rq.size", 4096), ("rq.op", 34)];
        requests.reach(3, stage, &driver);
        requests.reach(4, stage, &arguments(RQ, &[]));
        requests.reach(5, stage, &[("rq", RQ)]);
        assert_eq!(requests.found.said(kind), [(3, 0, 0), (4, 100, 8)]);
    }
}

#[test]
fn completed_bytes_are_noted_and_those_of_passthrough_requests_are_of_mapped_bios() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    let update = [("bytes", 512 | 1 << 32), ("error", 0x105), ("rq.bio", B), ("rq.biotail", C)];
    requests.reach(10, "rq.update", &arguments(RQ, &update));
    assert_eq!(requests.facts, [RequestFact::Mapped(B), RequestFact::Mapped(C)]);
    assert_eq!(requests.found.said(BlockKind::RqComplete), [(10, 100, 1)]);
    requests.facts.clear();
    requests.reach(11, "rq.update", &[("rq", RQ), ("rq.bio", 0), ("rq.biotail", C)]);
    assert_eq!((requests.facts.clone(), requests.found.said.len()), (vec![RequestFact::Mapped(C)], 1));
    let updates = requests.finish(RQ).updates;
    assert_eq!(
        updates,
        [Update { clock: 10, bytes: 512, error: 5 }, Update { clock: 11, bytes: 0, error: 0 }]
    );
    // Of a request of bios nothing is mapped.
    let mut requests = Requests::default();
    requests.bio(B, 7);
    requests.ask(1, Some(B));
    requests.exit(2, "rq.get", RQ);
    requests.facts.clear();
    requests.reach(10, "rq.update", &arguments(RQ, &update));
    assert_eq!(requests.facts, []);
}

#[test]
fn a_request_is_given_when_it_is_freed_or_the_trace_is_over() {
    let mut requests = Requests::default();
    requests.get(2, NEXT);
    requests.get(4, RQ);
    requests.get(6, 0xa800);
    requests.reach(10, "rq.end", &[("rq", RQ)]);
    requests.reach(11, "rq.free", &[("rq", RQ)]);
    let [request] = &requests.found.requests[..] else { panic!() };
    assert_eq!((request.id, request.ended, request.freed), (2, Some(10), Some(11)));
    requests.finish(RQ);
    let ids: Vec<_> = requests.found.requests.iter().map(|request| request.id).collect();
    assert_eq!((ids, requests.oddities()), (vec![2, 1, 3], vec![]));
}

#[test]
fn what_a_request_went_through_is_known_while_it_is_there() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.reach(3, "rq.plug", &arguments(RQ, &[]));
    let membership = Membership { pointer: RQ, request: 1, from: 1, join: Join::Got };
    let outcome = requests.tracker.outcome(&membership, 10).unwrap();
    assert_eq!((outcome.stages.len(), outcome.requeues), (2, 0));
    assert_eq!(requests.tracker.outcome(&Membership { request: 2, ..membership }, 10), None);
    requests.reach(4, "rq.free", &[("rq", RQ)]);
    assert_eq!(requests.tracker.outcome(&membership, 10), None);
}
