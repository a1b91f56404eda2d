//! Recordings: what of them reaches QEMU's command line, and what a replay of them can do.

use iotrace_tests::qmp::ControlledQemu;
use iotrace_tests::{
    SMALL_GUEST, analyze, folder, recording, replay, run, said, script, succeed, with_checksum,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn recorded() -> PathBuf {
    recording(&[&SMALL_GUEST[..], &["--fresh"]].concat())
}

fn manifest(recorded: &Path) -> Value {
    let text = std::fs::read_to_string(recorded.join("manifest.json")).expect("the recording is whole");
    serde_json::from_str(&text).expect("it is JSON")
}

/// The recording's files under another manifest.
fn with_manifest(recorded: &Path, name: &str, manifest: &Value) -> PathBuf {
    let copy = folder("recordings").join(name);
    let _ = std::fs::remove_dir_all(&copy);
    succeed(Command::new("cp").args(["-rlT"]).arg(recorded).arg(&copy));
    std::fs::remove_file(copy.join("manifest.json")).expect("the copy has one");
    std::fs::write(copy.join("manifest.json"), with_checksum(manifest)).expect("the copy is writable");
    copy
}

/// QEMU's command line for a recording, as words, or why the recording is refused. It is to be run in [`stage`].
fn command_line(recorded: &Path) -> Result<Vec<String>, String> {
    let output = run(script("replay").arg(recorded).arg("--no-plugin").arg("--stage").arg(stage(recorded)));
    if !output.status.success() {
        return Err(said(&output));
    }
    let line = String::from_utf8(output.stdout).expect("it is text");
    let words = succeed(Command::new("sh").arg("-c").arg(format!("printf '%s\\n' {}", line.trim_end())));
    Ok(words.lines().map(str::to_owned).collect())
}

/// A folder for QEMU to run in.
fn stage(recorded: &Path) -> PathBuf {
    folder("stages").join(recorded.file_name().expect("a recording is a folder"))
}

/// The JSON pointers of all values in a manifest that are not objects or lists.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| leaves(member, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(number, item)| leaves(item, &format!("{at}/{number}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// Whatever a manifest says, QEMU gets the options that a recording has, and no plugin.
#[test]
fn a_manifest_adds_nothing_to_qemus_command_line() {
    let recorded = recorded();
    let original = manifest(&recorded);
    let expected = command_line(&recorded).expect("the recording is whole");
    let mut places = Vec::new();
    leaves(&original, "", &mut places);
    places.retain(|place| !place.starts_with("/files/") || place.starts_with("/files/vmlinuz"));
    assert!(places.len() > 15, "{places:?}");
    let behind = |option: &str| expected.iter().position(|word| word == option).expect("it is there") + 1;
    let (mut refused, mut same) = (0, 0);
    for place in &places {
        for value in [json!("x,-plugin=evil.so"), json!("-plugin"), json!(["-plugin", "evil.so"]), json!(-1)]
        {
            let mut changed = original.clone();
            *changed.pointer_mut(place).expect("it is a place in it") = value.clone();
            match command_line(&with_manifest(&recorded, "hostile", &changed)) {
                Err(text) => {
                    refused += 1;
                    assert!(!text.contains("Traceback"), "{place} = {value}: {text}");
                }
                // The guest's command line and its CPU are one word each; all else is as it was.
                Ok(mut words) => {
                    let free = match place.as_str() {
                        "/machine/command_line" => behind("-append"),
                        "/machine/cpu" => behind("-cpu"),
                        _ => 0,
                    };
                    words[free].clone_from(&expected[free]);
                    assert_eq!(words, expected, "{place} = {value}");
                    same += 1;
                }
            }
        }
    }
    assert!(refused > 2 * places.len() && same > 0, "{refused} refused, {same} without effect");
}

/// What a manifest has beside the known facts is refused and named.
#[test]
fn unknown_facts_in_a_manifest_are_refused() {
    let recorded = recorded();
    for (place, name) in [("", "extra"), ("/machine", "options"), ("/qemu", "replay"), ("/guest", "hook")] {
        let mut changed = manifest(&recorded);
        let section = changed.pointer_mut(place).and_then(Value::as_object_mut).expect("it is a section");
        section.insert(name.to_owned(), json!(["-plugin", "evil.so"]));
        let text =
            command_line(&with_manifest(&recorded, "unknown-facts", &changed)).expect_err("it is refused");
        assert!(text.contains("manifest.json is refused"), "{place}/{name}: {text}");
    }
    for text in [json!([]), json!(null), json!({ "format": true })] {
        let text =
            command_line(&with_manifest(&recorded, "unknown-facts", &text)).expect_err("it is refused");
        assert!(text.contains("its format is"), "{text}");
    }
    let mut linked = manifest(&recorded);
    linked["files"]["../secret"] = linked["files"]["vmlinuz"].clone();
    let text = command_line(&with_manifest(&recorded, "unknown-facts", &linked)).expect_err("it is refused");
    assert!(text.contains("'../secret' is not the name of a file"), "{text}");
}

/// Formats 1 to 3 have no checksum.
fn without_checksum(old: &mut Value) {
    let facts = old.as_object_mut().expect("an object");
    facts.remove("sha256");
    facts.remove("verified");
    facts.remove("replayable");
}

/// A recording of format 1 holds a command line: one that `scripts/record` did not write is not run.
#[test]
fn a_command_line_of_format_1_is_compared_not_run() {
    let recorded = recorded();
    let mut old = manifest(&recorded);
    let machine = old["machine"].take();
    old.as_object_mut().expect("an object").remove("machine");
    old["format"] = json!(1);
    without_checksum(&mut old);
    let written: Vec<_> = command_line(&recorded).expect("the recording is whole");
    let replay: Vec<_> = written[1..]
        .iter()
        .filter(|word| !["-global", "apic-common.vapic=off"].contains(&word.as_str()))
        .map(|word| word.replace("file:console.txt", "file:@CONSOLE@"))
        .collect();
    old["kernel"]["command_line"] = machine["command_line"].clone();
    old["qemu"]["record"] = json!([written[0]]);
    old["guest"]["controller"] = machine["controller"].clone();
    old["guest"]["disks"] = json!(["sda"]);
    for fact in ["status", "deterministic"] {
        old["guest"].as_object_mut().expect("an object").remove(fact);
    }
    old["qemu"]["replay"] = json!(replay);
    let words = command_line(&with_manifest(&recorded, "format-1", &old)).expect("it is accepted");
    assert_eq!(words.len(), replay.len() + 1);

    for at in [0, replay.len()] {
        let mut hostile = replay.clone();
        hostile.splice(at..at, ["-plugin".to_owned(), "evil.so".to_owned()]);
        old["qemu"]["replay"] = json!(hostile);
        let text = command_line(&with_manifest(&recorded, "format-1", &old)).expect_err("it is refused");
        assert!(text.contains("parameters that scripts/record does not write"), "{text}");
    }
    for (word, with) in
        [("512", "512 -plugin evil.so"), ("shift=2,rr=replay,rrfile=rr.log", "shift=2,rr=replay,rrfile=/x")]
    {
        let hostile: Vec<_> = replay.iter().map(|w| if w == word { with } else { w }).collect();
        old["qemu"]["replay"] = json!(hostile);
        let text = command_line(&with_manifest(&recorded, "format-1", &old)).expect_err("it is refused");
        assert!(text.contains("manifest.json is refused"), "{text}");
    }
}

/// A recording of format 2 has its workload in the initramfs, and its disks as the host serves them.
#[test]
fn a_recording_of_format_2_is_replayed_as_it_was() {
    let recorded = recorded();
    let mut old = manifest(&recorded);
    old["format"] = json!(2);
    without_checksum(&mut old);
    old["guest"].as_object_mut().expect("an object").remove("deterministic");
    for fact in ["archive", "disk", "boot"] {
        old["machine"].as_object_mut().expect("an object").remove(fact);
    }
    let words = command_line(&with_manifest(&recorded, "format-2", &old)).expect("it is accepted");
    assert_eq!(words, command_line(&recorded).expect("the recording is whole"));
    old["machine"]["boot"] = json!("");
    let text = command_line(&with_manifest(&recorded, "format-2", &old)).expect_err("it is refused");
    assert!(text.contains("manifest.json is refused"), "{text}");
}

/// A workload that fails is recorded, and its exit status is in the report; `--strict` refuses it.
#[test]
fn a_failed_workload_is_kept_with_its_status() {
    let options = ["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32"];
    let fails = ["--workload", "sh:dd if=/dev/zero of=x bs=4k count=2 conv=fsync; exit 3"];
    let recorded = recording(&[&options[..], &fails].concat());
    assert_eq!(manifest(&recorded)["guest"]["status"], json!(3));
    let report = succeed(&mut analyze(&["report"], &replay(&recorded, "failed-workload", &[])));
    assert!(report.contains("workload exited with status 3"), "{report}");
    assert!(report.lines().any(|line| line.contains(" fsync ")), "{report}");

    let refused = folder("recordings").join("refused");
    let strictly = run(script("record").args(options).args(fails).arg("--strict").arg("-o").arg(&refused));
    assert!(!strictly.status.success() && !refused.exists());
    assert!(said(&strictly).contains("the workload failed with status 3"), "{}", said(&strictly));
}

/// fio's jobs have files of their own in the file system, whatever folder they name.
#[test]
fn fio_runs_in_the_file_system() {
    let job = folder("jobs").join("two-files.fio");
    let text = "[global]\ndirectory=/scratch\nsize=16k\nrw=write\nbs=4k\nend_fsync=1\n[one]\n[two]\n";
    std::fs::write(&job, text).expect("the build folder is writable");
    let workload = format!("fio:{}", job.display());
    let recorded =
        recording(&["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32", "--workload", &workload]);
    let report = succeed(&mut analyze(&["report"], &replay(&recorded, "fio-files", &[])));
    for file in ["one.0.0", "two.0.0"] {
        assert!(report.contains(file), "{file}: {report}");
    }
}

/// A replay that is under way can load a snapshot, and goes on from there.
#[test]
fn a_running_replay_loads_a_snapshot() {
    let recorded = recorded();
    assert_eq!(manifest(&recorded)["machine"]["seekable"], json!(true));
    let place = folder("snapshots");
    let overlay = place.join("overlay.qcow2");
    let _ = std::fs::remove_file(&overlay);
    let backing = format!("backing_file={},backing_fmt=raw", recorded.join("disk.img").display());
    succeed(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-o", &backing]).arg(&overlay));
    let words = command_line(&recorded).expect("the recording is whole");
    let mut command = Command::new(&words[0]);
    command.current_dir(stage(&recorded)).args(words[1..].iter().map(|word| {
        let raw = "file=disk.img,format=raw,if=none,id=image0,snapshot=on";
        let persistent = format!("file={},format=qcow2,if=none,id=image0,snapshot=off", overlay.display());
        if word == raw { persistent } else { word.clone() }
    }));
    let mut qemu = ControlledQemu::start(&mut command, &place);
    let (first, second) = (1_000_000_000, 1_010_000_000);
    qemu.replay_to(first);
    assert_eq!(qemu.monitor("savevm here"), "");
    for _ in 0..2 {
        qemu.replay_to(second);
        assert_eq!(qemu.replayed(), second);
        assert_eq!(qemu.monitor("loadvm here"), "");
        assert_eq!(qemu.replayed(), first);
    }
}
