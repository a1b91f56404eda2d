//! The tracker of interrupts by itself.

use super::*;
use crate::model::HandoverKind;
use crate::trackers::fixture::FactSource;
use crate::trackers::timelines::{Found, HARDIRQ, SOFTIRQ};

fn entry(source: &mut FactSource, tracker: &mut InterruptTracker, clock: u64, vector: u64) {
    source.enter(clock, "irq.entry", &[("vector", vector)], |fact| tracker.fact(fact));
}

fn handlers(source: &mut FactSource, tracker: &mut InterruptTracker, clock: u64, line: u64) {
    let arguments = [("desc", 1), ("desc.irq", line), ("desc.handler", 0x99)];
    source.reach_only(clock, "irq.handler", &arguments, |fact| tracker.fact(fact));
}

fn state(source: &mut FactSource, tracker: &InterruptTracker) -> InterruptState {
    source.at(999, &[], |context| tracker.state(context, None))
}

// reported 8   entry 10   handlers 12   returns 20
#[test]
fn an_interrupt_has_the_time_of_its_report_and_the_line_of_its_handlers() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    assert_eq!(source.at(1, &[], |context| tracker.number(context.event)), 0);
    source.at(8, &[], |context| tracker.reported(context.event));
    entry(&mut source, &mut tracker, 10, 38);
    source.context = HARDIRQ;
    let irq = IrqRef { id: 1, clock: 8, vector: Some(38), line: None, handler: None, call: Some(1) };
    assert_eq!(state(&mut source, &tracker).current, Some(irq));
    handlers(&mut source, &mut tracker, 12, 11);
    let irq = IrqRef { line: Some(11), handler: Some(0x99), ..irq };
    assert_eq!(
        state(&mut source, &tracker),
        InterruptState { current: Some(irq), of_driver: None, deferred: None }
    );
    assert_eq!(source.at(15, &[], |context| tracker.number(context.event)), 1);
    source.exit(20, "irq.entry", 0, |end| tracker.end(end, &mut found));
    assert_eq!((found.interrupts, state(&mut source, &tracker).current), (vec![irq], None));
    assert_eq!(source.at(21, &[], |context| tracker.number(context.event)), 0);
    assert_eq!(tracker.counts().interrupts, 1);
}

// frame 5   entry 10: the interrupt began with its frame
#[test]
fn an_interrupt_begins_with_its_frame() {
    let (mut source, mut tracker) = (FactSource::default(), InterruptTracker::default());
    source.enter(3, "hw.run", &[], |_| ());
    source.enter(5, "irq.frame", &[], |_| ());
    entry(&mut source, &mut tracker, 10, 38);
    source.context = HARDIRQ;
    let irq = state(&mut source, &tracker).current.unwrap();
    assert_eq!((irq.clock, irq.call), (5, Some(2)));
}

// The handlers of a second line without an entry in between: another interrupt, whose entry is not probed.
#[test]
fn handlers_without_an_entry_are_an_interrupt() {
    let (mut source, mut tracker) = (FactSource::default(), InterruptTracker::default());
    source.context = HARDIRQ;
    for (clock, line, id) in [(12, 11, 1), (22, 14, 2)] {
        handlers(&mut source, &mut tracker, clock, line);
        let irq = state(&mut source, &tracker).current.unwrap();
        assert_eq!((irq.id, irq.clock, irq.line), (id, clock, Some(line)));
        assert_eq!((irq.call, irq.vector), (None, None));
    }
    assert_eq!(tracker.counts().interrupts, 2);
}

#[test]
fn a_driver_takes_an_interrupt_for_its_own_or_not() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    for (clock, returned, last) in [(10, 1, Some(1)), (20, 4, Some(1)), (30, 2, Some(3)), (40, 0, Some(3))] {
        entry(&mut source, &mut tracker, clock, 38);
        source.enter(clock + 1, "irq.driver", &[], |_| ());
        source.exit(clock + 2, "irq.driver", returned, |end| tracker.end(end, &mut found));
        source.exit(clock + 3, "irq.entry", 0, |end| tracker.end(end, &mut found));
        assert_eq!(state(&mut source, &tracker).of_driver.map(|irq| irq.id), last, "{returned}");
    }
    // Outside of any interrupt, as when a driver polls: the last one stays.
    source.enter(51, "irq.driver", &[], |_| ());
    source.exit(52, "irq.driver", 1, |end| tracker.end(end, &mut found));
    assert_eq!(state(&mut source, &tracker).of_driver.map(|irq| irq.id), Some(3));
    assert_eq!(found.interrupts.len(), 4);
}

#[test]
fn what_is_not_seen_to_return_tells_nothing() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    entry(&mut source, &mut tracker, 10, 38);
    source.enter(11, "irq.driver", &[], |_| ());
    source.lose(12, "irq.driver", |end| tracker.end(end, &mut found));
    source.lose(13, "irq.entry", |end| tracker.end(end, &mut found));
    source.context = HARDIRQ;
    let state = state(&mut source, &tracker);
    assert_eq!(
        (state.current.map(|irq| irq.id), state.of_driver, found.interrupts.len()),
        (Some(1), None, 0)
    );
}

#[test]
fn each_vcpu_and_level_has_its_own() {
    let (mut source, mut tracker) = (FactSource::default(), InterruptTracker::default());
    source.vcpu = 1;
    entry(&mut source, &mut tracker, 10, 38);
    assert_eq!(state(&mut source, &tracker).current, None, "a task's level");
    source.context = HARDIRQ;
    assert_eq!(state(&mut source, &tracker).current.map(|irq| irq.id), Some(1));
    for vcpu in [0, 2] {
        source.vcpu = vcpu;
        assert_eq!(state(&mut source, &tracker), InterruptState::default());
        assert_eq!(source.at(15, &[], |context| tracker.number(context.event)), 0);
    }
}

/// What left work to the context at hand, of interrupts after a clock.
fn deferred(source: &mut FactSource, tracker: &InterruptTracker, clock: u64) -> Option<u64> {
    let state = source.at(999, &[], |context| tracker.state(context, Some(clock)));
    state.deferred.map(|irq| irq.id)
}

/// An interrupt whose handler leaves work to a thread or a softirq.
fn leave(
    source: &mut FactSource,
    tracker: &mut InterruptTracker,
    (clock, stage): (u64, &str),
    arguments: &[(&str, u64)],
) {
    let (context, mut found) = (source.context, Found::default());
    entry(source, tracker, clock, 38);
    source.context = HARDIRQ;
    source.reach_only(clock + 1, stage, arguments, |fact| tracker.deferred(fact, &mut found));
    source.context = context;
    source.exit(clock + 2, "irq.entry", 0, |end| tracker.end(end, &mut found));
    assert_eq!(found.handovers, []);
}

// irq 1 at 10, irq 2 at 20: action 7   irq 3 at 30: action 8   thread of 7 from 40 on   irq 4 at 50: action 7
#[test]
fn a_thread_does_the_work_of_its_actions_interrupts() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    for (clock, action) in [(10, 7), (20, 7), (30, 8)] {
        leave(&mut source, &mut tracker, (clock, "irq.wake_thread"), &[("action", action)]);
    }
    assert_eq!(deferred(&mut source, &tracker, 0), None, "no thread runs");
    source.enter(40, "irq.thread", &[("action", 7)], |fact| tracker.deferred(fact, &mut found));
    leave(&mut source, &mut tracker, (50, "irq.wake_thread"), &[("action", 7)]);
    let first = [0, 10, 11, 20, 21, 50, 51].map(|clock| deferred(&mut source, &tracker, clock));
    assert_eq!(first, [Some(1), Some(1), Some(2), Some(2), Some(4), Some(4), None]);
    source.exit(60, "irq.thread", 1, |end| tracker.deferred_end(end));
    assert_eq!(deferred(&mut source, &tracker, 0), None);
    source.enter(70, "irq.thread", &[("action", 7)], |fact| tracker.deferred(fact, &mut found));
    assert_eq!(deferred(&mut source, &tracker, 0), Some(4));
    let handed: Vec<_> = found.handovers.iter().map(|h| (h.kind, h.from.clock, h.to.clock)).collect();
    let kind = |irq| HandoverKind::IrqThread { irq };
    assert_eq!(handed, [(kind(1), 11, 40), (kind(4), 51, 70)]);
    assert!(found.handovers.iter().all(|handover| handover.to.root == handover.to.call));
}

#[test]
fn a_softirq_does_the_work_of_the_interrupts_of_its_vcpu() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    leave(&mut source, &mut tracker, (10, "softirq.raise"), &[("softirq_number", 4)]);
    leave(&mut source, &mut tracker, (20, "softirq.raise"), &[("softirq_number", 6)]);
    // A task raises one: that is no interrupt's.
    let raise = &[("softirq_number", 5)];
    source.reach_only(30, "softirq.raise", raise, |fact| tracker.deferred(fact, &mut found));
    source.context = SOFTIRQ;
    let mut served = |source: &mut FactSource, stage: &str| {
        source.enter(40, stage, &[], |fact| tracker.deferred(fact, &mut found));
        let first = deferred(source, &tracker, 0);
        source.exit(41, stage, 0, |end| tracker.deferred_end(end));
        first
    };
    let stages = ["softirq.block", "softirq.tasklet", "softirq.irq_poll", "softirq.block"];
    assert_eq!(stages.map(|stage| served(&mut source, stage)), [Some(1), Some(2), None, None]);
}

// irq 1 at 10: action 7   its thread from 40 on runs the driver's handler, which takes the interrupt for its own 50
#[test]
fn a_handler_that_a_thread_runs_takes_its_interrupt() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    leave(&mut source, &mut tracker, (10, "irq.wake_thread"), &[("action", 7)]);
    source.enter(40, "irq.thread", &[("action", 7)], |fact| tracker.deferred(fact, &mut found));
    for (taken, of_driver) in [(0, None), (1, Some(1))] {
        source.enter(45, "irq.driver", &[("irq", 11)], |_| ());
        source.exit(50, "irq.driver", taken, |end| tracker.end(end, &mut found));
        assert_eq!(state(&mut source, &tracker).of_driver.map(|irq| irq.id), of_driver);
    }
}

// irq 1 at 10: action 7   its thread from 40 on   raises the tasklets' softirq 45   served in the thread 50 (PREEMPT_RT), and
// behind it 60
#[test]
fn a_softirq_that_the_thread_of_an_interrupt_raises_does_the_interrupts_work() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    leave(&mut source, &mut tracker, (10, "irq.wake_thread"), &[("action", 7)]);
    source.enter(40, "irq.thread", &[("action", 7)], |fact| tracker.deferred(fact, &mut found));
    let raise = &[("softirq_number", 6)];
    source.reach_only(45, "softirq.raise", raise, |fact| tracker.deferred(fact, &mut found));
    source.enter(50, "softirq.tasklet", &[], |fact| tracker.deferred(fact, &mut found));
    assert_eq!([10, 11].map(|clock| deferred(&mut source, &tracker, clock)), [Some(1), None]);
    // It raises itself again.
    source.reach_only(52, "softirq.raise", raise, |fact| tracker.deferred(fact, &mut found));
    source.exit(55, "softirq.tasklet", 0, |end| tracker.deferred_end(end));
    source.exit(57, "irq.thread", 1, |end| tracker.deferred_end(end));
    source.context = SOFTIRQ;
    source.enter(60, "softirq.tasklet", &[], |fact| tracker.deferred(fact, &mut found));
    assert_eq!(deferred(&mut source, &tracker, 0), Some(1));
}

// A thread that never begins: the oldest interrupts go first.
#[test]
fn interrupts_whose_work_nobody_does_are_bounded() {
    let (mut source, mut tracker, mut found) =
        (FactSource::default(), InterruptTracker::default(), Found::default());
    for clock in 1..=20 {
        leave(&mut source, &mut tracker, (clock * 10, "irq.wake_thread"), &[("action", 7)]);
    }
    source.enter(999, "irq.thread", &[("action", 7)], |fact| tracker.deferred(fact, &mut found));
    assert_eq!(deferred(&mut source, &tracker, 0), Some(5));
}

#[test]
fn the_handler_that_a_thread_runs_is_the_interrupts() {
    for (thread, handler) in [(0, 0x99), (0x55, 0x55)] {
        let (mut source, mut tracker) = (FactSource::default(), InterruptTracker::default());
        source.context = HARDIRQ;
        let arguments =
            [("desc", 1), ("desc.irq", 11), ("desc.handler", 0x99), ("desc.thread_handler", thread)];
        source.reach_only(12, "irq.handler", &arguments, |fact| tracker.fact(fact));
        assert_eq!(state(&mut source, &tracker).current.unwrap().handler, Some(handler));
    }
}
