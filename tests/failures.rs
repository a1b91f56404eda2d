//! A disk with errors: which commands failed, why, how often they were tried, and how the bios ended.

use iotrace_tests::{analyze, json, recording, run, said, script, succeed, trace_of};
use serde_json::Value;

/// Sector of a read that fails each time.
const UNREADABLE: u64 = 256;
/// Sector of a write that fails once.
const REFUSED_ONCE: u64 = 512;

const WORKLOAD: &str = "sh:dd if=$DISK of=/dev/null bs=4096 count=1 skip=32 iflag=direct; \
                        dd if=/dev/zero of=$DISK bs=4096 count=1 seek=64 oflag=direct; true";

/// A disk goes while a program writes to it; what it has not written by then fails.
const REMOVAL: &str = "sh:loop-write /mnt/log.txt 200 0 & \
                       usleep 20000; echo 1 >/sys/block/${DISK#/dev/}/device/delete; wait; \
                       dd if=/dev/zero of=/mnt/late bs=4096 count=4 conv=fsync 2>/dev/null; true";

fn report(recorded: &[&str]) -> Value {
    let trace = trace_of(&recording(recorded));
    let text = succeed(&mut analyze(&["report", "--format", "json"], &trace));
    serde_json::from_str(&text).expect("it is JSON")
}

/// The bio of the workload at a sector.
fn bio(report: &Value, sector: u64) -> &Value {
    let bios = report["bios"].as_array().expect("a list");
    bios.iter().find(|bio| bio["sector"] == sector).expect("the bio is in the report")
}

fn clock(bio: &Value, stage: &str) -> Option<u64> {
    bio["stages"].as_array()?.iter().find(|reached| reached["stage"] == stage)?["clock"].as_u64()
}

// QEMU's device answers with IO_ERROR, an aborted command (hw/scsi/scsi-disk.c), which SCSI tries five times more
// (drivers/scsi/scsi_error.c, SD_MAX_RETRIES).
#[test]
#[ignore = "of ./scripts/test full"]
fn errors_of_a_disk_are_those_of_its_bios() {
    let errors = [format!("read:{UNREADABLE}"), format!("write:{REFUSED_ONCE}:once")];
    let report = report(&[
        "debian-6.1",
        "--fs",
        "raw",
        "--disk-size",
        "32",
        "--controller",
        "megasas",
        "--disk-error",
        &errors[0],
        "--disk-error",
        &errors[1],
        "--workload",
        WORKLOAD,
    ]);
    for (sector, failed, attempts, status) in [(UNREADABLE, 6, 6, 10), (REFUSED_ONCE, 1, 2, 0)] {
        let bio = bio(&report, sector);
        let sense: Vec<_> =
            bio["errors"].as_array().expect("a list").iter().map(|error| &error["error"]).collect();
        assert_eq!(sense, vec!["Aborted Command b/00/06"; failed], "{bio}");
        assert_eq!(
            (bio["attempts"].as_u64(), bio["status"].as_u64()),
            (Some(attempts), Some(status)),
            "{bio}"
        );
        let stages = ["first-issued", "requeued", "issued", "ended"].map(|stage| clock(bio, stage));
        assert!(stages.iter().all(Option::is_some) && stages.is_sorted(), "{bio}");
    }
}

// What the disk has when it goes is served. What comes later is not issued to it, and ends with an error, which its tasks see.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_disk_that_is_removed_while_it_is_written_leaves_no_bio_behind() {
    let recorded = recording(&[
        "debian-6.1",
        "--fs",
        "ext4",
        "--disk-size",
        "32",
        "--controller",
        "megasas",
        "--workload",
        REMOVAL,
    ]);
    let trace = trace_of(&recorded);
    succeed(&mut analyze(&["verify"], &trace));
    let report = json(&trace, &["report"]);
    let bios = report["bios"].as_array().expect("a list");
    assert!(bios.iter().all(|bio| bio["complete"] == true), "{report}");
    let (served, failed): (Vec<_>, Vec<_>) = bios.iter().partition(|bio| bio["status"] == 0);
    assert!(!served.is_empty() && !failed.is_empty(), "{report}");
    assert!(failed.iter().all(|bio| clock(bio, "issued").is_none()), "{report}");
    let ios = report["ios"].as_array().expect("a list");
    let told = ios.iter().any(|io| io["syscall"] == "fsync" && io["return_value"] == -5); // EIO
    assert!(told, "{report}");
}

#[test]
fn an_error_that_no_disk_can_have_is_refused() {
    for wrong in ["read", "read:", "flush:1", "read:-1", "write:1:twice", "read:1,x=y"] {
        let output = run(script("record").args(["--disk-error", wrong, "--output", "/nonexistent/place"]));
        assert!(!output.status.success() && said(&output).contains("machine errors is"), "{}", said(&output));
    }
}
