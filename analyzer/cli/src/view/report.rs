//! The report: what ran, the I/Os, the bios, the summary, what could not be attributed.

mod bios;
pub(super) mod ios;

pub use super::json::write_report as write_json;

use super::text::{self, Align, Style, Table};
use iotrace::analysis::attribution::Attribution;
use iotrace::analysis::report::Report;
use iotrace::analysis::spread::PercentileSummary;
use iotrace::analysis::summary::{OpSummary, StageSpread};
use iotrace::analysis::workload;
use iotrace::model::BioStage;
use std::io::{self, Write};

/// Which time a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellTime {
    /// Since the bio was queued.
    SinceQueued,
    /// Since the stage before.
    Delta,
}

/// In which unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Virtual time.
    Ns,
    /// Guest instructions.
    Instructions,
}

/// How the text is to look.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Colours.
    pub style: Style,
    /// Which times.
    pub times: CellTime,
    /// In which unit.
    pub unit: TimeUnit,
    /// No I/Os and bios, only their summary.
    pub summary: bool,
}

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    what_ran(out, report, options.style)?;
    if !options.summary {
        ios::write(out, report, options)?;
        bios::write(out, report, options)?;
    }
    summary(out, report, options)?;
    totals(out, report, options.style)?;
    not_attributed(out, report, options.style)?;
    text::notes(out, options.style, &report.warnings)
}

/// The heading of a table.
fn title(what: &str, count: u64, report: &Report) -> String {
    let scope = if report.all { "the whole trace" } else { "the workload" };
    let chosen = if report.chosen { " that fulfil the conditions" } else { "" };
    format!("{what} of {scope}{chosen}: {count}")
}

/// What is said below a table that has only the first rows.
pub(super) fn more(out: &mut dyn Write, count: u64, shown: usize) -> io::Result<()> {
    match count - shown as u64 {
        0 => Ok(()),
        more => writeln!(out, "  ({more} more)"),
    }
}

fn unit(report: &Report, options: Options) -> TimeUnit {
    if report.definitions.trace.icount_shift.is_none() { TimeUnit::Instructions } else { options.unit }
}

fn what_ran(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let info = &report.definitions.trace;
    writeln!(out, "{}", style.heading("What ran"))?;
    let mut line = |key: &str, value: &str| match value {
        "" => Ok(()),
        value => writeln!(out, "  {key:<11} {}", text::plain(value)),
    };
    line("kernel", &info.banner)?;
    let clock = info.icount_shift.map_or_else(
        || "no virtual time (QEMU ran without icount)".to_owned(),
        |shift| format!("1 instruction = {} ns", 1_u64 << shift.min(63)),
    );
    line("QEMU", &format!("{}, plugin API {}, {} vCPU, {clock}", info.target, info.plugin_api, info.vcpus))?;
    for (key, value) in &info.notes {
        line(key, value)?;
    }
    let names = |names: Vec<&str>| names.join(", ");
    line("devices", &names(report.devices.iter().map(String::as_str).collect()))?;
    line("modules", &names(report.definitions.modules.iter().map(|m| m.name.as_str()).collect()))?;
    if info.slide != 0 {
        line("KASLR", &format!("slide {:#x}", info.slide))?;
    }
    let Some((begin, end)) = workload(&report.marks) else { return Ok(()) };
    let end = end.map_or("the end of the trace".into(), |end| {
        let virtual_time = report.time.between(begin, end).map(text::duration);
        let lasted = virtual_time.map_or(String::new(), |time| format!(", {time} of virtual time"));
        format!("{}{lasted}", text::grouped(end))
    });
    line("marks", &format!("from instruction {} to {end}", text::grouped(begin)))
}

fn summary(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    writeln!(out, "\n{}", options.style.heading("Summary"))?;
    let right = ["count", "median", "p95", "p99", "max", "median", "p95", "p99", "max"];
    let heads = [("op", Align::Left), ("to", Align::Left)];
    let mut table = Table::new(heads.into_iter().chain(right.map(|head| (head, Align::Right))));
    for op in &report.summary {
        let more = |count, what| if count > 0 { format!(", {count} {what}") } else { String::new() };
        let (split, merged) = (more(op.split_off, "split off"), more(op.merged, "merged"));
        writeln!(out, "  {}: {} bios, {}{split}{merged}", op.rwbs, op.count, text::bytes(op.bytes))?;
        op.stages.iter().for_each(|stage| table.row(summary_row(op, stage)));
    }
    writeln!(out)?;
    table.write(out, options.style, "  ")?;
    let line = "  from the stage before to this one: µs of virtual time, then instructions";
    writeln!(out, "{}", options.style.faint(line))
}

fn summary_row(op: &OpSummary, stage: &StageSpread) -> Vec<String> {
    let name = stage.stage.map_or("Q to E", BioStage::short).to_owned();
    let mut row = vec![op.rwbs.clone(), name, stage.instructions.count.to_string()];
    let values = |s: &PercentileSummary| [s.median, s.p95, s.p99, s.max];
    match &stage.ns {
        Some(ns) => row.extend(values(ns).map(text::micros)),
        None => row.extend(["-"; 4].map(String::from)),
    }
    row.extend(values(&stage.instructions).map(text::grouped));
    row
}

fn totals(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let (totals, counts) = (&report.totals, &report.counts);
    writeln!(out, "\n{}", style.heading("In the whole trace"))?;
    writeln!(
        out,
        "  {} events, {} bios; requests: {} data ({} merged into another, {} times requeued), {} flush, {} passthrough",
        text::grouped(report.events),
        totals.bios,
        totals.data,
        totals.merged,
        totals.requeues,
        totals.flush,
        totals.passthrough
    )?;
    writeln!(
        out,
        "  {} interrupts, {} doorbells ({} of them without a new command)",
        counts.interrupts, counts.doorbells, counts.idle_doorbells
    )
}

fn not_attributed(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Not attributed"))?;
    let (losses, rest): (Vec<_>, Vec<_>) = report.counts.all().partition(|(oddity, _)| oddity.is_loss());
    if losses.is_empty() {
        writeln!(out, "  nothing")?;
    }
    for (oddity, times) in losses {
        writeln!(out, "  {times:>8} {}", style.alarm(oddity.text()))?;
    }
    for (oddity, times) in rest {
        writeln!(out, "{}", style.faint(&format!("  {times:>8} {}", oddity.text())))?;
    }
    let Attribution { events, calls, unseen, causes, .. } = &report.attribution;
    let share = report.attribution.left_over() as f64 * 100.0 / (*events).max(1) as f64;
    let where_ = if report.all { "trace" } else { "workload" };
    writeln!(
        out,
        "  of {} events of the {where_}, {} calls among them, {} are not accounted for ({share:.2}%)",
        text::grouped(*events),
        text::grouped(*calls),
        text::grouped(report.attribution.left_over())
    )?;
    for (function, times) in unseen {
        let why = "jumped to a function that is not probed, and returned to one that is not";
        writeln!(out, "{}", style.faint(&format!("  {times:>8} {}(): {why}", text::plain(function))))?;
    }
    let causes: Vec<_> = causes.iter().map(|(kind, count)| format!("{count} to a {kind}")).collect();
    if !causes.is_empty() {
        writeln!(out, "  bios go back to what they were queued for: {}", causes.join(", "))?;
    }
    Ok(())
}
