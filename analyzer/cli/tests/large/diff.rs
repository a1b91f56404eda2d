//! `diff`: trees of calls that are deep, and wide, and I/Os that share an interrupt.

use super::crafted::{Crafted, HARDIRQ, TASK_A};
use super::{MANY, line, printed, run, text};
use iotrace_format::definition::{At, Definition, Device, DeviceRegister};
use iotrace_format::event::MMIO_WRITE;

/// Functions: there is room for so many kinds of events.
const FUNCTIONS: u64 = 30_000;

/// What a comparison says.
fn compare(a: &[u8], b: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let [left, right] = ["a.iot", "b.iot"].map(|name| folder.path().join(name));
    std::fs::write(&left, a).unwrap();
    std::fs::write(&right, b).unwrap();
    printed(&run(&["diff", text(&left), text(&right)]), 0)
}

/// Calls in one another that do not return.
fn deep(count: u64) -> Vec<u8> {
    let mut trace = Crafted::default();
    let (fsync, returned) = trace.call("sys.fsync", &["fd"]);
    let (call, _) = trace.plain_call("f");
    trace.event(fsync, &[3]);
    (0..count).for_each(|_| trace.event(call, &[]));
    trace.event(returned, &[0]);
    trace.file()
}

#[test]
fn calls_in_one_another() {
    assert!(compare(&deep(MANY / 4), &deep(MANY / 4)).contains("no difference"));
    let said = compare(&deep(MANY / 4), &deep(MANY / 4 + 1));
    assert!(line(&said, "in A, ").contains(" instructions"), "{said:.2000}");
}

/// Calls of many functions in one place, of some system calls: in the task, or in a softirq that it raises.
fn wide(system_calls: u64, prefix: &str, in_softirq: bool) -> Vec<u8> {
    let mut trace = Crafted::default();
    let all: Vec<_> = (0..system_calls).map(|at| trace.call(&format!("sys.sync{at}"), &["fd"])).collect();
    let (run, ran) = trace.call("softirq.run", &[]);
    let raise = trace.probe("softirq.raise", At::Entry, &["nr"]);
    let served = trace.probe("softirq.block", At::Entry, &[]);
    let calls: Vec<_> = (0..FUNCTIONS).map(|at| trace.plain_call(&format!("{prefix}{at}"))).collect();
    for (enter, returned) in all {
        trace.event(enter, &[3]);
        trace.event(raise, &[4]);
        if in_softirq {
            trace.event(run, &[]);
            trace.event(served, &[]);
        }
        for (enter, leave) in &calls {
            trace.event(*enter, &[]);
            trace.event(*leave, &[0]);
        }
        if in_softirq {
            trace.event(ran, &[0]);
        }
        trace.event(returned, &[0]);
    }
    trace.file()
}

#[test]
fn functions_of_one_side_alone() {
    let said = compare(&wide(10, "a", false), &wide(10, "b", false));
    assert!(said.contains("30000 added, 30000 removed, 0 moved, 0 renamed"), "{said:.2000}");
}

#[test]
fn functions_in_another_context() {
    let said = compare(&wide(1, "a", false), &wide(1, "a", true));
    assert!(said.contains("30000 in another context"), "{said:.2000}");
}

/// An interrupt that completes the commands of many I/Os, and raises softirqs.
fn shared(count: u64) -> Vec<u8> {
    let mut trace = Crafted::default();
    let doorbell = DeviceRegister { name: "r".into(), bar: 0, offset: 4, width: 4, doorbell: true, mask: 0 };
    trace.define(Definition::Device(Device {
        name: "d".into(),
        vendor: 1,
        device: 1,
        registers: vec![doorbell],
    }));
    let enable =
        trace.probe("pci.enable", At::Entry, &["pci.vendor", "pci.device", "pci.bar0", "pci.bar0_end"]);
    let (fsync, returned) = trace.call("sys.fsync", &["fd"]);
    let issue = trace.probe("rq.issue", At::Entry, &["rq"]);
    let dispatch = trace.probe("cmd.dispatch", At::Entry, &["cmd", "cmd.rq"]);
    let done = trace.probe("cmd.done", At::Entry, &["cmd", "cmd.rq"]);
    let (irq, left) = trace.call("irq.entry", &["vector"]);
    let (run, ran) = trace.call("softirq.run", &[]);
    let raise = trace.probe("softirq.raise", At::Entry, &["nr"]);
    trace.event(enable, &[1, 1, 0x1000, 0x1fff]);
    trace.name_task(TASK_A, 1);
    for at in 1..=count {
        trace.event(fsync, &[3]);
        trace.event(issue, &[at << 12]);
        trace.event(dispatch, &[at << 8, at << 12]);
        trace.event(MMIO_WRITE.id, &[0x1004, 4, 1, 0]);
        trace.event(returned, &[0]);
    }
    trace.context = HARDIRQ;
    trace.event(irq, &[38]);
    (1..=count).for_each(|at| trace.event(done, &[at << 8, at << 12]));
    for _ in 0..1000 {
        trace.event(raise, &[4]);
        trace.event(run, &[]);
        trace.event(ran, &[0]);
    }
    trace.event(left, &[0]);
    trace.file()
}

#[test]
fn io_s_that_share_an_interrupt() {
    let file = shared(MANY / 32);
    let said = compare(&file, &file);
    assert!(said.contains("no difference"), "{said:.2000}");
}
