//! Of `report`: notes, vCPUs, system calls, marks, devices, and bios that wait for others.

use super::crafted::{CHAIN_END, Crafted};
use super::{MANY, ask, line};
use iotrace_schemas::definition::{At, Definition, Device, Note, Probe, Register, Severity};
use iotrace_schemas::event::{IDLE, MARK_BEGIN, MARK_OVER, MMIO_WRITE};

fn note(topic: String) -> Definition {
    Definition::Note(Note { severity: Severity::Info, topic, text: "x".into() })
}

#[test]
fn notes_of_one_topic() {
    let mut trace = Crafted::default();
    (0..MANY).for_each(|_| trace.define(note("missing".into())));
    let report = ask(&trace.file(), &["report"]);
    assert!(report.contains(&format!("info: missing: x; x; x; and {} more", MANY - 3)), "{report}");
}

#[test]
fn notes_of_many_topics() {
    let mut trace = Crafted::default();
    (0..MANY).for_each(|at| trace.define(note(at.to_string())));
    let report = ask(&trace.file(), &["report"]);
    assert_eq!(report.lines().filter(|line| line.ends_with(": x")).count() as u64, MANY);
}

#[test]
fn the_last_of_all_vcpus() {
    let mut trace = Crafted::default();
    trace.vcpu = u16::MAX;
    (0..MANY).for_each(|_| trace.event(IDLE.id, &[]));
    assert!(ask(&trace.file(), &["report"]).contains("1,048,576 events"));
}

#[test]
fn many_vcpus() {
    let mut trace = Crafted::of_vcpus(1 << 15);
    for vcpu in 0..1 << 15 {
        trace.vcpu = vcpu;
        (0..32).for_each(|_| trace.event(IDLE.id, &[]));
    }
    assert!(ask(&trace.file(), &["report"]).contains("1,048,576 events"));
}

#[test]
fn system_calls_that_do_not_return() {
    let mut trace = Crafted::default();
    let write = trace.probe("sys.write", At::Entry, &["fd"]);
    trace.probe("sys.write", At::Exit, &["ret"]);
    (0..MANY).for_each(|_| trace.event(write, &[3]));
    let report = ask(&trace.file(), &["report", "--all", "--limit", "1"]);
    assert!(report.contains("I/Os of the whole trace: 1048576"), "{report}");
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

#[test]
fn marks_before_bios() {
    let mut trace = Crafted::default();
    let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.traced"]);
    let end = trace.probe("bio.end", At::Entry, &["bio"]);
    (0..MANY).for_each(|_| trace.mark(MARK_OVER));
    for bio in 1..=MANY / 4 {
        trace.event(queue, &[bio << 8, 0]);
        trace.event(end, &[bio << 8]);
    }
    trace.mark(MARK_BEGIN);
    let report = ask(&trace.file(), &["report"]);
    assert!(line(&report, "passthrough").contains("262144 bios"), "{report}");
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
    assert!(report.contains("N: 262144 bios") || report.contains("R: 262144 bios"), "{report}");
    assert!(!report.contains("in flight"), "{report}");
}

fn device(device: u16, registers: Vec<Register>) -> Definition {
    Definition::Device(Device { name: "d".into(), vendor: 1, device, registers })
}

fn register(offset: u64, doorbell: bool) -> Register {
    Register { name: String::new(), bar: 0, offset, width: 4, doorbell, mask: 0 }
}

const ENABLE: [&str; 4] = ["pci.vendor", "pci.device", "pci.bar0", "pci.bar0_end"];

#[test]
fn devices_that_are_known() {
    let mut trace = Crafted::default();
    (0..MANY / 4).for_each(|_| trace.define(device(1, Vec::new())));
    trace.define(device(2, Vec::new()));
    let enable = trace.probe("pci.enable", At::Entry, &ENABLE);
    (0..MANY).for_each(|_| trace.event(enable, &[1, 2, 0x1000, 0x1fff]));
    assert_eq!(line(&ask(&trace.file(), &["report"]), "devices").trim(), "devices     d");
}

#[test]
fn places_of_a_device_and_accesses_to_them() {
    let mut trace = Crafted::default();
    trace.define(device(1, vec![register(4, true)]));
    let enable = trace.probe("pci.enable", At::Entry, &ENABLE);
    (1..=MANY / 2).for_each(|at| trace.event(enable, &[1, 1, at << 12, (at << 12) + 0xfff]));
    (1..=MANY / 2).for_each(|at| trace.event(MMIO_WRITE.id, &[(at << 12) + 4, 4, 1, 0]));
    let report = ask(&trace.file(), &["report"]);
    assert!(line(&report, "doorbells").contains(" 524288 doorbells"), "{report}");
}

#[test]
fn registers_of_a_device() {
    let mut trace = Crafted::default();
    // What a definition has room for.
    let registers = (0..15_000).map(|at| register(at * 4, at == 14_999)).collect();
    trace.define(device(1, registers));
    let enable = trace.probe("pci.enable", At::Entry, &ENABLE);
    trace.event(enable, &[1, 1, 0x1000_0000, 0x1fff_ffff]);
    (0..4 * MANY).for_each(|_| trace.event(MMIO_WRITE.id, &[0x1000_0000 + 14_999 * 4, 4, 1, 0]));
    let report = ask(&trace.file(), &["report"]);
    assert!(line(&report, "doorbells").contains(" 4194304 doorbells"), "{report}");
}

#[test]
fn drivers_that_tell_of_commands() {
    let mut trace = Crafted::default();
    let dispatch = trace.probe("cmd.dispatch", At::Entry, &["cmd", "cmd.rq"]);
    let issue = trace.probe("rq.issue", At::Entry, &["rq"]);
    let start = trace.probe("cmd.start", At::Entry, &["cmd"]);
    for at in 0..MANY / 8 {
        let module = Some(at.to_string());
        let (stage, words) = ("cmd.start".into(), vec!["cmd".into()]);
        trace.define(Definition::Probe(Probe { id: start, stage, words, module, ..Probe::default() }));
    }
    trace.event(issue, &[0xa000]);
    (0..MANY).for_each(|_| trace.event(dispatch, &[0xc000, 0xa000]));
    assert!(ask(&trace.file(), &["report"]).contains("1,048,577 events"));
}

/// A name as long as a definition has room for, and an event of it for each system call.
#[test]
fn names_that_are_long() {
    let mut trace = Crafted::default();
    let stage = "sys.".to_owned() + &"x".repeat(1 << 18);
    let call = trace.probe(&stage, At::Entry, &["fd"]);
    (0..MANY / 4).for_each(|_| trace.event(call, &[3]));
    let report = ask(&trace.file(), &["report", "--all", "--limit", "1"]);
    assert!(report.contains("1 definitions were shortened"), "{report}");
    assert!(report.len() < 1 << 14, "the report has {} bytes", report.len());
}
