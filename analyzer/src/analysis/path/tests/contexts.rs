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
    let queued = path.segments[2].lines.iter().find(|line| line.name == "bio_queue_function").unwrap();
    assert_eq!(queued.end, None, "an event has no extent");
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
        (Level::Hardirq, Some((1203, 2000))),
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

/// Of each call that is shown and over, with the lines directly inside it: what it executed itself, what they did, its total.
fn sums(segments: &[Segment]) -> Vec<(String, u64, u64, u64)> {
    let mut calls = Vec::new();
    // The calls around the line at hand, by the contexts' roots: the depth of each, its place among the calls.
    let mut around = std::collections::HashMap::<u64, Vec<(usize, Option<usize>)>>::new();
    for (segment, line) in segments.iter().flat_map(|s| s.lines.iter().map(move |line| (s, line))) {
        let around = around.entry(segment.root).or_default();
        while around.pop_if(|(depth, _)| *depth >= line.depth).is_some() {}
        let is_call = line.call.is_some() && line.end.is_some();
        if (is_call || line.omitted)
            && let Some(at) = around.iter().rev().find_map(|(_, at)| *at)
        {
            let (_, _, inside, _): &mut (_, _, u64, _) = &mut calls[at];
            *inside += line.total;
        }
        around.push((line.depth, is_call.then_some(calls.len())));
        if is_call {
            calls.push((line.name.clone(), line.own, 0, line.total));
        }
    }
    calls
}

fn assert_parts_add_up(segments: &[Segment], about: &str) {
    let calls = sums(segments);
    assert!(!calls.is_empty(), "{about}");
    for (name, own, inside, total) in calls {
        assert_eq!(own + inside, total, "{about}: {name} executed {own} itself and {inside} inside");
    }
}

/// An interrupt whose handler makes calls that are not about the write, before, between, after and around those that are.
fn with_other_calls() -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    guest.entry(90, "f", &[]);
    guest.entry(92, "before", &[]);
    guest.entry(94, "inner", &[]);
    guest.exit(97, "inner", 0);
    guest.exit(99, "before", 0);
    guest.queue(100, 0xb1, io(8, 4096, WRITE));
    guest.exit(110, "f", 0);
    guest.entry(200, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        for (clock, name) in [(202, "first"), (210, "second")] {
            guest.entry(clock, name, &[]);
            guest.exit(clock + 5, name, 0);
        }
        guest.entry(220, "around", &[]);
        guest.entry(221, "third", &[]);
        guest.exit(224, "third", 0);
        guest.end(225, 0xb1);
        guest.exit(230, "around", 0);
        guest.entry(232, "last", &[]);
        guest.exit(239, "last", 0);
    });
    guest.exit(240, "irq.entry", 0);
    guest
}

#[test]
fn calls_that_are_not_shown_are_a_line_with_what_they_executed() {
    let path = listing(&with_other_calls(), &Wanted::Bio(1));
    let omitted = |line: &Line| (line.depth, line.times, line.total, line.clock, line.end);
    let all = path.segments.iter().flat_map(|segment| &segment.lines);
    let found: Vec<_> = all.filter(|line| line.omitted).map(omitted).collect();
    let expected = [(1, 2, 7, 92, Some(99)), (1, 3, 17, 202, Some(239)), (2, 1, 3, 221, Some(224))];
    assert_eq!(found, expected);
    let shown = [
        [(0, "f"), (1, ""), (1, "bio_queue")].to_vec(),
        [(0, "irq_entry"), (1, ""), (1, "around"), (2, ""), (2, "bio_end")].to_vec(),
    ];
    assert_eq!(names(&path), shown);
}

#[test]
fn the_parts_of_each_shown_call_add_up_to_it() {
    let shapes = [
        ListingShape::default(),
        ListingShape { unfolded: true, ..ListingShape::default() },
        ListingShape { depth: Some(1), ..ListingShape::default() },
        ListingShape { depth: Some(2), ..ListingShape::default() },
        ListingShape { layers: vec![Layer::Block], ..ListingShape::default() },
        ListingShape {
            collapse: vec!["around_function".into(), "vfs_write_function".into()],
            ..ListingShape::default()
        },
    ];
    let guests = [with_other_calls(), buffered(), direct_write(), with_more_after_the_bio(), waiting()];
    for (number, guest) in guests.iter().enumerate() {
        for wanted in [Wanted::Io(1), Wanted::Bio(1)] {
            let session = Session::from_bytes(guest.file()).unwrap();
            let Some(path) = super::super::path(&session, &wanted, &mut |_| {}).unwrap() else { continue };
            for wish in &shapes {
                assert_parts_add_up(
                    &shape(&path.segments, wish),
                    &format!("guest {number}, {wanted}, {wish:?}"),
                );
            }
        }
    }
}

// What is hidden in the part of a context behind another context's part is inside a call of the first part.
#[test]
fn what_is_not_shown_of_a_context_that_goes_on_is_in_its_first_part() {
    let mut path = listing(&with_other_calls(), &Wanted::Bio(1));
    let mut second = path.segments[1].clone();
    second.lines = path.segments[1].lines.split_off(3);
    path.segments.push(second);
    let wish = ListingShape { depth: Some(1), ..ListingShape::default() };
    let shaped = shape(&path.segments, &wish);
    assert_eq!(shaped.len(), 2);
    let omitted = &shaped[1].lines[1];
    assert_eq!((omitted.omitted, omitted.times, omitted.total), (true, 5, 27));
    assert_parts_add_up(&shaped, "two parts");
}
