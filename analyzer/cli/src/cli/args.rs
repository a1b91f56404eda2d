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

/// Shows what each block I/O of a traced Linux guest went through.
#[derive(Debug, Parser)]
#[command(name = "iotrace-analyze", version)]
#[command(
    after_help = "Exit codes: 0 success, 1 error, 2 wrong command line, 3 the trace was cut or is damaged (everything else is shown), 4 a limit of diff was passed (whether a trace was cut or not)."
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
    /// Decode with so many threads, and print with so many (default: as many as run at once)
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Say at the end how much was read, and the memory it took
    #[arg(long, global = true)]
    pub stats: bool,
    /// Keep the index in a temporary file, not as TRACE.idx
    #[arg(long, global = true)]
    pub no_index_file: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The bios of the workload, stage by stage, and a summary
    Report(ReportArgs),
    /// One bio, event by event
    Bio(BioArgs),
    /// The whole way of an I/O or a bio, call by call, from the system call to the doorbell and back
    Path(PathArgs),
    /// What an I/O waited for, span by span, from its call to its return
    Why(WhyArgs),
    /// What the workload would take on another device: each I/O, each operation, the whole
    #[command(name = "whatif")]
    WhatIf(WhatIfArgs),
    /// Who raises the block softirq, who wakes the waiting, who runs the queue: with counts and evidence
    Explain(ExplainArgs),
    /// What another kernel, in another trace of the same workload, does differently
    Diff(DiffArgs),
    /// The raw stream of events
    Events(EventsArgs),
    /// What is in the file
    Info(InfoArgs),
    /// Whether the file is what was written: every checksum, everything that must hold
    Verify(VerifyArgs),
    /// What can be read of a damaged or cut file, as a sound one
    Recover(RecoverArgs),
    /// A part of a trace, by time, task or I/O, as a trace
    Slice(SliceArgs),
    /// Parts of one recording, one behind the other, as one trace
    Cat(CatArgs),
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
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Boot and shutdown as well, and I/Os that concern no disk
    #[arg(long)]
    pub all: bool,
    /// Show at most so many I/Os and bios; if not given, 10000 as text and all as JSON
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
    /// This layer (block, scsi, driver): what reached it
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
    /// Number of the bio, as the report has it
    #[arg(value_name = "ID", value_parser = number)]
    pub id: u64,
}

/// What `path` and `why` are asked about.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// Number of an I/O, as the report has it
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub io: Option<u64>,
    /// Number of a bio, as the report has it
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub bio: Option<u64>,
    /// A system call of the workload: write is the first write, write:3 the third
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
    /// At most so many levels of calls
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Only functions of this layer (may be repeated)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Vec<Layer>,
    /// Nothing of what is inside this function (may be repeated)
    #[arg(long, value_name = "FUNCTION")]
    pub collapse: Vec<String>,
    /// Repeated calls each by itself
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
    /// For people
    Text,
    /// For programs (see schemas/json)
    Json,
    /// For a report or a comment
    Markdown,
    /// For a browser: one file, with a flame graph of the differences and timelines
    Html,
}

/// Of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The first trace, or a folder of traces (*.iot), each of another recording of the same workload
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The other one, or as many others in a folder
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// All rows, not only the largest differences
    #[arg(long)]
    pub all: bool,
    /// End with code 4 if this limit is passed: fsync.instructions>+5%, write.bios>0, stage:G.instructions>+10%,
    /// function:vfs_write.own>0, wait:mutex_lock.waits>0, unpaired>0 (may be repeated)
    #[arg(long, value_name = "LIMIT", value_parser = Limit::parse)]
    pub fail_on: Vec<Limit>,
    /// A file with a limit on each line
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
    /// Only functions with this in their name
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Only this stage (bio.queue), or all that begin so (rq.)
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Only this kind (mmio_write, clock, probe)
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only events of these numbers, counted from 1 over the whole trace (explain tells them)
    #[arg(long, value_name = "N|A..B", value_parser = parse::numbers)]
    pub number: Option<Range>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Only this layer (block, scsi, driver): what happens in it
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
    /// The damaged trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// The trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

/// Of `slice`.
#[derive(Debug, Args)]
pub struct SliceArgs {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// The trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// What happens while this task runs, in interrupts and in softirqs (name or pid)
    #[arg(long, value_name = "NAME|PID")]
    pub task: Option<String>,
    /// Between these clocks, in instructions; either may be left out
    #[arg(long, value_name = "A..B", value_parser = parse::clocks)]
    pub clock: Option<Range>,
    /// In this window of virtual time since the workload began: 1.2ms..3ms
    #[arg(long, value_name = "A..B", value_parser = parse::time)]
    pub time: Option<Range>,
    /// Number of an I/O, as the report has it: from its begin to the end of its bios, in the tasks on its way
    #[arg(long, value_name = "N", value_parser = number, group = "number")]
    pub io: Option<u64>,
    /// Number of a bio, likewise
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
    /// The traces, in the order of their clocks
    #[arg(value_name = "TRACE", required = true, num_args = 2..)]
    pub traces: Vec<PathBuf>,
    /// The trace to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

/// Of `witness`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// The text of the guest's tracing
    #[arg(value_name = "WITNESS")]
    pub witness: PathBuf,
}

/// Of `kernel`.
#[derive(Debug, Args)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}
