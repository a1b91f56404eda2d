//! Numbers of objects.
//!
//! In: what a part of a trace states, and how many events are left out. Each tracker numbers its objects one after the other;
//! where a number is stated, it goes on from there. Out, for who writes a part: what an object of it is numbered in the
//! whole.

use super::{Devices, Sink, Trackers};
use crate::context::Tasks;
use crate::model::{Call, CallId, Level};
use iotrace_format::definition::{ObjectKind, ObjectNumber, PartBegin, PendingHandOff};
use iotrace_format::event::Event;

impl Trackers {
    /// So many events come before the next that are not given.
    pub fn skipped(&mut self, events: u64) {
        self.calls.skip(events);
    }

    /// Number of the event at hand.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.calls.number()
    }

    /// The number of the object of a kind that began last.
    pub fn last_mut(&mut self, object: ObjectKind) -> &mut u64 {
        match object {
            ObjectKind::Call => self.calls.last_mut(),
            _ => self.objects.last_mut(object),
        }
    }

    /// Takes in an event of which something is stated, or one behind one that is missing.
    #[cold]
    pub(super) fn stated_event(&mut self, event: &Event<'_>, out: &mut dyn Sink) {
        let (number, mut due) = (self.number(), Vec::new());
        while let Some(begin) = self.stated.take_begin(number) {
            self.calls.begin_part(&begin);
        }
        while let Some(hand_off) = self.stated.take_hand_off(number) {
            self.objects.restore(&hand_off, self.calls.calls(), self.calls.tasks());
        }
        while let Some(stated) = self.stated.take_number(number) {
            let last = self.last_mut(stated.object);
            let before = *last;
            if stated.event < number {
                // It began with an event that is missing.
                *last = stated.number;
            } else {
                *last = stated.number - 1;
                due.push((stated, before));
            }
        }
        self.take_in(event, out);
        for (ObjectNumber { object, number, .. }, before) in due {
            let last = self.last_mut(object);
            if *last == number - 1 {
                // It is known from before, where others began after it.
                *last = number.max(before);
            }
        }
    }

    /// What has to be known of a part that begins with the next event: what runs, and what the open calls have cost.
    #[must_use]
    pub fn part_begin(&self) -> PartBegin {
        self.calls.calls().part(self.number().saturating_add(1))
    }

    /// What was asked for and has not begun, to be known before the next event.
    #[must_use]
    pub fn hand_offs(&self) -> Vec<PendingHandOff> {
        let next = self.number().saturating_add(1);
        self.objects.hand_offs(next, self.calls.calls(), &self.probes)
    }

    /// Waits in inlined functions of calls that may be open: the call's number, that of the event.
    pub fn inlined_waits(&self) -> impl Iterator<Item = (CallId, u64)> {
        self.objects.inlined_waits(self.calls.calls())
    }

    /// The open calls of each task: the task's address, the call's number, whether the task itself made it.
    pub fn open_calls(&self) -> impl Iterator<Item = (u64, CallId, bool)> {
        self.calls.calls().stacks().flat_map(|(task, calls)| {
            calls.iter().map(move |frame| (task, frame.number, frame.level == Level::Task))
        })
    }

    /// The open calls, each with the number of the event of its entry.
    pub(crate) fn open_call_entries(&self) -> impl Iterator<Item = (u64, Call)> {
        self.calls.calls().stacks().flat_map(|(task, calls)| {
            calls.iter().enumerate().map(move |(depth, frame)| {
                let call = Call {
                    id: frame.number,
                    parent: depth.checked_sub(1).and_then(|outer| calls.get(outer)).map(|outer| outer.number),
                    depth,
                    depth_in_context: frame.depth,
                    kind: frame.kind,
                    clock: frame.clock,
                    task,
                    level: frame.level,
                    boundary: frame.boundary,
                    caller: frame.caller,
                };
                (frame.data.event, call)
            })
        })
    }

    /// Names of tasks at this moment.
    pub(crate) fn tasks(&self) -> &Tasks {
        self.calls.tasks()
    }

    /// The tasks that run.
    pub(crate) fn running_tasks(&self) -> impl Iterator<Item = u64> {
        self.calls.calls().running()
    }

    /// Where the guest's devices are.
    pub(crate) fn device_places(&self) -> &Devices {
        self.objects.device_places()
    }

    /// The number of the object that an event is about: of a bio, request or command the one at an address.
    #[must_use]
    pub fn number_of(&mut self, object: ObjectKind, address: u64, event: &Event<'_>) -> Option<u64> {
        match object {
            ObjectKind::Call => self.calls.calls().all().last().map(|call| call.number),
            _ => self.objects.number_of(object, address, event),
        }
    }
}
