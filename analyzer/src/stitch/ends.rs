//! How bios end: with their own bytes, or with the last of the bios they wait for.

use super::bios::SECTOR;
use super::probes::RoleValues;
use super::requests::ObjectState;
use super::stages::finish;
use super::{Oddity, Sink, Stitcher};
use crate::model::{BioStage, BlockEvent, BlockKind, StageMark};
use iotrace_format::event::Event;
use iotrace_format::role::Role;

impl Stitcher {
    pub(super) fn bio_end(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(pointer) = words.get(Role::Bio) else { return self.word_missing() };
        self.refresh(pointer, words);
        let chained = words.get(Role::BioChained).is_some_and(|c| c != 0);
        let remaining = words.get(Role::BioRemaining).filter(|_| chained).unwrap_or(1);
        let traced = words.get(Role::BioTraced).is_some_and(|t| t != 0);
        let Some(live) = self.bios.get_mut(&pointer) else {
            // Seen of bios that end before they are queued: a check failed, or a clone of no device.
            let known = self.mapped.remove(&pointer);
            self.counts.add(Oddity::BioEndUnknown, u64::from(!known));
            if remaining <= 1 {
                self.unknown_bio_end(event, words, traced, out);
            }
            return;
        };
        live.traced = traced;
        live.bio.status = words.get(Role::BioStatus).unwrap_or(0);
        live.remaining = live.remaining.saturating_sub(1);
        if live.remaining == 0 {
            self.bio_done(event.clock, pointer, out);
        } else {
            // Its own part is over, others are not: what it was in a request for is done.
            live.leave(event.clock, &self.requests);
        }
    }

    fn unknown_bio_end(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        traced: bool,
        out: &mut dyn Sink,
    ) {
        if traced {
            let seen = ObjectState::bio(words, &self.codes);
            out.block_event(seen.block_event(BlockKind::BioComplete, event.clock));
        }
        if let Some(parent) = self.parent_of(words) {
            self.child_done(event.clock, parent, 0, out);
        }
    }

    /// A bio is over; the bios that wait for it may be as well, one after the other (`goto again` in `bio_endio`).
    fn bio_done(&mut self, clock: u64, pointer: u64, out: &mut dyn Sink) {
        let mut over = Some(pointer);
        while let Some((parent, status)) = over.take().and_then(|bio| self.bio_over(clock, bio, out)) {
            over = self.child_over(parent, status);
        }
    }

    /// Gives a bio that is over; the bio that waits for it, if there is one, and its status.
    fn bio_over(&mut self, clock: u64, pointer: u64, out: &mut dyn Sink) -> Option<(u64, u64)> {
        let mut live = self.bios.remove(&pointer)?;
        live.leave(clock, &self.requests);
        let bio = &mut live.bio;
        bio.stages.push(StageMark { stage: BioStage::Ended, clock, shared: 1 });
        if live.traced {
            let (sector, bytes) = live.now;
            let (dev, op, sectors) = (bio.dev, bio.op, bytes / SECTOR);
            out.block_event(BlockEvent { kind: BlockKind::BioComplete, clock, dev, sector, sectors, op });
        }
        if bio.request.is_none() && bio.bytes > 0 && bio.status == 0 {
            self.counts.add(Oddity::BioWithoutRequest, 1);
        }
        let disorder = finish(bio);
        self.counts.add(Oddity::StageOrder, disorder);
        let status = bio.status;
        out.bio(live.bio);
        live.parent.map(|parent| (parent, status))
    }

    fn child_done(&mut self, clock: u64, parent: u64, status: u64, out: &mut dyn Sink) {
        if let Some(over) = self.child_over(parent, status) {
            self.bio_done(clock, over, out);
        }
    }

    /// A bio that another one waits for is over; the other one, if that is over with it.
    fn child_over(&mut self, parent: u64, status: u64) -> Option<u64> {
        // A parent that was not queued yet brings its own count when it is.
        let live = self.bios.get_mut(&parent)?;
        if live.bio.status == 0 {
            live.bio.status = status;
        }
        live.remaining = live.remaining.saturating_sub(1);
        (live.remaining == 0).then_some(parent)
    }
}
