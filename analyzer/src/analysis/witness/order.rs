//! In which order tracepoints may have been passed that lie in calls.
//!
//! The trace has the entry and the return of a function, not the tracepoint in it. If the call is interrupted, or its task
//! preempted, before or behind the tracepoint, what happens meanwhile may come before it or after it. Two events can be
//! exchanged only if the calls that they are of overlap, and are of different tasks or levels: a context by itself has an
//! order.
//!
//! In: events as the trackers report them, the calls around them. Out: [`ReportedEvent`]s; whether a list is one of the orders that
//! they may have.

use crate::hash::Map;
use crate::model::{BlockEvent, Call, CallEnd, CallId, Level};

/// Most events that are passed over to look for one: more than happen in a call of another context.
const MOST_PASSED_OVER: usize = 256;

/// A tracepoint's event, and when it can have been passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedEvent {
    /// The event.
    pub event: BlockEvent,
    /// From entry to return of the call that it is in; its own clock if that is not known.
    pub within: (u64, u64),
    /// Task and level of that call.
    pub context: Option<(u64, Level)>,
}

impl ReportedEvent {
    /// An event of which no call is known.
    pub fn new(event: BlockEvent) -> Self {
        Self { event, within: (event.clock, event.clock), context: None }
    }

    /// Whether one that comes before another may come after it as well.
    fn may_follow(&self, later: &Self) -> bool {
        let contexts = self.context.zip(later.context);
        contexts.is_some_and(|(a, b)| a != b) && later.within.0 <= self.within.1
    }
}

/// Follows events and the calls that they are in.
#[derive(Debug, Default)]
pub struct ReportedEvents {
    /// In the order in which they became known.
    pub events: Vec<ReportedEvent>,
    /// Where each open call begins, and its events.
    open: Map<CallId, OpenReport>,
}

#[derive(Debug)]
struct OpenReport {
    from: u64,
    context: (u64, Level),
    events: Vec<usize>,
}

impl ReportedEvents {
    /// The trackers report an event.
    pub fn add(&mut self, event: BlockEvent) {
        self.events.push(ReportedEvent::new(event));
    }

    /// A call begins: events of this moment that are in no call are in it.
    pub fn entered(&mut self, call: &Call) {
        let (from, context) = (call.clock, (call.task, call.level));
        let events = self.newest(call.clock);
        for at in &events {
            self.events[*at].context = Some(context);
        }
        self.open.insert(call.id, OpenReport { from, context, events });
    }

    /// A call is over: events of this moment that are in no call were in it.
    pub fn left(&mut self, end: &CallEnd) {
        let Some(OpenReport { from, context, events }) = self.open.remove(&end.id) else { return };
        for at in events {
            self.events[at].within.1 = end.clock;
        }
        for at in self.newest(end.clock) {
            self.events[at].within.0 = from;
            self.events[at].context = Some(context);
        }
    }

    /// The events of this moment that are in no call.
    fn newest(&self, clock: u64) -> Vec<usize> {
        let last = self.events.iter().enumerate().rev();
        let here = last.take_while(|(_, e)| e.event.clock == clock && e.context.is_none());
        here.map(|(at, _)| at).collect()
    }
}

/// Whether `theirs` is an order that the first so many of `ours` may have. `is_same` compares one of theirs, by its place, with
/// one of ours.
pub fn may_be(theirs: usize, ours: &[ReportedEvent], is_same: impl Fn(usize, usize) -> bool) -> bool {
    let (mut passed_over, mut next) = (Vec::<usize>::new(), 0);
    for their in 0..theirs {
        let may_come = |at: usize, before: &[usize]| before.iter().all(|b| ours[*b].may_follow(&ours[at]));
        let earlier = (0..passed_over.len())
            .find(|at| is_same(their, passed_over[*at]) && may_come(passed_over[*at], &passed_over[..*at]));
        if let Some(at) = earlier {
            passed_over.remove(at);
            continue;
        }
        loop {
            if next >= ours.len() || passed_over.len() >= MOST_PASSED_OVER {
                return false;
            }
            let at = next;
            next += 1;
            if is_same(their, at) && may_come(at, &passed_over) {
                break;
            }
            passed_over.push(at);
        }
    }
    passed_over.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BlockKind, Comm, Op, OpName, Task};

    fn event(clock: u64, sector: u64) -> BlockEvent {
        let op = Op::plain(OpName::Read);
        let task = Task { address: 1, pid: 42, tgid: 42, comm: Comm::from_text("dd") };
        BlockEvent { kind: BlockKind::BioQueue, clock, task, dev: 8 << 20, sector, sectors: 8, op }
    }

    fn within(sector: u64, within: (u64, u64), task: u64) -> ReportedEvent {
        let context = Some((task, Level::Task));
        ReportedEvent { within, context, ..ReportedEvent::new(event(within.0, sector)) }
    }

    fn fits(theirs: &[u64], ours: &[ReportedEvent]) -> bool {
        may_be(theirs.len(), ours, |their, our| theirs[their] == ours[our].event.sector)
    }

    // task 1   |--1--|        |--4--|
    // task 2      |--2--||-3-|
    #[test]
    fn events_of_calls_that_overlap_may_be_exchanged() {
        let ours =
            [within(1, (10, 30), 1), within(2, (20, 40), 2), within(3, (41, 50), 2), within(4, (60, 70), 1)];
        for theirs in [&[1, 2, 3, 4][..], &[2, 1, 3, 4], &[1, 2, 3], &[2, 1], &[]] {
            assert!(fits(theirs, &ours), "{theirs:?}");
        }
        // 3 begins when 1 is over, 2 and 3 are of one task, 9 is not there, and 2 cannot be missing.
        for theirs in [&[2, 3, 1, 4][..], &[1, 3, 2, 4], &[1, 2, 9, 4], &[2], &[1, 2, 4, 3], &[1, 2, 3, 4, 4]]
        {
            assert!(!fits(theirs, &ours), "{theirs:?}");
        }
    }

    #[test]
    fn events_without_a_known_call_have_one_order() {
        let ours = [1, 2].map(|sector| ReportedEvent::new(event(10, sector)));
        assert!(fits(&[1, 2], &ours) && !fits(&[2, 1], &ours));
    }

    #[test]
    fn an_event_is_in_the_call_that_it_begins_or_ends_with() {
        let mut reported = ReportedEvents::default();
        let call = |id, clock, task| Call {
            id,
            parent: None,
            depth: 0,
            depth_in_context: 0,
            kind: 100,
            clock,
            task,
            level: Level::Task,
            boundary: false,
            caller: 0,
        };
        let end = |id, clock| {
            let (own, total, ending) = (0, 0, crate::model::Ending::Returned);
            CallEnd { id, kind: 100, clock, own, total, ending, returned: None, returns: None }
        };
        reported.add(event(10, 1));
        reported.entered(&call(1, 10, 7));
        reported.entered(&call(2, 20, 7));
        reported.add(event(30, 2));
        reported.left(&end(2, 30));
        reported.left(&end(1, 40));
        reported.add(event(50, 3));
        let found: Vec<_> = reported.events.iter().map(|e| (e.within, e.context)).collect();
        let task = Some((7, Level::Task));
        assert_eq!(found, [((10, 40), task), ((20, 30), task), ((50, 50), None)]);
    }
}
