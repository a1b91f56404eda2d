//! The document of `diff`: the comparison itself, which is serialized as it is.

use crate::view::json;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::diff::Diff;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// What differs between the traces of one workload on two sides, A and B.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiffDocument<'a> {
    schema_version: SchemaVersion,
    #[serde(flatten)]
    diff: &'a Diff,
}

/// As JSON (`schemas/json/diff.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    json::write(out, &DiffDocument { schema_version: SchemaVersion, diff })
}
