//! The terminal that text is printed on.
//!
//! In: the process's standard output and environment. Out: whether to use colours, and the columns of a line.

use super::text::Style;
use super::wrap;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// Columns of help that is not printed on a terminal (clap's own default).
const HELP: usize = 100;

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

/// Writes a message for the user, on several lines if the terminal is narrow.
pub fn complain(text: &str) {
    let is_terminal = io::stderr().is_terminal();
    let width = if is_terminal { columns_of(&io::stderr()) } else { None };
    let mut message = String::new();
    wrap::put(&mut message, "iotrace-analyze: ", text, Style { colour: false, width });
    eprintln!("{message}");
}

/// Columns of `--help`.
#[must_use]
pub fn help_width() -> usize {
    width().unwrap_or(HELP)
}
