//! The block layer: bios and requests, and what passes between their trackers.
//!
//! In: facts of bios and requests; [`CommandFact`]s; the causes of bios. Out: to the sink, bios, requests and what the
//! kernel's own tracepoints would have said; to others, [`BlockFact`]s and [`RequestState`]s.
//!
//! ```text
//! fact -> RequestTracker -> RequestFact        a bio joins a request, or changes it   -> BioTracker
//!                        <- BioState           what is left of a bio, and whether it is in a request
//!                        -> MembershipOutcome  what a request went through, for a bio that leaves it
//! ```

mod attempts;
mod batches;
mod bios;
mod clones;
mod devices;
mod ends;
mod fact;
mod flush;
mod inserts;
mod live;
mod merges;
mod object;
mod outcome;
mod requests;
mod serving;
mod splits;
mod ways;

use super::counts::Counts;
use super::fact::{BlockFact, CommandFact, EndFact, Fact, QueuedBio, RequestState, ReturnedRequest};
use super::sink::Sink;
use crate::model::{BioId, Carried, Cause, FileCall, Join};
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use bios::BioTracker;
use fact::{MergedBios, RequestFact};
use iotrace_format::definition::{Definition, ObjectKind};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use requests::{Exchange, RequestTracker};
use std::sync::Arc;

/// Follows bios and requests.
#[derive(Debug, Default, Encode, Decode)]
pub struct BlockTracker {
    bios: BioTracker,
    requests: RequestTracker,
    /// What the tracker of requests has just told.
    facts: Unsaved<Vec<RequestFact>>,
}

impl BlockTracker {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        self.bios.define(definition);
        self.requests.define(definition);
    }

    /// The number of the bio, request or command that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self, object: ObjectKind) -> &mut u64 {
        match object {
            ObjectKind::Bio => self.bios.last_mut(),
            ObjectKind::Command => &mut self.requests.last_command,
            _ => self.requests.last_mut(),
        }
    }

    /// The number of the bio or request at an address, or of the request's last command.
    pub fn number_of(&self, object: ObjectKind, address: u64) -> Option<u64> {
        match object {
            ObjectKind::Bio => self.bios.number_of(address),
            ObjectKind::Command => {
                self.requests.live.get(&address)?.attempts.last().map(|attempt| attempt.command)
            }
            _ => self.requests.live.get(&address).map(|request| request.id),
        }
    }

    /// What was counted so far, of bios and of requests.
    pub fn counts(&self) -> [&Counts; 2] {
        [self.bios.counts(), self.requests.counts()]
    }

    /// A bio or a request reached a stage. `call` is the call into the file system that the task is in.
    pub fn fact(&mut self, fact: &Fact<'_>, call: Option<FileCall>, out: &mut dyn Sink) -> Option<BlockFact> {
        let Self { bios, requests, facts } = self;
        match fact.stage {
            Stage::BioQueue => return bios.queue(fact, call, requests, out).map(BlockFact::Queued),
            Stage::BioEnter => bios.enter(fact, out),
            Stage::BioFit => bios.fit(fact),
            Stage::BioSplit => bios.split(fact),
            Stage::BioChain => bios.chain(fact),
            Stage::BioClone => bios.clone_bio(fact),
            Stage::RequestServe => {
                let bio = fact.roles.request().and_then(|request| requests.first_bio(request));
                bios.serve(fact, bio.or_else(|| fact.roles.get(Role::Bio)));
            }
            Stage::BioEnd => {
                let membership = || bios.membership(fact.roles.get(Role::Bio)?);
                requests.bio_ends(fact, membership, out);
                bios.end(fact, requests, out);
            }
            Stage::RequestGet => requests.asked(fact, bios.entered(&fact.context)),
            _ => {
                let returned = requests.fact(fact, &mut Exchange { bios, facts, out });
                self.pass_facts();
                return returned.map(BlockFact::Returned);
            }
        }
        None
    }

    /// A call ended. `call` is the call into the file system that the task is in.
    pub fn call_ended(
        &mut self,
        end: &EndFact<'_>,
        call: Option<FileCall>,
        out: &mut dyn Sink,
    ) -> Option<ReturnedRequest> {
        let Self { bios, requests, facts } = self;
        if *end.stage == Stage::RequestServe {
            bios.serving.remove(end);
            return None;
        }
        if matches!(end.stage, Stage::BioSplit | Stage::BioClone | Stage::BioEnter | Stage::BioFit) {
            bios.call_ended(end, call, requests, out);
            return None;
        }
        let returned = requests.call_ended(end, &mut Exchange { bios, facts, out });
        self.pass_facts();
        returned
    }

    /// What a bio that was just queued originates from, and whose bytes it carries.
    pub fn attribute(&mut self, bio: &QueuedBio, cause: Arc<Cause>, carries: Vec<Carried>) {
        self.bios.attribute(bio, cause, carries);
    }

    /// What the bio that a bio came of goes back to, if that is known of it.
    pub fn inherited(&self, bio: &QueuedBio) -> Option<Arc<Cause>> {
        self.bios.cause(bio.pointer)
    }

    /// Bios that came of others since the last call, and what those go back to.
    pub fn take_derived(&mut self) -> Vec<(BioId, Arc<Cause>)> {
        self.bios.take_derived()
    }

    /// A request that is in flight.
    pub fn request(&self, pointer: u64) -> Option<RequestState> {
        self.requests.state(pointer)
    }

    /// Something happened to the command of a request.
    pub fn command(&mut self, fact: &CommandFact) {
        self.requests.command(fact);
    }

    /// The function of a softirq begins.
    pub fn softirq(&mut self, fact: &Fact<'_>) {
        self.requests.softirq(fact);
    }

    /// A driver completes a request; its address, if it is known.
    pub fn completed(&mut self, fact: &Fact<'_>, request: Option<u64>, out: &mut dyn Sink) {
        let Self { bios, requests, facts } = self;
        requests.completed(fact, request, &mut Exchange { bios, facts, out });
        self.pass_facts();
    }

    /// The completion of a request is processed; its address, if it is known.
    pub fn completion_processed(&mut self, fact: &Fact<'_>, request: Option<u64>) {
        self.requests.completion_processed(fact, request);
    }

    /// The trace is over: gives what is still in flight.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        self.requests.settle_inserts(out);
        self.bios.finish(&self.requests, out);
        self.requests.finish(out);
    }

    /// Passes what the tracker of requests has told on to that of bios.
    fn pass_facts(&mut self) {
        let Self { bios, requests, facts } = self;
        for fact in facts.drain(..) {
            match fact {
                RequestFact::Joined(joined) => bios.join(&joined),
                RequestFact::Mapped(bio) => bios.map(bio),
                RequestFact::Merged(MergedBios { clock, bios: merged, into }) => {
                    for bio in merged {
                        let left = bios.leave_merged(bio, clock, requests);
                        let joined = left.and_then(|bio| requests.join(clock, &bio, into, Join::WithRequest));
                        joined.iter().for_each(|joined| bios.join(joined));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
