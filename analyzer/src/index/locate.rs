//! Where a subject is: which objects belong to it, and between which clocks they were seen.

use super::SessionIndex;
use super::entry::{Entry, IN_WORKLOAD, IndexTable, RETURNED};
use super::file::IndexError;
use crate::analysis::subject::Wanted;
use crate::model::{BioId, IoId, RequestId};
use std::collections::BTreeSet;

/// The objects that belong to an I/O or a bio, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Located {
    /// The I/O; of a bio, those that it was queued for or carries bytes of.
    pub ios: BTreeSet<IoId>,
    /// The bios.
    pub bios: BTreeSet<BioId>,
    /// Their requests.
    pub requests: BTreeSet<RequestId>,
    /// From the first moment of I/Os and bios to the last of all, in instructions.
    pub window: (u64, u64),
    /// When those I/Os began that were not seen to return, of the I/O itself and of all that its bios were queued for.
    pub unreturned: BTreeSet<u64>,
}

impl Located {
    fn new() -> Self {
        Self { window: (u64::MAX, 0), ..Self::default() }
    }

    fn widen(&mut self, entry: &Entry) {
        self.window = (self.window.0.min(entry.from), self.window.1.max(entry.until));
    }

    fn note_return(&mut self, io: &Entry) {
        if io.flags & RETURNED == 0 {
            self.unreturned.insert(io.from);
        }
    }
}

impl SessionIndex {
    /// Where something is; none if the trace does not have it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub(crate) fn locate(&self, wanted: &Wanted) -> Result<Option<Located>, IndexError> {
        match wanted {
            Wanted::Io(io) => self.locate_io(*io),
            Wanted::Bio(bio) => self.locate_bio(*bio),
            Wanted::Syscall(name, at) => match self.call(name, *at)? {
                Some(io) => self.locate_io(io),
                None => Ok(None),
            },
        }
    }

    /// The slowest I/Os of the workload that concern a disk, the slowest first.
    pub(crate) fn slowest(&self) -> &[IoId] {
        &self.contents.slowest
    }

    fn locate_io(&self, io: IoId) -> Result<Option<Located>, IndexError> {
        let Some(entry) = self.entry(IndexTable::Ios, io)? else { return Ok(None) };
        let mut located = Located::new();
        located.ios.insert(io);
        located.widen(&entry);
        located.note_return(&entry);
        for bio in self.links(&entry)? {
            // One that was in flight at the trace's end may have no entry.
            if let Some(entry) = self.entry(IndexTable::Bios, bio)? {
                self.add_bio(&mut located, bio, &entry)?;
            }
        }
        Ok(Some(located))
    }

    fn locate_bio(&self, bio: BioId) -> Result<Option<Located>, IndexError> {
        let Some(entry) = self.entry(IndexTable::Bios, bio)? else { return Ok(None) };
        let mut located = Located::new();
        self.add_bio(&mut located, bio, &entry)?;
        for io in self.links(&entry)?.into_iter().take(entry.ios as usize) {
            if let Some(entry) = self.entry(IndexTable::Ios, io)? {
                located.ios.insert(io);
                located.widen(&entry);
            }
        }
        Ok(Some(located))
    }

    fn add_bio(&self, located: &mut Located, bio: BioId, entry: &Entry) -> Result<(), IndexError> {
        located.bios.insert(bio);
        located.widen(entry);
        let links = self.links(entry)?;
        let (ios, requests) = links.split_at(links.len().min(entry.ios as usize));
        for io in ios {
            if let Some(entry) = self.entry(IndexTable::Ios, *io)? {
                located.note_return(&entry);
            }
        }
        for request in requests.iter().copied() {
            if let Some(entry) = self.entry(IndexTable::Requests, request)? {
                located.requests.insert(request);
                located.window.1 = located.window.1.max(entry.until);
            }
        }
        Ok(())
    }

    /// The n-th call, from 1, of a system call in the workload.
    fn call(&self, name: &str, at: usize) -> Result<Option<IoId>, IndexError> {
        let Some(syscall) = self.contents.syscalls.iter().position(|known| known == name) else {
            return Ok(None);
        };
        let (mut left, mut found) = (at, None);
        self.scan(IndexTable::Ios, |io, entry| {
            let counts = usize::from(entry.syscall) == syscall && entry.flags & IN_WORKLOAD != 0;
            left = left.saturating_sub(usize::from(counts));
            found = Some(io).filter(|_| counts && left == 0);
            found.is_none() && left > 0
        })?;
        Ok(found)
    }
}
