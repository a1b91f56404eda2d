//! The tracker of origins by itself.

use super::*;
use crate::trackers::fixture::{FactSource, RoleArguments};
use crate::trackers::timelines::{Found, HARDIRQ, KWORKER, SOFTIRQ, TASK};
use iotrace_format::event::UNKNOWN_CONTEXT;

const OTHER: u64 = 0xffff_8880_0000_3000;

#[derive(Default)]
struct Origins {
    source: FactSource,
    tracker: OriginTracker,
    found: Found,
}

impl Origins {
    fn enter(&mut self, clock: u64, stage: &str, arguments: RoleArguments<'_>) {
        let Self { source, tracker, found } = self;
        source.enter(clock, stage, arguments, |fact| tracker.fact(fact, found));
    }

    fn reach(&mut self, clock: u64, stage: &str, arguments: RoleArguments<'_>) {
        let Self { source, tracker, found } = self;
        source.reach_only(clock, stage, arguments, |fact| tracker.fact(fact, found));
    }

    fn syscall(&mut self, clock: u64, id: IoId) {
        self.syscall_of(clock, id, "fsync");
    }

    fn syscall_of(&mut self, clock: u64, id: IoId, name: &str) {
        let Self { source, tracker, .. } = self;
        let io = BegunIo { id, syscall: name.into(), address: None };
        source.enter(clock, "sys.fsync", &[], |fact| tracker.io_begun(fact, &io));
    }

    fn exit(&mut self, clock: u64, stage: &str, returned: u64) {
        let Self { source, tracker, .. } = self;
        source.exit(clock, stage, returned, |end| tracker.end(end));
    }

    fn switch(&mut self, clock: u64, to: u64) {
        let Self { source, tracker, found } = self;
        source.switch(clock, to, |fact| tracker.fact(fact, found));
    }

    /// Wakes a task at `clock`; it has been done at +1.
    fn wake(&mut self, clock: u64, task: u64) {
        self.enter(clock, "task.wake", &[("task", task)]);
        self.exit(clock + 1, "task.wake", 1);
    }

    fn cause(&mut self) -> Cause {
        let Self { source, tracker, .. } = self;
        source.at(999, &[], |context| Cause::clone(&tracker.cause(context)))
    }

    /// The cause and what it goes back to, the nearest first.
    fn chain(&mut self) -> Vec<String> {
        let name = |cause: &Cause| match cause {
            Cause::Syscall { io, name, task } => format!("{name} {io} by {}", task.pid),
            Cause::Fault { .. } => "fault".into(),
            Cause::Kernel { .. } => "kernel".into(),
            Cause::Work { function, task, .. } => format!("work {function:#x} by {}", task.pid),
            Cause::Timer { function, .. } => format!("timer {function:#x}"),
            Cause::Interrupt { irq } => format!("interrupt {irq}"),
            Cause::Softirq => "softirq".to_owned(),
            Cause::Thread { task, .. } => format!("thread {}", task.pid),
            Cause::Unknown => "unknown".to_owned(),
        };
        self.cause().chain().map(name).collect()
    }
}

#[test]
fn what_runs_outside_of_all_calls_is_told_by_its_level() {
    let mut origins = Origins::default();
    origins.source.interrupt = 5;
    for (context, expected) in
        [(0, "thread 42"), (SOFTIRQ, "softirq"), (HARDIRQ, "interrupt 5"), (UNKNOWN_CONTEXT, "unknown")]
    {
        origins.source.context = context;
        assert_eq!(origins.chain(), [expected]);
    }
}

#[test]
fn the_innermost_call_that_is_a_cause_counts() {
    let mut origins = Origins::default();
    origins.source.interrupt = 5;
    origins.syscall(1, 3);
    assert_eq!(origins.chain(), ["fsync 3 by 42"]);
    origins.enter(2, "task.wait.page", &[]);
    origins.enter(3, "task.wake", &[("task", KWORKER)]);
    assert_eq!(origins.chain(), ["fsync 3 by 42"]);
    origins.enter(4, "work.run", &[("work", 1), ("work.func", 0xf0)]);
    assert_eq!(origins.chain(), ["work 0xf0 by 42"]);
    origins.enter(5, "timer.run", &[("timer", 1), ("timer.func", 0xf1)]);
    assert_eq!(origins.chain(), ["timer 0xf1"]);
    origins.enter(6, "softirq.run", &[]);
    assert_eq!(origins.chain(), ["softirq"]);
    for (clock, stage) in (7..).zip(["irq.entry", "irq.frame"]) {
        origins.enter(clock, stage, &[]);
        for (context, expected) in
            [(0, "interrupt 5"), (UNKNOWN_CONTEXT, "interrupt 5"), (SOFTIRQ, "softirq")]
        {
            origins.source.context = context;
            assert_eq!(origins.chain(), [expected], "{stage}");
        }
        origins.source.context = 0;
        origins.exit(clock + 10, stage, 0);
    }
    for (clock, stage, expected) in [
        (30, "softirq.run", "timer 0xf1"),
        (31, "timer.run", "work 0xf0 by 42"),
        (32, "work.run", "fsync 3 by 42"),
    ] {
        origins.exit(clock, stage, 0);
        assert_eq!(origins.chain(), [expected]);
    }
}

#[test]
fn work_items_and_timers_go_back_to_who_asked_for_them_once() {
    for (queue, run, role, function) in
        [("work.queue", "work.run", "work", "work.func"), ("timer.start", "timer.run", "timer", "timer.func")]
    {
        let mut origins = Origins::default();
        origins.syscall(10, 1);
        origins.enter(11, queue, &[(role, 7)]);
        origins.source.exit(12, queue, 0, |_| ());
        origins.reach(13, queue, &[(role, 0)]);
        origins.enter(20, run, &[(role, 7), (function, 0xf0)]);
        assert_eq!(origins.chain()[1..], ["fsync 1 by 42"], "{run}");
        origins.exit(30, run, 0);
        origins.enter(40, run, &[(role, 7), (function, 0xf0)]);
        assert_eq!(origins.chain().len(), 1, "it was asked for once");
        origins.enter(41, run, &[(role, 0), (function, 0xf0)]);
        let [handover] = &origins.found.handovers[..] else { panic!("{:?}", origins.found.handovers) };
        let kind = match run {
            "work.run" => HandoverKind::Work { function: 0xf0 },
            _ => HandoverKind::Timer { function: 0xf0 },
        };
        assert_eq!(handover.kind, kind);
        let from = Point {
            clock: 11,
            event: 2,
            call: Some(2),
            root: Some(1),
            task: TASK,
            level: Level::Task,
            completes: None,
        };
        assert_eq!(handover.from, from);
        // A work item is a context of its own, a timer is not.
        let root = if run == "work.run" { Some(3) } else { Some(1) };
        assert_eq!(handover.to, Point { clock: 20, event: 5, call: Some(3), root, ..from });
    }
}

#[test]
fn a_function_without_an_exit_asks_in_the_call_around() {
    let mut origins = Origins::default();
    origins.syscall(10, 1);
    origins.reach(11, "work.queue", &[("work", 7)]);
    origins.enter(20, "work.run", &[("work", 7)]);
    let from = origins.found.handovers[0].from;
    assert_eq!((from.call, from.root), (Some(1), Some(1)));
    assert_eq!(origins.found.handovers[0].kind, HandoverKind::Work { function: 0 });
}

// raise 10, raise again 12: pending   served 20   raise 30   served 40
#[test]
fn a_softirq_is_raised_once_until_it_is_served() {
    let mut origins = Origins::default();
    origins.syscall(5, 1);
    for (clock, number) in [(10, 4), (12, 4), (14, 15), (16, 16), (18, 4 | 1 << 32)] {
        origins.reach(clock, "softirq.raise", &[("nr", number)]);
    }
    let raised: Vec<_> = origins.found.raised.iter().map(|raise| (raise.at.clock, raise.number)).collect();
    assert_eq!(raised, [(10, 4), (14, 15)]);
    let calls = ["sys_fsync_function", "softirq_raise_function_inlined"].map(Arc::from);
    assert_eq!(origins.found.raised[0].calls, calls);
    origins.enter(20, "softirq.block", &[]);
    origins.reach(21, "softirq.block", &[]);
    origins.reach(22, "softirq.timer", &[]);
    let [handover] = &origins.found.handovers[..] else { panic!("{:?}", origins.found.handovers) };
    assert_eq!((handover.kind, handover.from.clock), (HandoverKind::Softirq { number: 4 }, 10));
    assert_eq!((handover.to.clock, handover.to.call, handover.to.root), (20, Some(2), Some(1)));
    origins.reach(30, "softirq.raise", &[("nr", 4)]);
    assert_eq!(origins.found.raised.len(), 3);
}

#[test]
fn what_was_raised_is_served_when_the_service_ends_on_its_vcpu() {
    let mut origins = Origins::default();
    for vcpu in [0, 1] {
        origins.source.vcpu = vcpu;
        origins.reach(10, "softirq.raise", &[("nr", 4)]);
    }
    assert_eq!(origins.found.raised.len(), 2);
    origins.source.vcpu = 0;
    origins.enter(20, "softirq.run", &[]);
    let Origins { source, tracker, .. } = &mut origins;
    source.lose(25, "softirq.run", |end| tracker.end(end));
    origins.reach(26, "softirq.raise", &[("nr", 4)]);
    assert_eq!(origins.found.raised.len(), 2, "that it ended was not seen");
    origins.enter(30, "softirq.run", &[]);
    origins.exit(35, "softirq.run", 0);
    origins.reach(40, "softirq.block", &[]);
    assert_eq!(origins.found.handovers, []);
    origins.source.vcpu = 1;
    origins.reach(41, "softirq.block", &[]);
    assert_eq!(origins.found.handovers.len(), 1);
}

// raise 10   served 20 .. 40: raise 30   ksoftirqd serves 50
#[test]
fn what_was_raised_while_softirqs_were_served_is_left_to_the_next_service() {
    let mut origins = Origins::default();
    origins.reach(10, "softirq.raise", &[("nr", 4)]);
    origins.enter(20, "softirq.run", &[]);
    origins.reach(30, "softirq.raise", &[("nr", 6)]);
    origins.exit(40, "softirq.run", 0);
    origins.enter(50, "softirq.run", &[]);
    origins.reach(51, "softirq.block", &[]);
    origins.reach(52, "softirq.tasklet", &[]);
    let found: Vec<_> = origins.found.handovers.iter().map(|h| (h.kind, h.from.clock, h.to.clock)).collect();
    assert_eq!(found, [(HandoverKind::Softirq { number: 6 }, 30, 52)]);
}

// the call 10 wakes the worker 12 .. 13, which runs at 20
#[test]
fn a_woken_task_runs_because_of_its_waker() {
    let mut origins = Origins::default();
    origins.source.name_task(KWORKER, 26, *b"kworker\0");
    origins.syscall(10, 1);
    origins.wake(12, KWORKER);
    origins.switch(20, KWORKER);
    assert_eq!(origins.chain(), ["thread 26", "fsync 1 by 42"]);
    let [handover] = &origins.found.handovers[..] else { panic!("{:?}", origins.found.handovers) };
    let from = Point {
        clock: 13,
        event: 3,
        call: Some(2),
        root: Some(1),
        task: TASK,
        level: Level::Task,
        completes: None,
    };
    assert_eq!((handover.kind, handover.from), (HandoverKind::Wake { task: KWORKER }, from));
    let to = Point {
        clock: 20,
        event: 4,
        call: None,
        root: None,
        task: KWORKER,
        level: Level::Task,
        completes: None,
    };
    assert_eq!(handover.to, to);
    // It runs: that it is switched to again is no hand-off.
    origins.switch(30, TASK);
    origins.switch(40, KWORKER);
    assert_eq!((origins.found.handovers.len(), origins.found.waits.len()), (1, 0));
}

#[test]
fn why_an_exited_task_ran_is_not_kept() {
    for (name, kept) in [("exit_group", 0), ("exit", 0), ("fsync", 1)] {
        let mut origins = Origins::default();
        origins.wake(10, KWORKER);
        origins.switch(20, KWORKER);
        origins.syscall_of(30, 3, name);
        origins.switch(40, TASK);
        assert_eq!(origins.tracker.woken.len(), kept, "{name}");
    }
}

#[test]
fn a_task_that_was_not_woken_goes_back_to_nobody() {
    for how in ["nothing", "failed", "unseen"] {
        let mut origins = Origins::default();
        origins.syscall(10, 1);
        if how != "nothing" {
            origins.enter(12, "task.wake", &[("task", KWORKER)]);
        }
        let Origins { source, tracker, .. } = &mut origins;
        match how {
            "failed" => source.exit(13, "task.wake", 0, |end| tracker.end(end)),
            "unseen" => source.lose(13, "task.wake", |end| tracker.end(end)),
            _ => {}
        }
        origins.switch(20, KWORKER);
        assert_eq!((origins.chain().len(), origins.found.handovers.len()), (1, 0), "{how}");
    }
}

// fsync 10 waits for a page 15, of which a function waits for more 16; stops 20, woken 30 .. 31, runs 40
#[test]
fn a_wait_names_the_innermost_function_that_waits() {
    let mut origins = Origins::default();
    origins.source.name_task(KWORKER, 26, *b"kworker\0");
    origins.enter(8, "task.wait.mutex", &[]);
    origins.syscall(10, 1);
    origins.enter(15, "task.wait.page", &[]);
    origins.enter(16, "task.wait.completion", &[]);
    origins.switch(20, KWORKER);
    origins.source.context = HARDIRQ;
    origins.wake(30, TASK);
    origins.source.context = 0;
    origins.switch(40, TASK);
    let [wait] = &origins.found.waits[..] else { panic!("{:?}", origins.found.waits) };
    let named = (wait.io, wait.what.as_str(), wait.function.as_str());
    assert_eq!(named, (1, "completion", "task_wait_completion_function"));
    assert_eq!((wait.clocks, wait.event, wait.level), ((20, 31, 40), 7, Level::Hardirq));
    assert_eq!((wait.task.pid, wait.waker_task.pid), (42, 26));
    assert_eq!(wait.waker, [Arc::from("task_wake_function")]);
    let to = origins.found.handovers[0].to;
    assert_eq!((to.call, to.root, to.task, to.event), (Some(4), Some(1), TASK, 8));
}

/// How the wait of a system call is called, in which functions are entered, or reached inlined, before it stops.
fn wait_in(functions: &[&str]) -> (String, String) {
    let mut origins = Origins::default();
    origins.syscall(10, 1);
    for (clock, function) in (11..).zip(functions) {
        match function.strip_prefix("inlined ") {
            Some(stage) => origins.reach(clock, stage, &[]),
            None => origins.enter(clock, function, &[]),
        }
    }
    origins.switch(30, KWORKER);
    origins.wake(40, TASK);
    origins.switch(50, TASK);
    let [wait] = &origins.found.waits[..] else { panic!("{:?}", origins.found.waits) };
    (wait.what.clone(), wait.function.clone())
}

#[test]
fn a_means_of_waiting_names_a_wait_that_nothing_else_does() {
    for (functions, what) in [
        (&["task.wait.writeback", "task.block.page"][..], "writeback"),
        (&["task.wait.dio", "task.wait.work", "task.block.completion", "task.block.timer"], "work"),
        (&["task.block.completion", "task.block.timer"], "completion"),
        (&["task.block.page", "task.wait.tag"], "tag"),
        (&["task.wait.writeback", "inlined task.block.page"], "writeback"),
        // As in traces of earlier catalogs.
        (&["task.wait.dio", "task.wait.timer"], "dio"),
    ] {
        assert_eq!(wait_in(functions).0, what, "{functions:?}");
    }
}

#[test]
fn a_wait_that_is_inlined_counts() {
    for (functions, what, function) in [
        (&["inlined task.wait.dio"][..], "dio", "task_wait_dio_function_inlined"),
        (&["timer.run", "inlined task.wait.dio", "task.wake"], "dio", "task_wait_dio_function_inlined"),
        (&["task.wait.page", "inlined task.wait.dio"], "dio", "task_wait_dio_function_inlined"),
        (&["inlined task.wait.dio", "inlined task.wait.tag"], "tag", "task_wait_tag_function_inlined"),
        (&["inlined task.wait.dio", "task.wait.page"], "page", "task_wait_page_function"),
        // What the function around it has called since is another wait.
        (&["inlined task.wait.dio", "timer.run"], "", "timer_run_function"),
    ] {
        assert_eq!(wait_in(functions), (what.into(), function.into()), "{functions:?}");
    }
}

// The call that the wait is in is over: what the system call waits for then is not known.
#[test]
fn a_wait_that_is_inlined_is_over_with_the_call_that_it_is_in() {
    let mut origins = Origins::default();
    origins.syscall(10, 1);
    origins.enter(11, "timer.run", &[]);
    origins.reach(12, "task.wait.dio", &[]);
    origins.exit(13, "timer.run", 0);
    origins.switch(30, KWORKER);
    origins.wake(40, TASK);
    origins.switch(50, TASK);
    assert_eq!(origins.found.waits[0].what, "");
}

#[test]
fn a_wait_without_a_function_that_waits_is_in_the_innermost_one() {
    let mut origins = Origins::default();
    origins.enter(8, "task.wait.mutex", &[]);
    origins.syscall(10, 1);
    origins.enter(15, "timer.run", &[]);
    origins.source.enter(16, "vfs.fsync", &[], |_| ());
    origins.switch(20, KWORKER);
    origins.wake(30, TASK);
    origins.switch(40, TASK);
    let [wait] = &origins.found.waits[..] else { panic!("{:?}", origins.found.waits) };
    assert_eq!((wait.what.as_str(), wait.function.as_str()), ("", "vfs_fsync_function"));
}

#[test]
fn only_what_stopped_in_a_system_call_before_it_was_woken_has_waited() {
    // Not in a system call.
    let mut origins = Origins::default();
    origins.enter(15, "task.wait.page", &[]);
    origins.switch(20, KWORKER);
    origins.wake(30, TASK);
    origins.switch(40, TASK);
    assert_eq!((origins.found.waits.len(), origins.found.handovers.len()), (0, 1));
    // Woken before it stopped.
    for (stopped, waits) in [(25, 1), (26, 0)] {
        let mut origins = Origins::default();
        origins.syscall(10, 1);
        origins.wake(24, TASK);
        origins.switch(stopped, KWORKER);
        origins.switch(40, TASK);
        assert_eq!(origins.found.waits.len(), waits, "{stopped}");
    }
}

#[test]
fn a_new_task_was_woken_by_its_maker() {
    let mut origins = Origins::default();
    origins.syscall(10, 1);
    origins.reach(11, "task.new", &[("x", 0)]);
    origins.reach(12, "task.new", &[("task", TASK)]);
    origins.switch(12, KWORKER);
    origins.switch(20, TASK);
    let [wait] = &origins.found.waits[..] else { panic!("{:?}", origins.found.waits) };
    assert_eq!((wait.waker.clone(), wait.clocks), (vec![Arc::from("wake_up_new_task")], (12, 12, 20)));
}

// The worker, woken by the call, waits in its work: who ends its wait is no new cause. After its work is done, it is.
#[test]
fn a_task_that_waits_in_its_work_keeps_its_cause() {
    for waits in [true, false] {
        let mut origins = Origins::default();
        origins.source.name_task(KWORKER, 26, *b"kworker\0");
        origins.syscall(10, 1);
        origins.wake(12, KWORKER);
        origins.switch(20, KWORKER);
        if waits {
            origins.enter(21, "task.wait.buffer", &[]);
        }
        origins.switch(22, OTHER);
        origins.wake(30, KWORKER);
        origins.switch(40, KWORKER);
        let expected: &[&str] =
            if waits { &["thread 26", "fsync 1 by 42"] } else { &["thread 26", "thread 0"] };
        assert_eq!(origins.chain(), expected);
    }
}

#[test]
fn a_switch_that_does_not_say_between_whom_is_none() {
    let mut origins = Origins::default();
    origins.wake(10, KWORKER);
    origins.reach(20, "task.switch", &[("prev", TASK)]);
    origins.reach(21, "task.switch", &[("next", KWORKER)]);
    assert_eq!(origins.found.handovers, []);
}

// Each of a row of tasks wakes the next one, queues work or starts a timer: a cause is kept for eight links.
#[test]
fn a_chain_ends_after_eight_links() {
    for stage in ["task.wake", "work", "timer"] {
        let mut origins = Origins::default();
        for turn in 0..20 {
            let clock = 10 * turn;
            match stage {
                "task.wake" => {
                    let other = TASK + 0x1000 * (turn + 1);
                    origins.wake(clock, other);
                    origins.switch(clock + 5, other);
                }
                "work" => {
                    origins.reach(clock, "work.queue", &[("work", 7)]);
                    origins.enter(clock + 5, "work.run", &[("work", 7), ("work.func", 0xf0)]);
                }
                _ => {
                    origins.reach(clock, "timer.start", &[("timer", 7)]);
                    origins.enter(clock + 5, "timer.run", &[("timer", 7), ("timer.func", 0xf0)]);
                }
            }
            assert_eq!(origins.chain().len() as u64, 2 + turn % 7, "{stage} {turn}");
        }
    }
}
