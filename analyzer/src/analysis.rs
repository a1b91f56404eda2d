//! Answers: what a view shows, as data. Knows the model and the reader, no terminal.
//!
//! - [`report`]: the bios of the workload and what was counted beside them.
//! - [`breakdown`]: one trace at a glance.
//! - [`summary`]: distributions per operation and stage.
//! - [`spread`]: order statistics of values that come one after the other.
//! - [`timeline`]: all events of one bio.
//! - [`subject`]: an I/O or a bio, and what belongs to it.
//! - [`path`]: the whole way of one, call by call.
//! - [`diff`]: what another kernel does differently.
//! - [`divergence`]: the first event in which two traces of one recording differ.
//! - [`why`]: what was being waited for, from call to return.
//! - [`whatif`]: what the workload would take on another device.
//! - [`explain`]: who raises the block softirq, who wakes the waiting, who runs the queue.
//! - [`events`]: the raw stream, described and filtered.
//! - [`io_events`]: the events of one I/O.
//! - [`records`]: the records of a trace, one after the other.
//! - [`info`]: what is in the file.
//! - [`verify`]: whether the file is what its writer wrote.
//! - [`witness`]: comparison with the guest's own tracepoints and its function_graph.
//! - [`conditions`]: which I/Os, bios and events are wanted.
//! - [`attribution`]: how much of what happened is accounted for.
//! - [`coverage`]: what the catalog finds in a kernel.
//! - [`machine`]: what of a QEMU machine is traced.

pub mod attribution;
pub mod breakdown;
pub mod conditions;
pub mod coverage;
pub mod describe;
pub mod diff;
pub mod divergence;
pub mod events;
pub mod explain;
pub mod info;
pub mod io_events;
pub mod machine;
pub mod objects;
pub mod path;
pub mod records;
pub mod report;
pub mod spread;
pub mod subject;
pub mod summary;
pub mod timeline;
pub mod verify;
pub mod whatif;
pub mod why;
pub mod witness;

use crate::model::WorkloadMark;
use crate::reader::Finished;
use iotrace_format::definition::Severity;
use iotrace_format::event::{MARK_BEGIN, MARK_END};

pub use crate::session::Progress;

/// What the reader of any view should be warned of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `info`, `warning` or `error`.
    pub severity: &'static str,
    /// What it is about.
    pub topic: String,
    /// One sentence.
    pub text: String,
}

impl Warning {
    fn new(topic: &str, text: String) -> Self {
        Self { severity: "warning", topic: topic.to_owned(), text }
    }
}

/// What is not exact where QEMU does not count instructions.
fn without_icount(vcpus: u32) -> Warning {
    let times = "times (~) are those of QEMU's clock while the guest ran, read every few µs";
    if vcpus > 1 {
        let counts = "instruction counts are per vCPU: order and intervals across vCPUs are approximate";
        return Warning::new("clocks", format!("{counts}; {times}"));
    }
    Warning { severity: "info", topic: "clocks".into(), text: times.into() }
}

/// The warnings that the file itself gives.
#[must_use]
pub fn warnings(finished: &Finished) -> Vec<Warning> {
    let notes = finished.definitions.notes.iter().map(|note| Warning {
        severity: match note.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        topic: note.topic.clone(),
        text: note.text.clone(),
    });
    let mut warnings: Vec<_> = notes.collect();
    if let Some((offset, lost, reason)) = finished.cut() {
        let text = format!("file truncated at offset {offset}, {lost} bytes lost: {reason}");
        warnings.push(Warning::new("cut", text));
    }
    for damage in &finished.damage {
        warnings.push(Warning::new("damage", damage.to_string()));
    }
    let trace = &finished.definitions.trace;
    if trace.icount_shift.is_none() && trace.vcpus > 0 {
        warnings.push(without_icount(trace.vcpus));
    }
    for (count, topic, what) in [
        (finished.unknown_chunks, "unknown-chunks", "chunks of unknown types skipped"),
        (finished.definitions.skipped, "unknown-definitions", "definitions of unknown types skipped"),
        (finished.shortened, "long-definitions", "definitions truncated: longer than those of any kernel"),
        (finished.unknown_columns, "unknown-columns", "unknown columns skipped"),
        (finished.more_damage, "damage", "further unreadable ranges in the file"),
        (finished.out_of_order, "order", "events out of order"),
    ] {
        if count > 0 {
            warnings.push(Warning::new(topic, format!("{count} {what}")));
        }
    }
    warnings
}

/// First begin and last end of the workload, in instructions.
#[must_use]
pub fn workload(marks: &[WorkloadMark]) -> Option<(u64, Option<u64>)> {
    let mut workload = Workload::default();
    marks.iter().for_each(|mark| workload.mark(*mark));
    workload.span()
}

/// The workload, as far as marks have told of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Workload {
    begin: Option<u64>,
    end: Option<u64>,
}

impl Workload {
    /// Takes in a mark.
    pub fn mark(&mut self, mark: WorkloadMark) {
        match mark.code {
            MARK_BEGIN => _ = self.begin.get_or_insert(mark.clock),
            MARK_END => self.end = Some(mark.clock),
            _ => {}
        }
    }

    /// First begin and last end, in instructions; none if it has not begun.
    #[must_use]
    pub fn span(&self) -> Option<(u64, Option<u64>)> {
        self.begin.map(|begin| (begin, self.end))
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begin.is_some()
    }
}
