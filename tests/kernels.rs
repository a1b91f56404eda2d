//! Other kernels than 6.1, and a driver of the user's own.

use iotrace_tests::{
    a_boot_that_replays, accounted_for, agrees, analyze, checkout, json, recording, replay, script,
    stages_are_complete, succeed, trace_of,
};
use std::path::Path;

/// Stages whose functions only kernels have that know queues without multiqueue: before 5.0.
const SINGLE_QUEUE: &str = "stages without a probe: sq.run";

/// The texts of a trace's notes about a topic.
fn notes(trace: &Path, topic: &str) -> Vec<String> {
    let info = json(trace, &["info"]);
    let notes = info["warnings"].as_array().expect("a list of notes").iter();
    let about = notes.filter(|note| note["topic"] == topic);
    about.map(|note| note["text"].as_str().expect("a text").to_owned()).collect()
}

/// loop-write on XFS in a kernel, with its debug info and without: what the tracepoints saw, stage by stage.
fn holds_on(kernel: &str) {
    let recorded = recording(&[kernel, "--fs", "xfs", "--workload", "loop-write", "--witness"]);
    let trace = trace_of(&recorded);
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
    assert_eq!(notes(&trace, "missing-stages"), [SINGLE_QUEUE]);
    assert!(notes(&trace, "no-debug-info").is_empty());
    for view in ["path", "why"] {
        let printed = succeed(&mut analyze(&[view, "--call", "fsync:2"], &trace));
        assert!(printed.contains("sym53c8xx_intr"), "{view}: {printed}");
    }
    let explanation = json(&trace, &["explain"]);
    let requests = explanation["requests"].as_array().expect("a list of requests");
    assert!(requests.iter().all(|request| request["way"] != "unknown"), "{explanation}");
    let bare = succeed(script("kernel").args([kernel, "--bare"]));
    let trace = replay(&recorded, &format!("{kernel}-xfs-loop-bare"), &["--kernel", &bare]);
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
    let missed = notes(&trace, "no-debug-info");
    assert!(missed.len() == 1 && missed[0].contains("source files and lines"), "{missed:?}");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn the_report_holds_on_5_10() {
    holds_on("debian-5.10");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn the_report_holds_on_6_12() {
    holds_on("debian-6.12");
}

/// PREEMPT_RT: interrupts and softirqs are run by threads, locks put tasks to sleep.
#[test]
#[ignore = "of ./scripts/test full"]
fn the_report_holds_on_a_real_time_kernel() {
    holds_on("debian-6.1-rt");
}

#[test]
fn the_report_holds_on_7() {
    holds_on("debian-7.x");
}

/// A driver that the catalog does not know, traced with the file that its README shows.
#[test]
fn a_users_driver_is_traced() {
    let catalog = checkout().join("tests/catalogs/pvscsi.toml");
    let shown = std::fs::read_to_string(&catalog).expect("the catalog is there");
    let readme =
        std::fs::read_to_string(checkout().join("schemas/catalog/README.md")).expect("the README is there");
    assert!(readme.contains(&shown), "the README shows another file than {}", catalog.display());
    let recorded = a_boot_that_replays(
        "pvscsi",
        &["debian-6.1", "--controller", "pvscsi", "--workload", "demo", "--witness"],
    );
    let bare = succeed(script("kernel").args(["debian-6.1", "--bare"]));
    let more = format!("catalog={}", catalog.display());
    let trace = replay(&recorded, "pvscsi", &["--kernel", &bare, "--plugin-args", &more]);
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
    // Without the file, what the rest of the catalog knows is traced all the same.
    let trace = replay(&recorded, "pvscsi-unknown", &["--kernel", &bare]);
    agrees(&recorded, &trace);
    accounted_for(&trace);
    let stages = json(&trace, &["report"])["bios"][0]["stages"].to_string();
    assert!(stages.contains("completed") && !stages.contains("doorbell"), "{stages}");
}
