//! The tracker of commands by itself: facts and what the block layer has of a request in, facts for the block layer out.

use super::*;
use crate::trackers::fixture::FactSource;
use crate::trackers::timelines::{BELL, Found, HARDIRQ, RQ, SOFTIRQ};
use iotrace_format::definition::{Device, DeviceRegister};
use iotrace_format::event::UNKNOWN_CONTEXT;

const CMD: u64 = 0xc000;
const RING: &[u64] = &[BELL, 1, 0x20, 0];

fn request(last: Option<AttemptState>) -> Option<RequestState> {
    Some(RequestState { pointer: RQ, last, next_command: 8 })
}

fn attempt(driver: Option<u64>, doorbell: Option<u64>) -> AttemptState {
    AttemptState { command: 7, driver, doorbell, ..AttemptState::default() }
}

fn irq(id: u64, clock: u64) -> IrqRef {
    IrqRef { id, clock, vector: None, line: None, handler: None, call: Some(9) }
}

/// A tracker that knows a device with a doorbell, in place.
fn tracker(source: &mut FactSource) -> CommandTracker {
    let (mut tracker, mask) = (CommandTracker::default(), 0x20);
    let (name, bar, offset, width) = ("ISTAT".into(), 1, 0x14, 1);
    let bell = DeviceRegister { name, bar, offset, width, doorbell: true, mask };
    let device = Device { name: "lsi53c895a".into(), vendor: 0x1000, device: 0x12, registers: vec![bell] };
    tracker.define(&Definition::Device(device));
    let bar = [("pci.bar1", BELL - 0x14), ("pci.bar1_end", BELL + 99)];
    let arguments = [&[("pci.vendor", 0x1000), ("pci.device", 0x12)][..], &bar].concat();
    source.reach_only(1, "pci.enable", &arguments, |fact| tracker.device_enabled(fact));
    tracker
}

/// What a tracker makes of a fact of the command.
fn step(
    source: &mut FactSource,
    tracker: &mut CommandTracker,
    (clock, stage): (u64, &str),
    last: Option<AttemptState>,
) -> Option<CommandStep> {
    let interrupts = InterruptState::default();
    let arguments = [("cmd", CMD), ("cmd.result", 0x7_0000_0002)];
    let found = source.reach_only(clock, stage, &arguments, |fact| {
        tracker.fact(fact, request(last), interrupts, &mut Found::default())
    });
    found.map(|fact| {
        assert_eq!((fact.request, fact.clock), (RQ, clock));
        fact.step
    })
}

#[test]
fn each_stage_is_a_step() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    for (stage, expected) in [
        ("cmd.prepare", CommandStep::Prepared),
        ("cmd.dispatch", CommandStep::Passed(CMD)),
        ("cmd.start", CommandStep::Started),
        ("cmd.driver_done", CommandStep::DriverDone),
        ("cmd.finish", CommandStep::Finished(2)),
        ("cmd.done", CommandStep::Done(None)),
        ("cmd.sense", CommandStep::Sense(None)),
        ("cmd.timeout", CommandStep::Recovery(RecoveryStep::Timeout)),
        ("cmd.error", CommandStep::Recovery(RecoveryStep::ErrorHandler)),
        ("cmd.abort", CommandStep::Recovery(RecoveryStep::Abort)),
        ("reset.device", CommandStep::Recovery(RecoveryStep::ResetDevice)),
        ("reset.target", CommandStep::Recovery(RecoveryStep::ResetTarget)),
        ("reset.bus", CommandStep::Recovery(RecoveryStep::ResetBus)),
        ("reset.host", CommandStep::Recovery(RecoveryStep::ResetHost)),
    ] {
        assert_eq!(step(&mut source, &mut tracker, (10, stage), None), Some(expected), "{stage}");
    }
    assert_eq!(tracker.counts().of(Oddity::CommandUnknown), 0);
}

#[test]
fn a_command_of_no_request_is_counted_unless_it_is_nobodys() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    let mut give = |stage: &str, arguments: &[(&str, u64)]| {
        let (none, mut found) = (InterruptState::default(), Found::default());
        let step = source.reach_only(10, stage, arguments, |fact| tracker.fact(fact, None, none, &mut found));
        assert_eq!(step, None, "{stage}");
        tracker.counts().of(Oddity::CommandUnknown)
    };
    assert_eq!(give("cmd.start", &[("ccb", 1)]), 0);
    assert_eq!(give("cmd.start", &[("ccb.cmd", 0)]), 0);
    assert_eq!(give("rq.complete", &[("rq", RQ)]), 0);
    assert_eq!(give("rq.answered", &[("rq", RQ)]), 0);
    for (stage, counted) in
        ["cmd.prepare", "cmd.dispatch", "cmd.start", "cmd.done", "cmd.finish"].iter().zip(1..)
    {
        assert_eq!(give(stage, &[("cmd", CMD)]), counted);
    }
}

#[test]
fn a_command_is_known_by_its_request_or_by_its_address() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    let known = |source: &mut FactSource, tracker: &CommandTracker, arguments: &[(&str, u64)]| {
        source.reach_only(10, "cmd.done", arguments, |fact| tracker.request(fact.roles))
    };
    assert_eq!(known(&mut source, &tracker, &[("cmd", CMD)]), None);
    assert_eq!(known(&mut source, &tracker, &[("cmd", CMD), ("cmd.rq", 5)]), Some(5));
    step(&mut source, &mut tracker, (10, "cmd.dispatch"), None);
    assert_eq!(known(&mut source, &tracker, &[("cmd", CMD)]), Some(RQ));
    assert_eq!(known(&mut source, &tracker, &[("cmd", 0)]), None);
}

// Without a cmd.start in its module a dispatched command waits for its doorbell itself, with one it does not.
#[test]
fn a_dispatched_command_waits_unless_its_driver_tells_of_the_start() {
    for (tells, rung) in [(false, 1), (true, 0)] {
        let mut source = FactSource::default();
        let mut tracker = tracker(&mut source);
        if tells {
            source.reach_only(5, "cmd.start", &[("cmd", CMD)], |_| ());
        }
        step(&mut source, &mut tracker, (10, "cmd.dispatch"), None);
        let facts = source
            .at(12, RING, |context| tracker.device_write(context, |_| request(Some(attempt(None, None)))));
        assert_eq!(facts.len(), rung);
    }
}

#[test]
fn a_doorbell_passes_on_what_waits_at_its_place_once() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    let ring = |source: &mut FactSource, tracker: &mut CommandTracker, words: &[u64]| {
        let state =
            |pointer| Some(RequestState { pointer, ..request(Some(attempt(Some(1), None))).unwrap() });
        source.at(20, words, |context| tracker.device_write(context, state))
    };
    step(&mut source, &mut tracker, (10, "cmd.start"), None);
    // Another register, another value, no value at all: no doorbell.
    for words in [&[BELL + 1, 1, 0x20, 0][..], &[BELL, 1, 0x10, 0], &[BELL, 1], &[]] {
        assert_eq!(ring(&mut source, &mut tracker, words), []);
    }
    assert_eq!((tracker.counts().doorbells, tracker.counts().idle_doorbells), (0, 0));
    source.context = HARDIRQ;
    assert_eq!(ring(&mut source, &mut tracker, RING), []);
    (source.context, source.vcpu) = (0, 1);
    assert_eq!(ring(&mut source, &mut tracker, RING), []);
    source.vcpu = 0;
    let rung = CommandFact { request: RQ, clock: 20, step: CommandStep::Doorbell, result: None };
    assert_eq!(ring(&mut source, &mut tracker, RING), [rung]);
    assert_eq!(ring(&mut source, &mut tracker, RING), []);
    assert_eq!((tracker.counts().doorbells, tracker.counts().idle_doorbells), (4, 3));
}

#[test]
fn a_doorbell_counts_for_the_last_attempt_the_first_time() {
    for (last, rung) in [
        (None, 0),
        (request(None), 0),
        (request(Some(attempt(Some(1), Some(15)))), 0),
        (request(Some(attempt(None, None))), 1),
    ] {
        let mut source = FactSource::default();
        let mut tracker = tracker(&mut source);
        step(&mut source, &mut tracker, (10, "cmd.start"), None);
        let facts = source.at(20, RING, |context| tracker.device_write(context, |_| last));
        assert_eq!(facts.len(), rung, "{last:?}");
    }
}

#[test]
fn a_request_that_returned_waits_for_no_doorbell() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    step(&mut source, &mut tracker, (10, "cmd.start"), None);
    tracker.request_returned(&ReturnedRequest { pointer: RQ + 1 });
    tracker.request_returned(&ReturnedRequest { pointer: RQ });
    let facts =
        source.at(20, RING, |context| tracker.device_write(context, |_| request(Some(attempt(None, None)))));
    assert_eq!((facts, tracker.counts().idle_doorbells), (vec![], 1));
}

// A driver without commands: the block layer's own completion is the answer, if the command was passed on and not
// given back.
#[test]
fn the_block_layers_completion_answers_what_is_unanswered() {
    let done = AttemptState { done: Some(30), ..attempt(Some(10), Some(20)) };
    for (last, answered) in [
        (None, false),
        (Some(attempt(None, Some(20))), false),
        (Some(done), false),
        (Some(attempt(Some(10), None)), true),
    ] {
        for stage in ["rq.complete", "rq.answered"] {
            let mut source = FactSource::default();
            let mut tracker = tracker(&mut source);
            let step = step(&mut source, &mut tracker, (40, stage), last);
            assert_eq!(step, answered.then_some(CommandStep::Done(None)), "{stage} {last:?}");
        }
    }
}

/// What a completion is attributed to, and what was counted.
fn completion(
    context: u32,
    last: Option<AttemptState>,
    interrupts: InterruptState,
) -> (Option<u64>, Vec<Oddity>) {
    let mut source = FactSource::default();
    source.context = context;
    let mut tracker = tracker(&mut source);
    let fact = source.reach_only(40, "cmd.done", &[("cmd", CMD)], |fact| {
        tracker.fact(fact, request(last), interrupts, &mut Found::default())
    });
    let Some(CommandFact { step: CommandStep::Done(irq), .. }) = fact else { panic!("{fact:?}") };
    (irq.map(|irq| irq.id), tracker.counts().all().map(|(oddity, _)| oddity).collect())
}

#[test]
fn a_completion_comes_with_the_interrupt_of_its_level() {
    let both = InterruptState { current: Some(irq(1, 30)), of_driver: Some(irq(2, 30)), deferred: None };
    let none = InterruptState::default();
    let passed = Some(attempt(Some(10), Some(20)));
    for (context, last, interrupts, irq, oddity) in [
        (HARDIRQ, passed, both, Some(1), None),
        (HARDIRQ, passed, none, None, Some(Oddity::InterruptUnknown)),
        (UNKNOWN_CONTEXT, passed, both, None, Some(Oddity::InterruptUnknown)),
        (SOFTIRQ, passed, both, Some(2), None),
        (0, passed, both, Some(2), None),
        (0, passed, none, None, Some(Oddity::CompletionOutsideInterrupt)),
        // Without a doorbell the driver counts, with neither there is nothing to compare with.
        (0, Some(attempt(Some(10), None)), both, Some(2), Some(Oddity::CommandWithoutDoorbell)),
        (HARDIRQ, Some(attempt(Some(10), None)), both, Some(1), Some(Oddity::CommandWithoutDoorbell)),
        (0, Some(attempt(Some(10), None)), none, None, Some(Oddity::AnsweredByDriver)),
        (0, Some(attempt(None, None)), both, None, Some(Oddity::CompletionOutsideInterrupt)),
        (HARDIRQ, Some(attempt(None, None)), both, Some(1), None),
        // The driver's interrupt was before the doorbell. At the same clock it was after it: the count of instructions goes on
        // from the first one of an interrupt to the doorbell.
        (0, Some(attempt(Some(10), Some(31))), both, None, Some(Oddity::CompletionOutsideInterrupt)),
        (0, Some(attempt(Some(10), Some(30))), both, Some(2), None),
        (0, None, both, None, Some(Oddity::CompletionOutsideInterrupt)),
    ] {
        let expected = (irq, Vec::from_iter(oddity));
        assert_eq!(completion(context, last, interrupts), expected, "{context:#x} {last:?}");
    }
}

// A thread's own interrupt is known by its action; a softirq may be raised by another device's as well.
#[test]
fn a_completion_in_a_thread_or_a_softirq_comes_with_the_interrupt_that_left_it_the_work() {
    let passed = Some(attempt(Some(10), Some(20)));
    for (context, of_driver, expected) in [
        (0, Some(irq(2, 30)), 3),
        (0, None, 3),
        (SOFTIRQ, Some(irq(2, 30)), 2),
        (SOFTIRQ, Some(irq(2, 19)), 3),
        (SOFTIRQ, None, 3),
    ] {
        let interrupts = InterruptState { current: None, of_driver, deferred: Some(irq(3, 31)) };
        let found = completion(context, passed, interrupts);
        assert_eq!(found, (Some(expected), vec![]), "{context:#x} {of_driver:?}");
    }
}

// An attempt that is over, or done before, has nothing to do with this completion: the next one's begins.
#[test]
fn a_completion_is_of_an_attempt_that_goes_on() {
    let both = InterruptState { current: None, of_driver: Some(irq(2, 30)), deferred: None };
    let passed = attempt(Some(10), Some(20));
    for last in [AttemptState { is_over: true, ..passed }, AttemptState { done: Some(35), ..passed }] {
        let expected = (None, vec![Oddity::CompletionOutsideInterrupt]);
        assert_eq!(completion(0, Some(last), both), expected, "{last:?}");
    }
}

// start 10   doorbell 20   irq 30   done 40   done once more 41
#[test]
fn a_doorbell_hands_over_to_the_interrupt() {
    let mut source = FactSource::default();
    let (mut tracker, mut found) = (tracker(&mut source), Found::default());
    step(&mut source, &mut tracker, (10, "cmd.start"), None);
    source.at(20, RING, |context| tracker.device_write(context, |_| request(Some(attempt(Some(9), None)))));
    source.context = HARDIRQ;
    let interrupts = InterruptState { current: Some(irq(3, 30)), of_driver: None, deferred: None };
    for (clock, last) in [(40, attempt(Some(9), Some(20))), (41, attempt(Some(9), Some(20)))] {
        source.reach_only(clock, "cmd.done", &[("cmd", CMD)], |fact| {
            tracker.fact(fact, request(Some(last)), interrupts, &mut found)
        });
    }
    let [handover] = &found.handovers[..] else { panic!("{:?}", found.handovers) };
    assert_eq!(
        handover.kind,
        HandoverKind::Interrupt { irq: Some(3), command: 7, since: DeviceStart::Doorbell }
    );
    assert_eq!((handover.from.clock, handover.from.level, handover.from.call), (20, Level::Task, None));
    let to = &handover.to;
    assert_eq!((to.clock, to.level, to.call, to.root), (30, Level::Hardirq, Some(9), Some(9)));
    assert_eq!((to.task, to.event), (source.task, 4));
}

// The last attempt was done before: the completion is of the command that comes next.
#[test]
fn a_hand_over_names_the_command_of_the_next_attempt() {
    let mut source = FactSource::default();
    let (mut tracker, mut found) = (tracker(&mut source), Found::default());
    step(&mut source, &mut tracker, (10, "cmd.start"), None);
    source.at(20, RING, |context| tracker.device_write(context, |_| request(Some(attempt(Some(9), None)))));
    source.context = HARDIRQ;
    let interrupts = InterruptState { current: Some(irq(3, 30)), of_driver: None, deferred: None };
    let last = AttemptState { done: Some(25), ..attempt(Some(9), Some(20)) };
    source.reach_only(40, "cmd.done", &[("cmd", CMD)], |fact| {
        tracker.fact(fact, request(Some(last)), interrupts, &mut found)
    });
    assert_eq!(
        found.handovers[0].kind,
        HandoverKind::Interrupt { irq: Some(3), command: 8, since: DeviceStart::Doorbell }
    );
}

/// What a request, issued at 10 in a task, is handed over with that is complete at 40.
fn issued_and(
    context: u32,
    stage: &str,
    last: AttemptState,
    interrupts: InterruptState,
    between: impl FnOnce(&mut FactSource, &mut CommandTracker),
) -> Vec<Handover> {
    let mut source = FactSource::default();
    let (mut tracker, mut found) = (tracker(&mut source), Found::default());
    source.enter(5, "sys.write", &[], |_| ());
    source.reach_only(10, "rq.issue", &[("rq", RQ)], |fact| tracker.request_issued(fact));
    between(&mut source, &mut tracker);
    source.context = context;
    source.enter(30, "irq.frame", &[], |_| ());
    let mut facts = Vec::new();
    for clock in [40, 41] {
        facts.extend(source.reach_only(clock, stage, &[("rq", RQ)], |fact| match stage {
            "rq.end" => {
                let request = request(Some(last)).unwrap();
                tracker.request_completed(&fact.context, &request, interrupts, &mut found)
            }
            _ => tracker.fact(fact, request(Some(last)), interrupts, &mut found),
        }));
    }
    // What a driver does not say of its command is known by what the device handed over.
    let completed = |handover: &Handover| {
        let HandoverKind::Interrupt { irq: number, .. } = handover.kind else { panic!("{handover:?}") };
        let interrupt = number.map(|number| irq(number, handover.to.clock));
        let step = CommandStep::Completed(interrupt, handover.to.clock);
        CommandFact { request: RQ, clock: 40, step, result: None }
    };
    match stage {
        "cmd.done" => assert!(facts.iter().all(|fact| matches!(fact.step, CommandStep::Done(_)))),
        _ => assert_eq!(facts, found.handovers.iter().map(completed).collect::<Vec<_>>()),
    }
    found.handovers
}

// issue 10   irq 30   complete 40, and again 41. The driver has no probe, or no doorbell is known.
#[test]
fn without_a_doorbell_a_device_works_from_the_issue_of_the_request() {
    let current = InterruptState { current: Some(irq(3, 30)), of_driver: None, deferred: None };
    for (stage, driver) in
        [("rq.complete", None), ("rq.answered", None), ("rq.end", None), ("cmd.done", Some(12))]
    {
        let found = issued_and(HARDIRQ, stage, attempt(driver, None), current, |_, _| ());
        let [handover] = &found[..] else { panic!("{stage}: {found:?}") };
        let expected = HandoverKind::Interrupt { irq: Some(3), command: 7, since: DeviceStart::Issue };
        assert_eq!(handover.kind, expected, "{stage}");
        assert_eq!((handover.from.clock, handover.from.level), (10, Level::Task), "{stage}");
        assert_eq!((handover.to.clock, handover.to.root), (30, Some(9)), "{stage}");
    }
}

// issue 10   irq 30, whose thread finds the request complete
#[test]
fn a_thread_of_an_interrupt_ends_the_work_of_a_driver_without_a_probe() {
    let interrupts = InterruptState { deferred: Some(irq(3, 30)), ..InterruptState::default() };
    let found = issued_and(0, "rq.complete", attempt(None, None), interrupts, |_, _| ());
    let found: Vec<_> = found.iter().map(|handover| (handover.kind, handover.to.root)).collect();
    let kind = HandoverKind::Interrupt { irq: Some(3), command: 7, since: DeviceStart::Issue };
    assert_eq!(found, [(kind, Some(9))]);
}

#[test]
fn a_request_is_issued_with_its_doorbell_its_driver_or_its_start() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    let of = |tracker: &CommandTracker, last| tracker.issued(&request(last).unwrap());
    assert_eq!(of(&tracker, None), None);
    source.reach_only(10, "rq.issue", &[("rq", RQ)], |fact| tracker.request_issued(fact));
    let lasts =
        [None, Some(attempt(None, None)), Some(attempt(Some(12), None)), Some(attempt(Some(12), Some(15)))];
    assert_eq!(lasts.map(|last| of(&tracker, last)), [Some(10), Some(10), Some(12), Some(15)]);
}

// Which interrupt it was is not known: an interrupt or a softirq is the end of the device's work, a task is not.
#[test]
fn without_a_known_interrupt_the_context_ends_the_devices_work() {
    let (none, of_another) = (InterruptState::default(), Some(irq(2, 20)));
    for interrupts in [none, InterruptState { current: None, of_driver: of_another, deferred: None }] {
        for (context, expected) in
            [(HARDIRQ, Some(2)), (SOFTIRQ, Some(2)), (0, None), (UNKNOWN_CONTEXT, None)]
        {
            let found = issued_and(context, "rq.complete", attempt(None, None), interrupts, |_, _| ());
            let found: Vec<_> = found.iter().map(|handover| (handover.kind, handover.to.root)).collect();
            let kind = HandoverKind::Interrupt { irq: None, command: 7, since: DeviceStart::Issue };
            assert_eq!(found, Vec::from_iter(expected.map(|root| (kind, Some(root)))), "{context:#x}");
        }
    }
}

// It was given to no device: put back, or issued and ended in one and the same context.
#[test]
fn a_request_that_no_device_worked_on_is_not_handed_over() {
    let current = InterruptState { current: Some(irq(3, 30)), of_driver: None, deferred: None };
    let last = attempt(None, None);
    let put_back = issued_and(HARDIRQ, "rq.complete", last, current, |_, tracker| {
        tracker.request_returned(&ReturnedRequest { pointer: RQ });
    });
    let here = InterruptState { current: Some(irq(3, 8)), of_driver: None, deferred: None };
    let issued_later = issued_and(HARDIRQ, "rq.complete", last, here, |_, _| ());
    let done = AttemptState { done: Some(35), ..last };
    let done = issued_and(HARDIRQ, "rq.end", done, current, |_, _| ());
    assert_eq!([put_back, issued_later, done], [const { Vec::new() }; 3]);
}

#[test]
fn a_command_that_is_done_waits_for_no_doorbell() {
    let mut source = FactSource::default();
    let mut tracker = tracker(&mut source);
    step(&mut source, &mut tracker, (10, "cmd.start"), None);
    step(&mut source, &mut tracker, (12, "cmd.done"), None);
    let last = request(Some(attempt(None, None)));
    let facts = source.at(20, RING, |context| tracker.device_write(context, |_| last));
    assert_eq!((facts, tracker.counts().idle_doorbells), (vec![], 1));
}
