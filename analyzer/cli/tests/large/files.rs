//! `info`, `events`, `verify`, `slice`, `recover` and `cat`.

use super::crafted::Crafted;
use super::{MANY, ask, line, printed, run, text};
use iotrace_format::definition::{At, Definition, Module, Probe};
use iotrace_format::event::{IDLE, MODULE_LOAD};
use iotrace_format::stage::Stage;
use iotrace_format::trace::chunk::{ChunkHead, ChunkKind, RawChunk};
use iotrace_format::trace::index::end;
use iotrace_format::trace::reader::TraceFile;
use iotrace_format::trace::walk::WalkStep;

#[test]
fn modules_that_come() {
    let mut trace = Crafted::default();
    let count = MANY / 4;
    for id in 0..count as u32 {
        trace.define(Definition::Module(Module { id, name: "m".into(), text: (0, 0), probes: 0 }));
    }
    (0..count).for_each(|_| trace.event(MODULE_LOAD.id, &[count - 1]));
    let info = ask(&trace.file(), &["info"]);
    assert_eq!(info.lines().filter(|line| line.ends_with("module load: m (0 probes)")).count() as u64, count);
}

/// Probes whose events are landmarks, and many events of another one: behind one another, or all at a clock.
fn landmarks(probes: impl Iterator<Item = (u16, String)>, stands: Option<u64>) -> Vec<u8> {
    let mut trace = Crafted::default();
    for (id, function) in probes {
        trace.define(Definition::Probe(Probe {
            id,
            function,
            stage: Some(Stage::PciEnable),
            ..Probe::default()
        }));
    }
    for _ in 0..MANY {
        trace.clock = stands.map_or(trace.clock, |clock| clock - 1);
        trace.event(u16::MAX - 1, &[]);
    }
    trace.file()
}

#[test]
fn probes_of_landmarks() {
    let folder = tempfile::tempdir().unwrap();
    let [trace, other, both] = ["a.iot", "b.iot", "c.iot"].map(|name| folder.path().join(name));
    let [a, b, c] = [&trace, &other, &both].map(|path| text(path));
    // A probe that is another one time after time.
    std::fs::write(&trace, landmarks((0..MANY).map(|at| (64, at.to_string())), None)).unwrap();
    assert!(printed(&run(&["recover", a, "-o", b]), 0).contains("1,048,576 events"));
    assert!(printed(&run(&["slice", a, "--clock", "0..", "-o", b]), 0).contains("1,048,576 events"));
    // As many probes as there can be.
    let all = || (64..60_000).map(|id| (id, String::new()));
    std::fs::write(&trace, landmarks(all(), None)).unwrap();
    std::fs::write(&other, landmarks(all(), Some(MANY))).unwrap();
    assert!(printed(&run(&["cat", a, b, "-o", c]), 0).contains("2,097,152 events"));
}

#[test]
fn devices_that_are_enabled() {
    let mut trace = Crafted::default();
    let enable = trace.probe("pci.enable", At::Entry, &["pci.vendor", "pci.device"]);
    (0..MANY).for_each(|at| trace.event(enable, &[at, 1]));
    let events = ask(&trace.file(), &["events"]);
    assert!(line(&events, "pci.vendor=1048575").contains("pci_enable()"));
}

/// A file that is all indexes, each of all chunks before it.
#[test]
fn indexes() {
    let mut trace = Crafted::default();
    trace.event(IDLE.id, &[]);
    let file = trace.file();
    let trace = TraceFile::from_bytes(file.clone()).unwrap();
    let chunks: Vec<(ChunkHead, Vec<u8>)> = (trace.walk())
        .filter_map(|step| match step {
            WalkStep::Chunk(_, RawChunk { head, payload, .. }) => Some((head, payload.to_vec())),
            WalkStep::Bad { .. } => None,
        })
        .collect();
    let (index, payload) = chunks.iter().find(|(head, _)| head.kind == ChunkKind::Index).unwrap();
    let mut bytes = file[..file.len() - 88 - index.length()].to_vec();
    let mut sequence = index.sequence;
    let mut put = |head: ChunkHead, payload: &[u8]| {
        let (_, head) = ChunkHead { sequence, ..head }.seal(&[], payload, false);
        sequence += 1;
        bytes.extend(head);
        bytes.extend(payload);
    };
    let definitions = chunks.iter().find(|(head, _)| head.kind == ChunkKind::Definitions).unwrap();
    (0..MANY / 16).for_each(|_| put(ChunkHead { number: 1, count: 0, unpacked: 0, ..definitions.0 }, &[]));
    (0..MANY / 16).for_each(|_| put(*index, payload));
    let last = chunks.last().unwrap();
    put(last.0, &end(0, 1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.iot");
    std::fs::write(&path, &bytes).unwrap();
    let said = printed(&run(&["verify", text(&path)]), 3);
    assert!(line(&said, "problems found").starts_with("FAILED: 131,074 "), "{said:.2000}");
}
