//! Goes through the chunks of a trace.
//!
//! In: a file, mapped. Out: definitions and blocks, one chunk at a time, in file order. A file that ends
//! early is ordinary input: what is whole is given, then [`End::Cut`] says where it stopped and why.

use super::chunk::{ChunkError, ChunkHead, ChunkKind};
use super::columns::{Block, ColumnError};
use super::{FILE_HEADER, MAGIC, VERSION};
use crate::definition::{Definition, DefinitionError, Skipped, decode_all};
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a trace cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be opened or mapped.
    #[error("cannot read {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a trace.
    #[error("{path} is not an iotrace trace (its first bytes are {found:02x?})")]
    NotATrace {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// The file has another version of the format.
    #[error(
        "{path} has trace format {found}, this program reads {VERSION}; trace again, or use the program that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A payload does not unpack.
    #[error("chunk {sequence} at offset {offset} does not unpack: {source}")]
    Unpack {
        /// Offset in the file.
        offset: usize,
        /// Sequence number.
        sequence: u64,
        /// What zstd said.
        source: io::Error,
    },
    /// A block is malformed though its checksum fits.
    #[error("chunk {sequence} at offset {offset}: {source}")]
    Block {
        /// Offset in the file.
        offset: usize,
        /// Sequence number.
        sequence: u64,
        /// What is wrong with it.
        source: ColumnError,
    },
    /// Definitions are malformed though their checksum fits.
    #[error("chunk {sequence} at offset {offset}: {source}")]
    Definitions {
        /// Offset in the file.
        offset: usize,
        /// Sequence number.
        sequence: u64,
        /// What is wrong with them.
        source: DefinitionError,
    },
    /// A chunk is missing or out of order.
    #[error(
        "chunk {found} stands at offset {offset} where chunk {expected} should: the file was put together wrongly"
    )]
    Sequence {
        /// Offset in the file.
        offset: usize,
        /// Number it has.
        found: u64,
        /// Number it should have.
        expected: u64,
    },
}

/// How a trace ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With its end chunk: complete.
    Complete,
    /// In the middle: everything before `offset` was read.
    Cut {
        /// Offset of the first byte that belongs to no whole chunk.
        offset: usize,
        /// Bytes from there to the end of the file.
        lost: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// A chunk's contents.
#[derive(Debug)]
pub enum Chunk {
    /// Definitions, and the tags that were skipped.
    Definitions(Vec<Definition>, Skipped),
    /// Events of one vCPU.
    Events(Block),
    /// A kind of chunk that this version does not know.
    Unknown(u8),
}

/// A mapped trace.
#[derive(Debug)]
pub struct TraceFile {
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl TraceFile {
    /// Maps a file and checks its header.
    ///
    /// # Errors
    /// [`ReadError::Open`], [`ReadError::NotATrace`], [`ReadError::Version`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let open = |source| ReadError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        if file.metadata().map_err(open)?.len() == 0 {
            return Err(ReadError::NotATrace { path: path.to_owned(), found: Vec::new() });
        }
        // SAFETY: the mapping is read-only. A file that another program cuts short while it is being read
        // ends this one with SIGBUS, as it would any program that maps files; nothing is written.
        let map = unsafe { Mmap::map(&file) }.map_err(open)?;
        Self::check(path, Bytes::Mapped(map))
    }

    /// Takes a trace that is already in memory.
    ///
    /// # Errors
    /// [`ReadError::NotATrace`], [`ReadError::Version`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ReadError> {
        Self::check(Path::new("(memory)"), Bytes::Owned(bytes))
    }

    fn check(path: &Path, bytes: Bytes) -> Result<Self, ReadError> {
        let trace = Self { bytes };
        let head = trace.bytes();
        if head.len() < FILE_HEADER || !head.starts_with(&MAGIC) {
            let found = head[..head.len().min(MAGIC.len())].to_vec();
            return Err(ReadError::NotATrace { path: path.to_owned(), found });
        }
        let found = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if found != VERSION {
            return Err(ReadError::Version { path: path.to_owned(), found });
        }
        Ok(trace)
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// The chunks, from the first.
    #[must_use]
    pub fn chunks(&self) -> Chunks<'_> {
        Chunks { bytes: self.bytes(), offset: FILE_HEADER, before: None, end: None }
    }
}

/// Iterates over chunks; [`Chunks::end`] tells afterwards how the file ended.
#[derive(Debug)]
pub struct Chunks<'a> {
    bytes: &'a [u8],
    offset: usize,
    before: Option<u64>,
    end: Option<End>,
}

impl Chunks<'_> {
    /// How the file ended; none while chunks are left or after an error.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Bytes gone through so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    fn cut(&mut self, reason: &ChunkError) {
        let (offset, lost) = (self.offset, self.bytes.len() - self.offset);
        self.end = Some(End::Cut { offset, lost, reason: reason.to_string() });
    }

    fn decode(&mut self, head: ChunkHead, stored: &[u8]) -> Result<Option<Chunk>, ReadError> {
        let (offset, sequence) = (self.offset, head.sequence);
        let expected = self.before.map_or(0, |before| before.wrapping_add(1));
        if sequence != expected {
            return Err(ReadError::Sequence { offset, found: sequence, expected });
        }
        if let ChunkKind::Unknown(code) = head.kind {
            return Ok(Some(Chunk::Unknown(code)));
        }
        let unpacked;
        let payload = if head.compressed {
            unpacked = zstd::bulk::decompress(stored, head.unpacked as usize)
                .map_err(|source| ReadError::Unpack { offset, sequence, source })?;
            &unpacked[..]
        } else {
            stored
        };
        Ok(match head.kind {
            ChunkKind::Definitions => {
                let (definitions, skipped) = decode_all(payload)
                    .map_err(|source| ReadError::Definitions { offset, sequence, source })?;
                Some(Chunk::Definitions(definitions, skipped))
            }
            ChunkKind::Events => {
                let block = Block::decode(payload, head.vcpu, head.count as usize, head.first_clock)
                    .map_err(|source| ReadError::Block { offset, sequence, source })?;
                Some(Chunk::Events(block))
            }
            ChunkKind::End | ChunkKind::Unknown(_) => None,
        })
    }
}

impl Iterator for Chunks<'_> {
    type Item = Result<Chunk, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() || self.offset > self.bytes.len() {
            return None;
        }
        let bytes = self.bytes;
        let (head, stored) = match ChunkHead::open(&bytes[self.offset..]) {
            Ok(chunk) => chunk,
            Err(reason) => {
                self.cut(&reason);
                return None;
            }
        };
        let decoded = self.decode(head, stored);
        self.offset += super::chunk::HEAD + stored.len();
        self.before = Some(head.sequence);
        match decoded {
            Ok(Some(chunk)) => Some(Ok(chunk)),
            Ok(None) => {
                self.end = Some(End::Complete);
                None
            }
            Err(error) => {
                self.offset = self.bytes.len() + 1;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::BlockBuilder;
    use super::super::writer::TraceWriter;
    use super::*;
    use crate::event::Event;
    use proptest::prelude::*;

    fn trace(blocks: u64) -> Vec<u8> {
        let mut writer = TraceWriter::new(Vec::new()).unwrap();
        for clock in 0..blocks {
            let words = [clock; 3];
            let mut block = BlockBuilder::default();
            block.push(&Event { kind: 64, vcpu: 0, clock, context: 0, task: 0, stack: 0, words: &words });
            writer.events_of(0, &mut block).unwrap();
        }
        writer.finish().unwrap()
    }

    fn count(bytes: Vec<u8>) -> (usize, Option<End>) {
        let file = TraceFile::from_bytes(bytes).unwrap();
        let mut chunks = file.chunks();
        let events = chunks.by_ref().map(|c| match c.unwrap() {
            Chunk::Events(block) => block.len(),
            _ => 0,
        });
        (events.sum(), chunks.end().cloned())
    }

    #[test]
    fn a_whole_trace_is_read_to_its_end() {
        assert_eq!(count(trace(5)), (5, Some(End::Complete)));
    }

    #[test]
    fn a_trace_cut_anywhere_gives_its_whole_blocks() {
        let whole = trace(5);
        let mut before = 0;
        for length in FILE_HEADER..whole.len() {
            let (events, end) = count(whole[..length].to_vec());
            assert!(matches!(end, Some(End::Cut { .. })), "{length}");
            assert!(events == before || events == before + 1, "{length}: {events} after {before}");
            before = events;
        }
        assert_eq!(before, 5);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let mut bytes = trace(0);
        bytes[8] = 99;
        let message = TraceFile::from_bytes(bytes).unwrap_err().to_string();
        assert!(message.contains("format 99"), "{message}");
    }

    proptest! {
        #[test]
        fn a_damaged_trace_never_panics(at in 0_usize..400, value in any::<u8>()) {
            let mut bytes = trace(3);
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(file) = TraceFile::from_bytes(bytes) {
                file.chunks().for_each(drop);
            }
        }
    }
}
