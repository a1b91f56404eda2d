//! Merges, of bios into requests and of requests into each other, and insertions, which may turn out to
//! be such merges.

use super::probes::RoleValues;
use super::requests::ObjectState;
use super::{Oddity, Open, Sink, Stitcher};
use crate::model::{BlockKind, Join};
use iotrace_format::event::Event;
use iotrace_format::role::Role;

/// Most times that a bio is followed into a request that its own is merged into: as many as there are segments in a
/// request, each of which may have come by a merge (`BLK_MAX_SEGMENTS`, include/linux/blkdev.h).
const MOST: u32 = 128;

/// An insertion that may yet turn out to be a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingInsert {
    pub rq: u64,
    clock: u64,
    seen: Option<ObjectState>,
}

impl Stitcher {
    pub(super) fn bio_merge(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        join: Join,
        out: &mut dyn Sink,
    ) -> Open {
        let (Some(rq), Some(bio)) = (self.meet(event, words, out), words.get(Role::Bio)) else {
            self.word_missing();
            return Open::Plain;
        };
        let mut seen = ObjectState::bio(words, &self.codes);
        seen.dev = words.get(Role::BioDev).or(words.get(Role::RequestDev)).unwrap_or(0);
        if !words.has_exit() {
            self.bio_merged(event.clock, (rq, bio), seen, join, out);
        }
        Open::Join { rq, bio, seen: Box::new(seen), join }
    }

    pub(super) fn bio_merged(
        &mut self,
        clock: u64,
        (rq, bio): (u64, u64),
        mut seen: ObjectState,
        join: Join,
        out: &mut dyn Sink,
    ) {
        if !self.requests.contains_key(&rq) {
            self.counts.add(Oddity::RequestUnknown, 1);
        }
        self.board(clock, bio, rq, join);
        seen.dev = self.bios.get(&bio).map_or(seen.dev, |live| live.bio.dev);
        match join {
            Join::Back => out.block_event(seen.block_event(BlockKind::BackMerge, clock)),
            Join::Front => out.block_event(seen.block_event(BlockKind::FrontMerge, clock)),
            // Discards are merged without a tracepoint.
            _ => {}
        }
    }

    pub(super) fn rq_merge(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) -> Open {
        let (Some(rq), Some(next)) = (self.meet(event, words, out), words.get(Role::NextRequest)) else {
            self.word_missing();
            return Open::Plain;
        };
        Open::Merge { rq, next, seen: Box::new(ObjectState::next(words, &self.codes)) }
    }

    pub(super) fn rq_merged(
        &mut self,
        clock: u64,
        (rq, next): (u64, u64),
        seen: ObjectState,
        out: &mut dyn Sink,
    ) {
        out.block_event(seen.rq_event(BlockKind::RqMerge, clock));
        self.pending.retain(|pending| pending.rq != next);
        let into = self.requests.get(&rq).map(|request| request.id);
        let Some(merged) = self.requests.get_mut(&next) else {
            self.counts.add(Oddity::RequestUnknown, 1);
            return;
        };
        merged.merged_into = into;
        for (id, bio) in merged.hand_on() {
            let Some(live) = self.bios.get_mut(&bio).filter(|live| live.bio.id == id) else { continue };
            live.merges += 1;
            if live.merges > MOST {
                self.counts.add(Oddity::MergedTooOften, 1);
                continue;
            }
            live.bio.other_requests.extend(live.bio.request);
            live.leave(clock, &self.requests);
            self.board(clock, bio, rq, Join::WithRequest);
        }
    }

    pub(super) fn rq_insert(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        out: &mut dyn Sink,
    ) -> Open {
        self.settle_inserts(out);
        let Some(rq) = self.meet(event, words, out) else {
            self.word_missing();
            return Open::Plain;
        };
        self.pending.push(PendingInsert {
            rq,
            clock: event.clock,
            seen: ObjectState::rq(words, &self.codes),
        });
        if !words.has_exit() {
            self.settle_inserts(out);
        }
        Open::Insert { rq }
    }

    pub(super) fn rq_insert_done(&mut self, rq: u64, inserted: bool, out: &mut dyn Sink) {
        if !inserted {
            self.pending.retain(|pending| pending.rq != rq);
        }
        self.settle_inserts(out);
    }

    /// Insertions whose exit was not seen (it left by a tail call), but that were no merges either.
    pub(super) fn settle_inserts(&mut self, out: &mut dyn Sink) {
        for PendingInsert { rq, clock, seen } in std::mem::take(&mut self.pending) {
            if let Some(request) = self.requests.get_mut(&rq) {
                request.inserted.push(clock);
            }
            if let Some(seen) = seen {
                out.block_event(seen.rq_event(BlockKind::RqInsert, clock));
            }
        }
    }
}
