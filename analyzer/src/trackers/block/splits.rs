//! How bios are split: the first sectors become a bio of their own, the rest goes on as the bio that it was.

use super::bios::{BioCall, BioTracker, RequestHistory};
use super::object::{ObjectState, SECTOR, now};
use crate::model::{BlockKind, FileCall, Origin};
use crate::trackers::fact::{Context, EndFact, Fact};
use crate::trackers::sink::Sink;
use iotrace_format::role::Role;

/// `ERR_PTR` values are the last 4095 addresses.
const ERRORS: u64 = u64::MAX - 4095;

impl BioTracker {
    /// A bio is about to be split.
    pub fn split(&mut self, fact: &Fact<'_>) {
        let roles = fact.roles;
        if let (Some(bio), Some(sectors)) = (roles.get(Role::Bio), roles.get(Role::Sectors)) {
            let seen = Box::new(ObjectState::bio(roles, &self.codes));
            let sectors = sectors & u64::from(u32::MAX);
            self.calls.insert(fact, BioCall::Split { bio, seen, sectors });
        }
    }

    /// A call ended: of a split, the part that goes first is new.
    pub fn call_ended(
        &mut self,
        end: &EndFact<'_>,
        call: Option<FileCall>,
        requests: &impl RequestHistory,
        out: &mut dyn Sink,
    ) {
        let Some(BioCall::Split { bio, mut seen, sectors }) = self.calls.remove(end) else { return };
        let returned = end.call.returned.filter(|pointer| *pointer != 0 && *pointer < ERRORS);
        let Some(split) = returned.filter(|_| end.is_seen()) else { return };
        seen.bytes = sectors * SECTOR;
        let rest = seen.sector.wrapping_add(sectors);
        let (origin, traced, cause) = match self.live.get_mut(&bio) {
            Some(whole) => {
                whole.bio.splits += 1;
                (whole.now.sector, whole.now.bytes) = (rest, whole.now.bytes.saturating_sub(seen.bytes));
                (Origin::Split { of: whole.bio.id }, whole.traced, whole.bio.cause.clone())
            }
            // A stacked device's own clone: never queued, but its parts are.
            None => (Origin::Queued, false, None),
        };
        if self.live.contains_key(&split) {
            self.drop_bio(split, requests, out);
        }
        let mut live = self.new_bio(&end.context, split, origin, (&seen, call));
        live.traced = traced;
        live.bio.cause = cause;
        self.live.insert(split, live);
        // Only __bio_split_to_limits traces a split; it is called while the queue takes the bio.
        if self.replace_entered(&end.context, bio, split) {
            let mut said = seen.block_event(BlockKind::Split, now(&end.context));
            said.sectors = rest;
            out.block_event(said);
        }
    }

    /// From here on the queue works on `split` where it worked on `bio`; false if it did not.
    fn replace_entered(&mut self, context: &Context<'_>, bio: u64, split: u64) -> bool {
        let mut entered = self.calls.of_context_mut(context).rev().filter_map(|call| match call {
            BioCall::Enter { bio } => Some(bio),
            BioCall::Split { .. } => None,
        });
        let found = entered.find(|entered| **entered == bio);
        found.map(|entered| *entered = split).is_some()
    }
}
