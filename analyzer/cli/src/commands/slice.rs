//! `slice`: a part of a trace.

use super::opened::{OpenedTrace, complain_same, print_written};
use super::question::bar;
use super::status::Status;
use super::subject::NumberArgs;
use super::{ReadArgs, RunCommand, invalid};
use anyhow::{Context, Result};
use clap::Args;
use clap::error::ErrorKind;
use iotrace::analysis::conditions::{Conditions, Range, parse};
use iotrace::rewrite::{self, SliceSelection};
use std::path::PathBuf;

/// Arguments of `slice`.
#[derive(Debug, Args)]
#[command(
    mut_arg("number", |arg| arg.help("Select an I/O by its number: from its begin to the end of its bios, in all tasks that take part")),
    mut_arg("bio", |arg| arg.help("Select a bio by its number")),
)]
#[command(
    after_help = "Examples:\n  iotrace-analyze slice demo.iot 236 -o fsync.iot\n  iotrace-analyze slice demo.iot --time 1.2ms..3ms -o window.iot"
)]
pub struct SliceCommand {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Select events while this task runs, including interrupts and softirqs (name or pid)
    #[arg(long, value_name = "NAME|PID")]
    pub task: Option<String>,
    /// Select clocks from A to B, in instructions; either may be omitted
    #[arg(long, value_name = "A..B", value_parser = parse::clocks)]
    pub clock: Option<Range>,
    /// Select virtual time since the begin of the workload: 1.2ms..3ms
    #[arg(long, value_name = "A..B", value_parser = parse::time)]
    pub time: Option<Range>,
    /// The I/O or bio.
    #[command(flatten)]
    pub number: NumberArgs,
}

impl SliceCommand {
    /// The part that was asked for; none if nothing says which.
    #[must_use]
    pub fn part(&self) -> Option<SliceSelection> {
        let (task, clock, time) = (self.task.clone(), self.clock.clone(), self.time.clone());
        let conditions = Conditions { task, clock, time, ..Conditions::default() };
        let subject = self.number.wanted();
        let says = subject.is_some() || !conditions.is_empty();
        says.then_some(SliceSelection { conditions, subject })
    }
}

impl RunCommand for SliceCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let Some(part) = self.part() else {
            let text = "missing selection: --clock A..B, --time A..B, --task NAME, --io N or --bio N";
            invalid(ErrorKind::MissingRequiredArgument, text)
        };
        let file = OpenedTrace::open(&self.trace, reading)?;
        complain_same(&self.trace, &self.output)?;
        let bar = bar(&file, &self.trace);
        let events = rewrite::slice(&file, &part, &self.output, &mut |at| bar.set_position(at as u64))
            .with_context(|| format!("slicing {}", self.trace.display()))?;
        bar.finish_and_clear();
        print_written(events, &self.output)
    }
}
