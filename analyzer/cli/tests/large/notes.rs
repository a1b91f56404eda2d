//! Of `report`: notes and marks.

use super::crafted::Crafted;
use super::{MANY, ask};
use iotrace_format::definition::{At, Definition, Note, Severity};
use iotrace_format::event::{MARK_BEGIN, MARK_OVER};

fn note(topic: String) -> Definition {
    Definition::Note(Note { severity: Severity::Info, topic, text: "x".into() })
}

#[test]
fn notes_of_one_topic() {
    let mut trace = Crafted::default();
    (0..MANY).for_each(|_| trace.define(note("missing".into())));
    let report = ask(&trace.file(), &["report"]);
    assert!(report.contains(&format!("info: missing: x; x; x; and {} more", MANY - 3)), "{report}");
}

#[test]
fn notes_of_many_topics() {
    let mut trace = Crafted::default();
    (0..MANY).for_each(|at| trace.define(note(at.to_string())));
    let report = ask(&trace.file(), &["report"]);
    assert_eq!(report.lines().filter(|line| line.ends_with(": x")).count() as u64, MANY);
}

#[test]
fn marks_before_bios() {
    let mut trace = Crafted::default();
    let queue = trace.probe("bio.queue", At::Entry, &["bio", "bio.traced"]);
    let end = trace.probe("bio.end", At::Entry, &["bio"]);
    (0..MANY).for_each(|_| trace.mark(MARK_OVER));
    for bio in 1..=MANY / 4 {
        trace.event(queue, &[bio << 8, 0]);
        trace.event(end, &[bio << 8]);
    }
    trace.mark(MARK_BEGIN);
    let report = ask(&trace.file(), &["report"]);
    assert!(report.contains(" events, 262,144 bios\n"), "{report}");
}
