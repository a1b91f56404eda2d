//! Writes the long trace: copy after copy, with what is to be special about the one in the middle.
//!
//! ```text
//! head  copy copy ...  copy A up to where its fsync waits      this copy stays as it is: its fsync never ends
//!                      copy B up to where its fsync waits  copy copy ...  the rest of B: an fsync of many blocks
//!                      ... copy copy  tail
//! ```

use super::copies::Copies;
use super::ios::WaitingIo;
use super::numbers::IoClocks;
use super::original::{Original, Recorded};
use anyhow::{Context as _, Result, ensure};
use iotrace_format::event::MAX_WORDS;
use iotrace_format::trace::writer::{BLOCK, TraceWriter, WriteError};
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

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Events.
    pub events: u64,
    /// Copies of the workload, with those that were left in the middle.
    pub copies: u64,
    /// When I/Os begin that are worth a question.
    pub clocks: IoClocks,
}

/// A long trace that is being written.
pub struct LongTrace<'o, W: Write> {
    original: &'o Original,
    trace: TraceWriter<W>,
    moves: Copies,
    copies: u64,
    /// Events behind which the middle begins.
    half: u64,
    clocks: IoClocks,
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
        let mut long = LongTrace {
            original,
            trace,
            moves,
            copies: 0,
            half: options.events / 2,
            clocks: IoClocks::default(),
            is_plain: true,
        };
        long.trace.definitions(&original.definitions)?;
        for event in &original.head {
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
        let written = Written { events: long.trace.events(), copies: long.copies, clocks: long.clocks };
        Ok((long.trace.finish()?, written))
    }

    /// The workload once more.
    fn copy(&mut self) -> Result<(), WriteError> {
        self.moves.next_copy();
        self.copies += 1;
        self.add(&self.original.section)?;
        Ok(())
    }

    /// The fsyncs that the options select.
    fn special(&mut self, options: &LongTraceOptions) -> Result<()> {
        let waiting = self.original.waiting.context("no I/O of the workload waits for the disk")?;
        self.is_plain = false;
        if options.unfinished {
            let (begun, _) = self.up_to_pause(waiting)?;
            self.clocks.unfinished = begun;
            self.moves.pause();
        }
        if options.long_fsync {
            let (begun, rest) = self.up_to_pause(waiting)?;
            self.clocks.long = begun;
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

    /// The next copy, up to where its I/O waits. Returns the clock at which that begins, and the rest of the copy.
    fn up_to_pause(&mut self, waiting: WaitingIo) -> Result<(Option<u64>, &'o [Recorded])> {
        let section = &self.original.section;
        let until = |number: u64| section.partition_point(move |event| event.number <= number);
        let (begins, pause) = (until(waiting.begins), until(waiting.pause));
        self.moves.next_copy();
        self.copies += 1;
        let begun = self.add(&section[..begins])?;
        self.add(&section[begins..pause])?;
        Ok((begun, &section[pause..]))
    }

    /// Adds events of the copy at hand; returns the clock of the last one.
    fn add(&mut self, events: &[Recorded]) -> Result<Option<u64>, WriteError> {
        let mut last = None;
        for event in events {
            let (mut words, length) = ([0; MAX_WORDS], event.words.len());
            let moved = self.moves.moved(event, &mut words[..length]);
            if self.is_plain && self.trace.events() >= self.half {
                self.clocks.middle.get_or_insert(moved.clock);
            }
            self.trace.event(&moved)?;
            last = Some(moved.clock);
        }
        Ok(last)
    }
}
