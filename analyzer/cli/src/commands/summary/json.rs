//! The document of `summary`.

use super::super::why::text::words;
use crate::view::json;
use crate::view::json::common::{WarningJson, warnings};
use crate::view::json::io::IoJson;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::breakdown::{Breakdown, BreakdownBy, BreakdownRow};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// One trace at a glance: the workload, or what matches the conditions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SummaryDocument<'a> {
    schema_version: SchemaVersion,
    /// Bios.
    bios: u64,
    /// Bytes of the bios that were queued.
    bytes: u64,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Guest instructions executed, in all contexts.
    instructions: u64,
    /// I/Os.
    ios: u64,
    /// I/Os by elapsed time, each between two powers of 2.
    latencies: List<'a, LatencyJson>,
    /// Requests that the bios got.
    requests: u64,
    /// I/Os with the most guest time, the slowest first.
    slowest: List<'a, SlowIoJson<'a>>,
    /// Time of all bios between steps, as btt prints it.
    steps: List<'a, StepJson>,
    /// The tables; with --by, one.
    tables: List<'a, TableJson<'a>>,
    /// Warnings about the trace.
    warnings: List<'a, WarningJson<'a>>,
}

/// I/Os that took so long.
#[derive(Debug, Serialize, JsonSchema)]
struct LatencyJson {
    /// I/Os.
    count: u64,
    /// They took at least so long: virtual nanoseconds, or instructions without icount.
    from: u64,
    /// They took less than so long.
    to: u64,
}

/// An I/O, and why it was slow.
#[derive(Debug, Serialize, JsonSchema)]
struct SlowIoJson<'a> {
    /// The I/O.
    io: IoJson<'a>,
    /// What most of its time was spent on; null if it cannot be explained.
    reason: Option<String>,
    /// Time of that: virtual nanoseconds, or instructions without icount; null without a reason.
    reason_time: Option<u64>,
}

/// The time between two steps of bios.
#[derive(Debug, Serialize, JsonSchema)]
struct StepJson {
    /// Bios that went from one to the other.
    count: u64,
    /// Name: Q2G, G2I, Q2M, I2D, M2D, D2C, Q2C.
    step: &'static str,
    /// Sum: virtual nanoseconds, or instructions without icount.
    sum: u64,
}

/// A unit.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum UnitJson {
    /// Guest instructions.
    Instructions,
    /// Virtual nanoseconds.
    Ns,
}

/// A table.
#[derive(Debug, Serialize, JsonSchema)]
struct TableJson<'a> {
    /// What its rows are of.
    by: &'static str,
    /// The rows, by `own`, the largest first.
    rows: List<'a, RowJson<'a>>,
    /// Unit of `own` and `total`.
    unit: UnitJson,
}

/// A row.
#[derive(Debug, Serialize, JsonSchema)]
struct RowJson<'a> {
    /// Calls, I/Os, bios or waits; 0 of what is not counted.
    count: u64,
    /// What it is of.
    name: &'a str,
    /// Its own part: those of a table add up to its whole.
    own: u64,
    /// With what belongs to it: what it called, what interrupted it, device time.
    total: u64,
}

impl<'a> From<&'a BreakdownRow> for RowJson<'a> {
    fn from(BreakdownRow { name, count, own, total }: &'a BreakdownRow) -> Self {
        Self { count: *count, name, own: *own, total: *total }
    }
}

/// Name of a table.
pub fn name(by: BreakdownBy) -> &'static str {
    match by {
        BreakdownBy::Function => "function",
        BreakdownBy::Layer => "layer",
        BreakdownBy::Task => "task",
        BreakdownBy::File => "file",
        BreakdownBy::Device => "device",
        BreakdownBy::Wait => "wait",
        BreakdownBy::Stage => "stage",
    }
}

/// As JSON (`schemas/json/summary.schema.json`), with all tables or one.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, found: &Breakdown, only: Option<BreakdownBy>) -> io::Result<()> {
    let selected = found.tables.iter().filter(move |(by, _)| only.is_none_or(|only| only == *by));
    let document = SummaryDocument {
        schema_version: SchemaVersion,
        bios: found.bios,
        bytes: found.bytes,
        incomplete: found.lost.as_deref(),
        instructions: found.instructions,
        ios: found.ios,
        latencies: List::new(found.latencies.iter().map(|bucket| LatencyJson {
            count: bucket.count,
            from: bucket.from,
            to: bucket.to,
        })),
        requests: found.outcomes.requests,
        slowest: List::new(found.slowest.iter().map(|slow| SlowIoJson {
            io: IoJson::new(&slow.io, &found.time),
            reason: slow.reason.as_ref().map(|(doing, _)| words(doing)),
            reason_time: slow.reason.as_ref().map(|(_, time)| *time),
        })),
        steps: List::new(found.steps.iter().map(|step| StepJson {
            count: step.count,
            step: step.name,
            sum: step.sum,
        })),
        tables: List::new(selected.map(|(by, rows)| TableJson {
            by: name(*by),
            rows: List::new(rows.iter().map(RowJson::from)),
            unit: if by.counts_instructions() || !found.time.is_virtual() {
                UnitJson::Instructions
            } else {
                UnitJson::Ns
            },
        })),
        warnings: warnings(&found.warnings),
    };
    json::write(out, &document)
}
