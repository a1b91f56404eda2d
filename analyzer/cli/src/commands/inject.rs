//! `inject`: a trace with answers to questions as further events.

mod answers;

use super::opened::{OpenedTrace, complain_same};
use super::question::{bar, style};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use crate::view;
use crate::view::plain::Controls;
use crate::view::text::grouped;
use crate::view::wrap::WrapWriter;
use anyhow::{Context, Result, bail};
use clap::Args;
use iotrace::rewrite;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `inject`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scripts/ask rec 'vfs_write count' --format json > answers.json\n  iotrace-analyze inject rec/trace.iot answers.json -o asked.iot\n  iotrace-analyze events asked.iot --function ask.     prints the answers among the events"
)]
pub struct InjectCommand {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Answers to questions about its recording, as printed by scripts/ask --format json
    #[arg(value_name = "ANSWERS")]
    pub answers: PathBuf,
    /// Trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

impl RunCommand for InjectCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let answers = answers::read(&self.answers)?;
        if answers.is_empty() {
            bail!("no answers in {}", self.answers.display());
        }
        let file = OpenedTrace::open(&self.trace, reading)?;
        complain_same(&self.trace, &self.output)?;
        complain_same(&self.answers, &self.output)?;
        let bar = bar(&file, &self.trace);
        let injected = rewrite::inject(&file, &answers, &self.output, &mut |at| bar.set_position(at as u64));
        bar.finish_and_clear();
        let injected = injected
            .with_context(|| format!("injecting {} into {}", self.answers.display(), self.trace.display()))?;
        let mut out = view::terminal::output(Controls::Replaced);
        let mut wrapped = WrapWriter::new(&mut out, style());
        let (events, count, path) =
            (grouped(injected.events), grouped(answers.len() as u64), self.output.display());
        writeln!(wrapped, "wrote {events} events to {path}, {count} of them answers")?;
        for text in &injected.lost {
            writeln!(wrapped, "lost: {}", view::text::plain(text))?;
        }
        out.flush()?;
        Ok(if injected.lost.is_empty() { Status::Success } else { Status::Damaged })
    }
}
