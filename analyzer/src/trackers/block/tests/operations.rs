//! The operations that tracepoints print: those of their moment. The block layer drops from a bio what its device need not
//! do, in some kernels behind the probe of its queueing.

use super::bio_tracker::Bios;
use crate::model::BlockKind;
use crate::trackers::timelines::{B, C, FUA, PREFLUSH, SDA, SYNC, WRITE};

fn queue(bios: &mut Bios, clock: u64, bio: u64, op: u64) {
    let Bios { source, tracker, requests, found } = bios;
    let extent = [("bio.dev", SDA), ("bio.sector", 100), ("bio.size", 4096)];
    let arguments = [&[("bio", bio), ("bio.op", op), ("bio.traced", 0)][..], &extent].concat();
    source.reach_only(clock, "bio.queue", &arguments, |fact| tracker.queue(fact, None, requests, found));
}

/// What the tracepoints of a kind printed of operations.
fn printed(bios: &Bios, kind: BlockKind) -> Vec<String> {
    let of_kind = bios.found.said.iter().filter(|event| event.kind == kind);
    of_kind.map(|event| format!("{} {}", event.clock, event.op.rwbs())).collect()
}

#[test]
fn a_bio_is_queued_with_what_is_left_of_its_flags_when_the_queue_takes_it() {
    let mut bios = Bios::default();
    let queued = |bios: &mut Bios, clock, bio| queue(bios, clock, bio, WRITE | SYNC | PREFLUSH | FUA);
    queued(&mut bios, 10, B);
    assert_eq!(printed(&bios, BlockKind::BioQueue), [""; 0]);
    bios.enter(11, &[("bio", B), ("bio.op", WRITE | SYNC)]);
    queued(&mut bios, 20, C);
    bios.enter(21, &[("bio", C), ("bio.op", WRITE | SYNC | PREFLUSH)]);
    assert_eq!(printed(&bios, BlockKind::BioQueue), ["10 WS", "20 FWS"]);
    // The queue takes it without saying how, it ends before that, or the trace does.
    queued(&mut bios, 30, B);
    bios.enter(31, &[("bio", B)]);
    queued(&mut bios, 40, C);
    bios.end(41, C, &[]);
    queued(&mut bios, 50, C);
    bios.finish();
    let printed = printed(&bios, BlockKind::BioQueue);
    assert_eq!(printed[2..], ["30 FWFS", "40 FWFS", "50 FWFS"]);
}

#[test]
fn a_bio_ends_with_the_operation_that_it_has_then() {
    let mut bios = Bios::default();
    queue(&mut bios, 10, B, WRITE | SYNC | FUA);
    bios.enter(11, &[("bio", B), ("bio.op", WRITE | SYNC | FUA)]);
    bios.end(20, B, &[("bio.traced", 1), ("bio.op", WRITE | SYNC)]);
    assert_eq!(printed(&bios, BlockKind::BioComplete), ["20 WS"]);
    assert_eq!(bios.found.bios[0].op.rwbs(), "WFS", "it was asked for as it was queued");
}

// Device mapper does a preflush by another bio, then takes up the bio without it.
#[test]
fn a_bio_that_a_device_takes_up_again_was_queued_as_it_was_at_first() {
    let mut bios = Bios::default();
    queue(&mut bios, 10, B, WRITE | SYNC | PREFLUSH | FUA);
    bios.queue(20, B, &[("bio.dev", SDA), ("bio.op", WRITE | SYNC | FUA), ("bio.traced", 1)]);
    bios.end(30, B, &[("bio.traced", 1), ("bio.op", WRITE | SYNC | FUA)]);
    assert_eq!(printed(&bios, BlockKind::BioQueue), ["10 FWFS"]);
    assert_eq!(printed(&bios, BlockKind::BioComplete), ["30 WFS"]);
}

// The bio of bcache that it has copied is of the device below from then on, where it was never queued.
#[test]
fn a_bio_ends_on_the_device_that_it_is_of_then() {
    let mut bios = Bios::default();
    queue(&mut bios, 10, B, WRITE);
    bios.end(20, B, &[("bio.traced", 1), ("bio.dev", SDA + 1)]);
    let devices = bios.found.said.iter().map(|event| event.dev);
    assert_eq!(devices.collect::<Vec<_>>(), [SDA, SDA + 1]);
    assert_eq!(bios.found.bios[0].dev, SDA);
}
