//! A mapped trace, and what is in its chunks.
//!
//! In: a file. Out: its bytes, its index, and for each chunk definitions or a block of events. Nothing in a file
//! has more allocated than the limits of [`super::chunk`] and [`super::columns`] allow.

use super::chunk::{ChunkError, ChunkKind, RawChunk, u32_at};
use super::columns::{ColumnError, Columns, EventBlock};
use super::index::TraceIndex;
use super::walk::Walker;
use super::{FILE_HEADER, MAGIC, PART, WHOLE, file_header};
use crate::definition::{Definition, DefinitionError, Skipped, decode_all};
use memmap2::{Mmap, UncheckedAdvice};
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
        "{path} has trace format {found}, this program reads {WHOLE} and {PART}: trace again or use the \
         version that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// What the file holds takes more memory than the program may use.
    #[error("more than {} MiB of memory are needed: raise the limit (option --memory)", limit >> 20)]
    Memory {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A thread to decode in cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// Why a chunk with a sound head says nothing.
#[derive(Debug, Error)]
pub enum ContentError {
    /// Its payload was changed.
    #[error(transparent)]
    Changed(#[from] ChunkError),
    /// Its payload does not unpack.
    #[error("cannot decompress the payload: {0}")]
    Unpack(#[from] io::Error),
    /// Its payload unpacks to another length than the head says.
    #[error("payload decompresses to {found} bytes, expected {expected}")]
    Length {
        /// Bytes it has.
        found: usize,
        /// Bytes that the head gives.
        expected: usize,
    },
    /// A block is malformed though its checksum fits.
    #[error(transparent)]
    Block(#[from] ColumnError),
    /// Definitions are malformed though their checksum fits.
    #[error(transparent)]
    Definitions(#[from] DefinitionError),
}

/// What is in a chunk.
#[derive(Debug)]
pub enum Content {
    /// Definitions, and the tags that were skipped.
    Definitions(Vec<Definition>, Skipped),
    /// Events of one vCPU: a block, or landmarks.
    Events(Box<EventBlock>),
    /// The index.
    Index,
    /// The end of the trace.
    End,
    /// Something that this version does not know: a kind of chunk, or a way to store it.
    Unknown,
}

/// Unpacks and decodes chunks, one after the other.
pub struct Decoder {
    zstd: zstd::bulk::Decompressor<'static>,
    unpacked: Vec<u8>,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// zstd's, if there is no memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()?, unpacked: Vec::new() })
    }

    /// What is in a chunk. A block takes the place of `block`, whose memory it uses.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn decode(
        &mut self,
        chunk: &RawChunk<'_>,
        wanted: Columns,
        mut block: Box<EventBlock>,
    ) -> Result<Content, ContentError> {
        chunk.check()?;
        if !chunk.head.is_readable() {
            return Ok(Content::Unknown);
        }
        Ok(match chunk.head.kind {
            ChunkKind::Definitions => {
                let (definitions, skipped) = decode_all(self.unpack(chunk)?)?;
                Content::Definitions(definitions, skipped)
            }
            ChunkKind::Events | ChunkKind::Landmarks => {
                block.decode(chunk, self.unpack(chunk)?, wanted)?;
                Content::Events(block)
            }
            ChunkKind::Index => Content::Index,
            ChunkKind::End => Content::End,
            ChunkKind::Unknown(_) => Content::Unknown,
        })
    }

    fn unpack<'a>(&'a mut self, chunk: &RawChunk<'a>) -> Result<&'a [u8], ContentError> {
        let expected = chunk.head.unpacked as usize;
        let bytes = if chunk.head.compressed() {
            self.unpacked.clear();
            self.unpacked.reserve(expected);
            self.zstd.decompress_to_buffer(chunk.payload, &mut self.unpacked)?;
            &self.unpacked[..]
        } else {
            chunk.payload
        };
        let found = bytes.len();
        if found == expected { Ok(bytes) } else { Err(ContentError::Length { found, expected }) }
    }
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
        Self::map(path)?.check(path)
    }

    /// Maps a file whose header may be damaged: it is a trace if a chunk is found in it.
    ///
    /// # Errors
    /// [`ReadError::Open`], [`ReadError::NotATrace`], [`ReadError::Version`].
    pub fn open_damaged(path: &Path) -> Result<Self, ReadError> {
        let file = Self::map(path)?;
        let found = file.walk().any(|step| matches!(step, super::walk::WalkStep::Chunk(..)));
        if found { Ok(file) } else { file.check(path) }
    }

    fn map(path: &Path) -> Result<Self, ReadError> {
        let open = |source| ReadError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        let about = file.metadata().map_err(open)?;
        if about.is_dir() {
            return Err(open(io::Error::other("is a directory: specify the trace in it")));
        }
        if about.len() == 0 {
            return Err(ReadError::NotATrace { path: path.to_owned(), found: Vec::new() });
        }
        // SAFETY: the mapping is read-only. A file that another program cuts short while it is being read
        // ends this one with SIGBUS, as it would any program that maps files; nothing is written.
        let map = unsafe { Mmap::map(&file) }.map_err(open)?;
        Ok(Self { bytes: Bytes::Mapped(map) })
    }

    /// Takes a trace that is already in memory.
    ///
    /// # Errors
    /// [`ReadError::NotATrace`], [`ReadError::Version`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ReadError> {
        Self { bytes: Bytes::Owned(bytes) }.check(Path::new("(memory)"))
    }

    fn check(self, path: &Path) -> Result<Self, ReadError> {
        let head = self.bytes();
        if head.len() < FILE_HEADER || !head.starts_with(&MAGIC) {
            let found = head[..head.len().min(MAGIC.len())].to_vec();
            return Err(ReadError::NotATrace { path: path.to_owned(), found });
        }
        match self.version() {
            WHOLE | PART => Ok(self),
            found => Err(ReadError::Version { path: path.to_owned(), found }),
        }
    }

    /// Version of the format that the header gives; 0 of a file without one.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.bytes().get(8..12).map_or(0, |version| u32_at(version, 0))
    }

    /// Its events may have other numbers than their places in the file: it is a part of another trace.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.version() != WHOLE
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// The header is what a writer wrote.
    #[must_use]
    pub fn header_is_sound(&self) -> bool {
        [WHOLE, PART].iter().any(|version| self.bytes().starts_with(&file_header(*version)))
    }

    /// The chunks, from the first.
    #[must_use]
    pub fn walk(&self) -> Walker<'_> {
        Walker::new(self.bytes())
    }

    /// The index; none if the file was cut, or if it is damaged there.
    #[must_use]
    pub fn index(&self) -> Option<TraceIndex<'_>> {
        TraceIndex::find(self.bytes())
    }

    /// These bytes will not be read again: they need not be kept in memory.
    pub fn release(&self, from: usize, to: usize) {
        if let (Bytes::Mapped(map), true) = (&self.bytes, from < to && to <= self.bytes().len()) {
            // SAFETY: the mapping is shared, read-only and backed by the file: what is read again comes from it.
            // That it fails changes nothing but the memory used.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_refused_by_what_it_is() {
        let error = TraceFile::open(&std::env::temp_dir()).unwrap_err();
        assert!(error.to_string().ends_with("is a directory: specify the trace in it"), "{error}");
    }
}
