//! Every stage is read: a trace without it tells less.
//!
//! Of each trace copies are made, each without one of the stages that its events have: the functions are still there, as
//! ones that are only part of the path. Some answer about the copy must be another one than about the trace, leaving aside
//! the names of stages that views print.

use iotrace::model::Definitions;
use iotrace::reader::{Flow, Trace, Visitor, read};
use iotrace_format::definition::{Definition, Probe};
use iotrace_format::event::Event;
use iotrace_format::trace::writer::TraceWriter;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What is asked.
const QUESTIONS: &[&[&str]] = &[
    &["report", "--all"],
    &["explain"],
    &["bio", "1"],
    &["report", "--delta"],
    &["path", "--io", "1"],
    &["why", "--io", "1"],
    &["path", "--bio", "1"],
    &["why", "--bio", "1"],
];

/// Copies a trace without one of its stages.
struct Copy<'a> {
    without: Option<&'a str>,
    /// Stages that events have, by number of the probe.
    stages: BTreeMap<u16, String>,
    seen: BTreeMap<u16, u64>,
    copy: TraceWriter<Vec<u8>>,
}

impl Visitor for Copy<'_> {
    fn define(&mut self, definition: &Definition) {
        let mut definition = definition.clone();
        if let Definition::Probe(Probe { id, stage, .. }) = &mut definition {
            self.stages.extend(stage.as_ref().map(|stage| (*id, stage.to_string())));
            if stage.as_ref().is_some_and(|stage| Some(stage.to_string().as_str()) == self.without) {
                *stage = None;
            }
        }
        self.copy.definitions(&[definition]).unwrap();
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        *self.seen.entry(event.kind).or_default() += 1;
        self.copy.event(event).unwrap();
        Flow::Continue
    }
}

fn copy(from: &Path, to: &Path, without: Option<&str>) -> Vec<String> {
    let trace = Trace::open(from, Some(1)).unwrap();
    let copy = TraceWriter::new(Vec::new()).unwrap();
    let mut copied = Copy { without, stages: BTreeMap::new(), seen: BTreeMap::new(), copy };
    read(&trace, &mut copied, &mut |_| {}).unwrap();
    std::fs::write(to, copied.copy.finish().unwrap()).unwrap();
    let mut stages = Vec::from_iter(copied.seen.keys().filter_map(|kind| copied.stages.get(kind).cloned()));
    stages.sort();
    stages.dedup();
    stages
}

fn answers(trace: &Path) -> Vec<String> {
    let ask = |question: &&[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iotrace-analyze"));
        command.args(&question[..1]).arg(trace).args(&question[1..]).args(["--format", "json"]);
        let mut answer = serde_json::from_slice(&command.output().unwrap().stdout).unwrap_or(Value::Null);
        strip(&mut answer);
        answer.to_string()
    };
    QUESTIONS.iter().map(ask).collect()
}

/// Takes the names of stages out of an answer.
fn strip(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            members.remove("stage");
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Stages of the trace that tell nothing about this one bio: no request was merged, none was completed in the call in
/// which the driver answered, no page was waited for, and the functions by which its request came are known otherwise.
const TELL_NOTHING_HERE: [&str; 6] =
    ["bio.enter", "hw.run", "rq.answered", "rq.insert_merge", "task.wait.page", "task.wait.tag"];

#[test]
fn a_trace_without_a_stage_tells_less() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/with-roles.iot");
    let folder = tempfile::tempdir().unwrap();
    let [whole, less] = ["whole.iot", "less.iot"].map(|name| folder.path().join(name));
    let stages = copy(&golden, &whole, None);
    assert!(stages.len() > 30, "{stages:?}");
    let expected = answers(&whole);
    let mut same = Vec::new();
    for stage in &stages {
        copy(&golden, &less, Some(stage));
        same.extend((answers(&less) == expected).then_some(stage.as_str()));
    }
    assert_eq!(same, TELL_NOTHING_HERE);
}
