//! Appends chunks to a trace.
//!
//! In: definitions and events. Out: bytes on any [`Write`]. Each chunk is handed on as soon as it is made. The
//! caller decides when an error is final; a [`TraceWriter`] that failed has written at most one chunk in part,
//! which a reader drops.

use super::chunk::{self, ChunkHead, ChunkKind, MAX_PAYLOAD};
use super::columns::BlockBuilder;
use super::index::{self, IndexBuilder};
use super::{FILE_HEADER, PART, WHOLE, file_header};
use crate::definition::{Definition, DefinitionError, ObjectNumber, encode};
use crate::event::{Event, KindId, is_landmark};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use thiserror::Error;

/// zstd's fastest level of the normal range: on traces level 3 was slower and no smaller.
const LEVEL: i32 = 1;
/// Events after which a block is written. Four times as many made the file by 4% smaller, a quarter as many made
/// it by 12% larger.
pub const BLOCK: usize = 1 << 16;
/// Words after which a block is written: with ten bytes each, it is within the format's limit.
const BLOCK_WORDS: usize = 1 << 17;
/// Landmarks after which they are written.
const LANDMARKS: usize = 1 << 13;
/// Numbers of objects that one definition has.
const NUMBERS: usize = 1 << 12;
/// Bytes of definitions after which they are written.
const DEFINITIONS: usize = 1 << 20;

/// Why a chunk could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A definition could not be encoded.
    #[error("{0}")]
    Definition(#[from] DefinitionError),
    /// A chunk is larger than the format allows.
    #[error("chunk of {0} bytes exceeds the limit of {MAX_PAYLOAD}")]
    Large(usize),
}

/// Creates the file of a trace, locked against a second writer.
///
/// # Errors
/// Those of the system, if it is a terminal, and if in use by another writer.
pub fn create(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    if file.is_terminal() {
        return Err(io::Error::other("it is a terminal; specify a file"));
    }
    file.try_lock().map_err(|_| io::Error::other("in use by another writer"))?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// A trace being written.
pub struct TraceWriter<W: Write> {
    out: W,
    zstd: zstd::bulk::Compressor<'static>,
    offset: u64,
    sequence: u64,
    /// Events in the blocks that were written.
    written: u64,
    last_clock: u64,
    index: IndexBuilder,
    /// Definitions that stand before the next block.
    definitions: Vec<u8>,
    defined: u32,
    /// Numbers of objects that stand before the next block.
    numbers: Vec<ObjectNumber>,
    /// By kind: whether it is a probe whose events are landmarks.
    landmark_probes: Vec<bool>,
    blocks: Vec<BlockBuilder>,
    landmarks: Vec<BlockBuilder>,
}

impl<W: Write> TraceWriter<W> {
    /// Begins a trace: writes the file header.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn new(out: W) -> Result<Self, WriteError> {
        Self::begin(out, WHOLE)
    }

    /// Begins a part of a trace, whose events have the numbers they have there.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn part(out: W) -> Result<Self, WriteError> {
        Self::begin(out, PART)
    }

    fn begin(mut out: W, version: u32) -> Result<Self, WriteError> {
        out.write_all(&file_header(version))?;
        // A writer that is killed at once leaves a trace without chunks, not an empty file.
        out.flush()?;
        Ok(Self {
            out,
            zstd: zstd::bulk::Compressor::new(LEVEL)?,
            offset: FILE_HEADER as u64,
            sequence: 0,
            written: 0,
            last_clock: 0,
            index: IndexBuilder::default(),
            definitions: Vec::new(),
            defined: 0,
            numbers: Vec::new(),
            landmark_probes: Vec::new(),
            blocks: Vec::new(),
            landmarks: Vec::new(),
        })
    }

    /// Events taken so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.written + self.blocks.iter().map(|block| block.count() as u64).sum::<u64>()
    }

    /// Takes definitions; they stand in the file before the events that are given after them.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn definitions(&mut self, definitions: &[Definition]) -> Result<(), WriteError> {
        for definition in definitions {
            if let Definition::Probe(probe) = definition
                && probe.is_landmark()
            {
                self.add_landmark_probe(probe.id);
            }
            self.define(definition)?;
            if self.definitions.len() >= DEFINITIONS {
                self.write_definitions()?;
            }
        }
        Ok(())
    }

    fn define(&mut self, definition: &Definition) -> Result<(), WriteError> {
        if let Definition::Numbers(numbers) = definition {
            self.numbers.extend(numbers);
            return if self.numbers.len() >= NUMBERS { self.define_numbers() } else { Ok(()) };
        }
        encode(definition, &mut self.definitions)?;
        self.defined += 1;
        Ok(())
    }

    fn define_numbers(&mut self) -> Result<(), WriteError> {
        for numbers in std::mem::take(&mut self.numbers).chunks(NUMBERS) {
            encode(&Definition::Numbers(numbers.to_vec()), &mut self.definitions)?;
            self.defined += 1;
        }
        Ok(())
    }

    fn add_landmark_probe(&mut self, kind: KindId) {
        let at = usize::from(kind);
        self.landmark_probes.resize(self.landmark_probes.len().max(at + 1), false);
        self.landmark_probes[at] = true;
    }

    /// Takes an event. Those of a vCPU come in the order of their clocks.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn event(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        builder(&mut self.blocks, event.vcpu).push(event);
        self.pushed(event)
    }

    /// Takes an event of a part, with its number. Those of a vCPU ascend.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn numbered_event(&mut self, number: u64, event: &Event<'_>) -> Result<(), WriteError> {
        builder(&mut self.blocks, event.vcpu).push_numbered(number, event);
        self.pushed(event)
    }

    fn pushed(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        let block = builder(&mut self.blocks, event.vcpu);
        let full = block.count() >= BLOCK || block.words() >= BLOCK_WORDS;
        let of_probe = self.landmark_probes.get(usize::from(event.kind)).copied().unwrap_or(false);
        if of_probe || is_landmark(event.kind) {
            builder(&mut self.landmarks, event.vcpu).push(event);
        }
        if full { self.write_blocks() } else { Ok(()) }
    }

    /// Writes what was taken so far.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.write_definitions()?;
        self.write_blocks()
    }

    /// Writes the index and the end: the trace is complete.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.flush()?;
        self.write_landmarks()?;
        let (index, events) = (self.offset, self.written);
        let bytes = self.index.bytes();
        self.chunk(ChunkKind::Index, 0, None, 0, &[], &bytes)?;
        self.chunk(ChunkKind::End, 0, None, 0, &[], &index::end(index, events))?;
        Ok(self.out)
    }

    fn write_definitions(&mut self) -> Result<(), WriteError> {
        self.define_numbers()?;
        if self.defined == 0 {
            return Ok(());
        }
        let (payload, count) = (std::mem::take(&mut self.definitions), std::mem::take(&mut self.defined));
        self.chunk(ChunkKind::Definitions, 0, None, count, &[], &payload)
    }

    /// Writes the blocks of all vCPUs, so that they stand near one another: a reader merges them by clock.
    fn write_blocks(&mut self) -> Result<(), WriteError> {
        self.write_definitions()?;
        let mut blocks = std::mem::take(&mut self.blocks);
        for (vcpu, block) in (0..=u16::MAX).zip(&mut blocks) {
            self.events_of(ChunkKind::Events, vcpu, block)?;
        }
        self.blocks = blocks;
        if self.landmarks.iter().any(|block| block.count() >= LANDMARKS) {
            self.write_landmarks()?;
        }
        Ok(())
    }

    fn write_landmarks(&mut self) -> Result<(), WriteError> {
        for (vcpu, mut block) in (0..=u16::MAX).zip(std::mem::take(&mut self.landmarks)) {
            self.events_of(ChunkKind::Landmarks, vcpu, &mut block)?;
        }
        Ok(())
    }

    fn events_of(&mut self, kind: ChunkKind, vcpu: u16, block: &mut BlockBuilder) -> Result<(), WriteError> {
        let (count, clocks, kinds) = (block.count(), block.clocks(), block.kinds());
        if count == 0 {
            return Ok(());
        }
        let payload = block.finish();
        self.chunk(kind, vcpu, Some(clocks), count as u32, &kinds, &payload)?;
        if kind == ChunkKind::Events {
            self.written += count as u64;
            self.last_clock = self.last_clock.max(clocks.1);
        }
        Ok(())
    }

    fn chunk(
        &mut self,
        kind: ChunkKind,
        vcpu: u16,
        clocks: Option<(u64, u64)>,
        count: u32,
        kinds: &[(KindId, u32)],
        payload: &[u8],
    ) -> Result<(), WriteError> {
        // The index is used where it is mapped; the end has a fixed size.
        let may_be_packed = !matches!(kind, ChunkKind::Index | ChunkKind::End);
        if may_be_packed && payload.len() > MAX_PAYLOAD || payload.len() > u32::MAX as usize {
            return Err(WriteError::Large(payload.len()));
        }
        let packed = if may_be_packed { self.zstd.compress(payload)? } else { Vec::new() };
        let compressed = may_be_packed && packed.len() < payload.len();
        let stored = if compressed { &packed[..] } else { payload };
        let (first_clock, last_clock) = clocks.unwrap_or((self.last_clock, self.last_clock));
        let head = ChunkHead {
            kind,
            flags: 0,
            vcpu,
            sequence: self.sequence,
            first_clock,
            last_clock,
            number: self.written,
            count,
            table: 0,
            stored: 0,
            unpacked: payload.len() as u32,
            checksum: 0,
        };
        let (head, bytes) = head.seal(&chunk::table(kinds.iter().copied()), stored, compressed);
        self.out.write_all(&bytes)?;
        self.out.write_all(stored)?;
        // What was made stays if the writer is killed.
        self.out.flush()?;
        self.index.add(self.offset, &head, kinds.iter().copied());
        self.offset += head.length() as u64;
        self.sequence += 1;
        Ok(())
    }
}

impl<W: Write> std::fmt::Debug for TraceWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceWriter").field("offset", &self.offset).field("written", &self.written).finish()
    }
}

/// The builder of a vCPU's block.
fn builder(builders: &mut Vec<BlockBuilder>, vcpu: u16) -> &mut BlockBuilder {
    let at = usize::from(vcpu);
    if builders.len() <= at {
        builders.resize_with(at + 1, BlockBuilder::default);
    }
    &mut builders[at]
}
