//! Events to columns.

use super::{CLOCK, COMMON, CONTEXT, KIND, MAX_EVENTS, MAX_NUMBER, NUMBER, STACK, TASK};
use crate::event::{Event, KindId};
use crate::trace::varint;

/// A column of differences.
#[derive(Debug, Default, Clone)]
struct Differences {
    bytes: Vec<u8>,
    last: u64,
}

impl Differences {
    fn push(&mut self, value: u64) {
        varint::put(varint::difference(value, self.last), &mut self.bytes);
        self.last = value;
    }
}

/// What was collected of one kind.
#[derive(Debug, Default, Clone)]
struct EventTypeColumns {
    count: u32,
    words: Vec<Differences>,
}

/// Collects events and turns them into a payload.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    kinds: Vec<u8>,
    clocks: Vec<u8>,
    contexts: Differences,
    tasks: Differences,
    stacks: Differences,
    /// Where numbers are left out: events before that since the last place, and how many.
    gaps: Vec<u8>,
    /// Number of the first event, and of the last; 0 without an event.
    numbers: (u64, u64),
    /// Events since the last gap.
    since_gap: u64,
    of_kind: Vec<EventTypeColumns>,
    first_clock: u64,
    last_clock: u64,
    count: usize,
    words: usize,
}

impl BlockBuilder {
    /// Adds an event of this number. Numbers ascend: one that does not is taken as the one after the last.
    pub fn push_numbered(&mut self, number: u64, event: &Event<'_>) {
        let number = number.clamp(1, MAX_NUMBER - MAX_EVENTS as u64);
        let (first, last) = self.numbers;
        let next = last.saturating_add(1);
        if self.count == 0 {
            self.numbers = (number, number);
        } else {
            if number > next {
                varint::put(self.since_gap, &mut self.gaps);
                varint::put(number - next, &mut self.gaps);
                self.since_gap = 0;
            }
            self.numbers = (first, number.max(next));
        }
        self.since_gap += 1;
        self.push(event);
    }

    /// Adds an event. Clocks must not decrease; one that does is taken as equal to the one before. All events of a
    /// kind have equally many words; what one has less is taken as 0.
    pub fn push(&mut self, event: &Event<'_>) {
        let clock = if self.count == 0 { event.clock } else { event.clock.max(self.last_clock) };
        if self.count == 0 {
            (self.first_clock, self.last_clock) = (clock, clock);
        }
        varint::put(clock - self.last_clock, &mut self.clocks);
        self.last_clock = clock;
        self.count += 1;
        self.words += event.words.len();
        self.kinds.extend(event.kind.to_le_bytes());
        self.contexts.push(event.context.into());
        self.tasks.push(event.task);
        self.stacks.push(event.stack);
        self.of_kind(event.kind).push(event.words);
    }

    fn of_kind(&mut self, kind: KindId) -> &mut EventTypeColumns {
        let at = usize::from(kind);
        if self.of_kind.len() <= at {
            self.of_kind.resize_with(at + 1, EventTypeColumns::default);
        }
        &mut self.of_kind[at]
    }

    /// Events collected so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Words collected so far.
    #[must_use]
    pub fn words(&self) -> usize {
        self.words
    }

    /// First and last clock collected.
    #[must_use]
    pub fn clocks(&self) -> (u64, u64) {
        (self.first_clock, self.last_clock)
    }

    /// How many events of each kind were collected, by kind.
    #[must_use]
    pub fn kinds(&self) -> Vec<(KindId, u32)> {
        let counts = self.of_kind.iter().zip(0..=KindId::MAX).map(|(of_kind, kind)| (kind, of_kind.count));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The numbers of the events, if they were pushed with one.
    fn numbers(&self) -> Option<Vec<u8>> {
        let left_out = self.numbers.0.checked_sub(1)?;
        let mut bytes = vec![0];
        varint::put(left_out, &mut bytes);
        bytes.extend(&self.gaps);
        Some(bytes)
    }

    /// The payload; the builder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let numbers = self.numbers();
        let common = [&self.kinds, &self.clocks, &self.contexts.bytes, &self.tasks.bytes, &self.stacks.bytes];
        let common = common.into_iter().chain(&numbers);
        let common = [KIND, CLOCK, CONTEXT, TASK, STACK, NUMBER].into_iter().zip(common);
        let of_kinds = self.of_kind.iter().zip(0..=KindId::MAX).flat_map(|(of_kind, kind)| {
            of_kind.words.iter().zip(0..).map(move |(words, column)| (kind, column, &words.bytes))
        });
        let columns: Vec<(u16, u16, &Vec<u8>)> =
            common.map(|(column, bytes)| (COMMON, column, bytes)).chain(of_kinds).collect();
        let mut out = (columns.len() as u32).to_le_bytes().to_vec();
        for (kind, column, bytes) in &columns {
            out.extend(kind.to_le_bytes());
            out.extend(column.to_le_bytes());
            out.extend((bytes.len() as u32).to_le_bytes());
        }
        columns.iter().for_each(|(_, _, bytes)| out.extend(*bytes));
        self.clear();
        out
    }

    /// Empties it, and keeps its memory.
    fn clear(&mut self) {
        self.kinds.clear();
        self.clocks.clear();
        for column in [&mut self.contexts, &mut self.tasks, &mut self.stacks] {
            column.bytes.clear();
            column.last = 0;
        }
        self.of_kind.clear();
        self.gaps.clear();
        (self.numbers, self.since_gap) = ((0, 0), 0);
        (self.count, self.words) = (0, 0);
    }
}

impl EventTypeColumns {
    fn push(&mut self, words: &[u64]) {
        for at in self.words.len()..words.len() {
            // Those before had no such word.
            let zeros = Differences { bytes: vec![0; self.count as usize], last: 0 };
            self.words.insert(at, zeros);
        }
        self.count += 1;
        for (at, column) in self.words.iter_mut().enumerate() {
            column.push(words.get(at).copied().unwrap_or(0));
        }
    }
}
