//! What a question needs of a trace, and which chunks that is.

use super::Trace;
use iotrace_format::event::KindId;
use iotrace_format::trace::chunk::{ChunkKind, RawChunk};
use iotrace_format::trace::columns::Columns;
use iotrace_format::trace::index::{IndexEntry, TraceIndex};
use iotrace_format::trace::walk::WalkStep;
use rustc_hash::FxHashSet;
use std::ops::RangeInclusive;

/// What a question needs. Events beyond it may be given as well, but none of it is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Columns of the events.
    pub columns: Columns,
    /// Events between these clocks.
    pub clocks: RangeInclusive<u64>,
    /// Events of these numbers, counted from 1 over the whole trace.
    pub numbers: RangeInclusive<u64>,
    /// Nothing but landmarks.
    pub landmarks: bool,
    /// Nothing but the kinds that [`super::Visitor::kinds`] names.
    pub by_kind: bool,
}

impl Needs {
    /// Everything.
    pub const ALL: Self = Self {
        columns: Columns::ALL,
        clocks: 0..=u64::MAX,
        numbers: 0..=u64::MAX,
        landmarks: false,
        by_kind: false,
    };
    /// All definitions, and no events.
    #[allow(clippy::reversed_empty_ranges)]
    pub const DEFINITIONS: Self = Self { numbers: 1..=0, ..Self::ALL };
    /// The words of all landmarks.
    pub const LANDMARKS: Self =
        Self { columns: Columns { common: false, words: true }, landmarks: true, ..Self::ALL };

    /// All events are needed.
    pub(super) fn everything(&self) -> bool {
        !self.landmarks
            && !self.by_kind
            && self.clocks == Self::ALL.clocks
            && self.numbers == Self::ALL.numbers
    }

    /// Whether a block has, or may have, some of it.
    fn wants(&self, block: &IndexEntry, numbered: bool) -> bool {
        let touch =
            |range: &RangeInclusive<u64>, first, last| first <= *range.end() && last >= *range.start();
        let last = block.number.saturating_add(block.count.into());
        touch(&self.clocks, block.first_clock, block.last_clock)
            && (!numbered || touch(&self.numbers, block.number.saturating_add(1), last))
    }
}

/// Which chunks are read, found in the index.
pub(super) struct ReadPlan<'a> {
    pub(super) trace: &'a Trace,
    pub(super) index: TraceIndex<'a>,
    /// Numbers of events are those in the heads: there is one vCPU.
    pub(super) numbered: bool,
}

impl<'a> ReadPlan<'a> {
    /// All definitions, and the landmarks.
    pub(super) fn landmarks(&self) -> impl Iterator<Item = WalkStep<'a>> {
        let trace = self.trace;
        merge(self.index.definitions(), self.index.landmarks()).map(move |entry| step(trace, &entry))
    }

    /// All definitions.
    pub(super) fn definitions(&self) -> impl Iterator<Item = WalkStep<'a>> {
        let trace = self.trace;
        self.index.definitions().map(move |entry| step(trace, &entry))
    }

    /// The first block that is needed.
    pub(super) fn first(&self, needs: &Needs) -> Option<IndexEntry> {
        self.index.events().find(|block| needs.wants(block, self.numbered))
    }

    /// Events in the blocks that lie before a block, and before a clock.
    pub(super) fn events_before(&self, block: &IndexEntry, clock: u64) -> u64 {
        if self.numbered {
            return block.number;
        }
        let before = self.index.events().filter(|block| block.last_clock < clock);
        before.map(|block| u64::from(block.count)).sum()
    }

    /// The definitions before a block, and the landmarks up to a clock, if there are any.
    pub(super) fn before(
        &self,
        block: &IndexEntry,
        until: Option<u64>,
    ) -> impl Iterator<Item = WalkStep<'a>> {
        let (trace, offset) = (self.trace, block.offset);
        let definitions = self.index.definitions().take_while(move |entry| entry.offset < offset);
        let landmarks = self.index.landmarks().filter(move |entry| Some(entry.first_clock) <= until);
        merge(definitions, landmarks).map(move |entry| step(trace, &entry))
    }

    /// The blocks that are needed from this one on, and the definitions among them.
    pub(super) fn from<'n>(
        &self,
        first: &IndexEntry,
        needs: &'n Needs,
        kinds: Option<&'n FxHashSet<KindId>>,
    ) -> impl Iterator<Item = WalkStep<'a>> + use<'a, 'n> {
        let (trace, offset, numbered) = (self.trace, first.offset, self.numbered);
        let is_needed = move |step: &WalkStep<'_>| match (step, kinds) {
            (WalkStep::Chunk(_, chunk), Some(kinds)) if numbered && chunk.head.kind == ChunkKind::Events => {
                chunk.kinds().any(|(kind, _)| kinds.contains(&kind))
            }
            _ => true,
        };
        let behind = self.index.events().skip_while(move |block| block.offset < offset);
        let blocks = behind.filter(move |block| needs.wants(block, numbered));
        let definitions = self.index.definitions().skip_while(move |entry| entry.offset < offset);
        merge(definitions, blocks).map(move |entry| step(trace, &entry)).filter(is_needed)
    }
}

/// Two runs of entries as one, in the order of the file.
fn merge(
    a: impl Iterator<Item = IndexEntry>,
    b: impl Iterator<Item = IndexEntry>,
) -> impl Iterator<Item = IndexEntry> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if first.offset > second.offset => b.next(),
        (Some(_), _) => a.next(),
        _ => b.next(),
    })
}

/// The chunk of an entry of the index.
fn step<'a>(trace: &'a Trace, entry: &IndexEntry) -> WalkStep<'a> {
    let offset = usize::try_from(entry.offset).unwrap_or(usize::MAX);
    let rest = trace.bytes().get(offset..).unwrap_or_default();
    match RawChunk::open(rest) {
        Ok(chunk) => WalkStep::Chunk(offset, chunk),
        Err(reason) => WalkStep::Bad { offset, bytes: entry.length as usize, reason },
    }
}

/// Whether a chunk is decoded by who reads from the beginning: landmarks are in the blocks too.
pub(super) fn is_read_in_order(chunk: &RawChunk<'_>) -> bool {
    !matches!(chunk.head.kind, ChunkKind::Landmarks | ChunkKind::Index)
}
