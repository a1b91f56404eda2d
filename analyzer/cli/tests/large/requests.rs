//! Of requests: bios in them, attempts, completions, merges, flushes, and commands that wait for their doorbell.

use super::crafted::{Crafted, WRITE};
use super::{MANY, ask, line};
use iotrace_format::definition::At;

const RQ: u64 = 0xa000;
const RQ_WORDS: [&str; 5] = ["rq", "rq.dev", "rq.sector", "rq.size", "rq.op"];
const DISK: u64 = 8 << 20;

/// A guest with a request, and probes of what happens to it.
struct Queue {
    trace: Crafted,
    queue: u16,
    end: u16,
    merge: (u16, u16),
    issue: u16,
}

impl Queue {
    fn new() -> Self {
        let mut trace = Crafted::default();
        let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.size", "bio.op", "bio.traced"]);
        let end = trace.probe("bio.end", At::Entry, &["bio", "bio.chained", "bio.remaining"]);
        let merge = trace.call("merge.back", &["rq", "bio"]);
        let issue = trace.probe("rq.issue", At::Entry, &RQ_WORDS);
        Self { trace, queue, end, merge, issue }
    }

    fn queue(&mut self, bio: u64) {
        self.trace.event(self.queue, &[bio << 8, 4096, WRITE, 0]);
    }

    /// Puts a bio into a request.
    fn merge(&mut self, rq: u64, bio: u64) {
        self.trace.event(self.merge.0, &[rq, bio << 8]);
        self.trace.event(self.merge.1, &[0]);
    }

    /// A bio is over, or others wait for it and are not.
    fn end(&mut self, bio: u64, remaining: u64) {
        self.trace.event(self.end, &[bio << 8, 1, remaining]);
    }

    /// Bios of one request.
    fn bios(&mut self, count: u64) {
        for bio in 1..=count {
            self.queue(bio);
            self.merge(RQ, bio);
        }
    }

    fn issue(&mut self) {
        self.trace.event(self.issue, &[RQ, DISK, 0, 4096, WRITE]);
    }

    fn report(self) -> String {
        ask(&self.trace.file(), &["report", "--limit", "1"])
    }
}

#[test]
fn bios_of_one_request() {
    let mut guest = Queue::new();
    let count = MANY / 4;
    guest.bios(count);
    guest.issue();
    (1..=count).for_each(|bio| guest.end(bio, 1));
    let report = guest.report();
    assert!(report.contains("W: 262,144 bios, 1.0 GiB, 262144 merged"), "{report}");
    assert!(line(&report, "W   D ").contains("262144"), "{report}");
}

#[test]
fn attempts_that_are_not_issued_and_bios() {
    let mut guest = Queue::new();
    let dispatch = guest.trace.probe("rq.dispatch", At::Entry, &["rq"]);
    let requeue = guest.trace.probe("rq.requeue", At::Entry, &RQ_WORDS);
    let count = MANY / 4;
    guest.bios(count);
    for _ in 0..count {
        guest.trace.event(dispatch, &[RQ]);
        guest.trace.event(requeue, &[RQ, DISK, 0, 4096, WRITE]);
    }
    (1..=count).for_each(|bio| guest.end(bio, 1));
    let report = guest.report();
    assert!(line(&report, "passthrough").contains("262,144 requeues"), "{report}");
}

#[test]
fn completions_and_bios() {
    let mut guest = Queue::new();
    let update = guest.trace.probe("rq.update", At::Entry, &["rq", "error", "bytes"]);
    let count = MANY / 4;
    guest.bios(count);
    (0..count).for_each(|_| guest.trace.event(update, &[RQ, 0, 0]));
    (1..=count).for_each(|bio| guest.end(bio, 1));
    assert!(line(&guest.report(), "W   C ").contains("262144"));
}

#[test]
fn insertions_and_bios() {
    let mut guest = Queue::new();
    let insert = guest.trace.probe("rq.insert", At::Entry, &["rq"]);
    let count = MANY / 4;
    (0..count).for_each(|_| guest.trace.event(insert, &[RQ]));
    guest.bios(count);
    guest.trace.event(insert, &[RQ]);
    (1..=count).for_each(|bio| guest.end(bio, 1));
    assert!(line(&guest.report(), "W   I ").contains("262144"));
}

/// A bio that goes into a request again and again, and only in the second half is plugged there.
#[test]
fn stages_of_one_bio() {
    let mut guest = Queue::new();
    let plug = guest.trace.probe("rq.plug", At::Entry, &["rq"]);
    guest.queue(1);
    for at in 0..MANY {
        guest.merge(RQ, 1);
        if at >= MANY / 2 {
            guest.trace.event(plug, &[RQ]);
        }
        guest.end(1, 2);
    }
    guest.end(1, 1);
    let report = guest.report();
    assert!(line(&report, "W   M ").contains(" 1 ") && line(&report, "W   P ").contains(" 1 "), "{report}");
}

/// All bios of a request go into another one, then into the next, and so on.
#[test]
fn requests_that_are_merged_in_a_row() {
    let mut guest = Queue::new();
    let (merge, merged) = guest.trace.call("rq.merge", &["rq", "next"]);
    let count = 1 << 14;
    guest.bios(count);
    for at in 1..=MANY / 4 {
        guest.trace.event(merge, &[RQ + (at << 12), RQ + ((at - 1) << 12)]);
        guest.trace.event(merged, &[1]);
    }
    let report = guest.report();
    assert!(line(&report, "merges ignored of bios").trim().starts_with("16,384 "), "{report}");
}

/// The same request is merged into another one time after time.
#[test]
fn a_request_that_is_merged_again_and_again() {
    let mut guest = Queue::new();
    let (merge, merged) = guest.trace.call("rq.merge", &["rq", "next"]);
    guest.bios(1 << 14);
    for _ in 0..MANY / 4 {
        guest.trace.event(merge, &[RQ + 0x1000, RQ]);
        guest.trace.event(merged, &[1]);
    }
    assert!(!guest.report().contains("merges ignored of bios"));
}

#[test]
fn flushes_that_a_request_waits_for() {
    let mut guest = Queue::new();
    let insert = guest.trace.probe("flush.insert", At::Entry, &RQ_WORDS);
    let step = guest.trace.probe("flush.step", At::Entry, &["rq", "seq"]);
    let init = guest.trace.probe("rq.init", At::Entry, &["rq"]);
    let end = guest.trace.probe("flush.end", At::Entry, &["rq"]);
    let count = MANY / 4;
    guest.bios(count);
    for at in 1..=count {
        guest.trace.event(insert, &[RQ, DISK, 0, 0, WRITE]);
        guest.trace.event(step, &[RQ, 0]);
        guest.trace.event(init, &[RQ + (at << 12)]);
    }
    (1..=count).for_each(|at| guest.trace.event(end, &[RQ + (at << 12)]));
    (1..=count).for_each(|bio| guest.end(bio, 1));
    let report = guest.report();
    assert_eq!(count - 64, 262_080);
    let lost = "262,080 ";
    assert!(line(&report, "flushes ignored").trim().starts_with(lost), "{report}");
    assert!(line(&report, "flushes without a waiting request").trim().starts_with(lost), "{report}");
}

#[test]
fn commands_that_wait_for_their_doorbell() {
    let mut guest = Queue::new();
    let dispatch = guest.trace.probe("cmd.dispatch", At::Entry, &["cmd", "cmd.rq"]);
    let done = guest.trace.probe("cmd.done", At::Entry, &["cmd", "cmd.rq"]);
    let count = MANY / 4;
    for at in 1..=count {
        guest.trace.event(guest.issue, &[at << 12, DISK, 0, 4096, WRITE]);
        guest.trace.event(dispatch, &[at << 8, at << 12]);
    }
    (1..=count).rev().for_each(|at| guest.trace.event(done, &[at << 8, at << 12]));
    let report = guest.report();
    assert!(
        line(&report, "completed by the driver without the device").trim().starts_with("262,144 "),
        "{report}"
    );
}
