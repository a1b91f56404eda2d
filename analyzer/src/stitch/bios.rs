//! Bios: queued, split, chained, ended.

use super::probes::RoleValues;
use super::requests::ObjectState;
use super::stages::{finish, ride_marks};
use super::{Oddity, Open, Sink, Stitcher};
use crate::hash::Map;
use crate::model::{Bio, BioStage, BlockKind, Join, Origin, Request, RequestId, StageMark};
use iotrace_format::event::Event;
use iotrace_format::role::Role;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// `ERR_PTR` values are the last 4095 addresses.
const ERRORS: u64 = u64::MAX - 4095;

/// A stay in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ride {
    /// The request's address.
    pub pointer: u64,
    /// Its number.
    pub request: RequestId,
    /// Since when, in instructions.
    pub from: u64,
    /// How it came in.
    pub join: Join,
}

/// A bio in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBio {
    /// What will be told of it.
    pub bio: Bio,
    /// What is left of it now: sector and bytes.
    pub now: (u64, u64),
    /// `BIO_TRACE_COMPLETION`.
    pub traced: bool,
    /// Ends that it still waits for (`__bi_remaining`); without `BIO_CHAIN` 1.
    pub remaining: u64,
    /// The bio that waits for it.
    pub parent: Option<u64>,
    /// The request it is in.
    pub ride: Option<Ride>,
    /// Times its request was merged into another.
    pub merges: u32,
}

impl LiveBio {
    /// Leaves its request; what that one went through meanwhile becomes the bio's own.
    pub fn leave(&mut self, clock: u64, requests: &Map<u64, Request>) {
        let Some(ride) = self.ride.take() else { return };
        let Some(request) = requests.get(&ride.pointer).filter(|rq| rq.id == ride.request) else { return };
        self.bio.stages.extend(ride_marks(request, &ride, clock));
        self.bio.requeues += request.requeues();
        self.bio.interrupt = super::stages::interrupt(request).or(self.bio.interrupt);
        self.bio.other_requests.extend(request.flushes.iter().filter_map(|flush| flush.request));
    }

    /// What is known of it when the trace ends.
    pub fn into_unfinished(mut self, requests: &Map<u64, Request>) -> Bio {
        self.leave(u64::MAX, requests);
        finish(&mut self.bio);
        self.bio
    }
}

impl Stitcher {
    pub(super) fn bio_queue(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(pointer) = words.get(Role::Bio) else { return self.word_missing() };
        let traced = words.get(Role::BioTraced);
        let known = self.bios.contains_key(&pointer);
        if known && traced == Some(0) {
            // Seen when the bio's end was not: its function is not probed in this kernel.
            self.counts.add(Oddity::BioQueuedTwice, 1);
            self.drop_bio(pointer, out);
        } else if known {
            // The rest of a split bio, or a bio that a stacked device passes on.
            return self.refresh(pointer, words);
        } else if traced.is_some_and(|t| t != 0) {
            // A clone of a traced bio, or a bio queued before the trace began: no tracepoint fires.
            self.counts.add(Oddity::BioSeenLate, 1);
        }
        let seen = ObjectState::bio(words, &self.codes);
        let mut live = self.new_bio(event, pointer, Origin::Queued, &seen);
        live.traced = true;
        self.attribute(event, words, &mut live.bio, out);
        self.bios.insert(pointer, live);
        self.refresh(pointer, words);
        if traced.is_none_or(|t| t == 0) {
            out.block_event(seen.block_event(BlockKind::BioQueue, event.clock));
        }
    }

    fn new_bio(&mut self, event: &Event<'_>, pointer: u64, origin: Origin, seen: &ObjectState) -> LiveBio {
        self.last_bio += 1;
        let bio = Bio {
            id: self.last_bio,
            pointer,
            origin,
            dev: seen.dev,
            sector: seen.sector,
            bytes: seen.bytes,
            op: seen.op,
            task: self.tasks.get(event.task),
            call: self.current_call(event),
            cause: None,
            carries: Vec::new(),
            in_workload: self.workload,
            request: None,
            join: None,
            other_requests: Vec::new(),
            requeues: 0,
            splits: 0,
            interrupt: None,
            status: 0,
            stages: vec![StageMark { stage: BioStage::Queued, clock: event.clock, shared: 1 }],
        };
        let now = (seen.sector, seen.bytes);
        LiveBio { bio, now, traced: false, remaining: 1, parent: None, ride: None, merges: 0 }
    }

    /// Takes over what an event says of a bio in flight.
    pub(super) fn refresh(&mut self, pointer: u64, words: &RoleValues<'_>) {
        let parent = self.parent_of(words);
        let Some(live) = self.bios.get_mut(&pointer) else { return };
        if let (Some(sector), Some(size)) = (words.get(Role::BioSector), words.get(Role::BioSize)) {
            live.now = (sector, size);
        }
        match (words.get(Role::BioChained), words.get(Role::BioRemaining)) {
            (Some(0), _) => live.remaining = 1,
            (Some(_), Some(remaining)) => live.remaining = remaining,
            _ => {}
        }
        if words.get(Role::BioEndIo).is_some() {
            live.parent = parent;
        }
    }

    /// The bio that waits for this one: `bi_private`, if its end is `bio_chain_endio`.
    pub(super) fn parent_of(&self, words: &RoleValues<'_>) -> Option<u64> {
        let end_io = self.symbols.get(&words.get(Role::BioEndIo)?)?;
        words.get(Role::BioPrivate).filter(|_| end_io == "bio_chain_endio")
    }

    /// Gives a bio whose end was missed.
    fn drop_bio(&mut self, pointer: u64, out: &mut dyn Sink) {
        if let Some(live) = self.bios.remove(&pointer) {
            out.bio(live.into_unfinished(&self.requests));
        }
    }

    pub(super) fn bio_enter(&mut self, words: &RoleValues<'_>) -> Open {
        let Some(bio) = words.get(Role::Bio) else { return Open::Plain };
        self.refresh(bio, words);
        Open::Enter { bio }
    }

    pub(super) fn bio_split(&mut self, words: &RoleValues<'_>) -> Open {
        let (Some(bio), Some(sectors)) = (words.get(Role::Bio), words.get(Role::Sectors)) else {
            return Open::Plain;
        };
        Open::Split {
            bio,
            seen: Box::new(ObjectState::bio(words, &self.codes)),
            sectors: sectors & u64::from(u32::MAX),
        }
    }

    pub(super) fn bio_split_done(
        &mut self,
        event: &Event<'_>,
        returned: Option<u64>,
        (bio, mut seen, sectors): (u64, ObjectState, u64),
        out: &mut dyn Sink,
    ) {
        let Some(split) = returned.filter(|p| *p != 0 && *p < ERRORS) else { return };
        seen.bytes = sectors * SECTOR;
        let rest = seen.sector.wrapping_add(sectors);
        let (origin, traced, cause) = match self.bios.get_mut(&bio) {
            Some(whole) => {
                whole.bio.splits += 1;
                whole.now = (rest, whole.now.1.saturating_sub(seen.bytes));
                (Origin::Split { of: whole.bio.id }, whole.traced, whole.bio.cause.clone())
            }
            // A stacked device's own clone: never queued, but its parts are.
            None => (Origin::Queued, false, None),
        };
        if self.bios.contains_key(&split) {
            self.counts.add(Oddity::BioQueuedTwice, 1);
            self.drop_bio(split, out);
        }
        let mut live = self.new_bio(event, split, origin, &seen);
        live.traced = traced;
        live.bio.cause = cause;
        self.bios.insert(split, live);
        // Only __bio_split_to_limits traces a split; it is called while the queue takes the bio.
        if self.entered(event, bio, split) {
            let mut said = seen.block_event(BlockKind::Split, event.clock);
            said.sectors = rest;
            out.block_event(said);
        }
    }

    /// From here on the queue works on `split` where it worked on `bio`; false if it did not.
    fn entered(&mut self, event: &Event<'_>, bio: u64, split: u64) -> bool {
        let open = self.calls.open_mut(event);
        let frame = open.iter_mut().rev().find(|frame| frame.data == Open::Enter { bio });
        match frame {
            Some(frame) => {
                frame.data = Open::Enter { bio: split };
                true
            }
            None => false,
        }
    }

    pub(super) fn bio_chain(&mut self, words: &RoleValues<'_>) {
        let (Some(bio), Some(parent)) = (words.get(Role::Bio), words.get(Role::Parent)) else {
            return self.word_missing();
        };
        // Bios chained before they are queued bring their count with them when they are.
        if let Some(live) = self.bios.get_mut(&parent) {
            live.remaining += 1;
        }
        if let Some(live) = self.bios.get_mut(&bio) {
            live.parent = Some(parent);
        }
    }

    /// Puts a bio into a request.
    pub(super) fn board(&mut self, clock: u64, bio: u64, pointer: u64, join: Join) {
        let Some(request) = self.requests.get_mut(&pointer) else { return };
        let Some(live) = self.bios.get_mut(&bio) else { return };
        request.members.push(crate::model::RequestMember { bio: live.bio.id, pointer: bio, clock, join });
        live.bio.request = Some(request.id);
        live.bio.join = Some(join);
        live.ride = Some(Ride { pointer, request: request.id, from: clock, join });
    }

    pub(super) fn word_missing(&mut self) {
        self.counts.add(Oddity::WordMissing, 1);
    }
}
