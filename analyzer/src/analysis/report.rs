//! The I/Os and bios of the workload, and what was counted beside them.
//!
//! Memory follows the rows that are wanted, not the length of the trace; what fulfils conditions is known at its end,
//! so that with some of them everything is kept that may.

mod collect;
mod devices;
mod slowest;

use super::attribution::Attribution;
use super::conditions::{Conditions, NoVirtualTime};
use super::spread::{DIGITS, DISTINCT};
use super::summary::OpSummary;
use super::{Progress, Warning, warnings};
use crate::context::TimeKeeper;
use crate::model::{Bio, Definitions, Io, IoTime, Join, Request, RequestKind, TimeMap, WorkloadMark};
use crate::reader::Finished;
use crate::session::{Observer, Pass, PassEnd, Session};
use crate::trackers::{Counts, Oddity};
pub(super) use collect::First;
use collect::ReportCollector;
pub use devices::DeviceTotals;
use iotrace_format::event::{Event, MARK, MARK_BEGIN, MARK_END};
use iotrace_format::trace::reader::ReadError;
pub use slowest::SLOWEST;
pub(super) use slowest::SlowestIos;
use std::collections::BTreeSet;

/// What is asked of the report.
#[derive(Debug, Clone)]
pub struct ReportQuery {
    /// Boot and shutdown as well, and I/Os that concern no disk.
    pub all: bool,
    /// Only what fulfils these.
    pub conditions: Conditions,
    /// Show at most so many I/Os, and so many bios.
    pub rows: usize,
    /// Their order.
    pub sort: SortBy,
}

/// The order of I/Os and of bios: by number, or the largest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By number.
    #[default]
    Number,
    /// By the guest's part of the time from begin to end.
    Guest,
    /// By the device's part of it.
    Device,
    /// By virtual time from begin to end; by instructions where there is none.
    Elapsed,
    /// By instructions: of the call, or from queue to end of a bio.
    Instructions,
    /// By bytes.
    Bytes,
}

impl SortBy {
    fn of_io(self, io: &Io, time: &TimeMap) -> u64 {
        self.of(io.time(time).unwrap_or_default(), io.cost, io.count.unwrap_or(0))
    }

    fn of_bio(self, bio: &Bio, time: &TimeMap) -> u64 {
        let instructions = bio.ended().map_or(0, |end| end.saturating_sub(bio.queued()));
        self.of(bio.time(time).unwrap_or_default(), instructions, bio.bytes)
    }

    fn of(self, time: IoTime, instructions: u64, bytes: u64) -> u64 {
        match self {
            Self::Number => 0,
            Self::Guest => time.guest(),
            Self::Device => time.device,
            Self::Elapsed => time.elapsed,
            Self::Instructions => instructions,
            Self::Bytes => bytes,
        }
    }
}

/// Names in a workload, at most [`OccurringNames::MOST`] of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OccurringNames {
    /// Tasks: name and pid.
    pub tasks: BTreeSet<String>,
    /// Files.
    pub files: BTreeSet<String>,
    /// System calls.
    pub syscalls: BTreeSet<String>,
}

impl OccurringNames {
    /// Most names of a kind.
    pub const MOST: usize = 64;

    fn add(&mut self, io: &Io) {
        let add = |names: &mut BTreeSet<String>, name: String| {
            if names.len() < Self::MOST && !name.is_empty() {
                names.insert(name);
            }
        };
        add(&mut self.tasks, format!("{}/{}", io.task.comm, io.task.pid));
        add(&mut self.files, io.file.as_ref().map(|file| file.name.clone()).unwrap_or_default());
        add(&mut self.syscalls, io.syscall.to_string());
    }
}

impl Default for ReportQuery {
    fn default() -> Self {
        Self { all: false, conditions: Conditions::default(), rows: usize::MAX, sort: SortBy::Number }
    }
}

/// Requests of the whole trace by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestTotals {
    /// Requests of bios.
    pub data: u64,
    /// The block layer's own flushes.
    pub flush: u64,
    /// Commands of drivers and users.
    pub passthrough: u64,
    /// Requests merged into another.
    pub merged: u64,
    /// Times a request went back to the queue.
    pub requeues: u64,
    /// Bios of the whole trace.
    pub bios: u64,
}

impl RequestTotals {
    fn add(&mut self, request: &Request) {
        match request.kind {
            RequestKind::Data => self.data += 1,
            RequestKind::Flush => self.flush += 1,
            RequestKind::Passthrough => self.passthrough += 1,
        }
        self.merged += u64::from(request.merged_into.is_some());
        self.requeues += u64::from(request.requeues());
    }
}

/// How the I/Os and bios of the report ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// I/Os that returned an error.
    pub failed_ios: u64,
    /// I/Os that had not returned when the trace ended.
    pub unfinished_ios: u64,
    /// Bios that ended with an error.
    pub failed_bios: u64,
    /// Requests that the bios got, without those that they were merged into.
    pub requests: u64,
    /// Times that these were requeued.
    pub requeues: u64,
}

impl Outcomes {
    pub(super) fn add_io(&mut self, io: &Io) {
        self.failed_ios += u64::from(io.returned.is_some_and(|returned| returned < 0));
        self.unfinished_ios += u64::from(io.left.is_none() && io.is_requested());
    }

    pub(super) fn add_bio(&mut self, bio: &Bio) {
        self.failed_bios += u64::from(bio.status != 0);
        if bio.request.is_some() && matches!(bio.join, Some(Join::Got) | None) {
            self.requests += 1;
            self.requeues += u64::from(bio.requeues);
        }
    }
}

/// What the report shows.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// Boot and shutdown are in it, and I/Os that concern no disk.
    pub all: bool,
    /// Only what fulfils conditions is in it.
    pub chosen: bool,
    /// Names of the devices that the guest enabled and the catalog knows.
    pub devices: Vec<String>,
    /// Marks of the guest.
    pub marks: Vec<WorkloadMark>,
    /// The first I/Os, by number.
    pub ios: Vec<Io>,
    /// How many I/Os there are.
    pub io_count: u64,
    /// The first bios, by number.
    pub bios: Vec<Bio>,
    /// How many bios there are.
    pub bio_count: u64,
    /// The I/Os with the longest guest time, the longest first; at most [`SLOWEST`].
    pub slowest: Vec<Io>,
    /// How all of them ended.
    pub outcomes: Outcomes,
    /// Distributions of all of them, by operation.
    pub summary: Vec<OpSummary>,
    /// Totals by block device.
    pub device_totals: Vec<DeviceTotals>,
    /// Requests and bios of the whole trace.
    pub totals: RequestTotals,
    /// What could not be attributed, of the whole trace.
    pub counts: Counts,
    /// How much of the workload is accounted for.
    pub attribution: Attribution,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// Events read.
    pub events: u64,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
    /// What no sound trace has: chunks that do not fit together, events out of order or without a definition.
    pub inconsistency: Option<String>,
    /// Names in the workload, if there are conditions.
    pub occurring: OccurringNames,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The trace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A condition cannot be answered.
    #[error(transparent)]
    Condition(#[from] NoVirtualTime),
}

/// Makes the report of a trace.
///
/// # Errors
/// [`ReportError`].
pub fn report(
    session: &Session,
    question: &ReportQuery,
    progress: Progress<'_>,
) -> Result<Report, ReportError> {
    let mut collected = ReportCollector::new(question);
    let PassEnd { pass: Pass { trackers, keeper, .. }, finished } =
        session.run(&mut [&mut collected], progress)?;
    if !collected.ended {
        collected.account.end(&trackers.counts());
    }
    let mut warnings = warnings(&finished);
    let all = collected.settle_all(&keeper)?;
    if all && !question.all {
        let text = "no workload marks in the trace: showing the whole trace".to_owned();
        warnings.push(Warning::new("marks", text));
    }
    warnings.extend(drift(&keeper).into_iter().chain(rounded(&collected)));
    Ok(Report {
        all,
        chosen: !question.conditions.is_empty(),
        devices: trackers.devices().map(|device| device.name.clone()).collect(),
        marks: collected.marks,
        io_count: collected.ios.count(),
        ios: collected.ios.into_rows(),
        bio_count: collected.bios.count(),
        bios: collected.bios.into_rows(),
        slowest: collected.slowest.into_ios(),
        outcomes: collected.outcomes,
        summary: collected.summary.into_operations(),
        device_totals: collected.device_totals.into_devices(),
        totals: collected.totals,
        counts: trackers.counts(),
        attribution: collected.account.settle(&finished.definitions),
        warnings,
        events: finished.events,
        cut: finished.lost(),
        inconsistency: inconsistency(&finished, &trackers.counts()),
        occurring: collected.occurring,
        definitions: finished.definitions,
        time: keeper.into_map(),
    })
}

/// What no sound trace has: the first of what verify finds, beside what cannot be decoded. The events of several vCPUs have no order that is exact.
fn inconsistency(finished: &Finished, counts: &Counts) -> Option<String> {
    let out_of_order = if finished.definitions.trace.vcpus > 1 { 0 } else { finished.out_of_order };
    let undefined = counts.of(Oddity::UndefinedProbe);
    if let Some(finding) = finished.findings.list.first() {
        return Some(format!("is inconsistent: {}", finding.text));
    }
    let texts = [(out_of_order, "events out of order"), (undefined, "events without a definition")];
    let texts = texts.iter().filter(|(count, _)| *count > 0).map(|(count, text)| format!("{count} {text}"));
    let texts: Vec<_> = texts.collect();
    (!texts.is_empty()).then(|| format!("is inconsistent: {}", texts.join(", ")))
}

fn drift(keeper: &TimeKeeper) -> Option<Warning> {
    let (times, most) = (keeper.corrections, keeper.largest);
    let text = format!("instruction count resynchronized {times} times (max drift {most})");
    (most > 0).then(|| Warning { severity: "info", topic: "drift".into(), text })
}

fn rounded(collected: &ReportCollector<'_>) -> Option<Warning> {
    let text = format!("percentiles of more than {DISTINCT} distinct values are rounded to {DIGITS} digits");
    collected.summary.is_rounded().then(|| Warning { severity: "info", topic: "percentiles".into(), text })
}

impl Observer for ReportCollector<'_> {
    fn event(&mut self, pass: &Pass, _: &Definitions, event: &Event<'_>) {
        let code = event.words.first().filter(|_| event.kind == MARK.id);
        match code.copied() {
            Some(MARK_BEGIN) => {
                self.account.begin(&pass.trackers.counts());
                self.ended = false;
            }
            Some(MARK_END) => {
                self.account.end(&pass.trackers.counts());
                self.ended = true;
            }
            _ if !self.ended => self.account.event(),
            _ => {}
        }
        self.settle(&pass.keeper);
    }

    fn inserted(&mut self, _: &Pass, _: &Definitions, _: &Event<'_>) {
        if !self.ended {
            self.account.event();
        }
    }
}
