//! The process boundary: exit codes, pipes, files.

use iotrace_format::definition::{Definition, Kind, TraceInfo};
use iotrace_format::event::{Event, MARK};
use iotrace_format::trace::writer::TraceWriter;
use iotrace_synthetic_guest::{buffered, changed_write, direct_write, small};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_iotrace-analyze");

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn write_buffered(self) -> (Self, PathBuf) {
        let path = self.write("b.iot", &buffered().file());
        (self, path)
    }

    fn trace(&self) -> PathBuf {
        self.write("t.iot", &small().file())
    }
}

fn run(args: &[&str], trace: &Path) -> Output {
    let (command, rest) = args.split_first().unwrap();
    Command::new(PROGRAM).arg(command).arg(trace).args(rest).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_view_succeeds_and_is_plain_in_a_pipe() {
    let place = Place::new();
    let trace = place.trace();
    for args in [
        &["report"][..],
        &["report", "--all", "--delta"],
        &["bio", "2"],
        &["bio", "#4"],
        &["events"],
        &["info"],
        &["whatif", "--device", "read=1ms"],
    ] {
        let output = run(args, &trace);
        assert_eq!(code(&output), 0, "{args:?}: {}", said(&output));
        assert!(output.stderr.is_empty(), "{args:?}: {}", said(&output));
        assert!(!output.stdout.is_empty() && !output.stdout.contains(&0x1b), "{args:?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let place = Place::new();
    let missing = run(&["report"], Path::new("/nowhere/t.iot"));
    assert_eq!(code(&missing), 1);
    assert!(said(&missing).contains("/nowhere/t.iot"), "{}", said(&missing));
    let text = run(&["info"], &place.write("text", b"this is no trace at all"));
    assert_eq!(code(&text), 1);
    assert!(said(&text).contains("not an iotrace trace"), "{}", said(&text));
    let bio = run(&["bio", "99"], &place.trace());
    assert_eq!(code(&bio), 1);
    assert!(said(&bio).contains("no bio #99"), "{}", said(&bio));
    for (args, expected) in [
        (&["path", "--io", "7"][..], "has no I/O #7"),
        (&["why", "--call", "fsync:2"], "no 2 fsync calls"),
        (&["why", "--bio", "1"], "its origin is not a system call of the trace"),
    ] {
        let output = run(args, &place.trace());
        assert_eq!(code(&output), 1, "{args:?}");
        assert!(said(&output).contains(expected), "{args:?}: {}", said(&output));
    }
}

#[test]
fn a_wrong_command_line_is_two() {
    let place = Place::new();
    let trace = place.trace();
    for (args, expected) in [
        (&["bio", "zero"][..], "counted from 1"),
        (&["events", "--clock", "9..1"], "9 is after 1"),
        (&["report", "--format", "xml"], "text"),
        (&["report", "--layer", "disk"], "the layers syscall"),
        (&["events", "--time", "1..2"], "has no unit"),
        (&["report", "--op", "rw"], "expected read, write"),
        (&["whatif"], "--device <MODEL>"),
        (
            &["whatif", "--device", "write=1us,read=100us+1us/KB"],
            "in `read=100us+1us/KB`: invalid rate `1us/KB`",
        ),
        (&["path", "--io", "1", "--bio", "1"], "cannot be used with"),
        (&["why", "--io", "1", "--fd", "3"], "does not go with conditions"),
    ] {
        let output = run(args, &trace);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(said(&output).contains(expected), "{args:?}: {}", said(&output));
    }
}

#[test]
fn conditions_choose_in_every_view() {
    let trace = Place::new().write_buffered();
    let lines = |args: &[&str]| {
        let output = run(args, &trace.1);
        assert_eq!(code(&output), 0, "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let conditions = ["--fd", "3", "--size", "59"];
    let report = lines(&[&["report"][..], &conditions].concat());
    assert!(report.contains("I/Os (workload, matching the conditions): 3"), "{report}");
    assert!(report.contains("Bios (workload, matching the conditions): 1"), "{report}");
    assert_eq!(lines(&[&["events"][..], &conditions].concat()).lines().count(), 3);
    let window = ["--time", "1.6us..3us"];
    let report = lines(&[&["report"][..], &window].concat());
    // Two writes, and the work item that writes back.
    assert!(report.contains("I/Os (workload, matching the conditions): 3"), "{report}");
    assert!(lines(&[&["events"][..], &window].concat()).lines().count() > 10);
    assert!(lines(&["why", "--syscall", "write", "--op", "W"]).starts_with("I/O #1: write"));
    assert!(lines(&["path", "--fd", "4"]).starts_with("I/O #5: write"));
    let none = run(&["why", "--fd", "77"], &trace.1);
    assert_eq!(code(&none), 1);
    assert!(said(&none).contains("matches the conditions"), "{}", said(&none));
}

#[test]
fn another_device_takes_its_time() {
    let place = Place::new();
    let trace = place.write("way.iot", &direct_write().file());
    let json = |model: &str| -> Value {
        let output = run(&["whatif", "--device", model, "--format", "json"], &trace);
        assert_eq!((code(&output), said(&output).as_str()), (0, ""), "{model}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for (model, difference) in
        [("write=7188ns,depth=1", 0), ("write=3.132us+1us/KiB", -56), ("write=1ms", 992_812)]
    {
        let whatif = json(model);
        assert_eq!(whatif["ios"][0]["elapsed"]["difference"], difference, "{model}");
        assert_eq!(whatif["total"]["difference"], difference, "{model}");
    }
}

#[test]
fn a_cut_trace_is_shown_and_is_three() {
    let place = Place::new();
    let whole = small().file();
    let trace = place.write("cut.iot", &whole[..whole.len() - 100]);
    for args in [&["report"][..], &["info"], &["events"], &["whatif", "--device", "depth=1"]] {
        let output = run(args, &trace);
        assert_eq!(code(&output), 3, "{args:?}");
        assert!(said(&output).contains("is truncated at offset"), "{args:?}: {}", said(&output));
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_trace_cut_or_damaged_anywhere_is_answered() {
    let place = Place::new();
    let whole = small().file();
    for at in (0..whole.len()).step_by(97) {
        let cut = run(&["report"], &place.write("cut.iot", &whole[..at]));
        assert!([1, 3].contains(&code(&cut)), "cut at {at}: {}", said(&cut));
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let output = run(&["report"], &place.write("damaged.iot", &damaged));
        assert!([0, 1, 3].contains(&code(&output)), "damaged at {at}: {}", said(&output));
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::new();
    let mut guest = small();
    for clock in 0..40_000 {
        guest.raw(10_000 + clock, 6, &[9, clock]);
    }
    let trace = place.write("long.iot", &guest.file());
    for format in ["text", "json"] {
        let mut child = Command::new(PROGRAM)
            .args(["events", "--format", format])
            .arg(&trace)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((code(&output), said(&output).as_str()), (0, ""), "{format}");
    }
}

#[test]
fn the_witness_decides_the_exit_code() {
    let place = Place::new();
    let trace = place.trace();
    let queued = " dd-42 [000] ..... 1.0: block_bio_queue: 8,0";
    let rest = " dd-42 [000] ..... 1.0: block_getrq: 8,0 WS 100 + 8 [dd]
 dd-42 [000] ..... 1.0: block_getrq: 8,0 R 500 + 1 [dd]
 dd-42 [000] ..... 1.0: block_bio_backmerge: 8,0 WS 108 + 8 [dd]
 dd-42 [000] ..... 1.0: block_rq_insert: 8,0 WS 8192 () 100 + 16 [dd]
 dd-42 [000] ..... 1.0: block_rq_issue: 8,0 WS 8192 () 100 + 16 [dd]
 dd-42 [000] ..... 1.0: block_rq_complete: 8,0 WS () 100 + 16 [0]
";
    let right =
        format!("{queued} WS 100 + 8 [dd]\n{queued} WS 108 + 8 [dd]\n{queued} R 500 + 1 [dd]\n{rest}");
    let same =
        run(&["compare-tracepoints", place.write("right.txt", right.as_bytes()).to_str().unwrap()], &trace);
    assert_eq!(code(&same), 0, "{}", String::from_utf8_lossy(&same.stdout));
    let wrong = right.replace("500 + 1", "501 + 1");
    let different =
        run(&["compare-tracepoints", place.write("wrong.txt", wrong.as_bytes()).to_str().unwrap()], &trace);
    assert_eq!(code(&different), 5);
    assert!(String::from_utf8_lossy(&different.stdout).contains("501"));
}

#[test]
fn two_traces_of_a_recording_are_the_same_or_where_they_differ_is_printed() {
    let place = Place::new();
    let mut guest = direct_write();
    let a = place.write("a.iot", &guest.file());
    let same = run(&["diverge", a.to_str().unwrap()], &a);
    let text = String::from_utf8_lossy(&same.stdout);
    assert!(code(&same) == 0 && text.contains("no difference in "), "{text}");
    guest.events[20].task ^= 8;
    let b = place.write("b.iot", &guest.file());
    let different = run(&["diverge", b.to_str().unwrap(), "--around", "2"], &a);
    let text = String::from_utf8_lossy(&different.stdout);
    let first = "20 events are the same; the first difference is event 21 of A at instruction ";
    assert!(code(&different) == 5 && text.contains(first), "{text}");
    // Two events before it, it and two after it of each trace.
    let events = text.lines().filter(|line| line.starts_with("  "));
    let numbers = events.filter_map(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    assert_eq!(numbers.collect::<Vec<_>>(), [19, 20, 21, 22, 23, 21, 22, 23], "{text}");
    let cut = place.write("cut.iot", &guest.file()[..guest.file().len() - 100]);
    let damaged = run(&["diverge", cut.to_str().unwrap()], &b);
    assert_eq!(code(&damaged), 3, "{}", String::from_utf8_lossy(&damaged.stdout));
}

#[test]
fn a_limit_that_is_passed_decides_the_exit_code() {
    let place = Place::new();
    let a = place.write("a.iot", &direct_write().file());
    let b = place.write("b.iot", &changed_write().file());
    let budget = place.write("budget", b"# ours\npwrite.instructions > +1%\n");
    let budget = budget.to_str().unwrap();
    let diff = |more: &[&str]| run(&[&["diff", b.to_str().unwrap()], more].concat(), &a);
    for (more, expected, said) in [
        (&[][..], 0, ""),
        (&["--fail-on", "total.instructions>29"], 4, "total.instructions>29"),
        (&["--fail-on", "total.instructions>30"], 0, ""),
        (&["--budget", budget], 4, "pwrite.instructions > +1%"),
        (&["--fail-on", "total.speed>30"], 2, "expected one of instructions"),
    ] {
        let output = diff(more);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(code(&output), expected, "{more:?}: {message}");
        assert!(message.contains(said), "{more:?}: {message}");
    }
}

/// What the program does with a trace as the first argument of a command.
fn asked(args: &[&str], trace: &Path) -> Output {
    Command::new(PROGRAM).arg(args[0]).arg(trace).args(&args[1..]).output().unwrap()
}

/// Ends with a status, prints something on either output.
fn check(args: &[&str], trace: &Path, status: i32, out: &str, said: &str) {
    let output = asked(args, trace);
    let (printed, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{args:?}: {printed}{complained}");
    assert!(printed.contains(out) && complained.contains(said), "{args:?}: {printed}\n{complained}");
}

#[test]
fn numbers_are_positional_and_the_slowest_io_is_the_default() {
    let (place, trace) = Place::new().write_buffered();
    check(&["path", "5"], &trace, 0, "I/O #5: write", "");
    check(&["path", "--io", "5"], &trace, 0, "I/O #5: write", "");
    check(&["path", "--bio", "2"], &trace, 0, "bio #2", "");
    check(&["bio", "2"], &trace, 0, "Bio #2", "");
    check(&["path"], &trace, 0, "I/O #5", "showing the slowest I/O of the workload, #5");
    check(&["why"], &trace, 0, "I/O #5", "showing the slowest I/O of the workload, #5");
    check(&["events", "--io", "4"], &trace, 0, "sys_write", "");
    check(&["events", "--io", "99"], &trace, 1, "", "no I/O #99");
    check(&["path", "99"], &trace, 1, "", "no I/O #99");
    check(&["path", "4", "--fd", "3"], &trace, 2, "", "does not go with conditions");
    let part = place.folder.path().join("part.iot");
    check(&["slice", "4", "-o", part.to_str().unwrap()], &trace, 0, "events to", "");
}

#[test]
fn unknown_words_of_closed_lists_are_an_invalid_command_line() {
    let missing = Path::new("/nonexistent/trace.iot");
    for (args, said) in [
        (["events", "--stage", "bio.queu"], "did you mean \"bio.queue\""),
        (["events", "--type", "mmio"], "event types are"),
        (["report", "--layer", "disk"], "syscall"),
        (["report", "--op", "rw"], "read, write, flush"),
        (["report", "--sort", "speed"], "elapsed"),
    ] {
        check(&args, missing, 2, "", said);
    }
}

#[test]
fn names_that_do_not_occur_give_an_empty_result_and_those_that_do() {
    let (_place, trace) = Place::new().write_buffered();
    check(&["report", "--task", "cp"], &trace, 1, "0 I/Os", "tasks of the workload: ");
    check(&["report", "--file", "x"], &trace, 1, "0 I/Os", "files of the workload: test.txt");
    check(&["report", "--syscall", "mkdir"], &trace, 1, "0 I/Os", "system calls of the workload: ");
    check(&["path", "--task", "cp"], &trace, 1, "", "tasks of the workload: ");
    check(&["events", "--task", "cp"], &trace, 1, "", "tasks of the workload: ");
}

#[test]
fn rows_are_sorted_limited_and_chosen_by_elapsed_time() {
    let (_place, trace) = Place::new().write_buffered();
    let rows = |args: &[&str]| {
        let output = asked(&[&["report"], args, &["--format", "json"]].concat(), &trace);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let numbers = |key: &str| -> Vec<u64> {
            report[key].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
        };
        (numbers("ios"), numbers("bios"))
    };
    assert_eq!(rows(&[]), (vec![1, 2, 3, 4, 5], vec![1, 2]));
    assert_eq!(rows(&["--sort", "elapsed"]).0, [5, 3, 1, 2, 4]);
    assert_eq!(rows(&["--sort", "elapsed", "--top", "1"]).0, [5]);
    assert_eq!(rows(&["--sort", "bytes"]).1.len(), 2);
    let (ios, _) = rows(&["--elapsed", "..0.04us"]);
    assert!(!ios.contains(&5), "{ios:?}");
}

/// A trace of marks at these clocks, each in a block of its own.
fn marks(clocks: &[u64]) -> Vec<u8> {
    let mut writer = TraceWriter::new(Vec::new()).unwrap();
    let words = MARK.words.iter().map(|word| (*word).to_owned()).collect();
    let kind = Definition::Kind(Kind { id: MARK.id, name: MARK.name.to_owned(), words });
    writer.definitions(&[Definition::Trace(TraceInfo::default()), kind]).unwrap();
    for clock in clocks {
        let (kind, words) = (MARK.id, &[9, 0][..]);
        writer.event(&Event { kind, vcpu: 0, clock: *clock, context: 0, task: 0, stack: 0, words }).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn a_report_of_a_trace_that_verify_rejects_is_three() {
    let place = Place::new();
    let sound = place.write("sound.iot", &marks(&[5, 10]));
    check(&["verify"], &sound, 0, "OK", "");
    check(&["report"], &sound, 0, "", "");
    let disordered = place.write("disordered.iot", &marks(&[10, 5]));
    check(&["verify"], &disordered, 3, "", "");
    check(&["report"], &disordered, 3, "", "is inconsistent");
}
