//! The raw stream, an event per line.

use super::json;
use super::text::{Style, plain};
use crate::analysis::describe::Described;
use crate::model::TimeMap;
use iotrace_schemas::definition::At;
use serde_json::{Value, json as object};
use std::io::{self, Write};

/// One event as a line of text.
///
/// # Errors
/// Those of `out`.
pub fn write_line(out: &mut dyn Write, event: &Described, time: &TimeMap, style: Style) -> io::Result<()> {
    let ns = time
        .ns(event.clock)
        .map_or("-".into(), |ns| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000));
    let task = format!("{}/{}", event.task.comm, event.task.pid);
    writeln!(
        out,
        "{:>9} {:>13} {ns:>15} {} {:<7} {task:<20} {}{}{}",
        event.number,
        event.clock,
        event.vcpu,
        event.level.name(),
        style.heading(&name(event)),
        words(event),
        style.faint(&source(event)),
    )
}

/// Name of the event: a call, a return, or a kind.
#[must_use]
pub fn name(event: &Described) -> String {
    match event.at {
        Some(At::Entry) => format!("{}()", plain(&event.name)),
        Some(At::Exit) => format!("{} returns", plain(&event.name)),
        Some(At::Inlined) => format!("{} (inlined)", plain(&event.name)),
        None => plain(&event.name),
    }
}

/// The words, each with its name.
#[must_use]
pub fn words(event: &Described) -> String {
    event.words.iter().map(|word| format!(" {}={}", plain(&word.name), plain(&word.text))).collect()
}

/// Source file and line, if known.
#[must_use]
pub fn source(event: &Described) -> String {
    event.source.as_ref().map(|(file, line)| format!("  {}:{line}", plain(file))).unwrap_or_default()
}

/// An event as JSON.
#[must_use]
pub fn to_json(event: &Described, time: &TimeMap) -> Value {
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
    pub fn write(&mut self, out: &mut dyn Write, event: &Described, time: &TimeMap) -> io::Result<()> {
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
