//! Guests with other processors than the default one.

use iotrace_arch::FIRST;
use iotrace_format::event;
use iotrace_tests::{
    TraceItem, agrees, analyze, built, complaints, folder, for_each, recording, replay, run, said, script,
    stages_are_complete, succeed, trace_of,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tasks that queued bios while the workload ran, as ftrace writes them: `loop-write-127`.
fn queueing_tasks(trace: &Path) -> Vec<String> {
    let printed = succeed(&mut analyze(&["report", "--format", "json"], trace));
    let report: Value = serde_json::from_str(&printed).expect("the report is JSON");
    let task =
        |bio: &Value| format!("{}-{}", bio["task"]["comm"].as_str().expect("a name"), bio["task"]["pid"]);
    report["bios"].as_array().expect("a list of bios").iter().map(task).collect()
}

/// The same by the guest's own tracepoints.
fn queueing_tasks_of_tracepoints(recording: &Path) -> Vec<String> {
    let text = fs::read_to_string(recording.join("witness.txt")).expect("the guest has traced itself");
    let events = text.lines().filter(|line| line.contains(" block_bio_queue: "));
    events.map(|line| line.split(" [").next().unwrap_or_default().trim().to_owned()).collect()
}

/// A processor with 5-level paging, whose kernel lies in a larger half of the address space: tasks are those of the
/// guest's tracepoints, interrupts are found, and a replay is as good as another.
#[test]
fn tasks_and_interrupts_are_known_with_5_level_paging() {
    let recorded = recording(&["debian-6.1", "--cpu", "max", "--workload", "loop-write", "--witness"]);
    let [trace, again] = ["cpu-max", "cpu-max-again"].map(|name| replay(&recorded, name, &[]));
    agrees(&recorded, &trace);
    stages_are_complete(&trace);
    let expected = queueing_tasks_of_tracepoints(&recorded);
    assert!(expected.iter().any(|task| task.starts_with("loop-write-")), "{expected:?}");
    assert_eq!(queueing_tasks(&trace), expected);
    let bytes = [&trace, &again].map(|trace| fs::read(trace).expect("the trace is there"));
    assert!(bytes[0] == bytes[1], "two replays differ");
    let manifest = fs::read_to_string(recorded.join("manifest.json")).expect("the recording is whole");
    let manifest: Value = serde_json::from_str(&manifest).expect("it is JSON");
    assert_eq!(manifest["machine"]["cpu"], "max");
}

/// A guest with 8 GiB, whose memory reaches beyond the first 4, and a processor of another make.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_large_guest_and_other_processors_are_traced() {
    for machine in [&["--memory", "8192"][..], &["--memory", "8192", "--cpu", "max"], &["--cpu", "EPYC"]] {
        let common = ["debian-6.1", "--workload", "direct:count=4", "--witness"];
        let recorded = recording(&[&common, machine].concat());
        let trace = trace_of(&recorded);
        agrees(&recorded, &trace);
        stages_are_complete(&trace);
    }
}

#[test]
fn a_processor_model_that_needs_quoting_is_refused() {
    for model in ["max;id", "max -device x", ""] {
        let output = run(script("record").args(["debian-6.1", "-o", "/nowhere", "--cpu", model]));
        assert!(
            !output.status.success() && said(&output).contains("expected a CPU model"),
            "{}",
            said(&output)
        );
    }
}

/// A live guest with vCPUs: how many, and how QEMU runs them.
fn live(name: &str, arguments: &[&str]) -> PathBuf {
    let kernel = PathBuf::from(succeed(script("kernel").args(["debian-6.1", "--bare"])));
    let trace = folder("traces").join(format!("{name}.iot"));
    let mut qemu = Command::new(FIRST.qemu);
    qemu.args(["-nodefaults", "-display", "none", "-no-reboot", "-m", "256"]).args(arguments);
    qemu.arg("-kernel").arg(kernel.join("vmlinuz")).args(["-append", "panic=-1 noapictimer"]);
    let (plugin, vmlinux) = (built("libiotrace.so"), kernel.join("vmlinux"));
    let plugin = format!("{},kernel={},out={}", plugin.display(), vmlinux.display(), trace.display());
    let output = run(qemu.arg("-plugin").arg(plugin));
    assert!(output.status.success() && complaints(&output).is_empty(), "{}", said(&output));
    trace
}

/// What a trace has of each vCPU: its events, and those of them that are of another vCPU's idle task.
fn of_vcpus(trace: &Path) -> BTreeMap<u16, (u64, u64)> {
    let (mut idle, mut found) = (BTreeMap::new(), BTreeMap::<_, (u64, u64)>::new());
    for_each(trace, &mut |held| {
        let TraceItem::Event(event) = held else { return };
        if event.kind == event::TASK.id {
            // swapper/1 is the idle task of CPU 1; that of CPU 0 has another name at first.
            let name = [event.words[3].to_le_bytes(), event.words[4].to_le_bytes()].concat();
            let name = String::from_utf8_lossy(&name);
            let number = name.trim_end_matches('\0').strip_prefix("swapper/").map_or(Ok(0), str::parse);
            if let (0, Ok(vcpu)) = (event.words[1], number) {
                idle.insert(event.task, vcpu);
            }
        }
        let counts = found.entry(event.vcpu).or_default();
        counts.0 += 1;
        counts.1 += u64::from(idle.get(&event.task).is_some_and(|vcpu| *vcpu != event.vcpu));
    });
    found
}

/// vCPUs that share a thread, and such that do not: QEMU does not end itself, and each event is of the vCPU whose idle
/// task says so. There are more of them than QEMU reserves scores for at first.
#[test]
fn guests_with_several_vcpus_are_traced_however_qemu_runs_them() {
    for (name, vcpus, arguments) in [
        ("icount", 2, &["-smp", "2", "-icount", "shift=2"][..]),
        ("single", 2, &["-smp", "2", "-accel", "tcg,thread=single"]),
        ("single-many", 18, &["-smp", "18", "-accel", "tcg,thread=single"]),
        ("multi", 2, &["-smp", "2", "-accel", "tcg,thread=multi"]),
    ] {
        let trace = live(name, arguments);
        succeed(&mut analyze(&["verify"], &trace));
        let found = of_vcpus(&trace);
        println!("{name}: events and those of another's idle task, by vCPU: {found:?}");
        assert_eq!(Vec::from_iter(found.keys().copied()), Vec::from_iter(0..vcpus), "{name}");
        assert!(found.values().all(|(events, others)| *events > 1000 && *others == 0), "{name}: {found:?}");
    }
}

/// The clock of vCPUs that share a thread is QEMU's count of all of them, to one part per million. When the kernel starts
/// a vCPU, QEMU counts the rest of its turn, which it does not execute: its reset clears what is left of that
/// (`cpu_common_reset_hold`, hw/core/cpu-common.c).
#[test]
#[ignore = "of ./scripts/test full"]
fn the_clock_of_several_vcpus_is_qemus() {
    let trace = live("icount-clock", &["-smp", "3", "-icount", "shift=2"]);
    let (mut drifts, mut last) = (Vec::new(), 0);
    for_each(&trace, &mut |held| {
        let TraceItem::Event(event) = held else { return };
        last = event.clock;
        if event.kind == event::CLOCK.id {
            drifts.push(event.words[1].cast_signed().unsigned_abs());
        }
    });
    assert!(drifts.len() > 3 && last > 100_000_000, "{drifts:?} {last}");
    drifts.sort_unstable();
    let drift: u64 = drifts[..drifts.len() - 2].iter().sum();
    assert!(drift * 1_000_000 <= last, "{drifts:?} {last}");
}
