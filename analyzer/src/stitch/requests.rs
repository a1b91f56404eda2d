//! Requests: got, merged, inserted, issued, completed, given back.

use super::bios::SECTOR;
use super::probes::RoleValues;
use super::{Oddity, Open, Sink, Stitcher};
use crate::model::{
    Attempt, BlockEvent, BlockKind, Join, Op, OpCodes, OpField, OpName, Request, RequestKind, Update,
};
use iotrace_format::event::Event;
use iotrace_format::role::Role;

/// What an event says of a bio or a request at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectState {
    pub dev: u64,
    pub sector: u64,
    pub bytes: u64,
    pub op: Op,
}

impl ObjectState {
    /// Of the event's bio; what is not in it reads as 0.
    pub fn bio(words: &RoleValues<'_>, codes: &OpCodes) -> Self {
        let get = |field| words.get(field).unwrap_or(0);
        let (dev, sector, bytes) = (get(Role::BioDev), get(Role::BioSector), get(Role::BioSize));
        Self { dev, sector, bytes, op: codes.decode(get(Role::BioOp), OpField::Bio) }
    }

    /// Of the event's request; none if the event does not say.
    pub fn rq(words: &RoleValues<'_>, codes: &OpCodes) -> Option<Self> {
        let get = |field| words.get(field);
        let (sector, bytes) = (get(Role::RequestSector)?, get(Role::RequestSize)?);
        let op = codes.decode(get(Role::RequestOp)?, OpField::Request);
        Some(Self { dev: get(Role::RequestDev)?, sector, bytes, op })
    }

    pub fn next(words: &RoleValues<'_>, codes: &OpCodes) -> Self {
        let get = |field| words.get(field).unwrap_or(0);
        let (dev, sector, bytes) = (get(Role::RequestDev), get(Role::NextSector), get(Role::NextSize));
        Self { dev, sector, bytes, op: codes.decode(get(Role::NextOp), OpField::Request) }
    }

    /// As the tracepoints of bios print it.
    pub fn block_event(&self, kind: BlockKind, clock: u64) -> BlockEvent {
        let Self { dev, sector, bytes, op } = *self;
        BlockEvent { kind, clock, dev, sector, sectors: bytes / SECTOR, op }
    }

    /// As the tracepoints of requests print it (`blk_rq_trace_sector`, `blk_rq_trace_nr_sectors`).
    pub fn rq_event(&self, kind: BlockKind, clock: u64) -> BlockEvent {
        let mut event = self.block_event(kind, clock);
        if self.op.is_passthrough() {
            (event.sector, event.sectors) = (0, 0);
        } else if event.sector == u64::MAX {
            event.sector = 0;
        }
        event
    }
}

impl Stitcher {
    pub(super) fn new_request(&mut self, clock: u64, pointer: u64, kind: RequestKind, out: &mut dyn Sink) {
        if let Some(old) = self.requests.remove(&pointer) {
            // Seen when the release is not probed, or is a tail call into something else.
            self.counts.add(Oddity::RequestGotTwice, u64::from(old.kind != RequestKind::Flush));
            out.request(&old);
        }
        self.last_request += 1;
        let request = Request::new(self.last_request, pointer, kind, clock);
        self.requests.insert(pointer, request);
    }

    pub(super) fn rq_get(
        &mut self,
        event: &Event<'_>,
        returned: Option<u64>,
        bio: Option<u64>,
        out: &mut dyn Sink,
    ) {
        let Some(pointer) = returned.filter(|rq| *rq != 0) else { return };
        match bio {
            Some(bio) => {
                self.new_request(event.clock, pointer, RequestKind::Data, out);
                self.give_request(event.clock, pointer, bio, out);
            }
            None => self.new_request(event.clock, pointer, RequestKind::Passthrough, out),
        }
    }

    /// The bio that the queue works on here and that has no request yet.
    pub(super) fn bio_entered(&self, event: &Event<'_>) -> Option<u64> {
        let open = self.calls.open(event);
        open.iter().rev().find_map(|frame| match frame.data {
            // The function may leave by a tail call: one whose bio is served is over.
            Open::Enter { bio } => Some(bio).filter(|b| self.bios.get(b).is_some_and(|l| l.ride.is_none())),
            _ => None,
        })
    }

    fn give_request(&mut self, clock: u64, pointer: u64, bio: u64, out: &mut dyn Sink) {
        self.board(clock, bio, pointer, Join::Got);
        let (Some(live), Some(request)) = (self.bios.get(&bio), self.requests.get_mut(&pointer)) else {
            return;
        };
        let (sector, bytes) = live.now;
        let seen = ObjectState { dev: live.bio.dev, sector, bytes, op: live.bio.op };
        request.note(&seen);
        out.block_event(seen.block_event(BlockKind::GetRq, clock));
    }

    /// The request that an event is about; one that is not known yet is taken in.
    pub(super) fn meet(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        out: &mut dyn Sink,
    ) -> Option<u64> {
        let pointer = words.request()?;
        if !self.requests.contains_key(&pointer) {
            let bio = words.get(Role::RequestBio).filter(|bio| self.bios.contains_key(bio));
            let asked = self.take_asked(event, bio);
            // Otherwise a request out of a plug's cache, or one got before the trace began.
            self.counts.add(Oddity::RequestAdopted, u64::from(asked.is_none()));
            self.new_request(asked.unwrap_or(event.clock), pointer, RequestKind::Passthrough, out);
            self.requests.get_mut(&pointer)?.adopted = asked.is_none();
        }
        if let Some(bio) = words.get(Role::RequestBio).filter(|bio| self.fits(pointer, *bio)) {
            let request = self.requests.get_mut(&pointer)?;
            request.kind = RequestKind::Data;
            let got = request.got.max(self.bios.get(&bio).map_or(0, |live| live.bio.queued()));
            self.give_request(got, pointer, bio, out);
        }
        let seen = ObjectState::rq(words, &self.codes);
        let request = self.requests.get_mut(&pointer)?;
        if let Some(seen) = seen.filter(|_| request.issued().is_none()) {
            request.note(&seen);
        }
        Some(pointer)
    }

    /// When a request was asked for here (for this bio), if nobody has been given it yet: seen where the
    /// allocation leaves by a tail call, so that its exit does not tell the request.
    fn take_asked(&mut self, event: &Event<'_>, bio: Option<u64>) -> Option<u64> {
        let open = self.calls.open_mut(event);
        let frame = open.iter_mut().rev().find(|frame| frame.data == Open::Get { bio })?;
        frame.data = Open::Plain;
        Some(frame.clock)
    }

    /// The request has no bio yet, and the bio no request.
    fn fits(&self, request: u64, bio: u64) -> bool {
        let empty = |rq: &Request| rq.kind == RequestKind::Passthrough && rq.members.is_empty();
        self.requests.get(&request).is_some_and(empty)
            && self.bios.get(&bio).is_some_and(|live| live.ride.is_none())
    }

    pub(super) fn rq_plug(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let request = self.meet(event, words, out).and_then(|rq| self.requests.get_mut(&rq));
        match request {
            Some(request) => request.plugged = Some(event.clock),
            None => self.word_missing(),
        }
    }

    pub(super) fn rq_issue(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        self.settle_inserts(out);
        let Some(rq) = self.meet(event, words, out) else { return self.word_missing() };
        if let Some(seen) = ObjectState::rq(words, &self.codes) {
            out.block_event(seen.rq_event(BlockKind::RqIssue, event.clock));
        }
        let (way, by, number) = (self.dispatch_way(event), self.runner(event), self.seen);
        if let Some(attempt) = self.attempt(rq, |attempt| attempt.issued.is_some()) {
            // With one queue for each device the SCSI layer takes its requests itself: nothing dispatches them.
            if attempt.dispatched.is_none() {
                (attempt.way, attempt.dispatched_by, attempt.dispatch_event) = (Some(way), Some(by), number);
            }
        }
        if let Some(request) = self.requests.get_mut(&rq) {
            request.issue(event.clock);
        }
    }

    pub(super) fn rq_dispatch(
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
        let (way, by, number) = (self.dispatch_way(event), self.runner(event), self.seen);
        if let Some(attempt) = self.attempt(rq, |attempt| attempt.dispatched.is_some()) {
            attempt.dispatched = Some(event.clock);
            (attempt.way, attempt.dispatched_by, attempt.dispatch_event) = (Some(way), Some(by), number);
        }
        Open::Dispatch { rq }
    }

    pub(super) fn refused(&mut self, rq: u64) {
        self.bells.forget(rq);
        if let Some(attempt) = self.requests.get_mut(&rq).and_then(|rq| rq.attempts.last_mut()) {
            attempt.refused = true;
        }
    }

    pub(super) fn rq_requeue(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(rq) = self.meet(event, words, out) else { return self.word_missing() };
        if let Some(seen) = ObjectState::rq(words, &self.codes) {
            out.block_event(seen.rq_event(BlockKind::RqRequeue, event.clock));
        }
        self.bells.forget(rq);
        if let Some(request) = self.requests.get_mut(&rq) {
            request.requeue(event.clock);
        }
    }

    /// The request's current attempt; a new one if there is none, or if the last one is over.
    pub(super) fn attempt(&mut self, rq: u64, over: impl Fn(&Attempt) -> bool) -> Option<&mut Attempt> {
        let request = self.requests.get_mut(&rq)?;
        let goes_on = |a: &Attempt| a.requeued.is_none() && !a.refused && !over(a);
        if !request.attempts.last().is_some_and(goes_on) {
            self.last_command += 1;
            request.attempts.push(Attempt { command: self.last_command, ..Attempt::default() });
        }
        request.attempts.last_mut()
    }

    /// A step of the request's current attempt that leaves nothing but its time.
    pub(super) fn rq_step(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        set: impl Fn(&mut Attempt, u64),
    ) {
        let Some(rq) = self.request_of(words) else {
            self.counts.add(Oddity::CommandUnknown, 1);
            return;
        };
        if let Some(attempt) = self.attempt(rq, |_| false) {
            set(attempt, event.clock);
        }
    }

    pub(super) fn rq_update(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(rq) = self.meet(event, words, out) else { return self.word_missing() };
        // `unsigned int nr_bytes` and a one-byte status: what is above is left over from other calls.
        let bytes = words.get(Role::Bytes).unwrap_or(0) & u64::from(u32::MAX);
        let error = words.get(Role::Error).unwrap_or(0) & 0xff;
        if let Some(seen) = ObjectState::rq(words, &self.codes) {
            let seen = ObjectState { bytes, ..seen };
            out.block_event(seen.block_event(BlockKind::RqComplete, event.clock));
        }
        if let Some(request) = self.requests.get_mut(&rq) {
            if request.kind == RequestKind::Passthrough {
                let bios =
                    [Role::RequestBio, Role::RequestBiotail].into_iter().filter_map(|field| words.get(field));
                self.mapped.extend(bios.filter(|bio| *bio != 0));
            }
            request.update(Update { clock: event.clock, bytes, error });
        }
    }

    pub(super) fn rq_end(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        match words.request().and_then(|rq| self.requests.get_mut(&rq)) {
            Some(request) => request.ended = Some(event.clock),
            None => self.counts.add(Oddity::RequestUnknown, 1),
        }
    }

    pub(super) fn rq_free(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(mut request) = words.request().and_then(|rq| self.requests.remove(&rq)) else {
            self.counts.add(Oddity::RequestUnknown, 1);
            return;
        };
        request.freed = Some(event.clock);
        out.request(&request);
    }
}

impl Request {
    /// Takes over what an event says of it.
    fn note(&mut self, seen: &ObjectState) {
        (self.dev, self.sector, self.bytes) = (seen.dev, seen.sector, seen.bytes);
        self.op = Some(seen.op);
        if seen.op.name == OpName::Flush && self.members.is_empty() {
            self.kind = RequestKind::Flush;
        }
    }
}
