//! When the bios of an I/O reached their stages.

use super::gather::Work;
use super::{BioTimeline, Timeline};
use crate::model::Bio;

/// The timeline of an I/O.
pub fn timeline(work: &Work) -> Timeline {
    let since = |clock: u64| clock.cast_signed().wrapping_sub(work.io.entered.cast_signed());
    let bio = |bio: &Bio| BioTimeline {
        bio: bio.id,
        what: format!("{} {} bytes at {}", bio.op.rwbs(), bio.bytes, bio.sector),
        stages: bio.stages.iter().map(|mark| (mark.stage.short(), since(mark.clock))).collect(),
    };
    Timeline {
        length: work.io.left.map(|left| left.saturating_sub(work.io.entered)),
        bios: work.bios.iter().map(bio).collect(),
    }
}
