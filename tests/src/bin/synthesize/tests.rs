use super::*;
use iotrace::Session;
use iotrace::analysis::report::{Report, ReportQuery, report};
use iotrace_format::event;
use iotrace_format::trace::writer::BLOCK;
use iotrace_synthetic_guest::{INODE, SDA, SyntheticGuest, buffered, changed_write, direct_write};
use std::collections::BTreeSet;

const COPIES: u64 = 50;
const PLAIN: LongTraceOptions = LongTraceOptions { events: 0, seed: 1, long_fsync: false, unfinished: false };

fn real(guest: &SyntheticGuest) -> (Session, u64) {
    let file = Session::from_bytes(guest.file()).unwrap();
    (file, guest.events.len() as u64)
}

/// The bytes of a trace with so many copies of a guest's workload.
fn long(guest: &SyntheticGuest, copies: u64) -> Vec<u8> {
    let original = Original::read(&real(guest).0).unwrap();
    let once = original.section.len() as u64;
    let events = guest.events.len() as u64 + (copies - 1) * once;
    let (bytes, written) =
        LongTrace::write(&original, &LongTraceOptions { events, ..PLAIN }, Vec::new()).unwrap();
    assert_eq!((written.events, written.copies), (events, copies));
    bytes
}

fn told(file: &Session) -> Report {
    report(file, &ReportQuery::default(), &mut |_| {}).unwrap()
}

#[test]
fn each_copy_has_the_ios_of_the_original() {
    let guest = direct_write();
    let (short, long) = (told(&real(&guest).0), told(&Session::from_bytes(long(&guest, COPIES)).unwrap()));
    assert_eq!(long.bios.len() as u64, COPIES * short.bios.len() as u64);
    assert_eq!(long.ios.len() as u64, COPIES * short.ios.len() as u64);
    assert!(
        long.bios.iter().all(|bio| bio.ended().is_some() && bio.stages.len() == short.bios[0].stages.len())
    );
    assert_eq!(long.counts.all().collect::<Vec<_>>(), short.counts.all().collect::<Vec<_>>());
    assert_eq!(long.attribution.left_over(), short.attribution.left_over() * COPIES);
    assert_eq!(long.warnings, short.warnings);
}

#[test]
fn copies_differ_as_runs_do() {
    let long = told(&Session::from_bytes(long(&direct_write(), COPIES)).unwrap());
    let different = |of: &dyn Fn(&iotrace::model::Bio) -> u64| {
        long.bios.iter().map(of).collect::<BTreeSet<_>>().len() as u64
    };
    assert_eq!(different(&|bio| bio.sector), COPIES);
    assert!(different(&|bio| bio.ended().unwrap() - bio.queued()) > 1);
    let positions: BTreeSet<_> = long.ios.iter().map(|io| io.position).collect();
    assert_eq!(positions.len() as u64, COPIES);
}

#[test]
fn the_bytes_of_each_copy_are_written_back() {
    let mut guest = buffered();
    // What the two writes before put into the page, which the bio at 0xb1 carries.
    guest.raw(499, event::BIO_PAGES.id, &[0xb1, SDA, INODE, 0, 118, 1]);
    guest.events.sort_by_key(|event| event.clock);
    let (short, long) = (told(&real(&guest).0), told(&Session::from_bytes(long(&guest, COPIES)).unwrap()));
    let written = |report: &Report| report.ios.iter().map(|io| io.written).sum::<u64>();
    assert_eq!((written(&short), written(&long)), (118, COPIES * 118));
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    assert_eq!(long(&direct_write(), 3), long(&direct_write(), 3));
}

#[test]
fn a_trace_without_marks_is_refused() {
    let mut guest = SyntheticGuest::default();
    guest.entry(10, "hw.run", &[]);
    let error = Original::read(&real(&guest).0).unwrap_err();
    assert!(error.to_string().contains("no marks"), "{error}");
}

/// A direct write by a task that begins in the workload.
fn write_of_new_task() -> SyntheticGuest {
    const NEW: u64 = iotrace_synthetic_guest::TASK + (1 << 20);
    let mut guest = direct_write();
    let moved = |task: &mut u64| *task = if *task == iotrace_synthetic_guest::TASK { NEW } else { *task };
    for event in guest.events.iter_mut().filter(|event| event.clock > 100) {
        moved(&mut event.task);
        event.words.iter_mut().for_each(moved);
    }
    guest.task = NEW;
    guest.raw(101, event::TASK.id, &[NEW, 43, 43, u64::from_le_bytes(*b"dd\0\0\0\0\0\0"), 0]);
    guest.events.sort_by_key(|event| event.clock);
    guest
}

/// A trace with so many events, made with options; with what was written.
fn special(options: &LongTraceOptions) -> (Report, IoNumbers, long::Written) {
    let original = Original::read(&real(&write_of_new_task()).0).unwrap();
    let (bytes, written) = LongTrace::write(&original, options, Vec::new()).unwrap();
    let session = Session::from_bytes(bytes).unwrap();
    (told(&session), IoNumbers::find(&session, written.clocks).unwrap(), written)
}

#[test]
fn the_numbers_of_ios_are_those_of_the_analyzer() {
    let (report, numbers, _) = special(&LongTraceOptions { events: 2000, ..PLAIN });
    let ids: Vec<_> = report.ios.iter().map(|io| io.id).collect();
    assert_eq!((numbers.first, numbers.last), (ids.first().copied(), ids.last().copied()));
    let middle = ids.iter().position(|id| Some(*id) == numbers.middle).unwrap();
    assert!(middle.abs_diff(ids.len() / 2) <= 1, "{middle} of {}", ids.len());
    assert_eq!((numbers.long, numbers.unfinished), (None, None));
}

#[test]
fn an_io_waits_while_others_run_and_one_never_ends() {
    let (report, numbers, written) =
        special(&LongTraceOptions { events: 2000, long_fsync: true, unfinished: true, ..PLAIN });
    let [long, unfinished] =
        [numbers.long, numbers.unfinished].map(|id| report.ios.iter().find(|io| Some(io.id) == id).unwrap());
    let inside = report.ios.iter().filter(|io| io.entered > long.entered && io.left < long.left);
    let inside = inside.count() as u64;
    assert!((inside + 2) * written.events > 2 * BLOCK as u64 * written.copies, "{inside}: {written:?}");
    assert_eq!(unfinished.left, None);
    assert_eq!(report.outcomes.unfinished_ios, 1, "no other one");
    assert_eq!(report.ios.len() as u64, written.copies);
    let ended = report.bios.iter().filter(|bio| bio.ended().is_some()).count();
    // That of the I/O that is left in the middle may have ended before.
    assert!((written.copies - 1..=written.copies).contains(&(ended as u64)), "{ended}: {written:?}");
    assert_eq!(report.attribution.left_over(), 0, "{:?}", report.attribution);
}

#[test]
fn functions_without_a_stage_are_left_out() {
    let mut original = Original::read(&real(&changed_write()).0).unwrap();
    let (all, ios) = (original.section.len() as u64, original.ios);
    assert_eq!(ios, 1);
    original.thin_out(all).unwrap();
    assert_eq!(original.section.len() as u64, all);
    original.thin_out(all - 1).unwrap();
    assert_eq!(original.section.len() as u64, all - 2, "entry and exit of vfs_extra_function");
    // There is one more such function.
    let error = original.thin_out(3).unwrap_err();
    assert!(error.to_string().contains(&format!("have {} events per I/O", all - 4)), "{error}");
}
