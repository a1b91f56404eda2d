//! `compare-tracepoints`: a trace against the guest's own tracing.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::question::Question;
use super::status::Status;
use crate::view::text::Style;
use anyhow::Context;
use anyhow::Result;
use clap::Args;
use iotrace::analysis::witness::{Comparison, compare, parse};
use iotrace::{Progress, Session};
use std::io::{self, Write};
use std::path::PathBuf;

/// Arguments of `compare-tracepoints`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze compare-tracepoints demo.iot recording/witness.txt")]
pub struct CompareTracepointsCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Trace log of the guest, as text
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
}

impl Question for CompareTracepointsCommand {
    type Answer = Comparison;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let reading = || format!("reading {}", self.log.display());
        let text = std::fs::read(&self.log).with_context(reading)?;
        let log = parse(&String::from_utf8_lossy(&text)).with_context(reading)?;
        Ok(Some(compare(session, &log, progress)?))
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        text::write_text(out, answer, style)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer)
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.cut.clone().filter(|_| answer.is_equal())
    }

    fn status(&self, answer: &Self::Answer) -> Status {
        if answer.is_equal() { Status::Success } else { Status::Different }
    }
}
