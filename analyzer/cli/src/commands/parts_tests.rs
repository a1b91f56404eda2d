//! Parts of a trace tell what the whole tells, with its numbers.

use super::path::text::PathOptions;
use crate::view::text::Style;
use iotrace::Session;
use iotrace::analysis::conditions::Conditions;
use iotrace::analysis::describe::Described;
use iotrace::analysis::events::{Filter, events};
use iotrace::analysis::path::{ListingShape, path};
use iotrace::analysis::report::{Report, ReportQuery, report};
use iotrace::analysis::subject::Wanted;
use iotrace::analysis::timeline::timeline;
use iotrace::analysis::verify::verify;
use iotrace::analysis::why::why;
use iotrace::reader::Trace;
use iotrace::rewrite::{RewriteError, SliceSelection, cat, recover, slice};
use iotrace_synthetic_guest::{
    KWORKER, SyntheticGuest, TASK, WRITE, buffered, changed_write, direct_write, io, small,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn whole() -> Session {
    trace(&direct_write())
}

fn opened(path: &Path) -> Session {
    let trace = Session::of(Trace::open(path, Some(2)).unwrap());
    let verified = verify(&trace, &mut |_| {}).unwrap();
    let mut findings = verified.findings.iter();
    assert!(findings.all(|finding| finding.text.contains("without a preceding definition")), "{verified:?}");
    trace
}

fn told(trace: &Session) -> Report {
    report(trace, &ReportQuery { all: true, ..ReportQuery::default() }, &mut |_| {}).unwrap()
}

fn clocks(from: u64, to: u64) -> SliceSelection {
    let conditions = Conditions { clock: Some(from..=to), ..Conditions::default() };
    SliceSelection { conditions, subject: None }
}

/// Clocks between a guest and its repetition.
const APART: u64 = 10_000;

/// What a guest does, so many times in a row.
fn repeated(guest: &SyntheticGuest, times: u64) -> SyntheticGuest {
    let mut all = guest.clone();
    for time in 1..times {
        let later = guest.events.iter().cloned().map(|mut event| {
            event.clock += time * APART;
            event
        });
        all.events.extend(later);
    }
    all
}

fn trace(guest: &SyntheticGuest) -> Session {
    Session::from_bytes(guest.file()).unwrap()
}

fn text(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// All that is printed of an I/O or a bio, as text and as JSON.
fn printed(trace: &Session, wanted: &Wanted) -> String {
    let (shape, style) = (ListingShape::default(), Style::default());
    let path = path(trace, wanted, &mut |_| {}).unwrap().expect("it is there");
    let mut all =
        text(|out| super::path::text::write_text(out, &path, &shape, PathOptions { style, source: true }));
    all += &text(|out| super::path::json::write(out, &path, &shape));
    match why(trace, wanted, &mut |_| {}) {
        Ok(why) => {
            all += &text(|out| super::why::text::write_text(out, &why, style));
            all += &text(|out| super::why::json::write(out, &why));
        }
        Err(error) => all += &error.to_string(),
    }
    if let Wanted::Bio(id) = wanted {
        let timeline = timeline(trace, *id, &mut |_| {}).unwrap().expect("it is there");
        all += &text(|out| super::bio::text::write_text(out, &timeline, style));
        all += &text(|out| super::bio::json::write(out, &timeline));
    }
    all
}

/// What each event says, by its number.
fn by_number(trace: &Session) -> BTreeMap<u64, String> {
    let (say, mut all) = (
        |event: &Described<'_>, text: &mut String| {
            text.push_str(&format!("{} {} {}", event.number, event.clock, event.name));
            event.words.iter().for_each(|word| text.push_str(&format!(" {}={:#x}", word.name, word.value)));
            text.push('\n');
        },
        String::new(),
    );
    let mut give = |text: &str| {
        all.push_str(text);
        Ok(())
    };
    events(trace, &Filter::default(), &mut |_| {}, &say, &mut give).unwrap();
    let numbered = |line: &str| Some((line.split_once(' ')?.0.parse().ok()?, line.to_owned()));
    all.lines().filter_map(numbered).collect()
}

fn subjects(trace: &Session) -> Vec<Wanted> {
    let Report { ios, bios, .. } = told(trace);
    let ios = ios.iter().map(|io| Wanted::Io(io.id));
    ios.chain(bios.iter().map(|bio| Wanted::Bio(bio.id))).collect()
}

fn of_subject(wanted: &Wanted) -> SliceSelection {
    SliceSelection { subject: Some(wanted.clone()), ..SliceSelection::default() }
}

/// A part has events of the whole, and prints of a subject what the whole prints.
fn assert_part(part: &Session, whole: &Session, wanted: &[Wanted]) {
    let (inside, all) = (by_number(part), by_number(whole));
    assert!(!inside.is_empty());
    inside.iter().for_each(|(number, event)| assert_eq!(all.get(number), Some(event)));
    for wanted in wanted {
        let (of_part, of_whole) = (printed(part, wanted), printed(whole, wanted));
        let other = of_part.lines().zip(of_whole.lines()).find(|(part, whole)| part != whole);
        assert_eq!((other, of_part.len()), (None, of_whole.len()), "{wanted}");
    }
}

#[test]
fn slices_print_what_the_whole_prints() {
    let place = Place::new();
    for guest in [direct_write(), changed_write(), buffered(), small()] {
        let whole = trace(&repeated(&guest, 2));
        let subjects = subjects(&whole);
        assert!(subjects.len() >= 2);
        for wanted in &subjects {
            let (once, twice) = (place.path("once.iot"), place.path("twice.iot"));
            slice(&whole, &of_subject(wanted), &once, &mut |_| {}).unwrap();
            let part = opened(&once);
            assert_part(&part, &whole, std::slice::from_ref(wanted));
            slice(&part, &of_subject(wanted), &twice, &mut |_| {}).unwrap();
            assert_part(&opened(&twice), &whole, std::slice::from_ref(wanted));
        }
    }
}

#[test]
fn golden_slices_print_what_the_whole_prints() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/with-roles.iot");
    let whole = Session::of(Trace::open(&golden, Some(1)).unwrap());
    let (place, subjects) = (Place::new(), subjects(&whole));
    assert!(!subjects.is_empty());
    for wanted in &subjects {
        let to = place.path("part.iot");
        slice(&whole, &of_subject(wanted), &to, &mut |_| {}).unwrap();
        assert_part(&opened(&to), &whole, std::slice::from_ref(wanted));
    }
}

#[test]
fn windows_keep_all_numbers() {
    let place = Place::new();
    let whole = trace(&repeated(&direct_write(), 4));
    let (from, to) = (2 * APART, 3 * APART - 1);
    slice(&whole, &clocks(from, to), &place.path("part.iot"), &mut |_| {}).unwrap();
    let part = opened(&place.path("part.iot"));
    let inside = [Wanted::Io(3), Wanted::Bio(3)];
    assert_eq!(subjects(&part), inside);
    assert_part(&part, &whole, &inside);
    let requests = |trace: &Session| told(trace).bios.iter().find(|bio| bio.id == 3).unwrap().request;
    assert_eq!((requests(&part), requests(&whole)), (Some(3), Some(3)));
}

#[test]
fn a_window_that_begins_within_a_call_knows_it_and_its_origin() {
    // clock:  200   230   400    460        500          560
    //         write       timer  work.run   bio.queue    work ends
    //                              |- part --->
    let place = Place::new();
    let whole = trace(&buffered());
    let bio = |trace: &Session| told(trace).bios.into_iter().find(|bio| bio.id == 1).unwrap();
    for from in [250, 430, 455, 465, 495] {
        slice(&whole, &clocks(from, 900), &place.path("part.iot"), &mut |_| {}).unwrap();
        let part = bio(&opened(&place.path("part.iot")));
        assert_eq!(part.cause, bio(&whole).cause, "from {from}");
        assert!(part.cause.unwrap().chain().count() > 2);
    }
}

/// An I/O of the kernel's own begins with its first bio; in a part that has only a later one, it has its number.
#[test]
fn the_kernels_own_work_has_its_number_in_a_part_without_its_begin() {
    // clock:  100  110     120 .. 150                160    170
    //         work bio #1  another task writes (#2)  bio #2 the work ends
    let place = Place::new();
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.switch(90, KWORKER);
    guest.begin_work_of(100, 0xe0);
    guest.queue(110, 0xb100, io(8, 4096, WRITE));
    guest.switch(120, TASK);
    guest.write(130, 0, 59);
    guest.switch(150, KWORKER);
    guest.queue(160, 0xb200, io(16, 4096, WRITE));
    guest.end_work(170);
    let whole = trace(&guest);
    let origin = |trace: &Session| {
        let bio = told(trace).bios.into_iter().find(|bio| bio.id == 2).unwrap();
        bio.cause.and_then(|cause| cause.io())
    };
    assert_eq!(origin(&whole), Some(1));
    for from in [115, 155] {
        slice(&whole, &clocks(from, 900), &place.path("part.iot"), &mut |_| {}).unwrap();
        assert_eq!(origin(&opened(&place.path("part.iot"))), Some(1), "from {from}");
    }
}

/// What lies behind the end of a part is not said to have not happened.
#[test]
fn bytes_that_are_carried_behind_a_part_are_not_called_lost() {
    let place = Place::new();
    let whole = trace(&buffered());
    let listed = |trace: &Session| printed(trace, &Wanted::Io(1));
    assert!(listed(&whole).contains("all written by the bios below"), "{}", listed(&whole));
    slice(&whole, &clocks(0, 445), &place.path("part.iot"), &mut |_| {}).unwrap();
    let part = listed(&opened(&place.path("part.iot")));
    assert!(part.contains("not written by a bio of this trace"), "{part}");
}

#[test]
fn calls_under_way_where_a_window_begins_cost_what_they_cost_in_the_whole() {
    // clock:  1000        1010        1100         3000         3050
    //         sys.pwrite  vfs.write   bio.queue    vfs returns  sys returns
    let place = Place::new();
    let whole = trace(&repeated(&direct_write(), 2));
    for from in [APART + 1005, APART + 1060] {
        slice(&whole, &clocks(from, 2 * APART), &place.path("part.iot"), &mut |_| {}).unwrap();
        assert_part(&opened(&place.path("part.iot")), &whole, &[Wanted::Io(2), Wanted::Bio(2)]);
    }
}

#[test]
fn what_is_read_of_a_damaged_part_keeps_its_numbers() {
    let place = Place::new();
    let whole = trace(&repeated(&direct_write(), 4));
    let mut bytes = repeated(&direct_write(), 4).file();
    let index = whole.index().unwrap();
    let blocks: Vec<_> = index.events().collect();
    let (lost, count) = (blocks[3].offset as usize + 120, u64::from(blocks[3].count));
    bytes[lost] ^= 4;
    let damaged = Session::from_bytes(bytes).unwrap();
    let all = by_number(&whole);
    let mut expected = all.clone();
    (blocks[3].number + 1..=blocks[3].number + count).for_each(|number| _ = expected.remove(&number));
    assert_eq!(by_number(&damaged), expected);
    recover(&damaged, &place.path("out.iot"), &mut |_| {}).unwrap();
    let recovered = opened(&place.path("out.iot"));
    assert_eq!(by_number(&recovered), expected);
    assert_eq!(told(&recovered).ios, told(&damaged).ios);
}

#[test]
fn parts_keep_their_numbers_one_behind_the_other() {
    let place = Place::new();
    let guest = repeated(&direct_write(), 3);
    let whole = trace(&guest);
    let part = |name: &str, from, to| {
        slice(&whole, &clocks(from, to), &place.path(name), &mut |_| {}).unwrap();
        (place.path(name), opened(&place.path(name)))
    };
    let joined = |parts: &[(PathBuf, Session)]| {
        cat(parts, &place.path("joined.iot"), &mut |_| {})?;
        Ok::<_, RewriteError>(opened(&place.path("joined.iot")))
    };
    for cut in [1150, 2065, APART + 1305, APART + 2215, 2 * APART + 2620] {
        let both = joined(&[part("a.iot", 0, cut), part("b.iot", cut + 1, u64::MAX)]).unwrap();
        assert_eq!(by_number(&both), by_number(&whole), "cut at {cut}");
        assert_part(&both, &whole, &subjects(&whole));
    }
    // What is between them is missing, and leaves its numbers free.
    let apart = joined(&[part("a.iot", 0, APART - 1), part("b.iot", 2 * APART, u64::MAX)]).unwrap();
    assert_part(&apart, &whole, &[Wanted::Io(1), Wanted::Io(3), Wanted::Bio(1), Wanted::Bio(3)]);
    let error = joined(&[part("a.iot", 0, APART), part("b.iot", APART - 9000, u64::MAX)]).unwrap_err();
    assert!(error.to_string().contains("its events begin at clock"), "{error}");
}

#[test]
fn traces_that_are_numbered_from_the_beginning_each_are_counted_on() {
    let place = Place::new();
    let later = |time| {
        let mut guest = direct_write();
        guest.events.iter_mut().for_each(|event| event.clock += time * APART);
        guest
    };
    let parts = [0, 1].map(|time| (PathBuf::from("part.iot"), trace(&later(time))));
    cat(&parts, &place.path("both.iot"), &mut |_| {}).unwrap();
    let (both, whole) = (opened(&place.path("both.iot")), trace(&repeated(&direct_write(), 2)));
    assert_eq!(by_number(&both), by_number(&whole));
    assert_part(&both, &whole, &subjects(&whole));
}

#[test]
fn who_reads_whole_traces_alone_refuses_a_part() {
    let place = Place::new();
    let to = place.path("part.iot");
    slice(&whole(), &clocks(0, 1500), &to, &mut |_| {}).unwrap();
    assert_eq!(fs::read(&to).unwrap()[8..12], [4, 0, 0, 0]);
    assert_eq!(direct_write().file()[8..12], [3, 0, 0, 0]);
}
