//! Of devices: where their registers are, and which driver tells of commands.

use super::crafted::Crafted;
use super::{MANY, ask, line};
use iotrace_format::definition::{At, Definition, Device, DeviceRegister, Probe};
use iotrace_format::event::MMIO_WRITE;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;

fn device(device: u16, registers: Vec<DeviceRegister>) -> Definition {
    Definition::Device(Device { name: "d".into(), vendor: 1, device, registers })
}

fn register(offset: u64, doorbell: bool) -> DeviceRegister {
    DeviceRegister { name: String::new(), bar: 0, offset, width: 4, doorbell, mask: 0 }
}

const ENABLE: [&str; 4] = ["pci.vendor", "pci.device", "pci.bar0", "pci.bar0_end"];

#[test]
fn devices_that_are_known() {
    let mut trace = Crafted::default();
    (0..MANY / 4).for_each(|_| trace.define(device(1, Vec::new())));
    trace.define(device(2, Vec::new()));
    let enable = trace.probe("pci.enable", At::Entry, &ENABLE);
    (0..MANY).for_each(|_| trace.event(enable, &[1, 2, 0x1000, 0x1fff]));
    assert_eq!(ask(&trace.file(), &["report"]).lines().nth(1), Some("d"));
}

#[test]
fn places_of_a_device_and_accesses_to_them() {
    let mut trace = Crafted::default();
    trace.define(device(1, vec![register(4, true)]));
    let enable = trace.probe("pci.enable", At::Entry, &ENABLE);
    (1..=MANY / 2).for_each(|at| trace.event(enable, &[1, 1, at << 12, (at << 12) + 0xfff]));
    (1..=MANY / 2).for_each(|at| trace.event(MMIO_WRITE.id, &[(at << 12) + 4, 4, 1, 0]));
    let report = ask(&trace.file(), &["report"]);
    assert!(line(&report, "doorbells").contains(" 524,288 doorbells"), "{report}");
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
    assert!(line(&report, "doorbells").contains(" 4,194,304 doorbells"), "{report}");
}

#[test]
fn drivers_that_tell_of_commands() {
    let mut trace = Crafted::default();
    let dispatch = trace.probe("cmd.dispatch", At::Entry, &["cmd", "cmd.rq"]);
    let issue = trace.probe("rq.issue", At::Entry, &["rq"]);
    let start = trace.probe("cmd.start", At::Entry, &[]);
    for at in 0..MANY / 8 {
        let module = Some(at.to_string());
        let (stage, words, roles) =
            (Some(Stage::CommandStart), vec!["cmd".into()], vec![Some(Role::Command)]);
        trace.define(Definition::Probe(Probe { id: start, stage, words, roles, module, ..Probe::default() }));
    }
    trace.event(issue, &[0xa000]);
    (0..MANY).for_each(|_| trace.event(dispatch, &[0xc000, 0xa000]));
    assert!(ask(&trace.file(), &["report"]).contains("1,048,577 events"));
}
