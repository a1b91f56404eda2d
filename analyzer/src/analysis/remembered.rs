//! Requests, remembered before it is known which of them matter: a bio's flush ends before the bio does.
//!
//! Memory follows those that are asked for; what an event takes does not depend on how many are remembered.

use crate::hash::Map;
use crate::model::{Bio, Request, RequestId};
use std::collections::BTreeMap;

/// Requests that are remembered though nobody has asked for them yet.
const REMEMBERED: usize = 4096;

/// Requests by when they came.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Those that nobody has asked for.
    others: BTreeMap<u64, Request>,
    /// When each of them came.
    came: Map<RequestId, u64>,
    /// Numbers of those that are asked for, and whether they came.
    wanted: Map<RequestId, bool>,
    found: BTreeMap<u64, Request>,
    missing: usize,
    last: u64,
}

impl Remembered {
    /// A bio's requests are asked for: those it was in, those it waited for.
    pub fn want(&mut self, bio: &Bio) {
        for id in bio.request.iter().chain(&bio.other_requests) {
            if self.wanted.contains_key(id) {
                continue;
            }
            let came = self.came.remove(id).and_then(|came| Some((came, self.others.remove(&came)?)));
            self.wanted.insert(*id, came.is_some());
            self.missing += usize::from(came.is_none());
            self.found.extend(came);
        }
    }

    /// A request that is over.
    pub fn add(&mut self, request: &Request) {
        self.last += 1;
        if let Some(came) = self.wanted.get_mut(&request.id) {
            self.missing -= usize::from(!std::mem::replace(came, true));
            self.found.insert(self.last, request.clone());
            return;
        }
        if self.others.len() == REMEMBERED
            && let Some((_, oldest)) = self.others.pop_first()
        {
            self.came.remove(&oldest.id);
        }
        self.others.insert(self.last, request.clone());
        self.came.insert(request.id, self.last);
    }

    /// All that were asked for have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Those that were asked for, in the order in which they came.
    #[must_use]
    pub fn into_found(self) -> Vec<Request> {
        self.found.into_values().collect()
    }
}
