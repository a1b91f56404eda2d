//! A trace that is being asked, with what was read of it so far.

use iotrace_format::trace::reader::{ReadError, TraceFile};
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapped trace, the threads to decode it with, and counts of what was read.
#[derive(Debug)]
pub struct Trace {
    file: TraceFile,
    threads: usize,
    read: Counts,
}

/// What was read of a trace, by all passes together.
#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    blocks: AtomicU64,
    events: AtomicU64,
}

/// What was read of a trace, by all passes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WasRead {
    /// Bytes of the chunks that were looked into, with their heads.
    pub bytes: u64,
    /// Blocks of events, and of landmarks, that were unpacked.
    pub blocks: u64,
    /// Events that were given to a question.
    pub events: u64,
}

impl Trace {
    /// Opens a trace, to be decoded by so many threads; by as many as the machine runs at once if none are given.
    ///
    /// # Errors
    /// Those of [`TraceFile::open`].
    pub fn open(path: &Path, threads: Option<usize>) -> Result<Self, ReadError> {
        Ok(Self::of(TraceFile::open(path)?, threads))
    }

    /// A trace that is open already.
    #[must_use]
    pub fn of(file: TraceFile, threads: Option<usize>) -> Self {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        Self { file, threads: threads.unwrap_or_else(all), read: Counts::default() }
    }

    /// Takes a trace that is already in memory.
    ///
    /// # Errors
    /// Those of [`TraceFile::from_bytes`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ReadError> {
        Ok(Self::of(TraceFile::from_bytes(bytes)?, Some(1)))
    }

    /// Threads to decode with.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Memory is given back from where it was given back to last up to an offset, if that is worth it.
    pub fn release_up_to(&self, released: &mut usize, offset: usize) {
        /// Bytes that are given back at once.
        const STRIDE: usize = 4 << 20;
        if offset > *released + STRIDE {
            self.release(*released, offset);
            *released = offset;
        }
    }

    /// What was read so far.
    #[must_use]
    pub fn was_read(&self) -> WasRead {
        let [bytes, blocks, events] = [&self.read.bytes, &self.read.blocks, &self.read.events]
            .map(|count| count.load(Ordering::Relaxed));
        WasRead { bytes, blocks, events }
    }

    /// Counts what was read.
    pub(super) fn count(&self, read: WasRead) {
        self.read.bytes.fetch_add(read.bytes, Ordering::Relaxed);
        self.read.blocks.fetch_add(read.blocks, Ordering::Relaxed);
        self.read.events.fetch_add(read.events, Ordering::Relaxed);
    }
}

impl Deref for Trace {
    type Target = TraceFile;

    fn deref(&self) -> &TraceFile {
        &self.file
    }
}
