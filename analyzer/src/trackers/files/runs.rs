//! The bytes of files that bios have in them.
//!
//! In: `bio_pages` events, which come before the bio that they are about is queued; the event of older traces, which
//! has the first page. Out: runs of bytes of files, and again when the bio ends.

use super::LARGEST;
use super::pages::FileKey;
use crate::hash::Map;
use crate::trackers::fact::QueuedBio;
use crate::trackers::probes::RoleValues;
use bincode::{Decode, Encode};
use iotrace_format::event::Event;
use iotrace_format::role::Role;

/// Bytes of a file: the first, and one past the last.
pub type ByteRun = (FileKey, u64, u64);

/// Most runs kept of bios that are about to be queued.
const MOST: usize = 1 << 16;

/// What is known of the bios that are about to be queued, and of those under way.
#[derive(Debug, Default, Encode, Decode)]
pub struct PageRuns {
    queued: Map<u64, Vec<ByteRun>>,
    waiting: usize,
    sent: Map<u64, Vec<ByteRun>>,
}

impl PageRuns {
    /// Bytes of a file are in a bio; what is not being written back is only read, or belongs to someone else.
    pub fn add(&mut self, event: &Event<'_>) {
        let [bio, dev, ino, from, length, writeback] = *event.words else { return };
        if self.waiting >= MOST {
            self.queued.clear();
            self.waiting = 0;
        }
        if writeback != 0 && from < LARGEST {
            let run = ((dev, ino), from, from.saturating_add(length).min(LARGEST));
            self.queued.entry(bio).or_default().push(run);
            self.waiting += 1;
        }
    }

    /// A bio is queued: the bytes of files in it.
    pub fn take(&mut self, bio: &QueuedBio, roles: &RoleValues<'_>, page_shift: u8) -> Vec<ByteRun> {
        let runs = self.queued.remove(&bio.pointer).unwrap_or_default();
        self.waiting = self.waiting.saturating_sub(runs.len());
        match first_page(roles, page_shift).filter(|_| runs.is_empty()) {
            Some((file, from)) => vec![(file, from, from.saturating_add(bio.bytes))],
            None => runs,
        }
    }

    /// Bytes of I/Os are on their way in a bio. Those of the one before at this address, whose end was not seen.
    pub fn sent(&mut self, bio: u64, runs: Vec<ByteRun>) -> Vec<ByteRun> {
        if self.sent.len() >= MOST {
            self.sent.clear();
        }
        self.sent.insert(bio, runs).unwrap_or_default()
    }

    /// Whether bytes of I/Os are on their way in a bio that was queued before.
    pub fn is_under_way(&self, bio: u64) -> bool {
        self.sent.contains_key(&bio)
    }

    /// A bio ended.
    pub fn ended(&mut self, bio: u64) -> Vec<ByteRun> {
        self.sent.remove(&bio).unwrap_or_default()
    }
}

/// The file and the position in it of the first byte of a bio whose pages are a file's, in traces without `bio_pages`.
fn first_page(words: &RoleValues<'_>, page_shift: u8) -> Option<(FileKey, u64)> {
    /// `PAGE_MAPPING_FLAGS`, include/linux/page-flags.h: the mapping of an anonymous page is something else.
    const FLAGS: u64 = 3;
    let mapping = words.get(Role::BioMapping).filter(|mapping| *mapping != 0 && mapping & FLAGS == 0);
    mapping?;
    let file = (words.get(Role::BioPageDev)?, words.get(Role::BioPageIno)?);
    let position = words.get(Role::BioIndex)?.checked_shl(page_shift.into())?;
    let from = position.checked_add(words.get(Role::BioOffset)?)?;
    (file.1 != 0 && from < LARGEST).then_some((file, from))
}
