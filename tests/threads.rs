//! Guests whose interrupt handlers run as threads (`threadirqs`).

use iotrace_tests::{a_boot_that_replays, json, recording, trace_of};
use serde_json::Value;
use std::path::Path;

/// Kinds and words of what the calls of the workload waited for.
fn waited(trace: &Path, call: &str) -> Vec<(String, String)> {
    let mut waited = Vec::new();
    for number in 1..=4 {
        let why = json(trace, &["why", "--call", &format!("{call}:{number}")]);
        assert_eq!(why["unknown_interrupts"], 0, "{why}");
        let text = |span: &Value, key: &str| span[key].as_str().expect("text").to_owned();
        let spans = why["spans"].as_array().expect("a list");
        waited.extend(spans.iter().map(|span| (text(span, "kind"), text(span, "what"))));
    }
    waited
}

/// The host's disk takes its time, so that the tasks wait: for the device, then for the thread of its interrupt.
fn threads_are_followed(arguments: &[&str], handler: &str) -> std::path::PathBuf {
    let arguments = [arguments, &["--workload", "direct:count=4"]].concat();
    let of_pvscsi = arguments.contains(&"pvscsi");
    let recorded = if of_pvscsi { a_boot_that_replays("threads", &arguments) } else { recording(&arguments) };
    let trace = trace_of(&recorded);
    for call in ["pwrite", "pread"] {
        let waited = waited(&trace, call);
        let has = |kind: &str, words: &str| waited.iter().any(|(k, what)| k == kind && what.contains(words));
        assert!(has("device", &format!("device of {handler}")), "{waited:?}");
        assert!(has("interrupt", handler) && has("thread-pending", "irq/"), "{waited:?}");
        assert!(!has("timer", ""), "{waited:?}");
    }
    trace
}

/// Every command has the interrupt whose thread found it done.
#[test]
#[ignore = "of ./scripts/test full"]
fn the_thread_of_an_interrupt_is_followed_to_its_device() {
    let trace = threads_are_followed(&["debian-6.1", "--append", "threadirqs"], "sym53c8xx_intr");
    // While the mount's thread runs, a command may complete whose interrupt is masked; the workload has one at a time.
    let report = json(&trace, &["report"]);
    let bios = report["bios"].as_array().expect("a list");
    let has_interrupt = |bio: &Value| {
        bio["stages"].as_array().expect("a list").iter().any(|reached| reached["stage"] == "interrupt")
    };
    assert!(!bios.is_empty() && bios.iter().all(has_interrupt), "{report}");
    let explained = json(&trace, &["explain"]);
    let completions = explained["completions"].as_array().expect("a list");
    assert!(!completions.is_empty() && completions.iter().all(|c| c["context"] == "task"), "{explained}");
}

/// Nothing of this driver is in the catalog: its device works from the issue of a request to the interrupt.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_driver_without_a_probe_is_followed_to_its_device() {
    let common = ["debian-6.1", "--append", "threadirqs"];
    threads_are_followed(&[&common[..], &["--controller", "pvscsi"]].concat(), "pvscsi_isr");
}

/// All interrupts of a PREEMPT_RT kernel have threads, without a parameter.
#[test]
#[ignore = "of ./scripts/test full"]
fn the_threads_of_a_real_time_kernel_are_followed() {
    threads_are_followed(&["debian-6.1-rt"], "sym53c8xx_intr");
}
