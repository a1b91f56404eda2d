//! The report: counts, the slowest I/Os and anomalies; then the I/Os, the bios, their summary, and totals of the trace.

mod bios;
mod devices;
mod headline;
pub(super) mod ios;
mod outcomes;
mod summary;
mod totals;

use crate::view::text::{self, Style};
use crate::view::wrap::WrapWriter;
use iotrace::analysis::report::Report;
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
    /// Colours and width.
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
    let out: &mut dyn Write = &mut WrapWriter::new(out, options.style);
    headline::write(out, report, options.style)?;
    if !options.summary {
        ios::write(out, report, options)?;
        bios::write(out, report, options)?;
    }
    devices::write(out, report, options.style)?;
    summary::write(out, report, options)?;
    totals::write(out, report, options.style)
}

/// Heading of a table.
fn title(what: &str, count: u64, report: &Report) -> String {
    let scope = if report.all { "whole trace" } else { "workload" };
    let chosen = if report.chosen { ", matching the conditions" } else { "" };
    format!("{what} ({scope}{chosen}): {}", text::grouped(count))
}

fn unit(report: &Report, options: Options) -> TimeUnit {
    if report.time.is_virtual() { options.unit } else { TimeUnit::Instructions }
}
