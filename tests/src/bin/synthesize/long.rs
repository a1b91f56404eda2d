//! Writes the long trace: copy after copy, with what is to be special about the one in the middle.
//!
//! ```text
//! head  copy copy ...  copy A up to where its fsync waits      this copy stays as it is: its fsync never ends
//!                      copy B up to where its fsync waits  copy copy ...  the rest of B: an fsync of many blocks
//!                      ... copy copy  tail
//! ```

use super::copies::Copies;
use super::ios::WaitingIo;
use super::original::{Original, OriginalIo, Recorded};
use anyhow::{Context as _, Result, ensure};
use iotrace_format::event::MAX_WORDS;
use iotrace_format::trace::writer::{BLOCK, TraceWriter, WriteError};
use std::collections::BTreeMap;
use std::io::Write;

/// What the trace is to be like.
#[derive(Debug, Clone, Copy)]
pub struct LongTraceOptions {
    /// At least so many events.
    pub events: u64,
    /// Another number gives another trace.
    pub seed: u64,
    /// One fsync waits while so many others run that it spans blocks.
    pub long_fsync: bool,
    /// One fsync never ends.
    pub unfinished: bool,
}

/// Numbers of I/Os of the long trace, counted from 1 as the analyzer does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoNumbers {
    /// The first one of the workload that concerns a disk.
    pub first: Option<u64>,
    /// The first one behind the middle.
    pub middle: Option<u64>,
    /// The last one.
    pub last: Option<u64>,
    /// The one that spans blocks.
    pub long: Option<u64>,
    /// The one that never ends.
    pub unfinished: Option<u64>,
}

impl IoNumbers {
    /// Those that there are, by what they are.
    pub fn named(&self) -> BTreeMap<&'static str, u64> {
        let Self { first, middle, last, long, unfinished } = *self;
        let all = [
            ("first", first),
            ("middle", middle),
            ("last", last),
            ("long", long),
            ("unfinished", unfinished),
        ];
        all.into_iter().filter_map(|(name, number)| Some((name, number?))).collect()
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Events.
    pub events: u64,
    /// Copies of the workload, with those that were left in the middle.
    pub copies: u64,
    /// I/Os to ask about.
    pub numbers: IoNumbers,
}

/// A long trace that is being written.
pub struct LongTrace<'o, W: Write> {
    original: &'o Original,
    trace: TraceWriter<W>,
    moves: Copies,
    copies: u64,
    /// Number of the I/O that began last.
    io: u64,
    /// Events behind which the middle begins.
    half: u64,
    numbers: IoNumbers,
    /// The copy at hand is none of the special ones.
    is_plain: bool,
}

impl<'o, W: Write> LongTrace<'o, W> {
    /// Writes all of it.
    ///
    /// # Errors
    /// If it cannot be written, or the workload has nothing that the options select.
    pub fn write(original: &'o Original, options: &LongTraceOptions, out: W) -> Result<(W, Written)> {
        ensure!(!original.section.is_empty(), "nothing happens between the marks");
        let (trace, moves) = (TraceWriter::new(out)?, Copies::new(original, options.seed));
        let numbers = IoNumbers::default();
        let mut long = LongTrace {
            original,
            trace,
            moves,
            copies: 0,
            io: 0,
            half: options.events / 2,
            numbers,
            is_plain: true,
        };
        long.trace.definitions(&original.definitions)?;
        for event in &original.head {
            long.begin(event);
            long.trace.event(&event.event())?;
        }
        let mut special = options.long_fsync || options.unfinished;
        while long.copies == 0 || long.trace.events() + (original.tail.len() as u64) < options.events {
            if special && long.trace.events() >= long.half {
                long.special(options)?;
                special = false;
            }
            long.copy()?;
        }
        if special {
            long.special(options)?;
        }
        long.add(&original.tail)?;
        let written = Written { events: long.trace.events(), copies: long.copies, numbers: long.numbers };
        Ok((long.trace.finish()?, written))
    }

    /// The workload once more.
    fn copy(&mut self) -> Result<(), WriteError> {
        self.moves.next_copy();
        self.copies += 1;
        self.add(&self.original.section)
    }

    /// The fsyncs that the options select.
    fn special(&mut self, options: &LongTraceOptions) -> Result<()> {
        let waiting = self.original.waiting.context("no I/O of the workload waits for the disk")?;
        self.is_plain = false;
        if options.unfinished {
            let (number, _) = self.up_to_pause(waiting)?;
            self.numbers.unfinished = number;
            self.moves.pause();
        }
        if options.long_fsync {
            let (number, rest) = self.up_to_pause(waiting)?;
            self.numbers.long = number;
            let (paused, until) = (self.moves.pause(), self.trace.events() + 2 * BLOCK as u64);
            while self.trace.events() <= until {
                self.copy()?;
            }
            self.moves.resume(paused);
            self.add(rest)?;
        }
        self.is_plain = true;
        Ok(())
    }

    /// The next copy, up to where its I/O waits. Returns the number of that, and the rest of the copy.
    fn up_to_pause(&mut self, waiting: WaitingIo) -> Result<(Option<u64>, &'o [Recorded])> {
        let section = &self.original.section;
        let (before, rest) = section.split_at(section.partition_point(|event| event.number <= waiting.pause));
        let ios = before.iter().filter(|event| event.io.is_some());
        let at = ios.take_while(|event| event.number <= waiting.begins).count() as u64;
        let number = self.io + at;
        self.moves.next_copy();
        self.copies += 1;
        self.add(before)?;
        Ok((Some(number), rest))
    }

    fn add(&mut self, events: &[Recorded]) -> Result<(), WriteError> {
        for event in events {
            self.begin(event);
            let (mut words, length) = ([0; MAX_WORDS], event.words.len());
            self.trace.event(&self.moves.moved(event, &mut words[..length]))?;
        }
        Ok(())
    }

    /// Counts an I/O that begins with an event.
    fn begin(&mut self, event: &Recorded) {
        let Some(io) = event.io else { return };
        self.io += 1;
        if io == OriginalIo::OfDisk {
            self.numbers.first.get_or_insert(self.io);
            if self.is_plain && self.trace.events() >= self.half {
                self.numbers.middle.get_or_insert(self.io);
            }
            self.numbers.last = Some(self.io);
        }
    }
}
