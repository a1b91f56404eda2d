//! Nothing that a trace, a kernel's file, a tracepoint log or a file's name says reaches a terminal as control
//! characters or as characters that change the direction of text; JSON has them escaped, with the same values.

use iotrace_format::definition::{Definition, Note, Severity};
use iotrace_format::event::TASK;
use iotrace_synthetic_guest::{SyntheticGuest, buffered, changed_write, direct_write, small};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A window title, a right-to-left override, DEL, the C1 that begins a sequence.
const FOREIGN: &str = "\x1b]0;x\x07\u{202e}\u{7f}\u{9b}";
/// The same in eight bytes.
const SHORT: &[u8; 8] = b"\x1b]\xe2\x80\xae\x7f\xc2\x9b";

/// Commands about a trace `T`; `O` is another trace, `W` a tracepoint log, `N` a file to write.
const COMMANDS: &[&[&str]] = &[
    &["report", "T"],
    &["report", "T", "--all", "--delta"],
    &["report", "T", "--task", "nobody"],
    &["report", "T", "--file", "none"],
    &["report", "T", "--format", "json"],
    &["bio", "T", "1"],
    &["bio", "T", "1", "--format", "json"],
    &["path", "T", "--io", "1", "--source"],
    &["path", "T", "--io", "1", "--format", "json"],
    &["why", "T", "--io", "1"],
    &["why", "T", "--io", "1", "--format", "json"],
    &["whatif", "T", "--device", "read=1ms"],
    &["whatif", "T", "--device", "read=1ms", "--format", "json"],
    &["explain", "T"],
    &["explain", "T", "--format", "json"],
    &["diff", "T", "O", "--all"],
    &["diff", "T", "O", "--format", "json"],
    &["diff", "T", "O", "--format", "markdown", "--all"],
    &["diff", "T", "O", "--format", "html"],
    &["diff", "T", "T", "--fail-on", "\x1b[1m\u{202e}>1"],
    &["events", "T", "--stats"],
    &["events", "T", "--stage", "\x1b[1m\u{202e}"],
    &["events", "T", "--format", "json"],
    &["info", "T"],
    &["info", "T", "--format", "json"],
    &["verify", "T"],
    &["verify", "T", "--format", "json"],
    &["compare-tracepoints", "T", "W"],
    &["compare-tracepoints", "T", "W", "--format", "json"],
    &["compare-tracepoints", "T", "T"],
    &["diverge", "T", "O"],
    &["diverge", "T", "O", "--common-probes", "--format", "json"],
    &["index", "T"],
    &["recover", "T", "-o", "N"],
    &["slice", "T", "--clock", "0..", "-o", "N"],
    &["cat", "T", "T", "-o", "N"],
    &["inject", "T", "A", "-o", "N"],
    &["events", "N", "--function", "ask."],
    &["events", "N", "--function", "ask.", "--format", "json"],
    &["inject", "T", "T", "-o", "N"],
    &["info", "\x1b[1m\u{202e}"],
    &["check", "T"],
    &["check", "K"],
    &["check", "K", "--format", "json"],
];

fn spoil(text: &mut String) {
    text.push_str(FOREIGN);
}

/// A guest whose every name has the characters at its end.
fn spoiled(mut guest: SyntheticGuest) -> SyntheticGuest {
    let text = || FOREIGN.to_owned();
    guest.definitions.push(Definition::Note(Note {
        severity: Severity::Warning,
        topic: text(),
        text: text(),
    }));
    for definition in &mut guest.definitions {
        match definition {
            Definition::Trace(info) => {
                info.notes.extend([(text(), text()), ("console".into(), text())]);
                [&mut info.writer, &mut info.banner].into_iter().for_each(spoil);
            }
            Definition::Kind(kind) => spoil(&mut kind.name),
            Definition::Probe(probe) => {
                probe.module = Some(text());
                probe.inside.push(text());
                let names = [&mut probe.function, &mut probe.symbol, &mut probe.label, &mut probe.file];
                names.into_iter().chain(&mut probe.words).for_each(spoil);
            }
            Definition::Module(module) => spoil(&mut module.name),
            Definition::Symbol(symbol) => spoil(&mut symbol.name),
            Definition::Constant(constant) => spoil(&mut constant.name),
            Definition::Device(device) => {
                spoil(&mut device.name);
                device.registers.iter_mut().for_each(|register| spoil(&mut register.name));
            }
            Definition::Site(site) => site.frames.iter_mut().for_each(|frame| {
                [&mut frame.function, &mut frame.file].into_iter().for_each(spoil);
            }),
            Definition::Note(note) => [&mut note.topic, &mut note.text].into_iter().for_each(spoil),
            Definition::Numbers(_) | Definition::HandOff(_) | Definition::Begin(_) => {}
        }
    }
    let short = u64::from_le_bytes(*SHORT);
    for event in &mut guest.events {
        if event.kind == TASK.id {
            event.words[3] = short;
        }
        let names = [*b"test.bin", *b"test.txt"].map(u64::from_le_bytes);
        event.words.iter_mut().filter(|word| names.contains(word)).for_each(|word| *word = short);
    }
    guest
}

/// The image of a kernel in which the banner, a file and a function are named so.
fn kernel() -> Vec<u8> {
    let mut image = include_bytes!("data/image.elf").to_vec();
    let banner = format!("{FOREIGN}img");
    let names: [(&[u8], &[u8]); 3] = [
        (b"(a small image)", banner.as_bytes()),
        (b"submitted\0", b"\x1b]\xe2\x80\xae\x7f\xc2\x9bx\0"),
        (b"image.c\0", b"\x1b]\xe2\x80\xae\xc2\x9b\0"),
    ];
    for (old, new) in names {
        assert_eq!(old.len(), new.len());
        let found: Vec<_> = (0..image.len()).filter(|at| image[*at..].starts_with(old)).collect();
        assert!(!found.is_empty());
        found.into_iter().for_each(|at| image[at..at + new.len()].copy_from_slice(new));
    }
    image
}

/// Answers to a question at a place with such a name.
fn answers() -> Value {
    json!({"schema_version": 1, "answers": [{
        "clock": 5, "place": format!("f{FOREIGN} a.c:1"), "vcpu": 0, "context": 0, "stack_pointer": "0x10",
        "task": {"address": "0x1"}, "fields": {format!("x{FOREIGN}"): FOREIGN}, "stack": [format!("g{FOREIGN}")],
    }]})
}

struct Place(tempfile::TempDir);

impl Place {
    /// A file whose name has the characters too.
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}{FOREIGN}.iot"))
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// What a command prints to standard output and standard error.
    fn outputs(&self, command: &[&str]) -> [String; 2] {
        let arg = |arg: &&str| match *arg {
            name @ ("T" | "O" | "W" | "N" | "K" | "A") => self.path(name),
            arg => Path::new(arg).to_owned(),
        };
        let mut program = Command::new(env!("CARGO_BIN_EXE_iotrace-analyze"));
        let output = program.args(command.iter().map(arg)).output().unwrap();
        assert!(output.status.code().is_some_and(|code| code < 6), "{command:?}: {output:?}");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    }
}

fn assert_plain(command: &[&str], text: &str) {
    let drives = |c: char| {
        let is_bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        is_bidi || (c != '\n' && c.is_control())
    };
    let found: Vec<_> = text.lines().filter(|line| line.contains(drives)).collect();
    assert!(found.is_empty(), "{command:?}: {found:?}");
}

/// The strings of a document, its keys among them.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(values) => values.iter().for_each(|(key, value)| {
            found.push(key);
            strings(value, found);
        }),
        _ => {}
    }
}

#[test]
fn no_name_drives_the_terminal_and_json_has_every_name() {
    let (mut documents, mut named) = (BTreeSet::new(), BTreeSet::new());
    for guest in [small(), buffered(), direct_write()] {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("T", &spoiled(guest).file());
        place.write("O", &spoiled(changed_write()).file());
        let log = format!(" dd{FOREIGN}-42 [000] ..... 1.0: block_bio_queue: 8,0 WS 100 + 8 [dd{FOREIGN}]\n");
        place.write("W", log.as_bytes());
        place.write("K", &kernel());
        place.write("A", answers().to_string().as_bytes());
        let mut said = 0;
        for command in COMMANDS {
            let [out, errors] = place.outputs(command);
            assert_plain(command, &out);
            assert_plain(command, &errors);
            said += usize::from(out.contains('?') || errors.contains('?') || out.contains("\\u202e"));
            if out.starts_with('{') {
                let document: Value = serde_json::from_str(&out).unwrap();
                let mut found = Vec::new();
                strings(&document, &mut found);
                documents.insert(command[0]);
                named.extend(found.iter().any(|text| text.contains(FOREIGN)).then_some(command[0]));
            }
        }
        assert!(said > COMMANDS.len() / 2, "{said} outputs have names");
    }
    // The others have numbers and names of the catalog only, or names of tasks, in which the library replaces controls.
    let without = BTreeSet::from_iter(documents.difference(&named).copied());
    assert_eq!(without, BTreeSet::from(["compare-tracepoints", "verify", "whatif"]));
}
