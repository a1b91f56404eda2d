//! Real guests, with the guest's own tracepoints as witness.

use iotrace_format::definition::{At, Definition};
use iotrace_format::event;
use iotrace_tests::{
    TraceItem, accounted_for, agrees, analyze, checkout, clock, for_each, recording, replay, run, said,
    script, stages_are_complete, succeed, trace_of,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The job file that exercises all ways of reading and writing.
fn all_jobs() -> String {
    format!("fio:{}", checkout().join("tests/jobs/all.fio").display())
}

/// Arguments of a recording with the guest's tracepoints on.
fn witnessed<'a>(kernel: &'a str, file_system: &'a str, workload: &'a str) -> [&'a str; 6] {
    [kernel, "--fs", file_system, "--workload", workload, "--witness"]
}

/// Both workloads on a kernel and a file system agree with their witness.
fn workloads_agree(kernel: &str, file_system: &str) {
    for workload in ["loop-write".to_owned(), all_jobs()] {
        let recorded = recording(&witnessed(kernel, file_system, &workload));
        let trace = trace_of(&recorded);
        agrees(&recorded, &trace);
    }
}

#[test]
fn witness_agrees_on_debian_xfs() {
    workloads_agree("debian-6.1", "xfs");
}

#[test]
fn witness_agrees_on_debian_ext4() {
    workloads_agree("debian-6.1", "ext4");
}

/// File systems whose functions the catalog does not have, and blocks smaller than a page.
#[test]
fn witness_agrees_on_btrfs_and_on_small_blocks() {
    let small: &[&str] = &["--mkfs-options", "-b 1024"];
    for (kernel, file_system, options) in
        [("debian-6.1", "btrfs", &[][..]), ("debian-7.x", "btrfs", &[]), ("debian-6.1", "ext4", small)]
    {
        let recorded = recording(&[&witnessed(kernel, file_system, "loop-write"), options].concat());
        let trace = trace_of(&recorded);
        agrees(&recorded, &trace);
    }
}

#[test]
#[ignore = "of ./scripts/test full"]
fn witness_agrees_on_built_xfs() {
    workloads_agree("built-6.1", "xfs");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn witness_agrees_on_built_ext4() {
    workloads_agree("built-6.1", "ext4");
}

/// What is called in what is what the guest's own function_graph says: in tasks, interrupts and softirqs.
#[test]
fn the_nesting_is_function_graphs() {
    let workload = ["--workload", "demo:count=3,direct=2"];
    let recorded =
        recording(&[&["debian-6.1", "--witness", "--tracer", "function_graph"][..], &workload].concat());
    let trace = replay(&recorded, "nesting", &[]);
    agrees(&recorded, &trace);
    let witness = recorded.join("witness.txt");
    let printed = succeed(analyze(&["compare-tracepoints", "--format", "json"], &trace).arg(&witness));
    let compared: Value = serde_json::from_str(&printed).expect("the comparison is JSON");
    let nesting = &compared["nesting"];
    let number = |what: &str| nesting[what].as_u64().expect("a number");
    assert!(number("calls") > 5000 && number("in_interrupts") > 1000 && number("deepest") > 20, "{nesting}");
    assert!(number("left_out_before") < 10 && number("left_out_after") < 100, "{nesting}");
    assert!(nesting["unseen_returns"].as_object().expect("returns").is_empty(), "{nesting}");
    let functions = nesting["functions"].as_object().expect("calls of each function");
    for function in [
        "vfs_write",
        "blk_mq_submit_bio",
        "scsi_queue_rq [scsi_mod]",
        "sym_queue_scsiio [sym53c8xx]",
        "sym53c8xx_intr [sym53c8xx]",
        "scsi_complete [scsi_mod]",
        "bio_endio",
        "run_timer_softirq",
        "rcu_core",
        "try_to_wake_up",
    ] {
        assert!(functions.contains_key(function), "no {function} in {functions:?}");
    }
    let of_xfs = functions.keys().filter(|name| name.ends_with("[xfs]")).count();
    assert!(of_xfs > 20, "{of_xfs} functions of XFS in {functions:?}");
    // A call that one of them did not see is found.
    let text = std::fs::read_to_string(&witness).expect("the witness is text");
    let call = text.lines().find(|line| line.ends_with(" xfs_ilock [xfs]();")).expect("XFS locks an inode");
    let fewer = iotrace_tests::folder("traces").join("fewer-calls.txt");
    std::fs::write(&fewer, text.replacen(&format!("{call}\n"), "", 1)).expect("the build folder is writable");
    let output = run(analyze(&["compare-tracepoints"], &trace).arg(&fewer));
    assert!(!output.status.success() && said(&output).contains("xfs_ilock"), "{}", said(&output));
}

/// Without debug info, symbols come from kallsyms and types from BTF: the events are the same.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_bare_kernel_gives_the_same_events() {
    let bare = succeed(script("kernel").args(["debian-6.1", "--bare"]));
    for file_system in ["xfs", "ext4"] {
        for (name, workload) in [("loop", "loop-write".to_owned()), ("fio", all_jobs())] {
            let recorded = recording(&witnessed("debian-6.1", file_system, &workload));
            let trace = replay(&recorded, &format!("bare-{file_system}-{name}"), &["--kernel", &bare]);
            agrees(&recorded, &trace);
        }
    }
}

/// Splits, merges at both ends, merges of requests, deep queues, discards, under each scheduler.
#[test]
#[ignore = "of ./scripts/test full"]
fn witness_agrees_under_each_scheduler() {
    let heavy = format!("fio:{}", checkout().join("tests/jobs/heavy.fio").display());
    for scheduler in ["none", "mq-deadline", "bfq", "kyber"] {
        let [kernel, fs, raw, workload, name, witness] = witnessed("built-6.1", "raw", &heavy);
        let arguments = [kernel, fs, raw, workload, name, witness, "--scheduler", scheduler];
        let recorded = recording(&arguments);
        let trace = replay(&recorded, &format!("heavy-{scheduler}"), &[]);
        agrees(&recorded, &trace);
    }
}

/// The other controllers that replay: their drivers' commands, doorbells and interrupts are found.
#[test]
fn megasas_agrees() {
    let recorded = recording(&["debian-6.1", "--controller", "megasas", "--workload", "demo", "--witness"]);
    let trace = trace_of(&recorded);
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
}

/// A file system or a driver of the user's own is a catalog file of the user's own.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_users_catalog_is_traced() {
    let catalog = iotrace_tests::folder("catalogs").join("mine.toml");
    let text = "[[object]]\nname = 'iocb'\nstruct = 'kiocb'\nfields = { pos = 'ki_pos' }\n\
                [[function]]\nname = 'xfs_file_write_iter'\nlayer = 'filesystem'\nargs = ['iocb:iocb']\n\
                reads = ['iocb.pos']\n";
    std::fs::write(&catalog, text).expect("the build folder is writable");
    let more = format!("catalog={}", catalog.display());
    let trace = replay(&loop_write(), "mine", &["--plugin-args", &more]);
    let printed = succeed(&mut analyze(&["events", "--function", "xfs_file_write_iter"], &trace));
    // loop-write's lines of 59 bytes, one after the other
    for line in 0..20 {
        assert!(printed.contains(&format!("iocb.pos={} ", line * 59)), "line {line}: {printed}");
    }
}

/// The catalog's coverage of a kernel, and the profile, which the plugin takes in the vmlinux's place.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_compiled_profile_gives_the_same_trace() {
    let folder = PathBuf::from(succeed(script("kernel").arg("debian-6.1")));
    let profile = iotrace_tests::folder("profiles").join("debian-6.1.profile");
    let mut command = analyze(&["check"], &folder.join("vmlinux"));
    command
        .arg("--functions")
        .arg("--modules")
        .arg(folder.join("modules"))
        .arg("--debug")
        .arg(folder.join("debug"));
    let printed = succeed(command.arg("-o").arg(&profile));
    assert!(printed.contains("block/blk-core.c") && printed.contains("scsi_request_fn"), "{printed}");
    let kernel = profile.to_str().expect("a plain path");
    let vmlinux = folder.join("vmlinux");
    let plainly = ["--kernel", vmlinux.to_str().expect("a plain path")];
    let [plain, compiled] = [
        replay(&loop_write(), "from-vmlinux", &plainly),
        replay(&loop_write(), "from-profile", &["--kernel", kernel]),
    ]
    .map(|path| std::fs::read(path).expect("the trace is there"));
    assert!(plain == compiled, "the traces differ");
}

/// A module that goes away and comes back, at another address, is probed where it is.
#[test]
#[ignore = "of ./scripts/test full"]
fn modules_come_and_go() {
    let workload = "sh:rmmod sd_mod && insmod /iotrace/modules/sd_mod.ko && sleep 1 \
                    && dd if=/dev/sda of=/dev/null bs=4096 count=4 iflag=direct";
    let recorded = recording(&["built-6.1", "--fs", "raw", "--workload", workload]);
    let trace = replay(&recorded, "modules", &[]);
    let (mut placed, mut hits, mut comings) = (Vec::new(), 0, Vec::new());
    for_each(&trace, &mut |held| match held {
        TraceItem::Definition(definition) => placed.extend(sd_done(definition)),
        TraceItem::Event(event) => {
            hits += usize::from(placed.last().is_some_and(|(id, _)| *id == event.kind));
            let modules = [event::MODULE_LOAD.id, event::MODULE_UNLOAD.id];
            comings.extend(Some(event.kind).filter(|kind| modules.contains(kind)));
        }
    });
    assert_eq!(placed.len(), 2, "sd_done was placed twice: {placed:?}");
    assert!(comings.contains(&event::MODULE_UNLOAD.id), "{comings:?}");
    assert!(hits >= 4, "{hits} commands in the second sd_mod");
}

fn sd_done(definition: &Definition) -> Option<(u16, u64)> {
    match definition {
        Definition::Probe(probe) if probe.function == "sd_done" && probe.at == At::Entry => {
            Some((probe.id, probe.address))
        }
        _ => None,
    }
}

fn loop_write() -> PathBuf {
    recording(&witnessed("debian-6.1", "xfs", "loop-write"))
}

/// Two replays give the same bytes; a replay with other probes gives the same clocks.
#[test]
fn replays_are_identical() {
    let (first, second) = (trace_of(&loop_write()), replay(&loop_write(), "same-2", &[]));
    let bytes = [&first, &second].map(|path| std::fs::read(path).expect("the trace is there"));
    assert!(bytes[0] == bytes[1], "{} and {} differ", first.display(), second.display());

    let fewer = replay(&loop_write(), "fewer", &["--plugin-args", "capture=block"]);
    let stages = [&first, &fewer].map(|trace| issued(trace));
    // With other arguments the trace begins at the snapshot.
    assert!(stages[1].len() > 5 && stages[0].ends_with(&stages[1]), "{stages:?}");
    accounted_for(&first);
}

/// Clock and first word of every request issued.
fn issued(trace: &Path) -> Vec<(u64, u64)> {
    let mut kind = None;
    let mut found = Vec::new();
    for_each(trace, &mut |held| match held {
        TraceItem::Definition(definition) => kind = issue_kind(definition).or(kind),
        TraceItem::Event(event) if Some(event.kind) == kind => found.push((event.clock, event.words[0])),
        TraceItem::Event(_) => {}
    });
    found
}

fn issue_kind(definition: &Definition) -> Option<u16> {
    match definition {
        Definition::Probe(probe) if probe.stage_name() == "rq.issue" && probe.at == At::Entry => {
            Some(probe.id)
        }
        _ => None,
    }
}

/// The clock is QEMU's own count at each access to a device, from the first to the last.
#[test]
fn the_clock_is_qemus() {
    let clock = clock(&trace_of(&loop_write()));
    println!("{clock:?}");
    assert!(clock.told > 100 && clock.last > 100_000_000 && clock.drift == 0, "{clock:?}");
}

/// A vmlinux of another build is named, and nothing is traced with it.
#[test]
fn a_wrong_kernel_is_named() {
    let other = succeed(script("kernel").arg("debian-7.x"));
    let trace = iotrace_tests::folder("traces").join("wrong.iot");
    let mut command = script("replay");
    command.arg(loop_write()).args(["--kernel", &other]).arg("-o").arg(&trace);
    let output = run(command.arg("--plugin").arg(iotrace_tests::built("libiotrace.so")));
    let text = said(&output);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("the guest's kernel is Linux version 6.1"), "{text}");
}

/// A recording that was changed is refused, and what was changed is named.
#[test]
fn a_changed_recording_is_refused() {
    let copy = iotrace_tests::folder("recordings").join("changed");
    succeed(std::process::Command::new("cp").args(["-rT", "--sparse=always"]).arg(loop_write()).arg(&copy));
    std::fs::write(copy.join("workload.tar"), b"something else").expect("the copy is writable");
    let output = run(script("replay").arg(&copy).arg("--no-plugin"));
    assert!(!output.status.success() && said(&output).contains("workload.tar"), "{}", said(&output));
}

/// With KASLR off, and on the newest QEMU with its own report of interrupts: the same answers.
#[test]
#[ignore = "of ./scripts/test full"]
fn without_kaslr_the_witness_agrees() {
    let recorded = recording(&["debian-6.1", "--nokaslr", "--workload", "loop-write", "--witness"]);
    let trace = replay(&recorded, "nokaslr", &[]);
    agrees(&recorded, &trace);
    let info: Value = serde_json::from_str(&succeed(&mut analyze(&["info", "--format", "json"], &trace)))
        .expect("info prints JSON");
    assert!(info.to_string().contains("\"slide\":\"0x0\""), "{info}");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn the_newest_qemu_agrees() {
    let found = run(script("qemu").arg("11.1"));
    if !found.status.success() {
        eprintln!("SKIPPED: QEMU 11.1 cannot be had here: {}", said(&found));
        return;
    }
    let qemu = String::from_utf8_lossy(&found.stdout).trim_end().to_owned();
    let recorded = recording(&["debian-6.1", "--workload", "loop-write", "--witness", "--qemu", &qemu]);
    let trace = replay(&recorded, "newest", &["--qemu", &qemu]);
    agrees(&recorded, &trace);
    let (mut interrupts, mut writes) = (0_usize, 0_usize);
    for_each(&trace, &mut |held| {
        if let TraceItem::Event(event) = held {
            interrupts += usize::from(event.kind == event::INTERRUPT.id);
            writes += usize::from(event.kind == event::MMIO_WRITE.id && event.task != 0);
        }
    });
    assert!(interrupts > 100 && writes > 100, "{interrupts} interrupts, {writes} writes by known tasks");
    assert_eq!(clock(&trace).drift, 0);
}
