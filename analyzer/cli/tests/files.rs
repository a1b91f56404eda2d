//! The commands that look at a trace as a file, and how much of it each question reads.

use iotrace_format::definition::{Definition, Kind};
use iotrace_format::event::{BUILTINS, TASK};
use iotrace_synthetic_guest::{SyntheticGuest, TASK as TASK_ADDRESS, direct_write, small};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }
}

fn run(command: &str, trace: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_iotrace-analyze")).arg(command).arg(trace).args(args).output().unwrap()
}

fn answer(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it was not killed"), text(&output.stdout), text(&output.stderr))
}

/// Many blocks of events: 16 in each.
fn long() -> SyntheticGuest {
    let mut guest = small();
    for clock in 0..1600 {
        guest.entry(10_000 + clock, "hw.run", &[("hw", clock)]);
    }
    guest
}

/// The numbers that `--stats` prints: bytes of the file, bytes read, blocks decoded, blocks of the file, events.
fn stats(said: &str) -> Vec<u64> {
    let line = said.lines().last().unwrap().split_once(".iot: ").unwrap().1;
    let digits = line.replace(',', "");
    let words = digits.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    let [file, read, blocks, _passes, of, events, ..] = words.collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    vec![file, read, blocks, of, events]
}

#[test]
fn a_narrow_window_reads_a_small_part() {
    let place = Place::new();
    let trace = place.write("long.iot", &long().file());
    let ask = |args: &[&str]| {
        let (code, out, said) = answer(&run("events", &trace, &[args, &["--stats"]].concat()));
        assert_eq!(code, 0, "{said}");
        (out, stats(&said))
    };
    let (all, read) = ask(&[]);
    let [file, bytes, blocks, of, events] = read[..] else { panic!("{read:?}") };
    assert!(blocks + 10 > of && events > 1600, "{read:?}");
    let (window, read) = ask(&["--clock", "10800..10803"]);
    let [same, some, few, _, given] = read[..] else { panic!("{read:?}") };
    assert_eq!((same, window.lines().count()), (file, 4));
    assert!(some * 2 < bytes && few < 10 && given < 64, "{read:?}");
    assert!(all.contains(window.trim()), "numbers, tasks and times are those of the whole");
    let number = all.lines().count().to_string();
    let (last, read) = ask(&["--number", &number]);
    assert_eq!(last.trim(), all.lines().last().unwrap().trim());
    assert!(read[2] < 10, "{read:?}");
    let (none, read) = ask(&["--stage", "bio.queue"]);
    assert!(none.lines().count() > 0 && read[2] * 2 < of, "{read:?}");
}

#[test]
fn threads_change_nothing() {
    let place = Place::new();
    let trace = place.write("long.iot", &long().file());
    for command in ["report", "events", "info", "verify"] {
        let [one, four] = ["1", "4"].map(|n| answer(&run(command, &trace, &["--threads", n])));
        assert_eq!((one.0, &one.1), (four.0, &four.1), "{command}");
    }
    assert_eq!(answer(&run("info", &trace, &["--threads", "0"])).0, 2);
}

#[test]
fn a_sound_file_is_verified() {
    let place = Place::new();
    let mut guest = long();
    guest.definitions.splice(1..1, builtins());
    let (code, out, _) = answer(&run("verify", &place.write("t.iot", &guest.file()), &[]));
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("OK: all checks passed"), "{out}");
}

/// What the plugin says of its own kinds of events.
fn builtins() -> impl Iterator<Item = Definition> {
    BUILTINS.iter().map(|builtin| {
        let words = builtin.words.iter().map(|word| (*word).to_owned()).collect();
        Definition::Kind(Kind { id: builtin.id, name: builtin.name.to_owned(), words })
    })
}

#[test]
fn damage_is_located_and_the_rest_is_told_by_all() {
    let place = Place::new();
    let mut bytes = long().file();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    let damaged = place.write("damaged.iot", &bytes);
    for command in ["report", "events", "explain"] {
        let (code, out, said) = answer(&run(command, &damaged, &[]));
        assert_eq!(code, 3, "{command}: {said}");
        assert!(said.contains("is damaged at offset") && said.contains("the rest is printed"), "{said}");
        assert!(!out.is_empty());
    }
    let (code, out, _) = answer(&run("verify", &damaged, &[]));
    assert_eq!(code, 3);
    assert!(out.contains("16 events lost"), "{out}");
    let whole = place.path("whole.iot");
    let (code, out, said) = answer(&run("recover", &damaged, &["-o", whole.to_str().unwrap()]));
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("lost: ") && out.contains("1 chunks with 16 events"), "{out}");
    let (code, out, said) = answer(&run("report", &whole, &[]));
    assert_eq!((code, said.as_str()), (0, ""));
    assert!(out.contains("recovered: ") && out.contains("with 16 events"), "{out}");
}

#[test]
fn a_damaged_header_is_for_recover() {
    let place = Place::new();
    let mut bytes = small().file();
    bytes[0] = 0;
    let damaged = place.write("damaged.iot", &bytes);
    let (code, _, said) = answer(&run("report", &damaged, &[]));
    assert_eq!(code, 1, "{said}");
    let (code, out, _) = answer(&run("verify", &damaged, &[]));
    assert!(code == 3 && out.contains("offset 0: 16 unreadable bytes"), "{out}");
    let whole = place.path("whole.iot");
    assert_eq!(answer(&run("recover", &damaged, &["-o", whole.to_str().unwrap()])).0, 0);
    assert_eq!(answer(&run("report", &whole, &[])).0, 0);
}

#[test]
fn parts_are_cut_out_and_put_together() {
    let place = Place::new();
    let trace = place.write("t.iot", &direct_write().file());
    let [a, b, both] = ["a.iot", "b.iot", "both.iot"].map(|name| place.path(name));
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    for (to, clocks) in [(&a, "0..1000"), (&b, "1001..")] {
        let (code, _, said) = answer(&run("slice", &trace, &["--clock", clocks, "-o", &name(to)]));
        assert_eq!(code, 0, "{said}");
    }
    let (code, _, said) = answer(&run("cat", &a, &[&name(&b), "-o", &name(&both)]));
    assert_eq!(code, 0, "{said}");
    let events = |trace: &Path| answer(&run("events", trace, &[])).1;
    assert_eq!(events(&both), events(&trace));
    let (code, _, said) = answer(&run("cat", &b, &[&name(&a), "-o", &name(&both)]));
    assert!(code == 1 && said.contains("does not follow"), "{said}");
    let (code, _, said) = answer(&run("slice", &trace, &["-o", &name(&a)]));
    assert!(code == 2 && said.contains("missing selection"), "{said}");
    let (code, _, said) = answer(&run("slice", &trace, &["--io", "1", "-o", &name(&trace)]));
    assert!(code == 1 && said.contains("is an input file"), "{said}");
}

/// What `scripts/ask --format json` prints of one execution.
fn asked(clock: &str, place: &str, fields: &str) -> String {
    format!(
        "{{\"schema_version\": 1, \"answers\": [{{\"clock\": {clock}, \"place\": \"{place}\", \"vcpu\": 0, \"context\": 0, \
         \"task\": {{\"comm\": \"dd\", \"pid\": 42, \"address\": \"{TASK_ADDRESS:#x}\"}}, \"stack_pointer\": \"0x10\", \
         \"io\": null, \"file\": null, \"bios\": [], \"fields\": {fields}, \"numbers\": {{}}, \"stack\": []}}]}}"
    )
}

#[test]
fn answers_are_events_of_a_new_trace() {
    let place = Place::new();
    let trace = place.write("t.iot", &direct_write().file());
    let (to, answers) = (place.path("asked.iot"), place.path("answers.json"));
    let out = to.to_str().unwrap();
    let inject = |text: &str| {
        fs::write(&answers, text).unwrap();
        answer(&run("inject", &trace, &[answers.to_str().unwrap(), "-o", out]))
    };
    let text = asked("1020", "fs/iomap/direct-io.c:323", "{\"pos\": \"16384\", \"op\": \"REQ_OP_WRITE\"}");
    let (code, printed, said) = inject(&text);
    let events = direct_write().events.len() + 1;
    assert_eq!(
        (code, printed),
        (0, format!("wrote {events} events to {out}, 1 of them answers\n")),
        "{said}"
    );
    let shown = |trace: &Path, args: &[&str]| answer(&run("events", trace, args)).1;
    let found = shown(&to, &["--function", "ask.", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let event = &found["events"][0];
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
    assert_eq!((event["clock"].as_u64(), event["at"].as_str()), (Some(1020), Some("inserted")));
    assert_eq!((event["task"]["pid"].as_u64(), event["line"].as_u64()), (Some(42), Some(323)));
    let fields = event["fields"].as_array().unwrap().iter().map(|field| (&field["name"], &field["text"]));
    assert_eq!(
        format!("{:?}", fields.collect::<Vec<_>>()),
        "[(String(\"pos\"), String(\"16384\")), (String(\"op\"), String(\"REQ_OP_WRITE\"))]"
    );
    assert!(
        shown(&to, &["--function", "ask."])
            .contains("ask.fs/iomap/direct-io.c:323 pos=16384 op=REQ_OP_WRITE")
    );
    for (command, args) in [("path", &["1"][..]), ("why", &["1"]), ("summary", &[])] {
        let printed = |trace: &Path| answer(&run(command, trace, args)).1;
        assert_eq!(printed(&to), printed(&trace), "{command}");
    }
    for (text, reason) in [
        (
            "{",
            "answers.json is not what scripts/ask --format json prints: EOF while parsing an object at line 1 column 1",
        ),
        ("{\"schema_version\": 1, \"answers\": []}", "no answers in "),
        (
            &text.replace("\"0x10\"", "\"ten\""),
            "invalid address \"ten\": expected 0x and digits at line 1 column",
        ),
        (
            &asked("5", "f", &format!("{{\"all\": \"{}\"}}", "x".repeat(300))),
            "answer 1 (f), field \"all\": its longest text",
        ),
    ] {
        let (code, _, said) = inject(text);
        assert!(code == 1 && said.contains(reason), "{code}: {said}");
    }
    let (code, _, said) = answer(&run("inject", &trace, &["/nonexistent/a.json", "-o", out]));
    assert!(code == 1 && said.contains("cannot read /nonexistent/a.json: No such file"), "{said}");
    let own = trace.to_str().unwrap();
    fs::write(&answers, asked("5", "f", "{}")).unwrap();
    let (code, _, said) = answer(&run("inject", &trace, &[answers.to_str().unwrap(), "-o", own]));
    assert!(code == 1 && said.contains("is an input file"), "{said}");
    // Of a trace that was cut, all that can be read is in the new one.
    let bytes = direct_write().file();
    let cut = place.write("cut.iot", &bytes[..bytes.len() - 100]);
    let (code, printed, said) = answer(&run("inject", &cut, &[answers.to_str().unwrap(), "-o", out]));
    assert!(code == 3 && printed.contains("lost: the file ends at offset"), "{code}: {printed} {said}");
}

#[test]
fn an_index_of_another_trace_is_rebuilt_and_one_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let trace = place.write("t.iot", &long().file());
    assert_eq!(answer(&run("index", &trace, &[])), (0, String::new(), String::new()));
    place.write("t.iot", &direct_write().file());
    let (status, _, said) = answer(&run("index", &trace, &[]));
    assert!(status == 0 && said.contains("it is that of another trace; it is rebuilt"), "{status}: {said}");
    assert_eq!(answer(&run("index", &trace, &[])), (0, String::new(), String::new()));
    fs::remove_file(place.path("t.iot.idx")).unwrap();
    fs::create_dir(place.path("t.iot.idx")).unwrap();
    let (status, _, said) = answer(&run("index", &trace, &[]));
    assert!(status == 1 && said.contains("cannot keep the index"), "{status}: {said}");
}

/// Each run has maps in another order: there are many tasks.
#[test]
fn an_index_has_the_same_bytes_each_time() {
    let (place, mut guest) = (Place::new(), long());
    for task in 0..64 {
        guest.raw(
            9000 + task,
            TASK.id,
            &[0xffff_8880_1000_0000 + (task << 14), 100 + task, 100 + task, 0x65, 0],
        );
    }
    guest.events.sort_by_key(|event| event.clock);
    let trace = place.write("long.iot", &guest.file());
    let index = || {
        assert_eq!(answer(&run("index", &trace, &[])).0, 0);
        let index = place.path("long.iot.idx");
        let bytes = fs::read(&index).unwrap();
        fs::remove_file(index).unwrap();
        bytes
    };
    assert!(index() == index(), "two indexes of one trace differ");
}

#[test]
fn answers_are_those_of_a_pass_from_the_beginning() {
    let place = Place::new();
    let trace = place.write("write.iot", &direct_write().file());
    for command in ["path", "why"] {
        let whole = answer(&run(command, &trace, &["1", "--no-checkpoints"]));
        assert!(!place.path("write.iot.idx").exists(), "it makes no index beside the trace");
        let part = answer(&run(command, &trace, &["1"]));
        assert_eq!((whole.0, &whole), (0, &part));
        fs::remove_file(place.path("write.iot.idx")).unwrap();
    }
}

/// A small module, of this release.
fn module(vermagic: &str) -> Vec<u8> {
    let mut file = include_bytes!("../../../schemas/kernel/tests/data/module.ko").to_vec();
    let before = b"depends=scsi_mod,raid-class\0";
    let after = format!("vermagic={vermagic:18}\0");
    let at = file.windows(before.len()).position(|window| window == before).unwrap();
    file[at..at + before.len()].copy_from_slice(after.as_bytes());
    file
}

#[test]
fn modules_are_those_of_the_kernel_and_may_be_compressed() {
    let place = Place::new();
    let image = place.write("vmlinux", include_bytes!("data/image.elf"));
    let modules = place.path("modules");
    let ask = || answer(&run("check", &image, &["--modules", modules.to_str().unwrap()]));
    let named = |said: &str, what: &str| assert!(said.contains(what), "{said}");

    fs::create_dir_all(modules.join("kernel/block")).unwrap();
    let (status, _, said) = ask();
    assert_eq!(status, 1);
    named(&said, "has no modules (*.ko, *.ko.xz, *.ko.zst, *.ko.gz)");

    let first = modules.join("kernel/block/a.ko.zst");
    fs::write(&first, zstd::encode_all(&module("5.10.0 SMP")[..], 3).unwrap()).unwrap();
    let (status, _, said) = ask();
    assert_eq!(status, 1);
    named(&said, "has no module of this kernel, 6.1.0; the first is of 5.10.0");

    // One is enough: others may be left over.
    fs::write(modules.join("kernel/b.ko.zst"), zstd::encode_all(&module("6.1.0 SMP")[..], 3).unwrap())
        .unwrap();
    assert_eq!(ask().0, 0, "{}", ask().2);

    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() / 2]).unwrap();
    let (status, _, said) = ask();
    assert_eq!(status, 1);
    named(&said, "cannot decompress ");
}
