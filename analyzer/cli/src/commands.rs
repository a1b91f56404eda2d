//! The commands: one file each, with its arguments and its question; beside it, in a folder of the same name, how the
//! answer is printed: `text.rs`, `json.rs`.
//!
//! [`Command`] is the registry. A new command is one new file or folder and one line there; the line of a command that
//! prints JSON names the document, whose schema is generated. One that asks a question about a trace implements
//! [`question::Question`]; what opens the trace, shows progress, prints and tells the exit status is the same for all of
//! them. What the output of several commands has in common is in [`crate::view`].

mod conditions;
mod numbers;
mod opened;
#[cfg(test)]
mod parts_tests;
mod question;
#[cfg(test)]
mod schema;
mod status;
mod subject;
#[cfg(test)]
mod tests;

use crate::view::plain::Controls;
use crate::{MEMORY, view};
use anyhow::Result;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use iotrace::analysis::events::EventsError;
use iotrace::reader::{MemoryLimit, Trace};
use iotrace_format::new_file::advice;
use iotrace_format::trace::reader::TraceFile;
use numbers::threads;
use status::Status;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::path::PathBuf;
use std::process::ExitCode;

/// Most rows of a table that text shows unless more are asked for.
const ROWS: usize = 10_000;

/// Makes the modules and the registry of commands, each with the type of its JSON document if it prints JSON.
macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident($module:ident::$type:ident) $(=> $document:ident)?,)*) => {
        $(mod $module;)*

        /// The commands.
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($(#[$attribute])* $name($module::$type),)*
        }

        impl Command {
            fn run(&self, reading: ReadArgs) -> Result<Status> {
                match self {
                    $(Self::$name(command) => command.run(reading),)*
                }
            }
        }

        /// The commands that print JSON, each with the schema of its document.
        #[cfg(test)]
        fn schemas() -> Vec<(String, serde_json::Value)> {
            vec![$($(schema::of::<$module::json::$document<'_>>(stringify!($module)),)?)*]
        }
    };
}

commands! {
    /// Show I/Os and bios of the workload, stage by stage, with a summary
    Report(report::ReportCommand) => ReportDocument,
    /// Show a trace at a glance: layers, latencies, waits, the slowest I/Os; full tables
    Summary(summary::SummaryCommand) => SummaryDocument,
    /// Show one bio, event by event
    Bio(bio::BioCommand) => BioDocument,
    /// Show the calls of an I/O or a bio, from the system call to the device and back
    Path(path::PathCommand) => PathDocument,
    /// Show the critical path of an I/O: what it waited for from call to return
    Why(why::WhyCommand) => WhyDocument,
    /// Model the workload on a device with other service times
    #[command(name = "whatif")]
    WhatIf(whatif::WhatIfCommand) => WhatIfDocument,
    /// Count how requests are completed and dispatched and how tasks are woken
    Explain(explain::ExplainCommand) => ExplainDocument,
    /// Compare traces of one workload on two kernels
    Diff(diff::DiffCommand) => DiffDocument,
    /// Write a trace in the format of another tool
    Export(export::ExportCommand) => ExportDocument,
    /// Write a trace as one HTML page: layers, timeline, tables, the ways of the slowest I/Os
    Html(html::HtmlCommand),
    /// Print the events of a trace
    Events(events::EventsCommand) => EventsDocument,
    /// Show trace metadata
    Info(info::InfoCommand) => InfoDocument,
    /// Check the checksums and the consistency of a trace
    Verify(verify::VerifyCommand) => VerifyDocument,
    /// Write the index of a trace, TRACE.idx
    Index(index::IndexCommand),
    /// Write the readable part of a damaged or truncated trace as a new trace
    Recover(recover::RecoverCommand),
    /// Write a part of a trace, selected by time, task or I/O, as a new trace
    Slice(slice::SliceCommand),
    /// Concatenate consecutive traces
    Cat(cat::CatCommand),
    /// Write a trace with the answers of scripts/ask as further events
    Inject(inject::InjectCommand),
    /// Compare with the block tracepoints and the function_graph log of the guest
    #[command(alias = "witness")]
    CompareTracepoints(compare_tracepoints::CompareTracepointsCommand) => WitnessDocument,
    /// Find the first event in which two traces of one recording differ
    Diverge(diverge::DivergeCommand) => DivergeDocument,
    /// Show what of a guest will be traced, and what to do about the rest; compile the kernel profile
    Check(check::CheckCommand) => CheckDocument,
    /// Write man pages and shell completions
    #[command(hide = true)]
    Generate(generate::GenerateCommand),
}

/// What the program does for a command.
trait RunCommand {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, with the file it went wrong with.
    fn run(&self, reading: ReadArgs) -> Result<Status>;
}

/// Analyze traces of block I/O in a Linux guest.
#[derive(Debug, Parser)]
#[command(name = "iotrace-analyze", version, after_help = Status::help())]
pub struct CommandLine {
    /// The command.
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
    /// Memory that may be used for what a trace holds, in bytes: 512m, 4GiB
    #[arg(long, global = true, value_name = "SIZE", value_parser = numbers::memory, default_value = "1GiB")]
    pub memory: usize,
    /// Print the amount of data read and the peak memory on exit
    #[arg(long, global = true)]
    pub stats: bool,
    /// Keep the index in a temporary file, not as TRACE.idx
    #[arg(long, global = true)]
    pub no_index_file: bool,
    /// Answer each question by reading the trace from its beginning, to check answers
    #[arg(long, global = true, hide = true)]
    pub no_checkpoints: bool,
}

impl ReadArgs {
    /// The limit of memory.
    fn memory(self) -> MemoryLimit {
        MemoryLimit { bytes: self.memory, used: || MEMORY.allocated() }
    }

    /// A trace that is read within it.
    fn limited(self, file: TraceFile) -> Trace {
        Trace::of(file, self.threads).limited(Some(self.memory()))
    }
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text
    Text,
    /// JSON (described in schemas/json)
    Json,
}

impl From<Format> for Controls {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Replaced,
            Format::Json => Self::Escaped,
        }
    }
}

/// What commands about one trace need.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Rows that are shown by default.
fn default_rows(format: Format) -> usize {
    match format {
        Format::Text => ROWS,
        Format::Json => usize::MAX,
    }
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let CommandLine { command, reading } = command_line();
    std::panic::set_hook(Box::new(complain_of_panic));
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| command.run(reading)));
    match result.unwrap_or(Ok(Status::Error)) {
        Ok(status) => status.into(),
        Err(error) if is_broken_pipe(&error) => Status::Success.into(),
        Err(error) => {
            view::terminal::complain(&message(&error));
            Status::Error.into()
        }
    }
}

/// Says what went wrong in the program itself; with `RUST_BACKTRACE`, where.
fn complain_of_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let place =
        info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let advice = "the trace may be damaged: check it with verify, and report this";
    view::terminal::complain(&format!("internal error{place}: {text}; {advice}"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        view::terminal::complain(&backtrace.to_string());
    }
}

/// The command line; ends the program if it is invalid or asks for help.
fn command_line() -> CommandLine {
    let command = CommandLine::command().term_width(view::terminal::help_width());
    let read = |matches| CommandLine::from_arg_matches(&matches);
    command.try_get_matches().and_then(read).unwrap_or_else(|error| view::terminal::end(&error))
}

/// Ends the program as if clap had found the command line invalid.
fn invalid(kind: clap::error::ErrorKind, text: &str) -> ! {
    view::terminal::end(&clap::Error::raw(kind, format!("{text}\n")))
}

/// An error and its causes, each once: most errors name their cause themselves.
fn message(error: &anyhow::Error) -> String {
    let message = error.chain().fold(String::new(), |message, cause| match cause.to_string() {
        cause if message.is_empty() => cause,
        cause if message.contains(&cause) => message,
        cause => format!("{message}: {cause}"),
    });
    let advice = error.chain().find_map(|cause| match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(error), _) | (None, Some(EventsError::Write(error))) => advice(error),
        _ => None,
    });
    advice.map_or(message.clone(), |advice| format!("{message}; {advice}"))
}

/// The reader of our output has closed the pipe, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(broken)
            || matches!(cause.downcast_ref(), Some(EventsError::Write(e)) if broken(e))
    })
}

#[cfg(test)]
mod registry_tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_about_a_trace_has_an_example() {
        for command in CommandLine::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("iotrace-analyze {} ", command.get_name());
            assert!(help.starts_with("Example") && help.contains(&example), "{}", command.get_name());
        }
    }

    #[test]
    fn what_an_error_says_of_its_cause_is_not_said_again() {
        let cause = || anyhow::Error::from(io::Error::other("it is full"));
        assert_eq!(message(&cause().context("writing")), "writing: it is full");
        let named: anyhow::Result<()> = Err(cause()).context("cannot write x: it is full").context("slicing");
        assert_eq!(message(&named.unwrap_err()), "slicing: cannot write x: it is full");
    }
}
