//! Bios and requests that are merged. Clocks stand under the events.

use crate::trackers::timelines::*;

// #1 Q    G                      D    irq   C    E
// #2           Q    M(failed)   M
//    10   20   30   40          45   60    70   71 72
#[test]
fn merged_bios_share_what_comes_after() {
    let (one, two) = (io(100, 4096, WRITE), io(108, 4096, WRITE));
    let both = io(100, 8192, WRITE);
    let mut guest = SyntheticGuest::default();
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
    let found = track(&guest);
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
        let mut guest = SyntheticGuest::default();
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
        let found = track(&guest);
        found.assert_sound();
        assert_eq!(found.said(BlockKind::RqInsert), [(38, 100, 8)], "tail call: {tail_call}");
        assert_eq!(found.said(BlockKind::RqMerge), [(50, 108, 8)]);
        assert_eq!(found.stages(2)[..4], [(Queued, 25), (Got, 35), (Merged, 50), (Issued, 60)]);
        assert_eq!((found.bio(2).request, &found.bio(2).other_requests[..]), (Some(1), &[2][..]));
        assert_eq!(found.requests[1].merged_into, Some(1));
    }
}
