//! A bio in flight, and what it went on as.
//!
//! In: what the tracker of bios learns of it; what its requests went through. Out: bios that are over.
//!
//! The bio at an address may go on as another one: as what is left of it after parts were cut off, or as the same on
//! another device, to which a stacked one passes it. Each of these is a bio with a number of its own; what happens is
//! the innermost one's, the others end with it.

use super::bios::RequestHistory;
use super::fact::{Membership, MembershipOutcome};
use super::object::ObjectState;
use super::outcome::finish;
use crate::model::{Bio, BioStage, BlockEvent, Origin, StageMark};
use crate::trackers::sink::Sink;
use bincode::{Decode, Encode};

/// A bio in flight.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct LiveBio {
    /// What will be told of it, as it was queued.
    pub bio: Bio,
    /// What it went on as, each as what the one before went on as.
    pub passed: Vec<Bio>,
    /// What is left of it now, and its operation, of which the block layer drops what the device need not do.
    pub now: ObjectState,
    /// The saying of the tracepoint of its queueing, as long as its operation may still be another one there.
    pub queued: Option<BlockEvent>,
    /// `BIO_TRACE_COMPLETION`.
    pub traced: bool,
    /// Ends that it still waits for (`__bi_remaining`); without `BIO_CHAIN` 1.
    pub remaining: u64,
    /// The bio that waits for it.
    pub parent: Option<u64>,
    /// The address of the bio that it is a copy of, as long as that one's number is not known.
    pub source: Option<u64>,
    /// The request it is in.
    pub membership: Option<Membership>,
    /// Times its request was merged into another.
    pub merges: u32,
}

impl LiveBio {
    /// A bio that begins.
    pub fn new(bio: Bio, now: ObjectState) -> Self {
        Self {
            bio,
            passed: Vec::new(),
            now,
            queued: None,
            traced: false,
            remaining: 1,
            parent: None,
            source: None,
            membership: None,
            merges: 0,
        }
    }

    /// What it goes on as now.
    pub fn innermost(&self) -> &Bio {
        self.passed.last().unwrap_or(&self.bio)
    }

    /// The same, to be changed.
    pub fn innermost_mut(&mut self) -> &mut Bio {
        self.passed.last_mut().unwrap_or(&mut self.bio)
    }

    /// What parts are cut off from: what is left of something is still that.
    pub fn whole_mut(&mut self) -> &mut Bio {
        let Some((last, before)) = self.passed.split_last_mut() else { return &mut self.bio };
        match last.origin {
            Origin::Rest { .. } => before.last_mut().unwrap_or(&mut self.bio),
            _ => last,
        }
    }

    /// What is left after parts were cut off, if any were.
    pub fn rest_mut(&mut self) -> Option<&mut Bio> {
        self.passed.last_mut().filter(|bio| matches!(bio.origin, Origin::Rest { .. }))
    }

    /// It goes on as a bio with this number from here on.
    pub fn pass_on(&mut self, id: u64, origin: Origin, clock: u64) {
        let ObjectState { sector, bytes, .. } = self.now;
        let before = self.innermost_mut();
        before.parts += 1;
        let Bio { pointer, dev, op, task, call, in_workload, .. } = *before;
        let (device, cause) = (before.device.clone(), before.cause.clone());
        let begun = Bio::new(id, pointer, origin, op, clock);
        let bio = Bio { dev, device, sector, bytes, task, call, cause, in_workload, ..begun };
        self.passed.push(bio);
    }

    /// Leaves its request; what that one went through meanwhile becomes the bio's own.
    pub fn leave(&mut self, clock: u64, requests: &impl RequestHistory) {
        if let Some(outcome) = self.membership.take().and_then(|of| requests.outcome(&of, clock)) {
            self.take_over(outcome);
        }
    }

    /// The same, if the request is completed: a bio whose copies count as its own ends may be in it still.
    pub fn leave_completed(&mut self, clock: u64, requests: &impl RequestHistory) -> bool {
        let outcome = self.membership.as_ref().and_then(|of| requests.outcome(of, clock));
        let is_completed =
            |outcome: &MembershipOutcome| outcome.stages.iter().any(|mark| mark.stage == BioStage::Completed);
        let Some(outcome) = outcome.filter(is_completed) else { return false };
        self.membership = None;
        self.take_over(outcome);
        true
    }

    fn take_over(&mut self, outcome: MembershipOutcome) {
        let bio = self.innermost_mut();
        bio.stages.extend(outcome.stages);
        bio.requeues += outcome.requeues;
        bio.attempts += outcome.attempts;
        bio.errors.extend(outcome.errors);
        bio.at_device.extend(outcome.at_device);
        bio.interrupt = outcome.interrupt.or(bio.interrupt);
        bio.other_requests.extend(outcome.flushes);
    }

    /// Gives the saying of the tracepoint of its queueing, if that is not given yet.
    pub fn report_queued(&mut self, out: &mut dyn Sink) {
        if let Some(event) = self.queued.take() {
            out.block_event(BlockEvent { op: self.now.op, ..event });
        }
    }

    /// The bios that it was, which are over at a clock or, without one, with the trace; the innermost first. With them, how
    /// many stages came too early.
    pub fn into_bios(self, ended: Option<u64>) -> (Vec<Bio>, u64) {
        let status = self.bio.status;
        let mut bios = vec![self.bio];
        bios.extend(self.passed);
        let mut disorder = 0;
        for bio in &mut bios {
            disorder += conclude(bio, status, ended);
        }
        bios.reverse();
        (bios, disorder)
    }

    /// What is known of it when the trace ends.
    pub fn into_unfinished(mut self, requests: &impl RequestHistory, out: &mut dyn Sink) -> Vec<Bio> {
        self.report_queued(out);
        self.leave(u64::MAX, requests);
        self.into_bios(None).0
    }
}

/// A bio is over with a status: at a clock or, without one, with the trace. Returns how many stages came too early.
pub fn conclude(bio: &mut Bio, status: u64, ended: Option<u64>) -> u64 {
    bio.status = status;
    bio.stages.extend(ended.map(|clock| StageMark { stage: BioStage::Ended, clock, shared: 1 }));
    finish(bio)
}
