//! The frame around every piece of a trace: kind, sequence number, range of clocks, lengths, checksum.
//!
//! In: a head and a payload. Out: bytes, and back. Nothing is allocated on the word of a head that has
//! not been checked.

use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

/// First four bytes of every chunk.
pub const CHUNK_MAGIC: [u8; 4] = *b"\xb5IOC";
/// Bytes of a chunk's head.
pub const HEAD: usize = 56;
/// Largest payload, stored or unpacked, in bytes.
pub const MAX_PAYLOAD: usize = 64 << 20;

const CHECKSUM: usize = 48;

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// Definitions.
    Definitions,
    /// A block of events.
    Events,
    /// The end: the trace is complete.
    End,
    /// A kind this version does not know: its payload is skipped.
    Unknown(u8),
}

impl ChunkKind {
    fn code(self) -> u8 {
        match self {
            Self::Definitions => b'D',
            Self::Events => b'E',
            Self::End => b'Z',
            Self::Unknown(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            b'D' => Self::Definitions,
            b'E' => Self::Events,
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
    /// The payload is one zstd frame.
    pub compressed: bool,
    /// vCPU of the events.
    pub vcpu: u16,
    /// Number of the chunk in the file, from 0.
    pub sequence: u64,
    /// Clock of the first event.
    pub first_clock: u64,
    /// Clock of the last event.
    pub last_clock: u64,
    /// Events or definitions in it; of the end: events in the file, modulo 2^32.
    pub count: u32,
    /// Bytes of the payload in the file.
    pub stored: u32,
    /// Bytes of the payload unpacked.
    pub unpacked: u32,
}

/// Why the bytes at some offset are not a whole chunk.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ChunkError {
    /// The file ends inside the chunk.
    #[error("{needed} bytes are needed, {available} are left")]
    Cut {
        /// Bytes of the chunk.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// No chunk begins here.
    #[error("no chunk begins here (found {found:02x?}, expected {CHUNK_MAGIC:02x?})")]
    Magic {
        /// The four bytes there.
        found: [u8; 4],
    },
    /// A length is out of bounds.
    #[error("a payload of {length} bytes is over the limit of {MAX_PAYLOAD}")]
    Length {
        /// The length the head gives.
        length: usize,
    },
    /// The bytes were changed.
    #[error("checksum {found:016x}, expected {expected:016x}")]
    Checksum {
        /// Checksum of the bytes there.
        found: u64,
        /// Checksum in the head.
        expected: u64,
    },
}

impl ChunkHead {
    /// The head's bytes, with the checksum over them and the stored payload.
    #[must_use]
    pub fn seal(&self, payload: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[0..4].copy_from_slice(&CHUNK_MAGIC);
        head[4] = self.kind.code();
        head[5] = u8::from(self.compressed);
        head[6..8].copy_from_slice(&self.vcpu.to_le_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        head[16..24].copy_from_slice(&self.first_clock.to_le_bytes());
        head[24..32].copy_from_slice(&self.last_clock.to_le_bytes());
        head[32..36].copy_from_slice(&self.count.to_le_bytes());
        head[36..40].copy_from_slice(&self.stored.to_le_bytes());
        head[40..44].copy_from_slice(&self.unpacked.to_le_bytes());
        let checksum = checksum(&head[..CHECKSUM], payload);
        head[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        head
    }

    /// The chunk at the beginning of `bytes`, and its stored payload.
    ///
    /// # Errors
    /// [`ChunkError`], with the numbers.
    pub fn open(bytes: &[u8]) -> Result<(Self, &[u8]), ChunkError> {
        let cut = |needed| ChunkError::Cut { needed, available: bytes.len() };
        let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(cut(HEAD))?;
        let found = four(head, 0);
        if found != CHUNK_MAGIC {
            return Err(ChunkError::Magic { found });
        }
        let parsed = Self::parse(head);
        let longest = parsed.stored.max(parsed.unpacked) as usize;
        if longest > MAX_PAYLOAD {
            return Err(ChunkError::Length { length: longest });
        }
        let length = parsed.stored as usize;
        let payload = rest.get(..length).ok_or(cut(HEAD + length))?;
        let (found, expected) = (checksum(&head[..CHECKSUM], payload), eight(head, CHECKSUM));
        if found != expected {
            return Err(ChunkError::Checksum { found, expected });
        }
        Ok((parsed, payload))
    }

    fn parse(head: &[u8; HEAD]) -> Self {
        Self {
            kind: ChunkKind::from_code(head[4]),
            compressed: head[5] & 1 != 0,
            vcpu: u16::from_le_bytes([head[6], head[7]]),
            sequence: eight(head, 8),
            first_clock: eight(head, 16),
            last_clock: eight(head, 24),
            count: u32::from_le_bytes(four(head, 32)),
            stored: u32::from_le_bytes(four(head, 36)),
            unpacked: u32::from_le_bytes(four(head, 40)),
        }
    }
}

fn four(head: &[u8; HEAD], at: usize) -> [u8; 4] {
    [head[at], head[at + 1], head[at + 2], head[at + 3]]
}

fn eight(head: &[u8; HEAD], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| head[at + i]))
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(length: u32) -> ChunkHead {
        ChunkHead {
            kind: ChunkKind::Events,
            compressed: false,
            vcpu: 3,
            sequence: 7,
            first_clock: 100,
            last_clock: 200,
            count: 5,
            stored: length,
            unpacked: length,
        }
    }

    #[test]
    fn a_chunk_survives_the_way_to_bytes_and_back() {
        let mut bytes = head(4).seal(b"abcd").to_vec();
        bytes.extend(b"abcdrest");
        assert_eq!(ChunkHead::open(&bytes), Ok((head(4), &b"abcd"[..])));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut bytes = head(4).seal(b"abcd").to_vec();
        bytes.extend(b"abcd");
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(ChunkHead::open(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_cut_chunk_says_how_much_is_missing() {
        let mut bytes = head(4).seal(b"abcd").to_vec();
        bytes.extend(b"ab");
        let error = ChunkHead::open(&bytes).unwrap_err();
        assert_eq!(error, ChunkError::Cut { needed: HEAD + 4, available: HEAD + 2 });
    }

    #[test]
    fn an_absurd_length_is_refused_before_anything_is_read() {
        let bytes = head(u32::MAX).seal(b"");
        assert!(matches!(ChunkHead::open(&bytes), Err(ChunkError::Length { .. })));
    }
}
