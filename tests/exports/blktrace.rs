//! blkparse, btt, iowatcher and fio read the files of blktrace.

use super::{exported, rows, traces};
use iotrace_tests::json;
use iotrace_tests::readers::{proved, read_by};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The rows of btt's first table: least, mean, greatest, in nanoseconds, and how many.
fn by_btt(printed: &str) -> Vec<(String, [u64; 4])> {
    let ns = |cell: &str| cell.replace('.', "").parse::<u64>().expect("seconds with nine decimals");
    let rows =
        printed.lines().skip_while(|line| !line.starts_with("Q2Q")).take_while(|line| !line.is_empty());
    let row = |line: &str| {
        let cells: Vec<_> = line.split_whitespace().collect();
        let [name, least, mean, most, count] = cells[..] else { panic!("{line}") };
        (name.to_owned(), [ns(least), ns(mean), ns(most), count.parse().expect("a count")])
    };
    rows.map(row).collect()
}

#[test]
fn exports_for_blktrace_are_read_by_blkparse_and_btt() {
    for (name, trace) in traces() {
        let files = exported(&trace, name, "blktrace", &[]);
        let mut blkparse = Command::new("blkparse");
        blkparse.current_dir(&files).args(["-i", "sda", "-d", "sda.bin"]);
        let Some(parsed) = read_by("blktrace", "blkparse", &mut blkparse) else { return };
        totals(&parsed, &trace);
        proved("blktrace", "blkparse");
        let mut btt = Command::new("btt");
        let Some(printed) = read_by("blktrace", "btt", btt.current_dir(&files).args(["-i", "sda.bin"]))
        else {
            return;
        };
        let steps = json(&trace, &["summary"])["steps"].clone();
        let bios = json(&trace, &["report"])["bios"].clone();
        let measured = by_btt(&printed);
        assert!(measured.len() > 4, "{printed}");
        for (step, [least, mean, most, count]) in measured.iter().filter(|(step, _)| step != "Q2Q") {
            let ours = steps.as_array().expect("a list").iter().find(|ours| ours["step"] == **step);
            let ours = ours.unwrap_or_else(|| panic!("no {step} in {steps}"));
            assert_eq!(ours["count"].as_u64(), Some(*count), "{name} {step}");
            let sum = ours["sum"].as_u64().expect("a number");
            // btt rounds the mean to nanoseconds.
            assert!(sum.abs_diff(mean * count) <= *count, "{name} {step}: {sum}, {mean} of {count}");
            assert_eq!((Some(*least), Some(*most)), extremes(&bios, step), "{name} {step}");
        }
        proved("blktrace", "btt");
    }
}

/// The least and the greatest time of a step, of the bios of the report.
pub fn extremes(bios: &Value, step: &str) -> (Option<u64>, Option<u64>) {
    let stage = |letter: &str| match letter {
        "Q" => "queued",
        "G" => "got",
        "M" => "merged",
        "I" => "inserted",
        "D" => "issued",
        _ => "completed",
    };
    let (from, to) = (stage(&step[..1]), stage(&step[2..]));
    let mut times = Vec::new();
    for bio in bios.as_array().expect("a list") {
        let stages = bio["stages"].as_array().expect("a list");
        let at = |name: &str| stages.iter().find(|stage| stage["stage"] == name)?["ns"].as_u64();
        if let (Some(begin), Some(end)) = (at(from), at(to))
            && !(from == "inserted" && at("merged").is_some())
        {
            times.push(end - begin);
        }
    }
    (times.iter().min().copied(), times.iter().max().copied())
}

/// blkparse counts what the report has: bios that were queued, requests, bytes.
fn totals(parsed: &str, trace: &Path) {
    let number = |what: &str| {
        let (_, after) = parsed.split_once(what).unwrap_or_else(|| panic!("no {what} in {parsed}"));
        let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().expect("a number")
    };
    let report = json(trace, &["report"]);
    let bios = report["bios"].as_array().expect("a list");
    let queued = bios.iter().filter(|bio| bio["came_of"].is_null()).count() as u64;
    assert_eq!(number("Reads Queued:") + number("Writes Queued:"), queued);
    let merged =
        bios.iter().filter(|bio| bio["join"] == "back-merge" || bio["join"] == "front-merge").count();
    assert_eq!(number("Read Merges:") + number("Write Merges:"), merged as u64);
}

/// iowatcher draws the I/Os, fio does them again: as many, of as many bytes, as the report has.
#[test]
fn exports_for_blktrace_are_drawn_by_iowatcher_and_replayed_by_fio() {
    for (name, trace) in traces() {
        let files = exported(&trace, &format!("{name}-replay"), "blktrace", &[]);
        let mut blkparse = Command::new("blkparse");
        blkparse.current_dir(&files).args(["-i", "sda", "-d", "sda.bin", "-O"]);
        if read_by("blktrace", "blkparse", &mut blkparse).is_none() {
            return;
        }
        drawn(&files);
        replayed(&files, &rows(&trace, name, "bios"), name);
    }
}

fn drawn(files: &Path) {
    let mut iowatcher = Command::new("iowatcher");
    iowatcher.current_dir(files).args(["-t", "sda.bin", "-o", "sda.svg"]);
    if read_by("blktrace", "iowatcher", &mut iowatcher).is_none() {
        return;
    }
    let picture = std::fs::read_to_string(files.join("sda.svg")).expect("it is text");
    for graph in ["Device IO", "Throughput", "Latency", "Queue Depth", "IOPs"] {
        assert!(picture.contains(graph), "no {graph} in {picture:.2000}");
    }
    proved("blktrace", "iowatcher");
}

fn replayed(files: &Path, bios: &[Value], name: &str) {
    let target = files.join("target");
    let disk = std::fs::File::create(&target).expect("it is writable");
    disk.set_len(8 << 30).expect("it is sparse");
    let mut fio = Command::new("fio");
    fio.current_dir(files).args([
        "--name=replay",
        "--read_iolog=sda.bin",
        "--replay_no_stall=1",
        "--ioengine=sync",
    ]);
    fio.arg(format!("--replay_redirect={}", target.display()))
        .args(["--output-format=json", "--output=fio.json"]);
    if read_by("blktrace", "fio", &mut fio).is_none() {
        return;
    }
    let printed = std::fs::read_to_string(files.join("fio.json")).expect("it is text");
    let result: Value = serde_json::from_str(&printed).expect("it is JSON");
    let job = &result["jobs"][0];
    assert_eq!(job["error"], 0, "{name}");
    // What fio replays are bios that are queued; those with a flush it does as a flush.
    let of = |letter: char| {
        let is_it = |bio: &&Value| {
            bio["came_of"].is_null() && bio["rwbs"].as_str().is_some_and(|op| op.starts_with(letter))
        };
        let bios = bios.iter().filter(is_it);
        bios.fold((0, 0), |(count, bytes), bio| (count + 1, bytes + bio["bytes"].as_u64().expect("a number")))
    };
    for (direction, letter) in [("read", 'R'), ("write", 'W')] {
        let replayed =
            ["total_ios", "io_bytes"].map(|number| job[direction][number].as_u64().expect("a number"));
        assert_eq!((replayed[0], replayed[1]), of(letter), "{name}: {direction}");
    }
    assert_eq!(job["sync"]["total_ios"].as_u64(), Some(of('F').0), "{name}: flushes");
    std::fs::remove_file(target).expect("it is there");
    proved("blktrace", "fio");
}
