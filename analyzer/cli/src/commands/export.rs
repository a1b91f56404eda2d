//! `export`: a trace in the format of another tool.
//!
//! [`mod@format`] has the registry: a format is one file and one line there.

mod format;
#[cfg(test)]
pub mod json;
pub mod output;
mod reorder;
pub mod rows;
mod tables;
#[cfg(test)]
pub mod tests;

mod blktrace;
mod csv;
mod ctf;
mod folded;
mod ndjson;
mod perfetto;

use super::conditions::SelectionArgs;
use super::opened::{OpenedTrace, complain_same};
use super::question::{bar, damaged};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use crate::view;
use anyhow::{Context, Result};
use clap::Args;
use format::{FormatName, FormatOptions};
use iotrace::analysis::records::{RecordsEnd, records};
use output::ExportTarget;
use rows::RecordTable;
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iotrace-analyze export demo.iot --to csv -o ios.csv\n  iotrace-analyze export demo.iot --to ndjson --table bios,stages -o tables/\n  iotrace-analyze export demo.iot --to csv --table path --syscall fsync")]
pub struct ExportCommand {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: FormatName,
    /// File to write, or a directory if the format has several [default: standard output, for text]
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Tables of csv and ndjson, separated by commas; with more than one, --output is a directory
    #[arg(long, value_enum, value_name = "TABLE", value_delimiter = ',', default_value = "ios")]
    pub table: Vec<RecordTable>,
    /// What is exported.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

impl RunCommand for ExportCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let session = OpenedTrace::open(&self.trace, reading)?;
        if let Some(output) = &self.output {
            complain_same(&self.trace, output)?;
        }
        let query = self.selection.query();
        let options = FormatOptions { tables: &self.table, query: &query };
        let target = ExportTarget::new(self.output.as_deref());
        let mut format = self.to.begin(&options, &target)?;
        let reading = || format!("reading {}", self.trace.display());
        let bar = bar(&session, &self.trace);
        let mut progress = |at: usize| bar.set_position(at as u64);
        let RecordsEnd { lost, undecided, .. } =
            records(&session, &query, format.as_mut(), &mut progress).with_context(reading)?;
        format.add_paths(&session, &mut progress).with_context(reading)?;
        bar.finish_and_clear();
        let found = format.close()?;
        session.complain();
        if undecided > 0 {
            view::terminal::complain(&format!(
                "{undecided} I/Os and bios were selected without all that belongs to them: too much lies between"
            ));
        }
        Ok(match lost {
            Some(lost) => damaged(&self.trace, &lost),
            None if found == 0 => {
                view::terminal::complain("nothing matches");
                Status::Error
            }
            None => Status::Success,
        })
    }
}
