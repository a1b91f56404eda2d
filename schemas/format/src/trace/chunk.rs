//! The frame around every piece of a trace: what it holds, how much of it, between which clocks, and checksums.
//!
//! In: a head, a table of kinds and a payload. Out: bytes, and back. A head is checked before anything in it is
//! believed; the payload has a checksum of its own, so that heads can be gone through alone.

use super::varint;
use crate::event::KindId;
use thiserror::Error;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// First four bytes of every chunk.
pub const CHUNK_MAGIC: [u8; 4] = *b"\xb5IO3";
/// Bytes of a chunk's head, without the table of kinds.
pub const HEAD: usize = 72;
/// Largest payload, stored or unpacked, in bytes. The index is not unpacked, and has no such limit.
pub const MAX_PAYLOAD: usize = 4 << 20;
/// Largest table of kinds, in bytes: all of the 65,536 kinds, each with its count.
pub const MAX_TABLE: usize = 512 << 10;

/// Where the checksum of the payload stands.
const PAYLOAD_SUM: usize = 56;
/// Where the checksum of head and table stands.
const HEAD_SUM: usize = 64;
const COMPRESSED: u8 = 1;

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// Definitions.
    Definitions,
    /// A block of events.
    Events,
    /// Events again that have to be known by who does not read from the beginning.
    Landmarks,
    /// The index of all chunks.
    Index,
    /// The end: the trace is complete.
    End,
    /// A kind this version does not know: its payload is skipped.
    Unknown(u8),
}

impl ChunkKind {
    /// Number in the file.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Definitions => b'D',
            Self::Events => b'E',
            Self::Landmarks => b'L',
            Self::Index => b'I',
            Self::End => b'Z',
            Self::Unknown(code) => code,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            b'D' => Self::Definitions,
            b'E' => Self::Events,
            b'L' => Self::Landmarks,
            b'I' => Self::Index,
            b'Z' => Self::End,
            other => Self::Unknown(other),
        }
    }
}

/// A chunk's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkHead {
    /// What it holds.
    pub kind: ChunkKind,
    /// Bit 0: the payload is one zstd frame. Others are not known to this version.
    pub flags: u8,
    /// vCPU of the events.
    pub vcpu: u16,
    /// Number of the chunk in the file, from 0.
    pub sequence: u64,
    /// Clock of the first event.
    pub first_clock: u64,
    /// Clock of the last event.
    pub last_clock: u64,
    /// Events in the file's blocks before this chunk.
    pub number: u64,
    /// Events or definitions in it.
    pub count: u32,
    /// Bytes of the table of kinds.
    pub table: u32,
    /// Bytes of the payload in the file.
    pub stored: u32,
    /// Bytes of the payload unpacked.
    pub unpacked: u32,
    /// XXH3-64 of the payload as stored.
    pub checksum: u64,
}

/// Why the bytes at some offset are not a whole chunk.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ChunkError {
    /// The file ends inside the chunk.
    #[error("{needed} bytes needed, {available} available")]
    Cut {
        /// Bytes of the chunk.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// No chunk begins here.
    #[error("no chunk magic (found {found:02x?}, expected {CHUNK_MAGIC:02x?})")]
    Magic {
        /// The four bytes there.
        found: [u8; 4],
    },
    /// A length is out of bounds.
    #[error("payload of {length} bytes exceeds the limit of {MAX_PAYLOAD}")]
    Length {
        /// The length the head gives.
        length: usize,
    },
    /// The bytes of the head were changed.
    #[error("header checksum {found:016x}, expected {expected:016x}")]
    Head {
        /// Checksum of the bytes there.
        found: u64,
        /// Checksum in the head.
        expected: u64,
    },
    /// Too many chunks are damaged, and none begins behind this one.
    #[error("payload not checked: too much damage before it")]
    Unchecked,
    /// The bytes of the payload were changed.
    #[error("payload checksum {found:016x}, expected {expected:016x}")]
    Payload {
        /// Checksum of the bytes there.
        found: u64,
        /// Checksum in the head.
        expected: u64,
    },
}

/// A chunk whose head is sound; what its payload is worth, [`RawChunk::check`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawChunk<'a> {
    /// The head.
    pub head: ChunkHead,
    table: &'a [u8],
    /// The payload, as stored.
    pub payload: &'a [u8],
}

impl ChunkHead {
    /// The payload is one zstd frame.
    #[must_use]
    pub fn compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }

    /// The payload is stored in a way that this version knows.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.flags & !COMPRESSED == 0
    }

    /// Bytes of the whole chunk in the file.
    #[must_use]
    pub fn length(&self) -> usize {
        HEAD + self.table as usize + self.stored as usize
    }

    /// The bytes of head and table, with lengths and checksums set from them and the payload as stored; also the
    /// head as it is then.
    #[must_use]
    pub fn seal(mut self, table: &[u8], payload: &[u8], compressed: bool) -> (Self, Vec<u8>) {
        self.flags = if compressed { COMPRESSED } else { 0 };
        self.table = table.len() as u32;
        self.stored = payload.len() as u32;
        self.checksum = xxh3_64(payload);
        let mut head = self.bytes().to_vec();
        let checksum = head_sum(&head, table);
        head.extend(checksum.to_le_bytes());
        head.extend(table);
        (self, head)
    }

    fn bytes(&self) -> [u8; HEAD_SUM] {
        let mut head = [0; HEAD_SUM];
        head[0..4].copy_from_slice(&CHUNK_MAGIC);
        head[4] = self.kind.code();
        head[5] = self.flags;
        head[6..8].copy_from_slice(&self.vcpu.to_le_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        head[16..24].copy_from_slice(&self.first_clock.to_le_bytes());
        head[24..32].copy_from_slice(&self.last_clock.to_le_bytes());
        head[32..40].copy_from_slice(&self.number.to_le_bytes());
        head[40..44].copy_from_slice(&self.count.to_le_bytes());
        head[44..48].copy_from_slice(&self.table.to_le_bytes());
        head[48..52].copy_from_slice(&self.stored.to_le_bytes());
        head[52..56].copy_from_slice(&self.unpacked.to_le_bytes());
        head[PAYLOAD_SUM..].copy_from_slice(&self.checksum.to_le_bytes());
        head
    }

    fn parse(head: &[u8; HEAD]) -> Self {
        Self {
            kind: ChunkKind::from_code(head[4]),
            flags: head[5],
            vcpu: u16::from_le_bytes([head[6], head[7]]),
            sequence: u64_at(head, 8),
            first_clock: u64_at(head, 16),
            last_clock: u64_at(head, 24),
            number: u64_at(head, 32),
            count: u32_at(head, 40),
            table: u32_at(head, 44),
            stored: u32_at(head, 48),
            unpacked: u32_at(head, 52),
            checksum: u64_at(head, PAYLOAD_SUM),
        }
    }

    /// The first length that is out of bounds.
    fn excess(&self) -> Option<usize> {
        let unpacked = if self.kind == ChunkKind::Index { 0 } else { self.unpacked.max(self.stored) };
        let over = |length: u32, limit: usize| (length as usize > limit).then_some(length as usize);
        over(unpacked, MAX_PAYLOAD).or(over(self.table, MAX_TABLE))
    }
}

impl<'a> RawChunk<'a> {
    /// The chunk at the beginning of `bytes`. Its payload is not looked at.
    ///
    /// # Errors
    /// [`ChunkError`], with the numbers.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ChunkError> {
        let cut = |needed| ChunkError::Cut { needed, available: bytes.len() };
        let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(cut(HEAD))?;
        let found = [head[0], head[1], head[2], head[3]];
        if found != CHUNK_MAGIC {
            return Err(ChunkError::Magic { found });
        }
        let parsed = ChunkHead::parse(head);
        if let Some(length) = parsed.excess() {
            return Err(ChunkError::Length { length });
        }
        let needed = HEAD + parsed.table as usize;
        let (table, rest) = rest.split_at_checked(parsed.table as usize).ok_or(cut(needed))?;
        let (found, expected) = (head_sum(&head[..HEAD_SUM], table), u64_at(head, HEAD_SUM));
        if found != expected {
            return Err(ChunkError::Head { found, expected });
        }
        let payload = rest.get(..parsed.stored as usize).ok_or(cut(parsed.length()))?;
        Ok(Self { head: parsed, table, payload })
    }

    /// Checks the payload.
    ///
    /// # Errors
    /// [`ChunkError::Payload`].
    pub fn check(&self) -> Result<(), ChunkError> {
        let (found, expected) = (xxh3_64(self.payload), self.head.checksum);
        if found == expected { Ok(()) } else { Err(ChunkError::Payload { found, expected }) }
    }

    /// Kinds of the events in it and how many of each, in ascending order.
    pub fn kinds(&self) -> impl Iterator<Item = (KindId, u32)> {
        let (mut rest, mut before) = (self.table, 0_u64);
        std::iter::from_fn(move || {
            let kind = before.checked_add(varint::take(&mut rest)?)?;
            let count = varint::take(&mut rest)?;
            before = kind + 1;
            Some((u16::try_from(kind).ok()?, u32::try_from(count).ok()?))
        })
    }
}

/// The bytes of a table of kinds, which ascend.
#[must_use]
pub fn table(kinds: impl IntoIterator<Item = (KindId, u32)>) -> Vec<u8> {
    let (mut bytes, mut before) = (Vec::new(), 0);
    for (kind, count) in kinds {
        varint::put(u64::from(kind) - before, &mut bytes);
        varint::put(count.into(), &mut bytes);
        before = u64::from(kind) + 1;
    }
    bytes
}

/// A number in bytes that are known to hold it.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// A number in bytes that are known to hold it.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn head_sum(head: &[u8], table: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(table);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> ChunkHead {
        ChunkHead {
            kind: ChunkKind::Events,
            flags: 0,
            vcpu: 3,
            sequence: 7,
            first_clock: 100,
            last_clock: 200,
            number: 1000,
            count: 5,
            table: 0,
            stored: 0,
            unpacked: 4,
            checksum: 0,
        }
    }

    fn chunk() -> (ChunkHead, Vec<u8>) {
        let (head, mut bytes) = head().seal(&table([(2, 1), (64, 300), (65, 4)]), b"abcd", false);
        bytes.extend(b"abcd");
        (head, bytes)
    }

    #[test]
    fn a_chunk_survives_the_way_to_bytes_and_back() {
        let (head, mut bytes) = chunk();
        assert_eq!(head.length(), bytes.len());
        bytes.extend(b"rest");
        let chunk = RawChunk::open(&bytes).unwrap();
        assert_eq!((chunk.head, chunk.payload, chunk.check()), (head, &b"abcd"[..], Ok(())));
        assert_eq!(chunk.kinds().collect::<Vec<_>>(), [(2, 1), (64, 300), (65, 4)]);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (_, mut bytes) = chunk();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(RawChunk::open(&bytes).and_then(|chunk| chunk.check()).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_cut_chunk_says_how_much_is_missing() {
        let (head, bytes) = chunk();
        let error = RawChunk::open(&bytes[..bytes.len() - 2]).unwrap_err();
        assert_eq!(error, ChunkError::Cut { needed: head.length(), available: head.length() - 2 });
    }

    #[test]
    fn an_absurd_length_is_refused_before_anything_is_read() {
        let (_, bytes) = ChunkHead { unpacked: u32::MAX, ..head() }.seal(&[], b"", false);
        assert_eq!(RawChunk::open(&bytes).unwrap_err(), ChunkError::Length { length: u32::MAX as usize });
    }
}
