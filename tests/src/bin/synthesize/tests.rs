use super::*;
use iotrace::Session;
use iotrace::analysis::report::{Report, ReportQuery, report};
use iotrace_synthetic_guest::{SyntheticGuest, direct_write};
use std::collections::BTreeSet;

const COPIES: u64 = 50;

fn real(guest: &SyntheticGuest) -> (Session, u64) {
    let file = Session::from_bytes(guest.file()).unwrap();
    (file, guest.events.len() as u64)
}

/// The bytes of a trace with so many copies of a guest's workload.
fn long(guest: &SyntheticGuest, copies: u64) -> Vec<u8> {
    let original = Original::read(&real(guest).0).unwrap();
    let once = original.section.len() as u64;
    let (bytes, written, made) =
        write(&original, guest.events.len() as u64 + (copies - 1) * once, 1, Vec::new()).unwrap();
    assert_eq!((written, made), (guest.events.len() as u64 + (copies - 1) * once, copies));
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
