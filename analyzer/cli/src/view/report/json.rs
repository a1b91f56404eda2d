//! The report for programs. Its lists are written element by element: they may be long.

use crate::view::json::{self, Each};
use iotrace::analysis::report::Report;
use iotrace::analysis::spread::PercentileSummary;
use iotrace::analysis::summary::OpSummary;
use iotrace::analysis::workload;
use iotrace::model::{Bio, Io};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json as object};
use std::io::{self, Write};

/// As JSON (`schemas/json/report.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    json::write(out, &Json { report })
}

struct Json<'a> {
    report: &'a Report,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report } = self;
        let ios = Each(&report.ios, |io: &Io| json::io(io, &report.time));
        let bios = Each(&report.bios, |bio: &Bio| json::bio(bio, &report.time, &report.definitions));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("all", &report.all)?;
        map.serialize_entry("attribution", &attribution(report))?;
        map.serialize_entry("bio_count", &report.bio_count)?;
        map.serialize_entry("bios", &bios)?;
        map.serialize_entry("cut", &report.cut)?;
        map.serialize_entry("devices", &report.devices)?;
        map.serialize_entry("io_count", &report.io_count)?;
        map.serialize_entry("ios", &ios)?;
        map.serialize_entry("not_attributed", &not_attributed(report))?;
        map.serialize_entry("summary", &Each(&report.summary, summary))?;
        map.serialize_entry("totals", &totals(report))?;
        map.serialize_entry("trace", &json::trace(&report.definitions))?;
        map.serialize_entry("warnings", &json::warnings(&report.warnings))?;
        map.serialize_entry("workload", &window(report))?;
        map.end()
    }
}

fn window(report: &Report) -> Option<Value> {
    workload(&report.marks).map(|(begin, end)| {
        object!({
            "begin": json::moment(&report.time, begin),
            "end": end.map(|end| json::moment(&report.time, end)),
        })
    })
}

fn attribution(report: &Report) -> Value {
    let account = &report.attribution;
    object!({
        "events": account.events,
        "calls": account.calls,
        "left_over": account.left_over(),
        "unseen_returns": account.unseen,
        "orphan_returns": account.orphans,
        "causes": account.causes,
        "causeless_bios": account.causeless,
    })
}

fn totals(report: &Report) -> Value {
    let (totals, counts) = (&report.totals, &report.counts);
    object!({
        "events": report.events,
        "bios": totals.bios,
        "data_requests": totals.data,
        "flush_requests": totals.flush,
        "passthrough_requests": totals.passthrough,
        "merged_requests": totals.merged,
        "requeues": totals.requeues,
        "interrupts": counts.interrupts,
        "doorbells": counts.doorbells,
        "idle_doorbells": counts.idle_doorbells,
    })
}

fn not_attributed(report: &Report) -> Value {
    let counted = report.counts.all().map(|(oddity, count)| {
        object!({ "reason": oddity.name(), "text": oddity.text(), "count": count, "loss": oddity.is_loss() })
    });
    counted.collect()
}

fn summary(op: &OpSummary) -> Value {
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

fn spread(s: &PercentileSummary) -> Value {
    object!({ "count": s.count, "median": s.median, "p95": s.p95, "p99": s.p99, "max": s.max })
}
