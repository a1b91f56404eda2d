//! The raw stream, an event per line.

use super::json;
use super::text::{Plain, Style};
use crate::analysis::describe::{Described, Word};
use crate::model::TimeMap;
use iotrace_schemas::definition::At;
use serde_json::{Value, json as object};
use std::fmt::{self, Display, Formatter, Write as _};
use std::io::{self, Write};

/// Puts an event as a line of text. Most of it is numbers in columns: they are put there without a format string,
/// which would take most of the time.
pub fn put_line(line: &mut String, event: &Described<'_>, time: &TimeMap, style: Style) {
    put_number(line, event.number, 9, ' ');
    line.push(' ');
    put_number(line, event.clock, 13, ' ');
    line.push(' ');
    match time.ns(event.clock) {
        Some(ns) => {
            put_number(line, ns / 1_000_000_000, 5, ' ');
            line.push('.');
            put_number(line, ns % 1_000_000_000, 9, '0');
        }
        None => put(line, format_args!("{:>15}", "-")),
    }
    line.push(' ');
    put_number(line, event.vcpu.into(), 1, ' ');
    line.push(' ');
    put_column(line, 7, |line| line.push_str(event.level.name()));
    line.push(' ');
    put_column(line, 20, |line| {
        put(line, format_args!("{}/", event.task.comm));
        put_number(line, event.task.pid.into(), 1, ' ');
    });
    let (name, source) = (style.heading(name(event)), style.faint(source(event)));
    put(line, format_args!(" {name}{}{source}\n", words(event)));
}

/// Puts what is formatted.
fn put(line: &mut String, text: fmt::Arguments<'_>) {
    // Only an allocation can fail, and that ends the program.
    let _ = line.write_fmt(text);
}

/// Puts a number at the right of so many columns.
fn put_number(line: &mut String, value: u64, width: usize, fill: char) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value);
    (digits.len()..width).for_each(|_| line.push(fill));
    line.push_str(digits);
}

/// Puts a text at the left of so many columns.
fn put_column(line: &mut String, width: usize, put: impl FnOnce(&mut String)) {
    let begin = line.len();
    put(line);
    let text = &line[begin..];
    let taken = if text.is_ascii() { text.len() } else { text.chars().count() };
    (taken..width).for_each(|_| line.push(' '));
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
        Plain(self.0).fmt(f)?;
        f.write_str(behind)
    }
}

/// Words of an event, to be printed.
#[must_use]
pub struct Words<'a>(&'a [Word<'a>]);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| {
            f.write_str(" ")?;
            Plain(&word.name).fmt(f)?;
            f.write_str("=")?;
            Plain(&word.text).fmt(f)
        })
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

/// Puts an event as JSON, with what separates it from the one before.
pub fn put_json(text: &mut String, event: &Described<'_>, time: &TimeMap) {
    put(text, format_args!("{SEPARATOR}{}", to_json(event, time)));
}

const SEPARATOR: &str = ",\n";

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
    /// Adds events, as [`put_json`] has put them.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, out: &mut dyn Write, events: &str) -> io::Result<()> {
        let first = events.strip_prefix(SEPARATOR).filter(|_| !self.begun);
        self.begun = true;
        match first {
            Some(events) => write!(out, "{{\"events\": [\n{events}"),
            None => out.write_all(events.as_bytes()),
        }
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
