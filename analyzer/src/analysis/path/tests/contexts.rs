//! Which contexts have a part in a listing, and which of their calls are shown.

use super::*;
use iotrace_format::event::MARK_BEGIN;
use iotrace_synthetic_guest::{HARDIRQ, KWORKER, TASK, WRITE, buffered, direct_write, io};

fn clocks(path: &Path) -> Vec<(u64, u64)> {
    path.handovers.iter().map(|handover| (handover.from.clock, handover.to.clock)).collect()
}

// Two buffered writes, the work item that writes their page, in which an interrupt comes. The timer's softirq is not
// about the bio, nor is the third write, nor the direct one.
#[test]
fn a_bios_contexts_are_the_calls_whose_bytes_it_carries_and_those_that_work_on_it() {
    let path = listing(&buffered(), &Wanted::Bio(1));
    let expected: [&[_]; 5] = [
        &[(0, "sys_write"), (1, "vfs_write"), (2, "cache_write"), (2, "timer_start")],
        &[(0, "sys_write"), (1, "vfs_write"), (2, "cache_write")],
        &[
            (0, "work_run"),
            (1, "bio_queue"),
            (1, "bio_enter"),
            (2, "rq_get"),
            (1, "rq_dispatch"),
            (2, "rq_issue"),
            (2, "cmd_dispatch"),
            (2, "cmd_start"),
            (2, "mmio_write"),
        ],
        &[(0, "irq_entry"), (1, "cmd_done")],
        &[(1, "rq_update"), (1, "bio_end"), (1, "rq_end"), (1, "rq_free")],
    ];
    assert_eq!(names(&path), expected);
    let resumed: Vec<_> = path.segments.iter().map(|segment| segment.resumed).collect();
    assert_eq!(resumed, [false, false, false, false, true]);
    let interrupts: Vec<_> =
        path.segments.iter().map(|segment| segment.interrupt.map(|irq| irq.id)).collect();
    assert_eq!(interrupts, [None, None, None, Some(1), None]);
    assert_eq!(
        clocks(&path),
        [(220, 401), (402, 460), (523, 540)],
        "the timer was started by the first write"
    );
}

// Of the second write the timer is none: neither the write that started it nor the softirq has a part in it.
#[test]
fn hand_overs_are_those_from_or_to_a_context_that_is_shown() {
    assert_eq!(clocks(&listing(&buffered(), &Wanted::Io(2))), [(402, 460), (523, 540)]);
    assert_eq!(clocks(&listing(&buffered(), &Wanted::Io(5))), [(733, 750)]);
}

#[test]
fn lines_are_marked_that_are_about_an_object_while_it_lives() {
    let path = listing(&buffered(), &Wanted::Bio(2));
    let all = path.segments.iter().flat_map(|segment| &segment.lines);
    let unmarked: Vec<_> = all.filter(|line| !line.marked).map(name).collect();
    assert_eq!(unmarked, [(0, "sys_write"), (1, "vfs_write"), (3, "rq_get"), (0, "irq_entry")]);
}

/// `buffered`, with calls of the work item after its bio's last moment, at 553, and events of no interest at the end.
fn with_more_after_the_bio() -> SyntheticGuest {
    let mut guest = buffered();
    let end = guest.events.iter().position(|event| event.clock == 560).unwrap();
    let rest = guest.events.split_off(end);
    guest.task = KWORKER;
    for clock in [554, 556] {
        guest.entry(clock, "cache.write", &[]);
        guest.exit(clock + 1, "cache.write", 0);
    }
    guest.events.extend(rest);
    guest.task = TASK;
    (1000..2000).for_each(|clock| guest.entry(clock, "f", &[]));
    guest
}

// The work item ends at 560; the writes were over long before.
#[test]
fn contexts_that_are_open_at_the_end_are_read_to_theirs() {
    let path = listing(&with_more_after_the_bio(), &Wanted::Bio(1));
    let ends: Vec<_> = path.segments.iter().filter_map(|segment| segment.lines[0].end).collect();
    assert_eq!(ends, [231, 309, 560, 543]);
    assert_eq!(path.segments[2].lines[1].end, None, "an event has no extent");
}

#[test]
fn nothing_is_read_of_a_trace_behind_the_last_context() {
    let file = Session::from_bytes(with_more_after_the_bio().file()).unwrap();
    let subject = subject(&file, &Wanted::Bio(1), &mut |_| {}).unwrap().unwrap();
    let before = file.was_read().events;
    collect::collect(&file, &subject, &mut |_| {}).unwrap();
    let read = file.was_read().events - before;
    assert!(read < 200, "{read} of more than 1000 events");
}

// A thread of the kernel: the bio's queueing is the first moment of what is asked about.
#[test]
fn what_happens_at_the_first_moment_is_about_the_object() {
    let mut guest = SyntheticGuest::default();
    guest.entry(90, "f", &[]);
    guest.queue(100, 0xb1, io(8, 4096, WRITE));
    guest.end(110, 0xb1);
    guest.exit(120, "f", 0);
    let path = listing(&guest, &Wanted::Bio(1));
    assert_eq!(names(&path), [[(0, "f"), (1, "bio_queue"), (1, "bio_end")]]);
}

// What was done for it: the calls of its context that are neither about it, nor inside such, nor around such.
#[test]
fn of_a_context_that_was_not_asked_for_only_what_is_about_the_objects_is_shown() {
    let path = listing(&with_more_after_the_bio(), &Wanted::Bio(1));
    assert_eq!(names(&path)[4].last(), Some(&(1, "rq_free")));
}

fn wake(guest: &mut SyntheticGuest, clock: u64, task: u64) {
    guest.entry(clock, "task.wake", &[("task", task)]);
    guest.exit(clock + 2, "task.wake", 1);
}

/// An fsync from 100 to 250 that waits from 170 on. Woken at 50, by an interrupt at 210, and at 300; another task is
/// woken at 180.
fn waiting() -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.mark(10, MARK_BEGIN);
    wake(&mut guest, 50, TASK);
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.entry(165, "task.wait.completion", &[("x", 1)]);
    guest.switch(170, KWORKER);
    wake(&mut guest, 180, 0x7000);
    guest.entry(200, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| wake(guest, 210, TASK));
    guest.exit(220, "irq.entry", 0);
    guest.switch(230, TASK);
    guest.exit(240, "task.wait.completion", 0);
    guest.exit(250, "sys.fsync", 0);
    wake(&mut guest, 300, TASK);
    guest
}

#[test]
fn a_wake_up_has_a_part_if_it_wakes_the_task_during_its_call() {
    let path = listing(&waiting(), &Wanted::Io(1));
    let expected: [&[_]; 2] = [
        &[(0, "sys_fsync"), (1, "task_wait_completion"), (2, "task_switch")],
        &[(0, "irq_entry"), (1, "task_wake")],
    ];
    assert_eq!(names(&path), expected);
    assert_eq!(clocks(&path), [(212, 230)]);
    let stops: Vec<_> = path.segments[0].lines.iter().map(|line| line.stops.clone()).collect();
    assert_eq!(stops, [vec![], vec![(170, 230)], vec![]]);
    assert_eq!(path.woken.values().map(|task| task.address).collect::<Vec<_>>(), [TASK]);
}

#[test]
fn each_context_tells_how_it_began() {
    let path = listing(&direct_write(), &Wanted::Io(1));
    let began = path.segments.iter().map(|segment| {
        (segment.level, path.handover_to(segment).map(|handover| (handover.from.clock, handover.to.clock)))
    });
    let expected = [
        (Level::Task, None),
        (Level::Hardirq, Some((1203, 2010))),
        (Level::Softirq, Some((2065, 2160))),
        (Level::Task, Some((2200, 2510))),
    ];
    assert_eq!(began.collect::<Vec<_>>(), expected);
    assert_eq!(path.segments[3].work.as_deref(), Some("done_work"));
}

#[test]
fn what_is_not_in_the_trace_has_no_listing() {
    let file = Session::from_bytes(direct_write().file()).unwrap();
    assert!(path(&file, &Wanted::Io(9), &mut |_| {}).unwrap().is_none());
}
