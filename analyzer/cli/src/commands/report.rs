//! `report`: I/Os and bios of the workload.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::conditions::ConditionArgs;
use super::default_rows;
use super::question::Question;
use super::status::Status;
use crate::view;
use crate::view::text::Style;
use anyhow::Result;
use clap::Args;
use clap::ValueEnum;
use iotrace::analysis::conditions::{Conditions, Range, parse};
use iotrace::analysis::report::{self, ReportQuery, SortBy, report};
use iotrace::{Progress, Session};
use iotrace_format::layer::Layer;
use std::io::{self, Write};
use text::{CellTime, Options, TimeUnit};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze report demo.iot --sort guest --top 10\n  iotrace-analyze report demo.iot --syscall fsync --elapsed 1ms..\n  iotrace-analyze report demo.iot --op write --size 4k..64KiB --summary"
)]
pub struct ReportCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Include boot and shutdown, and I/Os without disk access
    #[arg(long)]
    pub all: bool,
    /// Order of I/Os and of bios: by number, or with the largest first
    #[arg(long, value_enum, default_value_t = SortArg::Number)]
    pub sort: SortArg,
    /// Show the first N I/Os and bios [default: 10000 as text, all as JSON]
    #[arg(long, alias = "limit", value_name = "N")]
    pub top: Option<usize>,
    /// Show the summary only
    #[arg(long)]
    pub summary: bool,
    /// Show times since the previous stage instead of since the bio was queued
    #[arg(long)]
    pub delta: bool,
    /// Show times in guest instructions instead of virtual time
    #[arg(long)]
    pub instructions: bool,
    /// Show what reached this layer (block, scsi, driver)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Option<Layer>,
    /// Virtual time of an I/O from call to return, of a bio from queue to end: 1ms.., ..200us
    #[arg(long, value_name = "A..B", value_parser = parse::time)]
    pub elapsed: Option<Range>,
    /// Which are shown.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

/// Order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortArg {
    /// By number
    Number,
    /// By guest time: elapsed without device
    Guest,
    /// By the time in which a device had a command
    Device,
    /// By virtual time from begin to end
    Elapsed,
    /// By instructions: of the call, or from queue to end of a bio
    Instructions,
    /// By bytes
    Bytes,
}

impl From<SortArg> for SortBy {
    fn from(sort: SortArg) -> Self {
        match sort {
            SortArg::Number => Self::Number,
            SortArg::Guest => Self::Guest,
            SortArg::Device => Self::Device,
            SortArg::Elapsed => Self::Elapsed,
            SortArg::Instructions => Self::Instructions,
            SortArg::Bytes => Self::Bytes,
        }
    }
}

/// The report, and what is wrong with the trace.
pub struct ReportAnswer {
    report: report::Report,
    lost: Option<String>,
    /// Nothing matches the conditions.
    is_empty: bool,
}

impl ReportCommand {
    fn conditions(&self) -> Conditions {
        Conditions { elapsed: self.elapsed.clone(), ..self.conditions.conditions(self.layer) }
    }
}

impl Question for ReportCommand {
    type Answer = ReportAnswer;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let conditions = self.conditions();
        let query = ReportQuery {
            all: self.all,
            rows: if self.summary { 0 } else { self.top.unwrap_or(default_rows(self.common.format)) },
            sort: self.sort.into(),
            conditions: conditions.clone(),
        };
        let report = report(session, &query, progress)?;
        let lost = report.cut.clone().or(report.inconsistency.clone());
        let is_empty = report.io_count == 0 && report.bio_count == 0 && !conditions.is_empty();
        if is_empty {
            view::occurring::complain(&conditions, &report);
        }
        Ok(Some(ReportAnswer { report, lost, is_empty }))
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        let options = Options {
            style,
            times: if self.delta { CellTime::Delta } else { CellTime::SinceQueued },
            unit: if self.instructions { TimeUnit::Instructions } else { TimeUnit::Ns },
            summary: self.summary,
        };
        text::write_text(out, &answer.report, options)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, &answer.report)
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.lost.clone()
    }

    fn status(&self, answer: &Self::Answer) -> Status {
        if answer.is_empty { Status::Error } else { Status::Success }
    }
}
