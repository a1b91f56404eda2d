//! Devices of the catalog, and where they are.

use super::*;
use crate::trackers::fixture::FactSource;

fn register(name: &str, bar: u8, offset: u64, width: u8) -> DeviceRegister {
    DeviceRegister { name: name.into(), bar, offset, width, doorbell: name == "bell", mask: 0x21 }
}

fn device(name: &str, number: u16, registers: Vec<DeviceRegister>) -> Device {
    Device { name: name.into(), vendor: 0x1000, device: number, registers }
}

fn devices() -> Devices {
    let mut devices = Devices::default();
    let registers =
        vec![register("status", 0, 0, 4), register("bell", 1, 0x14, 1), register("last", 1, 0x18, 0)];
    devices.define(&device("one", 1, registers));
    devices.define(&device("two", 2, vec![]));
    devices.define(&device("other one", 1, vec![]));
    devices
}

fn enable(devices: &mut Devices, number: u64, bars: &[(&str, u64)]) {
    let arguments = [&[("pci.vendor", 0x1000), ("pci.device", number)][..], bars].concat();
    FactSource::default().reach_only(1, "pci.enable", &arguments, |fact| devices.enabled(fact.roles));
}

/// Names of the device and the register at an address, and the offset in the BAR.
fn found(devices: &Devices, address: u64) -> Option<(&str, u8, u64, Option<&str>)> {
    devices.find(address).map(|(name, bar, at, register)| (name, bar, at, register.map(|r| r.name.as_str())))
}

fn present(devices: &Devices) -> Vec<&str> {
    devices.present().map(|device| device.name.as_str()).collect()
}

#[test]
fn registers_are_where_the_bars_say() {
    let mut devices = devices();
    assert_eq!((present(&devices), found(&devices, 0x1000)), (vec![], None));
    enable(
        &mut devices,
        1,
        &[("pci.bar0", 0x1000), ("pci.bar0_end", 0x10ff), ("pci.bar1", 0x2000), ("pci.bar1_end", 0x2018)],
    );
    assert_eq!(present(&devices), ["one"]);
    for (address, expected) in [
        (0xfff, None),
        (0x1000, Some(("one", 0, 0, Some("status")))),
        (0x1003, Some(("one", 0, 3, Some("status")))),
        (0x1004, Some(("one", 0, 4, None))),
        (0x10ff, Some(("one", 0, 0xff, None))),
        (0x1100, None),
        (0x2000, Some(("one", 1, 0, None))),
        (0x2014, Some(("one", 1, 0x14, Some("bell")))),
        (0x2015, Some(("one", 1, 0x15, None))),
        (0x2018, Some(("one", 1, 0x18, Some("last")))),
        (0x2019, None),
    ] {
        assert_eq!(found(&devices, address), expected, "{address:#x}");
    }
}

#[test]
fn a_doorbell_is_rung_by_all_bits_of_its_mask() {
    let mut devices = devices();
    enable(
        &mut devices,
        1,
        &[("pci.bar0", 0x1000), ("pci.bar0_end", 0x10ff), ("pci.bar1", 0x2000), ("pci.bar1_end", 0x2018)],
    );
    for (address, value, expected) in [
        (0x2014, 0x21, true),
        (0x2014, 0xff, true),
        (0x2014, 0x20, false),
        (0x2014, 0, false),
        (0x1000, 0x21, false),
        (0x2015, 0x21, false),
        (0x3000, 0x21, false),
    ] {
        assert_eq!(devices.is_doorbell(address, value), expected, "{address:#x} {value:#x}");
    }
}

#[test]
fn a_device_that_the_catalog_does_not_have_is_nowhere() {
    let mut devices = devices();
    let bar = [("pci.bar0", 0x1000), ("pci.bar0_end", 0x10ff)];
    for number in [3, 0x1_0001] {
        enable(&mut devices, number, &bar);
        assert_eq!(present(&devices), Vec::<&str>::new());
    }
    enable(&mut devices, 1, &[("pci.bar0", 0x1000), ("pci.bar0_end", 0x1000)]);
    enable(&mut devices, 1, &[("pci.bar0", 0x1000), ("pci.bar0_end", 0xfff)]);
    enable(&mut devices, 1, &[("pci.bar0", 0), ("pci.bar0_end", 0xfff)]);
    assert_eq!(present(&devices), Vec::<&str>::new());
    enable(&mut devices, 1, &[("pci.bar0", 0x1000), ("pci.bar0_end", 0x1001)]);
    assert_eq!(present(&devices), ["one"]);
}

#[test]
fn all_six_bars_are_mapped() {
    let bars = ["bar0", "bar1", "bar2", "bar3", "bar4", "bar5"];
    let mut devices = devices();
    for (at, bar) in (1..).zip(bars) {
        let (first, last) = (format!("pci.{bar}"), format!("pci.{bar}_end"));
        enable(&mut devices, 2, &[(&first, at << 12), (&last, (at << 12) + 0xff)]);
    }
    let found = (1..=6).map(|at| found(&devices, at << 12)).collect::<Vec<_>>();
    assert_eq!(found, (0..6).map(|bar| Some(("two", bar, 0, None))).collect::<Vec<_>>());
}

// 1000 .. 10ff, and another device's over its end, its begin, within it and next to it
#[test]
fn what_is_mapped_takes_the_place_of_what_was_there() {
    for (first, last, remains) in [
        (0x10ff, 0x11ff, false),
        (0xf00, 0x1000, false),
        (0x1010, 0x101f, false),
        (0xf00, 0x1200, false),
        (0x1000, 0x10ff, false),
        (0x1100, 0x11ff, true),
        (0xf00, 0xfff, true),
    ] {
        let mut devices = devices();
        enable(&mut devices, 1, &[("pci.bar0", 0x1000), ("pci.bar0_end", 0x10ff)]);
        enable(&mut devices, 2, &[("pci.bar0", first), ("pci.bar0_end", last)]);
        let expected: &[&str] = if remains { &["one", "two"] } else { &["two"] };
        assert_eq!(present(&devices), expected, "{first:#x} {last:#x}");
    }
}
