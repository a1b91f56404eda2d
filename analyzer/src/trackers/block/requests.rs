//! The tracker of requests: got, plugged, completed, given back. Their attempts at the device are in
//! [`super::attempts`], merges and insertions in [`super::merges`], flush sequences in [`super::flush`], what the open
//! calls tell in [`super::ways`].
//!
//! In: facts of requests; `CommandFact`s; the [`BioState`] of bios. Out: to the sink, requests and what the
//! tracepoints of requests would have said; to others, [`RequestFact`]s, `RequestState`s and what a request went
//! through.
//! Oddities counted: requests got twice, unknown or whose allocation was not seen; flushes without anybody who waits,
//! or beyond a bound; completions of unknown requests; probes without the words that are needed.

use super::bios::RequestHistory;
use super::fact::{BioState, JoinedBio, Membership, MembershipOutcome, RequestFact};
use super::flush::{Flushes, is_within};
use super::inserts::PendingInserts;
use super::object::{ClockAndTask, ObjectState, now};
use super::outcome::outcome;
use super::ways::QueueRun;
use crate::hash::Map;
use crate::model::{
    BlockKind, Join, OpCodes, OpName, Request, RequestId, RequestKind, RequestMember, Update,
};
use crate::trackers::call_states::CallStates;
use crate::trackers::counts::{Counts, Oddity};
use crate::trackers::fact::{Context, EndFact, Fact, ReturnedRequest};
use crate::trackers::sink::Sink;
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use iotrace_format::definition::Definition;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;

/// Knows the bios in flight.
pub trait BioStates {
    /// The bio at an address.
    fn state(&self, pointer: u64) -> Option<BioState>;
}

/// What the tracker of requests exchanges with its surroundings while it takes in a fact.
pub struct Exchange<'a> {
    /// The bios in flight.
    pub bios: &'a dyn BioStates,
    /// What it tells of bios.
    pub facts: &'a mut Vec<RequestFact>,
    /// What it tells of requests.
    pub out: &'a mut dyn Sink,
}

/// What is kept of an open call. Small: what is large is boxed.
#[derive(Debug, Encode, Decode)]
pub(super) enum RequestCall {
    /// A request is being allocated; for the bio that the queue works on here, if there is one.
    Asked { bio: Option<u64>, clock: u64 },
    /// A bio may be merged into a request.
    Join { request: u64, bio: u64, seen: Box<ObjectState>, join: Join },
    /// A request may be merged into another.
    Merge { request: u64, next: u64, seen: Box<ObjectState> },
    /// A request may be inserted.
    Insert { request: u64 },
    /// The part of an insertion that looks for a request to merge with.
    InsertMerge { request: u64 },
    /// A request is given to the SCSI layer.
    Dispatch { request: u64 },
    /// A request is being completed.
    Complete { request: u64 },
    /// The requests of a batch are completed: those that are so far, by their addresses.
    Batch { requests: Vec<u64> },
    /// A device's flush request is over, which the scheduler is told of as of those that it gave out (to 4.20).
    FlushEnd { request: u64 },
    /// A queue is run.
    Queue(QueueRun),
    /// The block softirq is being served.
    BlockSoftirq,
    /// Nothing any more: the request that was asked for is known.
    Served,
}

/// Follows requests from their allocation to their release.
#[derive(Debug, Default, Encode, Decode)]
pub struct RequestTracker {
    pub(super) codes: Unsaved<OpCodes>,
    pub(super) live: Map<u64, Box<Request>>,
    pub(super) inserts: PendingInserts,
    pub(super) flushes: Flushes,
    pub(super) calls: CallStates<RequestCall>,
    last: RequestId,
    pub(super) last_command: u64,
    pub(super) counts: Counts,
}

impl RequestHistory for RequestTracker {
    fn outcome(&self, membership: &Membership, until: u64) -> Option<MembershipOutcome> {
        let request =
            self.live.get(&membership.pointer).filter(|request| request.id == membership.request)?;
        Some(outcome(request, membership, until))
    }
}

impl RequestTracker {
    /// The number of the request that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut RequestId {
        &mut self.last
    }

    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        if let Definition::Constant(constant) = definition {
            self.codes.define(&constant.name, constant.value);
        }
    }

    /// The address of a request's first bio; of a flush, of the first of the requests that wait for it.
    pub fn first_bio(&self, pointer: u64) -> Option<u64> {
        let request = self.live.get(&pointer)?;
        let rider = || request.riders.first().and_then(|rider| self.live.get(&rider.pointer));
        let member = request.members.first().or_else(|| rider()?.members.first());
        member.map(|member| member.pointer)
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A request reached a stage. Tells if it went back to where it came from.
    pub fn fact(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) -> Option<ReturnedRequest> {
        match fact.stage {
            Stage::RequestInit => self.init(fact, exchange.out),
            Stage::MergeBack => self.merge_bio(fact, Join::Back, exchange),
            Stage::MergeFront => self.merge_bio(fact, Join::Front, exchange),
            Stage::MergeDiscard => self.merge_bio(fact, Join::Discard, exchange),
            Stage::RequestMerge => self.merge_request(fact, exchange),
            Stage::RequestPlug => self.plug(fact, exchange),
            Stage::RequestInsert => self.insert(fact, exchange),
            Stage::RequestInsertMerge => {
                if let Some(request) = fact.roles.request() {
                    self.calls.insert(fact, RequestCall::InsertMerge { request });
                }
            }
            Stage::RequestRequeue => return self.requeue(fact, exchange),
            Stage::RequestDispatch => self.dispatch(fact, exchange),
            Stage::RequestIssue => self.issue(fact, exchange),
            Stage::RequestUpdate => self.update(fact, exchange),
            Stage::RequestEnd => self.end(fact),
            Stage::RequestFree => {
                self.merged_is_freed(fact, exchange);
                self.free(fact, exchange.out);
            }
            Stage::RequestBatch => self.batch(fact),
            Stage::FlushInsert => self.flush_insert(fact, exchange),
            Stage::FlushStep => self.flush_step(fact, exchange),
            Stage::FlushEnd => self.flush_end(fact, exchange.out),
            stage => {
                if let Some(run) = QueueRun::of_stage(stage) {
                    self.calls.insert(fact, RequestCall::Queue(run));
                }
            }
        }
        None
    }

    /// A call ended. Tells if a request went back to where it came from.
    pub fn call_ended(&mut self, end: &EndFact<'_>, exchange: &mut Exchange<'_>) -> Option<ReturnedRequest> {
        let call = self.calls.remove(end)?;
        if let RequestCall::Batch { requests } = call {
            self.batch_done(end.context.clock(), &requests, exchange.out);
            return None;
        }
        if !end.is_seen() {
            return None;
        }
        let (at, returned, succeeded) = (now(&end.context), end.call.returned, end.succeeded());
        match call {
            RequestCall::Asked { bio, .. } => self.got(at, returned, bio, exchange),
            RequestCall::Join { request, bio, seen, join } if succeeded => {
                self.bio_merged(at, (request, bio), (*seen, join), exchange);
            }
            RequestCall::Merge { request, next, seen } if succeeded => {
                self.take_merge(&end.context, next);
                self.request_merged(at, (request, next), &seen, exchange);
            }
            RequestCall::Insert { request } => self.insert_done(request, succeeded, exchange.out),
            RequestCall::InsertMerge { request } => self.insert_done(request, !succeeded, exchange.out),
            // `blk_status_t` has one byte, queuecommand an int: what is above is left over.
            RequestCall::Dispatch { request } if returned.is_some_and(|status| status & 0xff != 0) => {
                return Some(self.refused(request));
            }
            _ => {}
        }
        None
    }

    /// The trace is over: gives what is still in flight.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        let mut requests: Vec<_> = self.live.drain().map(|(_, request)| request).collect();
        requests.sort_by_key(|request| request.id);
        requests.iter().for_each(|request| out.request(request));
    }

    /// A request is being allocated; for this bio, if the queue works on one.
    pub fn asked(&mut self, fact: &Fact<'_>, bio: Option<u64>) {
        self.calls.insert(fact, RequestCall::Asked { bio, clock: fact.context.clock() });
    }

    /// Puts a bio into a request, if that is known.
    pub fn join(&mut self, clock: u64, bio: &BioState, pointer: u64, join: Join) -> Option<JoinedBio> {
        let request = self.live.get_mut(&pointer)?;
        request.members.push(RequestMember { bio: bio.id, pointer: bio.pointer, clock, join });
        let membership = Membership { pointer, request: request.id, from: clock, join };
        Some(JoinedBio { bio: bio.pointer, membership })
    }

    /// Makes a request, in the place of one whose release was missed. Returns its number.
    pub(super) fn new_request(
        &mut self,
        clock: u64,
        pointer: u64,
        kind: RequestKind,
        out: &mut dyn Sink,
    ) -> RequestId {
        if let Some(old) = self.live.remove(&pointer) {
            // Seen when the release is not probed, or is a tail call into something else.
            let is_odd = old.kind != RequestKind::Flush && old.freed.is_none();
            self.counts.add(Oddity::RequestGotTwice, u64::from(is_odd));
            out.request(&old);
        }
        self.last += 1;
        self.live.insert(pointer, Box::new(Request::new(self.last, pointer, kind, clock)));
        self.last
    }

    /// The request that an event is about; one that is not known yet is taken in.
    pub(super) fn meet(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) -> Option<u64> {
        let pointer = fact.roles.request()?;
        let bio = fact.roles.get(Role::RequestBio);
        if !self.live.contains_key(&pointer) {
            let bio = bio.filter(|bio| exchange.bios.state(*bio).is_some());
            let asked = self.take_asked(&fact.context, bio);
            // Otherwise a request out of a plug's cache, or one got before the trace began.
            self.counts.add(Oddity::RequestAdopted, u64::from(asked.is_none()));
            let clock = asked.unwrap_or(fact.context.clock());
            self.new_request(clock, pointer, RequestKind::Passthrough, exchange.out);
            self.live.get_mut(&pointer)?.adopted = asked.is_none();
        }
        let request = self.live.get_mut(&pointer)?;
        if request.kind == RequestKind::Passthrough
            && request.members.is_empty()
            && let Some(bio) = bio.and_then(|bio| exchange.bios.state(bio)).filter(|bio| !bio.has_request)
        {
            request.kind = RequestKind::Data;
            let got = request.got.max(bio.queued);
            self.give((got, fact.context.task()), pointer, &bio, exchange);
        }
        let request = self.live.get_mut(&pointer)?;
        if request.issued().is_none()
            && let Some(seen) = ObjectState::request(fact.roles, &self.codes)
        {
            note(request, &seen);
        }
        Some(pointer)
    }

    pub(super) fn word_missing(&mut self) {
        self.counts.add(Oddity::WordMissing, 1);
    }

    fn got(
        &mut self,
        at: ClockAndTask,
        returned: Option<u64>,
        bio: Option<u64>,
        exchange: &mut Exchange<'_>,
    ) {
        let Some(pointer) = returned.filter(|request| *request != 0) else { return };
        let kind = if bio.is_some() { RequestKind::Data } else { RequestKind::Passthrough };
        self.new_request(at.0, pointer, kind, exchange.out);
        if let Some(bio) = bio.and_then(|bio| exchange.bios.state(bio)) {
            self.give(at, pointer, &bio, exchange);
        }
    }

    /// A request is the one that was made for a bio.
    fn give(&mut self, at: ClockAndTask, pointer: u64, bio: &BioState, exchange: &mut Exchange<'_>) {
        let joined = self.join(at.0, bio, pointer, Join::Got);
        exchange.facts.extend(joined.map(RequestFact::Joined));
        if let Some(request) = self.live.get_mut(&pointer) {
            let seen = ObjectState { dev: bio.dev, sector: bio.sector, bytes: bio.bytes, op: bio.op };
            note(request, &seen);
            exchange.out.block_event(seen.block_event(BlockKind::GetRq, at));
        }
    }

    /// When a request was asked for here (for this bio), if nobody has been given it yet: seen where the
    /// allocation leaves by a tail call, so that its exit does not tell the request.
    fn take_asked(&mut self, context: &Context<'_>, bio: Option<u64>) -> Option<u64> {
        self.calls.of_context_mut(context).rev().find_map(|call| match *call {
            RequestCall::Asked { bio: other, clock } if other == bio => {
                *call = RequestCall::Served;
                Some(clock)
            }
            _ => None,
        })
    }

    fn plug(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        match self.meet(fact, exchange).and_then(|request| self.live.get_mut(&request)) {
            Some(request) => request.plugged = Some(fact.context.clock()),
            None => self.word_missing(),
        }
    }

    pub(super) fn update(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        let Some(pointer) = self.meet(fact, exchange) else { return self.word_missing() };
        let (roles, clock) = (fact.roles, fact.context.clock());
        // `unsigned int nr_bytes` and a one-byte status: what is above is left over from other calls. Where no bytes are
        // named, all that are left of the request are complete.
        let bytes =
            roles.get(Role::Bytes).or(roles.get(Role::RequestSize)).unwrap_or(0) & u64::from(u32::MAX);
        let error = roles.get(Role::Error).unwrap_or(0) & 0xff;
        if let Some(seen) = ObjectState::request(roles, &self.codes) {
            let seen = ObjectState { bytes, ..seen };
            exchange.out.block_event(seen.block_event(BlockKind::RqComplete, now(&fact.context)));
        }
        let Some(request) = self.live.get_mut(&pointer) else { return };
        if request.kind == RequestKind::Passthrough {
            let bios =
                [Role::RequestBio, Role::RequestBiotail].into_iter().filter_map(|role| roles.get(role));
            exchange.facts.extend(bios.filter(|bio| *bio != 0).map(RequestFact::Mapped));
        }
        request.update(Update { clock, bytes, error });
        self.complete_in_batch(&fact.context, pointer);
    }

    fn end(&mut self, fact: &Fact<'_>) {
        match fact.roles.request().and_then(|request| self.live.get_mut(&request)) {
            Some(request) => request.ended = Some(fact.context.clock()),
            None => self.counts.add(Oddity::RequestUnknown, 1),
        }
    }

    fn free(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let pointer = fact.roles.request();
        if pointer.and_then(|request| self.live.get(&request)).is_some_and(|request| is_within(request)) {
            return;
        }
        let Some(mut request) = pointer.and_then(|request| self.live.remove(&request)) else {
            let is_over = |call: &RequestCall| matches!(call, RequestCall::FlushEnd { request } if Some(*request) == pointer);
            let unknown = !self.calls.of_context(&fact.context).any(is_over);
            return self.counts.add(Oddity::RequestUnknown, unknown.into());
        };
        request.freed = Some(fact.context.clock());
        out.request(&request);
    }
}

/// Takes over what an event says of a request.
fn note(request: &mut Request, seen: &ObjectState) {
    (request.dev, request.sector, request.bytes) = (seen.dev, seen.sector, seen.bytes);
    request.op = Some(seen.op);
    if seen.op.name == OpName::Flush && request.members.is_empty() {
        request.kind = RequestKind::Flush;
    }
}
