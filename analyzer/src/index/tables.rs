//! Tables under construction: entries come in any order of their numbers, memory stays bounded.

use super::entry::{Entry, IndexTable, SIZE};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

/// Entries that wait to be written.
const MOST: usize = 1 << 12;
/// Largest number of an object that a table has a place for: a file of 2^34 × 48 bytes at most, with holes.
const LARGEST: u64 = 1 << 34;

/// A table being written to a file of its own.
#[derive(Debug)]
pub struct TableWriter {
    table: IndexTable,
    file: File,
    waiting: BTreeMap<u64, Entry>,
    /// One more than the largest number.
    length: u64,
    /// Some entries are in the file.
    written: bool,
}

impl TableWriter {
    /// An empty table.
    ///
    /// # Errors
    /// If no temporary file can be made.
    pub fn new(table: IndexTable) -> io::Result<Self> {
        Ok(Self { table, file: tempfile::tempfile()?, waiting: BTreeMap::new(), length: 0, written: false })
    }

    /// Takes in an entry.
    ///
    /// # Errors
    /// Those of the file; a number beyond all belief.
    pub fn add(&mut self, number: u64, entry: Entry) -> io::Result<()> {
        if number > LARGEST {
            return Err(io::Error::other("objects have numbers beyond the limit of the index"));
        }
        self.waiting.insert(number, entry);
        self.length = self.length.max(number + 1);
        if self.waiting.len() >= MOST { self.write_out() } else { Ok(()) }
    }

    /// An entry that was added.
    #[cfg(test)]
    fn get(&self, number: u64) -> io::Result<Option<Entry>> {
        if let Some(entry) = self.waiting.get(&number) {
            return Ok(Some(*entry));
        }
        let mut bytes = [0; SIZE];
        match self.file.read_exact_at(&mut bytes, number.saturating_mul(SIZE as u64)) {
            Ok(()) => {
                Entry::parse(&bytes, self.table, number).map_err(|_| io::Error::other("it was changed"))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file with all entries, the number of the first place, and how many places it has. That of a small part of a
    /// trace has no places for the objects before it.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<(File, u64, u64)> {
        let first = self.waiting.keys().next().copied().filter(|_| !self.written).unwrap_or(0);
        self.write_from(first)?;
        let length = self.length.saturating_sub(first);
        self.file.set_len(length * SIZE as u64)?;
        Ok((self.file, first, length))
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.written = true;
        self.write_from(0)
    }

    /// Writes what waits, runs of numbers at once; the file begins with the place of `begin`.
    fn write_from(&mut self, begin: u64) -> io::Result<()> {
        let (mut run, mut first) = (Vec::new(), begin);
        for (number, entry) in std::mem::take(&mut self.waiting) {
            if first + (run.len() / SIZE) as u64 != number {
                self.file.write_all_at(&run, (first - begin) * SIZE as u64)?;
                run.clear();
            }
            if run.is_empty() {
                first = number;
            }
            run.extend(entry.bytes(self.table, number));
        }
        self.file.write_all_at(&run, (first - begin) * SIZE as u64)
    }
}

/// Bytes being appended to a file of their own.
#[derive(Debug)]
pub struct AppendWriter {
    out: BufWriter<File>,
    length: u64,
}

impl AppendWriter {
    /// Nothing yet.
    ///
    /// # Errors
    /// If no temporary file can be made.
    pub fn new() -> io::Result<Self> {
        Ok(Self { out: BufWriter::with_capacity(1 << 16, tempfile::tempfile()?), length: 0 })
    }

    /// Appends bytes; returns where they begin.
    ///
    /// # Errors
    /// Those of the file.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.out.write_all(bytes)?;
        let begin = self.length;
        self.length += bytes.len() as u64;
        Ok(begin)
    }

    /// The file, and its length in bytes.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(self) -> io::Result<(File, u64)> {
        Ok((self.out.into_inner()?, self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::PRESENT;
    use super::*;

    #[test]
    fn entries_are_found_whether_they_wait_or_not() {
        let mut table = TableWriter::new(IndexTable::Ios).unwrap();
        let entry = |from| Entry { from, flags: PRESENT, ..Entry::default() };
        let numbers = (0..3 * MOST as u64).map(|at| at * 7 % (3 * MOST as u64) + 1);
        numbers.clone().for_each(|number| table.add(number, entry(number)).unwrap());
        assert!(table.waiting.len() < MOST);
        table.add(9 * MOST as u64, entry(1)).unwrap();
        for number in numbers {
            assert_eq!(table.get(number).unwrap(), Some(entry(number)));
        }
        assert_eq!(table.get(0).unwrap(), None);
        assert_eq!(table.get(5 * MOST as u64).unwrap(), None);
        let (file, first, length) = table.finish().unwrap();
        assert_eq!((first, length), (0, 9 * MOST as u64 + 1));
        assert_eq!(file.metadata().unwrap().len(), length * SIZE as u64);
    }

    #[test]
    fn a_small_part_has_no_places_for_what_is_before_it() {
        let mut table = TableWriter::new(IndexTable::Bios).unwrap();
        let entry = Entry { from: 5, flags: PRESENT, ..Entry::default() };
        [1 << 30, (1 << 30) + 7].into_iter().for_each(|number| table.add(number, entry).unwrap());
        let (file, first, length) = table.finish().unwrap();
        assert_eq!((first, length, file.metadata().unwrap().len()), (1 << 30, 8, 8 * SIZE as u64));
        let mut bytes = [0; SIZE];
        file.read_exact_at(&mut bytes, 7 * SIZE as u64).unwrap();
        assert_eq!(Entry::parse(&bytes, IndexTable::Bios, (1 << 30) + 7), Ok(Some(entry)));
    }

    #[test]
    fn a_number_beyond_the_limit_is_an_error() {
        assert!(TableWriter::new(IndexTable::Ios).unwrap().add(LARGEST + 1, Entry::default()).is_err());
    }
}
