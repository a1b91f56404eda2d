//! What the letters of stages mean.
//!
//! In: the stages that a table uses. Out: a line that names each, in the terms of blktrace where it has the stage.

use iotrace::model::BioStage;

/// What reached a stage, as blkparse(1) names it.
#[must_use]
pub fn meaning(stage: BioStage) -> &'static str {
    match stage {
        BioStage::Queued => "queued",
        BioStage::Got => "get request",
        BioStage::Merged => "merged into a request",
        BioStage::Plugged => "held in the task's plug",
        BioStage::Inserted => "inserted into the request queue",
        BioStage::Preflushed => "cache flush before the data completed",
        BioStage::FirstIssued => "issued to the driver for the first time, and requeued since",
        BioStage::Requeued => "requeued after the last attempt that failed or was refused",
        BioStage::Issued => "issued to the driver",
        BioStage::Driver => "host driver called",
        BioStage::Doorbell => "doorbell register of the controller written",
        BioStage::Interrupt => "interrupt of the completion",
        BioStage::Done => "driver reported completion",
        BioStage::Completed => "completed by the block layer",
        BioStage::Postflushed => "cache flush after the data completed",
        BioStage::Ended => "bio ended (bio_endio)",
    }
}

/// A legend of stages, in their order.
#[must_use]
pub fn legend(is_used: impl Fn(BioStage) -> bool) -> String {
    let used = BioStage::ALL.into_iter().filter(|stage| is_used(*stage));
    used.map(|stage| format!("{}: {}", stage.short(), meaning(stage))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_names_each_stage_that_is_used_and_no_other() {
        let all = legend(|_| true);
        for stage in BioStage::ALL {
            assert!(
                all.split("; ").any(|part| part == format!("{}: {}", stage.short(), meaning(stage))),
                "{all}"
            );
        }
        let used = legend(|stage| matches!(stage, BioStage::Queued | BioStage::Issued));
        assert_eq!(used, "Q: queued; D: issued to the driver");
    }
}
