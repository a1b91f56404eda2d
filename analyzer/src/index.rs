//! The index of a trace (`TRACE.idx`): where each I/O, bio and request is, and the trackers' state at several places.
//!
//! In: one pass over a whole trace. Out: a file beside it, so that a question about one I/O or bio reads only the blocks
//! in which that is. It is searched in place and never loaded: an entry has [`entry::SIZE`] bytes, and the entry of
//! object N stands at N times that (counted from the first object that a part of a trace has). What it says can be made again from the trace at any time; a file that does not fit
//! the trace, or that another version of this library wrote, is not used.
//!
//! ```text
//! magic | I/Os | bios | requests | links (numbers of objects) | checkpoints (zstd) | contents | its length and checksum
//! ```
//!
//! Bounds: the contents and a checkpoint have at most 64 MiB, decoded too; tables are as long as the file and the trace's
//! events allow. What does not hold them is damaged, and the index is made again.
//!
//! Traces of several vCPUs have no checkpoints, since their blocks overlap; neither have parts of traces. There a
//! question is answered from the beginning of the trace.

mod builder;
mod checkpoint;
mod entry;
mod file;
mod locate;
mod tables;

pub(crate) use builder::SessionIndexBuilder;
pub(crate) use checkpoint::{Checkpoint, OpenCallEntry};
pub use file::IndexError;
pub(crate) use file::{TraceIdentity, index_path};
pub(crate) use locate::Located;

use crate::model::IoId;
use bincode::{Decode, Encode};
use entry::IndexTable;
use std::fs::File;

/// First and last bytes of an index.
const MAGIC: [u8; 8] = *b"\xb5IOIDX1\n";

/// How many of the slowest I/Os of the workload an index names.
pub(crate) const SLOWEST: usize = 16;

/// What this library makes of a trace depends on its sources: an index of other sources is not used.
const SOURCES: &str = env!("IOTRACE_SOURCES");

/// A section of the file: offset in bytes, and number of entries or bytes.
#[derive(Debug, Clone, Copy, Default, Encode, Decode)]
struct Section {
    offset: u64,
    length: u64,
}

/// A table of the file.
#[derive(Debug, Clone, Copy, Default, Encode, Decode)]
struct TablePlace {
    section: Section,
    /// Number of the object whose entry is the first.
    first: u64,
}

/// Where a checkpoint is, and from where the trace is read on.
#[derive(Debug, Clone, Copy, Encode, Decode)]
struct CheckpointPlace {
    /// Clock of the last event before it, in instructions.
    clock: u64,
    /// Offset in the trace behind the block before it.
    offset: u64,
    /// Where it is in the index.
    section: Section,
    /// Checksum of its bytes.
    sum: u64,
}

/// What is in an index.
#[derive(Debug, Clone, Default, Encode, Decode)]
struct Contents {
    sources: String,
    identity: u64,
    /// What cannot be read of the trace, for people.
    lost: Option<String>,
    tables: [TablePlace; IndexTable::ALL.len()],
    links: Section,
    /// Names of system calls, as entries number them.
    syscalls: Vec<String>,
    /// The slowest I/Os of the workload that concern a disk, the slowest first.
    slowest: Vec<IoId>,
    checkpoints: Vec<CheckpointPlace>,
}

/// An index that fits its trace.
#[derive(Debug)]
pub struct SessionIndex {
    file: File,
    contents: Contents,
}

#[cfg(test)]
mod tests;
