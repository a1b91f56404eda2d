//! The terminal that text is printed on: the one file that has the process's standard output and standard error.
//!
//! In: what commands print, the environment. Out: the same without what drives a terminal ([`super::plain`]); whether to
//! use colours, and the columns of a line.

use super::plain::{Controls, PlainWriter};
use super::text::Style;
use super::wrap;
use clap::error::ErrorKind;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::os::fd::AsFd;

/// Columns of help that is not printed on a terminal (clap's own default).
const HELP: usize = 100;

/// Bytes of output that are written at once.
const BUFFER: usize = 1 << 16;

/// The style of standard output: colours unless `NO_COLOR` is set, lines as wide as the terminal. In a pipe neither.
#[must_use]
pub fn style() -> Style {
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let is_terminal = io::stdout().is_terminal();
    Style { colour: colour && is_terminal, width: width() }
}

/// Columns of the terminal; none if standard output is no terminal. `COLUMNS` overrides what the terminal reports.
#[must_use]
pub fn width() -> Option<usize> {
    if io::stdout().is_terminal() { columns_of(&io::stdout()) } else { None }
}

/// Columns of a terminal; one without a size has none.
fn columns_of(terminal: &impl AsFd) -> Option<usize> {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let reported = || terminal_size::terminal_size_of(terminal).map(|(width, _)| width.0.into());
    given.filter(|columns| *columns > 0).or_else(reported).filter(|columns| *columns > 0)
}

/// Standard output.
pub fn output(controls: Controls) -> PlainWriter<BufWriter<StandardOutput>> {
    PlainWriter::new(BufWriter::with_capacity(BUFFER, StandardOutput(io::stdout().lock())), controls)
}

/// Standard output, whose errors say that they are of it.
pub struct StandardOutput(StdoutLock<'static>);

impl StandardOutput {
    fn named(error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(|error| Self::named(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(|error| Self::named(&error))
    }
}

/// Whether messages are on a terminal.
#[must_use]
pub fn shows_messages() -> bool {
    io::stderr().is_terminal()
}

/// Writes a message for the user, on several lines if the terminal is narrow.
pub fn complain(text: &str) {
    let width = if shows_messages() { columns_of(&io::stderr()) } else { None };
    let mut message = String::new();
    wrap::put(&mut message, "iotrace-analyze: ", text, Style { colour: false, width });
    message.push('\n');
    say(&message);
}

/// Writes text to standard error; there is nowhere to say that it cannot be written.
fn say(text: &str) {
    let _ = PlainWriter::new(io::stderr().lock(), Controls::Replaced).write_all(text.as_bytes());
}

/// Ends the program with clap's message on the command line, or with help.
pub fn end(error: &clap::Error) -> ! {
    match error.kind() {
        // Nothing of these is the user's: clap prints them, in its colours.
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            if let Err(failed) = &printed
                && failed.kind() != io::ErrorKind::BrokenPipe
            {
                complain(&StandardOutput::named(failed).to_string());
                std::process::exit(1)
            }
            std::process::exit(error.exit_code())
        }
        _ => {
            say(&error.render().to_string());
            std::process::exit(error.exit_code())
        }
    }
}

/// Columns of `--help`.
#[must_use]
pub fn help_width() -> usize {
    width().unwrap_or(HELP)
}
