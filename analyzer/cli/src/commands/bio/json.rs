//! The document of `bio`.

use crate::view::json;
use crate::view::json::bio::BioJson;
use crate::view::json::event::EventJson;
use crate::view::json::list::List;
use crate::view::json::request::RequestJson;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::timeline::Timeline;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// A bio, its requests, and the events of both.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BioDocument<'a> {
    schema_version: SchemaVersion,
    /// The bio.
    bio: BioJson<'a>,
    /// Events of the bio, its requests, commands and interrupts, in their order.
    events: List<'a, EventJson<'a>>,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Its requests, by number: the one that carried it, those merged into another, the flushes it waited for.
    requests: List<'a, RequestJson<'a>>,
}

/// As JSON (`schemas/json/bio.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, timeline: &Timeline) -> io::Result<()> {
    let Timeline { bio, requests, events, time, definitions, cut } = timeline;
    let document = BioDocument {
        schema_version: SchemaVersion,
        bio: BioJson::new(bio, time, definitions),
        events: List::new(events.iter().map(|event| EventJson::new(event, time))),
        incomplete: cut.as_deref(),
        requests: List::new(requests.iter().map(|request| RequestJson::new(request, time, definitions))),
    };
    json::write(out, &document)
}
