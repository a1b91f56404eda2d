//! `path` and `bio`: lines, contexts and objects that are many.

use super::crafted::{Crafted, TASK_A, TASK_B, WRITE};
use super::{MANY, ask, line, page_cache};
use iotrace_format::definition::{At, Constant, Definition};
use iotrace_format::event::MMIO_WRITE;

/// A system call in which a task is woken and another one runs, again and again.
#[test]
fn hand_overs_and_stops() {
    let mut trace = Crafted::default();
    let (fsync, returned) = trace.call("sys.fsync", &["fd"]);
    let (wake, woken) = trace.call("task.wake", &["task"]);
    let switch = trace.probe("task.switch", At::Entry, &["prev", "next"]);
    trace.event(fsync, &[3]);
    let count = MANY / 8;
    for _ in 0..count {
        trace.event(wake, &[TASK_B]);
        trace.event(woken, &[1]);
        trace.event(switch, &[TASK_A, TASK_B]);
        trace.task = TASK_B;
        trace.event(wake, &[TASK_A]);
        trace.event(woken, &[1]);
        trace.event(switch, &[TASK_B, TASK_A]);
        trace.task = TASK_A;
    }
    trace.event(returned, &[0]);
    let path = ask(&trace.file(), &["path", "--io", "1"]);
    let lines = |words: &str| path.lines().filter(|line| line.contains(words)).count() as u64;
    assert_eq!(lines("⇢ wakes"), 2 * count);
    assert_eq!(lines("⇢ stops running, resumes"), count);
    assert_eq!(lines("(resumed)  ⇠ woken"), count - 1);
}

#[test]
fn softirqs_and_constants() {
    let mut trace = Crafted::default();
    for at in 0..MANY / 8 {
        trace.define(Definition::Constant(Constant { name: format!("{at:06}_SOFTIRQ"), value: -1 }));
    }
    trace.define(Definition::Constant(Constant { name: "x_BLOCK_SOFTIRQ".into(), value: 4 }));
    let (fsync, returned) = trace.call("sys.fsync", &["fd"]);
    let raise = trace.probe("softirq.raise", At::Entry, &["nr"]);
    let served = trace.probe("softirq.block", At::Entry, &[]);
    trace.event(fsync, &[3]);
    for _ in 0..MANY / 8 {
        trace.event(raise, &[4]);
        trace.event(served, &[]);
    }
    trace.event(returned, &[0]);
    let path = ask(&trace.file(), &["path", "--io", "1", "--unfolded"]);
    assert!(line(&path, "⇢ softirq").contains("softirq x_BLOCK runs"), "{path:.2000}");
}

/// Contexts of other tasks are open all the time that a system call takes.
#[test]
fn contexts_that_are_open() {
    let mut trace = Crafted::default();
    let (open, _) = trace.plain_call("f");
    let issue = trace.probe("rq.issue", At::Entry, &["rq"]);
    let free = trace.probe("rq.free", At::Entry, &["rq"]);
    let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.traced"]);
    let (merge, merged) = trace.call("merge.back", &["rq", "bio"]);
    let end = trace.probe("bio.end", At::Entry, &["bio"]);
    for task in 1..=MANY / 4 {
        trace.task = TASK_A + (task << 12);
        trace.event(open, &[]);
    }
    trace.event(queue, &[0xb00, 0]);
    trace.event(merge, &[0xa000, 0xb00]);
    trace.event(merged, &[0]);
    trace.event(issue, &[0xa000]);
    trace.event(end, &[0xb00]);
    trace.event(free, &[0xa000]);
    trace.task = TASK_A;
    (0..MANY / 4).for_each(|_| trace.event(issue, &[0xe000]));
    let path = ask(&trace.file(), &["path", "--bio", "1"]);
    assert!(line(&path, "f(").contains("unfinished"), "{path}");
}

/// A bio that carries bytes of many I/Os.
#[test]
fn io_s_of_one_bio() {
    let file = page_cache::shared(4096);
    let path = ask(&file, &["path", "--bio", "1"]);
    assert_eq!(path.lines().filter(|line| line.starts_with("I/O #")).count(), 4096);
    let file = page_cache::carried(MANY / 4);
    let path = ask(&file, &["path", "--io", "1", "--format", "json"]);
    assert_eq!(path.matches(r#""name": "cache_write""#).count(), 1, "{path:.2000}");
}

/// A request with many attempts, each of another command, and doorbells of all of them.
fn attempts(count: u64) -> Vec<u8> {
    let mut trace = Crafted::default();
    let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.size", "bio.op", "bio.traced"]);
    let (merge, merged) = trace.call("merge.back", &["rq", "bio"]);
    let issue = trace.probe("rq.issue", At::Entry, &["rq"]);
    let dispatch = trace.probe("cmd.dispatch", At::Entry, &["cmd", "cmd.rq"]);
    let requeue = trace.probe("rq.requeue", At::Entry, &["rq"]);
    let end = trace.probe("bio.end", At::Entry, &["bio"]);
    let free = trace.probe("rq.free", At::Entry, &["rq"]);
    let (begin, over) = trace.plain_call("f");
    trace.event(begin, &[]);
    trace.event(queue, &[0xb00, 4096, WRITE, 0]);
    trace.event(merge, &[0xa000, 0xb00]);
    trace.event(merged, &[0]);
    for at in 1..=count {
        trace.event(issue, &[0xa000]);
        trace.event(dispatch, &[at << 24, 0xa000]);
        trace.event(MMIO_WRITE.id, &[4, 4, 1, 0]);
        trace.event(requeue, &[0xa000]);
    }
    trace.event(end, &[0xb00]);
    trace.event(free, &[0xa000]);
    trace.event(over, &[0]);
    trace.file()
}

#[test]
fn commands_of_one_request() {
    for (count, command) in [(MANY / 4, "bio"), (MANY / 8, "path")] {
        let subject = if command == "bio" { ["1"].as_slice() } else { &["--bio", "1"] };
        let said = ask(&attempts(count), &[&[command], subject].concat());
        assert!(said.contains(&format!("cmd{count}")), "{said:.2000}");
    }
}

/// A bio that went through many requests, of which some are still under way when the trace ends.
#[test]
fn requests_of_one_bio() {
    let mut trace = Crafted::default();
    let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.size", "bio.op", "bio.traced"]);
    let (merge, merged) = trace.call("merge.back", &["rq", "bio"]);
    let (join, joined) = trace.call("rq.merge", &["rq", "next"]);
    let issue = trace.probe("rq.issue", At::Entry, &["rq"]);
    let free = trace.probe("rq.free", At::Entry, &["rq"]);
    let end = trace.probe("bio.end", At::Entry, &["bio"]);
    for rq in 1..=4096 {
        trace.event(issue, &[rq << 32]);
        trace.event(free, &[rq << 32]);
    }
    trace.event(queue, &[0xb00, 4096, WRITE, 0]);
    trace.event(merge, &[1 << 12, 0xb00]);
    trace.event(merged, &[0]);
    for at in 1..=100 {
        trace.event(join, &[(at + 1) << 12, at << 12]);
        trace.event(joined, &[1]);
    }
    trace.event(end, &[0xb00]);
    (0..MANY / 2).for_each(|_| trace.event(issue, &[1 << 12]));
    let file = trace.file();
    let bio = ask(&file, &["bio", "1"]);
    assert_eq!(bio.lines().filter(|line| line.contains("merged into another")).count(), 100);
    assert!(ask(&file, &["path", "--bio", "1"]).contains("bio #1"));
}
