//! Pages of ftrace's ring buffer (kernel/trace/ring_buffer.c), one after the other, for one vCPU.
//!
//! A page has 4096 bytes: the time of its first event (8), how many bytes of events follow (8), the events. An event begins
//! with 32 bits: the length of its data in words of 4 bytes (5 bits), and the nanoseconds since the event before it (27 bits);
//! data follows. More nanoseconds than fit are in an event of their own ([`TIME_EXTEND`]).

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes of a page before its events.
pub const PAGE_HEAD: usize = 16;
/// `RINGBUF_TYPE_TIME_EXTEND`: the upper bits of a difference of times follow.
const TIME_EXTEND: u32 = 30;
/// `TS_SHIFT`: bits of a difference of times.
const DELTA_BITS: u32 = 27;

/// The events of a vCPU, in a file without a name until all of them are known.
#[derive(Debug)]
pub struct RingPages {
    out: BufWriter<File>,
    page: Vec<u8>,
    /// Time of the last event.
    last: u64,
    pages: u64,
}

impl RingPages {
    /// Nothing yet; the file is made in a folder.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let out = BufWriter::with_capacity(1 << 16, tempfile::tempfile_in(folder)?);
        Ok(Self { out, page: Vec::with_capacity(PAGE), last: 0, pages: 0 })
    }

    /// An event; its data has at most 112 bytes. A time before that of the last event is that of the last event.
    ///
    /// # Errors
    /// Those of the system.
    pub fn add(&mut self, at: u64, data: &[u8]) -> io::Result<()> {
        let words = data.len().div_ceil(4);
        // With a time before it.
        let size = 8 + 4 + words * 4;
        if self.page.len() + size > PAGE {
            self.flush()?;
        }
        let at = at.max(self.last);
        if self.page.is_empty() {
            self.page.extend(at.to_le_bytes());
            self.page.extend([0; PAGE_HEAD - 8]);
            self.last = at;
        }
        let delta = at - self.last;
        self.last = at;
        let (upper, lower) = (delta >> DELTA_BITS, (delta & ((1 << DELTA_BITS) - 1)) as u32);
        // 2^59 ns are 18 years.
        let upper = u32::try_from(upper).unwrap_or(u32::MAX);
        let mut within = lower;
        if upper != 0 {
            self.page.extend((TIME_EXTEND | lower << 5).to_le_bytes());
            self.page.extend(upper.to_le_bytes());
            within = 0;
        }
        self.page.extend((words as u32 | within << 5).to_le_bytes());
        self.page.extend(data);
        self.page.resize(self.page.len().next_multiple_of(4), 0);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let commit = (self.page.len() - PAGE_HEAD) as u64;
        self.page[8..PAGE_HEAD].copy_from_slice(&commit.to_le_bytes());
        self.page.resize(PAGE, 0);
        self.out.write_all(&self.page)?;
        self.page.clear();
        self.pages += 1;
        Ok(())
    }

    /// All events are there: the file, at its begin, and its bytes.
    ///
    /// # Errors
    /// Those of the system.
    pub fn finish(mut self) -> io::Result<(File, u64)> {
        self.flush()?;
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok((file, self.pages * PAGE as u64))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Read;

    /// The events of pages: time and data.
    pub fn events(pages: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        for page in pages.chunks(PAGE) {
            let long = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
            let word = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap());
            let (mut time, mut at, end) = (long(0), PAGE_HEAD, PAGE_HEAD + long(8) as usize);
            while at < end {
                let (kind, delta) = (word(at) & 31, u64::from(word(at) >> 5));
                time += delta;
                at += 4;
                if kind == TIME_EXTEND {
                    time += u64::from(word(at)) << DELTA_BITS;
                    at += 4;
                } else {
                    found.push((time, page[at..at + kind as usize * 4].to_vec()));
                    at += kind as usize * 4;
                }
            }
            assert_eq!(at, end);
        }
        found
    }

    #[test]
    fn events_are_read_back_with_their_times() {
        let mut ring = RingPages::new(&std::env::temp_dir()).unwrap();
        let times = (0..1000_u64)
            .map(|i| i * 7 + if i > 500 { 3 << 40 } else { 0 } + if i > 900 { 1 << 27 } else { 0 });
        let expected: Vec<_> = times.map(|at| (at, vec![at as u8; 4 + at as usize % 3 * 4])).collect();
        expected.iter().for_each(|(at, data)| ring.add(*at, data).unwrap());
        let (mut file, bytes) = ring.finish().unwrap();
        let mut pages = Vec::new();
        file.read_to_end(&mut pages).unwrap();
        assert_eq!((pages.len() as u64, bytes % PAGE as u64), (bytes, 0));
        assert_eq!(events(&pages), expected);
    }

    #[test]
    fn time_does_not_run_backwards() {
        let mut ring = RingPages::new(&std::env::temp_dir()).unwrap();
        ring.add(50, &[1; 4]).unwrap();
        ring.add(40, &[2; 4]).unwrap();
        let mut pages = Vec::new();
        ring.finish().unwrap().0.read_to_end(&mut pages).unwrap();
        assert_eq!(events(&pages), [(50, vec![1; 4]), (50, vec![2; 4])]);
    }
}
