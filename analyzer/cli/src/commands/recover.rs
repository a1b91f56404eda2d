//! `recover`: the readable part of a damaged trace.

use super::opened::{OpenedTrace, complain_same};
use super::question::{bar, style};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use crate::view;
use crate::view::plain::Controls;
use crate::view::wrap::WrapWriter;
use anyhow::{Context, Result};
use clap::Args;
use iotrace::rewrite;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `recover`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze recover damaged.iot -o readable.iot")]
pub struct RecoverCommand {
    /// Damaged trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

impl RunCommand for RecoverCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let file = OpenedTrace::open_damaged(&self.trace, reading)?;
        complain_same(&self.trace, &self.output)?;
        let bar = bar(&file, &self.trace);
        let recovered = rewrite::recover(&file, &self.output, &mut |at| bar.set_position(at as u64))
            .with_context(|| format!("recovering {}", self.trace.display()))?;
        bar.finish_and_clear();
        let mut out = view::terminal::output(Controls::Replaced);
        let mut wrapped = WrapWriter::new(&mut out, style());
        writeln!(
            wrapped,
            "wrote {} events to {}",
            view::text::grouped(recovered.events),
            self.output.display()
        )?;
        for text in &recovered.lost {
            writeln!(wrapped, "lost: {}", view::text::plain(text))?;
        }
        if recovered.lost.is_empty() {
            writeln!(wrapped, "nothing lost")?;
        }
        out.flush()?;
        Ok(Status::Success)
    }
}
