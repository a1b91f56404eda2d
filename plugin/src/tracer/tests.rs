//! Whole traces of a guest that is made up.

use super::*;
use crate::args::Capture;
use crate::clock::GoneBack;
use crate::qemu::fake;
use iotrace_schemas::definition::Definition;
use iotrace_schemas::trace::columns::Columns;
use iotrace_schemas::trace::reader::{Content, Decoder, TraceFile};
use iotrace_schemas::trace::walk::Step;
use std::path::{Path, PathBuf};

/// A tracer that has found its kernel, of one vCPU, and its file.
fn tracing(name: &str, profile: Profile) -> (Tracer, PathBuf) {
    fake::start(0);
    let out = std::env::temp_dir().join(format!("iotrace-{name}-{}.iot", std::process::id()));
    let (kernel, capture) = (PathBuf::from("vmlinux"), Capture::default());
    let args = Args {
        kernel,
        modules: None,
        debug: None,
        catalogs: vec![],
        out: out.clone(),
        capture,
        notes: vec![],
    };
    let guest = Guest { target: "x86_64".to_owned(), api: 4, system: true, vcpus: 1, max_vcpus: 1 };
    let tracer = tracer(guest, args, profile).expect("the folder for temporary files is writable");
    tracer.begin(0, &fake::cpu(0));
    (tracer, out)
}

/// What a whole trace has: how many events, and its warnings.
fn held(path: &Path) -> (u64, Vec<Note>) {
    let trace = TraceFile::from_bytes(std::fs::read(path).expect("the trace is there")).expect("it is one");
    let events = trace.index().expect("it is whole").kinds().map(|(_, count)| count).sum();
    let (mut decoder, mut notes) = (Decoder::new().expect("there is memory"), Vec::new());
    for step in trace.walk() {
        let Step::Chunk(_, chunk) = step else { panic!("{step:?}") };
        let content = decoder.decode(&chunk, Columns::ALL, Box::default()).expect("the chunk is whole");
        if let Content::Definitions(definitions, _) = content {
            let note = |definition| match definition {
                Definition::Note(note) if note.severity != Severity::Info => Some(note),
                _ => None,
            };
            notes.extend(definitions.into_iter().filter_map(note));
        }
    }
    (events, notes)
}

#[test]
fn a_guest_that_goes_back_ends_its_trace_and_says_so_in_it() {
    let (tracer, path) = tracing("past", Profile::default());
    let cpu = fake::cpu(0);
    let record = |clock| tracer.record(&cpu, |r| r.builtin(&cpu, clock, event::IDLE, &[]));
    [1000, 2000, 3000].into_iter().for_each(record);
    assert_eq!(tracer.last_event(), 3000);
    tracer.end_in_the_past(GoneBack { from: 3000, to: Some(1500) });
    let whole = held(&path);
    assert!(!tracer.active());
    let halt = Site::Halt.keep();
    [halt; 3].into_iter().for_each(|site| tracer.executed(&cpu, site));
    tracer.end_in_the_past(GoneBack { from: 3000, to: Some(1200) });
    tracer.exit(false);
    let (events, notes) = held(&path);
    assert_eq!((events, &notes), (whole.0, &whole.1), "nothing comes after the end");
    std::fs::remove_file(path).expect("it was just read");
    assert_eq!((events, notes.len()), (3, 1), "{notes:?}");
    assert!(notes[0].text.contains("went back from instruction 3000 to instruction 1500"), "{notes:?}");
}
