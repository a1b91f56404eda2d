//! Clocks as large as they may be, and larger.

use super::crafted::{Crafted, WRITE};
use super::{printed, run, text};
use iotrace_format::definition::At;
use iotrace_format::event::{MARK_BEGIN, MARK_END};

/// The largest clock (`MAX_CLOCK` of the format).
const LAST: u64 = 1 << 56;

/// Two system calls from the first clock to the last, in each of which a bio is queued that does not end.
fn trace(last: u64) -> Vec<u8> {
    let mut trace = Crafted::default();
    let (write, written) = trace.call("sys.write", &["regs.fd"]);
    let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.size", "bio.op", "bio.traced"]);
    trace.mark(MARK_BEGIN);
    for task in 1..=2 {
        trace.task = task << 12;
        trace.name_task(task << 12, task);
        trace.event(write, &[3]);
        trace.event(queue, &[task << 8, u64::MAX, WRITE, 0]);
    }
    trace.clock = last - 3;
    for task in 1..=2 {
        trace.task = task << 12;
        trace.event(written, &[512]);
    }
    trace.mark(MARK_END);
    trace.file()
}

#[test]
fn clocks_have_a_limit_below_which_sums_do_not_overflow() {
    let folder = tempfile::tempdir().unwrap();
    let [largest, beyond] = ["largest", "beyond"].map(|name| folder.path().join(name));
    std::fs::write(&largest, trace(LAST)).unwrap();
    std::fs::write(&beyond, trace(LAST + 1)).unwrap();
    for command in ["report", "explain", "events", "info"] {
        printed(&run(&[command, text(&largest)]), 0);
        let output = run(&[command, text(&beyond)]);
        assert_eq!(output.status.code(), Some(3), "{command}: {output:?}");
    }
    for command in ["why", "path"] {
        printed(&run(&[command, text(&largest), "1"]), 0);
    }
    let instructions = printed(&run(&["report", text(&largest), "--instructions", "--format", "json"]), 0);
    assert!(instructions.contains(&format!("\"instructions\": {}", LAST - 5)), "{instructions}");
}
