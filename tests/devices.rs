//! Controllers that the catalog knows nothing of: the time of a device is its own.

use iotrace_tests::{json, recording, trace_of};
use serde_json::Value;

/// Controllers, and the handler of their interrupt.
const CONTROLLERS: [(&str, &str); 4] = [
    ("virtio-scsi-pci", "vring_interrupt"),
    ("virtio-blk-pci", "vring_interrupt"),
    ("ich9-ahci", "ahci_single_level_irq_intr"),
    ("megasas-gen2", "megasas_isr"),
];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// Of each read the task waits for the device from the request's issue to the interrupt, and for nothing unknown.
fn device_time_is_attributed(controller: &str, handler: &str) {
    let arguments = ["debian-6.1", "--controller", controller, "--workload", "direct:count=4"];
    let trace = trace_of(&recording(&arguments));
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
    for bio in report["bios"].as_array().expect("a list") {
        let reached =
            |stage: &str| bio["stages"].as_array().expect("a list").iter().any(|s| s["stage"] == stage);
        assert!(reached("issued") && reached("interrupt") && reached("completed"), "{controller}: {bio}");
    }
    let explained = json(&trace, &["explain"]);
    let completions: u64 =
        explained["completions"].as_array().expect("a list").iter().map(|c| number(&c["count"])).sum();
    assert!(completions + number(&explained["unknown_completions"]) >= 9, "{controller}: {explained}");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn device_time_is_the_devices_whatever_controller_it_has() {
    CONTROLLERS.iter().for_each(|(controller, handler)| device_time_is_attributed(controller, handler));
}
