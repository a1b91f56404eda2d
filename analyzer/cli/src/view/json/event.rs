//! An event.

use super::common::TaskJson;
use super::values::Hex;
use iotrace::analysis::describe::Described;
use iotrace::model::{Level, TimeMap};
use iotrace_format::definition::At;
use iotrace_format::layer::Layer;
use schemars::JsonSchema;
use serde::Serialize;

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
    /// The place of a question, whose answers were inserted.
    Inserted,
}

impl From<At> for ProbePlace {
    fn from(at: At) -> Self {
        match at {
            At::Entry => Self::Entry,
            At::Exit => Self::Exit,
            At::Inlined => Self::Inlined,
            At::Inserted => Self::Inserted,
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
