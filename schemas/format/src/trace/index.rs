//! The index at a trace's end: totals, then an entry of fixed size for each chunk.
//!
//! In: the heads of chunks as they are written. Out: bytes, which a reader uses where they are mapped. It says
//! nothing that the heads do not say, and can be made again from them.

use super::chunk::{ChunkHead, ChunkKind, RawChunk, u32_at, u64_at};
use crate::event::KindId;
use std::collections::BTreeMap;

/// Bytes before the counts of kinds.
const TOTALS: usize = 72;
/// Bytes of the count of a kind.
const KIND: usize = 16;
/// Bytes of an entry.
pub const ENTRY: usize = 56;
/// Bytes of the end chunk's payload: where the index is, and how many events there are.
pub const END: usize = 16;

/// What a whole trace has. Bytes unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceTotals {
    /// Events.
    pub events: u64,
    /// Clock of the first event.
    pub first_clock: u64,
    /// Clock of the last event.
    pub last_clock: u64,
    /// Event blocks as stored, with their heads.
    pub stored: u64,
    /// Event blocks unpacked.
    pub unpacked: u64,
    /// Chunks of definitions.
    pub definition_chunks: u64,
    /// Chunks of landmarks.
    pub landmark_chunks: u64,
    /// Chunks of events.
    pub event_chunks: u64,
}

/// A chunk, as the index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Number of the chunk in the file.
    pub sequence: u64,
    /// Clock of the first event.
    pub first_clock: u64,
    /// Clock of the last event.
    pub last_clock: u64,
    /// Events in the file's blocks before it.
    pub number: u64,
    /// Events or definitions in it.
    pub count: u32,
    /// Bytes of the whole chunk.
    pub length: u32,
    /// Bytes of the payload unpacked.
    pub unpacked: u32,
    /// What it holds.
    pub kind: ChunkKind,
    /// vCPU of the events.
    pub vcpu: u16,
}

impl IndexEntry {
    /// The entry of a chunk at an offset.
    #[must_use]
    pub fn of(offset: u64, head: &ChunkHead) -> Self {
        Self {
            offset,
            sequence: head.sequence,
            first_clock: head.first_clock,
            last_clock: head.last_clock,
            number: head.number,
            count: head.count,
            length: head.length() as u32,
            unpacked: head.unpacked,
            kind: head.kind,
            vcpu: head.vcpu,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        for value in [self.offset, self.sequence, self.first_clock, self.last_clock, self.number] {
            out.extend(value.to_le_bytes());
        }
        for value in [self.count, self.length, self.unpacked] {
            out.extend(value.to_le_bytes());
        }
        out.extend([self.kind.code(), 0]);
        out.extend(self.vcpu.to_le_bytes());
    }

    fn parse(bytes: &[u8; ENTRY]) -> Self {
        let [offset, sequence, first_clock, last_clock, number] =
            [0, 8, 16, 24, 32].map(|at| u64_at(bytes, at));
        let [count, length, unpacked] = [40, 44, 48].map(|at| u32_at(bytes, at));
        let (kind, vcpu) = (ChunkKind::from_code(bytes[52]), u16::from_le_bytes([bytes[54], bytes[55]]));
        Self { offset, sequence, first_clock, last_clock, number, count, length, unpacked, kind, vcpu }
    }
}

/// Collects what the index says.
#[derive(Debug, Default, Clone)]
pub struct IndexBuilder {
    totals: TraceTotals,
    kinds: BTreeMap<KindId, u64>,
    definitions: Vec<u8>,
    landmarks: Vec<u8>,
    events: Vec<u8>,
}

impl IndexBuilder {
    /// Takes in a chunk, and the counts of its kinds.
    pub fn add(&mut self, offset: u64, head: &ChunkHead, kinds: impl IntoIterator<Item = (KindId, u32)>) {
        let entry = IndexEntry::of(offset, head);
        match head.kind {
            ChunkKind::Definitions => {
                self.totals.definition_chunks += 1;
                entry.put(&mut self.definitions);
            }
            ChunkKind::Landmarks => {
                self.totals.landmark_chunks += 1;
                entry.put(&mut self.landmarks);
            }
            ChunkKind::Events => {
                entry.put(&mut self.events);
                self.block(head, kinds);
            }
            ChunkKind::Index | ChunkKind::End | ChunkKind::Unknown(_) => {}
        }
    }

    fn block(&mut self, head: &ChunkHead, kinds: impl IntoIterator<Item = (KindId, u32)>) {
        let totals = &mut self.totals;
        let earlier = totals.event_chunks == 0 || head.first_clock < totals.first_clock;
        totals.first_clock = if earlier { head.first_clock } else { totals.first_clock };
        totals.last_clock = totals.last_clock.max(head.last_clock);
        totals.event_chunks += 1;
        totals.events += u64::from(head.count);
        totals.stored += head.length() as u64;
        totals.unpacked += u64::from(head.unpacked);
        for (kind, count) in kinds {
            *self.kinds.entry(kind).or_default() += u64::from(count);
        }
    }

    /// What was taken in so far.
    #[must_use]
    pub fn totals(&self) -> TraceTotals {
        self.totals
    }

    /// Events of each kind that were taken in, by kind.
    #[must_use]
    pub fn kinds(&self) -> Vec<(KindId, u64)> {
        self.kinds.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    /// The payload of the index.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let t = &self.totals;
        let chunks = [t.definition_chunks, t.landmark_chunks, t.event_chunks];
        let numbers = [t.events, t.first_clock, t.last_clock, t.stored, t.unpacked].into_iter().chain(chunks);
        let mut out: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        out.extend((self.kinds.len() as u32).to_le_bytes());
        out.extend((ENTRY as u32).to_le_bytes());
        for (kind, count) in &self.kinds {
            out.extend(u64::from(*kind).to_le_bytes());
            out.extend(count.to_le_bytes());
        }
        for entries in [&self.definitions, &self.landmarks, &self.events] {
            out.extend(entries);
        }
        out
    }
}

/// The index of a mapped trace, where it lies.
#[derive(Debug, Clone, Copy)]
pub struct TraceIndex<'a> {
    totals: TraceTotals,
    /// Offset of the index's chunk.
    offset: u64,
    kinds: &'a [u8],
    entries: &'a [u8],
    entry: usize,
}

impl<'a> TraceIndex<'a> {
    /// The index of a whole trace, found from the end of its bytes; none if it is not there or not sound.
    #[must_use]
    pub fn find(file: &'a [u8]) -> Option<Self> {
        let end = file.len().checked_sub(super::chunk::HEAD + END)?;
        let chunk = RawChunk::open(&file[end..]).ok().filter(|c| c.head.kind == ChunkKind::End)?;
        chunk.check().ok()?;
        let offset = u64_at(chunk.payload, 0);
        let chunk = RawChunk::open(file.get(usize::try_from(offset).ok()?..)?).ok()?;
        if chunk.head.kind != ChunkKind::Index || chunk.check().is_err() {
            return None;
        }
        Self::parse(offset, chunk.payload)
    }

    /// The payload of the index whose chunk is at an offset; none if it is malformed.
    #[must_use]
    pub fn parse(offset: u64, bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<TOTALS>()?;
        let [
            events,
            first_clock,
            last_clock,
            stored,
            unpacked,
            definition_chunks,
            landmark_chunks,
            event_chunks,
        ] = std::array::from_fn(|at| u64_at(head, at * 8));
        let totals = TraceTotals {
            events,
            first_clock,
            last_clock,
            stored,
            unpacked,
            definition_chunks,
            landmark_chunks,
            event_chunks,
        };
        let (kinds, entries) = rest.split_at_checked((u32_at(head, 64) as usize).checked_mul(KIND)?)?;
        let entry = u32_at(head, 68) as usize;
        let chunks = definition_chunks.checked_add(landmark_chunks)?.checked_add(event_chunks)?;
        let length = usize::try_from(chunks).ok()?.checked_mul(entry)?;
        let index = Self { totals, offset, kinds, entries, entry };
        (entry >= ENTRY && entries.len() == length && index.ascends()).then_some(index)
    }

    /// Whether the chunks are listed in the order of the file, each once.
    fn ascends(self) -> bool {
        fn ascend(entries: impl Iterator<Item = IndexEntry>) -> bool {
            entries.map(|entry| entry.offset).is_sorted_by(|a, b| a < b)
        }
        ascend(self.definitions()) && ascend(self.landmarks()) && ascend(self.events())
    }

    /// What the whole trace has.
    #[must_use]
    pub fn totals(&self) -> TraceTotals {
        self.totals
    }

    /// Offset of the index's own chunk.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Events of each kind, by kind.
    pub fn kinds(self) -> impl Iterator<Item = (KindId, u64)> {
        self.kinds.as_chunks::<KIND>().0.iter().map(|row| (u64_at(row, 0) as KindId, u64_at(row, 8)))
    }

    /// The chunks of definitions.
    pub fn definitions(self) -> impl Iterator<Item = IndexEntry> {
        self.range(0, self.totals.definition_chunks)
    }

    /// The chunks of landmarks.
    pub fn landmarks(self) -> impl Iterator<Item = IndexEntry> {
        self.range(self.totals.definition_chunks, self.totals.landmark_chunks)
    }

    /// The chunks of events.
    pub fn events(self) -> impl Iterator<Item = IndexEntry> {
        self.range(self.totals.definition_chunks + self.totals.landmark_chunks, self.totals.event_chunks)
    }

    fn range(self, from: u64, count: u64) -> impl Iterator<Item = IndexEntry> {
        let entries = self.entries.chunks_exact(self.entry).skip(from as usize).take(count as usize);
        entries.filter_map(|bytes| bytes.first_chunk()).map(IndexEntry::parse)
    }
}

/// The payload of the end chunk.
#[must_use]
pub fn end(index: u64, events: u64) -> [u8; END] {
    let mut bytes = [0; END];
    bytes[..8].copy_from_slice(&index.to_le_bytes());
    bytes[8..].copy_from_slice(&events.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_listed_once_and_in_its_place() {
        let parsed = |offsets: &[u64]| {
            let mut index = IndexBuilder::default();
            for offset in offsets {
                let kind = ChunkKind::Definitions;
                let head = ChunkHead {
                    kind,
                    flags: 0,
                    vcpu: 0,
                    sequence: 0,
                    first_clock: 0,
                    last_clock: 0,
                    number: 0,
                    count: 0,
                    table: 0,
                    stored: 0,
                    unpacked: 0,
                    checksum: 0,
                };
                index.add(*offset, &head, []);
            }
            TraceIndex::parse(0, &index.bytes()).map(|index| index.definitions().count())
        };
        assert_eq!(parsed(&[16, 88, 160]), Some(3));
        assert_eq!([parsed(&[16, 16]), parsed(&[88, 16])], [None, None]);
    }
}
