//! From chunk to chunk, and over what is damaged to the next one.
//!
//! In: the bytes of a file. Out: chunks whose heads are sound, and stretches that are none; a [`Ledger`] makes of
//! both what was lost.

use super::FILE_HEADER;
use super::chunk::{CHUNK_MAGIC, ChunkError, ChunkHead, RawChunk};
use memchr::memmem;
use std::fmt;

/// Most places of damage that are told one by one.
const MOST: usize = 1000;
/// Payloads that are looked at in vain, as a multiple of the file's length: heads whose payloads overlap would have each
/// byte looked at again and again.
const MOST_CHECKED: usize = 4;

/// What stands next in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkStep<'a> {
    /// A chunk, at this offset. Its payload was not looked at.
    Chunk(usize, RawChunk<'a>),
    /// Bytes that belong to no whole chunk.
    Bad {
        /// Offset of the first.
        offset: usize,
        /// How many.
        bytes: usize,
        /// Why no chunk begins there.
        reason: ChunkError,
    },
}

/// Goes through a file.
#[derive(Debug, Clone)]
pub struct Walker<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Bytes of payloads that were looked at in vain.
    checked: usize,
}

impl<'a> Walker<'a> {
    /// From behind the header of a file.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: FILE_HEADER.min(bytes.len()), checked: 0 }
    }

    /// Where it stands.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// A chunk whose payload is not what it should be, and behind which none begins: its length is not believed.
    fn leads_astray(&mut self, chunk: &RawChunk<'_>) -> Option<ChunkError> {
        let behind = &self.bytes[self.offset + chunk.head.length()..];
        if behind.is_empty() || behind.starts_with(&CHUNK_MAGIC) {
            return None;
        }
        // Chunks of a damaged file do not overlap: all their payloads are no more than the file.
        if self.checked / MOST_CHECKED > self.bytes.len() {
            return Some(ChunkError::Unchecked);
        }
        let error = chunk.check().err()?;
        self.checked = self.checked.saturating_add(chunk.head.length());
        Some(error)
    }

    fn bad(&mut self, reason: ChunkError) -> WalkStep<'a> {
        let from = self.offset;
        let rest = &self.bytes[from + 1..];
        let is_chunk = |at: &usize| RawChunk::open(&rest[*at..]).is_ok();
        let next = memmem::find_iter(rest, &CHUNK_MAGIC).find(is_chunk);
        self.offset = next.map_or(self.bytes.len(), |at| from + 1 + at);
        WalkStep::Bad { offset: from, bytes: self.offset - from, reason }
    }
}

impl<'a> Iterator for Walker<'a> {
    type Item = WalkStep<'a>;

    fn next(&mut self) -> Option<WalkStep<'a>> {
        let rest = self.bytes.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let chunk = match RawChunk::open(rest) {
            Ok(chunk) => chunk,
            Err(reason) => return Some(self.bad(reason)),
        };
        if let Some(reason) = self.leads_astray(&chunk) {
            return Some(self.bad(reason));
        }
        let at = self.offset;
        self.offset += chunk.head.length();
        Some(WalkStep::Chunk(at, chunk))
    }
}

/// A place where a file is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Offset in the file.
    pub offset: usize,
    /// Bytes that cannot be read.
    pub bytes: usize,
    /// What is wrong.
    pub reason: String,
    /// Chunks that are missing, by their numbers.
    pub chunks: u64,
    /// Events that are missing, by their numbers.
    pub events: u64,
    /// Last clock before it.
    pub after: u64,
    /// First clock behind it; none if nothing comes behind it.
    pub before: Option<u64>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, bytes, reason, chunks, events, after, before } = self;
        write!(
            f,
            "{bytes} unreadable bytes at offset {offset}: {reason}; {chunks} chunks with {events} events "
        )?;
        match before {
            Some(before) => write!(f, "lost between clocks {after} and {before}"),
            None => write!(f, "lost after clock {after}"),
        }
    }
}

/// Keeps account of what was read and what was lost, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Number that the next chunk should have.
    sequence: u64,
    /// Events in the blocks so far, with those that are lost.
    number: u64,
    last_clock: u64,
    /// Damage behind which no chunk was seen yet begins here.
    open: usize,
    damage: Vec<Damage>,
    more: u64,
}

impl Ledger {
    /// Bytes that cannot be read.
    pub fn bad(&mut self, offset: usize, bytes: usize, reason: String) {
        if self.damage.len() == MOST {
            self.more += 1;
            return;
        }
        let after = self.last_clock;
        self.damage.push(Damage { offset, bytes, reason, chunks: 0, events: 0, after, before: None });
    }

    /// A chunk that can be read. Returns whether it is the next one, or one behind what is lost.
    pub fn chunk(&mut self, offset: usize, head: &ChunkHead, events: u64) -> bool {
        if head.sequence < self.sequence || head.number < self.number {
            let (found, expected) = (head.sequence, self.sequence);
            let reason = format!("found chunk {found}, expected {expected}");
            self.bad(offset, head.length(), reason);
            return false;
        }
        let (chunks, lost) = (head.sequence - self.sequence, head.number - self.number);
        if chunks > 0 && self.open == self.damage.len() {
            self.bad(offset, 0, format!("chunk {} is missing", self.sequence));
        }
        if let Some(damage) = self.damage[self.open..].last_mut() {
            (damage.chunks, damage.events) = (chunks, lost);
        }
        self.damage[self.open..].iter_mut().for_each(|damage| damage.before = Some(head.first_clock));
        self.open = self.damage.len();
        self.sequence = head.sequence.saturating_add(1);
        self.number = head.number.saturating_add(events);
        self.last_clock = self.last_clock.max(head.last_clock);
        true
    }

    /// Number of the next event.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The damage so far, in the order of the file.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Places beyond those that are told one by one.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.more
    }
}

#[cfg(test)]
mod tests;
