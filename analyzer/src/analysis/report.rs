//! The I/Os and bios of the workload, and what was counted beside them.

use super::attribution::{Account, Attribution};
use super::conditions::{Conditions, NoVirtualTime};
use super::{Progress, Warning, warnings, workload};
use crate::context::TimeKeeper;
use crate::model::{Bio, BioId, Call, CallEnd, Definitions, Io, Request, RequestKind, TimeMap, WorkloadMark};
use crate::reader::{Flow, Visitor, read};
use crate::stitch::{Counts, Sink, Stitcher};
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::{Event, MARK, MARK_BEGIN, MARK_END};
use iotrace_schemas::trace::reader::{ReadError, TraceFile};
use rustc_hash::FxHashMap;

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
    /// Boot and shutdown are in it, and I/Os that concern no disk.
    pub all: bool,
    /// Only what fulfils conditions is in it.
    pub chosen: bool,
    /// Names of the devices that the guest enabled and the catalog knows.
    pub devices: Vec<String>,
    /// Marks of the guest.
    pub marks: Vec<WorkloadMark>,
    /// The I/Os, by number.
    pub ios: Vec<Io>,
    /// The bios, by number.
    pub bios: Vec<Bio>,
    /// Requests and bios of the whole trace.
    pub totals: Totals,
    /// What could not be attributed, of the whole trace.
    pub counts: Counts,
    /// How much of the workload is accounted for.
    pub attribution: Attribution,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
    /// Events read.
    pub events: u64,
    /// The file was cut: where and why.
    pub cut: Option<String>,
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

/// Makes the report of what fulfils conditions in a trace; with `all`, boot and shutdown are in it.
///
/// # Errors
/// [`ReportError`].
pub fn report(
    file: &TraceFile,
    all: bool,
    conditions: &Conditions,
    progress: Progress<'_>,
) -> Result<Report, ReportError> {
    let mut reporter =
        Reporter { collected: Collected { all, ..Collected::default() }, ..Reporter::default() };
    let finished = read(file, &mut reporter, progress)?;
    let Reporter { mut stitcher, mut collected, keeper } = reporter;
    stitcher.finish(&mut collected);
    if !collected.ended {
        collected.account.end(&stitcher.counts());
    }
    let mut warnings = warnings(&finished);
    let all = collected.choose(&mut warnings);
    collected.apply(&conditions.settled(keeper.map(), &collected.marks)?);
    if keeper.largest > 0 {
        let text = format!(
            "the plugin's instruction count was set right {} times, by at most {} instructions",
            keeper.corrections, keeper.largest
        );
        warnings.push(Warning { severity: "info", topic: "drift".into(), text });
    }
    Ok(Report {
        time: keeper.map().clone(),
        all,
        chosen: !conditions.is_empty(),
        devices: stitcher.devices().map(|device| device.name.clone()).collect(),
        marks: collected.marks,
        ios: collected.ios,
        bios: collected.bios,
        totals: collected.totals,
        counts: stitcher.counts(),
        attribution: collected.account.settle(&finished.definitions),
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
        self.keeper.define(definition);
        self.stitcher.define(definition);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.keeper.event(event);
        self.stitcher.event(event, &mut self.collected);
        self.account(event);
        Flow::Continue
    }
}

impl Reporter {
    fn account(&mut self, event: &Event<'_>) {
        let code = event.words.first().filter(|_| event.kind == MARK.id);
        match code.copied() {
            Some(MARK_BEGIN) => {
                self.collected.account.begin(&self.stitcher.counts());
                self.collected.ended = false;
            }
            Some(MARK_END) => {
                self.collected.account.end(&self.stitcher.counts());
                self.collected.ended = true;
            }
            _ if !self.collected.ended => self.collected.account.event(),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Collected {
    account: Account,
    /// The workload is over.
    ended: bool,
    all: bool,
    ios: Vec<Io>,
    bios: Vec<Bio>,
    marks: Vec<WorkloadMark>,
    totals: Totals,
}

impl Collected {
    fn begun(&self) -> bool {
        self.marks.iter().any(|mark| mark.code == MARK_BEGIN)
    }

    /// Keeps what is of the workload; without marks, all. Returns whether all was kept.
    fn choose(&mut self, warnings: &mut Vec<Warning>) -> bool {
        if self.all {
            return true;
        }
        if workload(&self.marks).is_none() {
            let text = "the guest set no marks around a workload: everything is shown".to_owned();
            warnings.push(Warning::new("marks", text));
            return true;
        }
        self.keep_workload();
        false
    }

    fn keep_workload(&mut self) {
        self.bios.retain(|bio| bio.in_workload);
        self.ios.retain(|io| io.in_workload);
    }

    /// Keeps what fulfils the conditions, in order.
    fn apply(&mut self, conditions: &Conditions) {
        self.bios.sort_by_key(|bio| bio.id);
        self.ios.sort_by_key(|io| io.id);
        if conditions.is_empty() {
            return;
        }
        let mut ios_of: FxHashMap<BioId, Vec<&Io>> = FxHashMap::default();
        for io in &self.ios {
            io.all_bios().into_iter().for_each(|bio| ios_of.entry(bio).or_default().push(io));
        }
        let wanted = |bio: &Bio| conditions.bio(bio, ios_of.get(&bio.id).into_iter().flatten().copied());
        let bios = self.bios.iter().filter(|bio| wanted(bio)).cloned().collect();
        let bio = |id: BioId| self.bios.binary_search_by_key(&id, |bio| bio.id).ok().map(|at| &self.bios[at]);
        let wanted = |io: &Io| conditions.io(io, io.all_bios().into_iter().filter_map(bio));
        self.ios = self.ios.iter().filter(|io| wanted(io)).cloned().collect();
        self.bios = bios;
    }
}

impl Sink for Collected {
    fn entered(&mut self, call: &Call, _: &Event<'_>) {
        if !self.ended {
            self.account.entered(call);
        }
    }

    fn left(&mut self, end: &CallEnd) {
        self.account.left(end);
    }

    fn bio(&mut self, bio: Bio) {
        self.totals.bios += 1;
        if bio.in_workload || !self.begun() {
            self.account.bio(&bio);
        }
        // Before the first mark nobody knows whether there will be one.
        if self.all || bio.in_workload || !self.begun() {
            self.bios.push(bio);
        }
    }

    fn io(&mut self, io: Io) {
        if self.all || io.concerns_a_disk() && (io.in_workload || !self.begun()) {
            self.ios.push(io);
        }
    }

    fn request(&mut self, request: &Request) {
        self.totals.add(request);
    }

    fn mark(&mut self, mark: WorkloadMark) {
        self.marks.push(mark);
        if !self.all && mark.code == MARK_BEGIN {
            self.keep_workload();
        }
    }
}
