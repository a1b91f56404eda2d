//! Bios: queued, split, completed in parts, ended. Clocks stand under the events.

use crate::trackers::Oddity;
use crate::trackers::timelines::*;

// Q    G    P    I    D driver bell   irq done   C    E
// 10   20   30   40   50  51    53    70   72   80   81
#[test]
fn a_write_goes_through_all_stages() {
    let write = io(100, 4096, WRITE | SYNC);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    guest.rq(30, "rq.plug", RQ, B, write);
    guest.rq(40, "rq.insert", RQ, B, write);
    guest.issue(50, RQ, B, write);
    guest.interrupt(70, &[RQ]);
    guest.complete(80, RQ, B, write);
    let found = track(&guest);
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

// parent #1  Q  enter  split----chain-----(front gets the request)        queued again, G ...
// front  #2            Q(split)
//            10  11    12 13    14         20                             15              40
// ends:  parent's own part at 80 (2 remaining: not yet), front at 90: both
#[test]
fn a_split_bio_ends_with_its_last_part() {
    let (whole, front, rest) = (io(100, 8192, WRITE), io(100, 4096, WRITE), io(108, 4096, WRITE));
    let mut guest = SyntheticGuest::default();
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
    guest.end_as(90, C, &SyntheticGuest::chained_to(B));
    guest.free(91, RQ);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!(found.bio(2).origin, Origin::Split { of: 1 });
    assert_eq!((found.bio(1).splits, found.bio(1).ended(), found.bio(2).ended()), (1, Some(90), Some(90)));
    assert_eq!((found.bio(1).bytes, found.bio(1).stages.len()), (8192, 2), "the way is that of its parts");
    let rest = found.bio(3);
    assert_eq!((rest.origin, rest.bytes, rest.ended()), (Origin::Rest { of: 1 }, 4096, Some(80)));
    assert_eq!((rest.at(Completed), found.bio(2).at(Completed)), (Some(79), Some(89)));
    assert_eq!((rest.request, found.bio(2).request), (Some(2), Some(1)));
    assert_eq!(found.said(BlockKind::BioQueue), [(10, 100, 16)]);
    assert_eq!(found.said(BlockKind::Split), [(13, 100, 108)]);
    assert_eq!(found.said(BlockKind::GetRq), [(20, 100, 8), (40, 108, 8)]);
}

// #1 (B) Q..E    #2 (the same B) Q..E    #3 (B again) without an end, then #4
#[test]
fn a_pointer_used_again_is_another_bio() {
    let (one, two) = (io(8, 512, 0), io(16, 512, 0));
    let mut guest = SyntheticGuest::default();
    for (at, io) in [(10, one), (200, two)] {
        guest.submit(at, B, RQ, io);
        guest.issue(at + 50, RQ, B, io);
        guest.interrupt(at + 60, &[RQ]);
        guest.complete(at + 70, RQ, B, io);
    }
    track(&guest).assert_sound();
    guest.queue(400, B, one);
    guest.queue(500, B, two);
    let found = track(&guest);
    let ends: Vec<_> = found.bios.iter().map(|bio| (bio.id, bio.sector, bio.ended())).collect();
    assert_eq!(ends, [(1, 8, Some(81)), (2, 16, Some(271)), (3, 8, None), (4, 16, None)]);
    assert_eq!(found.counts.of(Oddity::BioQueuedTwice), 1);
}

// request of two bios: first update completes #1 (80), the second #2 (120)
#[test]
fn partial_completions_end_bios_one_by_one() {
    let (one, two, both) = (io(100, 4096, 0), io(108, 4096, 0), io(100, 8192, 0));
    let mut guest = SyntheticGuest::default();
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
    let found = track(&guest);
    found.assert_sound();
    assert_eq!((found.bio(1).at(Completed), found.bio(2).at(Completed)), (Some(80), Some(120)));
    assert_eq!(found.said(BlockKind::RqComplete), [(80, 100, 8), (120, 108, 8)]);
}

//  mark 1       mark 2
//  100   #2     1700
#[test]
fn bios_know_whether_they_are_of_the_workload() {
    let found = track(&small());
    let inside: Vec<_> =
        found.bios.iter().map(|bio| (bio.id, bio.in_workload, bio.ended().is_some())).collect();
    assert_eq!(inside, [(1, false, true), (2, true, true), (3, true, true), (4, true, false)]);
    assert_eq!(found.counts.of(Oddity::BioUnfinished), 1);
}
