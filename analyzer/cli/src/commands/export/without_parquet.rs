//! Parquet in a program that was built without it.

use super::format::{ExportFormat, FormatOptions};
use super::output::ExportTarget;
use anyhow::{Result, bail};
use iotrace::analysis::records::{RecordNeeds, RecordSink};

/// A format that there is none of.
pub enum NoFormat {}

/// Refuses the export.
///
/// # Errors
/// Always: with what to do.
pub fn begin(_: &FormatOptions<'_>, _: &ExportTarget<'_>) -> Result<NoFormat> {
    bail!(
        "this iotrace-analyze was built without Parquet: install it with scripts/install, or build it with 'cargo build \
         --release --features iotrace-analyze/parquet'"
    )
}

impl RecordSink for NoFormat {
    fn needs(&self) -> RecordNeeds {
        match *self {}
    }
}

impl ExportFormat for NoFormat {
    fn close(self: Box<Self>) -> Result<u64> {
        match *self {}
    }
}
