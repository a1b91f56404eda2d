//! Requests that a driver completes in a batch (`blk_mq_end_request_batch`): one call completes, ends and frees all of
//! them, and calls no function of the kernel for the release of each.
//!
//! In: facts of requests and of the ends of bios, the ends of such calls. Out: to the sink, the requests of a batch.
//! Where the completion of each request is not probed (`blk_complete_request` is inlined, and bare kernels have no
//! DWARF), the end of its first bio tells it.

use super::fact::Membership;
use super::object::{ObjectState, now};
use super::requests::{RequestCall, RequestTracker};
use crate::model::{BlockKind, RequestKind, Update};
use crate::trackers::fact::{Context, Fact};
use crate::trackers::sink::Sink;

impl RequestTracker {
    /// The requests of a batch are being completed.
    pub(super) fn batch(&mut self, fact: &Fact<'_>) {
        self.calls.insert(fact, RequestCall::Batch { requests: Vec::new() });
    }

    /// A request is complete: if a batch is being completed here, the request is part of it, and ends with it.
    pub(super) fn complete_in_batch(&mut self, context: &Context<'_>, pointer: u64) {
        let Some(batch) = self.current_batch(context) else { return };
        if batch.contains(&pointer) {
            return;
        }
        batch.push(pointer);
        if let Some(request) = self.live.get_mut(&pointer) {
            let clock = Some(context.clock());
            (request.ended, request.freed) = (clock, clock);
        }
    }

    /// A bio ends. In a batch that is being completed here, so does the request that it is in.
    pub fn bio_ends(
        &mut self,
        fact: &Fact<'_>,
        membership: impl Fn() -> Option<Membership>,
        out: &mut dyn Sink,
    ) {
        let Some(batch) = self.current_batch(&fact.context) else { return };
        let Some(pointer) = membership().map(|m| m.pointer).filter(|pointer| !batch.contains(pointer)) else {
            return;
        };
        let Some(request) = self.live.get_mut(&pointer) else { return };
        let (clock, bytes) = (fact.context.clock(), request.bytes);
        if let Some(op) = request.op {
            let seen = ObjectState { dev: request.dev, sector: request.sector, bytes, op };
            out.block_event(seen.block_event(BlockKind::RqComplete, now(&fact.context)));
        }
        request.update(Update { clock, bytes, error: 0 });
        self.complete_in_batch(&fact.context, pointer);
    }

    /// The requests of a batch are complete, and freed.
    pub(super) fn batch_done(&mut self, clock: u64, requests: &[u64], out: &mut dyn Sink) {
        for pointer in requests {
            // A passthrough request may still belong to who sent it.
            let is_freed = self
                .live
                .get(pointer)
                .is_some_and(|request| request.freed.is_some() && request.kind != RequestKind::Passthrough);
            if let Some(mut request) = is_freed.then(|| self.live.remove(pointer)).flatten() {
                request.freed = Some(clock);
                out.request(&request);
            }
        }
    }

    pub(super) fn current_batch(&mut self, context: &Context<'_>) -> Option<&mut Vec<u64>> {
        self.calls.of_context_mut(context).rev().find_map(|call| match call {
            RequestCall::Batch { requests } => Some(requests),
            _ => None,
        })
    }
}
