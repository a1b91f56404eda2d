//! The workload whose every operation is known, and the comparison of traces with it.

use iotrace_tests::{built, checkout, recording, run, said, script, succeed, trace_of};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Calls that the workload makes on every file system; on a raw disk those in the first row.
const CALLS: [&[&str]; 2] = [
    &[
        "pread",
        "pwrite",
        "read",
        "write",
        "readv",
        "writev",
        "preadv",
        "pwritev",
        "preadv2",
        "pwritev2",
        "msync",
        "store",
        "fault",
        "madvise",
        "readahead",
        "fadvise64",
        "fsync",
        "fdatasync",
        "sync_file_range",
        "sync",
        "vmsplice",
        "splice",
        "openat",
        "close",
        "io_uring_enter",
        "io_uring.read",
        "io_uring.write",
        "io_uring.readv",
        "io_uring.writev",
        "io_uring.fsync",
        "io_submit",
        "io_getevents",
        "aio.pread",
        "aio.pwrite",
        "aio.preadv",
        "aio.pwritev",
        "aio.fsync",
    ],
    &[
        "sendfile",
        "copy_file_range",
        "syncfs",
        "fallocate",
        "ftruncate",
        "truncate",
        "unlink",
        "rename",
        "mkdir",
        "ioctl",
        "execve",
    ],
];

/// The fields of the rows of the table in a recording's console.
fn rows(recorded: &Path) -> Vec<Vec<String>> {
    let console = fs::read_to_string(recorded.join("console.txt")).expect("the recording is whole");
    let rows = console.lines().filter_map(|line| line.strip_prefix("truth\trow\t"));
    rows.map(|row| row.trim_end().split('\t').map(str::to_owned).collect()).collect()
}

fn recorded(file_system: &str, workload: &str) -> std::path::PathBuf {
    recording(&["debian-6.1", "--fs", file_system, "--disk", "instant", "--workload", workload, "--strict"])
}

/// The comparison finds each of many planted faults, and none in a report without faults.
#[test]
fn planted_faults_are_found() {
    let mut tests = Command::new("python3");
    tests
        .args(["-m", "unittest", "-q", "iotrace_scripts.truth.tests"])
        .current_dir(checkout().join("scripts"));
    let text = said(&run(&mut tests));
    assert!(text.contains("Ran 5 tests") && text.trim_end().ends_with("OK"), "{text}");
}

/// Every kind of operation occurs, by several tasks, with good and bad results.
#[test]
#[ignore = "of ./scripts/test full"]
fn all_kinds_of_operations_occur() {
    for (file_system, calls) in
        [("xfs", &CALLS[..]), ("ext4", &CALLS), ("btrfs", &CALLS), ("raw", &CALLS[..1])]
    {
        let rows = rows(&recorded(file_system, "truth"));
        assert!(rows.len() > 600, "{file_system}: {} rows", rows.len());
        let column = |at: usize| rows.iter().map(|row| &*row[at]).collect::<BTreeSet<_>>();
        for call in calls.iter().flat_map(|group| group.iter()) {
            assert!(column(2).contains(call), "no {call} on {file_system}");
        }
        assert!(column(0).len() >= 3, "{file_system}: tasks {:?}", column(1));
        for error in ["0", "9", "14", "22"] {
            assert!(column(16).contains(error), "{file_system}: errors {:?}", column(16));
        }
    }
}

/// The operations follow from the seed alone.
#[test]
#[ignore = "of ./scripts/test full"]
fn operations_follow_from_the_seed() {
    let made = |workload: &str| -> Vec<String> {
        let rows = rows(&recorded("ext4", workload));
        let known = rows.iter().filter(|row| row[2] != "mmap"); // which returns an address
        known.map(|row| [&row[1..4], &row[9..10], &row[14..]].concat().join(" ")).collect()
    };
    let (one, other) = (made("truth:seed=7,count=80"), made("truth:seed=8,count=80"));
    assert_eq!(one, made("truth:seed=7,count=80,"));
    assert_ne!(one, other);
}

/// Everything is right: each operation's row, each byte, each bio's origin.
fn check(kernel: &str, file_system: &[&str], workload: &str) {
    let options =
        [&[kernel, "--fs"][..], file_system, &["--disk", "instant", "--strict", "--workload", workload]];
    let recorded = recording(&options.concat());
    let mut check = script("check-truth");
    check.arg(&recorded).arg(trace_of(&recorded)).arg("--analyzer").arg(built("iotrace-analyze"));
    let output = run(&mut check);
    let text = said(&output);
    let what = format!("{kernel} {file_system:?} {workload}");
    assert_eq!(output.status.code(), Some(0), "{what}: {text}");
    let all = text.lines().find(|line| line.starts_with("all ")).expect("a line of sums");
    let counts: Vec<u64> = all.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect();
    assert!(counts[0] > 1000 && counts[1..] == [0; 3], "{what}: {all}");
}

/// A seed drawn now.
fn drawn_seed() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("truth:seed={}", now.as_nanos() % 1_000_000)
}

#[test]
fn everything_is_right() {
    check("debian-6.1", &["xfs"], "truth");
    check("debian-7.x", &["ext4"], "truth:seed=2");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn everything_is_right_everywhere() {
    for kernel in ["debian-6.1", "debian-7.x"] {
        for file_system in
            [&["xfs"][..], &["ext4"], &["ext4", "--mkfs-options", "-b 1024"], &["btrfs"], &["raw"]]
        {
            check(kernel, file_system, if kernel == "debian-6.1" { "truth" } else { "truth:seed=2" });
        }
    }
    check("debian-6.1", &["btrfs"], &drawn_seed());
}

/// A recording of another workload has no table.
#[test]
fn other_recordings_are_refused() {
    let recorded = recording(&["debian-6.1", "--fs", "xfs", "--workload", "loop-write"]);
    let trace = recorded.join("rr.log");
    let output =
        run(script("check-truth").arg(&recorded).arg(&trace).arg("--analyzer").arg(built("iotrace-analyze")));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("has no table of the workload truth"), "{}", said(&output));
    assert!(!succeed(script("check-truth").arg("--help")).is_empty());
}
