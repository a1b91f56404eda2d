//! The document of `verify`.

use crate::view::json;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::verify::{Finding, Verified};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// Whether a file is what its writer wrote.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifyDocument<'a> {
    schema_version: SchemaVersion,
    /// Blocks of events among the chunks that are sound.
    blocks: u64,
    /// Bytes of the file.
    bytes: u64,
    /// Chunks that are sound.
    chunks: u64,
    /// Events in the blocks that are sound.
    events: u64,
    /// What is wrong, by offset.
    findings: List<'a, FindingJson<'a>>,
    /// Findings beyond those listed.
    more: u64,
    /// Nothing is wrong.
    sound: bool,
    /// Chunks, columns and definitions of types that this version does not know.
    unknown: u64,
}

/// Something that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingJson<'a> {
    /// Offset in the file, in bytes.
    offset: usize,
    /// What is wrong, a sentence.
    text: &'a str,
}

impl<'a> From<&'a Finding> for FindingJson<'a> {
    fn from(Finding { offset, text }: &'a Finding) -> Self {
        Self { offset: *offset, text }
    }
}

/// As JSON (`schemas/json/verify.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, verified: &Verified) -> io::Result<()> {
    let document = VerifyDocument {
        schema_version: SchemaVersion,
        blocks: verified.blocks,
        bytes: verified.bytes,
        chunks: verified.chunks,
        events: verified.events,
        findings: List::new(verified.findings.iter().map(FindingJson::from)),
        more: verified.more,
        sound: verified.is_sound(),
        unknown: verified.unknown,
    };
    json::write(out, &document)
}
