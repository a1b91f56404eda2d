//! Events, written one by one: the document is never there as a whole.

use super::common::TaskJson;
use super::values::{Hex, SCHEMA_VERSION};
use iotrace::analysis::describe::Described;
use iotrace::model::{Level, TimeMap};
use iotrace_format::definition::At;
use iotrace_format::layer::Layer;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// Where in a function a probe is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProbePlace {
    /// Its first instruction.
    Entry,
    /// Its return.
    Exit,
    /// An inlined instance of it.
    Inlined,
}

impl From<At> for ProbePlace {
    fn from(at: At) -> Self {
        match at {
            At::Entry => Self::Entry,
            At::Exit => Self::Exit,
            At::Inlined => Self::Inlined,
        }
    }
}

/// A field of an event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FieldJson<'a> {
    /// Name.
    name: &'a str,
    /// The value in the form in which it is read: a name, a device, a decimal number.
    text: &'a str,
    /// The value as recorded.
    value: Hex,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventJson<'a> {
    /// Where in the function the probe is; null for an event that is not of a probe.
    at: Option<ProbePlace>,
    /// When: guest instructions.
    clock: u64,
    /// Context that the CPU was in.
    context: Level,
    /// Fields, in the order of the trace.
    fields: Vec<FieldJson<'a>>,
    /// Source file of the function; null if not known.
    file: Option<&'a str>,
    /// Layer of the function in the catalog; empty for an event that is not of a probe.
    layer: &'static str,
    /// Line in the source file; null if not known.
    line: Option<u32>,
    /// Function, or name of the event type.
    name: &'a str,
    /// When: virtual nanoseconds; null without icount.
    ns: Option<u64>,
    /// Number of the event, from 1 over the whole trace; null if not known.
    number: Option<u64>,
    /// Stage of the function in the catalog, or the probe's label; empty if it has none.
    stage: &'a str,
    /// The task that ran, or was interrupted.
    task: TaskJson,
    /// Number of the vCPU, from 0.
    vcpu: u16,
}

impl<'a> EventJson<'a> {
    pub fn new(event: &'a Described<'_>, time: &TimeMap) -> Self {
        let fields = event.words.iter();
        Self {
            at: event.at.map(ProbePlace::from),
            clock: event.clock,
            context: event.level,
            fields: fields.map(|f| FieldJson { name: &f.name, text: &f.text, value: Hex(f.value) }).collect(),
            file: event.source.as_ref().map(|(file, _)| file.as_ref()),
            layer: event.layer.map_or("", Layer::name),
            line: event.source.as_ref().map(|(_, line)| *line),
            name: &event.name,
            ns: time.ns(event.clock),
            number: (event.number > 0).then_some(event.number),
            stage: &event.stage,
            task: TaskJson::from(&event.task),
            vcpu: event.vcpu,
        }
    }
}

const SEPARATOR: &str = ",\n";

/// Puts an event as JSON, with what separates it from the one before.
pub fn put(text: &mut String, event: &Described<'_>, time: &TimeMap) {
    text.push_str(SEPARATOR);
    // Fails for keys that are no strings only.
    text.push_str(&serde_json::to_string(&EventJson::new(event, time)).unwrap_or_default());
}

/// Writes events as one document while they come ([`EventsDocument`]).
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
    schema_version: super::values::SchemaVersion,
    /// The events.
    events: Vec<EventJson<'a>>,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
}
