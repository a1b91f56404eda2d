//! What the whole-system tests share: running the project's own commands and keeping what they made.
//!
//! Recordings and traces go to `guests/` in the build folder; a recording that several tests need is made
//! once a run.

pub mod qmp;
pub mod readers;

use iotrace::model::Definitions;
use iotrace::reader::{Flow, Trace, Visitor, read};
use iotrace_format::definition::Definition;
use iotrace_format::event::{self, Event};
use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// The checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout is there")
}

/// A file that `cargo build` made beside this test: the plugin, the analyzer.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests are in <profile>/deps");
    let file = folder.join(name);
    assert!(file.exists(), "{} is missing: run cargo build --release first", file.display());
    file
}

/// Folder for what a test makes.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    let folder = built("libiotrace.so").parent().expect("a folder").join("guests").join(name);
    std::fs::create_dir_all(&folder).expect("the build folder is writable");
    folder
}

/// Runs a command and returns what it printed on standard output.
///
/// # Panics
/// If it fails: with the command and everything it said.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?} failed: {}\n{}", output.status, said(&output));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// What the analyzer prints of a trace as JSON.
pub fn json(trace: &Path, arguments: &[&str]) -> serde_json::Value {
    let printed = succeed(analyze(arguments, trace).args(["--format", "json"]));
    serde_json::from_str(&printed).expect("it is JSON")
}

/// Options of `scripts/record` for a guest that is soon recorded.
pub const SMALL_GUEST: [&str; 8] =
    ["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32", "--workload", "loop-write"];

/// Runs a command.
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?} cannot be started: {e}"))
}

/// Everything a command printed.
#[must_use]
pub fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy);
    text.join("\n")
}

/// What a QEMU printed, without the line in which the plugin says what is traced.
#[must_use]
pub fn complaints(output: &Output) -> String {
    let text = said(output);
    let lines = text.lines().filter(|line| !line.starts_with("iotrace info: ") && !line.trim().is_empty());
    Vec::from_iter(lines).join("\n")
}

/// One of the project's scripts.
#[must_use]
pub fn script(name: &str) -> Command {
    Command::new(checkout().join("scripts").join(name))
}

/// The analyzer.
#[must_use]
pub fn analyze(arguments: &[&str], trace: &Path) -> Command {
    let mut command = Command::new(built("iotrace-analyze"));
    command.args(&arguments[..1]).arg(trace).args(&arguments[1..]);
    command
}

/// What a trace holds.
#[derive(Debug)]
pub enum TraceItem<'a> {
    /// A definition.
    Definition(&'a Definition),
    /// An event.
    Event(&'a Event<'a>),
}

/// Sees everything that a trace holds, in order.
///
/// # Panics
/// If the trace is not whole.
pub fn for_each(trace: &Path, see: &mut dyn FnMut(TraceItem<'_>)) {
    struct Seeing<'a>(&'a mut dyn FnMut(TraceItem<'_>));
    impl Visitor for Seeing<'_> {
        fn define(&mut self, definition: &Definition) {
            (self.0)(TraceItem::Definition(definition));
        }

        fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
            (self.0)(TraceItem::Event(event));
            Flow::Continue
        }
    }
    let file = Trace::open(trace, None).expect("the trace is readable");
    let finished = read(&file, &mut Seeing(see), &mut |_| {}).expect("it is read");
    assert_eq!(finished.lost(), None);
}

/// How a trace's clock compares with QEMU's own count.
#[derive(Debug, Default)]
pub struct ClockComparison {
    /// How often the comparison was told: where virtual time moved without instructions, or where they differed.
    pub told: u64,
    /// By how much they differed, in instructions, added up.
    pub drift: u64,
    /// Clock of the last event.
    pub last: u64,
}

/// Compares a trace's clock with QEMU's own count.
///
/// # Panics
/// If the trace is not whole.
#[must_use]
pub fn clock(trace: &Path) -> ClockComparison {
    let mut clock = ClockComparison::default();
    for_each(trace, &mut |held| {
        let TraceItem::Event(event) = held else { return };
        clock.last = event.clock;
        if event.kind == event::CLOCK.id {
            clock.told += 1;
            clock.drift += event.words[1].cast_signed().unsigned_abs();
        }
    });
    clock
}

/// What is made once for each name.
#[derive(Default)]
struct Once(Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>);

impl Once {
    /// What is made under this name, made when it is first asked for.
    fn get(&self, name: String, make: impl FnOnce() -> PathBuf) -> PathBuf {
        let slot = Arc::clone(self.0.lock().expect("no panic").entry(name).or_default());
        slot.get_or_init(make).clone()
    }
}

/// Longest name of a recording's folder without a number, in bytes: files have 255.
const LONGEST_NAME: usize = 160;

/// A recording, made when it is first asked for. `arguments` are those of `scripts/record`.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn recording(arguments: &[&str]) -> PathBuf {
    static MADE: LazyLock<Once> = LazyLock::new(Once::default);
    let mut name = arguments.join(" ").replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
    if name.len() > LONGEST_NAME {
        let mut rest = DefaultHasher::new();
        name.hash(&mut rest);
        name = format!("{}_{:x}", &name[..LONGEST_NAME], rest.finish());
    }
    MADE.get(name.clone(), || {
        let place = folder("recordings").join(&name);
        succeed(script("record").args(arguments).args(with_plugin()).arg("--force").arg("-o").arg(&place));
        place
    })
}

/// A recording with a controller whose boots do not always replay: from the first one that does.
///
/// # Panics
/// If none of the first five does.
#[must_use]
pub fn a_boot_that_replays(name: &str, arguments: &[&str]) -> PathBuf {
    let place = folder("recordings").join(format!("{name}-that-replays"));
    for boot in 1..=5 {
        let mut record = script("record");
        record.args(arguments).args(["--boot", &boot.to_string(), "--force"]).args(with_plugin());
        let output = run(record.arg("-o").arg(&place));
        match output.status.code() {
            Some(0) => return place,
            Some(3 | 4) => println!("boot {boot}: {}", said(&output)),
            _ => panic!("{}", said(&output)),
        }
    }
    panic!("none of the boots replays");
}

/// A manifest's text, with the checksum that belongs to it if it is an object of the format that has one.
///
/// # Panics
/// If the scripts' own function fails.
#[must_use]
pub fn with_checksum(manifest: &serde_json::Value) -> String {
    let code = "import json, sys; from iotrace_scripts import manifest; facts = json.loads(sys.argv[1]); \
                print(json.dumps({**facts, 'sha256': manifest.checksum(facts)} if 'sha256' in facts else facts))";
    if !manifest.is_object() {
        return manifest.to_string();
    }
    let mut python = Command::new("python3");
    succeed(python.current_dir(checkout().join("scripts")).args(["-c", code]).arg(manifest.to_string()))
}

/// The option of `scripts/record` and `scripts/replay` that names the plugin beside this test.
#[must_use]
pub fn with_plugin() -> [OsString; 2] {
    ["--plugin".into(), built("libiotrace.so").into()]
}

/// The trace of a recording: a copy of that of its first replay, which `scripts/record` has made and compared.
///
/// # Panics
/// If it has none.
#[must_use]
pub fn trace_of(recording: &Path) -> PathBuf {
    static MADE: LazyLock<Once> = LazyLock::new(Once::default);
    let name = recording.file_name().expect("a recording is a folder").to_string_lossy().into_owned();
    MADE.get(name.clone(), || {
        let trace = folder("traces").join(format!("{name}.iot"));
        std::fs::copy(recording.join("trace.iot"), &trace).expect("the recording was verified");
        trace
    })
}

/// Replays a recording into a trace of this name. `arguments` are those of `scripts/replay`.
///
/// # Panics
/// If it cannot be replayed.
#[must_use]
pub fn replay(recording: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let trace = folder("traces").join(format!("{name}.iot"));
    let mut command = script("replay");
    command.arg(recording).args(arguments).args(with_plugin()).arg("-o").arg(&trace);
    succeed(&mut command);
    trace
}

/// Every call of the workload is accounted for by its return or by a reason, every bio by what it goes back to;
/// what is left over is at most one event in ten thousand.
///
/// # Panics
/// If it is more.
pub fn accounted_for(trace: &Path) {
    let printed = succeed(&mut analyze(&["report", "--summary", "--format", "json"], trace));
    let report: serde_json::Value = serde_json::from_str(&printed).expect("the report is JSON");
    let account = &report["attribution"];
    let number = |name: &str| account[name].as_u64().unwrap_or_else(|| panic!("no {name} in {account}"));
    println!("{}: {account}", trace.display());
    assert!(number("events") > 100 && number("bios_without_origin") == 0, "{account}");
    assert!(number("unattributed") * 10_000 <= number("events"), "{account}");
}

/// Every bio and request that the tracepoints saw is in the trace, and none besides.
///
/// # Panics
/// If not.
pub fn agrees(recording: &Path, trace: &Path) {
    let witness = recording.join("witness.txt");
    let table = succeed(analyze(&["witness"], trace).arg(&witness));
    println!("{}\n{table}", trace.display());
    let queued = table.lines().find(|line| line.starts_with("block_bio_queue")).expect("a line for bios");
    let count = queued.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    assert!(count > Some(5), "the witness saw next to nothing: {queued}");
    accounted_for(trace);
}

/// Every bio of the workload reached the driver, rang a doorbell, was answered by an interrupt and ended;
/// its stages add up to its whole.
///
/// # Panics
/// If not.
pub fn stages_are_complete(trace: &Path) {
    let printed = succeed(&mut analyze(&["report", "--format", "json"], trace));
    let report: serde_json::Value = serde_json::from_str(&printed).expect("the report is JSON");
    let bios = report["bios"].as_array().expect("a list of bios");
    assert!(!bios.is_empty());
    for bio in bios {
        let stages = bio["stages"].as_array().expect("a list of stages");
        for wanted in ["driver", "doorbell", "interrupt", "completed", "ended"] {
            assert!(stages.iter().any(|s| s["stage"] == wanted), "no {wanted} in {bio}");
        }
        let number =
            |stage: &serde_json::Value, what: &str| stage[what]["instructions"].as_u64().expect("a number");
        let sum: u64 = stages.iter().map(|stage| number(stage, "delta")).sum();
        assert_eq!(Some(sum), stages.last().map(|last| number(last, "since_queued")), "{bio}");
    }
    let lost = report["not_attributed"].as_array().expect("a list").iter().filter(|r| r["loss"] != false);
    assert_eq!(lost.count(), 0, "{}", report["not_attributed"]);
}
