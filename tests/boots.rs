//! Recordings that go on from a boot, and replays that begin at a snapshot.

use iotrace_tests::{analyze, folder, recording, replay, run, said, script, succeed, with_checksum};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A small guest, whose boot is made once.
const SMALL: [&str; 6] = ["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32"];

/// A program that keeps a core of the host busy as long as this lives.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("there is a shell"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it ends");
    }
}

fn manifest(recorded: &Path) -> Value {
    let text = fs::read_to_string(recorded.join("manifest.json")).expect("the recording is whole");
    serde_json::from_str(&text).expect("it is JSON")
}

const DIRECT: &str = "direct:count=8";

/// Recordings of a boot with the instant disk, made anew, the last ones beside a load: their traces are the same bytes,
/// but for those that are marked as not deterministic.
///
/// # Errors
/// What is wrong.
fn the_same_on_any_load(
    name: &str,
    options: &[&str],
    workload: &str,
    count: usize,
    loaded: usize,
) -> Result<(), String> {
    let (mut traces, mut marked) = (Vec::new(), 0);
    for number in 0..count {
        let load = [(); 2].map(|()| (number >= count - loaded).then(Busy::start));
        let place = folder("recordings").join(format!("{name}-{number}"));
        let instant = ["--workload", workload, "--disk", "instant", "--no-verify", "--force", "-o"];
        succeed(script("record").args(options).args(instant).arg(&place));
        drop(load);
        let [once, again] = ["once", "again"].map(|replayed| {
            let trace = replay(&place, &format!("{name}-{number}-{replayed}"), &[]);
            fs::read(trace).expect("it was just written")
        });
        if once != again {
            return Err(format!("two replays of {name}-{number} differ"));
        }
        if manifest(&place)["guest"]["deterministic"] == true {
            traces.push(once);
        } else {
            marked += 1;
        }
    }
    println!("{name}: {} of {count} recordings are deterministic", traces.len());
    if marked * 10 > count {
        return Err(format!("{marked} of {count} recordings of {name} are not deterministic"));
    }
    if traces.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(format!("recordings of {name} differ"));
    }
    Ok(())
}

#[test]
fn recordings_of_a_boot_are_the_same_on_any_load() {
    the_same_on_any_load("same-lsi-xfs", &["debian-6.1"], DIRECT, 3, 1).expect("they are the same");
}

/// What the workload has started keeps the file system busy: the guest waits for a timer before it unmounts it.
#[test]
fn recordings_of_a_guest_that_waits_to_unmount_are_the_same_on_any_load() {
    let workload = "sh:usleep 60000 & direct-io $TARGET write seq 4096 2";
    the_same_on_any_load("same-waiting", &["debian-6.1"], workload, 2, 1).expect("they are the same");
}

/// The guest waits for timers while it sets up its tracing, before the workload.
#[test]
fn recordings_with_a_witness_are_the_same_on_any_load() {
    let options = ["debian-6.1", "--witness"];
    the_same_on_any_load("same-witness", &options, DIRECT, 2, 1).expect("they are the same");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn recordings_of_another_boot_are_the_same_on_any_load() {
    the_same_on_any_load(
        "same-virtio-ext4",
        &["debian-7.x", "--fs", "ext4", "--controller", "virtio-blk-pci"],
        DIRECT,
        3,
        1,
    )
    .expect("they are the same");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn ten_recordings_of_each_boot_are_the_same_on_any_load() {
    let mut wrong = Vec::new();
    for kernel in ["debian-6.1", "debian-7.x"] {
        for controller in ["lsi53c895a", "megasas", "virtio-blk-pci"] {
            for file_system in ["xfs", "ext4"] {
                let options = [kernel, "--controller", controller, "--fs", file_system];
                let name = format!("ten-{kernel}-{controller}-{file_system}");
                wrong.extend(the_same_on_any_load(&name, &options, DIRECT, 10, 3).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A replay from a snapshot gives the events of a replay from the guest's start; with other arguments, what it records
/// from there on.
#[test]
fn a_replay_from_a_snapshot_is_that_from_the_start() {
    let whole = recording(&["debian-6.1", "--workload", "demo:count=3,direct=2", "--fresh"]);
    from_a_moment_is_a_part("whole", &whole, "workload");
}

fn from_a_moment_is_a_part(name: &str, recorded: &Path, moment: &str) {
    let all = replay(recorded, &format!("{name}-all"), &[]);
    let part = replay(recorded, &format!("{name}-from"), &["--from", moment]);
    for view in [&["events"][..], &["report", "--format", "json"]] {
        let [all, part] = [&all, &part].map(|trace| succeed(&mut analyze(view, trace)));
        assert!(all == part && all.len() > 10_000, "{name}: {view:?} of a replay from {moment} differs");
    }
}

/// The same of a recording that goes on from a boot, from a moment in it; and with a part of the events alone.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_replay_from_a_snapshot_takes_the_arguments_of_one_from_the_start() {
    let booted = recording(&["debian-6.1", "--workload", "demo:count=3,direct=2"]);
    from_a_moment_is_a_part("booted", &booted, "6590000000");
    let whole = recording(&["debian-6.1", "--workload", "demo:count=3,direct=2", "--fresh"]);
    for (name, arguments) in [("window", "window=workload"), ("thin", "mode=thin")] {
        let all = replay(&whole, &format!("{name}-all"), &["--plugin-args", arguments]);
        let part =
            replay(&whole, &format!("{name}-from"), &["--plugin-args", arguments, "--from", "workload"]);
        let of_workload = |trace: &Path| {
            let report = succeed(&mut analyze(&["report", "--summary", "--format", "json"], trace));
            let report: Value = serde_json::from_str(&report).expect("it is JSON");
            report["attribution"]["calls"].as_u64().expect("a number")
        };
        let calls = [&all, &part].map(|trace| of_workload(trace));
        assert!(calls[0] > 100 && calls[0] == calls[1], "{arguments}: {calls:?}");
        let said = succeed(&mut analyze(&["report"], &part));
        assert!(said.contains("the trace has only context of later events"), "{said}");
    }
}

/// A cache of its own with the kernels of the other, where boots can be damaged.
fn own_cache() -> PathBuf {
    let usual = PathBuf::from(succeed(script("kernel").args(["debian-6.1", "--bare"])));
    let cache = folder("cache");
    let _ = fs::remove_dir_all(cache.join("boots"));
    for kind in ["kernels", "guest"] {
        let from = usual.parent().and_then(Path::parent).expect("a kernel is two folders deep").join(kind);
        if fs::symlink_metadata(cache.join(kind)).is_err() {
            symlink(from, cache.join(kind)).expect("the build folder is writable");
        }
    }
    cache
}

/// Boots that are damaged are made again, or refused; a recording whose boot is missing says so, one that has it with it
/// brings it along.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_recording_needs_its_boot() {
    let cache = own_cache();
    let with_cache = |name: &str| {
        let mut command = script(name);
        command.env("IOTRACE_CACHE", &cache);
        command
    };
    let place = folder("recordings").join("bundled");
    let record = |more: &[&str]| {
        said(&run(with_cache("record")
            .args(SMALL)
            .args(more)
            .args(["--no-verify", "--force", "-o"])
            .arg(&place)))
    };
    let replayed = |recorded: &Path| run(with_cache("replay").arg(recorded).arg("--no-plugin"));
    let boots = || {
        let folders = fs::read_dir(cache.join("boots"))
            .expect("there are boots")
            .map(|entry| entry.expect("it is readable"));
        let named = folders.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        Vec::from_iter(named.map(|entry| entry.path()))
    };
    assert!(record(&["--bundle"]).contains("booting"));
    let [boot] = &boots()[..] else { panic!("{:?}", boots()) };
    assert!(replayed(&place).status.success());

    // A half-made one is not used, a damaged one is made again.
    fs::create_dir(cache.join("boots/.half.making-1")).expect("it is writable");
    let state = boot.join("state.qcow2.zst");
    fs::write(&state, &fs::read(&state).expect("it is there")[1..]).expect("it is writable");
    let refused = replayed(&place);
    assert!(!refused.status.success() && said(&refused).contains("is damaged"), "{}", said(&refused));
    let list = succeed(with_cache("boot").arg("--list"));
    assert!(list.contains("state.qcow2.zst has"), "{list}");
    let other = folder("recordings").join("after-damage");
    let mut again = with_cache("record");
    let said_again = said(&run(again.args(SMALL).args(["--no-verify", "--force", "-o"]).arg(&other)));
    assert!(said_again.contains("is damaged, booting again"), "{said_again}");

    // The recording brings its boot along; another one without it is refused.
    assert!(replayed(&place).status.success());
    assert_eq!(boots().len(), 2);
    succeed(with_cache("boot").args(["--remove", "all"]));
    assert!(boots().is_empty());
    let refused = said(&replayed(&other));
    assert!(refused.contains("which is not in") && refused.contains("--bundle"), "{refused}");

    // What is brought along is refused if it is not what was recorded from, or refers to the host's files.
    let mut manifest = manifest(&place);
    manifest["machine"]["boot"] = json!("0".repeat(64));
    fs::write(place.join("manifest.json"), with_checksum(&manifest)).expect("it is writable");
    let refused = said(&replayed(&place));
    assert!(refused.contains("is not the boot from which"), "{refused}");
}

/// What the instant disk cannot do is refused.
#[test]
fn the_instant_disk_is_not_for_every_controller() {
    let place = folder("recordings").join("never");
    let options = [
        "debian-6.1",
        "--bare",
        "--controller",
        "mptsas1068",
        "--disk",
        "instant",
        "--no-verify",
        "--force",
        "-o",
    ];
    let refused = run(script("record").args(options).arg(&place));
    assert!(
        !refused.status.success() && said(&refused).contains("record with --disk host"),
        "{}",
        said(&refused)
    );
}

/// A boot's image that has another file of the host behind it is refused.
#[test]
fn a_boots_image_refers_to_no_other_file() {
    let place = folder("images");
    let image = place.join("state.qcow2");
    let secret = place.join("secret");
    fs::write(&secret, [7; 4096]).expect("the build folder is writable");
    let check = |image: &Path| {
        let code = "import sys; from pathlib import Path; from iotrace_scripts.stage import check_state; \
                    check_state(Path(sys.argv[1]))";
        let mut python = Command::new("python3");
        python.current_dir(iotrace_tests::checkout().join("scripts")).args(["-c", code]).arg(image);
        run(&mut python)
    };
    for (options, good) in [
        (vec!["-o".to_owned(), format!("backing_file={},backing_fmt=raw", secret.display())], false),
        (
            vec!["-o".to_owned(), format!("data_file={}", place.join("data").display()), "1M".to_owned()],
            false,
        ),
        (vec!["1M".to_owned()], true),
    ] {
        let _ = fs::remove_file(&image);
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-f", "qcow2"]);
        let (options, size) = options.split_at(options.len().min(2) - usize::from(options.len() == 1));
        succeed(create.args(options).arg(&image).args(size));
        let checked = check(&image);
        assert_eq!(checked.status.success(), good, "{options:?}: {}", said(&checked));
    }
}
