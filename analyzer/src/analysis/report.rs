//! The bios of the workload, and what was counted beside them.

use super::{Progress, Warning, warnings, workload};
use crate::context::TimeKeeper;
use crate::model::{Bio, Definitions, Request, RequestKind, TimeMap, WorkloadMark};
use crate::reader::{Flow, Visitor, read};
use crate::stitch::{Counts, Sink, Stitcher};
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::{Event, MARK_BEGIN};
use iotrace_schemas::trace::reader::{ReadError, TraceFile};

/// Requests of the whole trace by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
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

impl Totals {
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

/// What the report shows.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// Boot and shutdown are in it.
    pub all: bool,
    /// Names of the devices that the guest enabled and the catalog knows.
    pub devices: Vec<String>,
    /// Marks of the guest.
    pub marks: Vec<WorkloadMark>,
    /// The bios, by number.
    pub bios: Vec<Bio>,
    /// Requests and bios of the whole trace.
    pub totals: Totals,
    /// What could not be attributed.
    pub counts: Counts,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// Events read.
    pub events: u64,
    /// The file was cut: where and why.
    pub cut: Option<String>,
}

/// Makes the report of a trace; with `all`, boot and shutdown are in it.
///
/// # Errors
/// [`ReadError`].
pub fn report(file: &TraceFile, all: bool, progress: Progress<'_>) -> Result<Report, ReadError> {
    let mut reporter =
        Reporter { collected: Collected { all, ..Collected::default() }, ..Reporter::default() };
    let finished = read(file, &mut reporter, progress)?;
    let Reporter { mut stitcher, mut collected, keeper } = reporter;
    stitcher.finish(&mut collected);
    let mut warnings = warnings(&finished);
    let all = collected.choose(&mut warnings);
    if keeper.largest > 0 {
        let text = format!(
            "the plugin's instruction count was set right {} times, by at most {} instructions",
            keeper.corrections, keeper.largest
        );
        warnings.push(Warning { severity: "info", topic: "drift".into(), text });
    }
    collected.bios.sort_by_key(|bio| bio.id);
    Ok(Report {
        time: keeper.map().clone(),
        all,
        devices: stitcher.devices().map(|device| device.name.clone()).collect(),
        marks: collected.marks,
        bios: collected.bios,
        totals: collected.totals,
        counts: stitcher.counts(),
        warnings,
        events: finished.events,
        cut: finished.cut().map(|(offset, _, reason)| format!("at offset {offset}: {reason}")),
        definitions: finished.definitions,
    })
}

#[derive(Default)]
struct Reporter {
    stitcher: Stitcher,
    collected: Collected,
    keeper: TimeKeeper,
}

impl Visitor for Reporter {
    fn define(&mut self, definition: &Definition) {
        if let Definition::Trace(info) = definition {
            self.keeper = TimeKeeper::new(info.icount_shift);
        }
        self.stitcher.define(definition);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.keeper.event(event);
        self.stitcher.event(event, &mut self.collected);
        Flow::Continue
    }
}

#[derive(Default)]
struct Collected {
    all: bool,
    bios: Vec<Bio>,
    marks: Vec<WorkloadMark>,
    totals: Totals,
}

impl Collected {
    fn begun(&self) -> bool {
        self.marks.iter().any(|mark| mark.code == MARK_BEGIN)
    }

    /// Keeps the workload's bios; without marks, all. Returns whether all were kept.
    fn choose(&mut self, warnings: &mut Vec<Warning>) -> bool {
        if self.all {
            return true;
        }
        if workload(&self.marks).is_none() {
            let text = "the guest set no marks around a workload: everything is shown".to_owned();
            warnings.push(Warning::new("marks", text));
            return true;
        }
        self.bios.retain(|bio| bio.in_workload);
        false
    }
}

impl Sink for Collected {
    fn bio(&mut self, bio: Bio) {
        self.totals.bios += 1;
        // Before the first mark nobody knows whether there will be one.
        if self.all || bio.in_workload || !self.begun() {
            self.bios.push(bio);
        }
    }

    fn request(&mut self, request: &Request) {
        self.totals.add(request);
    }

    fn mark(&mut self, mark: WorkloadMark) {
        self.marks.push(mark);
        if !self.all && mark.code == MARK_BEGIN {
            self.bios.retain(|bio| bio.in_workload);
        }
    }
}
