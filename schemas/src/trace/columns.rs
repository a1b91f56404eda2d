//! A block of events as columns, and back.
//!
//! In: events in the order of their clocks. Out: a directory of columns, then the columns: kind, clock
//! (as the difference from the event before), context, task and stack pointer of all events, then, for each kind, each
//! of its words. Values of one meaning stand together, which is what makes them compress.

use crate::event::{Event, KindId, MAX_WORDS};
use std::collections::BTreeMap;
use thiserror::Error;

/// Most events that a block may claim to hold.
pub const MAX_EVENTS: usize = 1 << 20;

/// "Kind" of the columns that all events have.
const COMMON: u16 = u16::MAX;
const KIND: u16 = 0;
const CLOCK: u16 = 1;
const CONTEXT: u16 = 2;
const TASK: u16 = 3;
const STACK: u16 = 4;
const DIRECTORY_ENTRY: usize = 8;

/// Why a payload is not a block of events.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ColumnError {
    /// The payload ends too early.
    #[error("the payload ends inside {part}: {needed} bytes needed, {available} left")]
    Truncated {
        /// What was being read.
        part: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// A column has not the length that its events need.
    #[error("column {column} of kind {kind} has {found} bytes, {expected} were expected")]
    Length {
        /// Kind it belongs to, 65535 for the common ones.
        kind: u16,
        /// Number of the column.
        column: u16,
        /// Bytes it has.
        found: usize,
        /// Bytes its events need.
        expected: usize,
    },
    /// A column that cannot be done without is not there.
    #[error("column {column} of kind {kind} is missing")]
    Missing {
        /// Kind it belongs to.
        kind: u16,
        /// Number of the column.
        column: u16,
    },
    /// The head claims more events than a block may hold.
    #[error("{count} events in a block, at most {MAX_EVENTS} are allowed")]
    TooMany {
        /// What the head claims.
        count: usize,
    },
    /// A clock runs over.
    #[error("the clock of event {index} overflows")]
    Clock {
        /// Number of the event in the block.
        index: usize,
    },
}

/// Collects events and turns them into a payload.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    kinds: Vec<u8>,
    clocks: Vec<u8>,
    contexts: Vec<u8>,
    tasks: Vec<u8>,
    stacks: Vec<u8>,
    words: BTreeMap<KindId, Vec<Vec<u8>>>,
    first_clock: u64,
    last_clock: u64,
    count: usize,
}

impl BlockBuilder {
    /// Adds an event. Clocks must not decrease; one that does is taken as equal to the one before.
    pub fn push(&mut self, event: &Event<'_>) {
        let clock = if self.count == 0 { event.clock } else { event.clock.max(self.last_clock) };
        if self.count == 0 {
            (self.first_clock, self.last_clock) = (clock, clock);
        }
        put_varint(clock - self.last_clock, &mut self.clocks);
        self.last_clock = clock;
        self.count += 1;
        self.kinds.extend(event.kind.to_le_bytes());
        self.contexts.extend(event.context.to_le_bytes());
        self.tasks.extend(event.task.to_le_bytes());
        self.stacks.extend(event.stack.to_le_bytes());
        let columns = self.words.entry(event.kind).or_default();
        columns.resize_with(columns.len().max(event.words.len()), Vec::new);
        for (column, word) in columns.iter_mut().zip(event.words) {
            column.extend(word.to_le_bytes());
        }
    }

    /// Events collected so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// First and last clock collected.
    #[must_use]
    pub fn clocks(&self) -> (u64, u64) {
        (self.first_clock, self.last_clock)
    }

    /// The payload; the builder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let block = std::mem::take(self);
        let mut columns = vec![
            (COMMON, KIND, block.kinds),
            (COMMON, CLOCK, block.clocks),
            (COMMON, CONTEXT, block.contexts),
            (COMMON, TASK, block.tasks),
            (COMMON, STACK, block.stacks),
        ];
        for (kind, words) in block.words {
            columns.extend(words.into_iter().zip(0..).map(|(bytes, column)| (kind, column, bytes)));
        }
        let mut out = (columns.len() as u32).to_le_bytes().to_vec();
        for (kind, column, bytes) in &columns {
            out.extend(kind.to_le_bytes());
            out.extend(column.to_le_bytes());
            out.extend((bytes.len() as u32).to_le_bytes());
        }
        columns.iter().for_each(|(_, _, bytes)| out.extend(bytes));
        out
    }
}

#[derive(Debug, Clone, Copy)]
struct Row {
    kind: KindId,
    context: u32,
    clock: u64,
    task: u64,
    stack: u64,
    words: (u32, u32),
}

/// A decoded block.
#[derive(Debug, Default)]
pub struct Block {
    vcpu: u16,
    rows: Vec<Row>,
    words: Vec<u64>,
}

impl Block {
    /// Decodes a payload of `count` events that begin at `first_clock`.
    ///
    /// # Errors
    /// [`ColumnError`]: what is wrong with the payload, in bytes.
    pub fn decode(payload: &[u8], vcpu: u16, count: usize, first_clock: u64) -> Result<Self, ColumnError> {
        if count > MAX_EVENTS {
            return Err(ColumnError::TooMany { count });
        }
        let columns = directory(payload)?;
        let kinds = fixed::<2>(&columns, COMMON, KIND, count)?;
        let contexts = fixed::<4>(&columns, COMMON, CONTEXT, count)?;
        let tasks = fixed::<8>(&columns, COMMON, TASK, count)?;
        let stacks = fixed::<8>(&columns, COMMON, STACK, count)?;
        let mut clocks = column(&columns, COMMON, CLOCK)?;
        let mut words = WordColumns::new(&columns, kinds)?;
        let mut block = Self { vcpu, rows: Vec::with_capacity(count), words: Vec::new() };
        let mut clock = first_clock;
        let rows = kinds.iter().zip(contexts).zip(tasks).zip(stacks);
        for (index, (((kind, context), task), stack)) in rows.enumerate() {
            let delta = take_varint(&mut clocks).ok_or(ColumnError::Clock { index })?;
            clock = clock.checked_add(delta).ok_or(ColumnError::Clock { index })?;
            let kind = u16::from_le_bytes(*kind);
            let begin = block.words.len() as u32;
            words.next(kind, &mut block.words);
            block.rows.push(Row {
                kind,
                context: u32::from_le_bytes(*context),
                clock,
                task: u64::from_le_bytes(*task),
                stack: u64::from_le_bytes(*stack),
                words: (begin, block.words.len() as u32),
            });
        }
        Ok(block)
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No events at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Event `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Event<'_>> {
        let row = self.rows.get(index)?;
        let words = self.words.get(row.words.0 as usize..row.words.1 as usize)?;
        let Row { kind, clock, context, task, stack, .. } = *row;
        Some(Event { kind, vcpu: self.vcpu, clock, context, task, stack, words })
    }

    /// The events in order.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        (0..self.len()).filter_map(|i| self.get(i))
    }
}

type Columns<'a> = BTreeMap<(u16, u16), &'a [u8]>;

/// For each kind, what is left of the columns of its words.
struct WordColumns<'a>(BTreeMap<KindId, Vec<std::slice::Iter<'a, [u8; 8]>>>);

impl<'a> WordColumns<'a> {
    fn new(columns: &Columns<'a>, kinds: &[[u8; 2]]) -> Result<Self, ColumnError> {
        let mut counts = BTreeMap::<KindId, usize>::new();
        for kind in kinds {
            *counts.entry(u16::from_le_bytes(*kind)).or_default() += 1;
        }
        let mut words = BTreeMap::<KindId, Vec<_>>::new();
        for &(kind, number) in columns.keys().filter(|(kind, _)| *kind != COMMON) {
            let of_kind = words.entry(kind).or_default();
            if usize::from(number) != of_kind.len() || of_kind.len() == MAX_WORDS {
                return Err(ColumnError::Missing { kind, column: of_kind.len() as u16 });
            }
            let count = counts.get(&kind).copied().unwrap_or(0);
            of_kind.push(fixed::<8>(columns, kind, number, count)?.iter());
        }
        Ok(Self(words))
    }

    fn next(&mut self, kind: KindId, out: &mut Vec<u64>) {
        let columns = self.0.get_mut(&kind).into_iter().flatten();
        out.extend(columns.filter_map(|c| c.next().map(|word| u64::from_le_bytes(*word))));
    }
}

fn directory(payload: &[u8]) -> Result<Columns<'_>, ColumnError> {
    let truncated = |part, needed, available| ColumnError::Truncated { part, needed, available };
    let (count, rest) =
        payload.split_first_chunk::<4>().ok_or(truncated("the column count", 4, payload.len()))?;
    let length = (u32::from_le_bytes(*count) as usize).saturating_mul(DIRECTORY_ENTRY);
    let (entries, mut data) =
        rest.split_at_checked(length).ok_or(truncated("the directory", length, rest.len()))?;
    let mut columns = Columns::new();
    for entry in entries.chunks_exact(DIRECTORY_ENTRY) {
        let kind = u16::from_le_bytes([entry[0], entry[1]]);
        let number = u16::from_le_bytes([entry[2], entry[3]]);
        let length = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]) as usize;
        let (bytes, after) =
            data.split_at_checked(length).ok_or(truncated("a column", length, data.len()))?;
        columns.insert((kind, number), bytes);
        data = after;
    }
    Ok(columns)
}

fn column<'a>(columns: &Columns<'a>, kind: u16, number: u16) -> Result<&'a [u8], ColumnError> {
    columns.get(&(kind, number)).copied().ok_or(ColumnError::Missing { kind, column: number })
}

fn fixed<'a, const N: usize>(
    columns: &Columns<'a>,
    kind: u16,
    number: u16,
    count: usize,
) -> Result<&'a [[u8; N]], ColumnError> {
    let bytes = column(columns, kind, number)?;
    let (values, rest) = bytes.as_chunks::<N>();
    if values.len() != count || !rest.is_empty() {
        let (found, expected) = (bytes.len(), count * N);
        return Err(ColumnError::Length { kind, column: number, found, expected });
    }
    Ok(values)
}

/// LEB128: seven bits a byte, lowest first, the top bit set on all but the last.
fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event<'a>(kind: u16, clock: u64, words: &'a [u64]) -> Event<'a> {
        Event { kind, vcpu: 1, clock, context: kind.into(), task: clock << 20, stack: clock << 3, words }
    }

    #[test]
    fn events_survive_the_way_to_columns_and_back() {
        let events = [event(64, 5, &[1, 2]), event(2, 5, &[]), event(64, 900, &[3, u64::MAX])];
        let mut builder = BlockBuilder::default();
        events.iter().for_each(|e| builder.push(e));
        assert_eq!((builder.count(), builder.clocks()), (3, (5, 900)));
        let block = Block::decode(&builder.finish(), 1, 3, 5).unwrap();
        assert_eq!(block.events().collect::<Vec<_>>(), events);
    }

    #[test]
    fn a_column_of_the_wrong_length_is_named() {
        let mut builder = BlockBuilder::default();
        builder.push(&event(64, 5, &[1]));
        let error = Block::decode(&builder.finish(), 0, 2, 5).unwrap_err();
        assert_eq!(error, ColumnError::Length { kind: COMMON, column: KIND, found: 2, expected: 4 });
    }

    #[test]
    fn an_absurd_count_allocates_nothing() {
        let error = Block::decode(&[], 0, usize::MAX, 0).unwrap_err();
        assert_eq!(error, ColumnError::TooMany { count: usize::MAX });
    }

    proptest! {
        #[test]
        fn any_events_survive(
            rows in proptest::collection::vec((0_u16..5, 0_u64..1 << 40, any::<[u64; 4]>()), 0..200)
        ) {
            let mut clock = 0;
            let mut builder = BlockBuilder::default();
            let mut expected = Vec::new();
            for (kind, delta, words) in &rows {
                clock += delta;
                expected.push(event(*kind, clock, &words[..usize::from(*kind)]));
            }
            expected.iter().for_each(|e| builder.push(e));
            let first = builder.clocks().0;
            let block = Block::decode(&builder.finish(), 1, rows.len(), first).unwrap();
            prop_assert_eq!(block.events().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn any_bytes_give_an_answer(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0_usize..20
        ) {
            let _ = Block::decode(&bytes, 0, count, 0);
        }
    }
}
