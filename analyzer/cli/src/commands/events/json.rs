//! Events, written one by one: the document is never there as a whole.

use crate::view::json::event::EventJson;
use crate::view::json::values::SCHEMA_VERSION;
#[cfg(test)]
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::describe::Described;
use iotrace::model::TimeMap;
#[cfg(test)]
use schemars::JsonSchema;
#[cfg(test)]
use serde::Serialize;
use std::io::{self, Write};

const SEPARATOR: &str = ",\n";

/// Puts an event as JSON, with what separates it from the one before.
pub fn put(text: &mut String, event: &Described<'_>, time: &TimeMap) {
    text.push_str(SEPARATOR);
    // Fails for keys that are no strings only.
    text.push_str(&serde_json::to_string(&EventJson::new(event, time)).unwrap_or_default());
}

/// Writes events as one document while they come (`EventsDocument`).
#[derive(Debug, Default)]
pub struct JsonStream {
    begun: bool,
}

impl JsonStream {
    /// Adds events, as [`put`] has put them.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, out: &mut dyn Write, events: &str) -> io::Result<()> {
        match events.strip_prefix(SEPARATOR).filter(|_| !self.begun) {
            Some(events) => {
                self.begin(out)?;
                writeln!(out)?;
                out.write_all(events.as_bytes())
            }
            None => out.write_all(events.as_bytes()),
        }
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.begun = true;
        write!(out, "{{\"schema_version\": {SCHEMA_VERSION}, \"events\": [")
    }

    /// Ends the document.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self, out: &mut dyn Write, incomplete: Option<&str>) -> io::Result<()> {
        if !self.begun {
            self.begin(out)?;
        }
        writeln!(out, "\n], \"incomplete\": {}}}", serde_json::to_string(&incomplete)?)
    }
}

/// The selected events of a trace, in their order.
#[cfg(test)]
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventsDocument<'a> {
    schema_version: SchemaVersion,
    /// The events.
    events: Vec<EventJson<'a>>,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
}
