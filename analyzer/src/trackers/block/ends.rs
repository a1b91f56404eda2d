//! How bios end: with their own bytes, or with the last of the bios they wait for.

use super::bios::{BioTracker, RequestHistory};
use super::live::conclude;
use super::object::{ClockAndTask, now};
use crate::model::BlockKind;
use crate::trackers::counts::Oddity;
use crate::trackers::fact::Fact;
use crate::trackers::sink::Sink;
use iotrace_format::role::Role;

impl BioTracker {
    /// A bio is complete, or its own part of it is.
    pub fn end(&mut self, fact: &Fact<'_>, requests: &impl RequestHistory, out: &mut dyn Sink) {
        let (roles, at) = (fact.roles, now(&fact.context));
        let Some(pointer) = roles.get(Role::Bio) else {
            self.counts.add(Oddity::WordMissing, 1);
            return;
        };
        self.refresh(pointer, roles);
        let chained = roles.get(Role::BioChained).is_some_and(|c| c != 0);
        let remaining = roles.get(Role::BioRemaining).filter(|_| chained).unwrap_or(1);
        let traced = roles.get(Role::BioTraced).is_some_and(|t| t != 0);
        let Some(live) = self.live.get_mut(&pointer) else {
            // Seen of bios that end before they are queued: a check failed, or a clone of no device.
            if remaining <= 1 {
                self.copy_ended(pointer, at.0);
            }
            let copied = self.clones.ended(pointer, remaining <= 1);
            let known = self.mapped.remove(&pointer) || copied;
            self.counts.add(Oddity::BioEndUnknown, u64::from(!known));
            if remaining <= 1 {
                self.unknown_end(fact, traced, requests, out);
            }
            return;
        };
        live.traced = traced;
        live.bio.status = roles.get(Role::BioStatus).unwrap_or(0);
        live.remaining = live.remaining.saturating_sub(1);
        if live.remaining == 0 {
            self.done(at, pointer, requests, out);
        } else {
            self.own_part_ended(pointer, at.0, requests, out);
        }
    }

    /// Its own part may be over, others are not: what it was in a request for is done, if that is completed. Otherwise a
    /// copy of it has ended, which counts as one of its ends (`bio_inc_remaining`).
    fn own_part_ended(
        &mut self,
        pointer: u64,
        clock: u64,
        requests: &impl RequestHistory,
        out: &mut dyn Sink,
    ) {
        let Some(live) = self.live.get_mut(&pointer) else { return };
        if !live.leave_completed(clock, requests) || live.rest_mut().is_none() {
            return;
        }
        if let Some(mut rest) = live.passed.pop() {
            let disorder = conclude(&mut rest, live.bio.status, Some(clock));
            self.counts.add(Oddity::StageOrder, disorder);
            out.bio(rest);
        }
    }

    fn unknown_end(
        &mut self,
        fact: &Fact<'_>,
        traced: bool,
        requests: &impl RequestHistory,
        out: &mut dyn Sink,
    ) {
        let at = now(&fact.context);
        if traced {
            out.block_event(self.seen(fact.roles).block_event(BlockKind::BioComplete, at));
        }
        if let Some(over) = self.parent(fact.roles).and_then(|parent| self.child_over(parent, 0)) {
            self.done(at, over, requests, out);
        }
    }

    /// A bio is over; the bios that wait for it may be as well, one after the other (`goto again` in `bio_endio`).
    fn done(&mut self, at: ClockAndTask, pointer: u64, requests: &impl RequestHistory, out: &mut dyn Sink) {
        let mut over = Some(pointer);
        while let Some((parent, status)) = over.take().and_then(|bio| self.over(at, bio, requests, out)) {
            over = self.child_over(parent, status);
        }
    }

    /// Gives a bio that is over; the bio that waits for it, if there is one, and its status.
    fn over(
        &mut self,
        (clock, task): ClockAndTask,
        pointer: u64,
        requests: &impl RequestHistory,
        out: &mut dyn Sink,
    ) -> Option<(u64, u64)> {
        let mut live = self.live.remove(&pointer)?;
        live.report_queued(out);
        live.leave(clock, requests);
        self.settle_source(&mut live);
        if live.traced {
            out.block_event(live.now.block_event(BlockKind::BioComplete, (clock, task)));
        }
        let bio = live.innermost();
        // A driver that took a copy for itself (`md_account_bio`) has served it: no bio of another device is its own.
        let was_served = bio.request.is_some() || bio.parts > 0 || !bio.copies.is_empty();
        if !was_served && bio.bytes > 0 && live.bio.status == 0 {
            self.counts.add(Oddity::BioWithoutRequest, 1);
        }
        let (parent, status) = (live.parent, live.bio.status);
        let (bios, disorder) = live.into_bios(Some(clock));
        self.counts.add(Oddity::StageOrder, disorder);
        bios.into_iter().for_each(|bio| out.bio(bio));
        parent.map(|parent| (parent, status))
    }

    /// A bio that another one waits for is over; the other one, if that is over with it.
    fn child_over(&mut self, parent: u64, status: u64) -> Option<u64> {
        // A parent that was not queued yet brings its own count when it is.
        let live = self.live.get_mut(&parent)?;
        if live.bio.status == 0 {
            live.bio.status = status;
        }
        live.remaining = live.remaining.saturating_sub(1);
        (live.remaining == 0).then_some(parent)
    }
}
