//! The first lines of the report: counts, what was recorded, the slowest I/Os, anomalies.
//!
//! Times are in microseconds of virtual time; in instructions (`i`) where a trace has none.

use super::ios;
use crate::view::io::what;
use crate::view::table::{Align, Table};
use crate::view::text::{self, Style, grouped, plain};
use crate::view::wrap;
use iotrace::analysis::report::{Outcomes, Report};
use iotrace::analysis::workload;
use std::io::{self, Write};

/// Writes all of them.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    writeln!(out, "{}", style.heading(counts(report)))?;
    let recorded = recorded(report);
    if !recorded.is_empty() {
        writeln!(out, "{recorded}")?;
    }
    slowest(out, report, style)?;
    anomalies(out, report, style)
}

fn counts(report: &Report) -> String {
    let scope = if report.all { "Whole trace" } else { "Workload" };
    let chosen = if report.chosen { ", matching the conditions" } else { "" };
    let bytes: u64 = report.summary.iter().map(|op| op.bytes).sum();
    let counts = [(report.io_count, "I/O"), (report.bio_count, "bio"), (report.outcomes.requests, "request")];
    let counts = counts.map(|(count, what)| text::counted(count, what)).join(", ");
    format!("{scope}{chosen}: {counts}, {}{}", text::bytes(bytes), lasted(report))
}

/// How long the workload lasted.
fn lasted(report: &Report) -> String {
    let Some((begin, Some(end))) = workload(&report.marks).filter(|_| !report.all) else {
        return String::new();
    };
    let instructions = grouped(end - begin);
    match report.time.between(begin, end) {
        Some(ns) => {
            let lasted = text::time_cell(&report.time, text::duration)(ns);
            format!(" in {lasted} ({instructions} instructions)")
        }
        None => format!(" in {instructions} instructions (no virtual time: QEMU ran without icount)"),
    }
}

/// Kernel release, controller, file system and workload; what the recording is limited to.
fn recorded(report: &Report) -> String {
    let release = report.definitions.release().map(|release| format!("Linux {}", plain(release)));
    let note = |key: &str| report.definitions.note(key).map(plain);
    let devices = || Some(report.devices.join(", ")).filter(|names| !names.is_empty());
    let parts = [
        release,
        note("controller").or_else(devices),
        note("file system"),
        report.definitions.note("workload").map(text::workload),
        note("recording"),
        note("from").map(|event| format!("from {event}")),
        note("only").map(|what| format!("only {what}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn slowest(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    if report.slowest.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("Slowest I/Os, by guest time"))?;
    let heads = [("I/O", Align::Right), ("call", Align::Left), ("task", Align::Left), ("file", Align::Left)];
    let right = ["bytes", "guest", "device", "elapsed"].map(|head| (head, Align::Right));
    let table = Table::new(heads.into_iter().chain(right));
    let mut table = table.flexible("file").dropping(["task", "bytes"]);
    for io in &report.slowest {
        let [id, call, task, _, file, _, bytes] = what(io);
        table.row([id, call, task, file, bytes].into_iter().chain(ios::times(io, report)));
    }
    table.write(out, style, "  ")?;
    let line = format!("{}; commands path and why show an I/O by its number", ios::TIMES);
    writeln!(out, "  {}", style.faint(line))
}

/// Errors, what is incomplete or could not be attributed, warnings.
fn anomalies(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Anomalies"))?;
    let Outcomes { failed_ios, unfinished_ios, failed_bios, requeues, .. } = report.outcomes;
    let counted = [
        (failed_ios, "I/Os returned an error"),
        (unfinished_ios, "I/Os did not return before the end of the trace"),
        (failed_bios, "bios ended with an error"),
        (requeues, "requeues of requests"),
    ];
    let losses = report.counts.all().filter(|(oddity, _)| oddity.is_loss());
    let counted = counted.into_iter().chain(losses.map(|(oddity, times)| (times, oddity.text())));
    let mut is_empty = true;
    for (count, what) in counted.filter(|(count, _)| *count > 0) {
        is_empty = false;
        wrap::write(out, &format!("  {:>8} ", grouped(count)), &style.alarm(what).to_string(), style)?;
    }
    if let Some(status) = report.definitions.note("workload status") {
        is_empty = false;
        writeln!(out, "  {}", style.alarm(format!("workload exited with status {}", plain(status))))?;
    }
    for warning in report.warnings.iter().filter(|warning| warning.severity != "info") {
        is_empty = false;
        text::write_warning(out, style, warning)?;
    }
    if is_empty { writeln!(out, "  none") } else { Ok(()) }
}
