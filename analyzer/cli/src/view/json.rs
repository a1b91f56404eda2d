//! JSON: one document for each command, as types that are serialized.
//!
//! In: answers of the library. Out: JSON whose schemas (`schemas/json/*.schema.json`) are generated from these types;
//! the comments of their fields are the descriptions in the schemas. Clocks are guest instructions, `ns` virtual
//! nanoseconds. Long lists are made element by element while they are written.

mod bio;
mod common;
mod diff;
mod event;
mod explain;
mod info;
mod io;
mod kernel;
mod list;
mod path;
mod report;
mod request;
#[cfg(test)]
mod schema;
mod timeline;
mod values;
mod verify;
mod whatif;
mod why;
mod witness;

pub use diff::write as write_diff;
pub use event::{JsonStream, put as put_event};
pub use explain::write as write_explain;
pub use info::write as write_info;
pub use kernel::write as write_kernel;
pub use path::write as write_path;
pub use report::write as write_report;
pub use timeline::write as write_timeline;
pub use verify::write as write_verify;
pub use whatif::write as write_whatif;
pub use why::write as write_why;
pub use witness::write as write_witness;

use iotrace::model::Definitions;
use serde::Serialize;
use std::io::Write;

/// Writes a document and a line end.
fn write(out: &mut dyn Write, document: &impl Serialize) -> std::io::Result<()> {
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

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
