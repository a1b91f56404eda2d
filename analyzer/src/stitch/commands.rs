//! Commands: passed to the driver, to the controller, and done.

use super::probes::RoleValues;
use super::{Oddity, Sink, Stitcher};
use crate::hash::Map;
use crate::model::{Handover, HandoverKind, Level, Point};
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

/// Where a driver runs: a level of a vCPU. It is not left for another of the same level between a
/// command and its doorbell, since drivers hold a lock there.
type Where = (u16, Level);

/// Commands that wait for their doorbell.
#[derive(Debug, Default)]
pub struct Bells {
    waiting: BTreeSet<(Where, u64)>,
    /// The same by their requests.
    places: Map<u64, BTreeSet<Where>>,
    /// Where the doorbell of each request under way was rung.
    rung: Map<u64, Point>,
}

impl Bells {
    /// A request's command waits for its doorbell.
    fn wait(&mut self, place: Where, rq: u64) {
        self.waiting.insert((place, rq));
        self.places.entry(rq).or_default().insert(place);
    }

    /// The doorbell is rung: the requests whose commands it passes on.
    fn ring(&mut self, place: Where) -> Vec<u64> {
        let here: Vec<u64> = self.waiting.range((place, 0)..=(place, u64::MAX)).map(|(_, rq)| *rq).collect();
        for rq in &here {
            self.waiting.remove(&(place, *rq));
            if let Entry::Occupied(mut places) = self.places.entry(*rq) {
                places.get_mut().remove(&place);
                if places.get().is_empty() {
                    places.remove();
                }
            }
        }
        here
    }

    /// A command that will not be passed on any more.
    pub fn forget(&mut self, rq: u64) {
        for place in self.places.remove(&rq).unwrap_or_default() {
            self.waiting.remove(&(place, rq));
        }
        self.rung.remove(&rq);
    }
}

fn place(event: &Event<'_>) -> Where {
    (event.vcpu, Level::of(event.context))
}

impl Stitcher {
    /// The request of the event's command or request, if it is known.
    pub(super) fn request_of(&self, words: &RoleValues<'_>) -> Option<u64> {
        let by_command = || self.commands.get(&words.command()?).copied();
        words.request().or_else(by_command).filter(|rq| self.requests.contains_key(rq))
    }

    pub(super) fn cmd_dispatch(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let Some(rq) = self.request_of(words) else {
            // Seen of commands without a request: the error handler's own.
            self.counts.add(Oddity::CommandUnknown, 1);
            return;
        };
        let command = words.command().unwrap_or(0);
        self.commands.insert(command, rq);
        if let Some(attempt) = self.attempt(rq, |attempt| attempt.driver.is_some()) {
            (attempt.driver, attempt.pointer) = (Some(event.clock), command);
        }
        if !self.probes.tells_start(words.function()) {
            self.bells.wait(place(event), rq);
        }
    }

    pub(super) fn cmd_start(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        // A control block without a command (a message, a bus reset) is nobody's request.
        if words.command().is_none() {
            return;
        }
        let Some(rq) = self.request_of(words) else {
            self.counts.add(Oddity::CommandUnknown, 1);
            return;
        };
        if let Some(attempt) = self.attempt(rq, |_| false) {
            attempt.started = Some(event.clock);
        }
        self.bells.wait(place(event), rq);
    }

    pub(super) fn mmio_write(&mut self, event: &Event<'_>) {
        let &[address, _, value, ..] = event.words else { return };
        if !self.devices.is_doorbell(address, value) {
            return;
        }
        self.counts.doorbells += 1;
        let rung = self.bells.ring(place(event));
        let here = self.here(event);
        self.counts.idle_doorbells += u64::from(rung.is_empty());
        for rq in rung {
            let attempt = self.requests.get_mut(&rq).and_then(|request| request.attempts.last_mut());
            if let Some(attempt) = attempt.filter(|a| a.doorbell.is_none()) {
                attempt.doorbell = Some(event.clock);
                self.bells.rung.insert(rq, here);
            }
        }
    }

    pub(super) fn cmd_done(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(rq) = self.request_of(words) else {
            self.counts.add(Oddity::CommandUnknown, 1);
            return;
        };
        self.answered(event, rq, out);
    }

    /// The block layer is told that a request is done. A driver with commands has told of the command before; of
    /// one without, this is the answer.
    pub(super) fn rq_answered(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) {
        let Some(rq) = self.request_of(words) else { return };
        let attempt = self.requests.get(&rq).and_then(|request| request.attempts.last());
        if attempt.is_some_and(|attempt| attempt.driver.is_some() && attempt.done.is_none()) {
            self.answered(event, rq, out);
        }
    }

    fn answered(&mut self, event: &Event<'_>, rq: u64, out: &mut dyn Sink) {
        let rung = self.bells.rung.remove(&rq);
        self.bells.forget(rq);
        let level = Level::of(event.context);
        let current = self.interrupts.current(event);
        let last = self.interrupts.of_driver(event);
        let Some(attempt) = self.attempt(rq, |attempt| attempt.done.is_some()) else { return };
        attempt.done = Some(event.clock);
        // A driver may leave the rest of its handler to a tasklet or a thread (megaraid_sas does).
        let told = attempt.doorbell.or(attempt.driver);
        let deferred = last.filter(|irq| told.is_some_and(|told| irq.clock > told));
        attempt.interrupt = match level {
            Level::Hardirq => current,
            Level::Unknown => None,
            _ => deferred,
        };
        let command = attempt.command;
        let told_by = attempt.interrupt.zip(rung);
        let silent = attempt.doorbell.is_none() && attempt.driver.is_some();
        let lost = match (matches!(level, Level::Hardirq | Level::Unknown), attempt.interrupt) {
            // No such target: the driver says so in the call that brought the command.
            (false, None) if silent => Some(Oddity::AnsweredByDriver),
            (false, None) => Some(Oddity::CompletionOutsideInterrupt),
            (true, None) => Some(Oddity::InterruptUnknown),
            (_, Some(_)) if silent => Some(Oddity::CommandWithoutDoorbell),
            (_, Some(_)) => None,
        };
        lost.into_iter().for_each(|oddity| self.counts.add(oddity, 1));
        if let Some((irq, from)) = told_by {
            let here = self.here(event);
            let to =
                Point { clock: irq.clock, call: irq.call, root: irq.call, level: Level::Hardirq, ..here };
            out.handover(&Handover { kind: HandoverKind::Interrupt { irq: irq.id, command }, from, to });
        }
    }

    pub(super) fn cmd_finish(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let result = words.get(Role::CommandResult).unwrap_or(0) & u64::from(u32::MAX);
        let Some(rq) = self.request_of(words) else {
            self.counts.add(Oddity::CommandUnknown, 1);
            return;
        };
        if let Some(attempt) = self.attempt(rq, |_| false) {
            (attempt.finished, attempt.result) = (Some(event.clock), result);
        }
    }
}
