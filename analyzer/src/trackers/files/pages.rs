//! Which I/O has which bytes of files: of the page cache, those that are not on the disk yet.

use crate::hash::Map;
use crate::model::IoId;
use bincode::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

/// A file: `dev_t` of its file system and inode number.
pub type FileKey = (u64, u64);

/// An I/O and the bytes of a file that it has: the first, and one past the last.
pub type Piece = (IoId, u64, u64);

/// Ranges of each file by their beginning: end, and the I/O that wrote them.
#[derive(Debug, Default, Encode, Decode)]
pub struct Dirty {
    files: Map<FileKey, BTreeMap<u64, (u64, IoId)>>,
    /// The same ranges by I/O: file and beginning.
    of_io: BTreeSet<(IoId, FileKey, u64)>,
}

impl Dirty {
    /// An I/O has these bytes, which no other one has.
    pub fn insert(&mut self, file: FileKey, (io, from, to): Piece) {
        if from < to {
            self.files.entry(file).or_default().insert(from, (to, io));
            self.of_io.insert((io, file, from));
        }
    }

    /// Which I/O has which of the bytes `from..to`, in order; they stay.
    pub fn overlapping(&self, file: FileKey, from: u64, to: u64) -> Vec<Piece> {
        let Some(ranges) = self.files.get(&file) else { return Vec::new() };
        let before = ranges.range(..from).next_back().filter(|(_, (end, _))| *end > from);
        let touched = before.into_iter().chain(ranges.range(from..to.max(from)));
        touched.map(|(begin, (end, io))| (*io, (*begin).max(from), (*end).min(to))).collect()
    }

    /// The end of the range that begins there, and the I/O that wrote it; it is no longer there.
    fn remove(&mut self, file: FileKey, from: u64) -> Option<(u64, IoId)> {
        let ranges = self.files.get_mut(&file)?;
        let (to, io) = ranges.remove(&from)?;
        if ranges.is_empty() {
            self.files.remove(&file);
        }
        self.of_io.remove(&(io, file, from));
        Some((to, io))
    }

    /// Takes bytes `from..to` away: which I/O had which of them, in order.
    pub fn take(&mut self, file: FileKey, from: u64, to: u64) -> Vec<Piece> {
        let Some(ranges) = self.files.get(&file) else { return Vec::new() };
        let before = ranges.range(..from).next_back().filter(|(_, (end, _))| *end > from).map(|(b, _)| *b);
        let within = ranges.range(from..to.max(from)).map(|(begin, _)| *begin);
        let touched: Vec<_> = before.into_iter().chain(within).collect();
        let mut taken = Vec::with_capacity(touched.len());
        for begin in touched {
            let Some((end, io)) = self.remove(file, begin) else { continue };
            if begin < from {
                self.insert(file, (io, begin, from));
            }
            if end > to {
                self.insert(file, (io, to, end));
            }
            taken.push((io, begin.max(from), end.min(to)));
        }
        taken
    }

    /// What an I/O has is forgotten.
    pub fn forget(&mut self, io: IoId) {
        let of_io = (io, (0, 0), 0)..=(io, (u64::MAX, u64::MAX), u64::MAX);
        let ranges: Vec<_> = self.of_io.range(of_io).map(|(_, file, from)| (*file, *from)).collect();
        for (file, from) in ranges {
            self.remove(file, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileKey = (8, 131);

    impl Dirty {
        fn write(&mut self, file: FileKey, from: u64, to: u64, io: IoId) {
            if from < to {
                self.take(file, from, to);
                self.insert(file, (io, from, to));
            }
        }
    }

    #[test]
    fn a_page_has_the_bytes_of_all_who_wrote_into_it() {
        let mut dirty = Dirty::default();
        dirty.write(FILE, 0, 59, 1);
        dirty.write(FILE, 59, 118, 2);
        dirty.write((8, 7), 0, 10, 9);
        assert_eq!(dirty.take(FILE, 0, 4096), [(1, 0, 59), (2, 59, 118)]);
        assert_eq!(dirty.take(FILE, 0, 4096), []);
    }

    #[test]
    fn a_later_write_takes_the_place_of_an_earlier_one() {
        let mut dirty = Dirty::default();
        dirty.write(FILE, 0, 100, 1);
        dirty.write(FILE, 40, 60, 2);
        assert_eq!(dirty.take(FILE, 0, 100), [(1, 0, 40), (2, 40, 60), (1, 60, 100)]);
    }

    #[test]
    fn what_an_io_has_written_can_be_forgotten() {
        let mut dirty = Dirty::default();
        dirty.write(FILE, 0, 100, 1);
        dirty.write(FILE, 40, 60, 2);
        dirty.forget(1);
        assert_eq!(dirty.take(FILE, 0, 100), [(2, 40, 60)]);
        assert!(dirty.files.is_empty() && dirty.of_io.is_empty());
    }

    #[test]
    fn what_is_beyond_the_bio_stays() {
        let mut dirty = Dirty::default();
        dirty.write(FILE, 0, 10000, 1);
        assert_eq!(dirty.take(FILE, 4096, 8192), [(1, 4096, 8192)]);
        assert_eq!(dirty.take(FILE, 0, 20000), [(1, 0, 4096), (1, 8192, 10000)]);
    }

    #[test]
    fn what_was_taken_whole_is_not_kept() {
        for (from, to, left) in [(0, 100, 0), (0, 99, 1), (1, 100, 1), (1, 99, 2), (100, 200, 1)] {
            let mut dirty = Dirty::default();
            dirty.write(FILE, 0, 100, 1);
            dirty.write(FILE, 50, 50, 2);
            dirty.take(FILE, from, to);
            assert_eq!(dirty.of_io.len(), left, "{from}..{to}");
            assert_eq!(dirty.files.values().map(BTreeMap::len).sum::<usize>(), left);
        }
    }
}
