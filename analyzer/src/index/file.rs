//! The index as a file: assembled, opened, searched.

use super::checkpoint::Checkpoint;
use super::entry::{Changed, Entry, IndexTable, SIZE, link_sum};
use super::tables::{AppendWriter, TableWriter};
use super::{Contents, MAGIC, SOURCES, Section, SessionIndex, TablePlace};
use crate::reader::release_up_to;
use iotrace_format::new_file::NewFile;
use iotrace_format::trace::reader::TraceFile;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Bytes behind the contents: their length, their checksum, the magic.
const TAIL: usize = 24;
/// Most bytes of the contents.
const LARGEST: usize = 64 << 20;

/// The index of a trace.
#[must_use]
pub(crate) fn index_path(trace: &Path) -> PathBuf {
    let mut name = trace.as_os_str().to_owned();
    name.push(".idx");
    name.into()
}

/// What an index is recognized by to be that of a trace: its length and the checksums in the heads of its chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceIdentity(pub u64);

impl TraceIdentity {
    /// That of a trace; without an index of chunks, of all its bytes.
    pub fn of(trace: &TraceFile) -> Self {
        let bytes = trace.bytes();
        let mut hash = Xxh3::new();
        hash.update(&(bytes.len() as u64).to_le_bytes());
        match trace.index() {
            Some(index) => {
                let mut released = 0;
                for entry in index.definitions().chain(index.events()) {
                    let at = usize::try_from(entry.offset).unwrap_or(usize::MAX);
                    hash.update(bytes.get(at..).and_then(|rest| rest.get(..72)).unwrap_or_default());
                    release_up_to(trace, &mut released, at);
                }
            }
            None => hash.update(bytes),
        }
        Self(hash.digest())
    }
}

/// Why an index is not used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is none.
    #[error("there is no index")]
    Missing,
    /// It is that of another trace, or of another version of this program.
    #[error("the index does not fit: {0}")]
    Stale(&'static str),
    /// Its bytes are not those that were written.
    #[error("the index is damaged: {0}")]
    Damaged(&'static str),
    /// It cannot be read or written.
    #[error("the index: {0}")]
    Io(#[from] io::Error),
}

impl From<Changed> for IndexError {
    fn from(_: Changed) -> Self {
        Self::Damaged("an entry was changed")
    }
}

impl SessionIndex {
    /// Puts the parts of an index into one file, a temporary one.
    pub(super) fn assemble(
        mut contents: Contents,
        tables: [TableWriter; IndexTable::ALL.len()],
        links: AppendWriter,
        states: AppendWriter,
    ) -> io::Result<Self> {
        let mut out = tempfile::tempfile()?;
        out.write_all(&MAGIC)?;
        for (table, place) in tables.into_iter().zip(&mut contents.tables) {
            let (file, first, length) = table.finish()?;
            *place = TablePlace { section: Section { offset: append(&mut out, file)?, length }, first };
        }
        let (file, length) = links.finish()?;
        contents.links = Section { offset: append(&mut out, file)?, length: length / 8 };
        let (file, _) = states.finish()?;
        let begin = append(&mut out, file)?;
        contents.checkpoints.iter_mut().for_each(|checkpoint| checkpoint.section.offset += begin);
        let bytes =
            bincode::encode_to_vec(&contents, bincode::config::standard()).map_err(io::Error::other)?;
        out.write_all(&bytes)?;
        out.write_all(&(bytes.len() as u64).to_le_bytes())?;
        out.write_all(&xxh3_64(&bytes).to_le_bytes())?;
        out.write_all(&MAGIC)?;
        Ok(Self { file: out, contents })
    }

    /// Opens the index of a trace of so many events, if that is known.
    ///
    /// # Errors
    /// [`IndexError`]; any but `Io` is no reason for more than a message.
    pub(crate) fn open(
        path: &Path,
        identity: TraceIdentity,
        events: Option<u64>,
    ) -> Result<Self, IndexError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(IndexError::Missing),
            file => file?,
        };
        let length = file.metadata()?.len();
        let mut tail = [0; TAIL];
        let begin = length.checked_sub(TAIL as u64).ok_or(IndexError::Damaged("it is too short"))?;
        file.read_exact_at(&mut tail, begin)?;
        let (size, rest) = tail.split_at(8);
        let (sum, magic) = rest.split_at(8);
        if magic != MAGIC {
            return Err(IndexError::Damaged("its end is missing"));
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let size = usize::try_from(number(size)).unwrap_or(usize::MAX);
        let at = begin.checked_sub(size as u64).filter(|_| size <= LARGEST);
        let mut bytes = vec![0; if at.is_some() { size } else { 0 }];
        file.read_exact_at(&mut bytes, at.ok_or(IndexError::Damaged("its contents are too long"))?)?;
        if xxh3_64(&bytes) != number(sum) {
            return Err(IndexError::Damaged("its contents were changed"));
        }
        let config = bincode::config::standard().with_limit::<LARGEST>();
        let (contents, _) = bincode::decode_from_slice::<Contents, _>(&bytes, config)
            .map_err(|_| IndexError::Stale("another version of this program wrote it"))?;
        if contents.sources != SOURCES {
            return Err(IndexError::Stale("another version of this program wrote it"));
        }
        if contents.identity != identity.0 {
            return Err(IndexError::Stale("it is that of another trace"));
        }
        // No object begins without an event. What is searched is as long as the trace at most.
        let room = |table: &TablePlace| table.section.length <= length / SIZE as u64;
        let fits = |table: &TablePlace| {
            events.is_none_or(|events| table.section.length / 2 <= events.saturating_add(1))
        };
        if !contents.tables.iter().all(|table| room(table) && fits(table))
            || contents.links.length > length / 8
        {
            return Err(IndexError::Damaged("it has more objects than the trace has events"));
        }
        Ok(Self { file, contents })
    }

    /// Writes the index to a file, in place of what was there, whole or not at all.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn write(&mut self, path: &Path) -> io::Result<()> {
        let mut out = NewFile::create(path)?;
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut self.file, &mut out)?;
        out.keep()
    }

    /// The entry of an object; none if there is none of that number.
    pub(super) fn entry(&self, table: IndexTable, number: u64) -> Result<Option<Entry>, IndexError> {
        let TablePlace { section: Section { offset, length }, first } = self.contents.tables[table as usize];
        let Some(place) = number.checked_sub(first).filter(|place| *place < length) else { return Ok(None) };
        let mut bytes = [0; SIZE];
        self.file.read_exact_at(&mut bytes, offset.saturating_add(place * SIZE as u64))?;
        Ok(Entry::parse(&bytes, table, number)?)
    }

    /// Goes through the entries of a table in the order of their numbers, until it is enough.
    pub(super) fn scan(
        &self,
        table: IndexTable,
        mut take: impl FnMut(u64, Entry) -> bool,
    ) -> Result<(), IndexError> {
        /// Entries that are read at once.
        const MANY: u64 = 1 << 14;
        let TablePlace { section: Section { offset, length }, first } = self.contents.tables[table as usize];
        let mut bytes = Vec::new();
        for place in (0..length).step_by(MANY as usize) {
            bytes.resize((length - place).min(MANY) as usize * SIZE, 0);
            self.file.read_exact_at(&mut bytes, offset.saturating_add(place * SIZE as u64))?;
            for (number, entry) in (first.saturating_add(place)..=u64::MAX).zip(bytes.as_chunks().0) {
                if let Some(entry) = Entry::parse(entry, table, number)?
                    && !take(number, entry)
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The numbers that are linked with an object.
    pub(super) fn links(&self, entry: &Entry) -> Result<Vec<u64>, IndexError> {
        let (first, count) = (entry.links, u64::from(entry.ios) + u64::from(entry.others));
        let Section { offset, length } = self.contents.links;
        if first.checked_add(count).is_none_or(|end| end > length) {
            return Err(IndexError::Damaged("an entry points behind its end"));
        }
        let mut bytes = vec![0; count as usize * 8];
        self.file.read_exact_at(&mut bytes, offset.saturating_add(first * 8))?;
        if link_sum(&bytes) != entry.link_sum {
            return Err(IndexError::Damaged("links were changed"));
        }
        Ok(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }

    /// The last checkpoint whose events all come before a clock, and the offset in the trace to go on from.
    pub(crate) fn checkpoint(&self, before: u64) -> Result<Option<(Checkpoint, u64)>, IndexError> {
        let checkpoints = &self.contents.checkpoints;
        let at = checkpoints.partition_point(|checkpoint| checkpoint.clock < before);
        let Some(place) = at.checked_sub(1).and_then(|at| checkpoints.get(at)) else { return Ok(None) };
        let Section { offset, length } = place.section;
        if length > LARGEST as u64 {
            return Err(IndexError::Damaged("a checkpoint is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset)?;
        if xxh3_64(&bytes) != place.sum {
            return Err(IndexError::Damaged("a checkpoint was changed"));
        }
        let checkpoint = Checkpoint::decode(&bytes)
            .map_err(|_| IndexError::Stale("another version of this program wrote it"))?;
        Ok(Some((checkpoint, place.offset)))
    }

    /// What cannot be read of the trace, for people.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.contents.lost.as_deref()
    }
}

/// Appends a file; returns where it begins.
fn append(out: &mut File, mut from: File) -> io::Result<u64> {
    let begin = out.stream_position()?;
    from.seek(SeekFrom::Start(0))?;
    io::copy(&mut from, out)?;
    Ok(begin)
}
