//! What of the time before a part has to be known in it.
//!
//! In: the whole trace, when the part begins and ends. Out: the events with which the calls began that are under way at its
//! begin, and the waits in inlined functions of these; the hand-offs that were asked for before it and begin in it.

use super::SlicedTasks;
use crate::analysis::Progress;
use crate::hash::Set;
use crate::model::{Call, CallEnd, CallId, Definitions, Handover};
use crate::reader::{Flow, Trace, Visitor, read};
use crate::trackers::{Sink, Trackers};
use iotrace_format::definition::{Definition, HandOffTarget, PartBegin, PendingHandOff};
use iotrace_format::event::Event;
use iotrace_format::trace::reader::ReadError;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Calls that are remembered before those are dropped that are over.
const REMEMBERED: usize = 1 << 16;

/// What has to be known.
#[derive(Debug, Default)]
pub struct PartContext {
    /// With which event it begins, and what is under way there; none if it has no event.
    pub begin: Option<PartBegin>,
    /// Numbers of the events with which calls under way, and waits in inlined functions of these, began.
    pub events: BTreeSet<u64>,
    /// Hand-offs under way.
    pub hand_offs: Vec<PendingHandOff>,
}

/// Looks for it.
pub fn context(
    trace: &Trace,
    window: &RangeInclusive<u64>,
    tasks: &SlicedTasks,
    progress: Progress<'_>,
) -> Result<PartContext, ReadError> {
    let (trackers, seen) = (Trackers::default(), Seen { from: *window.start(), ..Seen::default() });
    let mut reading = Reading { trackers, seen, tasks: tasks.clone(), window: window.clone() };
    read(trace, &mut reading, progress)?;
    let Seen { mut context, led, ours, .. } = reading.seen;
    if let Some(begin) = &mut context.begin {
        begin.calls.retain(|cost| ours.contains(&cost.call));
    }
    context.hand_offs.retain(|pending| match pending.target {
        HandOffTarget::Task => pending.begun || led.contains(&pending.from.event),
        HandOffTarget::Call => true,
        _ => led.contains(&pending.from.event),
    });
    Ok(context)
}

struct Reading {
    trackers: Trackers,
    seen: Seen,
    tasks: SlicedTasks,
    window: RangeInclusive<u64>,
}

#[derive(Default)]
struct Seen {
    context: PartContext,
    from: u64,
    /// The event at hand.
    number: u64,
    /// With which event each call began; of some that are over, too.
    calls: BTreeMap<CallId, u64>,
    /// Calls under way at the begin that the part has.
    ours: BTreeSet<CallId>,
    /// The events that asked for what begins in the part.
    led: Set<u64>,
}

impl Sink for Seen {
    fn entered(&mut self, call: &Call, _: &Event<'_>) {
        if call.clock < self.from {
            self.calls.insert(call.id, self.number);
        }
    }

    fn left(&mut self, end: &CallEnd) {
        self.calls.remove(&end.id);
    }

    fn handover(&mut self, handover: &Handover) {
        if handover.from.clock < self.from && handover.to.clock >= self.from {
            self.led.insert(handover.from.event);
        }
    }
}

impl Reading {
    fn begin(&mut self) {
        self.seen.context.begin = Some(self.trackers.part_begin());
        let open = self.trackers.open_calls();
        let ours = open.filter(|(task, _, of_task)| !of_task || self.tasks.has(*task));
        self.seen.ours = ours.map(|(_, call, _)| call).collect();
        let events = self.seen.ours.iter().filter_map(|call| self.seen.calls.get(call).copied());
        let waits = self.trackers.inlined_waits().filter(|(call, _)| self.seen.ours.contains(call));
        self.seen.context.events = events.chain(waits.map(|(_, event)| event)).collect();
        self.seen.context.hand_offs = self.trackers.hand_offs();
    }

    /// Those that were dropped with the tasks they were made in.
    fn forget(&mut self) {
        if self.seen.calls.len() > REMEMBERED {
            let open: BTreeSet<CallId> = self.trackers.open_calls().map(|(_, call, _)| call).collect();
            self.seen.calls.retain(|call, _| open.contains(call));
        }
    }
}

impl Visitor for Reading {
    fn define(&mut self, definition: &Definition) {
        self.trackers.define(definition);
    }

    fn skipped(&mut self, events: u64) {
        self.trackers.skipped(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        if event.clock > *self.window.end() {
            return Flow::Stop;
        }
        if event.clock >= *self.window.start() && self.seen.context.begin.is_none() {
            self.begin();
        }
        self.tasks.event(event);
        self.seen.number = self.trackers.number() + 1;
        self.trackers.event(event, &mut self.seen);
        self.forget();
        Flow::Continue
    }
}
