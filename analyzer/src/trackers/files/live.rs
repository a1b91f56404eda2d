//! I/Os under way, or whose bytes are not written yet, and what became of their bytes.

use super::pages::{Dirty, FileKey, Piece};
use crate::model::{BioId, Carried, File, Io, IoId, IoKind};
use bincode::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

/// Most I/Os that may be under way, or have bytes that no bio has carried: those of a file in memory never are.
pub const MOST: usize = 1 << 16;

/// An I/O under way, or whose bytes are not written yet.
#[derive(Debug, Encode, Decode)]
pub struct LiveIo {
    pub io: Io,
    /// Bytes of it in the page cache that are not on their way to a disk.
    pub dirty: u64,
    /// Where it reads or writes is known for certain.
    pub is_settled: bool,
    /// Its file is one that it reads.
    pub reads_file: bool,
    /// Work items that originate from it, and are not over.
    pub awaited: u32,
    /// It will not be seen to return: its task is gone, or the return was missed.
    pub is_lost: bool,
}

impl LiveIo {
    pub fn new(io: Io) -> Self {
        Self { io, dirty: 0, is_settled: false, reads_file: false, awaited: 0, is_lost: false }
    }

    /// Where the I/O reads or writes first is certain, unless that is another file of the same file system.
    pub fn settle(&mut self, (dev, ino): FileKey, position: u64) {
        let is_other = |file: &File| file.ino != 0 && file.dev == dev && file.ino != ino;
        if !self.is_settled
            && !self.io.file.as_ref().is_some_and(is_other)
            && matches!(self.io.kind, IoKind::Syscall | IoKind::OtherSyscall | IoKind::Entry)
        {
            (self.io.position, self.is_settled) = (Some(position), true);
        }
    }
}

/// What becomes of dirty bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Another I/O writes over them.
    Overwritten,
    /// They are dropped from the page cache.
    Dropped,
    /// They do not count: fewer bytes were copied than requested, or the same I/O copies them again.
    NotCopied,
    /// A bio carries them.
    Carried,
}

/// I/Os under way, or whose bytes are not written yet.
#[derive(Debug, Default, Encode, Decode)]
pub struct LiveIos {
    live: BTreeMap<IoId, LiveIo>,
    /// Those among them that have returned.
    returned: BTreeSet<IoId>,
    dirty: Dirty,
    /// Bytes in bios that have not ended.
    in_flight: Dirty,
}

/// How many bytes a piece has; none if the state of an index has it the wrong way round.
fn bytes_of((_, from, to): &Piece) -> u64 {
    to.saturating_sub(*from)
}

impl LiveIos {
    pub fn insert(&mut self, live: LiveIo) {
        self.live.insert(live.io.id, live);
    }

    pub fn get_mut(&mut self, io: IoId) -> Option<&mut LiveIo> {
        self.live.get_mut(&io)
    }

    pub fn set_returned(&mut self, io: IoId) {
        self.returned.insert(io);
    }

    /// Work that originates from an I/O is queued or over.
    pub fn awaits(&mut self, io: IoId, change: i32) {
        if let Some(live) = self.live.get_mut(&io) {
            live.awaited = live.awaited.saturating_add_signed(change);
        }
    }

    /// All, in the order of their numbers.
    pub fn take_all(&mut self) -> Vec<Io> {
        std::mem::take(&mut self.live).into_values().map(|live| live.io).collect()
    }

    /// An I/O that has returned or will not be seen to, if none of its bytes are left in the page cache.
    pub fn take_if_over(&mut self, io: IoId) -> Option<Io> {
        let live = self.live.get(&io)?;
        let is_open = live.io.left.is_none() && !live.is_lost;
        if is_open || live.dirty > 0 || live.awaited > 0 {
            return None;
        }
        self.remove(io)
    }

    /// If there are too many, the oldest as it is, those before the others that only wait for a bio.
    pub fn take_oldest(&mut self) -> Option<Io> {
        if self.live.len() < MOST {
            return None;
        }
        let id = *self.returned.first().or(self.live.keys().next())?;
        self.dirty.forget(id);
        self.in_flight.forget(id);
        self.remove(id)
    }

    fn remove(&mut self, io: IoId) -> Option<Io> {
        self.returned.remove(&io);
        self.live.remove(&io).map(|live| live.io)
    }

    /// An I/O puts bytes into the page cache: which pieces of others were there.
    pub fn write(&mut self, file: FileKey, from: u64, to: u64, io: IoId) -> Vec<Piece> {
        if from >= to {
            return Vec::new();
        }
        let replaced = self.dirty.take(file, from, to);
        for piece in &replaced {
            // Bytes that it writes twice count once.
            self.settle(piece, if piece.0 == io { Fate::NotCopied } else { Fate::Overwritten });
        }
        self.put(file, (io, from, to));
        if let Some(live) = self.live.get_mut(&io) {
            live.io.cached = live.io.cached.saturating_add(to - from);
        }
        replaced
    }

    /// Of the bytes that an I/O put into the page cache the last ones were not copied; what it replaced there comes back.
    pub fn unwrite(&mut self, file: FileKey, (from, to): (u64, u64), io: IoId, replaced: &[Piece]) {
        if from >= to {
            return;
        }
        let taken = self.dirty.take(file, from, to);
        let known: u64 = taken.iter().map(bytes_of).fold(0, u64::saturating_add);
        self.forget_dropped(io, (to - from).saturating_sub(known));
        let (own, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(|piece| piece.0 == io);
        own.iter().for_each(|piece| self.settle(piece, Fate::NotCopied));
        others.into_iter().for_each(|piece| self.dirty.insert(file, piece));
        for (of, begin, end) in own {
            for (other, first, last) in replaced {
                let (first, last) = ((*first).max(begin), (*last).min(end));
                if first < last && *other != of {
                    self.put(file, (*other, first, last));
                    if let Some(live) = self.live.get_mut(other) {
                        live.io.overwritten = live.io.overwritten.saturating_sub(last - first);
                    }
                }
            }
        }
    }

    /// Bytes that were dropped were never copied: they do not count at all.
    fn forget_dropped(&mut self, io: IoId, bytes: u64) {
        if let Some(live) = self.live.get_mut(&io) {
            let bytes = bytes.min(live.io.dropped);
            (live.io.dropped, live.io.cached) =
                (live.io.dropped - bytes, live.io.cached.saturating_sub(bytes));
        }
    }

    /// An I/O has copied these bytes into the page cache: those of them that were dropped while it did, it copied again.
    pub fn rewrite(&mut self, file: FileKey, (from, to): (u64, u64), io: IoId) {
        let Some(live) = self.live.get(&io) else { return };
        if live.io.dropped == 0 || from >= to {
            return;
        }
        let mut known = self.dirty.overlapping(file, from, to);
        known.extend(live.io.carried.iter().map(|carried| (io, carried.from, carried.to)));
        known.sort_unstable_by_key(|piece| piece.1);
        for (io, from, to) in without((io, from, to), &known) {
            self.put(file, (io, from, to));
            if let Some(live) = self.live.get_mut(&io) {
                live.io.dropped = live.io.dropped.saturating_sub(to - from);
            }
        }
    }

    /// Bytes are dropped from the page cache: the I/Os that had written them.
    pub fn discard(&mut self, file: FileKey, from: u64, to: u64) -> Vec<IoId> {
        let taken = self.dirty.take(file, from, to);
        taken.iter().for_each(|piece| self.settle(piece, Fate::Dropped));
        taken.into_iter().map(|piece| piece.0).collect()
    }

    /// A bio carries bytes of a file: which I/Os had written which of them. Of a copy of
    /// a bio that is under way, the same; what is left of a bio that was split is no copy.
    pub fn carry(
        &mut self,
        (file, from, to): (FileKey, u64, u64),
        bio: BioId,
        may_be_copy: bool,
    ) -> Vec<Carried> {
        let fresh = self.dirty.take(file, from, to);
        let copied = if may_be_copy { self.in_flight.overlapping(file, from, to) } else { Vec::new() };
        for piece in &fresh {
            self.settle(piece, Fate::Carried);
            self.in_flight.take(file, piece.1, piece.2);
            self.in_flight.insert(file, *piece);
        }
        let copies = copied.into_iter().flat_map(|copy| without(copy, &fresh));
        let mut carries: Vec<_> = fresh.iter().copied().chain(copies).collect();
        carries.sort_unstable_by_key(|(_, from, _)| *from);
        let carries: Vec<_> =
            carries.into_iter().map(|(io, from, to)| Carried { io, bio, from, to }).collect();
        for carried in &carries {
            if let Some(live) = self.live.get_mut(&carried.io) {
                live.io.carried.push(*carried);
            }
        }
        carries
    }

    /// A bio with bytes of a file has ended.
    pub fn landed(&mut self, file: FileKey, from: u64, to: u64) {
        self.in_flight.take(file, from, to);
    }

    fn put(&mut self, file: FileKey, piece: Piece) {
        self.dirty.insert(file, piece);
        if let Some(live) = self.live.get_mut(&piece.0) {
            live.dirty = live.dirty.saturating_add(bytes_of(&piece));
        }
    }

    fn settle(&mut self, piece: &Piece, fate: Fate) {
        let Some(LiveIo { io, dirty, .. }) = self.live.get_mut(&piece.0) else { return };
        let bytes = bytes_of(piece);
        *dirty = dirty.saturating_sub(bytes);
        match fate {
            Fate::Overwritten => io.overwritten = io.overwritten.saturating_add(bytes),
            Fate::Dropped => io.dropped = io.dropped.saturating_add(bytes),
            Fate::NotCopied => io.cached = io.cached.saturating_sub(bytes),
            Fate::Carried => io.written = io.written.saturating_add(bytes),
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.live.len()
    }
}

/// The parts of a piece that are in none of others, which are in order.
fn without((io, from, to): Piece, others: &[Piece]) -> Vec<Piece> {
    let (mut at, mut rest) = (from, Vec::new());
    for (_, begin, end) in others {
        if *begin > at {
            rest.push((io, at, (*begin).min(to)));
        }
        at = at.max(*end);
    }
    rest.push((io, at, to));
    rest.retain(|(_, from, to)| from < to);
    rest
}
