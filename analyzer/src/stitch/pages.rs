//! Which I/O wrote which bytes of the page cache that are not on the disk yet.
//!
//! Of bytes that were written twice the later I/O counts: the earlier one's never reach the disk.

use crate::model::IoId;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A file: `dev_t` of its file system and inode number.
pub type FileKey = (u64, u64);

/// Ranges of each file by their beginning: end, and the I/O that wrote them.
#[derive(Debug, Default)]
pub struct Dirty(FxHashMap<FileKey, BTreeMap<u64, (u64, IoId)>>);

impl Dirty {
    /// An I/O writes bytes `from..to`.
    pub fn write(&mut self, file: FileKey, from: u64, to: u64, io: IoId) {
        if from < to {
            self.take(file, from, to);
            self.0.entry(file).or_default().insert(from, (to, io));
        }
    }

    /// Bytes `from..to` are on their way to the disk: which I/O had written which of them, in order.
    pub fn take(&mut self, file: FileKey, from: u64, to: u64) -> Vec<(IoId, u64, u64)> {
        let Some(ranges) = self.0.get_mut(&file) else { return Vec::new() };
        let before = ranges.range(..from).next_back().filter(|(_, (end, _))| *end > from).map(|(b, _)| *b);
        let within = ranges.range(from..to).map(|(begin, _)| *begin);
        let touched: Vec<_> = before.into_iter().chain(within).collect();
        let mut taken = Vec::with_capacity(touched.len());
        for begin in touched {
            let Some((end, io)) = ranges.remove(&begin) else { continue };
            if begin < from {
                ranges.insert(begin, (from, io));
            }
            if end > to {
                ranges.insert(to, (end, io));
            }
            taken.push((io, begin.max(from), end.min(to)));
        }
        if ranges.is_empty() {
            self.0.remove(&file);
        }
        taken
    }

    /// Bytes `from..to` of a file will not be asked about any more, as far as this I/O has written them.
    pub fn forget(&mut self, file: FileKey, from: u64, to: u64, io: IoId) {
        for (other, from, to) in self.take(file, from, to) {
            if other != io {
                self.0.entry(file).or_default().insert(from, (to, other));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileKey = (8, 131);

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
        dirty.forget(FILE, 0, 100, 1);
        assert_eq!(dirty.take(FILE, 0, 100), [(2, 40, 60)]);
        assert!(dirty.0.is_empty());
    }

    #[test]
    fn what_is_beyond_the_bio_stays() {
        let mut dirty = Dirty::default();
        dirty.write(FILE, 0, 10000, 1);
        assert_eq!(dirty.take(FILE, 4096, 8192), [(1, 4096, 8192)]);
        assert_eq!(dirty.take(FILE, 0, 20000), [(1, 0, 4096), (1, 8192, 10000)]);
    }
}
