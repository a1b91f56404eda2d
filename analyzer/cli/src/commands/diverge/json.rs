//! The document of `diverge`.

use super::Windows;
use crate::view::json;
#[cfg(test)]
use crate::view::json::event::EventJson;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::divergence::{Divergence, FieldDifference, FirstDifference, LeftOutTypes};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// The first event in which two traces of one recording differ.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DivergeDocument<'a> {
    schema_version: SchemaVersion,
    /// The first trace.
    a: SideJson<'a>,
    /// The second trace.
    b: SideJson<'a>,
    /// The events before the difference, of the first trace that has it; empty if there is none.
    #[cfg_attr(test, schemars(with = "Vec<EventJson<'_>>"))]
    before: Vec<Value>,
    /// There is a difference.
    differ: bool,
    /// Events that are the same, up to the first that is not.
    equal: u64,
    /// What of the two guests differs, so that they are not of one recording: kernel, build-id, KASLR slide, vCPUs, icount
    /// shift; empty for two traces of one.
    guests: Vec<FieldJson<'a>>,
    /// What differs in the first event that is not the same; empty if one trace has no further event.
    fields: Vec<FieldJson<'a>>,
}

/// One of the traces.
#[derive(Debug, Serialize, JsonSchema)]
struct SideJson<'a> {
    /// When the first event that differs is: guest instructions; null if the trace has no further event.
    clock: Option<u64>,
    /// That event and those after it; empty if there is no difference or no further event.
    #[cfg_attr(test, schemars(with = "Vec<EventJson<'_>>"))]
    events: Vec<Value>,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Event types that were not compared, since the other trace does not have them.
    left_out: &'a [String],
    /// Events of these types, in what was read of the trace.
    left_out_events: u64,
    /// Number of the first event that differs, from 1; null if the trace has no further event.
    number: Option<u64>,
}

/// A field that differs.
#[derive(Debug, Serialize, JsonSchema)]
struct FieldJson<'a> {
    /// Its value in the first trace.
    a: &'a str,
    /// Its value in the second trace.
    b: &'a str,
    /// Its name.
    name: &'a str,
}

impl<'a> FieldJson<'a> {
    fn new(field: &'a FieldDifference) -> Self {
        let [a, b] = &field.values;
        Self { a, b, name: &field.name }
    }
}

impl<'a> SideJson<'a> {
    fn new(side: usize, found: &'a Divergence, windows: &Windows) -> io::Result<Self> {
        let place = found.first.as_ref().and_then(|first| first.at[side]);
        let LeftOutTypes { names, events } = &found.left_out[side];
        Ok(Self {
            clock: place.map(|place| place.clock),
            events: events_of(&windows.from[side])?,
            incomplete: found.lost[side].as_deref(),
            left_out: names,
            left_out_events: *events,
            number: place.map(|place| place.number),
        })
    }
}

/// Events that were put into one text, as values.
fn events_of(text: &str) -> io::Result<Vec<Value>> {
    Ok(serde_json::from_str(&format!("[{}]", text.trim_start_matches(",\n")))?)
}

/// As JSON (`schemas/json/diverge.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, found: &Divergence, windows: &Windows) -> io::Result<()> {
    let fields = found.first.iter().flat_map(|FirstDifference { fields, .. }| fields);
    let document = DivergeDocument {
        schema_version: SchemaVersion,
        a: SideJson::new(0, found, windows)?,
        b: SideJson::new(1, found, windows)?,
        before: events_of(windows.before.as_deref().unwrap_or_default())?,
        differ: found.first.is_some(),
        equal: found.equal,
        guests: found.guests.iter().map(FieldJson::new).collect(),
        fields: fields.map(FieldJson::new).collect(),
    };
    json::write(out, &document)
}
