//! Attempts of a request in its tracker by itself.

use super::request_tracker::{Known, NEXT, Requests, arguments};
use crate::model::{Attempt, CompletionWay, IrqRef, Level};
use crate::trackers::block::requests::Exchange;
use crate::trackers::counts::Oddity;
use crate::trackers::fact::{AttemptState, CommandStep, ReturnedRequest};
use crate::trackers::timelines::{Found, HARDIRQ, RQ, SOFTIRQ};

#[test]
fn a_request_that_the_layer_below_refuses_goes_back() {
    for (returned, refused) in [(0, false), (9, true), (0x100, false), (0x101, true)] {
        let mut requests = Requests::default();
        requests.enter(10, "rq.dispatch", &arguments(RQ, &[]));
        let expected = refused.then_some(ReturnedRequest { pointer: RQ });
        assert_eq!(requests.exit(11, "rq.dispatch", returned), expected, "{returned:#x}");
        let attempt = requests.finish(RQ).attempts[0].clone();
        assert_eq!((attempt.dispatched, attempt.refused), (Some(10), refused));
    }
    let mut requests = Requests::default();
    requests.enter(10, "rq.dispatch", &arguments(RQ, &[]));
    assert_eq!(requests.lose(11, "rq.dispatch"), None);
}

#[test]
fn a_requeued_request_goes_back() {
    let mut requests = Requests::default();
    requests.reach(10, "rq.issue", &arguments(RQ, &[]));
    assert_eq!(requests.reach(20, "rq.requeue", &arguments(RQ, &[])), Some(ReturnedRequest { pointer: RQ }));
    let request = requests.finish(RQ);
    assert_eq!((request.attempts[0].requeued, request.requeues()), (Some(20), 1));
}

// Its driver has no probe: the request is complete at 40, in the interrupt of 30.
#[test]
fn a_command_that_no_driver_gives_back_has_the_interrupt_that_completed_its_request() {
    let irq = IrqRef { id: 3, clock: 30, vector: None, line: None, handler: None, call: None };
    for (interrupt, end) in [(Some(irq), 30), (None, 38)] {
        let mut requests = Requests::default();
        requests.reach(10, "rq.issue", &arguments(RQ, &[]));
        requests.command(RQ, 40, CommandStep::Completed(interrupt, end));
        let request = requests.finish(RQ);
        let [attempt] = &request.attempts[..] else { panic!("{:?}", request.attempts) };
        assert_eq!((attempt.interrupt, attempt.at_device()), (interrupt, Some((10, end))));
    }
    let mut requests = Requests::default();
    requests.reach(10, "rq.issue", &arguments(RQ, &[]));
    assert_eq!(requests.finish(RQ).attempts[0].at_device(), None, "its end is not known");
}

// The driver makes the command at 8 and issues the request itself at 10, as that of NVMe does.
#[test]
fn a_driver_that_issues_the_request_itself_has_its_command_from_there_on() {
    let mut requests = Requests::default();
    requests.reach(5, "rq.dispatch", &arguments(RQ, &[]));
    requests.command(RQ, 8, CommandStep::Passed(0x300));
    requests.reach(10, "rq.issue", &arguments(RQ, &[]));
    let request = requests.finish(RQ);
    let [attempt] = &request.attempts[..] else { panic!("{:?}", request.attempts) };
    assert_eq!((attempt.issued, attempt.driver), (Some(10), Some(10)));
}

// dispatch 10   issue 11   issue once more 20: another attempt
#[test]
fn an_attempt_begins_with_its_dispatch_or_where_there_is_none_with_its_issue() {
    let mut requests = Requests::default();
    requests.reach(10, "rq.dispatch", &arguments(RQ, &[]));
    requests.source.context = SOFTIRQ;
    requests.reach(11, "rq.issue", &arguments(RQ, &[]));
    requests.reach(20, "rq.issue", &arguments(RQ, &[]));
    requests.reach(30, "rq.dispatch", &arguments(RQ, &[]));
    requests.reach(40, "rq.dispatch", &arguments(RQ, &[]));
    let request = requests.finish(RQ);
    let attempt =
        |a: &Attempt| (a.command, a.dispatched, a.issued, a.dispatched_by.clone(), a.dispatch_event);
    assert_eq!(
        request.attempts.iter().map(attempt).collect::<Vec<_>>(),
        [
            (1, Some(10), Some(11), Some("dd".into()), 1),
            (2, Some(30), Some(20), Some("softirq".into()), 4),
            (3, Some(40), None, Some("softirq".into()), 5),
        ]
    );
    assert_eq!(request.issued().map(|attempt| attempt.command), Some(2));
}

#[test]
fn the_state_of_a_request_is_that_of_its_last_attempt() {
    let mut requests = Requests::default();
    assert_eq!(requests.tracker.state(RQ), None);
    requests.get(2, RQ);
    let state = requests.tracker.state(RQ).unwrap();
    assert_eq!((state.pointer, state.last, state.next_command), (RQ, None, 1));
    requests.command(RQ, 10, CommandStep::Passed(5));
    requests.command(RQ, 11, CommandStep::Doorbell);
    requests.command(RQ, 12, CommandStep::Done(None));
    let last =
        AttemptState { command: 1, driver: Some(10), doorbell: Some(11), done: Some(12), is_over: false };
    let state = requests.tracker.state(RQ).unwrap();
    assert_eq!((state.last, state.next_command), (Some(last), 2));
    requests.reach(20, "rq.requeue", &arguments(RQ, &[]));
    assert_eq!(requests.tracker.state(RQ).unwrap().last, Some(AttemptState { is_over: true, ..last }));
}

#[test]
fn each_step_of_a_command_is_noted() {
    let irq = IrqRef { id: 3, clock: 40, vector: None, line: None, handler: None, call: None };
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.command(RQ, 9, CommandStep::Doorbell);
    assert_eq!(requests.tracker.state(RQ).unwrap().last, None, "there is nothing to tell the controller of");
    for (clock, step) in (10..).zip([
        CommandStep::Prepared,
        CommandStep::Passed(5),
        CommandStep::Started,
        CommandStep::Doorbell,
        CommandStep::DriverDone,
        CommandStep::Done(Some(irq)),
        CommandStep::Finished(2),
    ]) {
        requests.command(RQ, clock, step);
        requests.command(NEXT, clock, step);
    }
    let expected = Attempt {
        command: 1,
        pointer: 5,
        prepared: Some(10),
        driver: Some(11),
        started: Some(12),
        doorbell: Some(13),
        driver_done: Some(14),
        done: Some(15),
        interrupt: Some(irq),
        finished: Some(16),
        result: 2,
        ..Attempt::default()
    };
    assert_eq!(requests.finish(RQ).attempts, [expected]);
    assert_eq!(requests.found.requests.len(), 1);
}

// What was passed on or done before is so in another attempt; the other steps go on with the last one.
#[test]
fn a_step_that_was_done_before_begins_another_attempt() {
    for (step, attempts) in [
        (CommandStep::Prepared, 1),
        (CommandStep::Passed(5), 2),
        (CommandStep::Started, 1),
        (CommandStep::Doorbell, 1),
        (CommandStep::DriverDone, 1),
        (CommandStep::Done(None), 2),
        (CommandStep::Finished(0), 1),
    ] {
        let mut requests = Requests::default();
        requests.reach(9, "rq.issue", &arguments(RQ, &[]));
        requests.command(RQ, 10, step);
        requests.command(RQ, 20, step);
        assert_eq!(requests.finish(RQ).attempts.len(), attempts, "{step:?}");
    }
}

#[test]
fn what_follows_a_refusal_or_a_requeue_is_another_attempt() {
    for refused in [true, false] {
        let mut requests = Requests::default();
        requests.enter(10, "rq.dispatch", &arguments(RQ, &[]));
        requests.exit(11, "rq.dispatch", u64::from(refused));
        if !refused {
            requests.reach(12, "rq.requeue", &arguments(RQ, &[]));
        }
        requests.command(RQ, 20, CommandStep::Prepared);
        let attempts: Vec<_> = requests.finish(RQ).attempts.iter().map(|a| a.prepared).collect();
        assert_eq!(attempts, [None, Some(20)]);
    }
}

impl Requests {
    /// A driver completes a request; a call is open afterwards.
    pub fn complete(&mut self, clock: u64, request: Option<u64>) {
        let Self { source, tracker, .. } = self;
        let arguments = [("rq", request.unwrap_or(0))];
        let (mut facts, mut found, bios) = (Vec::new(), Found::default(), Known::default());
        let mut exchange = Exchange { bios: &bios, facts: &mut facts, out: &mut found };
        source
            .enter(clock, "rq.complete", &arguments, |fact| tracker.completed(fact, request, &mut exchange));
    }

    /// The completion of a request is processed.
    fn process(&mut self, clock: u64, request: Option<u64>) {
        let Self { source, tracker, .. } = self;
        let arguments = [("rq", request.unwrap_or(0))];
        source
            .reach_only(clock, "rq.softirq", &arguments, |fact| tracker.completion_processed(fact, request));
    }

    /// The function of a softirq begins.
    fn softirq(&mut self, clock: u64, stage: &str) {
        let Self { source, tracker, .. } = self;
        source.enter(clock, stage, &[], |fact| tracker.softirq(fact));
    }
}

#[test]
fn a_completion_is_processed_in_the_call_in_the_block_softirq_or_elsewhere() {
    for (stage, completes, processed, way) in [
        (None, Some(RQ), RQ, CompletionWay::InPlace),
        (None, Some(NEXT), RQ, CompletionWay::Elsewhere),
        (None, None, RQ, CompletionWay::Elsewhere),
        (Some("softirq.block"), Some(RQ), RQ, CompletionWay::Softirq),
        (Some("softirq.block"), None, RQ, CompletionWay::Softirq),
        (Some("softirq.timer"), None, RQ, CompletionWay::Elsewhere),
    ] {
        let mut requests = Requests::default();
        requests.get(2, RQ);
        requests.get(4, NEXT);
        requests.source.context = SOFTIRQ;
        stage.iter().for_each(|stage| requests.softirq(10, stage));
        completes.iter().for_each(|request| requests.complete(11, Some(*request)));
        requests.process(12, Some(processed));
        let attempt = requests.finish(processed).attempts.pop().unwrap();
        let expected = (Some(12), Some(way), 5 + u64::from(stage.is_some()) + u64::from(completes.is_some()));
        assert_eq!((attempt.softirq, attempt.completion, attempt.completion_event), expected, "{stage:?}");
        let at = if completes == Some(RQ) { (Some(11), Some(Level::Softirq)) } else { (None, None) };
        assert_eq!((attempt.completed, attempt.completed_at), at);
        assert_eq!(requests.oddities(), []);
    }
}

// The call that completes is another context's: an interrupt's that came in between.
#[test]
fn a_completion_is_in_place_only_in_its_own_context() {
    let mut requests = Requests::default();
    requests.get(2, RQ);
    requests.complete(11, Some(RQ));
    requests.source.context = HARDIRQ;
    requests.process(12, Some(RQ));
    assert_eq!(requests.finish(RQ).attempts[0].completion, Some(CompletionWay::Elsewhere));
}

#[test]
fn completions_of_unknown_requests_are_counted() {
    let mut requests = Requests::default();
    for (request, counted) in [(None, 2), (Some(RQ), 4)] {
        requests.complete(11, request);
        requests.process(12, request);
        assert_eq!(requests.oddities(), [(Oddity::CommandUnknown, counted)]);
    }
}
