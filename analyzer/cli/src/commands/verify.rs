//! `verify`: checksums and consistency of a trace.

pub mod json;
pub mod text;

use super::ReadArgs;
use super::TraceArgs;
use super::opened::OpenedTrace;
use super::question::Question;
use super::status::Status;
use crate::view::text::Style;
use anyhow::Result;
use clap::Args;
use iotrace::analysis::verify::{Verified, verify};
use iotrace::{Progress, Session};
use std::io::{self, Write};

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze verify demo.iot")]
pub struct VerifyCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
}

impl Question for VerifyCommand {
    type Answer = Verified;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        Ok(Some(verify(session, progress)?))
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        text::write_text(out, answer, style)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer)
    }

    fn lost(&self, _: &Self::Answer) -> Option<String> {
        None
    }

    fn open(&self, reading: ReadArgs) -> Result<OpenedTrace> {
        OpenedTrace::open_damaged(&self.common.trace, reading)
    }

    fn status(&self, answer: &Self::Answer) -> Status {
        if answer.is_sound() { Status::Success } else { Status::Damaged }
    }
}
