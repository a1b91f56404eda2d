//! The tracker of bios by itself: facts in, bios and what tracepoints would have said out.

use crate::hash::Map;
use crate::model::{
    Bio, BioStage, BlockKind, Carried, Cause, FileCall, FileCallKind, IrqRef, Join, OpName, Origin, StageMark,
};
use crate::trackers::block::bios::{BioTracker, RequestHistory};
use crate::trackers::block::fact::{JoinedBio, Membership, MembershipOutcome};
use crate::trackers::block::requests::BioStates;
use crate::trackers::counts::Oddity;
use crate::trackers::fact::QueuedBio;
use crate::trackers::fixture::{FactSource, RoleArguments};
use crate::trackers::timelines::{B, C, Found, RQ, SDA, SYNC, WRITE};
use iotrace_format::definition::{AddressName, Constant, Definition};
use iotrace_format::event::{MARK_BEGIN, MARK_END};
use std::sync::Arc;

pub const CHAIN_END: u64 = 0xffff_ffff_8100_0000;
pub const PARENT: u64 = 0xb900;

/// What the requests at some addresses went through.
#[derive(Default)]
pub struct Histories(pub Map<u64, MembershipOutcome>);

impl RequestHistory for Histories {
    fn outcome(&self, membership: &Membership, until: u64) -> Option<MembershipOutcome> {
        let mut outcome = self.0.get(&membership.pointer)?.clone();
        outcome.stages.retain(|mark| mark.clock <= until);
        Some(outcome)
    }
}

#[derive(Default)]
pub struct Bios {
    pub source: FactSource,
    pub tracker: BioTracker,
    pub requests: Histories,
    pub found: Found,
}

impl Bios {
    pub fn with_chains() -> Self {
        let mut new = Self::default();
        let symbol = AddressName { address: CHAIN_END, name: "bio_chain_endio".into() };
        new.tracker.define(&Definition::Symbol(symbol));
        new
    }

    pub fn queue(&mut self, clock: u64, bio: u64, more: RoleArguments<'_>) -> Option<QueuedBio> {
        self.queue_in(clock, bio, None, more)
    }

    pub fn queue_in(
        &mut self,
        clock: u64,
        bio: u64,
        call: Option<FileCall>,
        more: RoleArguments<'_>,
    ) -> Option<QueuedBio> {
        let Self { source, tracker, requests, found } = self;
        let arguments = [("bio", bio), ("bio.sector", 100), ("bio.op", WRITE | SYNC)];
        let mut arguments = [&arguments[..], more].concat();
        for (role, value) in [("bio.dev", SDA), ("bio.size", 4096)] {
            if !arguments.iter().any(|(known, _)| *known == role) {
                arguments.push((role, value));
            }
        }
        source.reach_only(clock, "bio.queue", &arguments, |fact| tracker.queue(fact, call, requests, found))
    }

    pub fn enter(&mut self, clock: u64, arguments: RoleArguments<'_>) {
        let Self { source, tracker, found, .. } = self;
        source.enter(clock, "bio.enter", arguments, |fact| tracker.enter(fact, found));
    }

    pub fn entered(&mut self) -> Option<u64> {
        let Self { source, tracker, .. } = self;
        source.at(999, &[], |context| tracker.entered(context))
    }

    /// A bio is made to fit its device.
    pub fn fit(&mut self, clock: u64) {
        let Self { source, tracker, .. } = self;
        source.enter(clock, "bio.fit", &[], |fact| tracker.fit(fact));
    }

    /// Begins to split a bio of 16 sectors at sector 100.
    pub fn begin_split(&mut self, clock: u64, bio: u64, sectors: u64) {
        self.begin_split_at(clock, bio, sectors, 100);
    }

    /// The same, at another sector.
    pub fn begin_split_at(&mut self, clock: u64, bio: u64, sectors: u64, sector: u64) {
        let Self { source, tracker, .. } = self;
        let arguments = [
            ("bio", bio),
            ("sectors", sectors),
            ("bio.dev", SDA),
            ("bio.sector", sector),
            ("bio.size", 8192),
        ];
        source.enter(clock, "bio.split", &arguments, |fact| tracker.split(fact));
    }

    pub fn split(&mut self, clock: u64, returned: u64) {
        let Self { source, tracker, requests, found } = self;
        source.exit(clock, "bio.split", returned, |end| tracker.call_ended(end, None, requests, found));
    }

    /// A bio is copied, by a function that returns the copy.
    pub fn copy(&mut self, clock: u64, source_bio: u64, returned: u64) {
        let Self { source, tracker, requests, found } = self;
        source.enter(clock, "bio.clone", &[("parent", source_bio)], |fact| tracker.clone_bio(fact));
        source.exit(clock + 1, "bio.clone", returned, |end| tracker.call_ended(end, None, requests, found));
    }

    pub fn chain(&mut self, arguments: RoleArguments<'_>) {
        let Self { source, tracker, .. } = self;
        source.reach_only(500, "bio.chain", arguments, |fact| tracker.chain(fact));
    }

    pub fn end(&mut self, clock: u64, bio: u64, more: RoleArguments<'_>) {
        let Self { source, tracker, requests, found } = self;
        let arguments = [&[("bio", bio)][..], more].concat();
        source.reach_only(clock, "bio.end", &arguments, |fact| tracker.end(fact, requests, found));
    }

    pub fn join(&mut self, bio: u64, pointer: u64, request: u64, join: Join) {
        self.tracker.join(&JoinedBio { bio, membership: Membership { pointer, request, from: 20, join } });
    }

    /// The request at an address reaches stages.
    pub fn reach_in(&mut self, request: u64, stages: &[(BioStage, u64)]) {
        let stages = stages.iter().map(|(stage, clock)| mark(*stage, *clock)).collect();
        let outcome = MembershipOutcome { stages, ..MembershipOutcome::default() };
        self.requests.0.insert(request, outcome);
    }

    pub fn count(&self, oddity: Oddity) -> u64 {
        self.tracker.counts().of(oddity)
    }

    pub fn oddities(&self) -> Vec<(Oddity, u64)> {
        self.tracker.counts().all().collect()
    }

    pub fn finish(&mut self) -> &[Bio] {
        self.tracker.finish(&self.requests, &mut self.found);
        &self.found.bios
    }
}

pub fn mark(stage: BioStage, clock: u64) -> StageMark {
    StageMark { stage, clock, shared: 1 }
}

#[test]
fn a_queued_bio_is_as_its_event_shows_it() {
    let mut bios = Bios::default();
    bios.source.mark(MARK_BEGIN);
    let call = FileCall { kind: FileCallKind::Read, clock: 5, ino: 7, dev: SDA, count: None, position: None };
    let queued = bios.queue_in(10, B, Some(call), &[("bio.traced", 0)]);
    assert_eq!(queued, Some(QueuedBio { pointer: B, id: 1, op: OpName::Write, bytes: 4096 }));
    let state = bios.tracker.state(B).unwrap();
    assert_eq!((state.pointer, state.id, state.queued, state.dev), (B, 1, 10, SDA));
    assert_eq!(
        (state.sector, state.bytes, state.op.rwbs(), state.has_request),
        (100, 4096, "WS".into(), false)
    );
    assert_eq!(bios.tracker.state(C), None);
    assert_eq!(bios.found.said(BlockKind::BioQueue), [(10, 100, 8)]);
    let carried = Carried { io: 1, bio: 1, from: 0, to: 9 };
    bios.tracker.attribute(&queued.unwrap(), Arc::new(Cause::Softirq), vec![carried]);
    bios.tracker.attribute(&QueuedBio { pointer: C, ..queued.unwrap() }, Arc::new(Cause::Unknown), vec![]);
    let [bio] = bios.finish() else { panic!() };
    assert_eq!((bio.id, bio.pointer, bio.origin, bio.dev), (1, B, Origin::Queued, SDA));
    assert_eq!((bio.sector, bio.bytes, bio.op.rwbs(), bio.task.pid), (100, 4096, "WS".into(), 42));
    assert_eq!(
        (bio.call, bio.cause.as_deref(), &bio.carries[..]),
        (Some(call), Some(&Cause::Softirq), &[carried][..])
    );
    assert_eq!((bio.in_workload, &bio.stages[..]), (true, &[mark(BioStage::Queued, 10)][..]));
    assert_eq!(bios.oddities(), [(Oddity::BioUnfinished, 1)]);
}

// nvme's paths to a namespace are disks that are not registered: 5.10 has no device number for them.
#[test]
fn a_disk_without_a_device_number_has_that_of_its_first_minor() {
    let numbers = [("bio.dev", 0), ("bio.disk_numbers", 3 << 32 | 259)];
    let mut bios = Bios::default();
    bios.queue(10, B, &numbers);
    let dev = 259 << 20 | 3;
    assert_eq!((bios.tracker.state(B).unwrap().dev, bios.found.said[0].dev), (dev, dev));
    bios.queue(20, C, &[("bio.dev", SDA), numbers[1]]);
    assert_eq!(bios.tracker.state(C).unwrap().dev, SDA);
}

#[test]
fn operations_are_those_of_the_kernel() {
    let mut bios = Bios::default();
    let constant = Constant { name: "REQ_OP_DISCARD".into(), value: 1 };
    bios.tracker.define(&Definition::Constant(constant));
    assert_eq!(bios.queue(10, B, &[]).unwrap().op, OpName::Discard);
}

#[test]
fn a_bio_that_was_traced_before_is_late_and_says_nothing() {
    for (traced, said, late) in [(&[][..], 1, 0), (&[("bio.traced", 0)], 1, 0), (&[("bio.traced", 1)], 0, 1)]
    {
        let mut bios = Bios::default();
        assert!(bios.queue(10, B, traced).is_some());
        assert_eq!((bios.found.said.len(), bios.count(Oddity::BioSeenLate)), (said, late), "{traced:?}");
    }
}

#[test]
fn an_address_that_is_queued_untraced_again_is_another_bio() {
    let mut bios = Bios::default();
    bios.source.mark(MARK_END);
    bios.queue(10, B, &[]);
    assert_eq!(bios.queue(20, B, &[("bio.traced", 0)]).map(|bio| bio.id), Some(2));
    assert_eq!(bios.oddities(), [(Oddity::BioQueuedTwice, 1)]);
    assert_eq!((bios.found.bios.len(), bios.found.bios[0].id, bios.found.said.len()), (1, 1, 2));
    // The rest of a split bio, or one that a stacked device passes on.
    for more in [&[("bio.traced", 1)][..], &[]] {
        let Bios { source, tracker, requests, found } = &mut bios;
        let arguments = [&[("bio", B), ("bio.sector", 108), ("bio.size", 512)][..], more].concat();
        let queued =
            source.reach_only(30, "bio.queue", &arguments, |fact| tracker.queue(fact, None, requests, found));
        assert_eq!(queued, None);
    }
    let state = bios.tracker.state(B).unwrap();
    assert_eq!((state.id, state.sector, state.bytes), (2, 108, 512));
    assert_eq!((bios.oddities(), bios.found.said.len()), (vec![(Oddity::BioQueuedTwice, 1)], 2));
}

#[test]
fn facts_without_a_bio_are_counted() {
    let mut bios = Bios::default();
    let Bios { source, tracker, requests, found } = &mut bios;
    source.reach_only(1, "bio.queue", &[("bio.size", 1)], |fact| tracker.queue(fact, None, requests, found));
    source.reach_only(2, "bio.end", &[("bio.status", 1)], |fact| tracker.end(fact, requests, found));
    bios.chain(&[("bio", B)]);
    bios.chain(&[("parent", B)]);
    bios.enter(3, &[("bio.sector", 1)]);
    assert_eq!((bios.oddities(), bios.entered()), (vec![(Oddity::WordMissing, 4)], None));
}

#[test]
fn the_queue_works_on_the_innermost_bio_without_a_request() {
    let mut bios = Bios::default();
    bios.queue(1, B, &[]);
    bios.queue(2, C, &[]);
    assert_eq!(bios.entered(), None);
    bios.enter(10, &[("bio", B), ("bio.sector", 116), ("bio.size", 512)]);
    assert_eq!((bios.entered(), bios.tracker.state(B).unwrap().sector), (Some(B), 116));
    bios.begin_split(11, C, 8);
    assert_eq!(bios.entered(), Some(B));
    bios.enter(12, &[("bio", C)]);
    assert_eq!(bios.entered(), Some(C));
    bios.join(C, RQ, 4, Join::Got);
    assert_eq!((bios.entered(), bios.tracker.state(C).unwrap().has_request), (Some(B), true));
    bios.enter(13, &[("bio", PARENT)]);
    assert_eq!(bios.entered(), Some(B), "what is not in flight is over");
    for clock in [20, 21] {
        let Bios { source, tracker, requests, found } = &mut bios;
        source.exit(clock, "bio.enter", 0, |end| tracker.call_ended(end, None, requests, found));
    }
    bios.split(22, 0);
    assert_eq!(bios.entered(), Some(B));
}

// B: 16 sectors from 100; 4 of them go first, as C
#[test]
fn a_split_makes_a_bio_of_the_first_sectors() {
    let mut bios = Bios::default();
    let queued = bios.queue(1, B, &[("bio.size", 8192)]).unwrap();
    bios.tracker.attribute(&queued, Arc::new(Cause::Softirq), vec![]);
    bios.enter(2, &[("bio", B), ("bio.sector", 100), ("bio.size", 8192)]);
    bios.begin_split(3, B, 4 | 1 << 32);
    bios.split(4, C);
    let (whole, part) = (bios.tracker.state(B).unwrap(), bios.tracker.state(C).unwrap());
    assert_eq!((whole.sector, whole.bytes), (104, 6144));
    assert_eq!((part.sector, part.bytes, part.queued, part.id, part.dev), (100, 2048, 4, 2, SDA));
    assert_eq!(bios.found.said(BlockKind::Split), [(4, 100, 104)]);
    assert_eq!(bios.entered(), Some(C));
    // The same once more, of what is entered no longer.
    bios.begin_split(5, B, 4);
    bios.split(6, PARENT);
    assert_eq!((bios.found.said(BlockKind::Split).len(), bios.entered()), (1, Some(C)));
    let [_, whole, part, _] = bios.finish() else { panic!() };
    assert_eq!((whole.splits, part.splits), (2, 0));
    assert_eq!((part.origin, part.cause.as_deref()), (Origin::Split { of: 1 }, Some(&Cause::Softirq)));
}

// As nvme's multipath has it: the bio is not in the queue yet. A split that is made otherwise has no tracepoint.
#[test]
fn a_split_that_makes_a_bio_fit_its_device_is_a_tracepoints() {
    for fits in [false, true] {
        let mut bios = Bios::default();
        bios.queue(1, B, &[("bio.size", 8192)]);
        if fits {
            bios.fit(2);
        }
        bios.begin_split(3, B, 4);
        bios.split(4, C);
        let expected = if fits { vec![(4, 100, 104)] } else { vec![] };
        assert_eq!(bios.found.said(BlockKind::Split), expected);
    }
}

#[test]
fn a_split_of_an_unknown_bio_is_a_bio_of_its_own() {
    let mut bios = Bios::default();
    bios.queue(1, C, &[]);
    bios.begin_split(3, B, 4);
    bios.split(4, C);
    assert_eq!(bios.oddities(), [(Oddity::BioQueuedTwice, 1)]);
    assert_eq!((bios.found.bios[0].id, bios.tracker.state(C).unwrap().id), (1, 2));
    let bio = bios.finish()[1].clone();
    assert_eq!((bio.origin, bio.cause), (Origin::Queued, None));
}

#[test]
fn a_split_that_failed_or_was_not_seen_to_end_makes_nothing() {
    for returned in [0, u64::MAX, u64::MAX - 4095] {
        let mut bios = Bios::default();
        bios.queue(1, B, &[]);
        bios.begin_split(3, B, 4);
        bios.split(4, returned);
        assert_eq!(bios.finish().len(), 1, "{returned:#x}");
    }
    let mut bios = Bios::default();
    bios.begin_split(3, B, 4);
    bios.split(4, u64::MAX - 4096);
    assert_eq!(bios.finish().len(), 1, "the largest address that is no error");
    let mut bios = Bios::default();
    bios.begin_split(3, B, 4);
    let Bios { source, tracker, requests, found } = &mut bios;
    source.lose(4, "bio.split", |end| tracker.call_ended(end, None, requests, found));
    source.enter(5, "bio.split", &[("bio", B)], |fact| tracker.split(fact));
    bios.split(6, C);
    assert_eq!(bios.finish().len(), 0);
}

// Whether the end of a bio that waits for its part alone is a tracepoint's, the bio that was split tells.
#[test]
fn a_part_is_traced_if_the_whole_is() {
    for (known, said) in [(true, 1), (false, 0)] {
        let mut bios = Bios::with_chains();
        if known {
            bios.queue(1, B, &[]);
        }
        bios.begin_split(3, B, 4);
        bios.split(4, C);
        let to_c = [("bio.end_io", CHAIN_END), ("bio.private", C)];
        bios.queue(5, PARENT, &to_c);
        bios.end(9, PARENT, &[]);
        assert_eq!(bios.found.bios.iter().map(|bio| bio.id).max(), Some(if known { 4 } else { 2 }));
        assert_eq!(bios.found.said(BlockKind::BioComplete).len(), said);
    }
}

#[test]
fn a_bio_follows_its_request_into_another_one_128_times() {
    let mut bios = Bios::default();
    let irq = IrqRef { id: 3, clock: 40, vector: None, line: None, handler: None, call: None };
    let outcome = MembershipOutcome {
        stages: vec![],
        requeues: 1,
        interrupt: Some(irq),
        flushes: vec![],
        ..MembershipOutcome::default()
    };
    bios.requests.0.insert(RQ, outcome);
    bios.queue(1, B, &[]);
    let Bios { tracker, requests, .. } = &mut bios;
    assert_eq!(tracker.leave_merged((2, B), 10, requests), None, "another bio's number");
    assert_eq!(tracker.leave_merged((1, C), 10, requests), None);
    for request in 1..=128 {
        bios.join(B, RQ, request, Join::WithRequest);
        let left = bios.tracker.leave_merged((1, B), 10, &bios.requests).unwrap();
        assert_eq!((left.pointer, left.has_request), (B, false));
    }
    assert_eq!(bios.oddities(), []);
    assert_eq!(bios.tracker.leave_merged((1, B), 10, &bios.requests), None);
    assert_eq!(bios.oddities(), [(Oddity::MergedTooOften, 1)]);
    bios.join(B, C, 200, Join::Back);
    let [bio] = bios.finish() else { panic!() };
    assert_eq!((bio.other_requests.len(), bio.request, bio.requeues), (128, Some(200), 128));
    assert_eq!(bio.interrupt, Some(irq), "one of a request that is gone");
}

#[test]
fn what_is_in_flight_at_the_end_is_given_in_order_and_counted_if_it_is_of_the_workload() {
    let mut bios = Bios::default();
    bios.queue(1, PARENT, &[]);
    bios.source.mark(MARK_BEGIN);
    bios.queue(2, C, &[]);
    bios.queue(3, B, &[]);
    bios.reach_in(RQ, &[(BioStage::Got, 20), (BioStage::Issued, u64::MAX)]);
    bios.join(B, RQ, 4, Join::Got);
    let ids: Vec<_> = bios.finish().iter().map(|bio| bio.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(bios.oddities(), [(Oddity::BioUnfinished, 2)]);
    assert_eq!(bios.found.bios[2].stages.len(), 3);
    assert_eq!(bios.finish().len(), 3, "it is given once");
}
