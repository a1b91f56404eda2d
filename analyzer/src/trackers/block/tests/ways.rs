//! Ways to the driver and back, told by the calls that are open. Clocks stand under the events.

use crate::model::{CompletionWay, DispatchWay, Level};
use crate::trackers::timelines::*;

fn dispatched(stages: &[&str]) -> Option<DispatchWay> {
    let write = io(100, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    for (clock, stage) in (30..).zip(stages) {
        guest.entry(clock, stage, &[]);
    }
    guest.issue(50, RQ, B, write);
    for (clock, stage) in (60..).zip(stages.iter().rev()) {
        guest.exit(clock, stage, 0);
    }
    track(&guest).requests[0].attempts[0].way
}

#[test]
fn a_request_is_dispatched_by_one_of_many_ways() {
    for (stages, way) in [
        (&["issue.direct"][..], DispatchWay::Direct),
        (&["plug.flush", "issue.direct"], DispatchWay::PlugDirect),
        (&["plug.flush", "hw.run"], DispatchWay::PlugFlush),
        (&["plug.finish", "hw.run"], DispatchWay::PlugFlush),
        (&["hw.run"], DispatchWay::Run),
        (&["hw.work", "hw.run"], DispatchWay::Kblockd),
        (&["hw.requeue", "hw.run"], DispatchWay::Requeue),
        (&["hw.restart", "hw.run"], DispatchWay::Restart),
        (&[], DispatchWay::Unknown),
    ] {
        assert_eq!(dispatched(stages), Some(way), "{stages:?}");
    }
}

// An interrupt that comes while the submitter runs the queue completes another request: a way of its own.
#[test]
fn what_an_interrupt_dispatches_does_not_go_the_interrupted_way() {
    let write = io(100, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    guest.entry(30, "plug.flush", &[]);
    guest.entry(40, "softirq.run", &[]);
    guest.at(SOFTIRQ, |guest| {
        guest.entry(42, "hw.restart", &[]);
        guest.issue(50, RQ, B, write);
        guest.exit(60, "hw.restart", 0);
    });
    guest.exit(61, "softirq.run", 0);
    guest.exit(62, "plug.flush", 0);
    assert_eq!(track(&guest).requests[0].attempts[0].way, Some(DispatchWay::Restart));
}

// softirq: softirq.block 92 .. 93    rq.softirq 95
#[test]
fn a_completion_after_the_block_softirq_is_not_done_in_it() {
    let write = io(100, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    guest.issue(50, RQ, B, write);
    guest.at(SOFTIRQ, |guest| {
        guest.entry(90, "softirq.run", &[]);
        guest.entry(92, "softirq.block", &[]);
        guest.exit(93, "softirq.block", 0);
        guest.entry(95, "rq.softirq", &[("rq", RQ)]);
        guest.exit(97, "softirq.run", 0);
    });
    assert_eq!(track(&guest).requests[0].attempts[0].completion, Some(CompletionWay::Elsewhere));
}

// irq: rq.complete 80 .. 84    softirq: rq.softirq 93
#[test]
fn a_completion_is_done_in_place_in_the_softirq_or_elsewhere() {
    for way in [CompletionWay::InPlace, CompletionWay::Softirq, CompletionWay::Elsewhere] {
        let write = io(100, 4096, WRITE);
        let mut guest = SyntheticGuest::default();
        guest.submit(10, B, RQ, write);
        guest.issue(50, RQ, B, write);
        guest.at(HARDIRQ, |guest| {
            guest.entry(80, "rq.complete", &[("rq", RQ)]);
            if way == CompletionWay::InPlace {
                guest.entry(82, "rq.softirq", &[("rq", RQ)]);
            }
            guest.exit(84, "rq.complete", 0);
        });
        if way != CompletionWay::InPlace {
            guest.entry(90, "softirq.run", &[]);
            guest.at(SOFTIRQ, |guest| {
                let block = way == CompletionWay::Softirq;
                if block {
                    guest.entry(92, "softirq.block", &[]);
                }
                guest.entry(93, "rq.softirq", &[("rq", RQ)]);
                if block {
                    guest.exit(94, "softirq.block", 0);
                }
            });
            guest.exit(95, "softirq.run", 0);
        }
        let attempt = &track(&guest).requests[0].attempts[0];
        assert_eq!((attempt.completion, attempt.completed_at), (Some(way), Some(Level::Hardirq)));
    }
}
