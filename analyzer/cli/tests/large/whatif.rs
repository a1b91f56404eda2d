//! `whatif`: requests that are at the device at the same time, idle times, I/Os, and more than is kept.

use super::crafted::{Crafted, HARDIRQ, TASK_A, TASK_B, WRITE};
use super::{MANY, ask, line, printed, run, text};
use iotrace_format::definition::At;
use iotrace_format::event::{CLOCK, IDLE};

const DISK: u64 = 8 << 20;

/// A guest with virtual time.
fn guest() -> Crafted {
    let mut trace = Crafted::default();
    trace.event(CLOCK.id, &[0, 0]);
    trace
}

/// Requests that are all handed over before the first completes, in an order of completion that repeats no other.
fn requests_at_once(count: u64) -> Vec<u8> {
    let mut trace = guest();
    let issue = trace.probe("rq.issue", At::Entry, &["rq", "rq.dev", "rq.sector", "rq.size", "rq.op"]);
    let dispatch = trace.probe("cmd.dispatch", At::Entry, &["cmd", "cmd.rq"]);
    let (enter, leave) = trace.call("irq.entry", &["vector"]);
    let done = trace.probe("cmd.done", At::Entry, &["cmd", "cmd.rq"]);
    for at in 1..=count {
        trace.event(issue, &[at << 12, DISK, 0, 4096, WRITE]);
        trace.event(dispatch, &[at << 8, at << 12]);
    }
    for at in (1..=count).rev() {
        trace.event(IDLE.id, &[]);
        trace.event(enter, &[38]);
        trace.context = HARDIRQ;
        trace.event(done, &[at << 8, at << 12]);
        trace.context = 0;
        trace.event(leave, &[0]);
    }
    trace.file()
}

#[test]
fn requests_that_wait_for_one_place() {
    let count = MANY / 4;
    let file = requests_at_once(count);
    let whatif = ask(&file, &["whatif", "--device", "write=1us,depth=1"]);
    // All but the first wait, and each is done before the one whose interrupt comes first.
    assert!(line(&whatif, "  8:0 ").contains(&format!(" {} ", count - 1)), "{whatif}");
    assert!(line(&whatif, "in another order").trim().starts_with(&(count - 1).to_string()), "{whatif}");
    let whatif = ask(&file, &["whatif", "--device", "write=1us,depth=1000"]);
    assert!(line(&whatif, "  write  recorded ").contains(&format!(" {count} ")), "{whatif}");
}

#[test]
fn idle_times_between_tasks() {
    let mut trace = guest();
    let call = trace.call("sys.fsync", &["fd"]);
    let count = MANY / 4;
    for _ in 0..count {
        trace.event(call.0, &[3]);
        trace.task = TASK_B;
        trace.event(IDLE.id, &[]);
        trace.task = TASK_A;
        trace.event(call.1, &[0]);
    }
    let whatif = ask(&trace.file(), &["whatif", "--device", "read=1ms", "--limit", "1"]);
    assert!(line(&whatif, "length kept").trim().starts_with(&count.to_string()), "{whatif}");
    assert!(whatif.contains(&format!("({} more", count - 1)), "{whatif}");
}

#[test]
fn more_halts_than_are_kept() {
    let mut trace = guest();
    (0..=4 * MANY).for_each(|_| trace.event(IDLE.id, &[]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.iot");
    std::fs::write(&path, trace.file()).unwrap();
    let output = run(&["whatif", text(&path), "--device", "read=1ms"]);
    assert_eq!(printed(&output, 1), "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("more than 4194304 requests or halts"), "{said}");
}
