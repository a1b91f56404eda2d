//! Columns to events.

use super::{
    CLOCK, COMMON, CONTEXT, ColumnError, DIRECTORY_ENTRY, KIND, MAX_CLOCK, MAX_EVENTS, MAX_NUMBER, NUMBER,
    STACK, TASK,
};
use crate::event::{Event, KindId, MAX_WORDS};
use crate::trace::chunk::RawChunk;
use crate::trace::varint;
use std::collections::BTreeSet;

/// Which columns are wanted beside kind and clock; what is not has the value 0, and there are no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// Context, task and stack pointer.
    pub common: bool,
    /// The words.
    pub words: bool,
}

impl Columns {
    /// All of them.
    pub const ALL: Self = Self { common: true, words: true };
}

/// The events of one kind in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTypeCount {
    /// The kind.
    pub kind: KindId,
    /// How many events of it.
    pub count: u32,
    /// Words that each of them has.
    pub words: u16,
}

/// A decoded block.
#[derive(Debug, Default)]
pub struct EventBlock {
    vcpu: u16,
    kinds: Vec<KindId>,
    clocks: Vec<u64>,
    contexts: Vec<u32>,
    tasks: Vec<u64>,
    stacks: Vec<u64>,
    /// Number of each event; none if they are those of their places in the file.
    numbers: Vec<u64>,
    of_kind: Vec<EventTypeCount>,
    /// Where the words of each event begin in `words`.
    places: Vec<u32>,
    /// How many words an event has, by its kind; 0 for kinds of which there are no events.
    widths: Vec<u16>,
    /// Kind after kind, event after event.
    words: Vec<u64>,
    /// Columns of all events that this version does not know.
    unknown: u32,
    /// Next place, by kind, while decoding; 0 for kinds of which there are no events.
    next: Vec<u32>,
}

impl EventBlock {
    /// Decodes the payload of a chunk, unpacked, in place of what was in this block.
    ///
    /// # Errors
    /// [`ColumnError`]: what is wrong with the payload. The block is then in no particular state.
    pub fn decode(
        &mut self,
        chunk: &RawChunk<'_>,
        payload: &[u8],
        wanted: Columns,
    ) -> Result<(), ColumnError> {
        let head = &chunk.head;
        let count = head.count as usize;
        self.vcpu = head.vcpu;
        let directory = Directory::read(payload)?;
        self.unknown = directory.unknown();
        self.kinds(&directory, count, payload.len())?;
        self.count(chunk)?;
        self.clocks(&directory, head.first_clock, head.last_clock)?;
        let of_common = if wanted.common { count } else { 0 };
        self.contexts.clear();
        differences(&directory, CONTEXT, of_common, |context| self.contexts.push(context as u32))?;
        self.tasks.clear();
        differences(&directory, TASK, of_common, |task| self.tasks.push(task))?;
        self.stacks.clear();
        differences(&directory, STACK, of_common, |stack| self.stacks.push(stack))?;
        if !wanted.common {
            self.contexts.resize(count, 0);
            self.tasks.resize(count, 0);
            self.stacks.resize(count, 0);
        }
        self.numbers(&directory)?;
        self.words(&directory, wanted.words)
    }

    /// Numbers go on from one event to the next, but for those that are left out: how many events come before the next
    /// gap, and how many numbers it has.
    fn numbers(&mut self, directory: &Directory<'_>) -> Result<(), ColumnError> {
        self.numbers.clear();
        let count = self.kinds.len();
        let Ok(mut gaps) = directory.common(NUMBER) else { return Ok(()) };
        let malformed = ColumnError::Number { count };
        let mut last = 0;
        while !gaps.is_empty() {
            let gap = varint::take(&mut gaps).zip(varint::take(&mut gaps));
            let (events, left_out) = gap.ok_or(malformed.clone())?;
            if events > (count - self.numbers.len()) as u64 {
                return Err(malformed);
            }
            self.number_on(events, &mut last);
            last = last.checked_add(left_out).ok_or(malformed.clone())?;
        }
        self.number_on((count - self.numbers.len()) as u64, &mut last);
        if last <= MAX_NUMBER { Ok(()) } else { Err(malformed) }
    }

    fn number_on(&mut self, events: u64, last: &mut u64) {
        self.numbers.extend((1..=events).map(|at| last.saturating_add(at)));
        *last = last.saturating_add(events);
    }

    fn kinds(&mut self, directory: &Directory<'_>, count: usize, bytes: usize) -> Result<(), ColumnError> {
        let column = directory.common(KIND)?;
        let (values, rest) = column.as_chunks::<2>();
        // Each of the other columns has a byte or more for each event.
        if count > MAX_EVENTS || count > bytes / 5 {
            return Err(ColumnError::TooMany { count, bytes });
        }
        if values.len() != count || !rest.is_empty() {
            return Err(ColumnError::Values { kind: COMMON, column: KIND, expected: count });
        }
        self.kinds.clear();
        self.kinds.extend(values.iter().map(|kind| u16::from_le_bytes(*kind)));
        Ok(())
    }

    /// Counts the events of each kind, and compares with the head.
    fn count(&mut self, chunk: &RawChunk<'_>) -> Result<(), ColumnError> {
        // What is of other kinds stays 0: a block of few events does not take the time of all kinds.
        for of_kind in self.of_kind.drain(..) {
            self.next[usize::from(of_kind.kind)] = 0;
            self.widths[usize::from(of_kind.kind)] = 0;
        }
        let most = self.kinds.iter().max().map_or(0, |kind| usize::from(*kind) + 1);
        self.next.resize(self.next.len().max(most), 0);
        self.widths.resize(self.next.len(), 0);
        self.kinds.iter().for_each(|kind| self.next[usize::from(*kind)] += 1);
        let of_kind = |kind: KindId| EventTypeCount { kind, count: self.next[usize::from(kind)], words: 0 };
        if most <= self.kinds.len() {
            let found = self.next[..most].iter().zip(0..=KindId::MAX).filter(|(count, _)| **count > 0);
            self.of_kind.extend(found.map(|(_, kind)| of_kind(kind)));
        } else {
            let found: BTreeSet<KindId> = self.kinds.iter().copied().collect();
            self.of_kind.extend(found.into_iter().map(of_kind));
        }
        let mut expected = chunk.kinds();
        for &EventTypeCount { kind, count, .. } in &self.of_kind {
            let in_head = expected.next();
            if in_head != Some((kind, count)) {
                let expected = in_head.map_or(0, |(_, count)| count.into());
                return Err(ColumnError::Count { kind, found: count.into(), expected });
            }
        }
        match expected.next() {
            Some((kind, count)) => Err(ColumnError::Count { kind, found: 0, expected: count.into() }),
            None => Ok(()),
        }
    }

    fn clocks(&mut self, directory: &Directory<'_>, first: u64, last: u64) -> Result<(), ColumnError> {
        let mut column = directory.common(CLOCK)?;
        let (mut clock, mut overflow) = (first, false);
        self.clocks.clear();
        for _ in 0..self.kinds.len() {
            let Some(step) = varint::take(&mut column) else { break };
            let (next, over) = clock.overflowing_add(step);
            (clock, overflow) = (next, overflow | over);
            self.clocks.push(clock);
        }
        if self.clocks.len() != self.kinds.len() || !column.is_empty() {
            return Err(ColumnError::Values { kind: COMMON, column: CLOCK, expected: self.kinds.len() });
        }
        let begins = self.clocks.first().is_none_or(|clock| *clock == first);
        if overflow || !begins || clock != last || last > MAX_CLOCK {
            Err(ColumnError::Clock { first, last })
        } else {
            Ok(())
        }
    }

    fn words(&mut self, directory: &Directory<'_>, wanted: bool) -> Result<(), ColumnError> {
        self.words.clear();
        let mut columns = directory.words();
        let mut ahead = columns.next();
        for of_kind in &mut self.of_kind {
            let from = self.words.len();
            self.next[usize::from(of_kind.kind)] = from as u32;
            let mut of_this = [&[][..]; MAX_WORDS];
            let mut width = 0;
            while let Some((kind, column, bytes)) = ahead.filter(|(kind, ..)| *kind == of_kind.kind) {
                if usize::from(column) != width || width == MAX_WORDS {
                    return Err(ColumnError::Missing { kind, column: width as u16 });
                }
                of_this[width] = bytes;
                width += 1;
                ahead = columns.next();
            }
            of_kind.words = width as u16;
            if wanted && width > 0 {
                self.widths[usize::from(of_kind.kind)] = width as u16;
                transpose(*of_kind, &of_this[..width], &mut self.words)?;
            }
        }
        if let Some((kind, column, _)) = ahead {
            return Err(ColumnError::Values { kind, column, expected: 0 });
        }
        self.places.clear();
        self.places.extend(self.kinds.iter().map(|kind| {
            let kind = usize::from(*kind);
            let place = self.next[kind];
            self.next[kind] += u32::from(self.widths[kind]);
            place
        }));
        Ok(())
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// No events at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// vCPU of the events.
    #[must_use]
    pub fn vcpu(&self) -> u16 {
        self.vcpu
    }

    /// Number of an event in the trace, from 1; none if it is that of its place in the file.
    #[must_use]
    #[inline]
    pub fn number(&self, index: usize) -> Option<u64> {
        self.numbers.get(index).copied()
    }

    /// What there is of each kind, by kind.
    #[must_use]
    pub fn of_kind(&self) -> &[EventTypeCount] {
        &self.of_kind
    }

    /// Columns that were skipped because this version does not know them.
    #[must_use]
    pub fn unknown_columns(&self) -> u32 {
        self.unknown
    }

    /// Event `index`, counted from 0.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<Event<'_>> {
        let kind = *self.kinds.get(index)?;
        let place = *self.places.get(index)? as usize;
        let width = usize::from(*self.widths.get(usize::from(kind))?);
        Some(Event {
            kind,
            vcpu: self.vcpu,
            clock: *self.clocks.get(index)?,
            context: *self.contexts.get(index)?,
            task: *self.tasks.get(index)?,
            stack: *self.stacks.get(index)?,
            words: self.words.get(place..place + width)?,
        })
    }

    /// The events in order.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        (0..self.len()).filter_map(|i| self.get(i))
    }
}

/// Appends the words of the events of a kind, event after event.
fn transpose(of_kind: EventTypeCount, columns: &[&[u8]], words: &mut Vec<u64>) -> Result<(), ColumnError> {
    let (count, width, from) = (of_kind.count as usize, columns.len(), words.len());
    for (at, column) in columns.iter().enumerate() {
        // A byte or more for each: what is allocated is at most eight times what is there.
        if column.len() < count {
            let (kind, column) = (of_kind.kind, at as u16);
            return Err(ColumnError::Values { kind, column, expected: count });
        }
    }
    words.resize(from + count * width, 0);
    for (at, column) in columns.iter().enumerate() {
        let (mut rest, mut value) = (*column, 0);
        let mut complete = true;
        for place in words[from + at..].iter_mut().step_by(width) {
            match varint::take(&mut rest) {
                Some(difference) => value = varint::add(value, difference),
                None => complete = false,
            }
            *place = value;
        }
        if !complete || !rest.is_empty() {
            let (kind, column) = (of_kind.kind, at as u16);
            return Err(ColumnError::Values { kind, column, expected: count });
        }
    }
    Ok(())
}

/// Gives each value of a common column; with `count` 0, none.
fn differences(
    directory: &Directory<'_>,
    column: u16,
    count: usize,
    mut give: impl FnMut(u64),
) -> Result<(), ColumnError> {
    let mut rest = directory.common(column)?;
    let mut value = 0;
    for _ in 0..count {
        let difference = varint::take(&mut rest);
        let difference = difference.ok_or(ColumnError::Values { kind: COMMON, column, expected: count })?;
        value = varint::add(value, difference);
        give(value);
    }
    if count > 0 && !rest.is_empty() {
        return Err(ColumnError::Values { kind: COMMON, column, expected: count });
    }
    Ok(())
}

/// The columns of a payload.
struct Directory<'a> {
    entries: &'a [[u8; DIRECTORY_ENTRY]],
    columns: &'a [u8],
}

impl<'a> Directory<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, ColumnError> {
        let truncated = |part, needed, available| ColumnError::Truncated { part, needed, available };
        let (count, rest) =
            payload.split_first_chunk::<4>().ok_or(truncated("the column count", 4, payload.len()))?;
        let length = (u32::from_le_bytes(*count) as usize).saturating_mul(DIRECTORY_ENTRY);
        let (entries, columns) =
            rest.split_at_checked(length).ok_or(truncated("the directory", length, rest.len()))?;
        let directory = Self { entries: entries.as_chunks().0, columns };
        let needed = directory.entries.iter().map(|entry| parse(entry).2).sum();
        if needed == columns.len() {
            Ok(directory)
        } else {
            Err(truncated("the columns", needed, columns.len()))
        }
    }

    /// Kind, number and bytes of each column.
    fn columns(&self) -> impl Iterator<Item = (u16, u16, &'a [u8])> {
        let mut rest = self.columns;
        self.entries.iter().map_while(move |entry| {
            let (kind, column, length) = parse(entry);
            let (bytes, after) = rest.split_at_checked(length)?;
            rest = after;
            Some((kind, column, bytes))
        })
    }

    fn common(&self, number: u16) -> Result<&'a [u8], ColumnError> {
        let found = self.columns().find(|(kind, column, _)| (*kind, *column) == (COMMON, number));
        found.map(|(_, _, bytes)| bytes).ok_or(ColumnError::Missing { kind: COMMON, column: number })
    }

    fn words(&self) -> impl Iterator<Item = (u16, u16, &'a [u8])> {
        self.columns().filter(|(kind, ..)| *kind != COMMON)
    }

    fn unknown(&self) -> u32 {
        self.columns().filter(|(kind, column, _)| *kind == COMMON && *column > NUMBER).count() as u32
    }
}

fn parse(entry: &[u8; DIRECTORY_ENTRY]) -> (u16, u16, usize) {
    let [k0, k1, c0, c1, l0, l1, l2, l3] = *entry;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    (u16::from_le_bytes([k0, k1]), u16::from_le_bytes([c0, c1]), length)
}
