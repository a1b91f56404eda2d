//! The raw stream, an event per line.

use super::json;
use super::text::{Plain, Style};
use crate::analysis::describe::{Described, Word};
use crate::model::TimeMap;
use iotrace_schemas::definition::At;
use serde_json::{Value, json as object};
use std::fmt::{self, Display, Formatter, Write as _};
use std::io::{self, Write};

/// One event as a line of text.
///
/// # Errors
/// Those of `out`.
pub fn write_line(
    out: &mut dyn Write,
    event: &Described<'_>,
    time: &TimeMap,
    style: Style,
) -> io::Result<()> {
    let mut line = String::with_capacity(LINE);
    // Only an allocation can fail, and that ends the program.
    let _ = put_line(&mut line, event, time, style);
    out.write_all(line.as_bytes())
}

/// Bytes of most lines.
const LINE: usize = 256;

fn put_line(line: &mut String, event: &Described<'_>, time: &TimeMap, style: Style) -> fmt::Result {
    write!(line, "{:>9} {:>13} ", event.number, event.clock)?;
    match time.ns(event.clock) {
        Some(ns) => write!(line, "{:>5}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)?,
        None => write!(line, "{:>15}", "-")?,
    }
    write!(line, " {} {:<7} ", event.vcpu, event.level.name())?;
    let begin = line.len();
    write!(line, "{}/{}", event.task.comm, event.task.pid)?;
    let width = line[begin..].chars().count();
    write!(line, "{:1$} ", "", 20_usize.saturating_sub(width))?;
    writeln!(line, "{}{}{}", style.heading(name(event)), words(event), style.faint(source(event)))
}

/// Name of the event: a call, a return, or a kind.
pub fn name<'a>(event: &'a Described<'_>) -> Name<'a> {
    Name(&event.name, event.at)
}

/// The words, each with its name.
pub fn words<'a>(event: &'a Described<'_>) -> Words<'a> {
    Words(&event.words)
}

/// Source file and line, if known.
pub fn source<'a>(event: &'a Described<'_>) -> Source<'a> {
    Source(event.source.as_ref().map(|(file, line)| (&**file, *line)))
}

/// Name of an event, to be printed.
#[must_use]
pub struct Name<'a>(&'a str, Option<At>);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let behind = match self.1 {
            Some(At::Entry) => "()",
            Some(At::Exit) => " returns",
            Some(At::Inlined) => " (inlined)",
            None => "",
        };
        write!(f, "{}{behind}", Plain(self.0))
    }
}

/// Words of an event, to be printed.
#[must_use]
pub struct Words<'a>(&'a [Word<'a>]);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, " {}={}", Plain(&word.name), Plain(&word.text)))
    }
}

/// Where the source of an event is, to be printed.
#[must_use]
pub struct Source<'a>(Option<(&'a str, u32)>);

impl Display for Source<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(file, line)| write!(f, "  {}:{line}", Plain(file)))
    }
}

/// An event as JSON.
#[must_use]
pub fn to_json(event: &Described<'_>, time: &TimeMap) -> Value {
    let at = event.at.map(json::at);
    let words: Vec<_> = event
        .words
        .iter()
        .map(|word| object!({ "name": word.name, "value": json::hex(word.value), "text": word.text }))
        .collect();
    object!({
        "number": (event.number > 0).then_some(event.number),
        "clock": event.clock,
        "ns": time.ns(event.clock),
        "vcpu": event.vcpu,
        "level": event.level.name(),
        "task": { "comm": event.task.comm.to_string(), "pid": event.task.pid, "tgid": event.task.tgid },
        "name": event.name,
        "at": at,
        "stage": event.stage,
        "layer": event.layer,
        "file": event.source.as_ref().map(|(file, _)| file),
        "line": event.source.as_ref().map(|(_, line)| line),
        "words": words,
    })
}

/// Writes events as one JSON document while they come (`schemas/json/events.schema.json`).
#[derive(Debug, Default)]
pub struct JsonStream {
    begun: bool,
}

impl JsonStream {
    /// Adds an event.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, out: &mut dyn Write, event: &Described<'_>, time: &TimeMap) -> io::Result<()> {
        write!(out, "{}", if self.begun { ",\n" } else { "{\"events\": [\n" })?;
        self.begun = true;
        Ok(serde_json::to_writer(out, &to_json(event, time))?)
    }

    /// Ends the document.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(self, out: &mut dyn Write, cut: Option<&str>) -> io::Result<()> {
        let begin = if self.begun { "" } else { "{\"events\": [" };
        writeln!(out, "{begin}\n], \"cut\": {}}}", object!(cut))
    }
}
