//! `why`: the critical path of an I/O.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::question::Question;
use super::subject::{SubjectArgs, complain_missing};
use crate::view::text::Style;
use anyhow::{Context, Result};
use clap::Args;
use iotrace::analysis::why::{self, WhyError, why};
use iotrace::{Progress, Session};
use std::io::{self, Write};

/// Arguments of `why`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze why demo.iot                the slowest I/O\n  iotrace-analyze why demo.iot 236            I/O #236 of report\n  iotrace-analyze why demo.iot --call fsync:2 the second fsync"
)]
pub struct WhyCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// The I/O.
    #[command(flatten)]
    pub subject: SubjectArgs,
}

impl Question for WhyCommand {
    type Answer = why::Why;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let Some(wanted) = self.subject.find(session, progress)? else { return Ok(None) };
        match why(session, &wanted, progress) {
            Err(WhyError::NoSuch) => {
                complain_missing(&wanted);
                Ok(None)
            }
            answer => Ok(Some(answer.with_context(|| wanted.to_string())?)),
        }
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        text::write_text(out, answer, style)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer)
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.subject.cut.clone()
    }
}
