//! The stages a bio goes through, in the order in which it usually does.

use bincode::{Decode, Encode};
use serde::Serialize;

/// A stage. A bio's time is divided by the moments at which it reached each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BioStage {
    /// Handed to the block layer (blktrace's Q), or cut off from a larger bio.
    Queued,
    /// Got a request of its own (G).
    Got,
    /// Merged into another bio's request (M).
    Merged,
    /// Its request is held back in the task's plug (P).
    Plugged,
    /// Its request is in the queue of the scheduler or the device (I).
    Inserted,
    /// The flush that must come before its data is done.
    Preflushed,
    /// Its request was issued to the driver for the first time, and requeued since.
    FirstIssued,
    /// Its request was requeued for the last time (R).
    Requeued,
    /// Its request was issued to the driver (D): of several times the last one.
    Issued,
    /// The host adapter's driver has its command.
    Driver,
    /// The driver told the controller.
    Doorbell,
    /// The interrupt in which the command was found done.
    Interrupt,
    /// The driver gave the command back.
    Done,
    /// The block layer completed its bytes (C).
    Completed,
    /// The flush that stands for FUA is done.
    Postflushed,
    /// `bio_endio`: the submitter knows.
    Ended,
}

impl BioStage {
    /// All stages in their usual order.
    pub const ALL: [Self; 16] = [
        Self::Queued,
        Self::Got,
        Self::Merged,
        Self::Plugged,
        Self::Inserted,
        Self::Preflushed,
        Self::FirstIssued,
        Self::Requeued,
        Self::Issued,
        Self::Driver,
        Self::Doorbell,
        Self::Interrupt,
        Self::Done,
        Self::Completed,
        Self::Postflushed,
        Self::Ended,
    ];

    /// Short name, blktrace's letter where it has one.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Queued => "Q",
            Self::Got => "G",
            Self::Merged => "M",
            Self::Plugged => "P",
            Self::Inserted => "I",
            Self::Preflushed => "preflush",
            Self::FirstIssued => "D1",
            Self::Requeued => "R",
            Self::Issued => "D",
            Self::Driver => "driver",
            Self::Doorbell => "doorbell",
            Self::Interrupt => "irq",
            Self::Done => "done",
            Self::Completed => "C",
            Self::Postflushed => "postflush",
            Self::Ended => "E",
        }
    }

    /// Name as JSON has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Got => "got",
            Self::Merged => "merged",
            Self::Plugged => "plugged",
            Self::Inserted => "inserted",
            Self::Preflushed => "preflushed",
            Self::FirstIssued => "first-issued",
            Self::Requeued => "requeued",
            Self::Issued => "issued",
            Self::Driver => "driver",
            Self::Doorbell => "doorbell",
            Self::Interrupt => "interrupt",
            Self::Done => "done",
            Self::Completed => "completed",
            Self::Postflushed => "postflushed",
            Self::Ended => "ended",
        }
    }
}

/// A stage reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct StageMark {
    /// Which.
    pub stage: BioStage,
    /// When, in instructions.
    pub clock: u64,
    /// How many bios went through it together, this one included; 1 if it was alone.
    pub shared: u32,
}
