//! `export`: a trace in the format of another tool.
//!
//! [`mod@format`] has the registry: a format is one file and one line there.

mod append;
#[cfg(any(test, feature = "parquet"))]
mod columns;
mod format;
#[cfg(test)]
pub mod json;
pub mod output;
mod partition;
mod reorder;
pub mod rows;
mod stacks;
mod tables;
#[cfg(test)]
pub mod tests;

mod blktrace;
mod csv;
mod ctf;
mod firefox;
mod folded;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "export/without_parquet.rs"]
mod parquet;
mod perfetto;
mod trace_dat;

use super::conditions::SelectionArgs;
use super::opened::{OpenedTrace, complain_same};
use super::question::{bar, damaged};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use crate::view;
use anyhow::{Context, Result};
use append::NewRun;
use clap::Args;
use format::{FormatName, FormatOptions};
use iotrace::Session;
use iotrace::analysis::records::{RecordQuery, RecordsEnd, records};
use iotrace::reader::definitions;
use output::ExportTarget;
use partition::RunPartition;
use rows::{RecordTable, run_name};
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze export demo.iot --to csv -o ios.csv\n  iotrace-analyze export demo.iot --to ndjson --table bios,stages -o tables/\n  iotrace-analyze export demo.iot --to csv --table path --syscall fsync\n  iotrace-analyze export demo.iot --to parquet --append runs"
)]
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
    /// Tables of csv, ndjson and parquet, separated by commas; with more than one, --output is a directory [default: ios; with --append: all but events and block-events]
    #[arg(long, value_enum, value_name = "TABLE", value_delimiter = ',')]
    pub table: Vec<RecordTable>,
    /// With --to parquet: directory of the traces of many runs, to which this one is added, by kernel, workload, host and run
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub append: Option<PathBuf>,
    /// With --append: the host that the run is of [default: the name of this one]
    #[arg(long, value_name = "NAME", requires = "append")]
    pub host: Option<String>,
    /// What is exported.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

impl ExportCommand {
    /// The tables to write.
    fn tables(&self) -> &[RecordTable] {
        match (&self.table[..], &self.append) {
            ([], Some(_)) => &RecordTable::KEPT,
            ([], None) => &[RecordTable::Ios],
            (given, _) => given,
        }
    }

    /// The run, if it is to be kept among others.
    fn run_among_many(&self, session: &Session, query: &RecordQuery) -> Result<Option<NewRun>> {
        let Some(root) = &self.append else { return Ok(None) };
        append::check(self.to == FormatName::Parquet, !query.all && query.conditions.is_empty())?;
        let host = self.host.clone().or_else(append::host_name);
        let partition = RunPartition::new(&definitions(session)?, host, run_name(session));
        NewRun::new(root, partition).map(Some)
    }
}

impl RunCommand for ExportCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let session = OpenedTrace::open(&self.trace, reading)?;
        if let Some(output) = &self.output {
            complain_same(&self.trace, output)?;
        }
        let query = self.selection.query();
        let options = FormatOptions { tables: self.tables(), query: &query };
        let run = self.run_among_many(&session, &query)?;
        let target =
            run.as_ref().map_or_else(|| ExportTarget::new(self.output.as_deref()), ExportTarget::Run);
        let mut format = self.to.begin(&options, &target)?;
        let reading = || format!("reading {}", self.trace.display());
        let bar = bar(&session, &self.trace);
        let mut progress = |at: usize| bar.set_position(at as u64);
        let end = records(&session, &query, format.as_mut(), &mut progress).with_context(reading)?;
        format.add_rest(&session, &end, &mut progress).with_context(reading)?;
        bar.finish_and_clear();
        let found = format.close()?;
        run.map_or(Ok(()), NewRun::keep)?;
        let RecordsEnd { lost, undecided, .. } = end;
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
