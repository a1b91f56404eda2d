//! A column of a row group while it grows: its pages are encoded and compressed as rows arrive.
//!
//! In: cells, some rows at a time. Out: the bytes of the column's chunk, for the file.

use super::cells::{CellValues, ColumnCells};
use bytes::Bytes;
use parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter};
use parquet::column::writer::{
    ColumnCloseResult, ColumnWriter, get_column_writer, get_typed_column_writer_mut as typed,
};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pages in memory.
#[derive(Clone)]
struct ChunkPages(Arc<Mutex<TrackedWrite<Vec<u8>>>>);

impl ChunkPages {
    fn lock(&self) -> MutexGuard<'_, TrackedWrite<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageWriter for ChunkPages {
    fn write_page(&mut self, page: CompressedPage) -> Result<PageWriteSpec> {
        SerializedPageWriter::new(&mut self.lock()).write_page(page)
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A column of a row group.
pub struct ColumnChunk {
    pages: ChunkPages,
    writer: ColumnWriter<'static>,
}

impl ColumnChunk {
    /// Without a row.
    pub fn new(column: ColumnDescPtr, properties: WriterPropertiesPtr) -> Self {
        let pages = ChunkPages(Arc::new(Mutex::new(TrackedWrite::new(Vec::new()))));
        let writer = get_column_writer(column, properties, Box::new(pages.clone()));
        Self { pages, writer }
    }

    /// Takes in the cells of some rows, and clears them.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn write(&mut self, cells: &mut ColumnCells) -> Result<()> {
        let levels = Some(&cells.levels[..]).filter(|levels| !levels.is_empty());
        match &mut cells.values {
            CellValues::Integers(values) => {
                typed::<Int64Type>(&mut self.writer).write_batch(values, levels, None)?
            }
            CellValues::Booleans(values) => {
                typed::<BoolType>(&mut self.writer).write_batch(values, levels, None)?
            }
            CellValues::Texts(bytes, ends) => {
                let bytes = Bytes::from(std::mem::take(bytes));
                let begins = std::iter::once(0).chain(ends.iter().copied());
                let text = |(begin, end): (usize, &usize)| ByteArray::from(bytes.slice(begin..*end));
                let values: Vec<_> = begins.zip(ends.iter()).map(text).collect();
                typed::<ByteArrayType>(&mut self.writer).write_batch(&values, levels, None)?
            }
        };
        cells.clear();
        Ok(())
    }

    /// Bytes of the pages that are complete.
    pub fn size(&self) -> usize {
        self.pages.lock().bytes_written()
    }

    /// The column has all its rows.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn finish(self) -> Result<(Bytes, ColumnCloseResult)> {
        let closed = self.writer.close()?;
        let pages = Arc::into_inner(self.pages.0).and_then(|pages| pages.into_inner().ok());
        let pages =
            pages.ok_or_else(|| ParquetError::General("the pages of a column are in use".to_owned()))?;
        Ok((pages.into_inner()?.into(), closed))
    }
}
