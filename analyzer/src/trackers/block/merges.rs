//! Merges, of bios into requests and of requests into each other, and insertions, which may turn out to
//! be such merges.

use super::fact::{MergedBios, RequestFact};
use super::inserts::PendingInsert;
use super::object::{ClockAndTask, ObjectState, now};
use super::requests::{Exchange, RequestCall, RequestTracker};
use crate::model::{BlockKind, Join};
use crate::trackers::counts::Oddity;
use crate::trackers::fact::{Context, Fact};
use crate::trackers::sink::Sink;
use iotrace_format::role::Role;

impl RequestTracker {
    /// A bio may be merged into a request.
    pub(super) fn merge_bio(&mut self, fact: &Fact<'_>, join: Join, exchange: &mut Exchange<'_>) {
        let roles = fact.roles;
        let (Some(request), Some(bio)) = (self.meet(fact, exchange), roles.get(Role::Bio)) else {
            return self.word_missing();
        };
        let mut seen = ObjectState::bio(roles, &self.codes);
        seen.dev = roles.bio_dev().or(roles.request_dev()).unwrap_or(0);
        if !roles.has_exit() {
            self.bio_merged(now(&fact.context), (request, bio), (seen, join), exchange);
        }
        self.calls.insert(fact, RequestCall::Join { request, bio, seen: Box::new(seen), join });
    }

    /// A bio was merged into a request.
    pub(super) fn bio_merged(
        &mut self,
        at: ClockAndTask,
        (request, bio): (u64, u64),
        (mut seen, join): (ObjectState, Join),
        exchange: &mut Exchange<'_>,
    ) {
        self.counts.add(Oddity::RequestUnknown, u64::from(!self.live.contains_key(&request)));
        if let Some(state) = exchange.bios.state(bio) {
            let joined = self.join(at.0, &state, request, join);
            exchange.facts.extend(joined.map(RequestFact::Joined));
            seen.dev = state.dev;
        }
        match join {
            Join::Back => exchange.out.block_event(seen.block_event(BlockKind::BackMerge, at)),
            Join::Front => exchange.out.block_event(seen.block_event(BlockKind::FrontMerge, at)),
            // Discards are merged without a tracepoint.
            _ => {}
        }
    }

    /// A request may be merged into another one.
    pub(super) fn merge_request(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        let (Some(request), Some(next)) = (self.meet(fact, exchange), fact.roles.get(Role::NextRequest))
        else {
            return self.word_missing();
        };
        let seen = Box::new(ObjectState::next_request(fact.roles, &self.codes));
        self.calls.insert(fact, RequestCall::Merge { request, next, seen });
    }

    /// A request is freed: if that happens in a call that may merge it into another one, it was merged.
    pub(super) fn merged_is_freed(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        let Some(freed) = fact.roles.request() else { return };
        if let Some(RequestCall::Merge { request, next, seen }) = self.take_merge(&fact.context, freed) {
            self.request_merged(now(&fact.context), (request, next), &seen, exchange);
        }
    }

    /// The innermost of the open calls that may merge a request into another one: those around it add nothing.
    pub(super) fn take_merge(&mut self, context: &Context<'_>, merged: u64) -> Option<RequestCall> {
        let calls = self.calls.of_context_mut(context);
        let mut taken = None;
        for call in calls.filter(|call| matches!(call, RequestCall::Merge { next, .. } if *next == merged)) {
            taken = Some(std::mem::replace(call, RequestCall::Served));
        }
        taken
    }

    /// A request was merged into another one.
    pub(super) fn request_merged(
        &mut self,
        at: ClockAndTask,
        (request, next): (u64, u64),
        seen: &ObjectState,
        exchange: &mut Exchange<'_>,
    ) {
        exchange.out.block_event(seen.request_event(BlockKind::RqMerge, at));
        self.inserts.forget(next);
        let into = self.live.get(&request).map(|request| request.id);
        let Some(merged) = self.live.get_mut(&next) else {
            return self.counts.add(Oddity::RequestUnknown, 1);
        };
        merged.merged_into = into;
        let bios = merged.hand_on();
        exchange.facts.push(RequestFact::Merged(MergedBios { clock: at.0, bios, into: request }));
    }

    /// A request may be inserted.
    pub(super) fn insert(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        self.settle_inserts(exchange.out);
        let Some(request) = self.meet(fact, exchange) else { return self.word_missing() };
        let (at, seen) = (now(&fact.context), ObjectState::request(fact.roles, &self.codes));
        let event = seen.map(|seen| seen.request_event(BlockKind::RqInsert, at));
        self.inserts.push(PendingInsert { request, clock: at.0, event });
        if !fact.roles.has_exit() {
            self.settle_inserts(exchange.out);
        }
        self.calls.insert(fact, RequestCall::Insert { request });
    }

    /// What is known of an insertion is all that will be.
    pub(super) fn insert_done(&mut self, request: u64, inserted: bool, out: &mut dyn Sink) {
        if !inserted {
            self.inserts.forget(request);
        }
        self.settle_inserts(out);
    }

    /// Insertions that are pending were no merges.
    pub(super) fn settle_inserts(&mut self, out: &mut dyn Sink) {
        self.inserts.settle(&mut self.live, out);
    }
}
