//! The tracker of bios: queued, chained, in a request; how they are split is in [`super::splits`], how they are copied
//! in [`super::clones`], what they serve in [`super::serving`], how they end in [`super::ends`].
//!
//! In: facts of bios; from the tracker of requests, which request a bio joins, and what that went through. Out: to the
//! sink, bios and what the tracepoints of bios would have said; to others, [`QueuedBio`]s and [`BioState`]s.
//! Oddities counted: bios queued twice, late, or that end unknown, without a request or out of order; merges beyond a
//! bound.

use super::clones::CloneSources;
use super::devices::DeviceNames;
use super::fact::{BioState, JoinedBio, Membership, MembershipOutcome};
use super::live::LiveBio;
use super::object::{ObjectState, now};
use super::requests::BioStates;
use super::serving::ServedBio;
use crate::hash::{Map, Set};
use crate::model::{Bio, BioId, BlockKind, Carried, Cause, FileCall, OpCodes, OpField, Origin};
use crate::trackers::call_states::CallStates;
use crate::trackers::counts::{Counts, Oddity};
use crate::trackers::fact::{Context, Fact, QueuedBio};
use crate::trackers::probes::RoleValues;
use crate::trackers::sink::Sink;
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use iotrace_format::definition::Definition;
use iotrace_format::role::Role;
use std::sync::Arc;

/// Most times that a bio is followed into a request that its own is merged into: as many as there are segments in a
/// request, each of which may have come by a merge (`BLK_MAX_SEGMENTS`, include/linux/blkdev.h).
const MOST_MERGES: u32 = 128;

/// Knows what a bio's request went through.
pub trait RequestHistory {
    /// What it went through while a bio was in it, up to a clock; none if the request is gone.
    fn outcome(&self, membership: &Membership, until: u64) -> Option<MembershipOutcome>;
}

/// What is kept of an open call.
#[derive(Debug, Encode, Decode)]
pub(super) enum BioCall {
    /// The queue works on this bio.
    Enter { bio: u64 },
    /// This bio is split.
    Split { bio: u64, seen: Box<ObjectState>, sectors: u64 },
    /// This bio is copied.
    Clone { source: u64 },
    /// A bio is split if it does not fit its device.
    Fit,
}

/// Follows bios from their queueing to their end.
#[derive(Debug, Default, Encode, Decode)]
pub struct BioTracker {
    pub(super) codes: Unsaved<OpCodes>,
    /// Addresses of `bio_chain_endio`.
    chain_ends: Unsaved<Set<u64>>,
    /// By address. Boxed: a table that grows is there twice for a moment.
    pub(super) live: Map<u64, Box<LiveBio>>,
    /// Bios of passthrough requests, which are mapped, not queued.
    pub(super) mapped: Set<u64>,
    pub(super) calls: CallStates<BioCall>,
    pub(super) clones: CloneSources,
    pub(super) devices: DeviceNames,
    /// What open calls serve; none if that is not known.
    pub(super) serving: CallStates<Option<ServedBio>>,
    /// Bios that came of others, and what those go back to, since the last call.
    pub(super) derived: Vec<(BioId, Arc<Cause>)>,
    last: BioId,
    pub(super) counts: Counts,
}

impl BioStates for BioTracker {
    fn state(&self, pointer: u64) -> Option<BioState> {
        let live = self.live.get(&pointer)?;
        let ObjectState { sector, bytes, op, .. } = live.now;
        Some(BioState {
            pointer,
            id: live.innermost().id,
            queued: live.innermost().queued(),
            dev: live.innermost().dev,
            sector,
            bytes,
            op,
            has_request: live.membership.is_some(),
        })
    }
}

impl BioTracker {
    /// The number of the bio that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut BioId {
        &mut self.last
    }

    /// The number of the bio at an address.
    pub fn number_of(&self, address: u64) -> Option<BioId> {
        self.live.get(&address).map(|live| live.innermost().id)
    }

    /// What the bio at an address goes back to, if that is known.
    pub fn cause(&self, address: u64) -> Option<Arc<Cause>> {
        self.live.get(&address)?.bio.cause.clone()
    }

    /// Bios that came of others since the last call, and what those go back to.
    pub fn take_derived(&mut self) -> Vec<(BioId, Arc<Cause>)> {
        std::mem::take(&mut self.derived)
    }

    /// The request that the bio at an address is in.
    pub fn membership(&self, address: u64) -> Option<Membership> {
        self.live.get(&address)?.membership
    }

    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Constant(constant) => self.codes.define(&constant.name, constant.value),
            Definition::Symbol(symbol) if symbol.name == "bio_chain_endio" => {
                self.chain_ends.insert(symbol.address);
            }
            Definition::Symbol(symbol) => _ = self.chain_ends.remove(&symbol.address),
            _ => {}
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A bio is queued; within a call of its task into the file system, perhaps. Returns it if it is new.
    pub fn queue(
        &mut self,
        fact: &Fact<'_>,
        call: Option<FileCall>,
        requests: &impl RequestHistory,
        out: &mut dyn Sink,
    ) -> Option<QueuedBio> {
        let roles = fact.roles;
        let Some(pointer) = roles.get(Role::Bio) else {
            self.counts.add(Oddity::WordMissing, 1);
            return None;
        };
        self.devices.learn(roles);
        let traced = roles.get(Role::BioTraced);
        let known = self.live.contains_key(&pointer);
        if known && traced == Some(0) {
            // Seen when the bio's end was not: its function is not probed in this kernel.
            self.drop_bio(pointer, requests, out);
        } else if known {
            // The rest of a split bio, or a bio that a stacked device passes on, or takes up again without what it has done
            // (the preflush: `__send_empty_flush` and `dm_io_dec_pending` in drivers/md/dm.c).
            self.live.get_mut(&pointer).into_iter().for_each(|live| live.report_queued(out));
            self.refresh(pointer, roles);
            self.pass_on(pointer, roles, fact.context.clock());
            return None;
        } else if traced.is_some_and(|t| t != 0) {
            // A clone of a traced bio, or a bio queued before the trace began: no tracepoint fires.
            self.counts.add(Oddity::BioSeenLate, 1);
        }
        let seen = ObjectState::bio(roles, &self.codes);
        let (id, copies) = self.clones.take_number(pointer).unwrap_or_else(|| (self.next_id(), 0));
        let mut live = self.new_bio(&fact.context, (id, pointer), Origin::Queued, (&seen, call));
        live.bio.parts = copies;
        live.traced = true;
        live.source = self.clones.take(pointer);
        self.resolve_source(&mut live);
        self.resolve_served(&fact.context, &mut live);
        if traced.is_none_or(|t| t == 0) {
            live.queued = Some(seen.block_event(BlockKind::BioQueue, now(&fact.context)));
        }
        // Where the checks of a bio are behind the probe, they drop what its device need not do.
        if !(seen.op.preflush || seen.op.fua) {
            live.report_queued(out);
        }
        let queued = QueuedBio { pointer, id: live.bio.id, op: seen.op.name, bytes: seen.bytes };
        self.live.insert(pointer, Box::new(live));
        self.refresh(pointer, roles);
        Some(queued)
    }

    /// What a bio that was just queued originates from, and whose bytes it carries.
    pub fn attribute(&mut self, bio: &QueuedBio, cause: Arc<Cause>, carries: Vec<Carried>) {
        if let Some(live) = self.live.get_mut(&bio.pointer) {
            (live.bio.cause, live.bio.carries) = (Some(cause), carries);
        }
    }

    /// The queue takes a bio.
    pub fn enter(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let Some(bio) = fact.roles.get(Role::Bio) else { return };
        self.refresh(bio, fact.roles);
        self.live.get_mut(&bio).into_iter().for_each(|live| live.report_queued(out));
        self.calls.insert(fact, BioCall::Enter { bio });
    }

    /// The bio that the queue works on here and that has no request yet.
    pub fn entered(&self, context: &Context<'_>) -> Option<u64> {
        self.calls.of_context(context).rev().find_map(|call| match call {
            // The function may leave by a tail call: one whose bio is served is over.
            BioCall::Enter { bio } => {
                Some(*bio).filter(|bio| self.live.get(bio).is_some_and(|live| live.membership.is_none()))
            }
            BioCall::Split { .. } | BioCall::Clone { .. } | BioCall::Fit => None,
        })
    }

    /// A bio is made to wait for another one.
    pub fn chain(&mut self, fact: &Fact<'_>) {
        let (Some(bio), Some(parent)) = (fact.roles.get(Role::Bio), fact.roles.get(Role::Parent)) else {
            self.counts.add(Oddity::WordMissing, 1);
            return;
        };
        // Bios chained before they are queued bring their count with them when they are.
        if let Some(live) = self.live.get_mut(&parent) {
            live.remaining += 1;
        }
        if let Some(live) = self.live.get_mut(&bio) {
            live.parent = Some(parent);
        }
    }

    /// A bio is in a request.
    pub fn join(&mut self, JoinedBio { bio, membership }: &JoinedBio) {
        if let Some(live) = self.live.get_mut(bio) {
            let bio = live.innermost_mut();
            (bio.request, bio.join) = (Some(membership.request), Some(membership.join));
            live.membership = Some(*membership);
        }
    }

    /// A bio's request was merged into another one, which it is about to join; none if it is not followed there.
    pub fn leave_merged(
        &mut self,
        (id, pointer): (BioId, u64),
        clock: u64,
        requests: &impl RequestHistory,
    ) -> Option<BioState> {
        let live = self.live.get_mut(&pointer).filter(|live| live.innermost().id == id)?;
        live.merges += 1;
        if live.merges > MOST_MERGES {
            self.counts.add(Oddity::MergedTooOften, 1);
            return None;
        }
        let bio = live.innermost_mut();
        bio.other_requests.extend(bio.request);
        live.leave(clock, requests);
        self.state(pointer)
    }

    /// The bio at an address is not queued: it is a passthrough request's.
    pub fn map(&mut self, pointer: u64) {
        self.mapped.insert(pointer);
    }

    /// The trace is over: gives what is still in flight.
    pub fn finish(&mut self, requests: &impl RequestHistory, out: &mut dyn Sink) {
        self.resolve_sources();
        let mut bios: Vec<_> = self.live.drain().map(|(_, live)| live).collect();
        bios.sort_by_key(|live| live.bio.id);
        for live in bios {
            self.counts.add(Oddity::BioUnfinished, u64::from(live.bio.in_workload));
            live.into_unfinished(requests, out).into_iter().for_each(|bio| out.bio(bio));
        }
    }

    /// Takes over what an event says of a bio in flight.
    pub(super) fn refresh(&mut self, pointer: u64, roles: &RoleValues<'_>) {
        let parent = self.parent(roles);
        let Some(live) = self.live.get_mut(&pointer) else { return };
        if let (Some(sector), Some(size)) = (roles.get(Role::BioSector), roles.get(Role::BioSize)) {
            (live.now.sector, live.now.bytes) = (sector, size);
        }
        // A stacked device may change it without queueing the bio again (`cached_dev_submit_bio` in
        // drivers/md/bcache/request.c).
        live.now.dev = roles.bio_dev().unwrap_or(live.now.dev);
        if let Some(op) = roles.get(Role::BioOp) {
            live.now.op = self.codes.decode(op, OpField::Bio);
        }
        match (roles.get(Role::BioChained), roles.get(Role::BioRemaining)) {
            (Some(0), _) => live.remaining = 1,
            (Some(_), Some(remaining)) => live.remaining = remaining,
            _ => {}
        }
        if roles.get(Role::BioEndIo).is_some() {
            live.parent = parent;
        }
    }

    /// The bio that waits for an event's bio: `bi_private`, if its end is `bio_chain_endio`.
    pub(super) fn parent(&self, roles: &RoleValues<'_>) -> Option<u64> {
        let end_io = roles.get(Role::BioEndIo)?;
        roles.get(Role::BioPrivate).filter(|_| self.chain_ends.contains(&end_io))
    }

    /// What an event says of its bio.
    pub(super) fn seen(&self, roles: &RoleValues<'_>) -> ObjectState {
        ObjectState::bio(roles, &self.codes)
    }

    /// Gives a bio whose end was missed, since its address is another one's.
    pub(super) fn drop_bio(&mut self, pointer: u64, requests: &impl RequestHistory, out: &mut dyn Sink) {
        self.counts.add(Oddity::BioQueuedTwice, 1);
        if let Some(mut live) = self.live.remove(&pointer) {
            self.resolve_source(&mut live);
            live.into_unfinished(requests, out).into_iter().for_each(|bio| out.bio(bio));
        }
    }

    /// The number of a bio that begins.
    pub(super) fn next_id(&mut self) -> BioId {
        self.last += 1;
        self.last
    }

    pub(super) fn new_bio(
        &self,
        context: &Context<'_>,
        (id, pointer): (BioId, u64),
        origin: Origin,
        (seen, call): (&ObjectState, Option<FileCall>),
    ) -> LiveBio {
        let ObjectState { dev, sector, bytes, op } = *seen;
        let (task, in_workload) = (context.task(), context.in_workload);
        let begun = Bio::new(id, pointer, origin, op, context.clock());
        let device = self.devices.name(dev);
        let bio = Bio { dev, device, sector, bytes, task, call, in_workload, ..begun };
        LiveBio::new(bio, *seen)
    }
}
