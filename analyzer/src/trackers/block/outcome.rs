//! What a request went through, as far as it concerns a bio in it: the stages that the bio reached.

use super::fact::{Membership, MembershipOutcome};
use crate::model::{Attempt, Bio, BioStage, CommandError, FlushRide, Join, Request, StageMark};

/// Attempts of a request that are looked at: SCSI gives a command up after six (drivers/scsi/sd.h,
/// `SD_MAX_RETRIES`).
const MOST_ATTEMPTS: usize = 64;

/// The attempt that brought the request's bytes: its own last one, or that of the flush it waited for
/// if it had nothing else to do.
fn attempt(request: &Request) -> Option<(&Attempt, Option<&FlushRide>)> {
    request.issued().map(|a| (a, None)).or_else(|| {
        let flush = request.flushes.iter().rev().find(|flush| flush.attempt.is_some())?;
        Some((flush.attempt.as_ref()?, Some(flush)))
    })
}

/// What a bio brings with it from a request that it was in up to `until`.
pub fn outcome(request: &Request, membership: &Membership, until: u64) -> MembershipOutcome {
    MembershipOutcome {
        stages: stages(request, membership, until),
        attempts: request.issued_in(membership.from, until).len() as u32,
        errors: CommandError::of(attempts(request, membership, until)),
        at_device: attempts(request, membership, until).filter_map(Attempt::at_device).collect(),
        requeues: request.requeues(),
        interrupt: attempt(request).and_then(|(attempt, _)| attempt.interrupt),
        flushes: request.flushes.iter().filter_map(|flush| flush.request).collect(),
    }
}

/// The attempts made meanwhile: the request's own, and those of the flushes that it waited for.
fn attempts<'r>(
    request: &'r Request,
    membership: &Membership,
    until: u64,
) -> impl Iterator<Item = &'r Attempt> {
    let own = request.issued_in(membership.from, until).take(MOST_ATTEMPTS);
    own.chain(request.flushes.iter().filter_map(|flush| flush.attempt.as_ref()))
}

/// The stages that a bio reached in a request, from when it came in to `until`, by time.
fn stages(request: &Request, membership: &Membership, until: u64) -> Vec<StageMark> {
    let mut marks = vec![join_mark(membership)];
    let mut add = |stage, clock: Option<u64>, shared: Option<u32>| {
        if let Some(clock) = clock.filter(|c| (membership.from..=until).contains(c)) {
            let shared = shared.unwrap_or_else(|| request.members_at(clock)).max(1);
            marks.push(StageMark { stage, clock, shared });
        }
    };
    add(BioStage::Plugged, request.plugged, None);
    add(BioStage::Inserted, request.inserted(membership.from), None);
    let attempt = attempt(request);
    for flush in request.flushes.iter().filter(|_| attempt.is_some_and(|(_, flush)| flush.is_none())) {
        let stage = if flush.after_data { BioStage::Postflushed } else { BioStage::Preflushed };
        add(stage, flush.done, Some(flush.riders));
    }
    if let Some((attempt, flush)) = attempt {
        let shared = flush.map(|f| f.riders);
        if flush.is_none() {
            let mut failed = request.failed_attempts();
            let requeued =
                request.failed_attempts().rev().take(MOST_ATTEMPTS).find_map(|failed| failed.requeued);
            add(BioStage::FirstIssued, failed.next().and_then(|attempt| attempt.issued), None);
            add(BioStage::Requeued, requeued, None);
        }
        add(BioStage::Issued, attempt.issued, shared);
        add(BioStage::Driver, attempt.driver, shared);
        add(BioStage::Doorbell, attempt.doorbell, shared);
        add(BioStage::Interrupt, attempt.interrupt.map(|irq| irq.clock), shared);
        add(BioStage::Done, attempt.done, shared);
    }
    add(BioStage::Completed, request.completed(until), None);
    marks
}

fn join_mark(membership: &Membership) -> StageMark {
    let stage = if membership.join == Join::Got { BioStage::Got } else { BioStage::Merged };
    StageMark { stage, clock: membership.from, shared: 1 }
}

/// Puts a bio's stages in the order of time, each once. Returns how many were reached before one that
/// should have come first.
pub fn finish(bio: &mut Bio) -> u64 {
    bio.stages.sort_by_key(|mark| (mark.clock, mark.stage));
    let mut seen = [false; BioStage::ALL.len()];
    // Of a stage reached in several requests (one merged into another) the first time counts.
    bio.stages.retain(|mark| !std::mem::replace(&mut seen[mark.stage as usize], true));
    bio.other_requests.sort_unstable();
    bio.other_requests.dedup();
    if let Some(own) = bio.request {
        bio.other_requests.retain(|other| *other != own);
    }
    disorder(&bio.stages)
}

/// The device's side of the way has one order; merging and inserting may come in any.
fn disorder(stages: &[StageMark]) -> u64 {
    let way = stages.iter().filter(|m| m.stage >= BioStage::Issued && m.stage != BioStage::Postflushed);
    let order: Vec<_> = way.map(|mark| mark.stage).collect();
    order.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64
}
