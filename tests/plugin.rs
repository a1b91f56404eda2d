//! The plugin's own manners, with a QEMU that needs no guest: arguments, files that cannot be written.

use iotrace_schemas::event::{self, Event};
use iotrace_tests::{Held, analyze, built, folder, for_each, recording, replay, run, said, script, succeed};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn kernel() -> PathBuf {
    succeed(script("kernel").args(["debian-6.1", "--bare"])).into()
}

/// QEMU with the plugin and these arguments, on the kernel without a disk: it panics for want of a root file
/// system and restarts, which ends it.
fn qemu(arguments: &str) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-nodefaults", "-display", "none", "-no-reboot", "-m", "256", "-icount", "shift=2"]);
    command.arg("-kernel").arg(kernel().join("vmlinuz")).args(["-append", "panic=-1 noapictimer"]);
    command.arg("-plugin").arg(format!("{},{arguments}", built("libiotrace.so").display()));
    command
}

#[test]
fn wrong_arguments_are_named() {
    let vmlinux = kernel().join("vmlinux");
    let vmlinux = vmlinux.display();
    for (arguments, expected) in [
        ("out=/tmp/x.iot".to_owned(), "\"kernel\" is missing"),
        ("kernel=/nowhere,out=/tmp/x.iot".to_owned(), "kernel=/nowhere: there is no such file"),
        ("kernel=/etc/passwd,out=/tmp/x.iot".to_owned(), "/etc/passwd"),
        (format!("kernel={vmlinux}"), "\"out\" is missing"),
        (format!("kernel={vmlinux},out=/nowhere/x.iot"), "cannot write the trace /nowhere/x.iot"),
        (format!("kernel={vmlinux},out=/dev/full"), "/dev/full: No space left on device"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,capture=disk"), "\"disk\" is neither a layer"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,catalog=/etc/passwd"), "catalog /etc/passwd"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,depth=3"), "no argument \"depth\""),
        (
            format!("kernel={vmlinux},out=/tmp/x.iot,from=sys.wrte"),
            "stages are sys.copy_file_range, sys.fallocate",
        ),
        (format!("kernel={vmlinux},out=/tmp/x.iot,from=sys.write:fdd=3"), "sys.write has no word \"fdd\""),
        (
            format!("kernel={vmlinux},out=/tmp/x.iot,from=sys.write,capture=block"),
            "leaves its layer out, syscall",
        ),
        (format!("kernel={vmlinux},out=/tmp/x.iot,mmio=none"), "mmio=none: it can only be all"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,only=dd"), "must be task:NAME or task:PID"),
    ] {
        let output = run(&mut qemu(&arguments));
        let text = said(&output);
        assert!(!output.status.success() && text.contains(expected), "{arguments}: {text}");
    }
}

/// A trace that cannot be written any more stops the tracing, not the guest.
#[test]
fn a_full_disk_stops_the_tracing_and_not_the_guest() {
    let trace = folder("traces").join("limited.iot");
    let limited = qemu(&format!("kernel={},out={}", kernel().join("vmlinux").display(), trace.display()));
    // Files of at most 4 KiB: the writer's thread, which blocks signals, gets EFBIG.
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -f 8; exec \"$@\"", "sh"])
        .arg(limited.get_program())
        .args(limited.get_args());
    let output = run(&mut command);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let path = trace.display();
    assert!(text.contains(&format!("cannot write the trace {path}: File too large")), "{text}");
    assert!(text.contains(&format!("the trace {path} is incomplete")), "{text}");
    let info = run(&mut analyze(&["info"], &trace));
    assert_eq!(info.status.code(), Some(3), "{}", said(&info));
}

/// Live: a guest of the user's own, without a recording, ends in a complete trace.
#[test]
fn a_live_guest_is_traced() {
    let trace = folder("traces").join("live.iot");
    let vmlinux = kernel().join("vmlinux");
    let output = run(&mut qemu(&format!("kernel={},out={}", vmlinux.display(), trace.display())));
    assert!(output.status.success(), "{}", said(&output));
    let info = succeed(&mut analyze(&["info"], &trace));
    assert!(info.contains("Linux version 6.1"), "{info}");
}

/// A beginning that never comes is told, in the trace too.
#[test]
fn a_beginning_that_never_comes_is_told() {
    let trace = folder("traces").join("never.iot");
    let vmlinux = kernel().join("vmlinux");
    let arguments =
        format!("kernel={},out={},from=sys.write:count=123456789", vmlinux.display(), trace.display());
    let output = run(&mut qemu(&arguments));
    let expected = "no event of the guest was from=sys.write:count=123456789: nothing was recorded";
    assert!(said(&output).contains(expected), "{}", said(&output));
    let info = succeed(&mut analyze(&["info"], &trace));
    assert!(info.contains(expected) && !info.contains("__schedule()"), "{info}");
}

fn loop_write() -> PathBuf {
    recording(&["debian-6.1", "--fs", "xfs", "--workload", "loop-write"])
}

fn accesses(trace: &Path) -> BTreeSet<(u64, u16, Vec<u64>)> {
    let mut found = BTreeSet::new();
    for_each(trace, &mut |held| {
        if let Held::Event(&Event { clock, kind, words, .. }) = held
            && [event::MMIO_READ.id, event::MMIO_WRITE.id].contains(&kind)
        {
            found.insert((clock, kind, words.to_vec()));
        }
    });
    found
}

/// What the whole kernel accesses is more than what drivers do, and has all of that; I/Os are the same.
#[test]
fn accesses_of_the_whole_kernel_are_recorded_if_asked_for() {
    let drivers = replay(&loop_write(), "mmio-drivers", &[]);
    let all = replay(&loop_write(), "mmio-all", &["--plugin-args", "mmio=all"]);
    let (some, more) = (accesses(&drivers), accesses(&all));
    println!("{} accesses of drivers, {} of the whole kernel", some.len(), more.len());
    assert!(!some.is_empty() && some.is_subset(&more) && some.len() < more.len());
    let report = |trace| succeed(&mut analyze(&["report", "--format", "json"], trace));
    assert_eq!(bios(&report(&drivers)), bios(&report(&all)));
}

/// The bios of a report, with their stages: of which the doorbell is one.
fn bios(report: &str) -> Vec<serde_json::Value> {
    let report: serde_json::Value = serde_json::from_str(report).expect("the report is JSON");
    report["bios"].as_array().expect("a list of bios").clone()
}
