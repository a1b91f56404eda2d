//! The tools that exports are for: which of them read one in this run, and which were not there.

use crate::{checkout, folder, run, said};
use std::io::ErrorKind;
use std::process::Command;

/// The exit status of a Python reader whose package is not there, and of a script that cannot get its engine.
const MISSING: [i32; 2] = [77, 5];

/// A Python program of `tests/readers`, with the packages of `scripts/readers`.
#[must_use]
pub fn python(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(checkout().join("tests/readers").join(name));
    if let Some(packages) = std::env::var_os("IOTRACE_READERS") {
        command.env("PYTHONPATH", packages);
    }
    command
}

/// Has an export read by its reader. Returns what that printed; none if it is not there, which is an error if
/// `IOTRACE_REQUIRE_READERS` is 1.
///
/// # Panics
/// If the reader fails, or is required and not there.
pub fn read_by(export: &str, reader: &str, command: &mut Command) -> Option<String> {
    let note = |result: &str| {
        std::fs::write(folder("readers").join(format!("{export} {reader}")), result).expect("it is writable");
    };
    let is_there = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        output => {
            !output.expect("it can be started").status.code().is_some_and(|code| MISSING.contains(&code))
        }
    };
    if !is_there {
        note("skipped: not installed");
        println!("{export}: {reader} is not there");
        assert!(std::env::var("IOTRACE_REQUIRE_READERS").as_deref() != Ok("1"), "{reader} is required");
        return None;
    }
    let output = run(command);
    assert!(output.status.success(), "{reader} cannot read {export}: {}", said(&output));
    note("read");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The reader is run by `scripts/test full` alone.
///
/// # Panics
/// If the build folder is not writable.
pub fn left_to_full(export: &str, reader: &str) {
    let path = folder("readers").join(format!("{export} {reader}"));
    if !path.exists() {
        std::fs::write(path, "skipped: of scripts/test full").expect("it is writable");
    }
}

/// The reader has found in an export what must be there.
///
/// # Panics
/// If the build folder is not writable.
pub fn proved(export: &str, reader: &str) {
    std::fs::write(folder("readers").join(format!("{export} {reader}")), "proved").expect("it is writable");
}

/// There is no reader to run: what is tested in its place.
///
/// # Panics
/// If the build folder is not writable.
pub fn unproved(export: &str, reader: &str, instead: &str) {
    let note = format!("unproved: no package of it; {instead}");
    std::fs::write(folder("readers").join(format!("{export} {reader}")), note).expect("it is writable");
}
