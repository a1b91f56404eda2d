//! The command line.
//!
//! Exit codes: 0 for success, 1 for an error (or a difference, of `witness`), 2 for a wrong command line,
//! 3 if the trace was cut or is damaged and everything else was shown, 4 if a limit of `diff` was passed.

mod args;
mod files;
mod opened;
mod run;

use crate::view;
use clap::{CommandFactory, FromArgMatches};
use std::io;
use std::process::ExitCode;

/// The trace was cut, or is damaged.
const CUT: u8 = 3;
/// A limit of a comparison was passed.
const PASSED: u8 = 4;

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    match run::run(&command_line()) {
        Ok(code) => code,
        Err(error) if reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            view::terminal::complain(&told(&error));
            ExitCode::FAILURE
        }
    }
}

/// The command line; ends the program if it is wrong or asks for help.
fn command_line() -> args::CommandLine {
    let command = args::CommandLine::command().term_width(view::terminal::help_width());
    let read = |matches| args::CommandLine::from_arg_matches(&matches);
    command.try_get_matches().and_then(read).unwrap_or_else(|error| error.exit())
}

/// An error and what caused it, each thing said once: most errors name their cause themselves.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| match cause.to_string() {
        cause if told.is_empty() => cause,
        cause if told.contains(&cause) => told,
        cause => format!("{told}: {cause}"),
    })
}

/// Whoever read our output has seen enough, as `head` does.
fn reader_left(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(broken)
            || cause.downcast_ref::<iotrace::analysis::events::EventsError>().is_some_and(|e| match e {
                iotrace::analysis::events::EventsError::Write(e) => broken(e),
                iotrace::analysis::events::EventsError::Read(_) => false,
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn what_an_error_says_of_its_cause_is_not_said_again() {
        let cause = || anyhow::Error::from(io::Error::other("it is full"));
        assert_eq!(told(&cause().context("writing")), "writing: it is full");
        let named: anyhow::Result<()> = Err(cause()).context("cannot write x: it is full").context("slicing");
        assert_eq!(told(&named.unwrap_err()), "slicing: cannot write x: it is full");
    }
}
