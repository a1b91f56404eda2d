//! The tracker of interrupts by itself.

use super::*;
use crate::trackers::fixture::FactSource;
use crate::trackers::timelines::{Found, HARDIRQ};

fn entry(source: &mut FactSource, tracker: &mut InterruptTracker, clock: u64, vector: u64) {
    source.enter(clock, "irq.entry", &[("vector", vector)], |fact| tracker.fact(fact));
}

fn handlers(source: &mut FactSource, tracker: &mut InterruptTracker, clock: u64, line: u64) {
    let arguments = [("desc", 1), ("desc.irq", line), ("desc.handler", 0x99)];
    source.reach_only(clock, "irq.handler", &arguments, |fact| tracker.fact(fact));
}

fn state(source: &mut FactSource, tracker: &InterruptTracker) -> InterruptState {
    source.at(999, &[], |context| tracker.state(context))
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
    let irq =
        IrqRef { id: 1, clock: 8, entered: 8, vector: Some(38), line: None, handler: None, call: Some(1) };
    assert_eq!(state(&mut source, &tracker).current, Some(irq));
    handlers(&mut source, &mut tracker, 12, 11);
    let irq = IrqRef { line: Some(11), handler: Some(0x99), ..irq };
    assert_eq!(state(&mut source, &tracker), InterruptState { current: Some(irq), of_driver: None });
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
    assert_eq!((irq.clock, irq.entered, irq.call), (10, 5, Some(2)));
}

// The handlers of a second line without an entry in between: another interrupt, whose entry is not probed.
#[test]
fn handlers_without_an_entry_are_an_interrupt() {
    let (mut source, mut tracker) = (FactSource::default(), InterruptTracker::default());
    source.context = HARDIRQ;
    for (clock, line, id) in [(12, 11, 1), (22, 14, 2)] {
        handlers(&mut source, &mut tracker, clock, line);
        let irq = state(&mut source, &tracker).current.unwrap();
        assert_eq!((irq.id, irq.clock, irq.entered, irq.line), (id, clock, clock, Some(line)));
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
