//! A bio and what became of it.

use super::{
    BioStage, Carried, Cause, CommandError, IoTime, IrqRef, Op, RequestId, StageMark, Task, TimeMap,
};
use bincode::{Decode, Encode};
use serde::Serialize;
use std::sync::Arc;

/// Number of a bio: from 1, in the order in which they were queued or split off.
pub type BioId = u64;

/// How a bio came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// A submitter queued it.
    Queued,
    /// Cut off from the front of a larger one.
    Split {
        /// The larger one.
        of: BioId,
    },
    /// What is left of a larger one after others were cut off from its front.
    Rest {
        /// The larger one.
        of: BioId,
    },
    /// The same bio, as a stacked device passes it on to another device.
    Remap {
        /// As it was before.
        of: BioId,
    },
    /// A copy that a stacked device or a file system made.
    Clone {
        /// What was copied.
        of: BioId,
    },
    /// Queued by the driver of a stacked device to serve another one: of the file, say, that a loop device's data is in.
    Serve {
        /// What is served; of a request with several bios, the first.
        of: BioId,
    },
}

impl Origin {
    /// The bio that it came of; none if a submitter queued it.
    #[must_use]
    pub const fn of(self) -> Option<BioId> {
        match self {
            Self::Queued => None,
            Self::Split { of }
            | Self::Rest { of }
            | Self::Remap { of }
            | Self::Clone { of }
            | Self::Serve { of } => Some(of),
        }
    }
}

/// How a bio came into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Join {
    /// The request was made for it.
    Got,
    /// Appended.
    #[serde(rename = "back-merge")]
    Back,
    /// Put before.
    #[serde(rename = "front-merge")]
    Front,
    /// Added to a discard.
    #[serde(rename = "discard-merge")]
    Discard,
    /// Its request was merged into this one.
    #[serde(rename = "request-merge")]
    WithRequest,
}

/// What a call into the file system does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum FileCallKind {
    /// It reads.
    #[serde(rename = "vfs.read")]
    Read,
    /// It writes.
    #[serde(rename = "vfs.write")]
    Write,
    /// It has data written to the disk.
    #[serde(rename = "vfs.fsync")]
    Fsync,
}

impl FileCallKind {
    /// Name, as views print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "vfs.read",
            Self::Write => "vfs.write",
            Self::Fsync => "vfs.fsync",
        }
    }
}

/// The call into the file system that a task was in when it queued a bio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct FileCall {
    /// What it does.
    pub kind: FileCallKind,
    /// When it was entered, in instructions.
    pub clock: u64,
    /// Inode number of the file.
    pub ino: u64,
    /// `dev_t` of the file system.
    pub dev: u64,
    /// Bytes asked for; none for fsync.
    pub count: Option<u64>,
    /// Position in the file in bytes; none for fsync or without a position.
    pub position: Option<u64>,
}

/// A copy of a bio that was not queued itself, as device mapper makes them: what is done with it is done for the bio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct BioCopy {
    /// Address of the copy.
    pub pointer: u64,
    /// When it was made, in instructions.
    pub from: u64,
    /// When it ended, in instructions; with the bio if that was not seen.
    pub to: Option<u64>,
}

/// A bio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Bio {
    /// Number.
    pub id: BioId,
    /// Address of the `struct bio`.
    pub pointer: u64,
    /// How it came to be.
    pub origin: Origin,
    /// `dev_t` it was queued for.
    pub dev: u64,
    /// The kernel's name of that device; none if the trace does not have it.
    pub device: Option<Arc<str>>,
    /// First sector, of 512 bytes.
    pub sector: u64,
    /// Bytes.
    pub bytes: u64,
    /// Operation.
    pub op: Op,
    /// The task that queued it.
    pub task: Task,
    /// What that task was doing.
    pub call: Option<FileCall>,
    /// What it goes back to.
    pub cause: Option<Arc<Cause>>,
    /// Of a write out of the page cache: the bytes in it by the I/Os that had written them.
    pub carries: Vec<Carried>,
    /// Queued between the marks of the workload.
    pub in_workload: bool,
    /// The last request it was in.
    pub request: Option<RequestId>,
    /// How it came into that request.
    pub join: Option<Join>,
    /// Other requests it waited for or was in: those merged away, and flushes.
    pub other_requests: Vec<RequestId>,
    /// Times its request went back to the queue.
    pub requeues: u32,
    /// Times its request was issued to the driver while it was in it.
    pub attempts: u32,
    /// Commands of its request that failed, by time.
    pub errors: Vec<CommandError>,
    /// When a device had a command of its requests, or of those of bios that came of it, in instructions: each attempt,
    /// and the flushes that it waited for; by time, apart from one another.
    pub at_device: Vec<(u64, u64)>,
    /// Bios cut off from it.
    pub splits: u32,
    /// Bios that came of it: cut off, passed on, or copied.
    pub parts: u32,
    /// Copies of it that were not queued themselves; at most [`Bio::MOST_COPIES`].
    pub copies: Vec<BioCopy>,
    /// The interrupt that told of its completion.
    pub interrupt: Option<IrqRef>,
    /// `blk_status_t` at its end.
    pub status: u64,
    /// The stages it reached, by time; the first is [`BioStage::Queued`].
    pub stages: Vec<StageMark>,
}

impl Bio {
    /// Most copies of a bio that are kept.
    pub const MOST_COPIES: usize = 64;

    /// A bio that begins at a clock, in instructions; of whose way nothing is known yet.
    #[must_use]
    pub fn new(id: BioId, pointer: u64, origin: Origin, op: Op, clock: u64) -> Self {
        Self {
            id,
            pointer,
            origin,
            dev: 0,
            device: None,
            sector: 0,
            bytes: 0,
            op,
            task: Task::default(),
            call: None,
            cause: None,
            carries: Vec::new(),
            in_workload: false,
            request: None,
            join: None,
            other_requests: Vec::new(),
            requeues: 0,
            attempts: 0,
            errors: Vec::new(),
            at_device: Vec::new(),
            splits: 0,
            parts: 0,
            copies: Vec::new(),
            interrupt: None,
            status: 0,
            stages: vec![StageMark { stage: BioStage::Queued, clock, shared: 1 }],
        }
    }

    /// When it was queued, in instructions.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.stages.first().map_or(0, |mark| mark.clock)
    }

    /// When it ended, in instructions; none if the trace ended first.
    #[must_use]
    pub fn ended(&self) -> Option<u64> {
        self.at(BioStage::Ended)
    }

    /// Its time from queue to end, and the part of it in which a device had it; none if it has not ended.
    #[must_use]
    pub fn time(&self, time: &TimeMap) -> Option<IoTime> {
        Some(IoTime::new(time, (self.queued(), self.ended()?), &self.at_device))
    }

    /// When it reached a stage.
    #[must_use]
    pub fn at(&self, stage: BioStage) -> Option<u64> {
        self.stages.iter().find(|mark| mark.stage == stage).map(|mark| mark.clock)
    }
}
