use super::*;
use crate::analysis::conditions::Conditions;
use crate::analysis::explain::explain;
use crate::analysis::path::path;
use crate::analysis::report::{Report, ReportQuery, report};
use crate::analysis::subject::Wanted;
use crate::analysis::verify::verify;
use crate::analysis::why::why;
use crate::reader::Trace;
use crate::session::Session;
use iotrace_format::definition::At;
use iotrace_synthetic_guest::{
    KWORKER, SyntheticGuest, TASK, buffered, changed_write, direct_write, io, reused, small,
};
use std::fs;
use tempfile::TempDir;

const BIO: u64 = 0xffff_8880_0100_0000;
const REQUEST: u64 = 0xffff_8880_0200_0000;

pub(super) struct TestFolder(TempDir);

impl TestFolder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sliced(&self, name: &str, part: &SliceSelection) -> Session {
        let to = self.path(name);
        slice(&whole(), part, &to, &mut |_| {}).unwrap();
        opened(&to)
    }
}

fn whole() -> Session {
    Session::from_bytes(direct_write().file()).unwrap()
}

pub(super) fn opened(path: &Path) -> Session {
    let trace = Session::of(Trace::open(path, Some(2)).unwrap());
    let verified = verify(&trace, &mut |_| {}).unwrap();
    assert_eq!(
        verified.findings.iter().filter(|f| !f.text.contains("without a preceding definition")).count(),
        0,
        "{verified:?}"
    );
    trace
}

fn told(trace: &Session) -> Report {
    report(trace, &ReportQuery { all: true, ..ReportQuery::default() }, &mut |_| {}).unwrap()
}

fn clocks(from: u64, to: u64) -> SliceSelection {
    let conditions = Conditions { clock: Some(from..=to), ..Conditions::default() };
    SliceSelection { conditions, subject: None }
}

#[test]
fn a_sound_file_is_recovered_whole() {
    let (place, guest) = (TestFolder::new(), small());
    let to = place.path("out.iot");
    let trace = Session::from_bytes(guest.file()).unwrap();
    let recovered = recover(&trace, &to, &mut |_| {}).unwrap();
    assert_eq!((recovered.events, recovered.lost.len()), (guest.events.len() as u64, 0));
    assert_eq!(told(&opened(&to)).bios, told(&trace).bios);
}

#[test]
fn damage_in_the_middle_costs_its_block_and_is_noted() {
    let (place, guest) = (TestFolder::new(), small());
    let mut bytes = guest.file();
    let (index, damaged) = {
        let file = Session::from_bytes(bytes.clone()).unwrap();
        let block = file.index().unwrap().events().nth(1).unwrap();
        (block.count, block.offset as usize + 100)
    };
    bytes[damaged] ^= 4;
    let trace = Session::from_bytes(bytes).unwrap();
    let to = place.path("out.iot");
    let recovered = recover(&trace, &to, &mut |_| {}).unwrap();
    assert_eq!(recovered.events, guest.events.len() as u64 - u64::from(index));
    assert!(recovered.lost[0].contains(&format!("1 chunks with {index} events")), "{:?}", recovered.lost);
    let report = told(&opened(&to));
    assert!(report.warnings.iter().any(|w| w.topic == "recovered" && w.text == recovered.lost[0]));
}

#[test]
fn a_window_is_told_as_in_the_whole() {
    let place = TestFolder::new();
    let guest = direct_write();
    let (from, to) = (guest.events[20].clock, guest.events[60].clock);
    let sliced = place.sliced("part.iot", &clocks(from, to));
    let inside = guest.events.iter().filter(|e| (from..=to).contains(&e.clock)).count() as u64;
    let report = told(&sliced);
    let landmarks = report.events - inside;
    assert!(landmarks > 0 && landmarks < 20, "{landmarks}");
    assert_eq!(report.devices, told(&whole()).devices);
    assert_eq!(report.time.ns(from), told(&whole()).time.ns(from));
}

#[test]
fn the_slice_of_an_io_tells_it_alike() {
    let place = TestFolder::new();
    let part = SliceSelection { subject: Some(Wanted::Io(1)), ..SliceSelection::default() };
    let sliced = place.sliced("io.iot", &part);
    let (part, all) = (told(&sliced), told(&whole()));
    assert!(part.events <= all.events, "{} {}", part.events, all.events);
    assert_eq!(part.ios[0].entered, all.ios[0].entered);
    assert_eq!(part.ios[0].left, all.ios[0].left);
    assert_eq!(
        part.bios.first().map(|bio| bio.stages.clone()),
        all.bios.first().map(|bio| bio.stages.clone())
    );
}

#[test]
fn the_slice_of_a_task_leaves_the_others_out() {
    let place = TestFolder::new();
    let trace = Session::from_bytes(buffered().file()).unwrap();
    let conditions = Conditions { task: Some("kworker/u2:1".into()), ..Conditions::default() };
    let to = place.path("task.iot");
    let part = SliceSelection { conditions, subject: None };
    let events = slice(&trace, &part, &to, &mut |_| {}).unwrap();
    assert!(events < told(&trace).events, "{events}");
    assert!(told(&opened(&to)).ios.is_empty());
}

#[test]
fn what_is_not_there_is_named() {
    let part = SliceSelection { subject: Some(Wanted::Io(77)), ..SliceSelection::default() };
    let error = slice(&whole(), &part, &TestFolder::new().path("x.iot"), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "no I/O #77 in the trace");
}

#[test]
fn windows_one_behind_the_other_are_the_whole() {
    let (place, guest) = (TestFolder::new(), direct_write());
    let middle = guest.events[50].clock;
    let part = |name: &str, from, to| (place.path(name), place.sliced(name, &clocks(from, to)));
    let parts = [part("a.iot", 0, middle), part("b.iot", middle + 1, u64::MAX)];
    let to = place.path("both.iot");
    let events = cat(&parts, &to, &mut |_| {}).unwrap();
    let (both, whole) = (told(&opened(&to)), told(&whole()));
    assert_eq!(events, whole.events);
    assert_eq!((both.bios, both.ios), (whole.bios, whole.ios));
    assert_eq!(both.definitions.notes.iter().filter(|note| note.topic == "slice").count(), 2);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let place = TestFolder::new();
    let to = place.path("both.iot");
    let apart = |a: Vec<u8>, b: Vec<u8>| {
        let [a, b] = [a, b].map(|bytes| Session::from_bytes(bytes).unwrap());
        let error = cat(&[("a.iot".into(), a), ("b.iot".into(), b)], &to, &mut |_| {}).unwrap_err();
        assert!(!to.exists(), "what was begun is removed");
        error.to_string()
    };
    let same = apart(direct_write().file(), direct_write().file());
    assert!(same.starts_with("b.iot does not follow a.iot: its events begin at clock"), "{same}");
    let other = apart(direct_write().file(), changed_write().file());
    assert!(other.contains("b.iot does not follow a.iot: "), "{other}");
}

#[test]
fn an_earlier_output_stays_if_no_new_one_can_be_made() {
    let place = TestFolder::new();
    let to = place.path("both.iot");
    fs::write(&to, "earlier").unwrap();
    let [a, b] = [(); 2].map(|()| Session::from_bytes(direct_write().file()).unwrap());
    cat(&[("a.iot".into(), a), ("b.iot".into(), b)], &to, &mut |_| {}).unwrap_err();
    assert_eq!(fs::read(&to).unwrap(), b"earlier");
    recover(&whole(), &to, &mut |_| {}).unwrap();
    assert!(fs::read(&to).unwrap().len() > b"earlier".len());
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let error = recover(&whole(), Path::new("/nowhere/x.iot"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("cannot write /nowhere/x.iot: No such file"), "{error}");
    let error = recover(&whole(), Path::new("/dev/full"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    let (place, trace) = (TestFolder::new(), whole());
    let path = place.path("locked.iot");
    let held = iotrace_format::trace::writer::create(&path).unwrap();
    let error = recover(&trace, &path, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("in use by another writer"), "{error}");
    drop(held);
    fs::remove_file(&path).unwrap();
}

/// What is shown of tasks that got other names, and of those that came after them at their addresses.
#[test]
fn a_slice_has_the_names_that_tasks_have_in_the_whole() {
    let place = TestFolder::new();
    let whole = Session::from_bytes(reused().file()).unwrap();
    for number in [1, 2] {
        let wanted = Wanted::Io(number);
        let part = SliceSelection { subject: Some(wanted.clone()), ..SliceSelection::default() };
        let to = place.path(&format!("{number}.iot"));
        slice(&whole, &part, &to, &mut |_| {}).unwrap();
        let shown = |session: &Session| {
            let path = path(session, &wanted, &mut |_| {}).unwrap().unwrap();
            let tasks: Vec<_> = path.segments.iter().map(|segment| segment.task).collect();
            let spans = why(session, &wanted, &mut |_| {}).unwrap().spans;
            (tasks, path.woken.into_values().collect::<Vec<_>>(), spans)
        };
        assert_eq!(shown(&opened(&to)), shown(&whole));
    }
}

// fsync #1: the wait is inlined 165   window from 167   it stops running 170, is woken 210, runs again 230
#[test]
fn a_slice_has_the_inlined_waits_of_calls_under_way() {
    let place = TestFolder::new();
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.submit(150, BIO, REQUEST, io(80, 4096, 1));
    guest.issue(160, REQUEST, BIO, io(80, 4096, 1));
    guest.entry(165, "task.wait.dio", &[]);
    guest.switch(170, KWORKER);
    guest.entry(210, "task.wake", &[("task", TASK)]);
    guest.exit(212, "task.wake", 1);
    guest.switch(230, TASK);
    guest.exit(250, "sys.fsync", 0);
    for definition in &mut guest.definitions {
        if let Definition::Probe(probe) = definition
            && probe.function == "task_wait_dio_function"
        {
            probe.at = At::Inlined;
        }
    }
    let whole = Session::from_bytes(guest.file()).unwrap();
    let to = place.path("waits.iot");
    slice(&whole, &clocks(167, 250), &to, &mut |_| {}).unwrap();
    let waits = |session: &Session| {
        let waits = explain(session, &mut |_| {}).unwrap().waits;
        waits.into_keys().map(|wait| (wait.function, wait.what)).collect::<Vec<_>>()
    };
    let expected = [("task_wait_dio_function".to_owned(), "dio".to_owned())];
    assert_eq!(waits(&whole), expected);
    assert_eq!(waits(&opened(&to)), expected);
}
