//! `bio`: one bio, event by event.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::numbers::number;
use super::question::Question;
use super::subject::complain_missing;
use crate::view::text::Style;
use anyhow::Result;
use clap::Args;
use iotrace::analysis::subject::Wanted;
use iotrace::analysis::timeline::{Timeline, timeline};
use iotrace::{Progress, Session};
use std::io::{self, Write};

/// Arguments of `bio`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze bio demo.iot 65     bio #65 of report")]
pub struct BioCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Number of the bio, as printed by report
    #[arg(value_name = "N", value_parser = number)]
    pub number: u64,
}

impl Question for BioCommand {
    type Answer = Timeline;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let found = timeline(session, self.number, progress)?;
        if found.is_none() {
            complain_missing(&Wanted::Bio(self.number));
        }
        Ok(found)
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
