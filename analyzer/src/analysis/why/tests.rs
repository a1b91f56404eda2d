//! What is told of a wait, from what happened as drawn by hand.

mod devices;
mod drawing;
mod gather;
mod index;
mod interrupts;
mod softirqs;
mod tasks;
mod work;

use super::*;
use crate::analysis::report::{ReportQuery, report};
use iotrace_synthetic_guest::{SyntheticGuest, WRITE, direct_write, io, reused, small};

#[test]
fn what_begins_without_a_level_is_known_by_its_stage_alone() {
    assert_eq!(Context::of(Some(&Stage::IrqEntry), Level::Unknown), Context::Interrupt);
    assert_eq!(Context::of(Some(&Stage::WorkRun), Level::Unknown), Context::Work);
    assert_eq!(Context::of(Some(&Stage::IrqThread), Level::Task), Context::IrqThread);
    assert_eq!(Context::of(Some(&Stage::BioQueue), Level::Unknown), Context::Unknown);
    assert_eq!(Context::of(Some(&Stage::BioQueue), Level::Task), Context::Task);
}

#[test]
fn what_begins_without_a_stage_is_known_by_its_level() {
    let of = [Level::Unknown, Level::Task, Level::Softirq, Level::Hardirq, Level::Nmi]
        .map(|level| Context::of(None, level));
    assert_eq!(of, [Context::Unknown, Context::Task, Context::Task, Context::Interrupt, Context::Interrupt]);
    assert_eq!(Context::of(Some(&Stage::SoftirqRun), Level::Hardirq), Context::Softirq);
}

fn asked(guest: &SyntheticGuest, wanted: &Wanted) -> Result<Why, WhyError> {
    why(&Session::from_bytes(guest.file()).unwrap(), wanted, &mut |_| {})
}

#[test]
fn what_cannot_be_explained_has_its_reason() {
    assert!(matches!(asked(&small(), &Wanted::Io(99)), Err(WhyError::NoSuch)));
    assert!(matches!(asked(&small(), &Wanted::Bio(1)), Err(WhyError::NoCall)));
    let mut guest = SyntheticGuest::default();
    guest.entry(50, "sys.fsync", &[("regs.fd", 3)]);
    guest.exit(60, "sys.fsync", 0);
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.queue(150, 0xb100, io(80, 4096, WRITE));
    assert!(matches!(asked(&guest, &Wanted::Bio(1)), Err(WhyError::NotOver)));
    guest.exit(250, "sys.fsync", 0);
    let spans: Vec<_> = asked(&guest, &Wanted::Bio(1)).unwrap().spans;
    let running = Doing::Running { task: "dd/42".into(), work: None };
    assert_eq!(spans, [Span { from: 100, to: 250, doing: running, depth: 0, place: String::new() }]);
}

#[test]
fn each_span_has_the_name_that_its_task_had_then() {
    let named = |doing: Doing| match doing {
        Doing::Running { task, .. } | Doing::Runnable { task } => task,
        other => panic!("{other:?}"),
    };
    let spans = asked(&reused(), &Wanted::Io(1)).unwrap().spans;
    let spans: Vec<_> = spans.into_iter().map(|span| (span.from, span.to, named(span.doing))).collect();
    let expected = [(100, 170, "dd/42"), (170, 200, "sh/50"), (200, 230, "dd/42"), (230, 250, "dd/42")];
    assert_eq!(spans, expected.map(|(from, to, task)| (from, to, task.to_owned())));
}

#[test]
fn a_wait_for_one_device_takes_as_long_as_the_report_says() {
    let guest = direct_write();
    let trace = Session::from_bytes(guest.file()).unwrap();
    let report = report(&trace, &ReportQuery::default(), &mut |_| {}).unwrap();
    let reported = report.ios[0].time(&report.time).unwrap();
    let why = asked(&guest, &Wanted::Io(report.ios[0].id)).unwrap();
    let found = why.io_time(&why.time);
    assert_eq!((found.elapsed, found.device), (reported.elapsed, reported.device));
    assert_ne!(found.device, 0);
}
