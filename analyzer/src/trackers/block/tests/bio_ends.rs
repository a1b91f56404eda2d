//! How bios end, in their tracker by itself.

use super::bio_tracker::{Bios, CHAIN_END, PARENT, mark};
use crate::model::{BioStage, BlockKind, IrqRef, Join};
use crate::trackers::block::fact::MembershipOutcome;
use crate::trackers::block::requests::BioStates;
use crate::trackers::counts::Oddity;
use crate::trackers::timelines::{B, C, RQ};
use iotrace_format::definition::{AddressName, Definition};

#[test]
fn a_bio_ends_with_its_stages_and_its_status() {
    let mut bios = Bios::default();
    let irq = IrqRef { id: 3, clock: 40, vector: None, line: None, handler: None, call: None };
    let stages = vec![mark(BioStage::Got, 20), mark(BioStage::Issued, 30), mark(BioStage::Completed, 99)];
    bios.requests.0.insert(
        RQ,
        MembershipOutcome {
            stages,
            requeues: 2,
            interrupt: Some(irq),
            flushes: vec![9, 8, 4],
            ..MembershipOutcome::default()
        },
    );
    bios.queue(10, B, &[]);
    bios.join(B, RQ, 4, Join::Back);
    bios.end(50, B, &[("bio.status", 5), ("bio.traced", 1), ("bio.sector", 104), ("bio.size", 1024)]);
    let [bio] = &bios.found.bios[..] else { panic!() };
    let expected =
        [(BioStage::Queued, 10), (BioStage::Got, 20), (BioStage::Issued, 30), (BioStage::Ended, 50)];
    assert_eq!(bio.stages, expected.map(|(stage, clock)| mark(stage, clock)));
    assert_eq!((bio.status, bio.request, bio.join, bio.requeues), (5, Some(4), Some(Join::Back), 2));
    assert_eq!((bio.interrupt, &bio.other_requests[..]), (Some(irq), &[8, 9][..]));
    assert_eq!(bios.found.said(BlockKind::BioComplete), [(50, 104, 2)]);
    assert_eq!((bios.oddities(), bios.tracker.state(B)), (vec![], None));
}

#[test]
fn a_bio_that_its_request_traces_says_nothing_at_its_end() {
    let mut bios = Bios::default();
    bios.queue(10, B, &[("bio.traced", 0)]);
    bios.end(50, B, &[("bio.traced", 0)]);
    assert_eq!(bios.found.said(BlockKind::BioComplete), []);
}

#[test]
fn data_that_ends_well_has_had_a_request() {
    for (size, status, request, counted) in
        [(4096, 0, false, 1), (0, 0, false, 0), (4096, 5, false, 0), (4096, 0, true, 0)]
    {
        let mut bios = Bios::default();
        let Bios { source, tracker, requests, found } = &mut bios;
        let arguments = [("bio", B), ("bio.size", size)];
        source.reach_only(1, "bio.queue", &arguments, |fact| tracker.queue(fact, None, requests, found));
        if request {
            bios.join(B, RQ, 4, Join::Got);
        }
        bios.end(50, B, &[("bio.status", status)]);
        assert_eq!(bios.count(Oddity::BioWithoutRequest), counted, "{size} {status} {request}");
    }
}

#[test]
fn stages_out_of_order_are_counted() {
    let mut bios = Bios::default();
    bios.reach_in(RQ, &[(BioStage::Done, 20), (BioStage::Driver, 30), (BioStage::Doorbell, 25)]);
    bios.queue(10, B, &[]);
    bios.join(B, RQ, 4, Join::Got);
    bios.end(50, B, &[]);
    assert_eq!(bios.oddities(), [(Oddity::StageOrder, 2)]);
}

#[test]
fn the_end_of_an_unknown_bio_is_counted_unless_it_is_a_passthrough_requests() {
    let mut bios = Bios::default();
    bios.tracker.map(B);
    bios.end(10, B, &[("bio.traced", 0)]);
    assert_eq!((bios.oddities(), bios.found.said.len()), (vec![], 0));
    bios.end(20, B, &[("bio.traced", 1), ("bio.sector", 8), ("bio.size", 512)]);
    assert_eq!(bios.oddities(), [(Oddity::BioEndUnknown, 1)]);
    assert_eq!(bios.found.said(BlockKind::BioComplete), [(20, 8, 1)]);
    // Not the last of its ends; the count is only one of a chained bio.
    bios.end(30, B, &[("bio.traced", 1), ("bio.chained", 1), ("bio.remaining", 2)]);
    assert_eq!(bios.found.said.len(), 1);
    for more in [[("bio.chained", 0), ("bio.remaining", 2)], [("bio.chained", 1), ("bio.remaining", 1)]] {
        bios.end(40, B, &[&[("bio.traced", 1)][..], &more].concat());
    }
    assert_eq!((bios.found.said.len(), bios.count(Oddity::BioEndUnknown)), (3, 4));
}

#[test]
fn an_unknown_bio_ends_the_one_that_waits_for_it() {
    let mut bios = Bios::with_chains();
    bios.queue(1, B, &[]);
    let to_b = [("bio.end_io", CHAIN_END), ("bio.private", B), ("bio.status", 7)];
    bios.end(20, C, &[("bio.end_io", CHAIN_END + 1), ("bio.private", B)]);
    assert_eq!(bios.found.bios.len(), 0, "the end of another kind of bio");
    bios.end(30, C, &to_b);
    assert_eq!((bios.found.bios[0].ended(), bios.found.bios[0].status), (Some(30), 0));
    bios.end(40, C, &to_b);
    assert_eq!(bios.found.bios.len(), 1, "nothing waits any more");
}

#[test]
fn an_address_that_has_another_name_now_ends_no_chain() {
    let mut bios = Bios::with_chains();
    let symbol = AddressName { address: CHAIN_END, name: "other".into() };
    bios.tracker.define(&Definition::Symbol(symbol));
    bios.queue(1, B, &[]);
    bios.end(30, C, &[("bio.end_io", CHAIN_END), ("bio.private", B)]);
    assert_eq!(bios.found.bios.len(), 0);
}

// The front (C) waits for nothing, the whole (B) for both: B's own part ends 20, C ends 30 with an error.
#[test]
fn a_bio_waits_for_its_children() {
    let mut bios = Bios::default();
    bios.reach_in(RQ, &[(BioStage::Got, 15), (BioStage::Completed, 19), (BioStage::Issued, 25)]);
    bios.queue(1, B, &[]);
    bios.queue(2, C, &[]);
    bios.chain(&[("bio", C), ("parent", B)]);
    bios.join(B, RQ, 4, Join::Got);
    bios.end(20, B, &[]);
    assert_eq!((bios.found.bios.len(), bios.tracker.state(B).map(|bio| bio.has_request)), (0, Some(false)));
    bios.end(30, C, &[("bio.status", 5)]);
    let ended: Vec<_> = bios.found.bios.iter().map(|bio| (bio.id, bio.ended(), bio.status)).collect();
    assert_eq!(ended, [(2, Some(30), 5), (1, Some(30), 5)]);
    let at = [BioStage::Got, BioStage::Issued].map(|stage| bios.found.bios[1].at(stage));
    assert_eq!(at, [Some(15), None], "what came after its own part is not its own");
}

#[test]
fn a_bio_keeps_the_first_error_of_its_children() {
    let mut bios = Bios::default();
    for (clock, bio) in [(1, B), (2, C), (3, PARENT)] {
        bios.queue(clock, bio, &[]);
    }
    bios.chain(&[("bio", B), ("parent", PARENT)]);
    bios.chain(&[("bio", C), ("parent", PARENT)]);
    bios.end(10, PARENT, &[]);
    bios.end(20, B, &[("bio.status", 5)]);
    assert_eq!(bios.found.bios.len(), 1);
    bios.end(30, C, &[("bio.status", 6)]);
    let ended: Vec<_> = bios.found.bios.iter().map(|bio| (bio.id, bio.status)).collect();
    assert_eq!(ended, [(1, 5), (2, 6), (3, 5)]);
}

#[test]
fn what_an_event_says_of_a_chain_counts() {
    for (more, ends) in [
        (&[("bio.chained", 1), ("bio.remaining", 3)][..], 3),
        (&[("bio.chained", 0), ("bio.remaining", 3)], 1),
        (&[("bio.remaining", 3)], 1),
        (&[("bio.chained", 1)], 1),
    ] {
        let mut bios = Bios::default();
        bios.queue(1, B, more);
        let needed = (1..10).find(|clock| {
            bios.end(*clock, B, &[]);
            !bios.found.bios.is_empty()
        });
        assert_eq!(needed, Some(ends), "{more:?}");
    }
    // Three ends to come, then an event of an unchained bio: one.
    let mut bios = Bios::default();
    bios.queue(1, B, &[("bio.chained", 1), ("bio.remaining", 3)]);
    bios.end(2, B, &[("bio.chained", 0)]);
    assert_eq!(bios.found.bios.len(), 1);
}

#[test]
fn a_bio_that_waits_no_more_has_no_parent() {
    let mut bios = Bios::with_chains();
    bios.queue(1, PARENT, &[]);
    bios.queue(2, B, &[("bio.end_io", CHAIN_END), ("bio.private", PARENT)]);
    bios.end(10, B, &[("bio.end_io", 1), ("bio.private", PARENT)]);
    assert_eq!(bios.found.bios.iter().map(|bio| bio.id).collect::<Vec<_>>(), [2]);
}
