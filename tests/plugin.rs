//! The plugin's own manners, with a QEMU that needs no guest: arguments, files that cannot be written.

use iotrace_arch::FIRST;
use iotrace_format::definition::Definition;
use iotrace_format::event::{self, Event, FIRST_PROBE, MARK_BEGIN, MARK_END, is_landmark};
use iotrace_format::layer::Layer;
use iotrace_tests::{
    TraceItem, analyze, built, clock, folder, for_each, recording, replay, run, said, script, succeed,
    trace_of,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn kernel() -> PathBuf {
    succeed(script("kernel").args(["debian-6.1", "--bare"])).into()
}

/// QEMU with the plugin and these arguments, on the kernel without a disk: it panics for want of a root file
/// system and restarts, which ends it.
fn qemu(arguments: &str) -> Command {
    let mut command = Command::new(FIRST.qemu);
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
        ("out=/tmp/x.iot".to_owned(), "missing argument \"kernel\""),
        ("kernel=/nowhere,out=/tmp/x.iot".to_owned(), "kernel=/nowhere: no such file"),
        ("kernel=/etc/passwd,out=/tmp/x.iot".to_owned(), "/etc/passwd"),
        (format!("kernel={vmlinux}"), "missing argument \"out\""),
        (format!("kernel={vmlinux},out=/nowhere/x.iot"), "cannot write the trace /nowhere/x.iot"),
        (format!("kernel={vmlinux},out=/dev/full"), "/dev/full: No space left on device"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,capture=disk"), "\"disk\" is not a layer"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,catalog=/etc/passwd"), "catalog /etc/passwd"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,depth=3"), "unknown argument \"depth\""),
        (
            format!("kernel={vmlinux},out=/tmp/x.iot,from=sys.wrte"),
            "did you mean \"sys.write\"?; the stages are sys. and a system call's name, bio.",
        ),
        (format!("kernel={vmlinux},out=/tmp/x.iot,from=sys.write:fdd=3"), "sys.write has no field \"fdd\""),
        (
            format!("kernel={vmlinux},out=/tmp/x.iot,from=sys.write,capture=block"),
            "excludes its layer syscall",
        ),
        (format!("kernel={vmlinux},out=/tmp/x.iot,mode=fast"), "mode=fast: expected thin"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,window=9..5"), "expected workload"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,mmio=none"), "mmio=none: expected all"),
        (format!("kernel={vmlinux},out=/tmp/x.iot,only=dd"), "expected task:NAME or task:PID"),
    ] {
        let output = run(&mut qemu(&arguments));
        let text = said(&output);
        assert!(!output.status.success() && text.contains(expected), "{arguments}: {text}");
    }
}

/// A trace that cannot be written any more stops the tracing, not the guest.
#[test]
#[ignore = "of ./scripts/test full"]
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

/// Live: a guest of the user's own, without a recording, ends in a complete trace. Its clock, which translated code
/// counts, agrees with QEMU's own to one part per million.
#[test]
fn a_live_guest_is_traced() {
    let trace = folder("traces").join("live.iot");
    let vmlinux = kernel().join("vmlinux");
    let output = run(&mut qemu(&format!("kernel={},out={}", vmlinux.display(), trace.display())));
    assert!(output.status.success(), "{}", said(&output));
    let info = succeed(&mut analyze(&["info"], &trace));
    assert!(info.contains("Linux version 6.1"), "{info}");
    let clock = clock(&trace);
    assert!(clock.told > 1 && clock.last > 100_000_000, "{clock:?}");
    assert!(clock.drift * 1_000_000 <= clock.last, "{clock:?}");
}

/// A beginning that never comes is told, in the trace too.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_beginning_that_never_comes_is_told() {
    let trace = folder("traces").join("never.iot");
    let vmlinux = kernel().join("vmlinux");
    let arguments =
        format!("kernel={},out={},from=sys.write:count=123456789", vmlinux.display(), trace.display());
    let output = run(&mut qemu(&arguments));
    let expected = "no event of the guest matched from=sys.write:count=123456789: nothing recorded";
    assert!(said(&output).contains(expected), "{}", said(&output));
    let info = succeed(&mut analyze(&["info"], &trace));
    assert!(info.contains(expected) && !info.contains("__schedule()"), "{info}");
}

fn loop_write() -> PathBuf {
    recording(&["debian-6.1", "--fs", "xfs", "--workload", "loop-write", "--fresh"])
}

fn accesses(trace: &Path) -> BTreeSet<(u64, u16, Vec<u64>)> {
    let mut found = BTreeSet::new();
    for_each(trace, &mut |held| {
        if let TraceItem::Event(&Event { clock, kind, words, .. }) = held
            && [event::MMIO_READ.id, event::MMIO_WRITE.id].contains(&kind)
        {
            found.insert((clock, kind, words.to_vec()));
        }
    });
    found
}

/// What the whole kernel accesses is more than what drivers do, and has all of that; I/Os are the same.
#[test]
#[ignore = "of ./scripts/test full"]
fn accesses_of_the_whole_kernel_are_recorded_if_asked_for() {
    let drivers = trace_of(&loop_write());
    let all = replay(&loop_write(), "mmio-all", &["--plugin-args", "mmio=all"]);
    let (some, more) = (accesses(&drivers), accesses(&all));
    println!("{} accesses of drivers, {} of the whole kernel", some.len(), more.len());
    assert!(!some.is_empty() && some.is_subset(&more) && some.len() < more.len());
    assert_eq!(bios(&drivers), bios(&all));
}

/// The bios that are reported, with their stages: of which the doorbell is one.
fn bios(trace: &Path) -> Vec<serde_json::Value> {
    let report = succeed(&mut analyze(&["report", "--format", "json"], trace));
    let report: serde_json::Value = serde_json::from_str(&report).expect("the report is JSON");
    report["bios"].as_array().expect("a list of bios").clone()
}

/// Events of functions that are not of the catalog, and the clocks of the workload's marks and of the first and the last
/// event that is no landmark.
fn others_and_window(trace: &Path) -> (u64, [u64; 2], [u64; 2]) {
    let (mut others, mut landmarks, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
    let (mut marks, mut window) = ([0; 2], [u64::MAX, 0]);
    for_each(trace, &mut |held| match held {
        TraceItem::Definition(Definition::Probe(probe)) => {
            _ = probe.layer == Layer::Other && others.insert(probe.id);
            _ = probe.is_landmark() && landmarks.insert(probe.id);
        }
        TraceItem::Definition(_) => {}
        TraceItem::Event(event) if event.kind == event::MARK.id => match event.words[0] {
            MARK_BEGIN => marks[0] = event.clock,
            MARK_END => marks[1] = event.clock,
            _ => {}
        },
        TraceItem::Event(event) if is_landmark(event.kind) || landmarks.contains(&event.kind) => {}
        TraceItem::Event(event) => {
            count += u64::from(others.contains(&event.kind));
            window = [window[0].min(event.clock), window[1].max(event.clock)];
        }
    });
    (count, marks, window)
}

/// Every function of the kernel while the workload runs: two replays give the same bytes, the I/Os are those that a
/// trace of the catalog's functions has, and their way shows the other functions between those.
#[test]
fn every_function_of_the_kernel_is_recorded_while_the_workload_runs() {
    let window = ["--plugin-args", "window=workload"];
    let everything = ["--plugin-args", "mode=full,window=workload"];
    let catalog = replay(&loop_write(), "window", &window);
    let [full, again] = ["full", "full-again"].map(|name| replay(&loop_write(), name, &everything));
    let bytes = |trace| std::fs::read(trace).expect("the trace is readable");
    assert!(bytes(&full) == bytes(&again), "two replays differ");
    assert_eq!(others_and_window(&catalog).0, 0);
    let (others, marks, clocks) = others_and_window(&full);
    assert!(
        others > 100_000 && marks[0] <= clocks[0] && clocks[1] < marks[1],
        "{others} {marks:?} {clocks:?}"
    );
    assert_eq!(bios(&full), bios(&catalog));

    let way = |trace| succeed(&mut analyze(&["path", "--syscall", "fsync", "--format", "json"], trace));
    let (way, short) = (way(&full), way(&catalog));
    let named = |way: &str, name: &str| way.contains(&format!("\"{name}\""));
    for (name, of_catalog) in
        [("xfs_file_fsync", true), ("submit_bio", true), ("kmem_cache_alloc", false), ("up_read", false)]
    {
        assert!(named(&way, name) && named(&short, name) == of_catalog, "{name}");
    }
    for command in [&["report"][..], &["why", "--syscall", "fsync"], &["explain"], &["verify"]] {
        succeed(&mut analyze(command, &full));
    }
    let difference = succeed(analyze(&["diff"], &full).arg(&again));
    assert!(difference.contains("no difference"), "{difference}");
    // A system call has the same cost, whoever calls its function.
    let difference = succeed(analyze(&["diff"], &catalog).arg(&full));
    assert!(!difference.contains(" 0 in B") && difference.contains("+0.0%"), "{difference}");
}

/// Without arguments: the same functions, in the same tasks, at the same clocks.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_thin_trace_has_the_same_calls_without_their_arguments() {
    let [whole, thin] = [("whole", &[][..]), ("thin", &["--plugin-args", "mode=thin"])]
        .map(|(name, arguments)| replay(&loop_write(), name, arguments));
    let calls = |trace: &Path| {
        let (mut probes, mut calls, mut words) = (BTreeMap::new(), BTreeSet::new(), 0);
        for_each(trace, &mut |held| match held {
            TraceItem::Definition(Definition::Probe(probe)) => {
                _ = probes.insert(probe.id, (probe.symbol.clone(), probe.address));
            }
            TraceItem::Event(event) if event.kind >= FIRST_PROBE => {
                words += event.words.len();
                calls.insert((
                    event.clock,
                    event.task,
                    event.context,
                    event.stack,
                    probes[&event.kind].clone(),
                ));
            }
            _ => {}
        });
        (calls, words)
    };
    let ((of_whole, words), (of_thin, few)) = (calls(&whole), calls(&thin));
    assert!(of_whole == of_thin && of_whole.len() > 100_000, "{} {}", of_whole.len(), of_thin.len());
    assert!(few < words / 2, "{few} of {words}");
    assert!(bios(&thin).is_empty());
    let report = succeed(&mut analyze(&["report"], &thin));
    assert!(report.contains("thin: recorded with mode=thin"), "{report}");
    for command in [&["explain"][..], &["verify"]] {
        succeed(&mut analyze(command, &thin));
    }
}

/// A window of clocks has what a whole trace has between them, and what has to be known from before.
#[test]
fn a_window_of_clocks_is_a_part_of_the_whole() {
    let (_, [begin, end], _) = others_and_window(&trace_of(&loop_write()));
    let window = [begin + (end - begin) / 4, end - (end - begin) / 4];
    let arguments = format!("mode=full,window={}..{}", window[0], window[1]);
    let part = replay(&loop_write(), "part", &["--plugin-args", &arguments]);
    let (others, marks, clocks) = others_and_window(&part);
    assert!(others > 1000 && marks == [begin, end]);
    assert!(window[0] <= clocks[0] && clocks[1] < window[1], "{clocks:?} not in {window:?}");
}

/// What is called in what is what the guest's own function_graph says, which follows every function that it can: in
/// tasks, interrupts and softirqs. Interrupts are those that the guest asks for, since its tracer writes down each call.
#[test]
#[ignore = "of ./scripts/test full"]
fn every_call_of_the_kernel_is_one_of_function_graph() {
    let workload = "sh:dd if=/dev/zero of=x bs=4k count=2 oflag=direct";
    let tracer = ["--witness", "--tracer", "function_graph:all", "--tick", "0"];
    let recorded = recording(&[&["debian-6.1", "--workload", workload][..], &tracer].concat());
    let (_, [begin, end], _) = others_and_window(&trace_of(&recorded));
    // The guest's tracing begins before the mark, and ends behind it.
    let margin = 2 * (end - begin);
    let arguments = format!("mode=full,window={}..{}", begin - margin, end + margin);
    let trace = replay(&recorded, "all-calls", &["--plugin-args", &arguments]);
    let witness = recorded.join("witness.txt");
    let printed = succeed(analyze(&["compare-tracepoints", "--format", "json"], &trace).arg(&witness));
    let compared: Value = serde_json::from_str(&printed).expect("the comparison is JSON");
    let nesting = &compared["nesting"];
    let number = |what: &str| nesting[what].as_u64().expect("a number");
    assert!(
        number("calls") > 50_000 && number("in_interrupts") > 5000 && number("deepest") > 30,
        "{nesting}"
    );
    assert!(number("left_out_before") < 10 && number("left_out_after") < 100, "{nesting}");
    let functions = nesting["functions"].as_object().expect("calls of each function");
    assert!(functions.len() > 1000, "{} functions", functions.len());
    let unseen = nesting["unseen_returns"].as_object().expect("returns");
    assert!(unseen.is_empty(), "{unseen:?}");
}
