//! Tables, row by row, in any format that has rows.

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, FirstError};
use super::rows::{
    AttemptRow, BioRow, BlockEventRow, CarriedRow, EventRow, HandoffRow, IoRow, PathRow, RecordTable,
    RequestRow, Row, RunRow, StageRow, WaitRow,
};
use anyhow::{Result, bail};
use iotrace::analysis::describe::Described;
use iotrace::analysis::path::path;
use iotrace::analysis::records::{RecordNeeds, RecordScope, RecordSink, RecordsEnd};
use iotrace::analysis::subject::Wanted;
use iotrace::model::{Bio, BlockEvent, Io, IoId, Request, Wait};
use iotrace::{Progress, Session};
use std::io;

/// Writes the rows of a table.
pub trait RowWriter: Sized {
    /// What the name of a file ends with.
    const EXTENSION: &'static str;

    /// The file of a single table.
    ///
    /// # Errors
    /// If it cannot be written, or not where it is to be.
    fn open(target: &ExportTarget<'_>) -> Result<ExportFile>;

    /// Begins a table.
    ///
    /// # Errors
    /// If it cannot be written.
    fn new<R: Row>(out: ExportFile) -> Result<Self>;

    /// Adds a row.
    ///
    /// # Errors
    /// If it cannot be written.
    fn row(&mut self, row: &impl Row) -> io::Result<()>;

    /// The table is complete.
    ///
    /// # Errors
    /// If it cannot be written.
    fn close(self) -> Result<()>;
}

/// Tables that are being written.
pub struct TableExport<W> {
    tables: Vec<(RecordTable, W)>,
    /// I/Os whose paths are to be written.
    ios: Vec<IoId>,
    rows: u64,
    error: FirstError,
}

impl<W: RowWriter> TableExport<W> {
    /// Begins them: one at the target, or several in its directory.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn begin(options: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<Self> {
        let mut named = options.tables.to_vec();
        named.dedup();
        let files: Vec<ExportFile> = match &named[..] {
            [_] if !target.is_run() => vec![W::open(target)?],
            _ => {
                let folder = target.directory("several tables")?;
                let file = |table: &RecordTable| {
                    ExportFile::create(&folder.join(format!("{}.{}", table.name(), W::EXTENSION)))
                };
                named.iter().map(file).collect::<Result<_>>()?
            }
        };
        let mut tables = Vec::new();
        for (table, file) in named.into_iter().zip(files) {
            if tables.iter().any(|(other, _)| *other == table) {
                bail!("table {} is given twice", table.name());
            }
            tables.push((table, begun(table, file)?));
        }
        Ok(Self { tables, ios: Vec::new(), rows: 0, error: FirstError::default() })
    }

    fn has(&self, any: &[RecordTable]) -> bool {
        self.tables.iter().any(|(table, _)| any.contains(table))
    }

    fn add<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) {
        let Some((_, out)) = self.tables.iter_mut().find(|(table, _)| *table == R::TABLE) else { return };
        for row in rows {
            self.rows += 1;
            self.error.attempt(|| out.row(&row));
        }
    }
}

/// Begins a table.
fn begun<W: RowWriter>(table: RecordTable, out: ExportFile) -> Result<W> {
    match table {
        RecordTable::Runs => W::new::<RunRow>(out),
        RecordTable::Ios => W::new::<IoRow<'_>>(out),
        RecordTable::Bios => W::new::<BioRow>(out),
        RecordTable::Stages => W::new::<StageRow>(out),
        RecordTable::Requests => W::new::<RequestRow>(out),
        RecordTable::Attempts => W::new::<AttemptRow>(out),
        RecordTable::Carried => W::new::<CarriedRow>(out),
        RecordTable::Waits => W::new::<WaitRow<'_>>(out),
        RecordTable::BlockEvents => W::new::<BlockEventRow>(out),
        RecordTable::Events => W::new::<EventRow<'_>>(out),
        RecordTable::Path => W::new::<PathRow<'_>>(out),
        RecordTable::Handoffs => W::new::<HandoffRow>(out),
    }
}

impl<W: RowWriter> RecordSink for TableExport<W> {
    fn needs(&self) -> RecordNeeds {
        use RecordTable::{BlockEvents, Events, Runs};
        RecordNeeds {
            objects: self.tables.iter().any(|(table, _)| !matches!(table, Runs | Events | BlockEvents)),
            events: self.has(&[RecordTable::Events]),
            block_events: self.has(&[RecordTable::BlockEvents]),
            contexts: false,
        }
    }

    fn io(&mut self, io: &Io, scope: &RecordScope) {
        self.add([IoRow::new(io, scope)]);
        if self.has(&[RecordTable::Path, RecordTable::Handoffs]) {
            self.ios.push(io.id);
        }
    }

    fn bio(&mut self, bio: &Bio, scope: &RecordScope) {
        self.add([BioRow::new(bio, scope)]);
        self.add(StageRow::of(bio, scope));
        self.add(bio.carries.iter().map(CarriedRow::from));
    }

    fn request(&mut self, request: &Request, scope: &RecordScope) {
        self.add([RequestRow::new(request, scope)]);
        self.add(AttemptRow::of(request, scope));
    }

    fn wait(&mut self, wait: &Wait, scope: &RecordScope) {
        self.add([WaitRow::new(wait, scope)]);
    }

    fn block_event(&mut self, event: &BlockEvent, scope: &RecordScope) {
        self.add([BlockEventRow::new(event, scope)]);
    }

    fn event(&mut self, event: &Described<'_>, scope: &RecordScope) {
        self.add([EventRow::new(event, scope)]);
    }

    fn is_complete(&self) -> bool {
        self.error.is_some()
    }
}

impl<W: RowWriter> ExportFormat for TableExport<W> {
    fn add_rest(&mut self, session: &Session, end: &RecordsEnd, progress: Progress<'_>) -> Result<()> {
        self.add([RunRow::new(session, end)?]);
        self.ios.sort_unstable();
        for io in std::mem::take(&mut self.ios) {
            if self.error.is_some() {
                break;
            }
            let Some(found) = path(session, &Wanted::Io(io), progress)? else { continue };
            self.add(PathRow::of(io, &found));
            self.add(HandoffRow::of(io, &found));
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<u64> {
        self.error.check()?;
        self.tables.into_iter().try_for_each(|(_, out)| out.close())?;
        Ok(self.rows)
    }
}
