//! gdb in replays (`scripts/gdb`): where it stops, what it goes back to, what it leaves.

use iotrace_tests::{built, checkout, json, recording, run, said, script, succeed};
use std::path::Path;
use std::process::Command;

pub const DEMO: [&str; 3] = ["debian-6.1", "--workload", "demo:count=3,direct=2"];

/// `scripts/gdb` without a terminal, with gdb's commands.
pub fn gdb(recorded: &Path, options: &[&str], commands: &[&str]) -> Command {
    let mut command = script("gdb");
    command.arg(recorded).args(options).arg("--batch").arg("--analyzer").arg(built("iotrace-analyze"));
    for text in commands {
        command.args(["-ex", text]);
    }
    command
}

/// At events of the workload, in any order, the count is the event's clock and the instruction pointer the probe's; on a
/// second visit all registers are the same.
fn stops_at_events(options: &[&str], events: usize) {
    let recorded = recording(&[&DEMO[..1], options, &DEMO[1..]].concat());
    let source = format!("source {}", checkout().join("tests/debugger/events.py").display());
    let printed = succeed(&mut gdb(&recorded, &[], &[&format!("python EVENTS={events}"), &source]));
    let of = |what: &str| printed.lines().find(|line| line.contains(what)).unwrap_or_default().to_owned();
    assert!(of("page faults").starts_with(&format!("{events} events")), "{printed}");
    assert!(of("page faults").ends_with(" 0 wrong"), "{printed}");
    assert_eq!(of("visited again"), "20 visited again, 0 with other registers", "{printed}");
}

#[test]
fn gdb_stops_at_events() {
    stops_at_events(&[], 40);
}

/// A controller whose snapshots cannot be loaded in a running replay: QEMU starts again for each step back.
#[test]
fn gdb_stops_at_events_with_megasas() {
    stops_at_events(&["--controller", "megasas"], 25);
}

#[test]
#[ignore = "of ./scripts/test full"]
fn gdb_stops_at_two_hundred_events() {
    stops_at_events(&[], 200);
    stops_at_events(&["--controller", "virtio-blk-pci"], 200);
}

#[test]
#[ignore = "of ./scripts/test full"]
fn gdb_stops_at_events_of_other_kernels() {
    for kernel in ["debian-5.10", "debian-6.12", "debian-7.x"] {
        let recorded = recording(&[kernel, "--workload", "demo:count=3,direct=2"]);
        let source = format!("source {}", checkout().join("tests/debugger/events.py").display());
        let printed = succeed(&mut gdb(&recorded, &[], &["python EVENTS=40", &source, "p $current()->comm"]));
        assert!(printed.contains(" 0 wrong") && printed.contains(" 0 with other registers"), "{printed}");
        assert!(printed.contains("$1 = \""), "{printed}");
    }
}

/// Values of the trace and of gdb are the same; the last write is found; what was gone back over is executed again.
fn goes_back(options: &[&str]) {
    let recorded = recording(&[&DEMO[..1], options, &DEMO[1..]].concat());
    let trace = recorded.join("trace.iot");
    let report = json(&trace, &["report"]);
    let io = report["ios"].as_array().expect("a list").iter().find(|io| io["syscall"] == "pwrite");
    let bio = io.expect("the workload writes directly")["bios"][0].as_u64().expect("it has a bio");
    let bio = report["bios"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|found| found["id"] == bio)
        .expect("it is there");
    let number = bio["id"].as_u64().expect("a number");
    let sector = format!("p $bio({number})->bi_iter.bi_sector");
    let written = format!("iotrace-who-wrote $bio({number})->bi_iter.bi_sector");
    let printed = succeed(&mut gdb(
        &recorded,
        &["--bio", &number.to_string()],
        &[
            &sector,
            "p $current()->comm",
            "iotrace-io",
            &written,
            "iotrace-clock",
            "break submit_bio",
            "continue",
            "reverse-stepi",
        ],
    ));
    let has = |text: &str| assert!(printed.contains(text), "no {text:?} in {printed}");
    has(&format!("$1 = {}\n", bio["sector"]));
    has("$2 = \"direct-io");
    has(&format!("  bio {number}: {} ", bio["rwbs"].as_str().expect("a text")));
    has(&format!("was 0, then {}: written by the next instruction", bio["sector"]));
    has("Breakpoint 1");
}

#[test]
fn gdb_goes_back() {
    goes_back(&[]);
}

#[test]
fn gdb_goes_back_without_snapshots() {
    goes_back(&["--controller", "megasas"]);
}

/// The ends of a recording are named, and what is asked for wrongly.
#[test]
fn gdb_names_the_ends_of_a_recording() {
    let recorded = recording(&DEMO);
    let printed = succeed(&mut gdb(&recorded, &[], &["reverse-continue", "continue"]));
    assert!(printed.contains("no breakpoint was hit: begin of the recording"), "{printed}");
    assert!(printed.contains("end of the recording"), "{printed}");
    for (options, reason) in [
        (&["--bio", "99999"][..], "no bio 99999"),
        (&["--event", "0"], "no event 0"),
        (&["--clock", "5"], "before the begin of the recording"),
        (&["--bio", "1", "--at", "nowhere"], "has no stage nowhere"),
    ] {
        let refused = run(&mut gdb(&recorded, options, &[]));
        assert!(!refused.status.success() && said(&refused).contains(reason), "{}", said(&refused));
    }
    let bare =
        recording(&["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32", "--workload", "loop-write"]);
    let other = bare.join("trace.iot").display().to_string();
    let refused = said(&run(&mut gdb(&recorded, &[&other], &[])));
    assert!(refused.contains("is of another"), "{refused}");
    let refused = said(&run(&mut gdb(&bare, &[], &[])));
    assert!(refused.contains("has no debug information"), "{refused}");
}

/// A session that is killed leaves no QEMU behind, and a recording that replays.
#[test]
fn a_killed_session_leaves_the_recording() {
    let recorded = recording(&DEMO);
    let killed = "python import os, signal; print('qemu', __import__('iotrace_scripts.debugger.session').debugger.session.current()\
                  .replay.process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)";
    let printed = said(&run(&mut gdb(&recorded, &[], &["iotrace-next", killed])));
    let pid = printed.lines().find_map(|line| line.strip_prefix("qemu ")).expect("it was printed").to_owned();
    let ended = |_: &u32| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !state.contains("(qemu") || state.contains(") Z ")
    };
    assert!((0..1_000_000).any(|n| ended(&n)), "QEMU {pid} still runs");
    let again = run(script("replay").arg(&recorded).arg("--no-plugin"));
    assert!(again.status.success(), "{}", said(&again));
}
