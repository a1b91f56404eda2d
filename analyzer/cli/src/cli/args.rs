//! What can be said on the command line.

mod conditions;
mod numbers;
mod whatif;

pub use conditions::ConditionArgs;
pub use whatif::WhatIfArgs;

use clap::{Args, Parser, Subcommand, ValueEnum};
use iotrace::analysis::conditions::{Conditions, Range, parse};
use iotrace::analysis::diff::Limit;
use iotrace::analysis::events::Filter;
use iotrace::analysis::path::ListingShape;
use iotrace::analysis::report::ReportQuery;
use iotrace::analysis::subject::Wanted;
use iotrace::rewrite::SliceSelection;
use iotrace_format::layer::Layer;
use numbers::{nth, number, threads};
use std::path::PathBuf;

/// Most rows of a table that people are shown unless they ask for more.
const ROWS: usize = 10_000;

/// Analyze traces of block I/O in a Linux guest.
#[derive(Debug, Parser)]
#[command(name = "iotrace-analyze", version)]
#[command(
    after_help = "Exit status: 0 success; 1 error; 2 invalid command line; 3 trace truncated or damaged \
                  (the rest is printed); 4 limit of diff exceeded."
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How traces are read.
    #[command(flatten)]
    pub reading: ReadArgs,
}

/// How traces are read.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReadArgs {
    /// Worker threads [default: available CPUs]
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Print the amount of data read and the peak memory on exit
    #[arg(long, global = true)]
    pub stats: bool,
    /// Keep the index in a temporary file, not as TRACE.idx
    #[arg(long, global = true)]
    pub no_index_file: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show I/Os and bios of the workload, stage by stage, with a summary
    Report(ReportArgs),
    /// Show one bio, event by event
    Bio(BioArgs),
    /// Show the calls of an I/O or a bio, from the system call to the device and back
    Path(PathArgs),
    /// Show the critical path of an I/O: what it waited for from call to return
    Why(WhyArgs),
    /// Model the workload on a device with other service times
    #[command(name = "whatif")]
    WhatIf(WhatIfArgs),
    /// Count how requests are completed and dispatched and how tasks are woken
    Explain(ExplainArgs),
    /// Compare traces of one workload on two kernels
    Diff(DiffArgs),
    /// Print the events of a trace
    Events(EventsArgs),
    /// Show trace metadata
    Info(InfoArgs),
    /// Check the checksums and the consistency of a trace
    Verify(VerifyArgs),
    /// Write the readable part of a damaged or truncated trace as a new trace
    Recover(RecoverArgs),
    /// Write a part of a trace, selected by time, task or I/O, as a new trace
    Slice(SliceArgs),
    /// Concatenate consecutive traces
    Cat(CatArgs),
    /// Compare with the block tracepoints and the function_graph log of the guest
    Witness(WitnessArgs),
    /// Show which catalog functions a kernel has; compile the kernel profile
    Kernel(KernelArgs),
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text
    Text,
    /// JSON (described in schemas/json)
    Json,
}

/// What all views need.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Include boot and shutdown, and I/Os without disk access
    #[arg(long)]
    pub all: bool,
    /// Maximum number of I/Os and bios to show [default: 10000 as text, all as JSON]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show the summary only
    #[arg(long)]
    pub summary: bool,
    /// Show times since the previous stage instead of since the bio was queued
    #[arg(long)]
    pub delta: bool,
    /// Show times in guest instructions instead of virtual time
    #[arg(long)]
    pub instructions: bool,
    /// Show what reached this layer (block, scsi, driver)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Option<Layer>,
    /// What is wanted.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

impl ReportArgs {
    /// What was asked.
    #[must_use]
    pub fn question(&self) -> ReportQuery {
        let most = match self.common.format {
            Format::Text => ROWS,
            Format::Json => usize::MAX,
        };
        ReportQuery {
            all: self.all,
            conditions: self.conditions.conditions(self.layer),
            rows: if self.summary { 0 } else { self.limit.unwrap_or(most) },
        }
    }
}

/// Of `bio`.
#[derive(Debug, Args)]
pub struct BioArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Number of the bio, as printed by report
    #[arg(value_name = "ID", value_parser = number)]
    pub id: u64,
}

/// What `path` and `why` are asked about.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// Number of an I/O, as printed by report
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub io: Option<u64>,
    /// Number of a bio, as printed by report
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub bio: Option<u64>,
    /// System call of the workload: write is the first write, write:3 the third
    #[arg(long, value_name = "NAME[:N]", value_parser = nth, group = "number")]
    pub call: Option<(String, usize)>,
    /// Or the first I/O of the workload that fulfils these; if there is none, the first bio.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

impl SubjectArgs {
    /// What was asked about; none if by conditions.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        match (self.io, self.bio, &self.call) {
            (Some(io), ..) => Some(Wanted::Io(io)),
            (_, Some(bio), _) => Some(Wanted::Bio(bio)),
            (.., Some((name, at))) => Some(Wanted::Syscall(name.clone(), *at)),
            _ => None,
        }
    }
}

/// Of `path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Maximum depth of calls to show
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Show functions of this layer only (may be repeated)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Vec<Layer>,
    /// Hide the callees of this function (may be repeated)
    #[arg(long, value_name = "FUNCTION")]
    pub collapse: Vec<String>,
    /// Show repeated calls separately
    #[arg(long)]
    pub unfolded: bool,
    /// Print the source file and line of each call, and those of its call site
    #[arg(long)]
    pub source: bool,
    /// What it is asked about.
    #[command(flatten)]
    pub subject: SubjectArgs,
}

impl PathArgs {
    /// What is shown of the listing.
    #[must_use]
    pub fn shape(&self) -> ListingShape {
        ListingShape {
            depth: self.depth,
            layers: self.layer.clone(),
            collapse: self.collapse.clone(),
            unfolded: self.unfolded,
        }
    }
}

/// Of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// What it is asked about.
    #[command(flatten)]
    pub subject: SubjectArgs,
}

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

/// Of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// First trace, or a directory of traces (*.iot) of several recordings of the workload
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Second trace, or a directory with the same number of traces
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// Show all rows instead of the largest differences
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

/// Of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
}

/// Of `info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
}

/// Of `events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Show functions whose name contains NAME
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Show this stage (bio.queue) or all stages with this prefix (rq.)
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Show this event type (mmio_write, clock, probe)
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Show events with these numbers, counted from 1 over the whole trace, as printed by explain
    #[arg(long, value_name = "N|A..B", value_parser = parse::numbers)]
    pub number: Option<Range>,
    /// Maximum number of events to show
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Show events of this layer (block, scsi, driver)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Option<Layer>,
    /// What is wanted.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

impl EventsArgs {
    /// The filter that was asked for, with conditions that are settled.
    #[must_use]
    pub fn filter(&self, conditions: Conditions) -> Filter {
        Filter {
            conditions,
            function: self.function.clone(),
            stage: self.stage.clone(),
            kind: self.kind.clone(),
            number: self.number.clone(),
            limit: self.limit,
        }
    }
}

/// Of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
}

/// Of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Damaged trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

/// Of `slice`.
#[derive(Debug, Args)]
pub struct SliceArgs {
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
    /// Select an I/O by its number: from its begin to the end of its bios, in all tasks that take part
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub io: Option<u64>,
    /// Select a bio by its number
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub bio: Option<u64>,
}

impl SliceArgs {
    /// The part that was asked for; none if nothing says which.
    #[must_use]
    pub fn part(&self) -> Option<SliceSelection> {
        let (task, clock, time) = (self.task.clone(), self.clock.clone(), self.time.clone());
        let conditions = Conditions { task, clock, time, ..Conditions::default() };
        let subject = self.io.map(Wanted::Io).or(self.bio.map(Wanted::Bio));
        let says = subject.is_some() || !conditions.is_empty();
        says.then_some(SliceSelection { conditions, subject })
    }
}

/// Of `cat`.
#[derive(Debug, Args)]
pub struct CatArgs {
    /// Traces of one recording, in the order of their clocks
    #[arg(value_name = "TRACE", required = true, num_args = 2..)]
    pub traces: Vec<PathBuf>,
    /// Trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

/// Of `witness`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Trace log of the guest, as text
    #[arg(value_name = "WITNESS")]
    pub witness: PathBuf,
}

/// Of `kernel`.
#[derive(Debug, Args)]
pub struct KernelArgs {
    /// vmlinux of the kernel
    #[arg(value_name = "VMLINUX")]
    pub vmlinux: PathBuf,
    /// Directory of the kernel's modules
    #[arg(long, value_name = "FOLDER")]
    pub modules: Option<PathBuf>,
    /// Directory of the modules' debug files
    #[arg(long, value_name = "FOLDER")]
    pub debug: Option<PathBuf>,
    /// Additional catalog file (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// Write the compiled profile (for kernel= of the plugin)
    #[arg(short, long, value_name = "PROFILE")]
    pub output: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}
