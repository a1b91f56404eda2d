//! The numbers by which the analyzer knows the I/Os that are worth a question.
//!
//! In: the long trace, and when such I/Os begin. Out: their numbers.

use anyhow::{Context as _, Result};
use iotrace::model::Io;
use iotrace::trackers::Sink;
use iotrace::{Observer, Session};
use std::collections::BTreeMap;

/// Clocks at which I/Os of the long trace begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoClocks {
    /// The middle of the trace: of the first one from here on.
    pub middle: Option<u64>,
    /// Of the one that spans blocks.
    pub long: Option<u64>,
    /// Of the one that never ends.
    pub unfinished: Option<u64>,
}

/// Numbers of I/Os of the workload that concern a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoNumbers {
    /// The first one.
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
    /// Finds them in the trace.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn find(long: &Session, clocks: IoClocks) -> Result<Self> {
        let mut finder = NumberFinder { clocks, numbers: Self::default() };
        long.run(&mut [&mut finder], &mut |_| {}).context("looking for I/Os of the long trace")?;
        Ok(finder.numbers)
    }

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

struct NumberFinder {
    clocks: IoClocks,
    numbers: IoNumbers,
}

impl Sink for NumberFinder {
    fn io(&mut self, io: Io) {
        if !io.in_workload || !io.concerns_a_disk() {
            return;
        }
        let (numbers, clocks) = (&mut self.numbers, self.clocks);
        let least = |number: &mut Option<u64>| *number = Some(number.map_or(io.id, |id| id.min(io.id)));
        least(&mut numbers.first);
        numbers.last = numbers.last.max(Some(io.id));
        if clocks.middle.is_some_and(|clock| io.entered >= clock) {
            least(&mut numbers.middle);
        }
        if clocks.long == Some(io.entered) {
            numbers.long = Some(io.id);
        }
        if clocks.unfinished == Some(io.entered) {
            numbers.unfinished = Some(io.id);
        }
    }
}

impl Observer for NumberFinder {}
