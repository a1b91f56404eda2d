//! `scripts/install`: what it installs records, replays and analyzes without the checkout, with no Rust toolchain in PATH.

use iotrace_tests::{SMALL_GUEST, built, folder, run, said, script, succeed, trace_of};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn installed() -> PathBuf {
    let prefix = folder("installed").join("prefix");
    _ = fs::remove_dir_all(&prefix);
    let programs = built("libiotrace.so");
    let programs = programs.parent().expect("a folder");
    succeed(script("install").arg("--built").arg(programs).arg("--prefix").arg(&prefix));
    prefix
}

/// The front command, in a folder that is no checkout.
fn iotrace(prefix: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(prefix.join("bin/iotrace"));
    command.args(arguments).current_dir(prefix).env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[test]
fn what_is_installed_works_without_the_checkout() {
    let prefix = installed();
    let help = succeed(&mut iotrace(&prefix, &["--help"]));
    for command in ["record", "replay", "compare", "demo", "sql", "report", "path"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {help}");
    }
    for developers in ["bench", "faults", "test"] {
        assert!(!help.lines().any(|line| line.trim_start().starts_with(developers)), "{developers}: {help}");
    }
    let arguments = [&["record"][..], &SMALL_GUEST, &["--force", "-o", "recording"]].concat();
    succeed(&mut iotrace(&prefix, &arguments));
    succeed(&mut iotrace(&prefix, &["replay", "recording", "-o", "trace.iot"]));
    // With Parquet, which a plain build has not.
    succeed(&mut iotrace(&prefix, &["export", "trace.iot", "--to", "parquet", "--append", "runs"]));
    assert!(prefix.join("runs").is_dir());
    assert!(succeed(&mut iotrace(&prefix, &["sql", "--list"])).contains("slowest-stage"));
    let report = |trace: &str| succeed(&mut iotrace(&prefix, &["report", "--summary", trace]));
    assert!(report("trace.iot").contains("I/Os"));
    // The same bytes as with the plugin of the checkout.
    let trace = trace_of(&prefix.join("recording"));
    assert!(
        fs::read(trace).expect("it is there") == fs::read(prefix.join("trace.iot")).expect("it is there")
    );
}

#[test]
fn an_unknown_command_is_an_error_of_the_command_line() {
    let output = run(script("iotrace").arg("rebort"));
    assert_eq!(
        (output.status.code(), said(&output).contains("rebort")),
        (Some(2), true),
        "{}",
        said(&output)
    );
}
