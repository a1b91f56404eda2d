//! Guests with other processors than the default one.

use iotrace_tests::{agrees, analyze, recording, replay, run, said, script, stages_are_complete, succeed};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The tasks that queued bios while the workload ran, as ftrace writes them: `loop-write-127`.
fn queueing_tasks(trace: &Path) -> Vec<String> {
    let printed = succeed(&mut analyze(&["report", "--format", "json"], trace));
    let report: Value = serde_json::from_str(&printed).expect("the report is JSON");
    let task =
        |bio: &Value| format!("{}-{}", bio["task"]["comm"].as_str().expect("a name"), bio["task"]["pid"]);
    report["bios"].as_array().expect("a list of bios").iter().map(task).collect()
}

/// The same by the guest's own tracepoints.
fn queueing_tasks_of_tracepoints(recording: &Path) -> Vec<String> {
    let text = fs::read_to_string(recording.join("witness.txt")).expect("the guest has traced itself");
    let events = text.lines().filter(|line| line.contains(" block_bio_queue: "));
    events.map(|line| line.split(" [").next().unwrap_or_default().trim().to_owned()).collect()
}

/// A processor with 5-level paging, whose kernel lies in a larger half of the address space: tasks are those of the
/// guest's tracepoints, interrupts are found, and a replay is as good as another.
#[test]
fn tasks_and_interrupts_are_known_with_5_level_paging() {
    let recorded =
        recording(&["debian-6.1", "--cpu", "max", "--workload", "loop-write", "--witness", "--verify"]);
    let [trace, again] = ["cpu-max", "cpu-max-again"].map(|name| replay(&recorded, name, &[]));
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
    let expected = queueing_tasks_of_tracepoints(&recorded);
    assert!(expected.iter().any(|task| task.starts_with("loop-write-")), "{expected:?}");
    assert_eq!(queueing_tasks(&trace), expected);
    let bytes = [&trace, &again].map(|trace| fs::read(trace).expect("the trace is there"));
    assert!(bytes[0] == bytes[1], "two replays differ");
    let manifest = fs::read_to_string(recorded.join("manifest.json")).expect("the recording is whole");
    let manifest: Value = serde_json::from_str(&manifest).expect("it is JSON");
    assert_eq!(manifest["guest"]["cpu"], "max");
}

#[test]
fn a_processor_model_that_needs_quoting_is_refused() {
    for model in ["max;id", "max -device x", ""] {
        let output = run(script("record").args(["debian-6.1", "-o", "/nowhere", "--cpu", model]));
        assert!(
            !output.status.success() && said(&output).contains("is no processor model"),
            "{}",
            said(&output)
        );
    }
}
