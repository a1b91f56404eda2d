//! What can be said on the command line.

use crate::analysis::events::Filter;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Shows what each block I/O of a traced Linux guest went through.
#[derive(Debug, Parser)]
#[command(name = "iotrace-analyze", version)]
#[command(
    after_help = "Exit codes: 0 success, 1 error, 2 wrong command line, 3 the trace was cut (everything before is shown)."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The bios of the workload, stage by stage, and a summary
    Report(ReportArgs),
    /// One bio, event by event
    Bio(BioArgs),
    /// The raw stream of events
    Events(EventsArgs),
    /// What is in the file
    Info(InfoArgs),
    /// Compare with the guest's own block tracepoints, and with its function_graph
    Witness(WitnessArgs),
    /// What the catalog finds in a kernel; compiles the kernel profile
    Kernel(KernelArgs),
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs (see schemas/json)
    Json,
}

/// What all views need.
#[derive(Debug, Group)]
pub struct Common {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Of `report`.
#[derive(Debug, Group)]
pub struct ReportArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: Common,
    /// Boot and shutdown as well
    #[arg(long)]
    pub all: bool,
    /// Show at most so many bios
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only the summary
    #[arg(long)]
    pub summary: bool,
    /// Times since the stage before, not since the bio was queued
    #[arg(long)]
    pub delta: bool,
    /// Times in guest instructions, not in virtual time
    #[arg(long)]
    pub instructions: bool,
}

/// Of `bio`.
#[derive(Debug, Group)]
pub struct BioArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: Common,
    /// Number of the bio, as the report has it
    #[arg(value_name = "ID", value_parser = bio_id)]
    pub id: u64,
}

/// Of `info`.
#[derive(Debug, Group)]
pub struct InfoArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: Common,
}

/// Of `events`.
#[derive(Debug, Group)]
pub struct EventsArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: Common,
    /// Only of this task (name or pid)
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Only functions with this in their name
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Only this stage (bio.queue), or all that begin so (rq.)
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Only this layer (block, scsi, driver)
    #[arg(long, value_name = "LAYER")]
    pub layer: Option<String>,
    /// Only this kind (mmio_write, clock, probe)
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only between these clocks; either may be left out
    #[arg(long, value_name = "A..B", value_parser = clocks)]
    pub clock: Option<RangeInclusive<u64>>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

impl EventsArgs {
    /// The filter that was asked for.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter {
            task: self.task.clone(),
            function: self.function.clone(),
            stage: self.stage.clone(),
            layer: self.layer.clone(),
            kind: self.kind.clone(),
            clock: self.clock.clone(),
            limit: self.limit,
        }
    }
}

/// Of `witness`.
#[derive(Debug, Group)]
pub struct WitnessArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: Common,
    /// The text of the guest's tracing
    #[arg(value_name = "WITNESS")]
    pub witness: PathBuf,
}

/// Of `kernel`.
#[derive(Debug, Group)]
pub struct KernelArgs {
    /// The kernel's vmlinux
    #[arg(value_name = "VMLINUX")]
    pub vmlinux: PathBuf,
    /// Folder with the kernel's modules
    #[arg(long, value_name = "FOLDER")]
    pub modules: Option<PathBuf>,
    /// Folder with the modules' debug files
    #[arg(long, value_name = "FOLDER")]
    pub debug: Option<PathBuf>,
    /// A catalog file of your own (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// Write the compiled profile, for the plugin's kernel=
    #[arg(short, long, value_name = "PROFILE")]
    pub output: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

fn bio_id(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().ok().filter(|id| *id > 0).ok_or_else(|| "bios are numbered from 1".to_owned())
}

fn clocks(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("a range of clocks is A..B")?;
    let number = |text: &str, otherwise| match text.replace(['_', ','], "").as_str() {
        "" => Ok(otherwise),
        digits => digits.parse().map_err(|e| format!("{text:?}: {e}")),
    };
    let (from, to) = (number(from, 0)?, number(to.trim_start_matches('='), u64::MAX)?);
    if from > to { Err(format!("{from} is after {to}")) } else { Ok(from..=to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn ranges_and_numbers_are_read() {
        assert_eq!(clocks("10..1_000"), Ok(10..=1000));
        assert_eq!(clocks(".."), Ok(0..=u64::MAX));
        assert!(clocks("5").is_err() && clocks("9..3").is_err() && clocks("a..").is_err());
        assert_eq!((bio_id("#12"), bio_id("12")), (Ok(12), Ok(12)));
        assert!(bio_id("0").is_err());
    }
}
