//! How bios are split: the first sectors become a bio of their own, the rest goes on as the bio that it was.

use super::bios::{BioCall, BioTracker, RequestHistory};
use super::object::{ObjectState, SECTOR, now};
use crate::model::{BlockKind, Cause, FileCall, Origin};
use crate::trackers::fact::{Context, EndFact, Fact};
use crate::trackers::probes::RoleValues;
use crate::trackers::sink::Sink;
use iotrace_format::role::Role;
use std::sync::Arc;

/// `ERR_PTR` values are the last 4095 addresses.
const ERRORS: u64 = u64::MAX - 4095;
/// Most times that a bio goes on as another one: stacks of devices are no deeper.
const DEEPEST: usize = 16;

impl BioTracker {
    /// A bio is about to be split if it does not fit its device.
    pub fn fit(&mut self, fact: &Fact<'_>) {
        self.calls.insert(fact, BioCall::Fit);
    }

    /// A bio is about to be split.
    pub fn split(&mut self, fact: &Fact<'_>) {
        let roles = fact.roles;
        if let (Some(bio), Some(sectors)) = (roles.get(Role::Bio), roles.get(Role::Sectors)) {
            let seen = Box::new(ObjectState::bio(roles, &self.codes));
            let sectors = sectors & u64::from(u32::MAX);
            self.calls.insert(fact, BioCall::Split { bio, seen, sectors });
        }
    }

    /// A call ended: of a split, the part that goes first is new; of a copy, the copy.
    pub fn call_ended(
        &mut self,
        end: &EndFact<'_>,
        call: Option<FileCall>,
        requests: &impl RequestHistory,
        out: &mut dyn Sink,
    ) {
        let returned = end.call.returned.filter(|pointer| *pointer != 0 && *pointer < ERRORS);
        let returned = returned.filter(|_| end.is_seen());
        let (bio, mut seen, sectors, split) = match (self.calls.remove(end), returned) {
            (Some(BioCall::Split { bio, seen, sectors }), Some(split)) => (bio, seen, sectors, split),
            (Some(BioCall::Clone { source }), Some(clone)) => {
                return self.copied(clone, source, end.context.clock());
            }
            _ => return,
        };
        seen.bytes = sectors * SECTOR;
        let rest = seen.sector.wrapping_add(sectors);
        let (id, clock) = (self.next_id(), end.context.clock());
        let (origin, traced, cause) = self.cut(bio, &seen, rest, clock);
        if self.live.contains_key(&split) {
            self.drop_bio(split, requests, out);
        }
        let mut live = self.new_bio(&end.context, (id, split), origin, (&seen, call));
        (live.traced, live.bio.cause) = (traced, cause);
        // Of a stacked device's own copy, which was never queued.
        live.source = Some(bio).filter(|_| origin == Origin::Queued).and_then(|bio| self.clones.source(bio));
        self.resolve_source(&mut live);
        self.derived.extend(live.bio.cause.clone().map(|cause| (id, cause)));
        self.live.insert(split, Box::new(live));
        // Only __bio_split_to_limits traces a split: by itself, as stacked devices and nvme's multipath call it, or while the
        // queue takes the bio.
        let is_entered = self.replace_entered(&end.context, bio, split);
        if is_entered || self.calls.of_context(&end.context).any(|call| matches!(call, BioCall::Fit)) {
            let mut said = seen.block_event(BlockKind::Split, now(&end.context));
            said.sectors = rest;
            out.block_event(said);
        }
    }

    /// The first sectors of a bio are cut off; what is left goes on as a bio of its own from the first time on. Returns what
    /// the part takes over.
    fn cut(
        &mut self,
        bio: u64,
        part: &ObjectState,
        rest: u64,
        clock: u64,
    ) -> (Origin, bool, Option<Arc<Cause>>) {
        // A stacked device's own clone: never queued, but its parts are.
        let Some(whole) = self.live.get_mut(&bio) else { return (Origin::Queued, false, None) };
        (whole.now.sector, whole.now.bytes) = (rest, whole.now.bytes.saturating_sub(part.bytes));
        let now = whole.now;
        let of = whole.whole_mut();
        of.splits += 1;
        of.parts += 1;
        let (of, cause) = (of.id, of.cause.clone());
        let traced = whole.traced;
        match whole.rest_mut() {
            Some(left) => {
                (left.sector, left.bytes) = (now.sector, now.bytes);
                left.stages.first_mut().into_iter().for_each(|mark| mark.clock = clock);
            }
            None => self.go_on(bio, Origin::Rest { of }, clock),
        }
        (Origin::Split { of }, traced, cause)
    }

    /// The bio at an address goes on as another one.
    fn go_on(&mut self, pointer: u64, origin: Origin, clock: u64) {
        let id = self.next_id();
        if let Some(live) = self.live.get_mut(&pointer) {
            live.pass_on(id, origin, clock);
            self.derived.extend(live.bio.cause.clone().map(|cause| (id, cause)));
        }
    }

    /// A bio in flight is queued once more: for another device, if a stacked one passes it on.
    pub(super) fn pass_on(&mut self, pointer: u64, roles: &RoleValues<'_>, clock: u64) {
        let Some(dev) = roles.bio_dev() else { return };
        let Some(live) = self.live.get_mut(&pointer) else { return };
        let (of, before) = (live.innermost().id, live.innermost().dev);
        if before != dev && live.membership.is_none() && live.passed.len() < DEEPEST {
            self.go_on(pointer, Origin::Remap { of }, clock);
            if let Some(live) = self.live.get_mut(&pointer) {
                let innermost = live.innermost_mut();
                (innermost.dev, innermost.device) = (dev, self.devices.name(dev));
            }
        }
    }

    /// From here on the queue works on `split` where it worked on `bio`; false if it did not.
    fn replace_entered(&mut self, context: &Context<'_>, bio: u64, split: u64) -> bool {
        let mut entered = self.calls.of_context_mut(context).rev().filter_map(|call| match call {
            BioCall::Enter { bio } => Some(bio),
            BioCall::Split { .. } | BioCall::Clone { .. } | BioCall::Fit => None,
        });
        let found = entered.find(|entered| **entered == bio);
        found.map(|entered| *entered = split).is_some()
    }
}
