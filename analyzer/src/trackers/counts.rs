//! What should not happen, counted.

use bincode::{Decode, Encode};
use std::collections::BTreeMap;

/// Something that does not fit, or that could not be attributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Oddity {
    /// A bio of the workload was still in flight when the trace ended.
    BioUnfinished,
    /// A bio's address was queued again before its end was seen.
    BioQueuedTwice,
    /// A bio was queued that the kernel had already traced, but we had not seen.
    BioSeenLate,
    /// A bio ended that was never queued.
    BioEndUnknown,
    /// A bio ended without a request, other than an error or an empty one.
    BioWithoutRequest,
    /// A request's address was allocated again before it was given back.
    RequestGotTwice,
    /// A request was met whose allocation was not seen.
    RequestAdopted,
    /// A request was given back, merged or completed that is not known.
    RequestUnknown,
    /// A command was passed on or completed whose request is not known.
    CommandUnknown,
    /// A command was done outside of an interrupt handler.
    CompletionOutsideInterrupt,
    /// A command was done in a handler whose interrupt was not seen.
    InterruptUnknown,
    /// A command was done that no doorbell had passed on.
    CommandWithoutDoorbell,
    /// A command was answered by the driver, without the device.
    AnsweredByDriver,
    /// A flush had nobody waiting for it.
    FlushWithoutRider,
    /// A bio's request was merged into another more often than any request can be.
    MergedTooOften,
    /// A request waited for more flushes than its steps need.
    FlushedTooOften,
    /// A stage was reached before one that comes before it.
    StageOrder,
    /// An I/O was no longer waited for, since too many others came.
    IoGivenUp,
    /// A function's exit was not seen.
    CallWithoutExit,
    /// A function's entry was not seen.
    ExitWithoutCall,
    /// An event of a probe without definition.
    UndefinedProbe,
    /// A probe lacks a word that its stage needs.
    WordMissing,
    /// An event of a probe of which it is not known whether it was in a task, a softirq or an interrupt.
    ContextUnknown,
}

impl Oddity {
    /// Short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BioUnfinished => "bio-unfinished",
            Self::BioQueuedTwice => "bio-queued-twice",
            Self::BioSeenLate => "bio-seen-late",
            Self::BioEndUnknown => "bio-end-unknown",
            Self::BioWithoutRequest => "bio-without-request",
            Self::RequestGotTwice => "request-got-twice",
            Self::RequestAdopted => "request-adopted",
            Self::RequestUnknown => "request-unknown",
            Self::CommandUnknown => "command-unknown",
            Self::CompletionOutsideInterrupt => "completion-outside-interrupt",
            Self::InterruptUnknown => "interrupt-unknown",
            Self::CommandWithoutDoorbell => "command-without-doorbell",
            Self::AnsweredByDriver => "answered-by-driver",
            Self::FlushWithoutRider => "flush-without-rider",
            Self::MergedTooOften => "merged-too-often",
            Self::FlushedTooOften => "flushed-too-often",
            Self::StageOrder => "stage-order",
            Self::IoGivenUp => "io-given-up",
            Self::CallWithoutExit => "call-without-exit",
            Self::ExitWithoutCall => "exit-without-call",
            Self::UndefinedProbe => "undefined-probe",
            Self::WordMissing => "word-missing",
            Self::ContextUnknown => "context-unknown",
        }
    }

    /// One sentence.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::BioUnfinished => "bios of the workload in flight at the end of the trace",
            Self::BioQueuedTwice => "bios queued again before their end",
            Self::BioSeenLate => "bios queued before the trace began",
            Self::BioEndUnknown => "ends of bios that were not queued",
            Self::BioWithoutRequest => "bios with data that ended without an error and without a request",
            Self::RequestGotTwice => "requests allocated again before they were freed",
            Self::RequestAdopted => "requests without an allocation (from the cache of a plug)",
            Self::RequestUnknown => "events of unknown requests",
            Self::CommandUnknown => "events of commands of unknown requests",
            Self::CompletionOutsideInterrupt => "commands completed outside of an interrupt handler",
            Self::InterruptUnknown => "commands completed in a handler without an interrupt",
            Self::CommandWithoutDoorbell => "commands completed without a doorbell",
            Self::AnsweredByDriver => "commands completed by the driver without the device",
            Self::FlushWithoutRider => "flushes without a waiting request",
            Self::MergedTooOften => "merges ignored of bios that were merged more than 128 times",
            Self::FlushedTooOften => "flushes ignored of requests that waited for more than 64",
            Self::StageOrder => "stages out of order",
            Self::IoGivenUp => "I/Os with bytes in the page cache after 65,536 further I/Os",
            Self::CallWithoutExit => "calls without a return (tail calls)",
            Self::ExitWithoutCall => "returns without a call",
            Self::UndefinedProbe => "events of probes without a definition",
            Self::WordMissing => "events without a field that their stage needs",
            Self::ContextUnknown => "events in an unknown context (task, softirq or interrupt)",
        }
    }

    /// Whether an object could not be attributed because of it; otherwise it is only good to know.
    #[must_use]
    pub fn is_loss(self) -> bool {
        !matches!(
            self,
            Self::AnsweredByDriver | Self::RequestAdopted | Self::CallWithoutExit | Self::ExitWithoutCall
        )
    }
}

/// How often each happened, and how much there was of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Counts {
    oddities: BTreeMap<Oddity, u64>,
    /// Interrupts seen.
    pub interrupts: u64,
    /// Writes to doorbell registers.
    pub doorbells: u64,
    /// Those that passed on no command (a driver that goes on with one, say).
    pub idle_doorbells: u64,
}

impl Counts {
    /// Counts `oddity` so many times more.
    pub fn add(&mut self, oddity: Oddity, times: u64) {
        if times > 0 {
            *self.oddities.entry(oddity).or_default() += times;
        }
    }

    /// Counts what another one has counted as well.
    pub fn add_all(&mut self, more: &Self) {
        more.all().for_each(|(oddity, times)| self.add(oddity, times));
        self.interrupts += more.interrupts;
        self.doorbells += more.doorbells;
        self.idle_doorbells += more.idle_doorbells;
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, oddity: Oddity) -> u64 {
        self.oddities.get(&oddity).copied().unwrap_or(0)
    }

    /// All that happened.
    pub fn all(&self) -> impl Iterator<Item = (Oddity, u64)> {
        self.oddities.iter().map(|(oddity, times)| (*oddity, *times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALL: [Oddity; 23] = [
        Oddity::BioUnfinished,
        Oddity::BioQueuedTwice,
        Oddity::BioSeenLate,
        Oddity::BioEndUnknown,
        Oddity::BioWithoutRequest,
        Oddity::RequestGotTwice,
        Oddity::RequestAdopted,
        Oddity::RequestUnknown,
        Oddity::CommandUnknown,
        Oddity::CompletionOutsideInterrupt,
        Oddity::InterruptUnknown,
        Oddity::CommandWithoutDoorbell,
        Oddity::AnsweredByDriver,
        Oddity::FlushWithoutRider,
        Oddity::MergedTooOften,
        Oddity::FlushedTooOften,
        Oddity::StageOrder,
        Oddity::IoGivenUp,
        Oddity::CallWithoutExit,
        Oddity::ExitWithoutCall,
        Oddity::UndefinedProbe,
        Oddity::WordMissing,
        Oddity::ContextUnknown,
    ];

    // `BioQueuedTwice` is bio-queued-twice.
    #[test]
    fn an_oddity_has_its_own_name_and_text() {
        for oddity in ALL {
            let words = format!("{oddity:?}").chars().fold(String::new(), |mut name, c| {
                if c.is_uppercase() && !name.is_empty() {
                    name.push('-');
                }
                name.push(c.to_ascii_lowercase());
                name
            });
            assert_eq!(oddity.name(), words);
            assert!(oddity.text().len() > 15, "{oddity:?}");
        }
        assert_eq!(ALL.map(Oddity::text).iter().collect::<BTreeSet<_>>().len(), ALL.len());
    }

    #[test]
    fn four_oddities_lose_nothing() {
        let harmless: Vec<_> = ALL.into_iter().filter(|oddity| !oddity.is_loss()).collect();
        let expected = [
            Oddity::RequestAdopted,
            Oddity::AnsweredByDriver,
            Oddity::CallWithoutExit,
            Oddity::ExitWithoutCall,
        ];
        assert_eq!(harmless, expected);
    }

    #[test]
    fn counts_add_up() {
        let mut counts = Counts { interrupts: 1, doorbells: 2, idle_doorbells: 3, ..Counts::default() };
        counts.add(Oddity::StageOrder, 2);
        counts.add(Oddity::WordMissing, 0);
        let mut sum = counts.clone();
        sum.add(Oddity::WordMissing, 1);
        sum.add_all(&counts);
        assert_eq!((sum.interrupts, sum.doorbells, sum.idle_doorbells), (2, 4, 6));
        assert_eq!(sum.all().collect::<Vec<_>>(), [(Oddity::StageOrder, 4), (Oddity::WordMissing, 1)]);
        assert_eq!((sum.of(Oddity::StageOrder), counts.of(Oddity::WordMissing)), (4, 0));
    }
}
