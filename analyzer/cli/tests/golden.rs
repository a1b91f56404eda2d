//! Traces that earlier versions wrote. What they hold is read the same for ever: the events of `events --format json` to
//! the byte under one version of its schema, a report but for corrections.
//!
//! Each is one bio of the demo's workload. `without-roles.iot`: probes have no labels and no roles, the header no layout.
//! `with-roles.iot` has them. `damaged.iot` is the latter with a changed byte in its last block of events.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use xxhash_rust::xxh3::xxh3_64;

/// A trace and the XXH3-64 of its events in JSON.
const GOLDEN: [(&str, u64); 2] =
    [("without-roles", 0xabdf_2e3f_8722_cca6), ("with-roles", 0xabdf_2e3f_8722_cca6)];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("iot")
}

fn analyze(view: &[&str], trace: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iotrace-analyze"));
    command.args(view).arg(trace).arg("--no-index-file").output().unwrap()
}

#[test]
fn events_of_earlier_versions_are_read_to_the_byte() {
    for (name, expected) in GOLDEN {
        let events = analyze(&["events", "--format", "json"], &golden(name));
        assert!(events.status.success(), "{name}: {}", String::from_utf8_lossy(&events.stderr));
        let lines = std::str::from_utf8(&events.stdout).unwrap();
        let list = lines.strip_prefix("{\"schema_version\": 1, \"events\": [\n");
        let list = list.and_then(|lines| lines.strip_suffix("\n], \"incomplete\": null}\n")).unwrap();
        let sum = xxh3_64(list.as_bytes());
        assert_eq!(sum, expected, "{name}: {sum:#x} of {} bytes", list.len());
        assert!(analyze(&["verify"], &golden(name)).status.success());
    }
}

#[test]
fn reports_of_earlier_versions_are_the_same() {
    let report = |name| {
        let report = analyze(&["report"], &golden(name));
        assert!(report.status.success(), "{name}: {}", String::from_utf8_lossy(&report.stderr));
        String::from_utf8(report.stdout).unwrap()
    };
    insta::assert_snapshot!("report_without_roles", report("without-roles"));
    insta::assert_snapshot!("report_with_roles", report("with-roles"));
}

#[test]
fn a_damaged_trace_is_read_before_and_behind_the_damage() {
    let verify = analyze(&["verify"], &golden("damaged"));
    assert_eq!(verify.status.code(), Some(3), "{}", String::from_utf8_lossy(&verify.stdout));
    let report = analyze(&["report"], &golden("damaged"));
    assert_eq!(report.status.code(), Some(3));
    insta::assert_snapshot!("report_damaged", String::from_utf8(report.stdout).unwrap());
}
