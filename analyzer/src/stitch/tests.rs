//! Timelines drawn, built and measured. Clocks stand under the events.

use super::*;
use crate::guest::*;
use crate::model::{Bio, BlockEvent, BlockKind, Origin, RequestKind, Stage};

#[derive(Default)]
struct Found {
    bios: Vec<Bio>,
    requests: Vec<Request>,
    said: Vec<BlockEvent>,
    counts: Counts,
}

impl Sink for Found {
    fn bio(&mut self, bio: Bio) {
        self.bios.push(bio);
    }
    fn request(&mut self, request: &Request) {
        self.requests.push(request.clone());
    }
    fn block_event(&mut self, event: BlockEvent) {
        self.said.push(event);
    }
}

fn stitch(guest: &Guest) -> Found {
    let (mut stitcher, mut found) = (Stitcher::default(), Found::default());
    guest.definitions.iter().for_each(|definition| stitcher.define(definition));
    guest.events.iter().for_each(|event| stitcher.event(&event.event(), &mut found));
    stitcher.finish(&mut found);
    found.counts = stitcher.counts();
    found.bios.sort_by_key(|bio| bio.id);
    found.requests.sort_by_key(|request| request.id);
    found
}

impl Found {
    /// Stages of a bio, with its clocks.
    fn stages(&self, id: u64) -> Vec<(Stage, u64)> {
        self.bio(id).stages.iter().map(|mark| (mark.stage, mark.clock)).collect()
    }

    fn bio(&self, id: u64) -> &Bio {
        self.bios.iter().find(|bio| bio.id == id).unwrap()
    }

    fn said(&self, kind: BlockKind) -> Vec<(u64, u64, u64)> {
        let of_kind = self.said.iter().filter(|event| event.kind == kind);
        of_kind.map(|event| (event.clock, event.sector, event.sectors)).collect()
    }

    fn assert_sound(&self) {
        let losses: Vec<_> = self.counts.all().filter(|(oddity, _)| oddity.is_loss()).collect();
        assert!(losses.is_empty(), "{losses:?}");
        for bio in self.bios.iter().filter(|bio| bio.ended().is_some()) {
            let parts: u64 = bio.stages.windows(2).map(|pair| pair[1].clock - pair[0].clock).sum();
            assert_eq!(Some(parts), bio.ended().map(|end| end - bio.queued()), "the parts are the whole");
        }
    }
}

use Stage::{
    Completed, Done, Doorbell, Driver, Ended, Got, Inserted, Interrupt, Issued, Merged, Plugged, Postflushed,
    Preflushed, Queued,
};

const B: u64 = 0xb100;
const C: u64 = 0xb200;
const RQ: u64 = 0xa000;

// Q    G    P    I    D driver bell   irq done   C    E
// 10   20   30   40   50  51    53    70   72   80   81
#[test]
fn a_write_goes_through_all_stages() {
    let write = io(100, 4096, WRITE | SYNC);
    let mut guest = Guest::default();
    guest.submit(10, B, RQ, write);
    guest.rq(30, "rq.plug", RQ, B, write);
    guest.rq(40, "rq.insert", RQ, B, write);
    guest.issue(50, RQ, B, write);
    guest.interrupt(70, &[RQ]);
    guest.complete(80, RQ, B, write);
    let found = stitch(&guest);
    found.assert_sound();
    let expected = [
        (Queued, 10),
        (Got, 20),
        (Plugged, 30),
        (Inserted, 40),
        (Issued, 50),
        (Driver, 51),
        (Doorbell, 53),
        (Interrupt, 70),
        (Done, 72),
        (Completed, 80),
        (Ended, 81),
    ];
    assert_eq!(found.stages(1), expected);
    let bio = found.bio(1);
    assert_eq!((bio.op.rwbs().as_str(), bio.bytes, bio.task.pid), ("WS", 4096, 42));
    let irq = bio.interrupt.unwrap();
    assert_eq!((irq.vector, irq.line, irq.handler), (Some(38), Some(11), Some(0x99)));
    assert_eq!((found.requests[0].got, found.requests[0].freed), (20, Some(83)));
    for kind in [
        BlockKind::BioQueue,
        BlockKind::GetRq,
        BlockKind::RqInsert,
        BlockKind::RqIssue,
        BlockKind::RqComplete,
    ] {
        assert_eq!(found.said(kind).len(), 1, "{kind:?}");
    }
    assert_eq!(found.said(BlockKind::BioComplete), [], "it was traced by its request");
}

// #1 Q    G                      D    irq   C    E
// #2           Q    M(failed)   M
//    10   20   30   40          45   60    70   71 72
#[test]
fn merged_bios_share_what_comes_after() {
    let (one, two) = (io(100, 4096, WRITE), io(108, 4096, WRITE));
    let both = io(100, 8192, WRITE);
    let mut guest = Guest::default();
    guest.submit(10, B, RQ, one);
    guest.queue(30, C, two);
    guest.enter(31, C, two);
    guest.merge(40, "merge.front", (RQ, one), (C, two), false);
    guest.merge(45, "merge.back", (RQ, one), (C, two), true);
    guest.leave(46);
    guest.issue(50, RQ, B, both);
    guest.interrupt(60, &[RQ]);
    guest.update(70, RQ, B, both, 8192);
    guest.end(71, B);
    guest.end(72, C);
    guest.free(73, RQ);
    let found = stitch(&guest);
    found.assert_sound();
    assert_eq!(found.stages(2)[..3], [(Queued, 30), (Merged, 45), (Issued, 50)]);
    let shared = |id: u64, stage| found.bio(id).stages.iter().find(|m| m.stage == stage).unwrap().shared;
    assert_eq!((shared(1, Got), shared(1, Issued), shared(2, Merged), shared(2, Done)), (1, 2, 1, 2));
    assert_eq!((found.bio(1).request, found.bio(2).request), (Some(1), Some(1)));
    assert_eq!(found.said(BlockKind::BackMerge), [(45, 108, 8)]);
    assert_eq!(found.said(BlockKind::FrontMerge), []);
}

// rq1: #1   G    I          <- rq2 merged at 50
// rq2: #2      G    insert?
//      10  20 25 35  40 .. 50      60 D
#[test]
fn a_merged_request_brings_its_bios_and_is_not_inserted() {
    let (one, two, both) = (io(100, 4096, WRITE), io(108, 4096, WRITE), io(100, 8192, WRITE));
    for tail_call in [false, true] {
        let mut guest = Guest::default();
        guest.submit(10, B, RQ, one);
        guest.submit(25, C, RQ + 0x400, two);
        guest.rq(38, "rq.insert", RQ, B, one);
        guest.exit(39, "rq.insert", 0);
        guest.rq(40, "rq.insert", RQ + 0x400, C, two);
        guest.entry(
            41,
            "rq.merge",
            &[
                ("rq", RQ),
                ("rq.dev", SDA),
                ("next", RQ + 0x400),
                ("next.sector", 108),
                ("next.size", 4096),
                ("next.op", WRITE),
            ],
        );
        guest.exit(50, "rq.merge", RQ + 0x400);
        if !tail_call {
            guest.exit(51, "rq.insert", 1);
        }
        guest.free(52, RQ + 0x400);
        guest.issue(60, RQ, B, both);
        guest.interrupt(70, &[RQ]);
        guest.update(80, RQ, B, both, 8192);
        guest.end(81, B);
        guest.end(82, C);
        guest.free(83, RQ);
        let found = stitch(&guest);
        found.assert_sound();
        assert_eq!(found.said(BlockKind::RqInsert), [(38, 100, 8)], "tail call: {tail_call}");
        assert_eq!(found.said(BlockKind::RqMerge), [(50, 108, 8)]);
        assert_eq!(found.stages(2)[..4], [(Queued, 25), (Got, 35), (Merged, 50), (Issued, 60)]);
        assert_eq!((found.bio(2).request, &found.bio(2).other_requests[..]), (Some(1), &[2][..]));
        assert_eq!(found.requests[1].merged_into, Some(1));
    }
}

// insert() calls insert_merge() as its last act: only the inner exit is seen
//   30 insert   31 insert_merge   35 returns 0          60 insert   65 returns 1
#[test]
fn an_insertion_that_leaves_by_a_tail_call_is_told_by_it() {
    let write = io(100, 4096, WRITE);
    let mut guest = Guest::default();
    guest.submit(10, B, RQ, write);
    guest.rq(30, "rq.insert", RQ, B, write);
    guest.entry(31, "rq.insert_merge", &[("rq", RQ)]);
    guest.exit(35, "rq.insert_merge", 0);
    guest.submit(40, C, RQ + 0x400, write);
    guest.rq(60, "rq.insert", RQ + 0x400, C, write);
    guest.entry(61, "rq.insert_merge", &[("rq", RQ + 0x400)]);
    guest.exit(65, "rq.insert_merge", 1);
    guest.exit(66, "rq.insert", 1);
    let found = stitch(&guest);
    assert_eq!(found.said(BlockKind::RqInsert), [(30, 100, 8)]);
    assert_eq!(found.requests[0].inserted, [30]);
}

// parent #1  Q  enter  split----chain-----(front gets the request)        queued again, G ...
// front  #2            Q(split)
//            10  11    12 13    14         20                             15              40
// ends:  parent's own part at 80 (2 remaining: not yet), front at 90: both
#[test]
fn a_split_bio_ends_with_its_last_part() {
    let (whole, front, rest) = (io(100, 8192, WRITE), io(100, 4096, WRITE), io(108, 4096, WRITE));
    let mut guest = Guest::default();
    guest.queue(10, B, whole);
    guest.enter(11, B, whole);
    guest.entry(
        12,
        "bio.split",
        &[
            ("bio", B),
            ("sectors", 8),
            ("bio.dev", SDA),
            ("bio.sector", 100),
            ("bio.size", 8192),
            ("bio.op", WRITE),
        ],
    );
    guest.exit(13, "bio.split", C);
    guest.entry(14, "bio.chain", &[("bio", C), ("parent", B)]);
    guest.queue_as(15, B, rest, &[("bio.traced", 1), ("bio.chained", 1), ("bio.remaining", 2)]);
    guest.get(20, RQ);
    guest.leave(21);
    guest.enter(30, B, rest);
    guest.get(40, RQ + 0x400);
    guest.leave(41);
    guest.issue(50, RQ, C, front);
    guest.issue(55, RQ + 0x400, B, rest);
    guest.interrupt(70, &[RQ + 0x400, RQ]);
    guest.update(79, RQ + 0x400, B, rest, 4096);
    guest.end_as(80, B, &[("bio.chained", 1), ("bio.remaining", 2)]);
    guest.free(81, RQ + 0x400);
    guest.update(89, RQ, C, front, 4096);
    guest.end_as(90, C, &Guest::chained_to(B));
    guest.free(91, RQ);
    let found = stitch(&guest);
    found.assert_sound();
    assert_eq!(found.bio(2).origin, Origin::Split { of: 1 });
    assert_eq!((found.bio(1).splits, found.bio(1).ended(), found.bio(2).ended()), (1, Some(90), Some(90)));
    assert_eq!((found.bio(1).at(Completed), found.bio(2).at(Completed)), (Some(79), Some(89)));
    assert_eq!((found.bio(1).request, found.bio(2).request), (Some(2), Some(1)));
    assert_eq!(found.said(BlockKind::BioQueue), [(10, 100, 16)]);
    assert_eq!(found.said(BlockKind::Split), [(13, 100, 108)]);
    assert_eq!(found.said(BlockKind::GetRq), [(20, 100, 8), (40, 108, 8)]);
}

// D(busy)  requeue    D    irq  C
// 50       54         60   70   80
#[test]
fn of_a_requeued_request_the_last_attempt_counts() {
    let read = io(8, 4096, 0);
    let mut guest = Guest::default();
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
    let found = stitch(&guest);
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

/// Runs the device's flush request: made at `clock`, issued at +2, interrupt at +10, over at +14.
fn flush(guest: &mut Guest, clock: u64) {
    let flush = io(u64::MAX, 0, 2 | PREFLUSH);
    guest.entry(clock, "rq.init", &[("rq", 0xf000)]);
    guest.issue(clock + 2, 0xf000, 0, flush);
    guest.interrupt(clock + 10, &[0xf000]);
    guest.update(clock + 13, 0xf000, 0, flush, 0);
    guest.entry(clock + 14, "flush.end", &[("rq", 0xf000)]);
}

fn step(guest: &mut Guest, clock: u64, rq: u64, bio: u64, io: Extent, step: u64) {
    guest.rq_with(clock, "flush.step", rq, bio, io, &[("seq", step)]);
}

// #1 FUA write: G  preflush(30..44)  D 50 .. C 70  postflush(80..94)  E 96
// #2 empty flush, waits for the same first flush: E 46
#[test]
fn flushes_are_shared_and_framed_by_their_steps() {
    let data = io(100, 4096, WRITE | PREFLUSH | FUA | SYNC);
    let empty = io(0, 0, WRITE | PREFLUSH);
    let (one, two) = (RQ, RQ + 0x400);
    let mut guest = Guest::default();
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
    let found = stitch(&guest);
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

// #1 (B) Q..E    #2 (the same B) Q..E    #3 (B again) without an end, then #4
#[test]
fn a_pointer_used_again_is_another_bio() {
    let (one, two) = (io(8, 512, 0), io(16, 512, 0));
    let mut guest = Guest::default();
    for (at, io) in [(10, one), (200, two)] {
        guest.submit(at, B, RQ, io);
        guest.issue(at + 50, RQ, B, io);
        guest.interrupt(at + 60, &[RQ]);
        guest.complete(at + 70, RQ, B, io);
    }
    stitch(&guest).assert_sound();
    guest.queue(400, B, one);
    guest.queue(500, B, two);
    let found = stitch(&guest);
    let ends: Vec<_> = found.bios.iter().map(|bio| (bio.id, bio.sector, bio.ended())).collect();
    assert_eq!(ends, [(1, 8, Some(81)), (2, 16, Some(271)), (3, 8, None), (4, 16, None)]);
    assert_eq!(found.counts.of(Oddity::BioQueuedTwice), 1);
}

// request of two bios: first update completes #1 (80), the second #2 (120)
#[test]
fn partial_completions_end_bios_one_by_one() {
    let (one, two, both) = (io(100, 4096, 0), io(108, 4096, 0), io(100, 8192, 0));
    let mut guest = Guest::default();
    guest.submit(10, B, RQ, one);
    guest.queue(30, C, two);
    guest.merge(40, "merge.back", (RQ, one), (C, two), true);
    guest.issue(50, RQ, B, both);
    guest.interrupt(60, &[RQ]);
    guest.update(80, RQ, B, both, 4096);
    guest.end(81, B);
    guest.update(120, RQ, C, two, 4096);
    guest.end(121, C);
    guest.free(122, RQ);
    let found = stitch(&guest);
    found.assert_sound();
    assert_eq!((found.bio(1).at(Completed), found.bio(2).at(Completed)), (Some(80), Some(120)));
    assert_eq!(found.said(BlockKind::RqComplete), [(80, 100, 8), (120, 108, 8)]);
}

// a command of a user: no bio is queued, but one ends
#[test]
fn a_passthrough_request_is_no_bio() {
    let inquiry = io(u64::MAX, 36, DRV_IN);
    let mut guest = Guest::default();
    guest.get(10, RQ);
    guest.issue(50, RQ, B, inquiry);
    guest.interrupt(60, &[RQ]);
    guest.update(70, RQ, B, inquiry, 36);
    guest.end(71, B);
    guest.free(72, RQ);
    let found = stitch(&guest);
    found.assert_sound();
    assert_eq!((found.bios.len(), found.requests[0].kind), (0, RequestKind::Passthrough));
    assert_eq!(found.said(BlockKind::RqIssue), [(50, 0, 0)]);
    assert_eq!(found.said(BlockKind::GetRq), []);
}

// the allocation's exit is not seen: the request is known by its bio at 30; asked for at 19
#[test]
fn an_allocation_that_leaves_by_a_tail_call_is_found_by_its_bio() {
    let read = io(8, 4096, 0);
    let mut guest = Guest::default();
    guest.queue(10, B, read);
    guest.enter(11, B, read);
    guest.entry(19, "rq.get", &[]);
    guest.rq(30, "rq.plug", RQ, B, read);
    guest.leave(31);
    guest.exit(32, "rq.get", 0); // of a call that the trace began in: only makes the exits known
    let found = stitch(&guest);
    assert_eq!(found.stages(1), [(Queued, 10), (Got, 19), (Plugged, 30)]);
    assert_eq!(found.counts.of(Oddity::RequestAdopted), 0);
    assert_eq!(found.said(BlockKind::GetRq), [(19, 8, 8)]);
}

#[test]
fn a_request_out_of_a_plugs_cache_is_taken_in() {
    let read = io(8, 4096, 0);
    let mut guest = Guest::default();
    guest.queue(10, B, read);
    guest.enter(11, B, read);
    guest.rq(30, "rq.plug", RQ, B, read);
    guest.leave(31);
    let found = stitch(&guest);
    assert_eq!(found.stages(1), [(Queued, 10), (Got, 30), (Plugged, 30)]);
    assert_eq!((found.counts.of(Oddity::RequestAdopted), found.requests[0].adopted), (1, true));
}

// two commands, one doorbell (53); one interrupt (70) finds both done
#[test]
fn a_doorbell_and_an_interrupt_serve_several_commands() {
    let (one, two) = (io(8, 512, 0), io(100, 512, 0));
    let mut guest = Guest::default();
    guest.submit(10, B, RQ, one);
    guest.submit(25, C, RQ + 0x400, two);
    for (at, rq, bio, io) in [(45, RQ, B, one), (49, RQ + 0x400, C, two)] {
        guest.rq(at, "rq.issue", rq, bio, io);
        guest.entry(at + 1, "cmd.dispatch", &[("cmd", rq + 0x200), ("cmd.rq", rq)]);
        guest.entry(at + 2, "cmd.start", &[("ccb", 1), ("ccb.cmd", rq + 0x200)]);
    }
    guest.at(HARDIRQ, |guest| guest.bell(52)); // of another level: rings for nobody here
    guest.bell(53);
    guest.interrupt(70, &[RQ, RQ + 0x400]);
    guest.complete(80, RQ, B, one);
    guest.complete(90, RQ + 0x400, C, two);
    let found = stitch(&guest);
    found.assert_sound();
    for id in [1, 2] {
        assert_eq!((found.bio(id).at(Doorbell), found.bio(id).at(Interrupt)), (Some(53), Some(70)));
    }
    assert_eq!((found.counts.doorbells, found.counts.idle_doorbells, found.counts.interrupts), (2, 1, 1));
}

// doorbell 53   irq 70 (handler takes it)   softirq: done 90
#[test]
fn a_completion_in_a_tasklet_belongs_to_its_drivers_interrupt() {
    let read = io(8, 512, 0);
    let mut guest = Guest::default();
    guest.submit(10, B, RQ, read);
    guest.issue(50, RQ, B, read);
    for (at, taken) in [(70, 1), (80, 0)] {
        guest.entry(at, "irq.entry", &[("vector", at)]);
        guest.at(HARDIRQ, |guest| {
            guest.entry(at + 1, "irq.driver", &[("irq", 11)]);
            guest.exit(at + 2, "irq.driver", taken);
        });
        guest.exit(at + 3, "irq.entry", 0);
    }
    guest.at(SOFTIRQ, |guest| guest.entry(90, "cmd.done", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]));
    guest.complete(95, RQ, B, read);
    let found = stitch(&guest);
    found.assert_sound();
    assert_eq!((found.bio(1).at(Interrupt), found.bio(1).at(Done)), (Some(70), Some(90)));
}

#[test]
fn what_does_not_fit_is_counted_and_nothing_breaks() {
    let mut guest = Guest::default();
    guest.end(10, B);
    guest.free(11, RQ);
    guest.entry(12, "cmd.done", &[("cmd", 5), ("cmd.rq", 6)]);
    guest.entry(13, "bio.queue", &[]);
    guest.exit(14, "bio.enter", 0);
    guest.entry(15, "flush.end", &[("rq", 7)]);
    guest.raw(16, 5000, &[1, 2]);
    guest.raw(17, event_kinds::MMIO_WRITE.id, &[]);
    let counts = stitch(&guest).counts;
    for oddity in [
        Oddity::BioEndUnknown,
        Oddity::RequestUnknown,
        Oddity::CommandUnknown,
        Oddity::WordMissing,
        Oddity::UndefinedProbe,
        Oddity::ExitWithoutCall,
    ] {
        assert!(counts.of(oddity) > 0, "{oddity:?}");
    }
}

use iotrace_schemas::event as event_kinds;

//  mark 1       mark 2
//  100   #2     1700
#[test]
fn bios_know_whether_they_are_of_the_workload() {
    let found = stitch(&small());
    let inside: Vec<_> =
        found.bios.iter().map(|bio| (bio.id, bio.in_workload, bio.ended().is_some())).collect();
    assert_eq!(inside, [(1, false, true), (2, true, true), (3, true, true), (4, true, false)]);
    assert_eq!(found.counts.of(Oddity::BioUnfinished), 1);
}

#[test]
fn a_call_of_the_task_is_the_bios_cause_only_if_its_end_is_known() {
    let file = [("file", 1), ("file.ino", 77), ("file.dev", SDA), ("count", 59), ("pos.value", 118)];
    let mut guest = Guest::default();
    guest.entry(2, "vfs.fsync", &[("file", 1), ("file.ino", 9)]); // leaves by a tail call
    guest.entry(3, "vfs.write", &file);
    guest.exit(4, "vfs.write", 59);
    guest.queue(5, C, io(0, 512, WRITE));
    guest.entry(6, "vfs.write", &file);
    guest.queue(7, B, io(8, 512, WRITE));
    guest.exit(8, "vfs.write", 59);
    let found = stitch(&guest);
    assert_eq!(found.bio(1).call, None);
    let call = found.bio(2).call.unwrap();
    assert_eq!((call.name, call.ino, call.count, call.position), ("vfs.write", 77, Some(59), Some(118)));
}

/// Anything may stand in a file: events of known probes with words out of a small pool, clocks in any order.
#[test]
fn no_stream_of_events_breaks_it() {
    let guest = small();
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let pool = [0, 1, B, C, RQ, RQ + 0x200, 0xa400, 512, u64::MAX, SDA, BELL, 0x20];
    for _ in 0..300 {
        let mut guest = guest.clone();
        for owned in &mut guest.events {
            if random(3) == 0 {
                owned.clock = random(2000) as u64;
                owned.context = [0, HARDIRQ, SOFTIRQ, 0x10_0000][random(4)];
            }
            for word in &mut owned.words {
                if random(4) == 0 {
                    *word = pool[random(pool.len())];
                }
            }
        }
        for _ in 0..20 {
            let (a, b) = (random(guest.events.len()), random(guest.events.len()));
            guest.events.swap(a, b);
        }
        let found = stitch(&guest);
        for bio in &found.bios {
            assert!(bio.stages.windows(2).all(|pair| pair[0].clock <= pair[1].clock));
        }
    }
}
