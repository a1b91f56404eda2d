//! Traces: any bytes, and what is asked of a trace, whatever is in it.

use iotrace::Session;
use iotrace::analysis::diff::{compare, gather};
use iotrace::analysis::events::{Filter, events};
use iotrace::analysis::explain::explain;
use iotrace::analysis::info::info;
use iotrace::analysis::io_events::io_events;
use iotrace::analysis::path::{ListingShape, path, shape};
use iotrace::analysis::report::{ReportQuery, SortBy, report};
use iotrace::analysis::subject::Wanted;
use iotrace::analysis::timeline::timeline;
use iotrace::analysis::verify::verify;
use iotrace::analysis::whatif::{WhatIfQuery, whatif};
use iotrace::analysis::why::why;
use iotrace::model::Definitions;
use iotrace::reader::{Flow, Needs, Visitor, census, read};
use iotrace_format::event::Event;

/// Number of things that can be asked of a trace.
pub const QUESTIONS: usize = 16;

/// A question, and a file, whatever it is.
pub fn trace(data: &[u8]) {
    let Some((question, file)) = data.split_first() else { return };
    let Ok(session) = Session::from_bytes(file.to_vec()) else { return };
    ask(&session, usize::from(*question) % QUESTIONS);
}

/// Takes events, and looks at all that they have.
struct Asking(Needs, u64);

impl Visitor for Asking {
    fn needs(&self) -> Needs {
        self.0.clone()
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        let sum = |sum: u64, word: &u64| sum.wrapping_add(*word);
        self.1 = self.1.wrapping_add(event.words.iter().fold(event.clock, sum));
        Flow::Continue
    }
}

/// Asks a trace one thing.
///
/// # Panics
/// If the answer is not one of the question.
pub fn ask(session: &Session, question: usize) {
    let bytes = session.bytes().len() as u64;
    match question {
        0 => look(session, Needs::ALL),
        1 => look(session, Needs { clocks: 5..=40, ..Needs::ALL }),
        2 => look(session, Needs { numbers: 10..=20, by_kind: true, ..Needs::ALL }),
        3 => look(session, Needs::LANDMARKS),
        4 => assert_eq!(census(session).file, bytes),
        5 => assert_eq!(verify(session, &mut |_| {}).expect("memory is enough").bytes, bytes),
        6 => ask_whatif(session),
        7 => ask_path(session),
        8 => ask_timelines(session),
        9 => ask_why(session),
        10 => ask_report(session, SortBy::Elapsed),
        11 => ask_report(session, SortBy::Guest),
        12 => ask_events(session),
        13 => _ = explain(session, &mut |_| {}).expect("memory is enough"),
        14 => _ = info(session, &mut |_| {}).expect("memory is enough"),
        _ => ask_difference(session),
    }
}

fn look(session: &Session, needs: Needs) {
    let finished = read(session, &mut Asking(needs, 0), &mut |_| {}).expect("memory is enough");
    let _ = finished.lost();
}

/// What the workload would take on another device.
fn ask_whatif(session: &Session) {
    let model = "read=1ms+1us/KiB,write=0ns,depth=1".parse().expect("a model");
    let answer = whatif(session, &WhatIfQuery { model, rows: 10 }, &mut |_| {});
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.ios.len() <= 10));
}

/// The ways of some I/Os, by the index, and their events.
fn ask_path(session: &Session) {
    for number in 1..5 {
        let path = path(session, &Wanted::Io(number), &mut |_| {}).expect("an index can be made");
        let Some(path) = path else { continue };
        assert!(path.subject.ios.iter().all(|io| io.id == number));
        let _ = shape(&path.segments, &ListingShape::default());
    }
    let printed = io_events(session, 1, &Filter::default(), &mut |_| {}, &|_, _| {}, &mut |_| Ok(()));
    let _ = printed.expect("memory is enough");
}

fn ask_timelines(session: &Session) {
    for number in 1..5 {
        let timeline = timeline(session, number, &mut |_| {}).expect("an index can be made");
        assert!(timeline.is_none_or(|timeline| timeline.bio.id == number));
    }
}

fn ask_why(session: &Session) {
    for number in 1..5 {
        for wanted in [Wanted::Io(number), Wanted::Syscall("write".into(), number as usize)] {
            let Ok(why) = why(session, &wanted, &mut |_| {}) else { continue };
            assert!(
                why.spans.windows(2).all(|spans| spans[0].to <= spans[1].from),
                "spans follow each other"
            );
        }
    }
}

fn ask_report(session: &Session, sort: SortBy) {
    let query = ReportQuery { all: sort == SortBy::Guest, rows: 10, sort, ..ReportQuery::default() };
    let report = report(session, &query, &mut |_| {}).expect("no condition is given");
    assert!(report.ios.len() <= 10 && report.bios.len() <= 10);
}

fn ask_events(session: &Session) {
    let mut bytes = 0;
    let say = |described: &iotrace::analysis::describe::Described<'_>, text: &mut String| {
        text.push_str(&format!("{described:?}"));
    };
    let mut give = |text: &str| {
        bytes += text.len();
        Ok(())
    };
    let printed = events(session, &Filter::default(), &mut |_| {}, &say, &mut give);
    let _ = printed.expect("memory is enough");
}

/// A trace has no differences from itself.
fn ask_difference(session: &Session) {
    let gather = || gather(session, &mut |_| {}).expect("memory is enough");
    let diff = compare(vec![(gather(), gather())], ["A", "B"]);
    assert!(diff.places(|_| true).all(|place| place.own.difference() == 0), "a trace differs from itself");
}
