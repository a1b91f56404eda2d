//! How much of what happened in the workload is accounted for: calls by their returns, bios by what they go
//! back to.

use crate::model::{Bio, Call, CallEnd, CallId, Cause, Definitions, Ending};
use crate::trackers::{Counts, Oddity};
use iotrace_format::event::KindId;
use std::collections::BTreeMap;

/// What is accounted for between the marks of the workload; without marks, in the whole trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// Events.
    pub events: u64,
    /// Calls that began.
    pub calls: u64,
    /// Calls that nobody saw return, by function: it jumped to one that is not probed, and returned to code
    /// that is not probed either. They were over by the next event on their stack.
    pub unseen: BTreeMap<String, u64>,
    /// Returns whose call was not seen: it had begun before the trace.
    pub orphans: u64,
    /// Bios by the kind of what they go back to in the end.
    pub causes: BTreeMap<&'static str, u64>,
    /// Bios of which nobody knows what they go back to.
    pub causeless: u64,
}

impl Attribution {
    /// Events that are not accounted for.
    #[must_use]
    pub fn left_over(&self) -> u64 {
        self.unseen.values().sum::<u64>() + self.orphans + self.causeless
    }
}

/// Keeps account while a trace is read.
#[derive(Debug, Default)]
pub struct Account {
    attribution: Attribution,
    /// The first and the last call of the workload.
    calls: Option<(CallId, CallId)>,
    unseen: BTreeMap<KindId, u64>,
    /// Returns without a call when the workload began.
    orphans_before: u64,
}

impl Account {
    /// The workload begins: what was before does not count.
    pub fn begin(&mut self, counts: &Counts) {
        *self = Self { orphans_before: counts.of(Oddity::ExitWithoutCall), ..Self::default() };
    }

    /// The workload, or the trace, ends.
    pub fn end(&mut self, counts: &Counts) {
        self.attribution.orphans = counts.of(Oddity::ExitWithoutCall).saturating_sub(self.orphans_before);
    }

    /// An event.
    pub fn event(&mut self) {
        self.attribution.events += 1;
    }

    /// A call begins.
    pub fn entered(&mut self, call: &Call) {
        self.attribution.calls += 1;
        self.calls = Some((self.calls.map_or(call.id, |(first, _)| first), call.id));
    }

    /// A call is over; after the workload's end too, if it began in it.
    pub fn left(&mut self, end: &CallEnd) {
        let ours = self.calls.is_some_and(|(first, last)| (first..=last).contains(&end.id));
        if ours && end.ending == Ending::Unseen {
            *self.unseen.entry(end.kind).or_default() += 1;
        }
    }

    /// A bio of the workload.
    pub fn bio(&mut self, bio: &Bio) {
        match bio.cause.as_ref().and_then(|cause| cause.origins().last()) {
            Some(cause) => *self.attribution.causes.entry(kind(cause)).or_default() += 1,
            None => self.attribution.causeless += 1,
        }
    }

    /// The account, with the functions named.
    #[must_use]
    pub fn settle(self, definitions: &Definitions) -> Attribution {
        let mut attribution = self.attribution;
        for (kind, count) in self.unseen {
            let name =
                definitions.probes.get(&kind).map_or_else(String::new, |probe| probe.title().into_owned());
            *attribution.unseen.entry(name).or_default() += count;
        }
        attribution
    }
}

/// What a cause is in a word.
#[must_use]
pub fn kind(cause: &Cause) -> &'static str {
    match cause {
        Cause::Syscall { .. } => "system call",
        Cause::Fault { .. } => "page fault",
        Cause::Kernel { .. } => "kernel",
        Cause::Work { .. } => "work item",
        Cause::Timer { .. } => "timer",
        Cause::Interrupt { .. } => "interrupt",
        Cause::Softirq => "softirq",
        Cause::Thread { .. } => "thread",
        Cause::Unknown => "unknown",
    }
}
