//! Finds out which bio, request, command, doorbell and interrupt belong together.
//!
//! In: definitions and events, in the order of their clocks. Out: calls to a [`Sink`]. State machines
//! without any I/O; memory follows what is in flight. An object lives from its queueing (or allocation)
//! to its end (or release), since pointers are used again.
//!
//! ```text
//! event -> CallTracker -> fact {stage, roles, context} -> ObjectTrackers -> Sink
//!                                  BlockTracker      bios, requests, merges, flushes
//!                                  CommandTracker    commands, doorbells, devices
//!                                  FileTracker       I/Os, file calls, bytes in the page cache
//!                                  OriginTracker     why something runs: wake-ups, work items, timers, softirqs
//!                                  InterruptTracker  interrupts
//! ObjectTrackers -> DeviceWaitTracker -> Sink       when the task of an I/O slept for a device
//! ```
//!
//! Each tracker has its own state, which no other one sees, and counts what should not happen, but does, in its own
//! [`Counts`]. What one needs to know of another one's objects is a value in a [`fact`].

mod block;
mod call_states;
mod calls;
mod commands;
mod counts;
mod device_waits;
mod fact;
mod files;
#[cfg(test)]
mod fixture;
mod interrupts;
mod numbers;
mod objects;
mod origins;
pub(crate) mod probes;
mod sink;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timelines;

pub(crate) use commands::Devices;
pub use counts::{Counts, Oddity};
pub use probes::{Probes, RoleValues};
pub use sink::Sink;

use crate::context::StatedContext;
use crate::model::{CallEnd, CallId, Ending};
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use calls::{CallTracker, EndedCalls};
use device_waits::DeviceWaitTracker;
use fact::{EndFact, Fact};
use iotrace_format::definition::{At, Definition, Device};
use iotrace_format::event::{
    BIO_PAGES, EXCEPTION_RETURN, Event, FIRST_PROBE, INTERRUPT, MARK, MMIO_READ, MMIO_WRITE, TASK,
};
use iotrace_format::stage::Stage;
use objects::ObjectTrackers;

/// All trackers.
#[derive(Debug, Default, Encode, Decode)]
pub struct Trackers {
    probes: Unsaved<Probes>,
    calls: CallTracker,
    objects: ObjectTrackers,
    waits: DeviceWaitTracker,
    /// What a part of a trace states of the time before it.
    stated: Unsaved<StatedContext>,
    /// Calls that have just ended.
    ended: Unsaved<EndedCalls>,
}

impl Trackers {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Numbers(numbers) => self.stated.add_numbers(numbers),
            Definition::HandOff(hand_off) => self.stated.add_hand_off(hand_off),
            Definition::Begin(begin) => self.stated.add_begin(begin),
            _ => {
                if let Definition::Probe(probe) = definition {
                    self.probes.define(probe);
                }
                self.calls.define(definition);
                self.objects.define(definition);
            }
        }
    }

    /// Devices of the catalog that the guest enabled.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.objects.devices()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.calls.counts();
        self.objects.add_counts(&mut counts);
        counts
    }

    /// Whether an event was inserted into the trace afterwards.
    #[inline]
    #[must_use]
    pub fn is_inserted(&self, event: &Event<'_>) -> bool {
        self.probes.is_inserted(event)
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let number = self.calls.count_event();
        // What was inserted is no step of the guest's: all is told as without it.
        if self.is_inserted(event) {
            return;
        }
        if self.stated.is_due(number) { self.stated_event(event, out) } else { self.take_in(event, out) }
    }

    #[inline]
    fn take_in(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let Self { probes, calls, objects, waits, ended, .. } = self;
        EventTrackers { probes, calls, objects, waits, ended }.take_in(event, out);
    }

    /// The trace is over: gives what is still in flight.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        self.objects.finish(&mut self.waits.sink(out));
    }
}

/// The trackers while they take in an event: what is known of the probes does not change meanwhile.
struct EventTrackers<'t> {
    probes: &'t Probes,
    calls: &'t mut CallTracker,
    objects: &'t mut ObjectTrackers,
    waits: &'t mut DeviceWaitTracker,
    ended: &'t mut EndedCalls,
}

impl EventTrackers<'_> {
    #[inline]
    fn take_in(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        self.calls.advance(event, out);
        match event.kind {
            FIRST_PROBE.. => self.probe(event, out),
            k if k == TASK.id => {
                let gone = self.calls.task(event);
                self.objects.task_gone(gone, &mut self.waits.sink(out));
            }
            k if k == MMIO_WRITE.id || k == MMIO_READ.id => {
                let context = self.calls.context(self.probes, event, 0);
                out.passed(context.innermost(), event);
                if k == MMIO_WRITE.id {
                    self.objects.device_write(&context);
                }
            }
            k if k == INTERRUPT.id => self.objects.interrupt_reported(event),
            k if k == EXCEPTION_RETURN.id => {
                self.calls.return_from_exception(event, self.ended);
                self.report_ends(event, None, out);
            }
            k if k == MARK.id => self.calls.mark(event, out),
            k if k == BIO_PAGES.id => self.objects.bio_pages(event),
            _ => {}
        }
    }

    fn probe(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let probes = self.probes;
        let Some(roles) = probes.words(event) else { return self.calls.undefined() };
        match roles.at() {
            At::Entry => self.enter(event, &roles, out),
            At::Inlined => {
                self.report_stage(event, &roles, None, out);
                out.passed(self.calls.context(self.probes, event, 0).innermost(), event);
            }
            At::Exit => {
                self.calls.leave(event, &roles, self.ended);
                self.report_ends(event, event.words.first().copied(), out);
            }
            At::Inserted => {}
        }
    }

    fn enter(&mut self, event: &Event<'_>, roles: &RoleValues<'_>, out: &mut dyn Sink) {
        let entry = self.calls.settle(event, roles, self.ended);
        self.report_ends(event, None, out);
        // The fact may be the request's last.
        let completes = entry.call.and_then(|_| self.objects.completes(roles));
        self.report_stage(event, roles, entry.call, out);
        match entry.call {
            Some(_) => out.entered(&self.calls.enter(event, roles, entry.caller, completes), event),
            None => out.passed(self.calls.context(self.probes, event, 0).innermost(), event),
        }
    }

    /// Builds the fact that a function has reached its stage.
    fn report_stage(
        &mut self,
        event: &Event<'_>,
        roles: &RoleValues<'_>,
        call: Option<CallId>,
        out: &mut dyn Sink,
    ) {
        let Some(stage) = roles.stage() else { return };
        match stage {
            Stage::TaskSwitch => self.calls.switch(event, roles, out),
            Stage::TaskNew => {
                let gone = self.calls.task_begun(roles);
                self.objects.task_gone(gone, &mut self.waits.sink(out));
            }
            _ => {}
        }
        let context = self.calls.context(self.probes, event, self.objects.interrupt(event));
        self.objects.fact(&Fact { stage, roles, call, context }, &mut self.waits.sink(out));
    }

    /// Builds the facts that calls ended, if any did.
    #[inline]
    fn report_ends(&mut self, event: &Event<'_>, returned: Option<u64>, out: &mut dyn Sink) {
        if !self.ended.is_empty() {
            self.report_ended(event, returned, out);
        }
    }

    fn report_ended(&mut self, event: &Event<'_>, returned: Option<u64>, out: &mut dyn Sink) {
        for left in self.ended.drain(..) {
            let (frame, ending) = (left.frame, left.ending);
            let returns = self.probes.returns(frame.function);
            let value = returned.filter(|_| ending != Ending::Unseen);
            let call = CallEnd {
                id: frame.number,
                kind: frame.kind,
                clock: event.clock,
                own: frame.own,
                total: frame.own + frame.nested,
                ending,
                returned: value.and_then(|value| returns.map_or(Some(value), |of| of.value(value))),
                returns,
            };
            if let Some(stage) = self.probes.stage(frame.kind) {
                let context = self.calls.context(self.probes, event, self.objects.interrupt(event));
                let end = EndFact { stage, call: &call, function: frame.function, context };
                self.objects.end(&end, &mut self.waits.sink(out));
            }
            self.objects.call_ended(&call, &mut self.waits.sink(out));
            out.left(&call);
        }
    }
}
