//! `cat`: consecutive traces as one.

use super::opened::{complain_same, print_written};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use anyhow::Result;
use clap::Args;
use iotrace::{Session, rewrite};
use std::path::PathBuf;

/// Arguments of `cat`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze cat first.iot second.iot -o both.iot")]
pub struct CatCommand {
    /// Traces of one recording, in the order of their clocks
    #[arg(value_name = "TRACE", required = true, num_args = 2..)]
    pub traces: Vec<PathBuf>,
    /// Trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

impl RunCommand for CatCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let mut traces = Vec::new();
        for path in &self.traces {
            complain_same(path, &self.output)?;
            let file = iotrace_format::trace::reader::TraceFile::open(path)?;
            traces.push((path.clone(), Session::of(reading.limited(file))));
        }
        let events = rewrite::cat(&traces, &self.output, &mut |_| {})?;
        print_written(events, &self.output)
    }
}
