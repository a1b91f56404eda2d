//! `index`: writes the index of a trace.

use super::opened::OpenedTrace;
use super::question::{bar, damaged};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `index`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  iotrace-analyze index demo.iot     writes demo.iot.idx, if it is missing or does not fit"
)]
pub struct IndexCommand {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
}

impl RunCommand for IndexCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let session = OpenedTrace::open(&self.trace, reading)?;
        let bar = bar(&session, &self.trace);
        let result = session.build_index(&mut |at| bar.set_position(at as u64));
        bar.finish_and_clear();
        let failed = session.complain();
        result.with_context(|| format!("indexing {}", self.trace.display()))?;
        let lost = session.lost(&mut |_| {})?;
        Ok(match lost {
            Some(lost) => damaged(&self.trace, &lost),
            None if failed => Status::Error,
            None => Status::Success,
        })
    }
}
