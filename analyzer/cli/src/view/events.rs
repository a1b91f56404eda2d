//! The raw stream, an event per line.

use super::json;
use super::text::{Style, put_plain};
use iotrace::analysis::describe::{Described, FieldForm};
use iotrace::model::TimeMap;
use iotrace_format::definition::At;
use iotrace_format::layer::Layer;
use serde_json::{Value, json as object};
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
        None => line.push_str("              -"),
    }
    line.push(' ');
    put_number(line, event.vcpu.into(), 1, ' ');
    line.push(' ');
    put_column(line, 7, |line| line.push_str(event.level.name()));
    line.push(' ');
    put_column(line, 20, |line| {
        line.push_str(&event.task.comm.text());
        line.push('/');
        put_number(line, event.task.pid.into(), 1, ' ');
    });
    line.push(' ');
    put_what(line, event, style);
    line.push('\n');
}

/// Puts what an event is, a call, a return, or a kind; its words, each with its name, that are decoded or addresses; its source file and line, if
/// known.
pub fn put_what(line: &mut String, event: &Described<'_>, style: Style) {
    style.put_heading(line, |line| {
        put_plain(line, &event.name);
        line.push_str(match event.at {
            Some(At::Entry) => "()",
            Some(At::Exit) => " returns",
            Some(At::Inlined) => " (inlined)",
            None => "",
        });
    });
    for word in event.words.iter().filter(|word| word.form != FieldForm::Raw) {
        line.push(' ');
        put_plain(line, &word.name);
        line.push('=');
        put_plain(line, &word.text);
    }
    style.put_faint(line, |line| {
        let Some((file, number)) = &event.source else { return };
        line.push_str("  ");
        put_plain(line, file);
        line.push(':');
        put_number(line, (*number).into(), 1, ' ');
    });
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

/// Puts an event as JSON, with what separates it from the one before.
pub fn put_json(text: &mut String, event: &Described<'_>, time: &TimeMap) {
    text.push_str(SEPARATOR);
    text.push_str(&to_json(event, time).to_string());
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
        "layer": event.layer.map_or("", Layer::name),
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
