//! `info`: trace metadata.

pub mod json;
pub mod text;

use super::opened::OpenedTrace;
use super::question::{bar, damaged, style};
use super::status::Status;
use super::{Format, ReadArgs, RunCommand, TraceArgs};
use crate::view::terminal::output;
use anyhow::{Context, Result};
use clap::Args;
use iotrace::analysis::info;
use std::io::Write;

/// Arguments of `info`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze info demo.iot")]
pub struct InfoCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
}

impl RunCommand for InfoCommand {
    /// As text, what the index of chunks tells is printed before the landmarks are read.
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let TraceArgs { trace, format } = &self.common;
        let reading_trace = || format!("reading {}", trace.display());
        let session = OpenedTrace::open(trace, reading)?;
        let (mut out, text) = (output((*format).into()), *format == Format::Text);
        let beginning = info::beginning(&session).with_context(reading_trace)?.filter(|_| text);
        if let Some(beginning) = &beginning {
            text::write_beginning(&mut out, beginning, style())?;
            out.flush()?;
        }
        let bar = bar(&session, trace);
        let info = info::info(&session, &mut |at| bar.set_position(at as u64)).with_context(reading_trace)?;
        bar.finish_and_clear();
        match format {
            Format::Text if beginning.is_some() => text::write_rest(&mut out, &info, style())?,
            Format::Text => {
                text::write_beginning(&mut out, &info, style())?;
                text::write_rest(&mut out, &info, style())?;
            }
            Format::Json => json::write(&mut out, &info)?,
        }
        out.flush()?;
        Ok(info.cut.as_deref().map_or(Status::Success, |lost| damaged(trace, lost)))
    }
}
