//! Every controller: the time of a device is its own, each bio has its driver, doorbell and interrupt, and the trace has what the
//! guest's own tracepoints have.

use iotrace_tests::{agrees, json, recording, stages_are_complete, trace_of};
use serde_json::Value;

/// Controllers that QEMU replays, and the handler of their interrupt.
const CONTROLLERS: [(&str, &str); 8] = [
    ("lsi53c810", "sym53c8xx_intr"),
    ("mptsas1068", "mpt_interrupt"),
    ("megasas", "megasas_isr"),
    ("megasas-gen2", "megasas_isr"),
    ("virtio-scsi-pci", "vring_interrupt"),
    ("virtio-blk-pci", "vring_interrupt"),
    ("ich9-ahci", "ahci_single_level_irq_intr"),
    ("piix3-ide", "ata_bmdma_interrupt"),
];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// Of each read the task waits for the device from the request's issue to the interrupt, and for nothing unknown.
fn device_time_is_attributed(kernel: &str, controller: &str, handler: &str) {
    let recorded =
        recording(&[kernel, "--controller", controller, "--workload", "direct:count=4", "--witness"]);
    let trace = trace_of(&recorded);
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
    let report = json(&trace, &["report"]);
    let ios = report["ios"].as_array().expect("a list");
    let reads: Vec<_> = ios.iter().filter(|io| io["syscall"] == "pread").collect();
    assert_eq!(reads.len(), 4, "{controller}: {report}");
    for io in reads {
        let why = json(&trace, &["why", &io["id"].to_string()]);
        let spans = why["spans"].as_array().expect("a list");
        let of_device: Vec<_> = spans.iter().filter(|span| span["kind"] == "device").collect();
        let [device] = of_device[..] else { panic!("{controller}: {why}") };
        let what = device["what"].as_str().expect("text");
        assert!(what.contains(&format!("device of {handler}")), "{controller}: {what}");
        assert_eq!(
            (&why["unknown_interrupts"], number(&device["ns"])),
            (&0.into(), number(&why["device_time"]["ns"]))
        );
        assert!(!spans.iter().any(|span| span["kind"] == "timer"), "{controller}: {why}");
        // Interrupts that come meanwhile are spans of their own.
        let (seen, reported) = (number(&device["ns"]), number(&io["device_time"]["ns"]));
        let others: u64 = spans.iter().filter(|s| s["kind"] == "interrupted").map(|s| number(&s["ns"])).sum();
        assert!(
            seen <= reported + 2_000 && reported <= seen + others + 2_000,
            "{controller}: {seen} {reported}"
        );
        assert!(reported > 10_000 && reported < number(&io["elapsed"]["ns"]), "{controller}: {io}");
    }
    let explained = json(&trace, &["explain"]);
    let completions: u64 =
        explained["completions"].as_array().expect("a list").iter().map(|c| number(&c["count"])).sum();
    assert!(completions + number(&explained["unknown_completions"]) >= 9, "{controller}: {explained}");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn device_time_is_the_devices_whatever_controller_it_has() {
    CONTROLLERS.iter().for_each(|(controller, handler)| {
        device_time_is_attributed("debian-6.1", controller, handler);
    });
}

/// A SCSI command is up to three transfers, and QEMU completes some within their doorbell: what is waited for last is the device's.
/// The interrupts of the transfers before are not known to be the command's.
#[test]
#[ignore = "of ./scripts/test full"]
fn transfers_of_usb_storage_are_those_of_its_commands() {
    for kernel in ["debian-6.1", "debian-7.x"] {
        let common = [kernel, "--controller", "usb-storage", "--workload", "direct:count=4", "--witness"];
        let recorded = recording(&common);
        let trace = trace_of(&recorded);
        agrees(&recorded, &trace);
        stages_are_complete(&trace);
        for number in 1..=4 {
            let why = json(&trace, &["why", "--call", &format!("pwrite:{number}")]);
            let spans = why["spans"].as_array().expect("a list").iter();
            let mut devices = spans.filter(|span| span["kind"] == "device");
            assert!(devices.all(|span| span["what"].to_string().contains("device of xhci_msi_irq")), "{why}");
        }
    }
}

/// Virtio is part of this kernel's image, not modules.
#[test]
#[ignore = "of ./scripts/test full"]
fn device_time_is_the_devices_on_7() {
    for (controller, handler) in CONTROLLERS.into_iter().skip(4) {
        device_time_is_attributed("debian-7.x", controller, handler);
    }
}
