//! Whole distributions: a Debian image with systemd, its root file system on the emulated disk.

use iotrace_tests::{
    accounted_for, checkout, folder, json, said, script, stages_are_complete, succeed, with_plugin,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMAND: &str = "sqlite3 t.db 'create table t(a); insert into t values (1), (2); insert into t select a from t' && \
                       sqlite3 t.db 'select count(*) from t'";

/// The image, made once: by mmdebstrap, which needs root.
fn image() -> PathBuf {
    let image = folder("images").join("debian.qcow2");
    if !image.exists() {
        succeed(Command::new(checkout().join("tests/images/debian.sh")).arg(&image));
    }
    image
}

fn record(place: &Path, arguments: &[&str]) -> Command {
    let mut record = script("record");
    record.arg("--image").arg(image()).args(["--command", COMMAND, "--strict", "--force", "-o"]).arg(place);
    record.args(with_plugin()).args(arguments);
    record
}

/// Its kernel is found in the image, its debug info in Debian's package. What SQLite wrote is in the trace, from the system call to
/// the controller and back; the recording replays; the image is not changed.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_debian_image_is_recorded_and_replayed() {
    let place = folder("recordings").join("debian-image");
    let before = fs::read(image()).expect("the image is there");
    succeed(&mut record(&place, &[]));
    assert!(fs::read(image()).expect("it is still there") == before, "the image was changed");
    let console = fs::read_to_string(place.join("console.txt")).expect("the recording is whole");
    assert!(
        console.lines().any(|line| line == "4") && console.contains("workload ends, status 0"),
        "{console}"
    );
    let trace = place.join("trace.iot");
    accounted_for(&trace);
    stages_are_complete(&trace);
    let report = json(&trace, &["report"]);
    let ios = report["ios"].as_array().expect("a list");
    let synced = ios.iter().filter(|io| io["task"]["comm"] == "sqlite3" && io["syscall"] == "fdatasync");
    assert!(synced.count() >= 2, "{report}");
}

/// A stack of options that the guest does not have, and what is no image.
#[test]
fn what_an_image_cannot_be_recorded_with_is_refused() {
    let place = folder("recordings").join("image-refused");
    let file = folder("images").join("empty.img");
    fs::write(&file, [0; 4096]).expect("the build folder is writable");
    let refused = |image: &Path, arguments: &[&str]| {
        let mut record = script("record");
        record.arg("--image").arg(image).args(arguments).args(with_plugin()).arg("-o").arg(&place);
        let output = record.output().expect("it starts");
        assert!(!output.status.success() && !place.exists(), "{}", said(&output));
        said(&output)
    };
    assert!(
        refused(&file, &["--witness", "--boots", "3"])
            .contains("--image cannot be used with --boots, --witness")
    );
    assert!(refused(Path::new("/nowhere.qcow2"), &[]).contains("no such disk image"));
    assert!(
        refused(&file, &[]).contains("no file system of ext4, xfs or btrfs on the image has /etc/os-release")
    );
}
