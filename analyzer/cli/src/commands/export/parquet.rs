//! Apache Parquet, one table in a file: the columns of the tables with their types, compressed.
//!
//! Rows are encoded as they arrive, and compressed pages are kept until they are a row group: memory does not grow with the
//! table, but for what the end of the file has of each group.

mod cells;
mod chunk;

use super::columns::{ColumnType, TableColumn, columns};
use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, NewExportFile};
use super::rows::Row;
use super::tables::{RowWriter, TableExport};
use anyhow::{Result, bail};
use cells::ColumnCells;
use chunk::ColumnChunk;
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescPtr, ColumnPath, Type, TypePtr};
use std::io::{self, Write};
use std::sync::Arc;

/// Rows that are encoded together.
const BATCH: usize = 1 << 10;
/// Bytes of fewer rows that are.
const BATCH_BYTES: usize = 1 << 20;
/// Rows of a row group.
const GROUP: usize = 1 << 18;
/// Bytes of pages of fewer rows.
const GROUP_BYTES: usize = 32 << 20;
/// Bytes of a page, and of a dictionary, before they are compressed.
const PAGE: usize = 1 << 18;

/// Zstandard's level, as that of traces.
const LEVEL: i32 = 3;

/// Begins an export.
///
/// # Errors
/// If the files cannot be written.
pub fn begin(options: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    TableExport::<ParquetWriter>::begin(options, target)
}

/// Writes a table.
pub struct ParquetWriter {
    out: SerializedFileWriter<FileSlot>,
    properties: WriterPropertiesPtr,
    /// Rows that are not encoded yet.
    cells: Vec<ColumnCells>,
    pending: usize,
    /// The columns of the row group; none without a row.
    chunks: Vec<ColumnChunk>,
    rows: usize,
}

impl RowWriter for ParquetWriter {
    const EXTENSION: &'static str = "parquet";

    fn open(target: &ExportTarget<'_>) -> Result<ExportFile> {
        target.binary("parquet")
    }

    fn new<R: Row>(out: ExportFile) -> Result<Self> {
        let ExportFile::New(out) = out else { bail!("parquet is written to files") };
        let columns = columns::<R>()?;
        let (table, out) = (R::TABLE.name(), FileSlot(Some(out)));
        let properties = Arc::new(properties(table, &columns)?);
        Ok(Self {
            out: SerializedFileWriter::new(out, schema(table, &columns)?, Arc::clone(&properties))?,
            properties,
            cells: columns.iter().map(ColumnCells::new).collect(),
            pending: 0,
            chunks: Vec::new(),
            rows: 0,
        })
    }

    fn row(&mut self, row: &impl Row) -> io::Result<()> {
        cells::add(&mut self.cells, row).map_err(io::Error::other)?;
        self.pending += 1;
        let size = || self.cells.iter().map(ColumnCells::size).sum::<usize>();
        if self.pending == BATCH || self.pending.is_multiple_of(64) && size() > BATCH_BYTES {
            self.encode().map_err(failed)?;
        }
        Ok(())
    }

    fn close(mut self) -> Result<()> {
        self.encode().and_then(|()| self.write_group()).map_err(failed)?;
        self.out.finish().map_err(failed)?;
        self.out.inner_mut().0.take().map_or(Ok(()), |out| ExportFile::New(out).close())
    }
}

/// The file, until the table is whole. (`into_inner` of Parquet's writer makes texts of errors of the system.)
struct FileSlot(Option<NewExportFile>);

impl Write for FileSlot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl ParquetWriter {
    /// Encodes the rows that are not yet, and writes a row group if there are enough.
    fn encode(&mut self) -> Result<(), ParquetError> {
        let pending = std::mem::take(&mut self.pending);
        if pending == 0 {
            return Ok(());
        }
        if self.chunks.is_empty() {
            let new =
                |column: &ColumnDescPtr| ColumnChunk::new(Arc::clone(column), Arc::clone(&self.properties));
            self.chunks = self.out.schema_descr().columns().iter().map(new).collect();
        }
        for (chunk, cells) in self.chunks.iter_mut().zip(&mut self.cells) {
            chunk.write(cells)?;
        }
        self.rows += pending;
        let bytes: usize = self.chunks.iter().map(ColumnChunk::size).sum();
        if self.rows >= GROUP || bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    /// Writes the rows that are encoded, as a row group.
    fn write_group(&mut self) -> Result<(), ParquetError> {
        if std::mem::take(&mut self.rows) == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        for chunk in self.chunks.drain(..) {
            let (pages, closed) = chunk.finish()?;
            group.append_column(&pages, closed)?;
        }
        group.close()?;
        Ok(())
    }
}

/// The schema of a table.
fn schema(table: &str, columns: &[TableColumn]) -> Result<TypePtr, ParquetError> {
    let field = |column: &TableColumn| {
        let (physical, logical) = match column.of {
            ColumnType::Integer => (PhysicalType::INT64, Some(LogicalType::integer(64, true))),
            ColumnType::Boolean => (PhysicalType::BOOLEAN, None),
            ColumnType::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = if column.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let builder = Type::primitive_type_builder(&column.name, physical);
        builder.with_repetition(repetition).with_logical_type(logical).build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<_, _>>()?;
    Ok(Arc::new(Type::group_type_builder(table).with_fields(fields).build()?))
}

/// How a table is written. Integers are mostly numbers and clocks that grow: differences are smaller than a dictionary.
fn properties(table: &str, columns: &[TableColumn]) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("iotrace {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_data_page_size_limit(PAGE)
        .set_dictionary_page_size_limit(PAGE)
        .set_key_value_metadata(Some(vec![KeyValue::new("iotrace.table".to_owned(), table.to_owned())]));
    for column in columns.iter().filter(|column| column.of == ColumnType::Integer) {
        let path = ColumnPath::from(column.name.as_str());
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    Ok(properties.build())
}

/// An error of the writer: the system's, where it is one.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::CarriedRow;
    use super::*;
    use iotrace::model::Carried;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use std::fs::File;

    #[test]
    fn a_table_has_as_many_row_groups_as_it_was_written_in() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("carried.parquet");
        let mut writer = ParquetWriter::new::<CarriedRow>(ExportFile::create(&path).unwrap()).unwrap();
        for io in 1..=3 {
            writer.row(&CarriedRow::from(&Carried { io, bio: 7, from: 0, to: 4096 })).unwrap();
            writer.encode().and_then(|()| writer.write_group()).unwrap();
        }
        writer.close().unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let metadata = reader.metadata();
        assert_eq!((metadata.num_row_groups(), metadata.file_metadata().num_rows()), (3, 3));
        assert_eq!(
            metadata.file_metadata().created_by().unwrap(),
            format!("iotrace {}", env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn a_table_that_is_not_whole_has_no_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("carried.parquet");
        let mut writer = ParquetWriter::new::<CarriedRow>(ExportFile::create(&path).unwrap()).unwrap();
        writer.row(&CarriedRow::default()).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
