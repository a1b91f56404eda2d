//! `explain`: how requests are completed and dispatched, and how tasks are woken.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::question::Question;
use crate::view::text::Style;
use anyhow::Result;
use clap::Args;
use iotrace::analysis::explain::{Explanation, explain};
use iotrace::{Progress, Session};
use std::io::{self, Write};

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze explain demo.iot")]
pub struct ExplainCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
}

impl Question for ExplainCommand {
    type Answer = Explanation;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        Ok(Some(explain(session, progress)?))
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        text::write_text(out, answer, style)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer)
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.cut.clone()
    }
}
