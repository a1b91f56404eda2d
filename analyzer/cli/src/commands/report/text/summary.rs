//! Distributions by operation and stage.

use super::{Options, bios};
use crate::view::stages;
use crate::view::table::{Align, Table};
use crate::view::text::{self, FEW};
use iotrace::analysis::describe::error_cause;
use iotrace::analysis::report::Report;
use iotrace::analysis::summary::{OpSummary, StageSpread, SummaryRow};
use iotrace::model::{BioStage, ErrorCause, TimeMap};
use std::io::{self, Write};

/// Writes the summary; nothing of no bios.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    let style = options.style;
    if report.summary.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("Summary: from the previous stage to this one"))?;
    let right = ["count", "median", "p95", "p99", "max", "i median", "i p95", "i p99", "i max"];
    let heads = [("op", Align::Left), ("to", Align::Left)];
    let table = Table::new(heads.into_iter().chain(right.map(|head| (head, Align::Right))));
    let mut table = table.dropping(["i p95", "i p99", "i max", "p95", "i median", "p99"]);
    for op in &report.summary {
        let more = |count, what| if count > 0 { format!(", {count} {what}") } else { String::new() };
        let (split, merged) = (more(op.split_off, "parts of split ones"), more(op.merged, "merged"));
        let passed = more(op.passed_on, "passed on or copied");
        let (bios, bytes) = (text::counted(op.count, "bio"), text::bytes(op.bytes));
        let (retried, failed) = (more(op.retried, "retried"), more(op.failed, "failed"));
        writeln!(
            out,
            "  {}: {bios}, {bytes}{split}{passed}{merged}{retried}{failed}{}",
            op.rwbs,
            errors(op)
        )?;
        op.stages.iter().for_each(|stage| table.row(row(op, stage, &report.time)));
    }
    writeln!(out)?;
    table.write(out, style, "  ")?;
    let line = format!(
        "µs of virtual time; i: instructions executed meanwhile, in all contexts; device: part of Q to E in which a device had a command of the bio; guest: the rest; p95, p99: - for fewer than {FEW} values"
    );
    writeln!(out, "  {}", style.faint(line))?;
    let is_used = |stage| {
        let reached = report.summary.iter().flat_map(|op| &op.stages);
        stage == BioStage::Queued || reached.into_iter().any(|spread| spread.row == SummaryRow::Stage(stage))
    };
    let is_above = |stage: BioStage| !options.summary && bios::is_used(report, stage);
    if BioStage::ALL.into_iter().all(|stage| !is_used(stage) || is_above(stage)) {
        return writeln!(out, "  {}", options.style.faint("stages: as in the table of bios"));
    }
    writeln!(out, "  {}", style.faint(stages::legend(is_used)))
}

/// The commands that failed, by what went wrong.
fn errors(op: &OpSummary) -> String {
    let each = |(cause, count): (&ErrorCause, &u64)| format!("; {count}x {}", error_cause(*cause));
    op.errors.iter().map(each).collect()
}

fn row(op: &OpSummary, stage: &StageSpread, time: &TimeMap) -> Vec<String> {
    let name = match stage.row {
        SummaryRow::Stage(stage) => stage.short(),
        SummaryRow::Total => "Q to E",
        SummaryRow::Guest => "guest",
        SummaryRow::Device => "device",
    };
    let mut row = vec![op.rwbs.clone(), name.to_owned(), stage.instructions.count.to_string()];
    match &stage.ns {
        Some(ns) => row.extend(text::percentiles(ns, text::time_cell(time, text::micros))),
        None => row.extend(["-"; 4].map(String::from)),
    }
    row.extend(text::percentiles(&stage.instructions, text::grouped));
    row
}
