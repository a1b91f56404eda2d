//! `summary`: one trace at a glance, in 24 lines of 80 columns; and full tables.

pub mod json;
#[cfg(test)]
mod tests;
pub mod text;

pub use json::name;
pub use text::{anomalies, counts, recorded};

use super::TraceArgs;
use super::conditions::SelectionArgs;
use super::question::Question;
use super::status::Status;
use crate::view;
use crate::view::text::Style;
use anyhow::Result;
use clap::{Args, ValueEnum};
use iotrace::analysis::breakdown::{Breakdown, BreakdownBy, breakdown};
use iotrace::{Progress, Session};
use std::io::{self, Write};

/// Arguments of `summary`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze summary demo.iot\n  iotrace-analyze summary demo.iot --by function\n  iotrace-analyze summary demo.iot --by stage --op write"
)]
pub struct SummaryCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Print the full table by this instead, own and total
    #[arg(long, value_enum, value_name = "WHAT")]
    pub by: Option<ByArg>,
    /// What is summed up.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// What a table is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// Instructions by function
    Function,
    /// Instructions by layer
    Layer,
    /// Time of I/Os by file
    File,
    /// Instructions by task
    Task,
    /// Time of bios by device
    Device,
    /// Time of waits in I/Os, by what was waited for
    Wait,
    /// Time of bios by stage
    Stage,
}

impl From<ByArg> for BreakdownBy {
    fn from(by: ByArg) -> Self {
        match by {
            ByArg::Function => Self::Function,
            ByArg::Layer => Self::Layer,
            ByArg::File => Self::File,
            ByArg::Task => Self::Task,
            ByArg::Device => Self::Device,
            ByArg::Wait => Self::Wait,
            ByArg::Stage => Self::Stage,
        }
    }
}

impl Question for SummaryCommand {
    type Answer = Breakdown;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let found = breakdown(session, &self.selection.query(), progress)?;
        if found.ios == 0 && found.bios == 0 && found.instructions == 0 {
            view::terminal::complain("nothing matches");
        }
        Ok(Some(found))
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        match self.by {
            Some(by) => text::write_table(out, answer, by.into(), style),
            None => text::write_summary(out, answer, self.selection.all, style),
        }
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer, self.by.map(BreakdownBy::from))
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.lost.clone()
    }

    fn status(&self, answer: &Self::Answer) -> Status {
        let is_empty = answer.ios == 0 && answer.bios == 0 && answer.instructions == 0;
        if is_empty { Status::Error } else { Status::Success }
    }
}
