//! The ways of I/Os in real guests: listings, waits, explanations.

use iotrace_tests::{accounted_for, folder, json, recording, replay, script, succeed, trace_of};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Layers whose functions an I/O goes through in every recording alike. What the scheduler and interrupts add
/// depends on the moment.
const STEADY: [&str; 7] = ["syscall", "vfs", "page-cache", "filesystem", "block", "scsi", "driver"];

fn demo() -> PathBuf {
    recording(&["debian-6.1", "--workload", "demo"])
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name} in {value}"))
}

/// Functions that an I/O goes through or not by the moment, with what they call: the clock ticked since the last
/// update of a time stamp, the interrupt came before the task looked whether more is to be done or had to sleep,
/// another task was to run when a request had been sent.
const OF_THE_MOMENT: [&str; 5] =
    ["file_update_time", "xfs_vn_update_time", "dd_has_work", "blk_io_schedule", "blk_mq_delay_run_hw_queue"];

/// The functions on the way of a system call by layer, indented by call: first those of the task, then those of each
/// other context. When an interrupt comes depends on the moment too.
fn listing(trace: &Path, call: &str) -> String {
    let path = json(trace, &["path", "--call", call]);
    let mut contexts: Vec<(String, Vec<String>)> = Vec::new();
    for segment in list(&path, "segments") {
        let work = segment["work"].as_str().map(|work| format!(": {work}")).unwrap_or_default();
        let context = format!("{}{work}", segment["context"].as_str().unwrap_or("?"));
        let lines = steady(list(segment, "lines"));
        match contexts.iter_mut().find(|(known, _)| *known == context) {
            Some((_, known)) => known.extend(lines),
            None => contexts.push((context, lines)),
        }
    }
    let contexts = contexts.iter().filter(|(_, lines)| !lines.is_empty());
    let contexts = contexts.map(|(context, lines)| format!("-- {context}\n{}\n", lines.join("\n")));
    format!("{call}\n{}", contexts.collect::<String>())
}

/// The calls that are the same in every recording.
fn steady(lines: &[Value]) -> Vec<String> {
    let lines: Vec<_> = lines.iter().filter(|line| line["kind"] != "event").collect();
    let depth = |line: &Value| line["depth"].as_u64().expect("a depth");
    let mut kept = vec![false; lines.len()];
    // Depth of the function of the moment in which a line lies.
    let mut left_out = None;
    for (line, kept) in lines.iter().zip(&mut kept) {
        if left_out.is_some_and(|above| depth(line) > above) {
            continue;
        }
        left_out = OF_THE_MOMENT.iter().any(|name| line["name"] == *name).then_some(depth(line));
        *kept = left_out.is_none() && STEADY.iter().any(|layer| line["layer"] == *layer);
    }
    // An inlined function is there for what it calls.
    for at in (0..lines.len()).rev().filter(|at| lines[*at]["kind"] == "inlined") {
        let inside = lines[at + 1..].iter().take_while(|line| depth(line) > depth(lines[at])).count();
        kept[at] &= inside == 0 || kept[at + 1..=at + inside].contains(&true);
    }
    lines.iter().zip(kept).filter(|(_, kept)| *kept).map(|(line, _)| function(line)).collect()
}

fn function(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or("?").to_owned();
    let indent = "  ".repeat(line["depth"].as_u64().unwrap_or(0) as usize);
    let inlined = if line["kind"] == "inlined" { " (inlined)" } else { "" };
    format!("{:<10} {indent}{}{inlined}", text("layer"), text("name"))
}

/// The direct write, the read, the buffered write and its fsync.
fn listings(trace: &Path) -> String {
    ["pwrite:2", "pread:2", "write:3", "fsync:2"].map(|call| listing(trace, call)).join("\n")
}

#[test]
fn the_listings_hold_with_debug_info() {
    let trace = trace_of(&demo());
    insta::assert_snapshot!(listings(&trace));
    lines_are_known(&trace);
}

#[test]
fn the_listings_hold_without_debug_info() {
    let bare = succeed(script("kernel").args(["debian-6.1", "--bare"]));
    let trace = replay(&demo(), "listings-bare", &["--kernel", &bare]);
    insta::assert_snapshot!(listings(&trace));
}

/// Each function of the image and of its modules has its file and line, and so has each call of it.
fn lines_are_known(trace: &Path) {
    let path = json(trace, &["path", "--call", "pwrite:2"]);
    let lines = list(&path, "segments").iter().flat_map(|segment| list(segment, "lines"));
    let (mut functions, mut sites, mut calls) = (0, 0, 0);
    for line in lines.filter(|line| line["kind"] == "call") {
        calls += 1;
        functions += usize::from(!line["source"].is_null());
        sites += usize::from(!line["call_site"].is_null());
    }
    // Entries written in assembly have callers without lines; so have calls in functions that are not probed.
    assert!(calls > 100 && functions == calls && sites * 10 > calls * 8, "{calls} {functions} {sites}");
}

/// What a task waited for adds up to the whole, for every I/O, and is known.
#[test]
fn the_parts_of_each_wait_add_up() {
    let trace = trace_of(&demo());
    let report = json(&trace, &["report"]);
    let ios = list(&report, "ios");
    assert!(ios.len() >= 20, "{} I/Os", ios.len());
    let mut devices = 0;
    for io in ios {
        let number = io["id"].to_string();
        let why = json(&trace, &["why", "--io", &number]);
        let spans = list(&why, "spans");
        let sum: u64 = spans.iter().map(|span| span["instructions"].as_u64().expect("a number")).sum();
        assert_eq!(Some(sum), why["instructions"].as_u64(), "I/O {number}");
        assert!(spans.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]), "I/O {number}: {spans:?}");
        assert!(spans.iter().all(|span| span["kind"] != "unknown"), "I/O {number}: {spans:?}");
        devices += spans.iter().filter(|span| span["kind"] == "device").count();
    }
    assert!(devices >= 16, "{devices} times a device was waited for");
    accounted_for(&trace);
}

/// Every byte that loop-write put into the page cache is found in a bio again, and the bio knows by whom.
#[test]
fn buffered_bytes_are_followed_to_the_disk() {
    for file_system in ["xfs", "ext4"] {
        let recorded =
            recording(&["debian-6.1", "--fs", file_system, "--workload", "loop-write", "--witness"]);
        let trace = trace_of(&recorded);
        let report = json(&trace, &["report"]);
        let writes: Vec<_> = list(&report, "ios").iter().filter(|io| io["syscall"] == "write").collect();
        assert_eq!(writes.len(), 20, "{file_system}");
        for write in &writes {
            assert_eq!((&write["unwritten"], &write["return_value"]), (&0.into(), &59.into()), "{write}");
        }
        let carried = list(&report, "bios").iter().flat_map(|bio| list(bio, "carries"));
        let carried = carried.filter(|c| writes.iter().any(|write| write["id"] == c["io"]));
        let bytes: u64 = carried.map(|c| c["to"].as_u64().unwrap() - c["from"].as_u64().unwrap()).sum();
        assert_eq!(bytes, 20 * 59, "{file_system}");
    }
}

/// A guest whose queues belong to several CPUs completes in the block softirq; one with a single CPU does not.
#[test]
#[ignore = "of ./scripts/test full"]
fn the_block_softirq_is_explained() {
    let single = json(&trace_of(&demo()), &["explain"]);
    let ways = |explanation: &Value| {
        let completions = list(explanation, "completions").iter();
        completions.map(|c| c["way"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((ways(&single), list(&single, "raises").len()), (vec!["in-place".to_owned()], 0));
    let recorded = recording(&["debian-6.1", "--workload", "demo", "--append", "possible_cpus=2"]);
    let trace = trace_of(&recorded);
    let several = json(&trace, &["explain"]);
    assert_eq!(ways(&several), ["softirq"]);
    let raises = list(&several, "raises");
    assert_eq!(raises[0]["context"], "hardirq");
    let calls = list(&raises[0], "calls");
    for function in ["scsi_done", "blk_mq_complete_request_remote", "__raise_softirq_irqoff"] {
        assert!(calls.iter().any(|call| call == function), "no {function} in {calls:?}");
    }
    let woken =
        list(&several, "waits").iter().any(|wait| wait["for"] == "dio" && wait["context"] == "softirq");
    assert!(woken, "{}", several["waits"]);
    let dispatched: u64 = list(&several, "dispatches").iter().map(|d| d["count"].as_u64().unwrap()).sum();
    assert_eq!(dispatched as usize, list(&several, "requests").len());
    assert!(list(&several, "requests").iter().all(|request| request["way"] != "unknown"), "{several}");
}

/// DWARF serves where there is no BTF, as in 3.10: the same trace.
#[test]
#[ignore = "of ./scripts/test full"]
fn dwarf_serves_without_btf() {
    let kernel = PathBuf::from(succeed(script("kernel").arg("built-6.1")));
    let stripped = folder("kernels").join("without-btf");
    let mut copy = Command::new("cp");
    succeed(copy.args(["-rTL", "--remove-destination"]).arg(&kernel).arg(&stripped));
    let files = std::fs::read_dir(stripped.join("modules")).expect("there are modules");
    let files = files.map(|entry| entry.expect("it is readable").path());
    for file in files.chain([stripped.join("vmlinux")]) {
        let mut strip = Command::new("objcopy");
        // The image has symbols of the section, so that it cannot be taken out: nobody finds it by that name.
        succeed(strip.args(["--rename-section", ".BTF=.was_BTF"]).arg(file));
    }
    let recorded = recording(&["built-6.1", "--workload", "demo"]);
    let stripped = stripped.to_str().expect("a plain path");
    let traces = [replay(&recorded, "btf", &[]), replay(&recorded, "dwarf", &["--kernel", stripped])];
    let [with, without] = traces.map(|trace| std::fs::read(trace).expect("the trace is there"));
    assert!(with == without, "the traces differ: {} and {} bytes", with.len(), without.len());
}
