//! Which bios are copies of which: those that stacked devices and file systems make.
//!
//! In: facts of copies. Out: the number of the bio that a bio which is queued is a copy of. A copy of a copy that was never
//! queued is one of the first. A copy may be queued, and end, before the bio that it is a copy of is queued: that one's
//! number is known from then on.

use super::bios::{BioCall, BioTracker};
use super::live::LiveBio;
use crate::hash::Map;
use crate::model::{Bio, BioCopy, BioId, Origin};
use crate::trackers::counts::Oddity;
use crate::trackers::fact::Fact;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;

/// Most copies that are not queued.
const MOST: usize = 1 << 16;
/// Most copies of copies that are followed: stacks of devices are no deeper.
const DEEPEST: usize = 8;

/// Copies that are not queued, by their addresses: what they are copies of.
#[derive(Debug, Default, Encode, Decode)]
pub struct CloneSources {
    sources: Map<u64, u64>,
    /// Numbers of bios that are not queued yet, by their addresses; copies of them that have ended.
    numbers: Map<u64, (BioId, u32)>,
}

impl CloneSources {
    /// A copy was made.
    pub fn insert(&mut self, clone: u64, source: u64) {
        if self.sources.len() >= MOST {
            self.sources.clear();
        }
        if clone != source {
            self.sources.insert(clone, source);
        }
    }

    /// A bio is queued, or ends: what it is a copy of.
    pub fn take(&mut self, clone: u64) -> Option<u64> {
        self.sources.remove(&clone)
    }

    /// What a bio that is not queued is a copy of.
    pub fn source(&self, clone: u64) -> Option<u64> {
        self.sources.get(&clone).copied()
    }

    /// A bio that is not queued is over, or (if not `for_good`) a copy of it is, which counts as one of its ends. Whether it
    /// is a copy, or has copies.
    pub fn ended(&mut self, bio: u64, for_good: bool) -> bool {
        let is_copy = self.sources.contains_key(&bio);
        let has_copies = self.numbers.contains_key(&bio);
        if for_good {
            self.sources.remove(&bio);
            self.numbers.remove(&bio);
        }
        is_copy || has_copies
    }

    /// The number of a bio that is queued, if a copy of it has ended, and how many have.
    pub fn take_number(&mut self, bio: u64) -> Option<(BioId, u32)> {
        self.numbers.remove(&bio)
    }
}

impl BioTracker {
    /// A bio is copied: the copy is known here, or when the call returns it.
    pub fn clone_bio(&mut self, fact: &Fact<'_>) {
        let Some(source) = fact.roles.get(Role::Parent) else {
            return self.counts.add(Oddity::WordMissing, 1);
        };
        // An inlined function may have nothing to copy, or not know it any more.
        if source == 0 {
            return;
        }
        match fact.roles.get(Role::Bio) {
            Some(clone) => self.copied(clone, source, fact.context.clock()),
            None => self.calls.insert(fact, BioCall::Clone { source }),
        }
    }

    /// A copy of a bio was made.
    pub(super) fn copied(&mut self, clone: u64, source: u64, clock: u64) {
        self.clones.insert(clone, source);
        let Some(copies) = self.copies_of(source) else { return };
        let is_new = !copies.iter().any(|copy| copy.pointer == clone && copy.to.is_none());
        if is_new && clone != source && copies.len() < Bio::MOST_COPIES {
            copies.push(BioCopy { pointer: clone, from: clock, to: None });
        }
    }

    /// A bio that is not queued is over: if it is a copy, it is none any more.
    pub(super) fn copy_ended(&mut self, clone: u64, clock: u64) {
        let copies = self.clones.source(clone).and_then(|source| self.copies_of(source));
        let mut copies = copies.into_iter().flatten();
        if let Some(copy) = copies.find(|copy| copy.pointer == clone && copy.to.is_none()) {
            copy.to = Some(clock);
        }
    }

    /// The copies of the bio in flight that something is a copy of.
    fn copies_of(&mut self, mut source: u64) -> Option<&mut Vec<BioCopy>> {
        for _ in 0..DEEPEST {
            if self.live.contains_key(&source) {
                break;
            }
            source = self.clones.source(source)?;
        }
        Some(&mut self.live.get_mut(&source)?.innermost_mut().copies)
    }

    /// Finds the number of the bio that a bio is a copy of, if that is queued by now.
    pub(super) fn resolve_source(&mut self, live: &mut LiveBio) {
        let Some(mut source) = live.source else { return };
        for _ in 0..DEEPEST {
            if let Some(whole) = self.live.get_mut(&source) {
                let whole = whole.innermost_mut();
                whole.parts += 1;
                whole.copies.retain(|copy| copy.pointer != live.bio.pointer);
                (live.source, live.bio.origin) = (None, Origin::Clone { of: whole.id });
                if live.bio.cause.is_none() {
                    live.bio.cause = whole.cause.clone();
                }
                return;
            }
            let Some(before) = self.clones.source(source) else { return };
            source = before;
        }
    }

    /// The same of all that are in flight.
    pub(super) fn resolve_sources(&mut self) {
        let copies = self.live.iter().filter(|(_, live)| live.source.is_some());
        let copies: Vec<_> = copies.map(|(pointer, _)| *pointer).collect();
        for pointer in copies {
            if let Some(mut live) = self.live.remove(&pointer) {
                self.resolve_source(&mut live);
                self.live.insert(pointer, live);
            }
        }
    }

    /// A bio is over: what it is a copy of has a number now, even if it is not queued yet.
    pub(super) fn settle_source(&mut self, live: &mut LiveBio) {
        self.resolve_source(live);
        let Some(source) = live.source.take() else { return };
        if self.clones.numbers.len() >= MOST {
            self.clones.numbers.clear();
        }
        let known = self.clones.numbers.get(&source).copied();
        let (of, copies) = known.unwrap_or_else(|| (self.next_id(), 0));
        self.clones.numbers.insert(source, (of, copies + 1));
        live.bio.origin = Origin::Clone { of };
    }
}
