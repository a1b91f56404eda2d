//! When the bios of an I/O reached their stages.

use super::gather::{DiffBio, Work};
use super::{BioTimeline, IoTimeline};

/// The timeline of an I/O.
pub fn timeline(work: &Work) -> IoTimeline {
    let (entered, left) = work.clocks;
    let since = |clock: u64| clock.cast_signed().wrapping_sub(entered.cast_signed());
    let bio = |bio: &DiffBio| BioTimeline {
        bio: bio.id,
        what: format!("{} {} bytes at {}", bio.op, bio.bytes, bio.sector),
        stages: bio.stages.iter().map(|mark| (mark.stage.short(), since(mark.clock))).collect(),
    };
    IoTimeline {
        length: left.map(|left| left.saturating_sub(entered)),
        bios: work.bios.iter().map(bio).collect(),
    }
}
