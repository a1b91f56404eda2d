//! Guests with other processors than the default one.

use iotrace_arch::FIRST;
use iotrace_format::definition::{At, Definition, Probe};
use iotrace_format::event;
use iotrace_format::stage::Stage;
use iotrace_tests::qmp::ControlledQemu;
use iotrace_tests::{
    TraceItem, agrees, analyze, built, complaints, folder, for_each, json, recording, replay, run, said,
    script, stages_are_complete, succeed, trace_of,
};
use serde_json::{Value, json};
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

/// A guest that starts again and again, by its kernel's panic or by itself, moved elsewhere by its kernel each time or not:
/// each boot has a trace of its own, with what ended it.
#[test]
fn each_boot_of_a_guest_is_a_trace_of_its_own() {
    let kernel = PathBuf::from(succeed(script("kernel").args(["debian-6.1", "--bare"])));
    let folder = folder("traces/reboots");
    fs::create_dir_all(folder.join("root/bin")).expect("the folder is writable");
    fs::copy("/bin/busybox", folder.join("root/bin/busybox")).expect("busybox is there");
    fs::write(folder.join("root/init"), "#!/bin/busybox sh\nexec /bin/busybox reboot -f\n")
        .expect("the folder is writable");
    let pack = "cd root && chmod +x init && find . | busybox cpio -o -H newc > ../initrd";
    succeed(Command::new("sh").args(["-c", pack]).current_dir(&folder));
    for (reason, smp, append, initrd) in
        [("panic", "1", "panic=1 noapictimer", false), ("restart", "2", "nokaslr noapictimer", true)]
    {
        let traces = ["", ".2", ".3"].map(|boot| folder.join(format!("{reason}{boot}.iot")));
        traces.iter().for_each(|trace| _ = fs::remove_file(trace));
        let mut command = Command::new(FIRST.qemu);
        command.args(["-nodefaults", "-display", "none", "-m", "256", "-smp", smp, "-append", append]);
        command.arg("-kernel").arg(kernel.join("vmlinuz"));
        if initrd {
            command.arg("-initrd").arg(folder.join("initrd"));
        }
        let (plugin, vmlinux) = (built("libiotrace.so"), kernel.join("vmlinux"));
        let plugin = format!("{},kernel={},out={}", plugin.display(), vmlinux.display(), traces[0].display());
        let mut qemu = ControlledQemu::start(command.arg("-plugin").arg(plugin), &folder);
        qemu.run("cont", &json!({}));
        // The third boot's trace is there: the second one's is whole.
        while !traces[2].exists() {
            qemu.wait_for("RESET");
        }
        qemu.quit();
        let mut ends = Vec::new();
        for (trace, boot) in traces[..2].iter().zip(1..) {
            succeed(&mut analyze(&["verify"], trace));
            let info = json(trace, &["info"]);
            assert_eq!(info["shutdown"]["reason"], reason, "boot {boot}: {info}");
            let noted = info["trace"]["notes"]["boot"].as_str().map(str::to_owned);
            assert_eq!(noted, (boot > 1).then(|| boot.to_string()), "{info}");
            ends.push((info["file"]["first_clock"].clone(), info["file"]["last_clock"].clone()));
        }
        assert!(ends[0].1.as_u64() < ends[1].0.as_u64(), "the clock goes on: {ends:?}");
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

/// A cause, its effect on another vCPU, and the word of the cause that names the vCPU.
const IPIS: [(&str, &str); 2] = [
    ("native_smp_send_reschedule", "sysvec_reschedule_ipi"),
    ("native_send_call_func_single_ipi", "sysvec_call_function_single"),
];

/// What was seen of causes and their effects on other vCPUs.
#[derive(Debug, Default)]
struct Causality {
    /// Interrupts that a vCPU sent another one.
    ipis: u64,
    /// Wake-ups by another vCPU than the one on which the task ran next.
    wakeups: u64,
    /// Interrupts that arrived before they were sent, tasks that ran before they were woken.
    too_early: Vec<String>,
}

/// A task, as far as it is known.
#[derive(Debug, Default)]
struct Seen {
    /// The vCPU that it runs on.
    running: Option<u16>,
    /// It runs though nobody has woken it since it ran before.
    unexplained: bool,
    /// It is about to stop: who wakes it now has a reason to.
    stopping: bool,
    /// The vCPU that has woken it since, or tries to.
    woken_by: Option<u16>,
    /// It was stopped against its will: nobody has to wake it.
    preempted: bool,
}

/// Compares the order of causes and effects with their order in the trace.
fn causality(trace: &Path) -> Causality {
    let (mut found, mut probes) = (Causality::default(), BTreeMap::<u16, Probe>::new());
    let mut sent = BTreeMap::<(usize, u64), u64>::new();
    let mut tasks = BTreeMap::<u64, Seen>::new();
    // The wake-up that a vCPU is in: the task, and whether it ran then though nobody had woken it.
    let mut waking = BTreeMap::<u16, (u64, bool)>::new();
    for_each(trace, &mut |held| {
        let event = match held {
            TraceItem::Definition(Definition::Probe(probe)) => {
                probes.insert(probe.id, probe.clone());
                return;
            }
            TraceItem::Event(event) => event,
            _ => return,
        };
        let Some(probe) = probes.get(&event.kind) else { return };
        let word = |name| probe.words.iter().position(|word| word == name).map(|at| event.words[at]);
        for (kind, (cause, effect)) in IPIS.iter().enumerate() {
            if probe.at == At::Entry && probe.function == *cause {
                *sent.entry((kind, word("cpu").expect("it is recorded"))).or_default() += 1;
            } else if probe.at == At::Entry && probe.function == *effect {
                found.ipis += 1;
                let pending = sent.entry((kind, event.vcpu.into())).or_default();
                match pending.checked_sub(1) {
                    Some(rest) => *pending = rest,
                    None => found.too_early.push(format!("{effect} on {} at {}", event.vcpu, event.clock)),
                }
            }
        }
        match (&probe.stage, probe.at) {
            (Some(Stage::TaskWake), At::Entry) => {
                let task = word("task").expect("it is recorded");
                let seen = tasks.entry(task).or_default();
                waking
                    .insert(event.vcpu, (task, seen.running.is_some() && seen.unexplained && !seen.stopping));
                seen.woken_by = Some(event.vcpu);
            }
            (Some(Stage::TaskWake), At::Exit) => {
                let Some((task, early)) = waking.remove(&event.vcpu) else { return };
                if early && event.words[0] & 1 == 1 {
                    found
                        .too_early
                        .push(format!("task {task:#x} woken by {} at {}", event.vcpu, event.clock));
                }
            }
            (Some(Stage::TaskNew), At::Entry) => {
                let task = word("task").expect("it is recorded");
                tasks.entry(task).or_default().woken_by = Some(event.vcpu);
            }
            (Some(Stage::TaskSwitch), _) => {
                let [before, next] = ["prev", "next"].map(|name| word(name).expect("it is recorded"));
                let before = tasks.entry(before).or_default();
                (before.running, before.woken_by) = (None, None);
                let seen = tasks.entry(next).or_default();
                found.wakeups += u64::from(seen.woken_by.is_some_and(|by| by != event.vcpu));
                *seen = Seen {
                    running: Some(event.vcpu),
                    unexplained: seen.woken_by.is_none() && !seen.preempted,
                    ..Seen::default()
                };
            }
            (_, at) if probe.function.starts_with("preempt_schedule") => {
                tasks.entry(event.task).or_default().preempted = at == At::Entry;
            }
            (_, at) if probe.function == "schedule" => {
                tasks.entry(event.task).or_default().stopping = at == At::Entry;
            }
            _ => {}
        }
    });
    found
}

/// Two tasks that wait for each other 8,000 times.
const PING_PONG: &str = "mkfifo a b; (while read x; do echo $x; done <a >b) & exec 3>a 4<b; i=0; \
                         while [ $i -lt 8000 ]; do echo $i >&3; read y <&4; i=$((i+1)); done";

/// Several vCPUs on threads of their own: no interrupt arrives before another vCPU has sent it, no task runs before another
/// vCPU has woken it.
#[test]
#[ignore = "of ./scripts/test full"]
fn no_effect_precedes_its_cause_on_another_vcpu() {
    for vcpus in ["2", "4"] {
        let live = folder("live").join(format!("causality-{vcpus}"));
        let mut command = script("record");
        command.args([
            "debian-6.1",
            "--controller",
            "virtio-blk-pci",
            "--trace",
            "--thread",
            "multi",
            "--smp",
            vcpus,
        ]);
        command.args(["--workload", &format!("sh:{PING_PONG}")]);
        succeed(command.arg("--plugin").arg(built("libiotrace.so")).args(["--force", "-o"]).arg(&live));
        let found = causality(&live.join("trace.iot"));
        println!("{vcpus} vCPUs: {} interrupts, {} wake-ups", found.ipis, found.wakeups);
        assert!(found.ipis + found.wakeups > 10_000, "{} {}", found.ipis, found.wakeups);
        assert!(found.too_early.is_empty(), "{} {:?}", found.too_early.len(), found.too_early.first());
    }
}
