//! The report for programs.

use super::Options;
use crate::analysis::report::Report;
use crate::analysis::summary::{OpSummary, Spread, summarize};
use crate::analysis::workload;
use crate::view::json;
use serde_json::{Value, json as object};
use std::io::{self, Write};

/// As JSON (`schemas/json/report.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    let limit = if options.summary { 0 } else { options.limit.unwrap_or(usize::MAX) };
    let ios: Vec<_> = report.ios.iter().take(limit).map(|io| json::io(io, &report.time)).collect();
    let bios = report.bios.iter().take(limit);
    let bios: Vec<_> = bios.map(|bio| json::bio(bio, &report.time, &report.definitions)).collect();
    let window = workload(&report.marks).map(|(begin, end)| {
        object!({
            "begin": json::moment(&report.time, begin),
            "end": end.map(|end| json::moment(&report.time, end)),
        })
    });
    let counted: Vec<_> = report.counts.all().map(|(oddity, count)| {
        object!({ "reason": oddity.name(), "text": oddity.text(), "count": count, "loss": oddity.is_loss() })
    }).collect();
    let totals = &report.totals;
    json::write(
        out,
        &object!({
            "trace": json::trace(&report.definitions),
            "workload": window,
            "devices": report.devices,
            "all": report.all,
            "io_count": report.ios.len(),
            "ios": ios,
            "bio_count": report.bios.len(),
            "bios": bios,
            "summary": summarize(&report.bios, &report.time).iter().map(summary_json).collect::<Vec<_>>(),
            "totals": {
                "events": report.events,
                "bios": totals.bios,
                "data_requests": totals.data,
                "flush_requests": totals.flush,
                "passthrough_requests": totals.passthrough,
                "merged_requests": totals.merged,
                "requeues": totals.requeues,
                "interrupts": report.counts.interrupts,
                "doorbells": report.counts.doorbells,
                "idle_doorbells": report.counts.idle_doorbells,
            },
            "not_attributed": counted,
            "warnings": json::warnings(&report.warnings),
            "cut": report.cut,
        }),
    )
}

fn summary_json(op: &OpSummary) -> Value {
    let stages: Vec<_> = op
        .stages
        .iter()
        .map(|stage| {
            object!({
                "stage": json::stage(stage.stage),
                "instructions": spread(&stage.instructions),
                "ns": stage.ns.as_ref().map(spread),
            })
        })
        .collect();
    object!({ "rwbs": op.rwbs, "count": op.count, "split_off": op.split_off, "bytes": op.bytes, "merged": op.merged, "stages": stages })
}

fn spread(s: &Spread) -> Value {
    object!({ "count": s.count, "median": s.median, "p95": s.p95, "p99": s.p99, "max": s.max })
}
