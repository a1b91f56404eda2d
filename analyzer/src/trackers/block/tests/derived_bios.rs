//! Bios that came of others: parts, what is left, remaps, copies.

use super::bio_tracker::Bios;
use crate::model::{Bio, BioStage, Cause, Join, Origin};
use crate::trackers::block::requests::BioStates;
use crate::trackers::counts::Oddity;
use crate::trackers::timelines::{B, C, RQ, SDA};
use std::sync::Arc;

pub const D: u64 = 0xb800;
pub const DM: u64 = 253 << 20;
const CHAINED: [(&str, u64); 2] = [("bio.chained", 1), ("bio.remaining", 2)];

impl Bios {
    /// #1 and #2, which has ended: the copy, at C, of a copy, at D, that is never queued itself.
    pub fn with_copy_of_a_copy() -> Self {
        let mut bios = Self::default();
        bios.queue(10, B, &[("bio.dev", DM)]);
        bios.copy(11, B, D);
        bios.copy(13, D, C);
        bios.queue(20, C, &[]);
        bios.end(30, C, &[]);
        bios
    }

    fn found(&self, id: u64) -> &Bio {
        self.found.bios.iter().find(|bio| bio.id == id).expect("it is over")
    }
}

fn stages(bio: &Bio) -> Vec<(BioStage, u64)> {
    bio.stages.iter().map(|mark| (mark.stage, mark.clock)).collect()
}

// B: 16 sectors from 100, of which 4 and 8 go first: C and D. What is left has its request, and ends first.
#[test]
fn what_is_left_of_a_split_bio_is_a_bio_of_its_own() {
    let mut bios = Bios::with_chains();
    let queued = bios.queue(1, B, &[("bio.size", 8192)]).unwrap();
    bios.tracker.attribute(&queued, Arc::new(Cause::Softirq), vec![]);
    for (clock, sector, sectors, part) in [(3, 100, 4, C), (13, 104, 8, D)] {
        bios.begin_split_at(clock, B, sectors, sector);
        bios.split(clock + 1, part);
    }
    let rest = bios.tracker.state(B).unwrap();
    assert_eq!((rest.id, rest.sector, rest.bytes, rest.queued), (3, 112, 2048, 14));
    let mut derived: Vec<_> = bios.tracker.take_derived().into_iter().map(|(id, _)| id).collect();
    derived.sort_unstable();
    assert_eq!(derived, [2, 3, 4]);
    bios.join(B, RQ, 9, Join::Got);
    bios.reach_in(RQ, &[(BioStage::Got, 20), (BioStage::Completed, 29)]);
    bios.end(30, B, &[("bio.chained", 1), ("bio.remaining", 3)]);
    let rest = bios.found(3);
    assert_eq!((rest.origin, rest.bytes, rest.request), (Origin::Rest { of: 1 }, 2048, Some(9)));
    let way = [(BioStage::Queued, 14), (BioStage::Got, 20), (BioStage::Completed, 29), (BioStage::Ended, 30)];
    assert_eq!(stages(rest), way);
    for (clock, part) in [(40, C), (50, D)] {
        bios.end(clock, part, &[("bio.status", 0)]);
    }
    for clock in [41, 51] {
        bios.end(clock, B, &[("bio.chained", 1), ("bio.remaining", (61 - clock) / 10)]);
    }
    let whole = bios.found(1);
    assert_eq!(
        (whole.bytes, whole.sector, whole.request, whole.splits, whole.parts),
        (8192, 100, None, 2, 3)
    );
    assert_eq!(stages(whole), [(BioStage::Queued, 1), (BioStage::Ended, 51)]);
    assert_eq!(bios.found(4).origin, Origin::Split { of: 1 });
}

// The end of a copy counts as one of the bio's own: its own request is not over yet.
#[test]
fn the_end_of_a_copy_leaves_the_bio_in_its_request() {
    let mut bios = Bios::default();
    bios.queue(10, B, &[]);
    bios.join(B, RQ, 9, Join::Got);
    bios.reach_in(RQ, &[(BioStage::Got, 20), (BioStage::Issued, 25)]);
    bios.end(30, B, &CHAINED);
    assert!(bios.tracker.state(B).unwrap().has_request);
    bios.reach_in(RQ, &[(BioStage::Got, 20), (BioStage::Issued, 25), (BioStage::Completed, 35)]);
    bios.end(40, B, &[("bio.chained", 1), ("bio.remaining", 1)]);
    let expected = [BioStage::Queued, BioStage::Got, BioStage::Issued, BioStage::Completed, BioStage::Ended];
    let found: Vec<_> = stages(bios.found(1)).into_iter().map(|(stage, _)| stage).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_bio_that_is_passed_on_to_another_device_is_another_one_there() {
    let mut bios = Bios::default();
    let queued = bios.queue(10, B, &[("bio.dev", DM)]).unwrap();
    bios.tracker.attribute(&queued, Arc::new(Cause::Softirq), vec![]);
    assert_eq!(bios.queue(20, B, &[("bio.traced", 1)]), None);
    assert_eq!(bios.queue(21, B, &[("bio.traced", 1)]), None, "once for a device");
    bios.join(B, RQ, 9, Join::Got);
    bios.reach_in(RQ, &[(BioStage::Got, 22), (BioStage::Completed, 29)]);
    bios.end(30, B, &[]);
    let [upper, lower] = [1, 2].map(|id| bios.found(id));
    assert_eq!((upper.dev, upper.sector, upper.request, upper.parts), (DM, 100, None, 1));
    assert_eq!(stages(upper), [(BioStage::Queued, 10), (BioStage::Ended, 30)]);
    assert_eq!((lower.origin, lower.dev, lower.sector), (Origin::Remap { of: 1 }, SDA, 100));
    assert_eq!((lower.request, lower.cause.as_deref()), (Some(9), Some(&Cause::Softirq)));
    let way = [(BioStage::Queued, 20), (BioStage::Got, 22), (BioStage::Completed, 29), (BioStage::Ended, 30)];
    assert_eq!(stages(lower), way);
    assert_eq!(bios.count(Oddity::BioWithoutRequest), 0);
}

#[test]
fn a_copy_is_one_of_the_bio_that_it_was_made_of() {
    let mut bios = Bios::with_copy_of_a_copy();
    assert_eq!(bios.found(2).origin, Origin::Clone { of: 1 });
    bios.end(31, D, &[]);
    bios.end(32, B, &[]);
    assert_eq!(bios.found(1).parts, 1);
    assert_eq!(bios.count(Oddity::BioEndUnknown), 0, "a copy ends, queued or not");
    // Its address is another bio's from here on.
    bios.queue(40, C, &[]);
    bios.end(41, C, &[]);
    assert_eq!(bios.found(3).origin, Origin::Queued);
}

// As raid5 does with a bio that it divides into stripes: the copy stands for it, each stripe is one of its ends.
#[test]
fn a_copy_that_is_not_queued_may_have_several_ends() {
    let mut bios = Bios::default();
    bios.queue(10, B, &[("bio.size", 8192)]);
    bios.copy(11, B, C);
    for (clock, remaining) in [(20, 3), (21, 2), (22, 1)] {
        bios.end(clock, C, &[("bio.chained", 1), ("bio.remaining", remaining)]);
    }
    bios.end(23, B, &[]);
    let copies: Vec<_> = bios.found(1).copies.iter().map(|copy| (copy.pointer, copy.from, copy.to)).collect();
    assert_eq!(copies, [(C, 12, Some(22))]);
    assert_eq!(bios.oddities(), []);
}

#[test]
fn a_copy_may_be_queued_before_what_it_was_made_of() {
    let mut bios = Bios::default();
    bios.copy(10, B, C);
    bios.queue(20, C, &[]);
    bios.queue(21, B, &[]);
    bios.end(30, C, &[]);
    assert_eq!((bios.found(1).origin, bios.found(1).pointer), (Origin::Clone { of: 2 }, C));
    // And both may be in flight when the trace ends.
    bios.copy(40, D, C);
    bios.queue(41, C, &[]);
    bios.queue(42, D, &[]);
    let origins: Vec<_> = bios.finish().iter().filter(|bio| bio.id > 2).map(|bio| bio.origin).collect();
    assert_eq!(origins, [Origin::Clone { of: 4 }, Origin::Queued]);
}

#[test]
fn a_copy_may_end_before_what_it_was_made_of_is_queued() {
    let mut bios = Bios::default();
    for (clock, clone) in [(10, C), (20, D)] {
        bios.copy(clock, B, clone);
        bios.queue(clock + 2, clone, &[]);
        bios.end(clock + 3, clone, &[]);
        // The end of the copy is one of its ends.
        bios.end(clock + 4, B, &CHAINED);
    }
    bios.queue(30, B, &[]);
    bios.end(31, B, &[]);
    let found: Vec<_> = bios.found.bios.iter().map(|bio| (bio.id, bio.origin, bio.parts)).collect();
    let clone = Origin::Clone { of: 2 };
    assert_eq!(found, [(1, clone, 0), (3, clone, 0), (2, Origin::Queued, 2)]);
    // What is not queued takes its number along.
    bios.copy(40, B, C);
    bios.queue(42, C, &[]);
    bios.end(43, C, &[]);
    bios.end(44, B, &[]);
    bios.queue(50, B, &[]);
    bios.end(51, B, &[]);
    assert_eq!(bios.found(6).parts, 0);
    assert_eq!(bios.count(Oddity::BioEndUnknown), 0);
}

#[test]
fn a_copy_without_a_source_is_counted_and_one_that_failed_is_none() {
    let mut bios = Bios::default();
    let Bios { source, tracker, .. } = &mut bios;
    source.reach_only(1, "bio.clone", &[("bio", C)], |fact| tracker.clone_bio(fact));
    source.reach_only(2, "bio.clone", &[("bio", D), ("parent", B)], |fact| tracker.clone_bio(fact));
    assert_eq!(bios.count(Oddity::WordMissing), 1);
    bios.copy(3, B, 0);
    bios.queue(10, B, &[]);
    bios.queue(11, D, &[]);
    bios.end(12, D, &[]);
    assert_eq!(bios.found(2).origin, Origin::Clone { of: 1 });
}
