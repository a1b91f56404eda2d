//! JSON: what the documents of several commands have, as types that are serialized. The document of a command is in
//! its `json.rs`.
//!
//! In: answers of the library. Out: JSON whose schemas (`schemas/json/*.schema.json`) are generated from these types;
//! the comments of their fields are the descriptions in the schemas. Clocks are guest instructions, `ns` virtual
//! nanoseconds. Long lists are made element by element while they are written.

pub mod bio;
pub mod command_error;
pub mod common;
pub mod event;
pub mod io;
pub mod list;
pub mod request;
pub mod values;

use iotrace::model::Definitions;
use serde::Serialize;
use std::io::Write;

/// Writes a document and a line end.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, document: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// An address.
#[must_use]
pub fn hex(address: u64) -> String {
    format!("{address:#x}")
}

/// The kernel's build-id in hexadecimal digits.
#[must_use]
pub fn build_id(definitions: &Definitions) -> String {
    digits(&definitions.trace.build_id)
}

/// Hexadecimal digits.
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
