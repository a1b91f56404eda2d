//! JSON, one object in a line, one table in a file.

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget};
use super::rows::Row;
use super::tables::{RowWriter, TableExport};
use crate::view::plain::Controls;
use anyhow::Result;
use std::io::{self, Write};

/// Begins an export.
///
/// # Errors
/// If the files cannot be written.
pub fn begin(options: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    TableExport::<JsonLines>::begin(options, target)
}

/// Writes a table.
pub struct JsonLines(ExportFile);

impl RowWriter for JsonLines {
    const EXTENSION: &'static str = "ndjson";

    fn open(target: &ExportTarget<'_>) -> Result<ExportFile> {
        target.text(Controls::Escaped)
    }

    fn new<R: Row>(out: ExportFile) -> Result<Self> {
        Ok(Self(out))
    }

    fn row(&mut self, row: &impl Row) -> io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }

    fn close(self) -> Result<()> {
        self.0.close()
    }
}
