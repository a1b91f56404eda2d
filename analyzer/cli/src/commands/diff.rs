//! `diff`: traces of one workload on two kernels.

mod html;
pub mod json;
pub mod text;

use super::opened::OpenedTrace;
use super::question::style;
use super::status::Status;
use super::{ReadArgs, RunCommand};
use crate::view::{self, plain::Controls};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use iotrace::analysis::diff::{self, Limit};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How to print a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Text
    Text,
    /// JSON (described in schemas/json)
    Json,
    /// Markdown
    Markdown,
    /// HTML: one file with a flame graph of the differences and timelines
    Html,
}

impl From<DiffFormat> for Controls {
    fn from(format: DiffFormat) -> Self {
        match format {
            DiffFormat::Text | DiffFormat::Markdown | DiffFormat::Html => Self::Replaced,
            DiffFormat::Json => Self::Escaped,
        }
    }
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze diff 6.1.iot 6.12.iot\n  iotrace-analyze diff old/ new/ --fail-on 'fsync.instructions>+5%'"
)]
pub struct DiffCommand {
    /// First trace, or a directory of traces (*.iot) of several recordings of the workload
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Second trace, or a directory with the same number of traces
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// Show all rows instead of the largest differences (html always does)
    #[arg(long)]
    pub all: bool,
    /// Exit with status 4 if this limit is exceeded: fsync.instructions>+5%, write.bios>0, stage:G.instructions>+10%,
    /// function:vfs_write.own>0, wait:mutex_lock.waits>0, unpaired>0 (may be repeated)
    #[arg(long, value_name = "LIMIT", value_parser = Limit::parse)]
    pub fail_on: Vec<Limit>,
    /// File with one limit per line
    #[arg(long, value_name = "FILE")]
    pub budget: Option<PathBuf>,
}

impl RunCommand for DiffCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let limits = limits(self)?;
        let (a, b) = (traces(&self.a)?, traces(&self.b)?);
        if a.len() != b.len() {
            let [a_path, b_path] = [&self.a, &self.b].map(|path| path.display());
            bail!("{a_path} has {} traces, {b_path} has {}: the numbers must be equal", a.len(), b.len());
        }
        let (a, b) = std::thread::scope(|scope| {
            let b = scope.spawn(|| gathered(reading, &b));
            (gathered(reading, &a), b.join())
        });
        let b = b.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let called = [&self.a, &self.b].map(|path| path.display().to_string());
        let diff = diff::compare(a?.into_iter().zip(b?).collect(), [&called[0], &called[1]]);
        let mut out = view::terminal::output(self.format.into());
        match self.format {
            DiffFormat::Text => text::write_text(&mut out, &diff, self.all, style())?,
            DiffFormat::Json => json::write(&mut out, &diff)?,
            DiffFormat::Markdown => text::write_markdown(&mut out, &diff, self.all)?,
            DiffFormat::Html => html::write(&mut out, &diff)?,
        }
        out.flush()?;
        Ok(judged(&diff, &limits))
    }
}

/// What each trace's I/Os did.
fn gathered(reading: ReadArgs, traces: &[PathBuf]) -> Result<Vec<diff::Run>> {
    let gather = |path: &PathBuf| {
        let file = OpenedTrace::open(path, reading)?;
        diff::gather(&file, &mut |_| {}).with_context(|| format!("reading {}", path.display()))
    };
    traces.iter().map(gather).collect()
}

/// The code of a comparison: a limit that was passed counts before a trace that was cut, since what was lost does
/// not undo it; where none was passed, what was lost might have.
fn judged(diff: &diff::Diff, limits: &[diff::Limit]) -> Status {
    for cut in &diff.cut {
        view::terminal::complain(&format!("{cut}; the rest is compared"));
    }
    let passed: Vec<_> = limits.iter().filter_map(|limit| limit.passed(diff)).collect();
    for diff::Passed { limit, found } in &passed {
        view::terminal::complain(&format!("{limit}: {found}"));
    }
    match (passed.is_empty(), diff.cut.is_empty()) {
        (false, _) => Status::LimitExceeded,
        (true, false) => Status::Damaged,
        (true, true) => Status::Success,
    }
}

/// The limits that were given, on the command line and in a budget.
fn limits(args: &DiffCommand) -> Result<Vec<diff::Limit>> {
    let mut limits = args.fail_on.clone();
    if let Some(path) = &args.budget {
        let reading = || format!("reading budget {}", path.display());
        let text = std::fs::read_to_string(path).with_context(reading)?;
        limits.extend(diff::Limit::budget(&text).with_context(reading)?);
    }
    Ok(limits)
}

/// A trace, or the traces (`*.iot`) in a folder, by name.
fn traces(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let reading = || format!("reading directory {}", path.display());
    let entries = std::fs::read_dir(path).with_context(reading)?;
    let files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut files = files.with_context(reading)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "iot"));
    files.sort();
    if files.is_empty() {
        bail!("directory {} has no traces (*.iot)", path.display());
    }
    Ok(files)
}
