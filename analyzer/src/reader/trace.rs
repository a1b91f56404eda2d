//! A trace that is being asked, with what was read of it so far.

use super::cache::BlockCache;
use iotrace_format::trace::reader::{ReadError, TraceFile};
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much memory a program may use while it reads a trace. A file of some KiB may have millions of objects that
/// never end; the reader looks at the limit behind each chunk, which has 65,536 events at most. A table that grows may
/// take as much again for a moment.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLimit {
    /// Most bytes.
    pub bytes: usize,
    /// How many are in use, by the program's allocator.
    pub used: fn() -> usize,
}

/// A mapped trace, the threads to decode it with, and counts of what was read.
#[derive(Debug)]
pub struct Trace {
    file: TraceFile,
    memory: Option<MemoryLimit>,
    threads: usize,
    read: Counts,
    cache: BlockCache,
}

/// What was read of a trace, by all passes together.
#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    blocks: AtomicU64,
    events: AtomicU64,
    passes: AtomicU64,
}

/// What was read of a trace, by all passes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WasRead {
    /// Bytes of the chunks that were looked into, with their heads.
    pub bytes: u64,
    /// Blocks of events, and of landmarks, that were decoded.
    pub blocks: u64,
    /// Events that were given to a question.
    pub events: u64,
    /// Passes that decoded a block.
    pub passes: u64,
}

/// Gives back the memory of a file up to an offset, if that is worth it.
pub(crate) fn release_up_to(file: &TraceFile, released: &mut usize, offset: usize) {
    /// Bytes that are given back at once.
    const STRIDE: usize = 4 << 20;
    // An index may state any offset.
    let offset = offset.min(file.bytes().len());
    if offset.saturating_sub(*released) > STRIDE {
        file.release(*released, offset);
        *released = offset;
    }
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
        Self {
            file,
            memory: None,
            threads: threads.unwrap_or_else(all),
            read: Counts::default(),
            cache: BlockCache::default(),
        }
    }

    /// Takes a trace that is already in memory.
    ///
    /// # Errors
    /// Those of [`TraceFile::from_bytes`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ReadError> {
        Ok(Self::of(TraceFile::from_bytes(bytes)?, Some(1)))
    }

    /// The same trace, of which no more is read once the program uses more memory than that.
    #[must_use]
    pub fn limited(self, memory: Option<MemoryLimit>) -> Self {
        Self { memory, ..self }
    }

    /// The limit of memory in bytes, if more is in use.
    pub(super) fn exceeded_memory(&self) -> Option<u64> {
        let limit = self.memory.filter(|memory| (memory.used)() > memory.bytes)?;
        Some(limit.bytes as u64)
    }

    /// Threads to decode with.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Memory is given back from where it was given back to last up to an offset, if that is worth it.
    pub fn release_up_to(&self, released: &mut usize, offset: usize) {
        release_up_to(&self.file, released, offset);
    }

    /// Blocks that are kept decoded.
    pub(super) fn cache(&self) -> &BlockCache {
        &self.cache
    }

    /// What was read so far.
    #[must_use]
    pub fn was_read(&self) -> WasRead {
        let Counts { bytes, blocks, events, passes } = &self.read;
        let [bytes, blocks, events, passes] =
            [bytes, blocks, events, passes].map(|count| count.load(Ordering::Relaxed));
        let blocks = blocks.saturating_sub(self.cache.taken());
        WasRead { bytes, blocks, events, passes }
    }

    /// Counts what was read.
    pub(super) fn count(&self, read: WasRead) {
        self.read.bytes.fetch_add(read.bytes, Ordering::Relaxed);
        self.read.blocks.fetch_add(read.blocks, Ordering::Relaxed);
        self.read.events.fetch_add(read.events, Ordering::Relaxed);
        self.read.passes.fetch_add(read.passes, Ordering::Relaxed);
    }
}

impl Deref for Trace {
    type Target = TraceFile;

    fn deref(&self) -> &TraceFile {
        &self.file
    }
}
