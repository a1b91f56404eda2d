//! The one way from a question about a trace to printed output.

use super::opened::OpenedTrace;
use super::status::Status;
use super::{Format, ReadArgs, RunCommand, TraceArgs};
use crate::view;
use crate::view::terminal::output;
use crate::view::text::{Style, plain};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use iotrace::{Progress, Session};
use std::io::{self, Write};
use std::path::Path;

/// Bytes of a file up to which no progress is shown.
const QUICK: usize = 8 << 20;

/// A command that asks one thing of a trace and prints the answer.
pub trait Question {
    /// The answer.
    type Answer;

    /// The trace and the format.
    fn trace(&self) -> &TraceArgs;

    /// Opens the trace.
    ///
    /// # Errors
    /// If it is no trace, or cannot be read.
    fn open(&self, reading: ReadArgs) -> Result<OpenedTrace> {
        OpenedTrace::open(&self.trace().trace, reading)
    }

    /// Asks; none if the trace does not have it, which was said then.
    ///
    /// # Errors
    /// If the trace cannot be read.
    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>>;

    /// Prints as text.
    ///
    /// # Errors
    /// Those of `out`.
    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()>;

    /// Prints as JSON.
    ///
    /// # Errors
    /// Those of `out`.
    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()>;

    /// What could not be read of the trace.
    fn lost(&self, answer: &Self::Answer) -> Option<String>;

    /// The exit status of an answer about a sound trace.
    fn status(&self, _answer: &Self::Answer) -> Status {
        Status::Success
    }
}

impl<Q: Question> RunCommand for Q {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let TraceArgs { trace, format } = self.trace();
        let session = self.open(reading)?;
        let bar = bar(&session, trace);
        let answer = self.ask(&session, &mut |at| bar.set_position(at as u64));
        bar.finish_and_clear();
        session.complain();
        let Some(answer) = answer.with_context(|| format!("reading {}", trace.display()))? else {
            return Ok(Status::Error);
        };
        let mut out = output((*format).into());
        match format {
            Format::Text => self.text(&mut out, &answer, style())?,
            Format::Json => self.json(&mut out, &answer)?,
        }
        out.flush()?;
        Ok(match self.lost(&answer) {
            Some(lost) => damaged(trace, &lost),
            None => self.status(&answer),
        })
    }
}

/// The status for a trace of which something may be missing, and a message.
pub fn damaged(trace: &Path, lost: &str) -> Status {
    view::terminal::complain(&format!("{} {lost}; the rest is printed", trace.display()));
    Status::Damaged
}

/// Colours and width of the terminal.
pub fn style() -> Style {
    view::terminal::style()
}

/// A progress bar on the terminal, for files that take a while; hidden otherwise.
pub fn bar(session: &Session, trace: &Path) -> ProgressBar {
    let length = session.bytes().len();
    if length < QUICK || !view::terminal::shows_messages() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length as u64).with_message(plain(&trace.display().to_string()));
    let template = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
