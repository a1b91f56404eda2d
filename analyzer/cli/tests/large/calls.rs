//! Of calls: system calls and tasks, and bios that wait for others.

use super::crafted::{CHAIN_END, Crafted};
use super::{MANY, ask};
use iotrace_format::definition::At;
use iotrace_format::event::IDLE;

#[test]
fn system_calls_that_do_not_return() {
    let mut trace = Crafted::default();
    let write = trace.probe("sys.write", At::Entry, &["fd", "count"]);
    trace.probe("sys.write", At::Exit, &["ret"]);
    (0..MANY).for_each(|_| trace.event(write, &[3, 59]));
    let report = ask(&trace.file(), &["report", "--all", "--limit", "1"]);
    assert!(report.contains("I/Os (whole trace): 1,048,576"), "{report}");
}

/// Addresses that are all in one place of a table whose hash function is that of `rustc_hash`.
#[test]
fn tasks_with_colliding_addresses() {
    const INVERSE: u64 = 0x7814_94a5_5daa_ed0d;
    let mut trace = Crafted::default();
    for at in 1..=MANY {
        trace.task = INVERSE.wrapping_mul(at);
        trace.event(IDLE.id, &[]);
    }
    assert!(ask(&trace.file(), &["report"]).contains("1,048,576 events"));
}

/// The last one of a chain of bios ends, and all that wait for it with it.
#[test]
fn bios_that_wait_for_one_another() {
    let mut trace = Crafted::default();
    let words = ["bio", "bio.traced", "bio.chained", "bio.remaining", "bio.end_io", "bio.private"];
    let queue = trace.probe("bio.queue", At::Entry, &words);
    let end = trace.probe("bio.end", At::Entry, &["bio"]);
    let count = MANY / 4;
    for bio in 1..=count {
        trace.event(queue, &[bio << 8, 0, 1, 1, CHAIN_END, (bio + 1) << 8]);
    }
    trace.event(end, &[1 << 8]);
    let report = ask(&trace.file(), &["report", "--limit", "1"]);
    assert!(report.contains("N: 262,144 bios") || report.contains("R: 262,144 bios"), "{report}");
    assert!(!report.contains("in flight"), "{report}");
}
