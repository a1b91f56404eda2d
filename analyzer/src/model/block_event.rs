//! What the kernel's own block tracepoints would have said (include/trace/events/block.h).

use super::{Op, Task};
use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};

/// The tracepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum BlockKind {
    /// `block_bio_queue`.
    BioQueue,
    /// `block_split`.
    Split,
    /// `block_getrq`.
    GetRq,
    /// `block_bio_backmerge`.
    BackMerge,
    /// `block_bio_frontmerge`.
    FrontMerge,
    /// `block_rq_merge`.
    RqMerge,
    /// `block_rq_insert`.
    RqInsert,
    /// `block_rq_issue`.
    RqIssue,
    /// `block_rq_requeue`.
    RqRequeue,
    /// `block_rq_complete`.
    RqComplete,
    /// `block_bio_complete`.
    BioComplete,
}

impl BlockKind {
    /// All of them, in the order of the way down and back.
    pub const ALL: [Self; 11] = [
        Self::BioQueue,
        Self::Split,
        Self::GetRq,
        Self::BackMerge,
        Self::FrontMerge,
        Self::RqMerge,
        Self::RqInsert,
        Self::RqIssue,
        Self::RqRequeue,
        Self::RqComplete,
        Self::BioComplete,
    ];

    /// The tracepoint's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BioQueue => "block_bio_queue",
            Self::Split => "block_split",
            Self::GetRq => "block_getrq",
            Self::BackMerge => "block_bio_backmerge",
            Self::FrontMerge => "block_bio_frontmerge",
            Self::RqMerge => "block_rq_merge",
            Self::RqInsert => "block_rq_insert",
            Self::RqIssue => "block_rq_issue",
            Self::RqRequeue => "block_rq_requeue",
            Self::RqComplete => "block_rq_complete",
            Self::BioComplete => "block_bio_complete",
        }
    }
}

impl Serialize for BlockKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One such saying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct BlockEvent {
    /// Tracepoint.
    pub kind: BlockKind,
    /// When, in instructions.
    pub clock: u64,
    /// The task that ran or was interrupted.
    pub task: Task,
    /// `dev_t`; 0 for a request of no disk.
    pub dev: u64,
    /// First sector, as the tracepoint prints it (of a request without one: 0, or all ones when it is
    /// completed).
    pub sector: u64,
    /// Sectors of 512 bytes; of [`BlockKind::Split`], the sector at which the rest begins.
    pub sectors: u64,
    /// Operation.
    pub op: Op,
}
