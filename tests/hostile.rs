//! Guests that attack what traces them, from inside: QEMU runs on in bounded memory, and the trace is sound.

use iotrace_arch::FIRST;
use iotrace_format::definition::Definition;
use iotrace_tests::{
    SMALL_GUEST, TraceItem, analyze, built, checkout, folder, for_each, recording, run, said, succeed,
};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// Attacks that scripts/guest/hostile has.
const ATTACKS: usize = 21;
/// What QEMU may have in memory with the plugin beside what it has without, in KiB: as much as memory= says, a session's
/// buffers and tables, and the plugin itself.
const PLUGIN: u64 = 160 << 10;
/// Virtual memory of QEMU, in KiB: one that grows without a bound fails to get more, which ends it.
const ADDRESS_SPACE: &str = "4194304";

/// The guest of our own, which has a kernel's symbols and types: compiled once.
static GUEST: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = folder("hostile");
    succeed(Command::new(checkout().join("scripts/guest/hostile/build")).arg(&place));
    place.join("hostile.elf")
});

/// QEMU with that guest and these arguments: what it said, and the most memory that it had, in KiB.
fn attacked(name: &str, arguments: &[&str]) -> (Output, u64) {
    let (console, peak) =
        (folder("hostile").join(format!("{name}.console")), folder("hostile").join(format!("{name}.peak")));
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {ADDRESS_SPACE}; exec \"$@\"");
    command.args(["-c", &script, "sh", "python3", "-c", MEASURE]).arg(&peak).arg(FIRST.qemu);
    command.args(["-nodefaults", "-display", "none", "-no-reboot", "-M", "q35", "-m", "64", "-net", "none"]);
    command
        .arg("-kernel")
        .arg(&*GUEST)
        .arg("-debugcon")
        .arg(format!("file:{}", console.display()))
        .args(arguments);
    let output = run(&mut command);
    let attacks = fs::read_to_string(&console).expect("the guest has a console");
    assert!(output.status.success(), "after {attacks}: {}\n{}", output.status, said(&output));
    assert_eq!(attacks.lines().count(), ATTACKS + 1, "{attacks}");
    assert!(attacks.ends_with("over\n"), "{attacks}");
    let peak = fs::read_to_string(&peak).expect("QEMU was measured");
    (output, peak.trim().parse().expect("a number"))
}

/// Runs a program and writes to a file the most memory that it had.
const MEASURE: &str = "import resource, subprocess, sys; status = subprocess.call(sys.argv[2:]); \
                       open(sys.argv[1], 'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)); \
                       sys.exit(status % 256)";

fn plugin(trace: &Path, more: &str) -> String {
    let (plugin, guest) = (built("libiotrace.so"), GUEST.display());
    format!("{},kernel={guest},out={}{more}", plugin.display(), trace.display())
}

/// The analyzer answers what it is asked of a trace, whatever is in it.
fn is_answered(trace: &Path) {
    succeed(&mut analyze(&["verify"], trace));
    for question in [
        &["info"][..],
        &["report"],
        &["report", "--format", "json"],
        &["why", "--syscall", "read"],
        &["path", "--syscall", "read"],
        &["explain"],
        &["events", "--stage", "sys."],
        &["events", "--function", "bio_split"],
    ] {
        let output = run(&mut analyze(question, trace));
        let text = said(&output);
        assert!(output.status.code().is_some_and(|code| code < 5), "{question:?}: {}\n{text}", output.status);
        assert!(!text.contains("internal error") && !text.contains("panicked"), "{question:?}: {text}");
    }
}

/// Functions of which a trace has events, and its notes by topic.
fn held(trace: &Path) -> (BTreeSet<String>, Vec<(String, String)>) {
    let (mut probes, mut hit, mut notes) = (std::collections::HashMap::new(), BTreeSet::new(), Vec::new());
    for_each(trace, &mut |item| match item {
        TraceItem::Definition(Definition::Probe(probe)) => {
            _ = probes.insert(probe.id, probe.function.clone())
        }
        TraceItem::Definition(Definition::Note(note)) => notes.push((note.topic.clone(), note.text.clone())),
        TraceItem::Definition(_) => {}
        TraceItem::Event(event) => hit.extend(probes.get(&event.kind).cloned()),
    });
    (hit, notes)
}

#[test]
fn a_guest_that_attacks_the_plugin_is_traced_to_its_reset() {
    let trace = folder("traces").join("hostile.iot");
    let (_, alone) = attacked("alone", &["-icount", "shift=2"]);
    let (output, peak) = attacked("live", &["-icount", "shift=2", "-plugin", &plugin(&trace, "")]);
    println!(
        "{alone} KiB without the plugin, {peak} KiB with it, trace of {} bytes",
        fs::metadata(&trace).map_or(0, |m| m.len())
    );
    assert!(peak < alone + PLUGIN, "{peak} KiB, {alone} KiB without the plugin");
    assert!(!said(&output).contains("internal error"), "{}", said(&output));
    is_answered(&trace);
    let (hit, notes) = held(&trace);
    for function in ["submit_bio", "bio_endio", "blk_mq_insert_requests", "vfs_read", "bio_split"] {
        assert!(hit.contains(function), "no {function} in {hit:?}");
    }
    let of = |topic: &str| notes.iter().find(|note| note.0 == topic).map(|note| note.1.as_str());
    assert!(of("no-power-off").is_some_and(|text| text.contains("truncated")), "{notes:?}");
    assert!(of("module").is_some_and(|text| text.contains("unreadable symbols")), "{notes:?}");
    assert_eq!(of("plugin-api"), None);
    let left_out = notes.iter().rfind(|note| note.0 == "memory").map_or("", |note| &note.1);
    assert!(
        ["functions of modules", "names of addresses"].iter().all(|what| left_out.contains(what)),
        "{notes:?}"
    );
}

/// The same in a recording and two replays, of which the traces are the same; with the probes of all functions.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_recording_of_a_guest_that_attacks_the_plugin_replays() {
    let log = folder("hostile").join("rr.log");
    let rr = |mode: &str| format!("shift=2,rr={mode},rrfile={}", log.display());
    attacked("recorded", &["-icount", &rr("record")]);
    let [first, second] = ["hostile-replay", "hostile-again"].map(|name| {
        let trace = folder("traces").join(format!("{name}.iot"));
        attacked(name, &["-icount", &rr("replay"), "-plugin", &plugin(&trace, "")]);
        trace
    });
    let bytes = |trace: &Path| fs::read(trace).expect("the trace is readable");
    assert!(bytes(&first) == bytes(&second), "two replays differ");
    is_answered(&first);
    let full = folder("traces").join("hostile-full.iot");
    attacked("full", &["-icount", &rr("replay"), "-plugin", &plugin(&full, ",mode=full,mmio=all")]);
    is_answered(&full);
}

/// With little room, and without QEMU's count of instructions.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_guest_that_attacks_the_plugin_is_traced_in_one_mebibyte_and_on_two_processors() {
    let little = folder("traces").join("hostile-little.iot");
    attacked("little", &["-icount", "shift=2", "-plugin", &plugin(&little, ",memory=1")]);
    is_answered(&little);
    let two = folder("traces").join("hostile-two.iot");
    attacked("two", &["-smp", "2", "-plugin", &plugin(&two, ",mode=full")]);
    is_answered(&two);
}

/// A module that attacks the plugin from inside Linux: it loads and unloads forged modules, patches functions that have
/// probes, and enters them with forged arguments, stacks and return addresses. What the guest does then is traced.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_kernel_module_that_attacks_the_plugin_is_traced_and_so_is_what_follows() {
    let module = folder("hostile-module");
    let mut headers = Command::new("python3");
    headers.current_dir(checkout().join("scripts")).args([
        "-m",
        "iotrace_scripts.headers",
        "debian-6.1",
        "guest/hostile/module",
    ]);
    succeed(headers.arg(&module));
    let (module, trace) = (module.join("hostile.ko"), folder("traces").join("hostile-module.iot"));
    let attack =
        "sh:insmod /files/hostile.ko; dmesg | grep hostile; dd if=/dev/zero of=x bs=4k count=4 conv=fsync";
    let recorded = recording(
        &[&SMALL_GUEST[..6], &["--add", &module.display().to_string(), "--workload", attack]].concat(),
    );
    let console = fs::read_to_string(recorded.join("console.txt")).expect("the recording is whole");
    assert!(console.contains("hostile: over") && console.contains("workload ends, status 0"), "{console}");
    let replayed = |more: &[&str]| {
        let peak = folder("hostile").join("module.peak");
        let mut command = Command::new("python3");
        command
            .args(["-c", MEASURE])
            .arg(&peak)
            .arg(checkout().join("scripts/replay"))
            .arg(&recorded)
            .args(more);
        let output = run(&mut command);
        // A trace that lacks what there was no room for is called incomplete.
        let text = said(&output);
        assert!(output.status.success() || text.contains("is incomplete: memory limit of 64 MiB"), "{text}");
        let peak = fs::read_to_string(&peak).expect("it was measured");
        peak.trim().parse::<u64>().expect("a number")
    };
    let alone = replayed(&["--no-plugin"]);
    let [library, file] = [&built("libiotrace.so"), &trace].map(|path| path.display().to_string());
    let traced = replayed(&["--plugin", &library, "-o", &file]);
    println!("{alone} KiB without the plugin, {traced} KiB with it");
    assert!(traced < alone + PLUGIN, "{traced} KiB, {alone} KiB without the plugin");
    is_answered(&trace);
    let why = succeed(&mut analyze(&["why", "--syscall", "fsync"], &trace));
    assert!(why.contains("device"), "{why}");
    let (_, notes) = held(&trace);
    assert!(
        notes.iter().any(|note| note.0 == "memory" && note.1.contains("functions of modules")),
        "{notes:?}"
    );
}
