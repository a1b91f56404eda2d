//! The tracker of calls by itself: events in, calls and the circumstances of events out.

use super::*;
use crate::model::{Ending, Point};
use crate::trackers::fixture::FactSource;
use crate::trackers::timelines::{Found, KWORKER};
use iotrace_format::definition::{At, CallSite, SiteFrame};
use iotrace_format::event::{self, UNKNOWN_CONTEXT};
use iotrace_synthetic_guest::{HARDIRQ, SOFTIRQ, TASK, probe};

const STACK: u64 = 0xffff_c900_0001_2000;
const TRAMPOLINE: u64 = 0xffff_ffff_8100_0f00;

#[derive(Default)]
struct Heard {
    switches: Vec<Switch>,
    marks: Vec<WorkloadMark>,
    ran: Vec<(CallId, u64, u64)>,
}

impl Sink for Heard {
    fn switched(&mut self, switch: &Switch) {
        self.switches.push(*switch);
    }
    fn mark(&mut self, mark: WorkloadMark) {
        self.marks.push(mark);
    }
    fn ran(&mut self, call: CallId, from: u64, to: u64) {
        self.ran.push((call, from, to));
    }
}

/// A processor that runs functions; each event is a new kind.
#[derive(Default)]
struct Processor {
    tracker: CallTracker,
    probes: Probes,
    heard: Heard,
    kinds: u16,
    context: u32,
}

impl Processor {
    fn event<R>(
        &mut self,
        (clock, stack): (u64, u64),
        (stage, at): (&str, At),
        arguments: &[(&str, u64)],
        take: impl FnOnce(&mut CallTracker, &Event<'_>, &RoleValues<'_>) -> R,
    ) -> R {
        let kind = FIRST_PROBE + self.kinds;
        self.kinds += 1;
        let names = arguments.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.probes.define(&probe(kind, stage, at, names));
        let words: Vec<_> = arguments.iter().map(|(_, value)| *value).collect();
        let event = Event { kind, vcpu: 0, clock, context: self.context, task: TASK, stack, words: &words };
        self.tracker.count_event();
        self.tracker.advance(&event, &mut self.heard);
        take(&mut self.tracker, &event, &self.probes.words(&event).unwrap())
    }

    /// A function is entered; returns how many calls were over then, and the call that begins.
    fn enter(&mut self, at: (u64, u64), stage: &str, arguments: &[(&str, u64)]) -> (usize, Option<Call>) {
        self.event(at, (stage, At::Entry), arguments, |tracker, event, roles| {
            let mut ended = Vec::new();
            let entry = tracker.settle(event, roles, &mut ended);
            let call = entry.call.map(|number| {
                let call = tracker.enter(event, roles, entry.caller, None);
                assert_eq!(call.id, number);
                call
            });
            (ended.len(), call)
        })
    }

    fn exit(&mut self, at: (u64, u64), stage: &str) -> Vec<(CallId, Ending)> {
        self.event(at, (stage, At::Exit), &[("ret", 0)], |tracker, event, roles| {
            let mut ended = Vec::new();
            tracker.leave(event, roles, &mut ended);
            ended.into_iter().map(|left| (left.frame.number, left.ending)).collect()
        })
    }

    /// Makes a function's exits known.
    fn with_exit(mut self, stages: &[&str]) -> Self {
        for stage in stages {
            let kind = FIRST_PROBE + self.kinds;
            self.kinds += 1;
            self.probes.define(&probe(kind, stage, At::Exit, vec!["ret".into()]));
        }
        self
    }

    fn plain<'a>(&self, clock: u64, words: &'a [u64]) -> Event<'a> {
        let kind = event::TASK.id;
        Event { kind, vcpu: 0, clock, context: self.context, task: TASK, stack: 0, words }
    }
}

#[test]
fn a_call_begins_if_its_end_will_be_seen() {
    let mut processor = Processor::default().with_exit(&["hw.run", "irq.frame"]);
    assert_eq!(processor.enter((1, STACK), "hw.work", &[]), (0, None));
    let (_, call) = processor.enter((2, STACK), "hw.run", &[("caller", 7)]);
    let call = call.unwrap();
    assert_eq!((call.id, call.parent, call.depth, call.depth_in_context), (1, None, 0, 0));
    assert_eq!(
        (call.clock, call.task, call.level, call.boundary, call.caller),
        (2, TASK, Level::Task, false, 7)
    );
    assert_eq!(call.kind, FIRST_PROBE + 3);
    // The same entry once more, for another element of its list: no other call.
    assert_eq!(processor.enter((2, STACK), "hw.run", &[("caller", 7)]), (0, None));
    let (_, inner) = processor.enter((3, STACK - 8), "hw.run", &[("caller", 9)]);
    let inner = inner.unwrap();
    assert_eq!((inner.id, inner.parent, inner.depth, inner.depth_in_context), (2, Some(1), 1, 1));
    // Frames of interrupts and exceptions end with their return, without an exit.
    for (stage, id) in [("irq.frame", 3), ("exc.frame", 4)] {
        let (_, frame) = processor.enter((4, STACK - 64 * id), stage, &[]);
        assert_eq!(frame.map(|frame| frame.id), Some(id), "{stage}");
    }
    assert_eq!(processor.tracker.counts(), Counts::default());
}

#[test]
fn calls_that_must_be_over_are_ended() {
    let mut processor = Processor::default().with_exit(&["hw.run", "hw.work"]);
    processor.enter((1, STACK), "hw.run", &[("caller", 7)]);
    processor.enter((2, STACK - 8), "hw.work", &[("caller", 8)]);
    let (ended, _) = processor.enter((3, STACK + 8), "hw.work", &[("caller", 9)]);
    assert_eq!((ended, processor.tracker.counts().of(Oddity::CallWithoutExit)), (2, 2));
    assert_eq!(processor.exit((4, STACK + 8), "hw.work"), [(3, Ending::Returned)]);
    assert_eq!(processor.exit((5, STACK + 8), "hw.work"), []);
    assert_eq!(processor.tracker.counts().of(Oddity::ExitWithoutCall), 1);
}

// A function that returns to the guest's own tracing was jumped to: it returns where the one before it does.
#[test]
fn a_trampoline_stands_for_the_caller() {
    for (name, ended) in [
        ("return_to_handler", 0),
        ("arch_rethook_trampoline", 0),
        ("__kretprobe_trampoline", 0),
        ("kretprobe_trampoline", 0),
        ("other", 1),
    ] {
        let mut processor = Processor::default().with_exit(&["hw.run", "hw.work"]);
        let frame = |function: &str| SiteFrame { function: function.into(), file: String::new(), line: 0 };
        let frames = vec![frame("inlined"), frame(name)];
        let site = CallSite { address: TRAMPOLINE, offset: 0, frames };
        processor.tracker.define(&Definition::Site(site));
        processor.enter((1, STACK), "hw.run", &[("caller", 7)]);
        let found = processor.enter((2, STACK), "hw.work", &[("caller", TRAMPOLINE)]);
        assert_eq!((found.0, found.1.unwrap().caller == 7), (ended, ended == 0), "{name}");
    }
}

/// For each stage: whether it begins a context in another call, in the frame of an interrupt, and in a system call.
#[test]
fn some_stages_begin_a_context() {
    for (stage, expected) in [
        ("hw.run", [false, false, false]),
        ("irq.frame", [true, true, true]),
        ("exc.frame", [false, false, false]),
        ("softirq.run", [true, true, true]),
        ("softirq.block", [false, false, false]),
        ("work.run", [true, true, true]),
        ("timer.run", [false, false, false]),
        ("irq.entry", [true, false, true]),
        ("sys.write", [true, true, false]),
    ] {
        let outer = ["hw.work", "irq.frame", "sys.read"];
        let boundaries = outer.map(|outer| {
            let mut processor = Processor::default().with_exit(&["hw.work", "irq.frame", "sys.read", stage]);
            processor.enter((1, STACK), outer, &[]);
            processor.enter((2, STACK - 8), "hw.work", &[]);
            let call = processor.enter((3, STACK - 16), stage, &[]).1.unwrap();
            assert_eq!(call.depth_in_context, if call.boundary { 0 } else { 2 }, "{stage} in {outer}");
            call.boundary
        });
        assert_eq!(boundaries, expected, "{stage}");
    }
}

// hw.run   sys.write   vfs.write   irq: irq.frame  irq.driver   softirq level: softirq.block
// 1        2           3                4          5                           6
#[test]
fn a_call_knows_the_outermost_ones_of_its_context() {
    let stages = ["hw.run", "sys.write", "vfs.write", "irq.frame", "irq.driver", "softirq.block"];
    let mut processor = Processor::default().with_exit(&stages);
    let mut positions = Vec::new();
    for ((at, stage), context) in (1..).zip(stages).zip([0, 0, 0, HARDIRQ, HARDIRQ, SOFTIRQ]) {
        processor.context = context;
        processor.enter((at, STACK - 8 * at), stage, &[]);
        let event = processor.plain(at, &[]);
        let context = processor.tracker.context(&processor.probes, &event, 0);
        let here = context.here();
        positions.push((
            context.innermost(),
            here.root,
            context.first(),
            is_in_syscall(context.calls.open(&event)),
        ));
    }
    let expected = [
        (Some(1), Some(1), 1, false),
        (Some(2), Some(2), 2, true),
        (Some(3), Some(2), 2, true),
        (Some(4), Some(4), 4, false),
        (Some(5), Some(4), 4, false),
        (Some(6), Some(4), 6, false),
    ];
    assert_eq!(positions, expected);
    let event = processor.plain(9, &[]);
    let context = processor.tracker.context(&processor.probes, &event, 0);
    assert_eq!(context.interrupt_frame().map(|frame| frame.number), Some(4));
    assert_eq!(context.functions(77).len(), 2, "those of the level at hand");
    processor.context = 0;
    let event = processor.plain(9, &[]);
    processor.tracker.advance(&event, &mut processor.heard);
    let context = processor.tracker.context(&processor.probes, &event, 0);
    assert_eq!((context.first(), &context.functions(77)[..]), (u64::MAX, &[77][..]));
}

#[test]
fn an_interrupt_or_an_exception_ends_with_its_return() {
    for frame in ["irq.frame", "exc.frame"] {
        let mut processor = Processor::default().with_exit(&["hw.run", "hw.work"]);
        processor.enter((1, STACK), "hw.run", &[]);
        processor.enter((2, STACK - 64), frame, &[]);
        processor.enter((3, STACK - 128), "hw.work", &[]);
        let words = [0xffff_ffff_8100_0000];
        let event = Event { stack: STACK - 64, ..processor.plain(5, &words) };
        let mut ended = Vec::new();
        processor.tracker.count_event();
        processor.tracker.advance(&event, &mut processor.heard);
        processor.tracker.return_from_exception(&event, &mut ended);
        let ended: Vec<_> = ended.into_iter().map(|left| (left.frame.number, left.ending)).collect();
        assert_eq!(ended, [(3, Ending::Unseen), (2, Ending::Returned)], "{frame}");
    }
}

#[test]
fn what_was_executed_was_in_the_innermost_call() {
    let mut processor = Processor::default().with_exit(&["hw.run", "hw.work"]);
    processor.enter((1, STACK), "hw.run", &[]);
    processor.enter((5, STACK - 8), "hw.work", &[]);
    processor.exit((9, STACK - 8), "hw.work");
    assert_eq!(processor.heard.ran, [(1, 1, 5), (2, 5, 9)]);
}

#[test]
fn events_are_numbered_and_described() {
    let mut processor = Processor::default().with_exit(&["hw.run"]);
    processor.enter((1, STACK), "hw.run", &[]);
    processor.context = HARDIRQ;
    let words = [TASK, 42, 42, u64::from_le_bytes(*b"dd\0\0\0\0\0\0"), 0];
    let event = processor.plain(7, &words);
    processor.tracker.count_event();
    processor.tracker.advance(&event, &mut processor.heard);
    processor.tracker.task(&event);
    let context = processor.tracker.context(&processor.probes, &event, 3);
    assert_eq!(
        (context.clock(), context.number, context.level, context.interrupt),
        (7, 2, Level::Hardirq, 3)
    );
    assert_eq!(
        (context.task().pid, context.task().comm.to_string(), context.open().len()),
        (42, "dd".into(), 1)
    );
    let here = Point {
        clock: 7,
        event: 2,
        call: Some(1),
        root: Some(1),
        task: TASK,
        level: Level::Hardirq,
        completes: None,
    };
    assert_eq!((context.here(), context.here_in(None)), (here, here));
    assert_eq!(context.here_in(Some(9)), Point { call: Some(9), ..here });
}

#[test]
fn a_point_outside_of_all_calls_is_in_the_one_that_begins() {
    let mut source = FactSource::default();
    let point = source.enter(1, "hw.run", &[], |fact| fact.here());
    assert_eq!((point.call, point.root), (Some(1), Some(1)));
    source.exit(2, "hw.run", 0, |_| ());
    let point = source.reach_only(3, "hw.run", &[], |fact| fact.here());
    assert_eq!((point.call, point.root), (None, None));
}

// Its calls will not end. A name alone changes nothing.
#[test]
fn a_task_whose_address_is_anothers_has_no_calls() {
    for (pid, open) in [(42, 1), (43, 0)] {
        let mut processor = Processor::default().with_exit(&["hw.run"]);
        let event = |pid| [TASK, pid, pid, 0, 0];
        for (clock, pid) in [(1, 42), (3, pid)] {
            let words = event(pid);
            let event = processor.plain(clock, &words);
            processor.tracker.task(&event);
            if clock == 1 {
                processor.enter((2, STACK), "hw.run", &[]);
            }
        }
        let event = processor.plain(4, &[]);
        assert_eq!(processor.tracker.context(&processor.probes, &event, 0).open().len(), open);
    }
    // A task that had no number before is no other one.
    let mut processor = Processor::default().with_exit(&["hw.run"]);
    processor.enter((2, STACK), "hw.run", &[]);
    let words = [TASK, 42, 42, 0, 0];
    let event = processor.plain(3, &words);
    processor.tracker.task(&event);
    assert_eq!(processor.tracker.context(&processor.probes, &event, 0).open().len(), 1);
}

#[test]
fn another_task_runs_after_a_switch() {
    let mut processor = Processor::default().with_exit(&["hw.run"]);
    processor.enter((2, STACK), "hw.run", &[]);
    for arguments in [&[("prev", TASK)][..], &[("next", KWORKER)], &[("prev", TASK), ("next", KWORKER)]] {
        let mut heard = Heard::default();
        processor.event((5, 0), ("task.switch", At::Entry), arguments, |tracker, event, roles| {
            tracker.switch(event, roles, &mut heard);
        });
        processor.heard.switches.extend(heard.switches);
    }
    assert_eq!(
        processor.heard.switches,
        [Switch { clock: 5, vcpu: 0, from: TASK, to: KWORKER, call: Some(1) }]
    );
    processor.heard.ran.clear();
    let event = Event { task: KWORKER, ..processor.plain(9, &[]) };
    processor.tracker.count_event();
    processor.tracker.advance(&event, &mut processor.heard);
    assert_eq!(
        (&processor.heard.ran[..], processor.tracker.context(&processor.probes, &event, 0).open().len()),
        (&[][..], 0)
    );
}

#[test]
fn marks_tell_of_the_workload() {
    let mut processor = Processor::default();
    let mut within = Vec::new();
    for words in [&[MARK_BEGIN, 0][..], &[7, 0], &[], &[MARK_END, 0], &[7, 0]] {
        let event = processor.plain(5, words);
        processor.tracker.mark(&event, &mut processor.heard);
        within.push(processor.tracker.context(&processor.probes, &event, 0).in_workload);
    }
    assert_eq!(within, [true, true, true, false, false]);
    let codes: Vec<_> = processor.heard.marks.iter().map(|mark| (mark.clock, mark.code)).collect();
    assert_eq!(codes, [(5, MARK_BEGIN), (5, 7), (5, MARK_END), (5, 7)]);
}

#[test]
fn events_of_unknown_probes_and_contexts_are_counted() {
    let mut processor = Processor { context: UNKNOWN_CONTEXT, ..Processor::default() };
    let event = processor.plain(1, &[]);
    processor.tracker.count_event();
    processor.tracker.advance(&event, &mut Found::default());
    assert_eq!(processor.tracker.counts(), Counts::default(), "it is no probe's");
    let event = Event { kind: FIRST_PROBE, ..event };
    processor.tracker.count_event();
    processor.tracker.advance(&event, &mut Found::default());
    assert!(processor.probes.words(&event).is_none());
    processor.tracker.undefined();
    let counts: Vec<_> = processor.tracker.counts().all().collect();
    assert_eq!(counts, [(Oddity::UndefinedProbe, 1), (Oddity::ContextUnknown, 1)]);
}
