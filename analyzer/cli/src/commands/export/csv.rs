//! Comma-separated values (RFC 4180), one table in a file, with a line of names.

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget};
use super::rows::Row;
use super::tables::{RowWriter, TableExport};
use crate::view::plain::Controls;
use anyhow::Result;
use csv::{QuoteStyle, Writer, WriterBuilder};
use std::io::{self, Write};

/// Begins an export.
///
/// # Errors
/// If the files cannot be written.
pub fn begin(options: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    TableExport::<CsvWriter>::begin(options, target)
}

/// Writes a table.
pub struct CsvWriter(Writer<ExportFile>);

fn builder() -> WriterBuilder {
    let mut builder = WriterBuilder::new();
    builder.quote_style(QuoteStyle::Necessary);
    builder
}

/// An error of the writer: rows are flat, so that only writing fails.
fn failed(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl RowWriter for CsvWriter {
    const EXTENSION: &'static str = "csv";

    fn open(target: &ExportTarget<'_>) -> Result<ExportFile> {
        target.text(Controls::Replaced)
    }

    fn new<R: Row>(mut out: ExportFile) -> Result<Self> {
        // The names are there without any row too.
        let mut head = Writer::from_writer(Vec::new());
        head.serialize(R::default()).map_err(failed)?;
        let head = head.into_inner()?;
        let names = head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        out.write_all(names)?;
        Ok(Self(builder().has_headers(false).from_writer(out)))
    }

    fn row(&mut self, row: &impl Row) -> io::Result<()> {
        self.0.serialize(row).map_err(failed)
    }

    fn close(self) -> Result<()> {
        match self.0.into_inner() {
            Ok(out) => out.close(),
            Err(error) => Err(io::Error::new(error.error().kind(), error.error().to_string()).into()),
        }
    }
}
