//! babeltrace2 and the analyses of LTTng read CTF.

use super::blktrace::extremes;
use super::{exported, rows, traces};
use iotrace_tests::readers::{proved, read_by};
use iotrace_tests::{analyze, folder, json, succeed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn exports_as_ctf_are_read_by_babeltrace_and_the_analyses_of_lttng() {
    for (name, trace) in traces() {
        let files = exported(&trace, name, "ctf", &[]);
        let mut babeltrace = Command::new("babeltrace2");
        let Some(printed) = read_by("ctf", "babeltrace2", babeltrace.arg(&files)) else { return };
        let count =
            |event: &str| printed.lines().filter(|line| line.contains(&format!(" {event}: "))).count();
        let blocks = folder("exports").join(format!("{name}-block-events.csv"));
        let mut command = analyze(&["export", "--to", "csv", "--table", "block-events"], &trace);
        succeed(command.arg("-o").arg(&blocks));
        let blocks = std::fs::read_to_string(blocks).expect("it is text");
        for event in ["block_bio_queue", "block_getrq", "block_rq_issue", "block_rq_complete"] {
            let ours = blocks.lines().filter(|line| line.starts_with(&format!("{event},"))).count();
            assert!(ours > 10 && count(event) == ours, "{name} {event}: {ours}");
        }
        proved("ctf", "babeltrace2");
        disk_latency(&files, &trace, name);
        system_calls(&files, &trace, name);
    }
}

/// The disk latency of lttng-iolatencystats is D2C.
fn disk_latency(files: &Path, trace: &Path, name: &str) {
    let mut lttng = Command::new("lttng-iolatencystats");
    let Some(printed) = read_by("ctf", "lttng", lttng.arg("--no-progress").arg(files)) else { return };
    let row = printed.lines().find(|line| line.starts_with("sda")).unwrap_or_else(|| panic!("{printed}"));
    let cells: Vec<_> = row.split_whitespace().collect();
    // Microseconds with three decimals.
    let ns = |at: usize| cells[at].replace('.', "").parse::<u64>().expect("microseconds");
    let steps = json(trace, &["summary"])["steps"].clone();
    let step =
        steps.as_array().expect("a list").iter().find(|step| step["step"] == "D2C").expect("it is there");
    let (count, sum) = (step["count"].as_u64().expect("a number"), step["sum"].as_u64().expect("a number"));
    // It counts requests: of several bios in one, one.
    if name == "demo" {
        assert_eq!(cells[1].parse::<u64>().ok(), Some(count), "{row}");
        assert!(sum.abs_diff(ns(3) * count) <= count, "{row}");
    }
    let (least, most) = extremes(&json(trace, &["report"])["bios"], "D2C");
    assert_eq!((Some(ns(2)), Some(ns(4))), (least, most), "{row}");
    proved("ctf", "lttng");
}

/// A system call as lttng-iolog and ours have it: thread, name, begin and end in nanoseconds, bytes, file.
type SyscallRow = (u64, String, u64, u64, u64, String);

/// The system calls that read, write and flush are those of lttng-iolog, to the nanosecond, with the names of their files.
fn system_calls(files: &Path, trace: &Path, name: &str) {
    let Some(printed) = read_by("ctf", "lttng", Command::new("lttng-iolog-mi").arg(files)) else { return };
    let log: Value = serde_json::from_str(&printed).expect("it is JSON");
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let row = |row: &Value| -> SyscallRow {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (begin, end) = (number(&row[0]["begin"]["value"]), number(&row[0]["end"]["value"]));
        (
            number(&row[5]["tid"]),
            text(&row[3]["name"]),
            begin,
            end,
            number(&row[4]["value"]),
            text(&row[6]["path"]),
        )
    };
    let theirs: Vec<_> = log["results"][0]["data"].as_array().expect("a list").iter().map(row).collect();
    let known = ["read", "pread", "readv", "write", "pwrite", "writev", "fsync", "fdatasync", "sync"];
    let mut compared = 0;
    let mut ios = rows(trace, name, "ios");
    ios.retain(|io| {
        io["kind"] == "syscall" && io["syscall"].as_str().is_some_and(|call| known.contains(&call))
    });
    ios.retain(|io| !io["return_ns"].is_null());
    for io in &ios {
        let call = io["syscall"].as_str().expect("a name");
        // A call that has no bytes has none there either.
        let bytes = if call.ends_with("sync") { 0 } else { number(&io["returned"]) };
        let file = io["file"].as_str().unwrap_or_default().to_owned();
        let ours = (
            number(&io["pid"]),
            call.to_owned(),
            number(&io["entry_ns"]),
            number(&io["return_ns"]),
            bytes,
            file,
        );
        assert!(theirs.contains(&ours), "{name}: {ours:?} is not among {theirs:?}");
        compared += 1;
    }
    assert!(compared > 20, "{name}: {compared} calls are compared");
    let files: BTreeSet<_> =
        ios.iter().filter_map(|io| io["file"].as_str()).filter(|file| !file.is_empty()).collect();
    let on_files =
        theirs.iter().filter(|row| known.contains(&row.1.as_str()) && files.contains(row.5.as_str()));
    let ours = ios.iter().filter(|io| io["file"].as_str().is_some_and(|file| files.contains(file)));
    assert_eq!(on_files.count(), ours.count(), "{name}: lttng-iolog has no further calls on these files");
    proved("ctf", "lttng");
}
