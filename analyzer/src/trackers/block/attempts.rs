//! Attempts of requests at the device: given to the layer below, issued, refused, requeued, and what their commands
//! went through.

use super::object::{ObjectState, now};
use super::requests::{Exchange, RequestCall, RequestTracker};
use super::ways::runner;
use crate::model::{Attempt, BlockKind, RecoveryMark};
use crate::trackers::fact::{AttemptState, CommandFact, CommandStep, Fact, RequestState, ReturnedRequest};

/// Steps of the recovery of a command that are kept at most: the error handler gives up long before.
const MOST_MARKS: usize = 64;

impl RequestTracker {
    /// A request that is in flight.
    pub fn state(&self, pointer: u64) -> Option<RequestState> {
        let last = self.live.get(&pointer)?.attempts.last().map(|attempt| AttemptState {
            command: attempt.command,
            driver: attempt.driver,
            doorbell: attempt.doorbell,
            done: attempt.done,
            is_over: is_over(attempt),
        });
        Some(RequestState { pointer, last, next_command: self.last_command + 1 })
    }

    /// Something happened to the command of a request.
    pub fn command(&mut self, fact: &CommandFact) {
        let clock = fact.clock;
        if let CommandStep::Sense(_) | CommandStep::Recovery(_) = fact.step {
            return self.failure(fact);
        }
        if self
            .last_attempt(fact.request)
            .is_some_and(|attempt| attempt.is_in_recovery() && !is_last(fact.step))
        {
            return;
        }
        let over = |attempt: &Attempt| match fact.step {
            CommandStep::Passed(_) => attempt.driver.is_some(),
            CommandStep::Done(_) => attempt.done.is_some(),
            _ => false,
        };
        let attempt = match fact.step {
            CommandStep::Doorbell | CommandStep::Completed(..) => {
                self.live.get_mut(&fact.request).and_then(|rq| rq.attempts.last_mut())
            }
            _ => self.attempt(fact.request, over),
        };
        let Some(attempt) = attempt else { return };
        match fact.step {
            CommandStep::Prepared => attempt.prepared = Some(clock),
            CommandStep::Passed(command) => (attempt.driver, attempt.pointer) = (Some(clock), command),
            CommandStep::Started => attempt.started = Some(clock),
            CommandStep::Doorbell => attempt.doorbell = Some(clock),
            CommandStep::DriverDone => attempt.driver_done = Some(clock),
            CommandStep::Done(interrupt) => (attempt.done, attempt.interrupt) = (Some(clock), interrupt),
            CommandStep::Completed(interrupt, end) => {
                attempt.interrupt = interrupt.or(attempt.interrupt);
                attempt.device_end = Some(end);
            }
            CommandStep::Finished(result) => (attempt.finished, attempt.result) = (Some(clock), result),
            CommandStep::Sense(_) | CommandStep::Recovery(_) => {}
        }
        if let Some(result) = fact.result {
            attempt.result = result;
        }
    }

    fn last_attempt(&mut self, request: u64) -> Option<&mut Attempt> {
        self.live.get_mut(&request)?.attempts.last_mut()
    }

    /// A command failed, or something is done since it did.
    fn failure(&mut self, fact: &CommandFact) {
        let clock = fact.clock;
        let Some(attempt) = self.last_attempt(fact.request).filter(|attempt| !is_over(attempt)) else {
            return;
        };
        match fact.step {
            // The error handler's own commands fail as well: why this one did was told before.
            CommandStep::Sense(sense) if attempt.sense.is_none() => {
                attempt.sense = sense;
                attempt.result = fact.result.unwrap_or(attempt.result);
            }
            CommandStep::Recovery(step) if attempt.recovery.len() < MOST_MARKS => {
                attempt.recovery.push(RecoveryMark { step, clock });
            }
            _ => {}
        }
    }

    /// The request's current attempt; a new one if there is none, or if the last one is over.
    pub(super) fn attempt(&mut self, pointer: u64, over: impl Fn(&Attempt) -> bool) -> Option<&mut Attempt> {
        let request = self.live.get_mut(&pointer)?;
        if request.attempts.last().is_none_or(|last| is_over(last) || over(last)) {
            self.last_command += 1;
            request.attempts.push(Attempt { command: self.last_command, ..Attempt::default() });
        }
        request.attempts.last_mut()
    }

    pub(super) fn issue(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        self.settle_inserts(exchange.out);
        let Some(pointer) = self.meet(fact, exchange) else { return self.word_missing() };
        let (clock, context) = (fact.context.clock(), &fact.context);
        if let Some(seen) = ObjectState::request(fact.roles, &self.codes) {
            exchange.out.block_event(seen.request_event(BlockKind::RqIssue, now(context)));
        }
        let way = self.dispatch_way(context);
        // With one queue for each device the SCSI layer takes its requests itself: nothing dispatches them.
        if let Some(attempt) = self.attempt(pointer, |attempt| attempt.issued.is_some())
            && attempt.dispatched.is_none()
        {
            (attempt.way, attempt.dispatched_by) = (Some(way), Some(runner(context)));
            attempt.dispatch_event = context.number;
        }
        if let Some(request) = self.live.get_mut(&pointer) {
            request.issue(clock);
        }
    }

    pub(super) fn dispatch(&mut self, fact: &Fact<'_>, exchange: &mut Exchange<'_>) {
        self.settle_inserts(exchange.out);
        let Some(request) = self.meet(fact, exchange) else { return self.word_missing() };
        let (way, context) = (self.dispatch_way(&fact.context), &fact.context);
        if let Some(attempt) = self.attempt(request, |attempt| attempt.dispatched.is_some()) {
            attempt.dispatched = Some(context.clock());
            (attempt.way, attempt.dispatched_by) = (Some(way), Some(runner(context)));
            attempt.dispatch_event = context.number;
        }
        self.calls.insert(fact, RequestCall::Dispatch { request });
    }

    pub(super) fn refused(&mut self, pointer: u64) -> ReturnedRequest {
        if let Some(attempt) = self.live.get_mut(&pointer).and_then(|request| request.attempts.last_mut()) {
            attempt.refused = true;
        }
        ReturnedRequest { pointer }
    }

    pub(super) fn requeue(
        &mut self,
        fact: &Fact<'_>,
        exchange: &mut Exchange<'_>,
    ) -> Option<ReturnedRequest> {
        let clock = fact.context.clock();
        let Some(pointer) = self.meet(fact, exchange) else {
            self.word_missing();
            return None;
        };
        if let Some(seen) = ObjectState::request(fact.roles, &self.codes) {
            exchange.out.block_event(seen.request_event(BlockKind::RqRequeue, now(&fact.context)));
        }
        self.live.get_mut(&pointer)?.requeue(clock);
        Some(ReturnedRequest { pointer })
    }
}

/// The SCSI layer is finished with a command; all else may be the error handler's.
fn is_last(step: CommandStep) -> bool {
    matches!(step, CommandStep::Finished(_))
}

/// Another attempt follows after this one.
fn is_over(attempt: &Attempt) -> bool {
    attempt.requeued.is_some() || attempt.refused
}
