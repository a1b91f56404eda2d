//! Flush sequences (block/blk-flush.c).
//!
//! A request with PREFLUSH or FUA goes through up to three steps: a flush before its data, the data, a
//! flush after. The flushes are requests of their own, one at a time for each device, shared by all
//! requests that were waiting when it began.

use super::requests::{Exchange, RequestCall, RequestTracker};
use crate::hash::Map;
use crate::model::{FlushRide, Request, RequestKind, Rider};
use crate::trackers::counts::Oddity;
use crate::trackers::fact::Fact;
use crate::trackers::sink::Sink;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;

const PREFLUSH: u64 = 1;
const DATA: u64 = 2;
const POSTFLUSH: u64 = 4;

/// Most flushes that are noted of a request. One insertion leads to two at most.
const MOST: usize = 64;

/// Whether the data of a request was issued and its step is yet to come. `flush_data_end_io` reports such a request to
/// the scheduler as completed (94d7dea448fa: 4.10, also in later 4.9.y), which is no release.
pub(super) fn is_within(request: &Request) -> bool {
    request.sequence == Some(PREFLUSH) && request.issued().is_some()
}

/// Whether the device still has the command of a flush. The check for timeouts, and whatever else looks through a queue's
/// requests meanwhile, holds a reference and drops it with a call of `flush_end_io` (`blk_mq_put_rq_ref`, before it
/// `blk_mq_check_expired`).
fn is_in_flight(flush: &Request) -> bool {
    flush.ended.is_none()
        && flush.updates.is_empty()
        && flush.issued().is_some_and(|attempt| attempt.done.is_none())
}

/// Requests that wait for a flush.
#[derive(Debug, Default, Encode, Decode)]
pub struct Flushes {
    /// What waits for the next flush, by device.
    waiting: Map<u64, Vec<Rider>>,
    /// The device whose sequence went on last: the one that a new flush request is for.
    device: u64,
}

impl RequestTracker {
    /// A request begins its flush sequence.
    pub(super) fn flush_insert(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        match self.meet(fact, exchange).and_then(|request| self.live.get_mut(&request)) {
            Some(request) => request.sequence = Some(0),
            None => self.counts.add(Oddity::RequestUnknown, 1),
        }
    }

    /// Steps of a request's sequence are done; the next one begins.
    pub(super) fn flush_step(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        let step = fact.roles.get(Role::FlushSteps).unwrap_or(0) & 0xff;
        let request = self.meet(fact, exchange);
        let Some(request) = request.and_then(|request| self.live.get_mut(&request)) else {
            return self.word_missing();
        };
        let dev = fact.roles.request_dev().unwrap_or(request.dev);
        // From 6.5 on data without a flush before it is passed on as it is: its first step is that of the data.
        let before = if step & DATA != 0 && request.issued().is_some() { PREFLUSH } else { 0 };
        let done = request.sequence.unwrap_or(0) | step | before;
        request.sequence = Some(done);
        self.flushes.device = dev;
        // The lowest step that is not done (`blk_flush_cur_seq`).
        let next = !done & (done + 1);
        if !matches!(next, PREFLUSH | POSTFLUSH) {
            return;
        }
        if request.flushes.len() < MOST {
            let (after_data, from) = (next == POSTFLUSH, fact.context.clock());
            let ride = FlushRide { after_data, from, request: None, riders: 1, done: None, attempt: None };
            let rider = Rider { pointer: request.pointer, request: request.id, at: request.flushes.len() };
            request.flushes.push(ride);
            self.flushes.waiting.entry(dev).or_default().push(rider);
        } else {
            self.counts.add(Oddity::FlushedTooOften, 1);
        }
    }

    /// A request is made anew without having been got: the flush request of a device.
    pub(super) fn init(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let clock = fact.context.clock();
        let Some(pointer) = fact.roles.request() else { return self.word_missing() };
        // Until 4.20 every request that is got is made by the same function.
        let is_got = |call: &RequestCall| matches!(call, RequestCall::Asked { .. });
        if self.calls.of_context(&fact.context).any(is_got) {
            return;
        }
        if self.live.get(&pointer).is_some_and(|request| request.kind == RequestKind::Flush) {
            // The device's one flush request is made anew: the end of the last one was not seen.
            self.end_flush(clock, pointer, out);
        }
        let device = self.flushes.device;
        let riders = self.flushes.waiting.remove(&device).unwrap_or_default();
        if riders.is_empty() {
            // Other users of blk_rq_init put requests on the stack (the error handler's reset).
            self.counts.add(Oddity::FlushWithoutRider, 1);
        }
        let id = self.new_request(clock, pointer, RequestKind::Flush, out);
        for rider in &riders {
            if let Some(ride) = self.ride(rider) {
                (ride.request, ride.riders) = (Some(id), riders.len() as u32);
            }
        }
        if let Some(request) = self.live.get_mut(&pointer) {
            (request.dev, request.riders) = (device, riders);
        }
    }

    /// A device's flush request is complete.
    pub(super) fn flush_end(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        match fact.roles.request().filter(|request| self.live.contains_key(request)) {
            Some(pointer) if self.live.get(&pointer).is_some_and(|request| is_in_flight(request)) => {}
            Some(pointer) => {
                self.end_flush(fact.context.clock(), pointer, out);
                self.calls.insert(fact, RequestCall::FlushEnd { request: pointer });
            }
            None => self.counts.add(Oddity::RequestUnknown, 1),
        }
    }

    /// What a request has of the flush that it waits for, if it is still there.
    fn ride(&mut self, rider: &Rider) -> Option<&mut FlushRide> {
        let request = self.live.get_mut(&rider.pointer).filter(|request| request.id == rider.request)?;
        request.flushes.get_mut(rider.at)
    }

    fn end_flush(&mut self, clock: u64, pointer: u64, out: &mut dyn Sink) {
        let Some(mut flush) = self.live.remove(&pointer) else { return };
        let over = flush.ended.unwrap_or(clock);
        for rider in &flush.riders {
            if let Some(ride) = self.ride(rider) {
                (ride.done, ride.attempt) = (Some(over), flush.issued().cloned());
            }
        }
        (flush.ended, flush.freed) = (Some(over), Some(clock));
        out.request(&flush);
    }
}
