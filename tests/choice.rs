//! Traces of a part of a guest's life: from a given event on, of one task alone.

use iotrace_format::definition::{At, Definition, Probe};
use iotrace_format::event::{self, Event};
use iotrace_format::layer::Layer;
use iotrace_tests::{TraceItem, analyze, for_each, recording, replay, succeed, trace_of};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// loop-write's lines have so many bytes, and there are so many of them.
const LINE: u64 = 59;
const LINES: usize = 20;

fn loop_write() -> PathBuf {
    recording(&["debian-6.1", "--fs", "xfs", "--workload", "loop-write", "--fresh"])
}

/// Sees every event of a probe, with what is known of the probe, and of the task: its number and name.
fn for_each_event(trace: &Path, mut see: impl FnMut(&Event<'_>, &Probe, &(u64, String))) {
    let (mut probes, mut tasks, nobody) = (HashMap::new(), HashMap::new(), (0, String::new()));
    for_each(trace, &mut |held| match held {
        TraceItem::Definition(Definition::Probe(probe)) => _ = probes.insert(probe.id, probe.clone()),
        TraceItem::Definition(_) => {}
        TraceItem::Event(event) => {
            if event.kind == event::TASK.id {
                tasks.insert(event.words[0], (event.words[1], name(&event.words[3..])));
            }
            if let Some(probe) = probes.get(&event.kind) {
                see(event, probe, tasks.get(&event.task).unwrap_or(&nobody));
            }
        }
    });
}

fn name(words: &[u64]) -> String {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes()).take_while(|byte| *byte != 0);
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

fn word(event: &Event<'_>, probe: &Probe, name: &str) -> Option<u64> {
    event.words.get(probe.words.iter().position(|word| word == name)?).copied()
}

fn is_line(event: &Event<'_>, probe: &Probe) -> bool {
    let is = |name, value| word(event, probe, name) == Some(value);
    probe.stage_name() == "sys.write" && probe.at == At::Entry && is("regs.fd", 3) && is("regs.count", LINE)
}

/// Entries, and returns, as clock, task, kind and words; without what tells of devices, which all traces have.
type Happened = (u64, u64, u16, Vec<u64>);

fn happened(trace: &Path) -> (Vec<Happened>, Vec<Happened>) {
    let (mut entries, mut returns) = (Vec::new(), Vec::new());
    for_each_event(trace, |event, probe, _| {
        let list = if probe.at == At::Exit { &mut returns } else { &mut entries };
        if probe.stage_name() != "pci.enable" {
            list.push((event.clock, event.task, event.kind, event.words.to_vec()));
        }
    });
    (entries, returns)
}

/// The event asked for is the first, and what follows is what a trace of everything has from there on.
#[test]
fn a_trace_begins_with_the_event_asked_for() {
    let whole = trace_of(&loop_write());
    let late =
        replay(&loop_write(), "late", &["--plugin-args", &format!("from=sys.write:fd=3:count={LINE}")]);
    let mut first = None;
    for_each_event(&late, |event, probe, _| {
        if probe.stage_name() != "pci.enable" && first.is_none() {
            first = Some((event.clock, is_line(event, probe)));
        }
    });
    let (begin, is_line) = first.expect("the trace has events");
    assert!(is_line, "the first event is another one");
    let ((all, all_returns), (entries, returns)) = (happened(&whole), happened(&late));
    let tail = all.iter().filter(|(clock, ..)| *clock >= begin);
    assert!(entries.len() > 1000 && tail.eq(&entries), "the tail differs");
    // Calls that were open at the beginning return unseen.
    let known: BTreeSet<_> = all_returns.iter().collect();
    assert!(returns.len() > 1000 && returns.iter().all(|one| known.contains(one)));

    let report = succeed(&mut analyze(&["report"], &late));
    assert!(report.contains(", from sys.write:fd=3:count=59\n"), "{report}");
    assert!(report.contains("Anomalies\n  none\n"), "{report}");
}

/// Of the users' tasks only one is in the trace, with all that it did; of others, that they were interrupted or
/// that a task followed them.
#[test]
fn a_trace_has_only_the_task_asked_for() {
    let whole = trace_of(&loop_write());
    let only = replay(&loop_write(), "only", &["--plugin-args", "only=task:loop-write"]);
    let mut users = BTreeSet::new();
    let mut own = [Vec::new(), Vec::new()];
    for_each_event(&whole, |event, probe, task| {
        if probe.layer == Layer::Syscall {
            users.insert(task.clone());
        }
        if task.1 == "loop-write" {
            own[0].push((event.clock, event.kind));
        }
    });
    users.retain(|(_, name)| name != "loop-write");
    assert!(users.len() > 3, "{users:?}");
    let mut lines = 0;
    for_each_event(&only, |event, probe, task| {
        lines += usize::from(is_line(event, probe));
        if task.1 == "loop-write" {
            own[1].push((event.clock, event.kind));
        }
        // NMIs, interrupts and softirqs being served, from where that is told by layer to where by context.
        let interrupt =
            event.context & 0x00ff_0100 != 0 || [Layer::Irq, Layer::Softirq].contains(&probe.layer);
        let about_others = ["task.switch", "pci.enable"].contains(&&*probe.stage_name());
        assert!(
            interrupt || about_others || !users.contains(task),
            "{} of {task:?} at {}",
            probe.function,
            event.clock
        );
    });
    assert_eq!(lines, LINES);
    assert!(own[0] == own[1], "{} events of the task, not {}", own[1].len(), own[0].len());
}
