//! Insertions, which may turn out to be merges.

use crate::hash::Map;
use crate::model::{BlockEvent, Request};
use crate::trackers::sink::Sink;
use bincode::{Decode, Encode};

/// An insertion that may yet turn out to be a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PendingInsert {
    /// The request's address.
    pub request: u64,
    /// When it is inserted, in instructions.
    pub clock: u64,
    /// What the tracepoint says if it is one.
    pub event: Option<BlockEvent>,
}

/// Insertions that are not settled.
#[derive(Debug, Default, Encode, Decode)]
pub struct PendingInserts(Vec<PendingInsert>);

impl PendingInserts {
    /// A request is being inserted.
    pub fn push(&mut self, insert: PendingInsert) {
        self.0.push(insert);
    }

    /// A request's insertion was a merge.
    pub fn forget(&mut self, request: u64) {
        self.0.retain(|pending| pending.request != request);
    }

    /// None of them was a merge, also those whose exit was not seen (it left by a tail call).
    pub fn settle(&mut self, requests: &mut Map<u64, Box<Request>>, out: &mut dyn Sink) {
        for PendingInsert { request, clock, event } in self.0.drain(..) {
            if let Some(request) = requests.get_mut(&request) {
                request.inserted.push(clock);
            }
            if let Some(event) = event {
                out.block_event(event);
            }
        }
    }
}
