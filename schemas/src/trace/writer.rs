//! Appends chunks to a trace.
//!
//! In: definitions and blocks of events. Out: bytes on any [`Write`]. The caller decides when an error
//! is final; a [`TraceWriter`] that failed has written at most one chunk in part, which a reader drops.

use super::chunk::{ChunkHead, ChunkKind, MAX_PAYLOAD};
use super::columns::BlockBuilder;
use super::{MAGIC, VERSION};
use crate::definition::{Definition, DefinitionError, encode};
use std::io::{self, Write};
use thiserror::Error;

/// zstd's fastest level of the normal range: on traces level 3 was slower and no smaller.
const LEVEL: i32 = 1;

/// Why a chunk could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A definition could not be encoded.
    #[error("{0}")]
    Definition(#[from] DefinitionError),
    /// A block is larger than the format allows.
    #[error("a block of {0} bytes is over the format's limit of {MAX_PAYLOAD}")]
    Large(usize),
}

/// A trace being written.
#[derive(Debug)]
pub struct TraceWriter<W: Write> {
    out: W,
    sequence: u64,
    events: u64,
    last_clock: u64,
}

impl<W: Write> TraceWriter<W> {
    /// Begins a trace: writes the file header.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn new(mut out: W) -> Result<Self, WriteError> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&0_u32.to_le_bytes())?;
        // A writer that is killed at once leaves a trace without chunks, not an empty file.
        out.flush()?;
        Ok(Self { out, sequence: 0, events: 0, last_clock: 0 })
    }

    /// Events written so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Writes a chunk of definitions.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn definitions(&mut self, definitions: &[Definition]) -> Result<(), WriteError> {
        let mut payload = Vec::new();
        definitions.iter().try_for_each(|d| encode(d, &mut payload))?;
        let clock = self.last_clock;
        self.chunk(ChunkKind::Definitions, 0, (clock, clock), definitions.len() as u32, &payload)
    }

    /// Writes the events collected in `block`, which is empty afterwards; does nothing for none.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn events_of(&mut self, vcpu: u16, block: &mut BlockBuilder) -> Result<(), WriteError> {
        let (count, clocks) = (block.count(), block.clocks());
        if count == 0 {
            return Ok(());
        }
        let payload = block.finish();
        self.chunk(ChunkKind::Events, vcpu, clocks, count as u32, &payload)?;
        self.events += count as u64;
        self.last_clock = self.last_clock.max(clocks.1);
        Ok(())
    }

    /// Writes the end chunk and flushes: the trace is complete.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn finish(mut self) -> Result<W, WriteError> {
        let clock = self.last_clock;
        self.chunk(ChunkKind::End, 0, (clock, clock), self.events as u32, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn chunk(
        &mut self,
        kind: ChunkKind,
        vcpu: u16,
        (first_clock, last_clock): (u64, u64),
        count: u32,
        payload: &[u8],
    ) -> Result<(), WriteError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(WriteError::Large(payload.len()));
        }
        let packed = zstd::bulk::compress(payload, LEVEL)?;
        let compressed = packed.len() < payload.len();
        let stored = if compressed { &packed[..] } else { payload };
        let head = ChunkHead {
            kind,
            compressed,
            vcpu,
            sequence: self.sequence,
            first_clock,
            last_clock,
            count,
            stored: stored.len() as u32,
            unpacked: payload.len() as u32,
        };
        self.out.write_all(&head.seal(stored))?;
        self.out.write_all(stored)?;
        self.sequence += 1;
        Ok(())
    }
}
