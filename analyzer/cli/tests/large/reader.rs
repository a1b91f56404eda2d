//! Of what is read: vCPUs, and names that are long.

use super::crafted::Crafted;
use super::{MANY, ask};
use iotrace_format::definition::At;
use iotrace_format::event::IDLE;

#[test]
fn the_last_of_all_vcpus() {
    let mut trace = Crafted::default();
    trace.vcpu = u16::MAX;
    (0..4 * MANY).for_each(|_| trace.event(IDLE.id, &[]));
    assert!(ask(&trace.file(), &["report"]).contains("4,194,304 events"));
}

#[test]
fn many_vcpus() {
    let mut trace = Crafted::of_vcpus(1 << 16);
    for vcpu in 0..1 << 12 {
        trace.vcpu = u16::MAX - vcpu;
        (0..1024).for_each(|_| trace.event(IDLE.id, &[]));
    }
    assert!(ask(&trace.file(), &["report"]).contains("4,194,304 events"));
}

/// A name as long as a definition has room for, and an event of it for each system call.
#[test]
fn names_that_are_long() {
    let mut trace = Crafted::default();
    let stage = "sys.".to_owned() + &"x".repeat(1 << 18);
    let call = trace.probe(&stage, At::Entry, &["fd"]);
    (0..MANY / 4).for_each(|_| trace.event(call, &[3]));
    let report = ask(&trace.file(), &["report", "--all", "--limit", "1"]);
    assert!(report.contains("1 definitions truncated"), "{report}");
    assert!(report.len() < 1 << 14, "the report has {} bytes", report.len());
}
