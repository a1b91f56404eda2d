//! What is gathered of a trace for a stretch of it.

use super::super::Context;
use super::super::gather::{SchedulingEvents, gather};
use crate::model::HandoverKind;
use crate::session::Session;
use iotrace_synthetic_guest::{SyntheticGuest, TASK, direct_write};

const IDLE: u64 = 0xffff_8880_0000_9000;
const WORKER: u64 = 0xffff_8880_0000_5000;

fn gathered(guest: &SyntheticGuest, from: u64, to: u64) -> SchedulingEvents {
    gather(&Session::from_bytes(guest.file()).unwrap(), from, to, &mut |_| {}).unwrap().0
}

fn roots(seen: &SchedulingEvents) -> Vec<(Context, u64, u64, u64)> {
    seen.roots.values().map(|root| (root.context, root.task, root.from, root.to)).collect()
}

fn switches(seen: &SchedulingEvents) -> Vec<(u64, u64)> {
    seen.switches.iter().map(|switch| (switch.clock, switch.to)).collect()
}

/// When each context that was handed over to began.
fn handovers(seen: &SchedulingEvents) -> Vec<u64> {
    seen.handovers.iter().map(|handover| handover.to.clock).collect()
}

#[test]
fn all_contexts_of_a_call_and_what_led_to_them_are_gathered() {
    let seen = gathered(&direct_write(), 1000, 3050);
    let expected = [
        (Context::Task, TASK, 1000, 3050),
        (Context::Interrupt, IDLE, 2000, 2300),
        (Context::Softirq, IDLE, 2150, 2260),
        (Context::Work, WORKER, 2510, 2700),
    ];
    assert_eq!(roots(&seen), expected);
    assert_eq!(switches(&seen), [(1400, IDLE), (2500, WORKER), (2900, TASK)]);
    assert_eq!((handovers(&seen), seen.running), (vec![2000, 2160, 2510, 2900], TASK));
    let served: Vec<_> = seen.softirqs.values().collect();
    assert_eq!(served, [&[(2160, 4)]]);
    let details: Vec<_> =
        seen.roots.values().map(|root| (root.irq.and_then(|irq| irq.line), root.work)).collect();
    assert_eq!(details, [(None, None), (Some(11), None), (None, None), (None, Some(0xffff_ffff_8110_0000))]);
}

// Workers and tasks run work items by different functions.
#[test]
fn each_function_that_runs_work_items_names_theirs() {
    let mut guest = direct_write();
    guest.entry(5000, "work.run", &[("work.func", 0x77), ("work", 6)]);
    let seen = gathered(&guest, 1000, 5000);
    let works: Vec<_> = seen.roots.values().filter_map(|root| root.work).collect();
    assert_eq!(works, [0xffff_ffff_8110_0000, 0x77]);
}

// From the handler of the interrupt to the worker's switch: the system call and the interrupt began before, the
// worker's item begins with the first event after it.
#[test]
fn what_began_before_and_what_goes_on_after_is_gathered_too() {
    let seen = gathered(&direct_write(), 2020, 2500);
    let expected = [
        (Context::Task, TASK, 1000, u64::MAX),
        (Context::Interrupt, IDLE, 2000, 2300),
        (Context::Softirq, IDLE, 2150, 2260),
        (Context::Work, WORKER, 2510, u64::MAX),
    ];
    assert_eq!(roots(&seen), expected);
    assert_eq!((switches(&seen), seen.running), (vec![(2500, WORKER)], IDLE));
    assert_eq!(handovers(&seen), [2160, 2510]);
    let names = seen.names.keys().min().copied();
    let of_handler = seen.roots.keys().nth(1).map(|frame| frame + 2);
    assert_eq!(
        names, of_handler,
        "calls from 2020 on: the frame, the entry and the handler are numbered in a row"
    );
}

#[test]
fn what_was_over_before_is_not_gathered() {
    let begins = |from| -> Vec<_> {
        roots(&gathered(&direct_write(), from, 2500)).into_iter().map(|root| root.2).collect()
    };
    let expected: [Vec<u64>; 3] = [vec![1000, 2000, 2150, 2510], vec![1000, 2000, 2510], vec![1000, 2510]];
    assert_eq!([2260, 2300, 2301].map(begins), expected);
    let seen = gathered(&direct_write(), 2160, 2500);
    assert_eq!(handovers(&seen), [2160, 2510], "the softirq's at its very clock, the interrupt's not");
    let seen = gathered(&direct_write(), 1400, 2000);
    assert_eq!(
        (switches(&seen), seen.running),
        (vec![(1400, IDLE)], TASK),
        "a switch at the begin is gathered"
    );
}

// The wake-up of a task that goes on at the end's clock, and what happens at one clock, is gathered.
#[test]
fn all_that_happens_at_the_last_clock_is_gathered() {
    let mut guest = SyntheticGuest::default();
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.switch(200, IDLE);
    guest.entry(210, "task.wake", &[("task", TASK)]);
    guest.exit(210, "task.wake", 1);
    guest.switch(210, TASK);
    guest.exit(210, "sys.fsync", 0);
    guest.entry(220, "sys.fsync", &[("regs.fd", 4)]);
    guest.entry(230, "sys.fsync", &[("regs.fd", 5)]);
    let seen = gathered(&guest, 100, 210);
    assert_eq!(switches(&seen), [(200, IDLE), (210, TASK)]);
    let [woken] = &seen.handovers[..] else { panic!("{:?}", seen.handovers) };
    assert_eq!((woken.kind, woken.to.clock), (HandoverKind::Wake { task: TASK }, 210));
    assert!(roots(&seen).contains(&(Context::Task, TASK, 100, 210)));
    assert!(!roots(&seen).iter().any(|root| root.2 == 230), "reading stops behind the end");
}
