//! Replays that stand still, and those that are not the recording's.

use iotrace_tests::{
    SMALL_GUEST, analyze, checkout, folder, recording, run, said, script, succeed, with_checksum, with_plugin,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A number that no request of a short recording has.
const NO_REQUEST: u64 = 0xffff_ffff;

/// A copy of a recording whose files may be changed.
fn copy_of(recorded: &Path, name: &str) -> PathBuf {
    let copy = folder("recordings").join(name);
    let _ = fs::remove_dir_all(&copy);
    succeed(Command::new("cp").args(["-rT"]).arg(recorded).arg(&copy));
    copy
}

/// Has a recording's manifest list a file as it is now.
fn list_again(recorded: &Path, file: &str) {
    let path = recorded.join("manifest.json");
    let text = fs::read_to_string(&path).expect("the recording is whole");
    let mut manifest: Value = serde_json::from_str(&text).expect("it is JSON");
    let sum = succeed(Command::new("sha256sum").arg(recorded.join(file)));
    let length = fs::metadata(recorded.join(file)).expect("it is there").len();
    manifest["files"][file]["sha256"] = sum.split(' ').next().into();
    manifest["files"][file]["bytes"] = length.into();
    fs::write(path, with_checksum(&manifest)).expect("the copy is writable");
}

/// Replaces the number of the last disk request but a few in a log by one that no request has: QEMU waits for it.
fn lose_a_request(log: &Path) {
    let code = "import sys; from iotrace_scripts import rrlog; data = bytearray(open(sys.argv[1], 'rb').read()); \
                disks = [at for at, end, kind in rrlog.walk(bytes(data)) if kind == rrlog.DISK]; \
                at = disks[-5]; data[at + 1:at + 9] = int(sys.argv[2]).to_bytes(8); \
                open(sys.argv[1], 'wb').write(data)";
    let mut python = Command::new("python3");
    python.current_dir(checkout().join("scripts")).args(["-c", code]).arg(log);
    succeed(python.arg(NO_REQUEST.to_string()));
}

fn replayed(recorded: &Path, trace: &Path) -> Output {
    run(script("replay").arg(recorded).args(with_plugin()).arg("-o").arg(trace))
}

#[test]
fn a_replay_that_stands_still_is_ended_and_explained() {
    let recorded =
        copy_of(&recording(&["debian-6.1", "--workload", "demo:count=3,direct=2"]), "standing-still");
    lose_a_request(&recorded.join("rr.log"));
    list_again(&recorded, "rr.log");
    let trace = folder("traces").join("standing-still.iot");
    let output = replayed(&recorded, &trace);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for part in [
        "replaying: the guest executes no more instructions: QEMU was ended",
        &format!("a disk request that completes (number {NO_REQUEST})"),
        "recordings with lsi53c895a are known to replay",
        "it is truncated",
    ] {
        assert!(text.contains(part), "no '{part}' in {text}");
    }
    let place = text.lines().find(|line| line.starts_with("the guest is in ")).expect("the guest's function");
    assert!(!place.contains("unknown"), "{text}");
    let counts = text.lines().find_map(|line| {
        let (executed, total) = line.strip_prefix("the guest has executed ")?.split_once(" of ")?;
        Some((executed.parse::<u64>().ok()?, total.strip_suffix(" instructions")?.parse::<u64>().ok()?))
    });
    assert!(counts.is_some_and(|(executed, total)| 0 < executed && executed < total), "{text}");
    succeed(&mut analyze(&["verify"], &trace));
    let report = succeed(&mut analyze(&["report"], &trace));
    assert!(report.contains("the trace is truncated"), "{report}");
}

/// A guest that stops its processor, one whose kernel panics and stays there, one that spins, and one that waits for what never
/// comes, while they are recorded.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_guest_that_hangs_while_it_is_recorded_is_given_up() {
    let place = folder("recordings").join("hanging");
    for (options, reason, function) in [
        (&["--workload", "sh:busybox halt -f"][..], "executes no more instructions", "stop_this_cpu"),
        (&["--fresh", "--append", "panic=0 rdinit=/nonexistent"], "kernel panicked", "delay"),
        (
            &["--workload", "sh:while :; do :; done", "--limit", "20"],
            "did not power off within 20 s",
            "program",
        ),
        (&["--workload", "sh:sleep 1000000", "--limit", "20"], "did not power off within 20 s", ""),
    ] {
        let small = ["debian-6.1", "--fs", "ext4", "--disk-size", "32", "--no-verify", "--force", "-o"];
        let output = run(script("record").args(small).arg(&place).args(options));
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        let line =
            text.lines().find(|line| line.starts_with("the guest is in ")).expect("the guest's function");
        assert!(line.contains(function) && text.contains(reason), "{text}");
        assert!(!place.exists());
    }
}

/// Later replays are compared with the first one.
#[test]
fn a_replay_that_differs_from_the_first_one_has_its_own_exit_status() {
    let recorded = copy_of(&recording(&["debian-6.1", "--workload", "demo:count=3,direct=2"]), "differing");
    let trace = folder("traces").join("differing.iot");
    let same = replayed(&recorded, &trace);
    assert!(same.status.success(), "{}", said(&same));
    assert!(fs::read(&trace).expect("a trace") == fs::read(recorded.join("trace.iot")).expect("a trace"));
    // The first trace is taken for another one.
    fs::write(recorded.join("trace.iot"), "another").expect("the copy is writable");
    list_again(&recorded, "trace.iot");
    let output = replayed(&recorded, &trace);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("differs from"), "{}", said(&output));
    // A part of the replay is not compared.
    let part = run(script("replay")
        .arg(&recorded)
        .args(with_plugin())
        .args(["--plugin-args", "mode=thin", "-o"])
        .arg(&trace));
    assert!(part.status.success(), "{}", said(&part));
}

/// Two that are made into the same folder, or write the same trace: one of them is kept, and nothing else is left.
#[test]
fn two_instances_at_once_do_not_disturb_each_other() {
    let place = folder("recordings").join("twice");
    let _ = fs::remove_dir_all(&place);
    let start = |command: &mut Command| {
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts")
    };
    let both = [(); 2].map(|()| {
        start(script("record").args(SMALL_GUEST).args(["--no-verify", "-o"]).arg(place.join("recording")))
    });
    let outputs = both.map(|child| child.wait_with_output().expect("it ends"));
    let good = outputs.iter().filter(|output| output.status.success()).count();
    for output in &outputs {
        assert!(!said(output).contains("Traceback"), "{}", said(output));
        assert!(output.status.success() || said(output).contains("exists"), "{}", said(output));
    }
    assert!(good >= 1);
    let left: Vec<_> = fs::read_dir(&place)
        .expect("it is there")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(left, ["recording"]);

    let trace = place.join("trace.iot");
    let both = [(); 2].map(|()| {
        start(script("replay").arg(place.join("recording")).args(with_plugin()).arg("-o").arg(&trace))
    });
    let outputs = both.map(|child| child.wait_with_output().expect("it ends"));
    assert!(outputs.iter().any(|output| output.status.success()));
    for output in &outputs {
        assert!(!said(output).contains("Traceback"), "{}", said(output));
        assert!(
            output.status.success() || said(output).contains("written by another replay"),
            "{}",
            said(output)
        );
    }
    succeed(&mut analyze(&["verify"], &trace));
}
