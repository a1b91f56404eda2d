//! The document of `report`. Its lists may be long.

use crate::view::json;
use crate::view::json::bio::BioJson;
use crate::view::json::common::{MomentJson, PercentilesJson, TraceJson, WarningJson, warnings};
use crate::view::json::io::IoJson;
use crate::view::json::list::List;
use crate::view::json::values::{DeviceNumber, SchemaVersion};
use iotrace::analysis::describe::error_cause;
use iotrace::analysis::report::{DeviceTotals, Report};
use iotrace::analysis::summary::{OpSummary, StageSpread, SummaryRow};
use iotrace::analysis::workload;
use iotrace::trackers::Oddity;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// I/Os and bios of the workload, their stages, and what could not be attributed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportDocument<'a> {
    schema_version: SchemaVersion,
    /// What was before and after the workload is included, and I/Os that concern no disk.
    all: bool,
    /// How much of the workload is attributed.
    attribution: AttributionJson<'a>,
    /// Bios that are selected, those beyond the limit of rows included.
    bio_count: u64,
    /// The first bios that are selected, by number.
    bios: List<'a, BioJson<'a>>,
    /// Totals by block device, as a tree: the physical ones first, behind each those that lie on it.
    device_totals: List<'a, DeviceTotalsJson<'a>>,
    /// Devices that the guest enabled and whose registers are known, by name.
    devices: &'a [String],
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// I/Os that are selected, those beyond the limit of rows included.
    io_count: u64,
    /// The first I/Os that are selected, by number.
    ios: List<'a, IoJson<'a>>,
    /// What could not be attributed or does not fit, counted over the whole trace.
    not_attributed: List<'a, NotAttributedJson>,
    /// Distributions of all bios that are selected, by operation.
    summary: List<'a, OpSummaryJson<'a>>,
    /// Counts of the whole trace.
    totals: TotalsJson,
    /// The trace.
    trace: TraceJson<'a>,
    /// Warnings about the trace.
    warnings: List<'a, WarningJson<'a>>,
    /// The workload; null without marks.
    workload: Option<WorkloadJson>,
}

/// How much of what happened between the marks of the workload is attributed; without marks, in the whole trace.
#[derive(Debug, Serialize, JsonSchema)]
struct AttributionJson<'a> {
    /// Bios of unknown origin.
    bios_without_origin: u64,
    /// Calls that were entered.
    calls: u64,
    /// Events.
    events: u64,
    /// Returns whose entry is not in the trace.
    orphan_returns: u64,
    /// Bios by the kind of the farthest context that they originate from.
    origins: &'a BTreeMap<&'static str, u64>,
    /// Sum of the calls without a return, the returns without an entry, and the bios of unknown origin.
    unattributed: u64,
    /// Calls whose return is not in the trace, by function.
    unseen_returns: &'a BTreeMap<String, u64>,
}

/// Something that could not be attributed or does not fit.
#[derive(Debug, Serialize, JsonSchema)]
struct NotAttributedJson {
    /// How often.
    count: u64,
    /// An object could not be attributed because of it; otherwise it is for information only.
    loss: bool,
    /// Short name.
    reason: &'static str,
    /// A sentence, which the count precedes.
    text: &'static str,
}

/// Counts of the whole trace.
#[derive(Debug, Serialize, JsonSchema)]
struct TotalsJson {
    /// Bios.
    bios: u64,
    /// Requests of bios.
    data_requests: u64,
    /// Writes to doorbell registers.
    doorbells: u64,
    /// Events read.
    events: u64,
    /// Flush requests of the block layer.
    flush_requests: u64,
    /// Writes to doorbell registers that started no command.
    idle_doorbells: u64,
    /// Interrupts.
    interrupts: u64,
    /// Requests merged into another one.
    merged_requests: u64,
    /// Requests of drivers and users.
    passthrough_requests: u64,
    /// Times that a request was requeued.
    requeues: u64,
}

/// A block device and its bios.
#[derive(Debug, Serialize, JsonSchema)]
struct DeviceTotalsJson<'a> {
    /// Its bios; of those that were split, the whole alone.
    bios: u64,
    /// Bytes of them.
    bytes: u64,
    /// How many devices it lies on, one on the other; 0 for a physical one.
    depth: u64,
    /// Device number, as MAJOR:MINOR.
    device: DeviceNumber,
    /// Whether a driver has requests of it; a stacked device has none.
    has_requests: bool,
    /// The kernel's name of it; null if not known.
    name: Option<&'a str>,
    /// The devices that its bios were passed on to.
    on: Vec<DeviceNumber>,
}

/// The bios of one operation.
#[derive(Debug, Serialize, JsonSchema)]
struct OpSummaryJson<'a> {
    /// Bytes of the bios that were queued.
    bytes: u64,
    /// Bios that were queued, without those split off from them.
    count: u64,
    /// Commands that failed, by what went wrong in words; of several bios in a request once for each.
    errors: BTreeMap<String, u64>,
    /// Bios that ended with an error.
    failed: u64,
    /// Bios that were merged into the request of another bio.
    merged: u64,
    /// Bios whose request was issued more than once.
    retried: u64,
    /// Operation and flags as blktrace prints them.
    rwbs: &'a str,
    /// Bios that came of them on another device, and copies; the distributions include their stages.
    passed_on: u64,
    /// Parts of those that were split; the distributions include their stages.
    split_off: u64,
    /// Time to each stage from the one before, in the order of the stages; then `total`, and its parts `guest` and `device`.
    stages: List<'a, StageTimesJson>,
}

/// Time to a stage from the one before.
#[derive(Debug, Serialize, JsonSchema)]
struct StageTimesJson {
    /// Guest instructions.
    instructions: PercentilesJson,
    /// Virtual nanoseconds; null without icount.
    ns: Option<PercentilesJson>,
    /// Name of the stage; `total` from queueing to the end, `guest` and `device` without and with a command at a device.
    stage: &'static str,
}

/// The workload.
#[derive(Debug, Serialize, JsonSchema)]
struct WorkloadJson {
    /// The first mark of a begin.
    begin: MomentJson,
    /// The last mark of an end; null if there is none.
    end: Option<MomentJson>,
}

/// As JSON (`schemas/json/report.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Report { time, definitions, .. } = report;
    let document = ReportDocument {
        schema_version: SchemaVersion,
        all: report.all,
        attribution: attribution(report),
        bio_count: report.bio_count,
        bios: List::new(report.bios.iter().map(|bio| BioJson::new(bio, time, definitions))),
        device_totals: List::new(report.device_totals.iter().map(device_totals)),
        devices: &report.devices,
        incomplete: report.cut.as_deref(),
        io_count: report.io_count,
        ios: List::new(report.ios.iter().map(|io| IoJson::new(io, time))),
        not_attributed: List::new(report.counts.all().collect::<Vec<_>>().into_iter().map(not_attributed)),
        summary: List::new(report.summary.iter().map(summary)),
        totals: totals(report),
        trace: TraceJson::new(definitions),
        warnings: warnings(&report.warnings),
        workload: window(report),
    };
    json::write(out, &document)
}

fn attribution(report: &Report) -> AttributionJson<'_> {
    let account = &report.attribution;
    AttributionJson {
        bios_without_origin: account.causeless,
        calls: account.calls,
        events: account.events,
        orphan_returns: account.orphans,
        origins: &account.causes,
        unattributed: account.left_over(),
        unseen_returns: &account.unseen,
    }
}

fn not_attributed((oddity, count): (Oddity, u64)) -> NotAttributedJson {
    NotAttributedJson { count, loss: oddity.is_loss(), reason: oddity.name(), text: oddity.text() }
}

fn totals(report: &Report) -> TotalsJson {
    let (totals, counts) = (&report.totals, &report.counts);
    TotalsJson {
        bios: totals.bios,
        data_requests: totals.data,
        doorbells: counts.doorbells,
        events: report.events,
        flush_requests: totals.flush,
        idle_doorbells: counts.idle_doorbells,
        interrupts: counts.interrupts,
        merged_requests: totals.merged,
        passthrough_requests: totals.passthrough,
        requeues: totals.requeues,
    }
}

fn device_totals(device: &DeviceTotals) -> DeviceTotalsJson<'_> {
    DeviceTotalsJson {
        bios: device.bios,
        bytes: device.bytes,
        depth: device.depth as u64,
        device: DeviceNumber(device.dev),
        has_requests: device.has_requests,
        name: device.name.as_deref(),
        on: device.on.iter().copied().map(DeviceNumber).collect(),
    }
}

fn summary(op: &OpSummary) -> OpSummaryJson<'_> {
    let stage = |spread: &StageSpread| StageTimesJson {
        instructions: PercentilesJson::from(&spread.instructions),
        ns: spread.ns.as_ref().map(PercentilesJson::from),
        stage: match spread.row {
            SummaryRow::Stage(stage) => stage.name(),
            SummaryRow::Total => "total",
            SummaryRow::Guest => "guest",
            SummaryRow::Device => "device",
        },
    };
    OpSummaryJson {
        bytes: op.bytes,
        count: op.count,
        errors: op.errors.iter().map(|(cause, count)| (error_cause(*cause), *count)).collect(),
        failed: op.failed,
        merged: op.merged,
        retried: op.retried,
        rwbs: &op.rwbs,
        passed_on: op.passed_on,
        split_off: op.split_off,
        stages: List::new(op.stages.iter().map(stage)),
    }
}

fn window(report: &Report) -> Option<WorkloadJson> {
    let moment = |clock| MomentJson::new(&report.time, clock);
    workload(&report.marks).map(|(begin, end)| WorkloadJson { begin: moment(begin), end: end.map(moment) })
}
