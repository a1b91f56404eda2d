use super::*;
use crate::analysis::conditions::Conditions;
use crate::analysis::describe::Described;
use crate::analysis::events::{Filter, events};
use crate::analysis::path::path;
use crate::analysis::report::{Report, ReportQuery, report};
use crate::analysis::subject::Wanted;
use crate::analysis::why::why;
use crate::rewrite::tests::{TestFolder, opened};
use crate::rewrite::{SliceSelection, slice};
use crate::session::Session;
use iotrace_synthetic_guest::{TASK, buffered, changed_write, direct_write, reused, small};

fn answer(clock: u64, place: &str, fields: &[(&str, &str)]) -> Answer {
    Answer {
        clock,
        place: place.into(),
        context: Some(0),
        task: TASK,
        stack: 0xffff_c900_0001_3000,
        fields: fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        ..Answer::default()
    }
}

impl TestFolder {
    fn injected(&self, trace: &Trace, answers: &[Answer]) -> Session {
        let to = self.path("asked.iot");
        let made = inject(trace, answers, &to, &mut |_| {}).unwrap();
        assert_eq!(made.lost, Vec::<String>::new());
        opened(&to)
    }
}

/// Events of the functions whose names have this in them: clock, name, fields.
fn shown(trace: &Trace, function: &str) -> Vec<String> {
    let filter = Filter { function: Some(function.into()), ..Filter::default() };
    let say = |event: &Described<'_>, text: &mut String| {
        let fields = event.words.iter().map(|word| format!(" {}={}", word.name, word.text));
        *text += &format!("{} {}{}\n", event.clock, event.name, fields.collect::<String>());
    };
    let mut all = String::new();
    let mut give = |text: &str| {
        all += text;
        Ok(())
    };
    events(trace, &filter, &mut |_| {}, &say, &mut give).unwrap();
    all.lines().map(str::to_owned).collect()
}

fn told(trace: &Session) -> Report {
    report(trace, &ReportQuery { all: true, ..ReportQuery::default() }, &mut |_| {}).unwrap()
}

/// All that is told of a trace, but for how many events it has.
fn all(trace: &Session) -> Vec<String> {
    let Report { ios, bios, warnings, .. } = told(trace);
    let subjects = ios.iter().map(|io| Wanted::Io(io.id)).chain(bios.iter().map(|bio| Wanted::Bio(bio.id)));
    let of = |wanted: &Wanted| {
        let path = path(trace, wanted, &mut |_| {}).unwrap().unwrap();
        let why = why(trace, wanted, &mut |_| {}).map(|why| why.spans);
        format!("{:?} {:?} {why:?}", path.segments, path.woken)
    };
    let subjects: Vec<_> = subjects.map(|wanted| of(&wanted)).collect();
    let objects = [format!("{ios:?}"), format!("{bios:?}"), format!("{warnings:?}")];
    objects.into_iter().chain(subjects).collect()
}

fn assert_alike(asked: &Session, plain: &Session) {
    let (asked, plain) = (all(asked), all(plain));
    let other = asked.iter().zip(&plain).find(|(asked, plain)| asked != plain);
    assert_eq!((other, asked.len()), (None, plain.len()));
}

#[test]
fn answers_are_events_behind_those_of_their_clocks() {
    let (place, guest) = (TestFolder::new(), direct_write());
    let clock = guest.events[20].clock;
    let asked = [
        answer(
            clock,
            "fs/iomap/direct-io.c:323",
            &[("pos", "16384"), ("bio->bi_opf", "0x8801"), ("left", "-5")],
        ),
        answer(
            3,
            "vfs_write%return",
            &[("name", "a rather long name of a file"), ("$retval", "59"), ("none", "")],
        ),
        answer(u64::from(u32::MAX), "vfs_write%return", &[("name", "x"), ("$retval", "0"), ("none", "")]),
    ];
    let trace = place.injected(&Session::from_bytes(guest.file()).unwrap(), &asked);
    let expected = [
        "3 ask.vfs_write%return name=a rather long name of a file $retval=59 none=".to_owned(),
        format!("{clock} ask.fs/iomap/direct-io.c:323 pos=16384 bio->bi_opf=0x8801 left=-5"),
        "4294967295 ask.vfs_write%return name=x $retval=0 none=".to_owned(),
    ];
    assert_eq!(shown(&trace, "ask."), expected);
    let all = shown(&trace, "");
    assert_eq!(all.len(), guest.events.iter().filter(|event| event.kind >= FIRST_PROBE).count() + 3);
    let at = all.iter().position(|line| line.contains("direct-io.c")).unwrap();
    let clock_of = |line: &String| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(clock_of(&all[at - 1]) <= clock && clock_of(&all[at + 1]) > clock, "{all:?}");
    assert_eq!(told(&trace).events, guest.events.len() as u64 + 3);
    let probe = trace_probe(&trace, "ask.fs/iomap/direct-io.c:323");
    assert_eq!((probe.file.as_str(), probe.line, probe.stage), ("fs/iomap/direct-io.c", 323, None));
}

fn trace_probe(trace: &Trace, name: &str) -> iotrace_format::definition::Probe {
    let known = definitions(trace).unwrap();
    known.probes.into_values().find(|probe| probe.function == name).unwrap()
}

/// An answer at every clock, in every task and context, with the words of the event before it.
fn everywhere(guest: &iotrace_synthetic_guest::SyntheticGuest) -> Vec<Answer> {
    let made = guest.events.iter().flat_map(|event| {
        let words = event.words.iter().enumerate().map(|(at, word)| (format!("w{at}"), format!("{word:#x}")));
        let fields: Vec<_> = words.collect();
        [0, 1].map(|behind| Answer {
            clock: event.clock + behind,
            place: "f".into(),
            task: [event.task, 0xdead][behind as usize],
            context: Some(event.context ^ 0x1_0000),
            stack: event.stack.wrapping_add(8),
            fields: fields.clone(),
            ..Answer::default()
        })
    });
    made.collect()
}

#[test]
fn all_else_is_told_as_without_them() {
    let place = TestFolder::new();
    for guest in [direct_write(), changed_write(), buffered(), small(), reused()] {
        let whole = Session::from_bytes(guest.file()).unwrap();
        let answers = everywhere(&guest);
        let asked = place.injected(&whole, &answers);
        assert!(!asked.is_part(), "its index has checkpoints");
        assert_alike(&asked, &whole);
        assert_eq!(shown(&asked, "ask.f").len(), answers.len());
        // Once more, on top of them.
        let again = place.path("again.iot");
        inject(&asked, &answers, &again, &mut |_| {}).unwrap();
        assert_alike(&opened(&again), &whole);
        assert_eq!(shown(&opened(&again), "ask.f").len(), 2 * answers.len());
    }
}

#[test]
fn a_part_keeps_what_it_states_of_its_events() {
    let place = TestFolder::new();
    for guest in [direct_write(), buffered()] {
        let whole = Session::from_bytes(guest.file()).unwrap();
        let last = guest.events.last().unwrap().clock;
        for from in (0..last).step_by(usize::try_from(last / 12).unwrap()) {
            let conditions = Conditions { clock: Some(from..=last), ..Conditions::default() };
            let (part, to) = (SliceSelection { conditions, subject: None }, place.path("part.iot"));
            slice(&whole, &part, &to, &mut |_| {}).unwrap();
            let part = opened(&to);
            let asked = place.injected(&part, &everywhere(&guest));
            assert!(asked.is_part());
            assert_alike(&asked, &part);
        }
    }
}

#[test]
fn callers_are_a_field_of_each_answer() {
    let place = TestFolder::new();
    let callers = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let from =
        |clock, names: &[&str]| Answer { callers: callers(names), ..answer(clock, "f", &[("x", "1")]) };
    let asked = [from(5, &["g a.c:1", "h a.c:2"]), from(6, &["i b.c:3"]), from(7, &["g a.c:1", "h a.c:2"])];
    let trace = place.injected(&Session::from_bytes(small().file()).unwrap(), &asked);
    let expected = [
        "5 ask.f x=1 callers=g a.c:1 ← h a.c:2",
        "6 ask.f x=1 callers=i b.c:3",
        "7 ask.f x=1 callers=g a.c:1 ← h a.c:2",
    ];
    assert_eq!(shown(&trace, "ask."), expected);
    assert_eq!(
        definitions(&trace).unwrap().probes.values().filter(|probe| probe.function == "ask.f").count(),
        2
    );
}

#[test]
fn a_place_is_a_name_without_blanks() {
    let place = TestFolder::new();
    let asked = [
        answer(5, "bio_endio block/bio.c:1600", &[("old", "0"), ("new", "<unreadable>")]),
        answer(6, "a\tb\u{7}", &[]),
    ];
    let trace = place.injected(&Session::from_bytes(small().file()).unwrap(), &asked);
    assert_eq!(
        shown(&trace, "ask."),
        ["5 ask.bio_endio@block/bio.c:1600 old=0 new=<unreadable>", "6 ask.a@b_"]
    );
    assert_eq!(trace_probe(&trace, "ask.bio_endio@block/bio.c:1600").line, 1600);
}

#[test]
fn what_does_not_fit_into_an_event_is_named() {
    let (place, trace) = (TestFolder::new(), Session::from_bytes(small().file()).unwrap());
    let to = place.path("never.iot");
    let refused = |answers: &[Answer]| {
        let error = inject(&trace, answers, &to, &mut |_| {}).unwrap_err();
        assert!(!to.exists());
        error.to_string()
    };
    let long = |length| "x".repeat(length);
    for (asked, reason) in [
        (
            answer(5, "f", &[("a", "1"), ("whole", &long(249))]),
            "answer 1 (f), field \"whole\": its longest text needs 32 words of 8 bytes, all fields of the place 33",
        ),
        (answer(5, "f", &[("a", "x\0y")]), "answer 1 (f), field \"a\": a character with the number 0"),
        (answer(5, "f", &[(&long(509), "1")]), "at most 508 can be kept"),
        (answer(5, &long(509), &[]), "place: 509 bytes, at most 508 can be kept"),
        (answer(5, "", &[]), "answer 1 (), place: it is empty"),
        (answer((1 << 56) + 1, "f", &[]), "clock: 72057594037927937 is larger than a clock can be"),
        (Answer { vcpu: 1, ..answer(5, "f", &[]) }, "vcpu: 1 is none of the trace's, which has 1"),
        (Answer { callers: vec![long(513)], ..answer(5, "f", &[]) }, "callers: 513 bytes, at most 512"),
        (
            Answer { callers: vec![String::new(); 65], ..answer(5, "f", &[]) },
            "callers: there are 65, at most 64",
        ),
    ] {
        let said = refused(std::slice::from_ref(&asked));
        assert!(said.contains(reason), "{said}");
    }
    let names: Vec<_> = (0..33).map(|at| format!("f{at}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert!(refused(&[answer(5, "f", &many)]).contains("fields: there are 33, an event has 32"));
    assert_eq!(
        place
            .injected(&trace, &[answer(5, "f", &many[1..]), answer(6, "g", &[("a", &long(256))])])
            .index()
            .unwrap()
            .totals()
            .events,
        small().events.len() as u64 + 2
    );
    let places: Vec<_> = (0..=u64::from(KindId::MAX)).map(|at| answer(5, &format!("f{at}"), &[])).collect();
    let said = refused(&places);
    assert!(
        said.starts_with("the answers are of 65536 event types") && said.contains("has room for 65"),
        "{said}"
    );
}

#[test]
fn damage_is_noted_and_numbers_behind_it_stay() {
    let (place, guest) = (TestFolder::new(), small());
    let mut bytes = guest.file();
    let damaged = {
        let file = Session::from_bytes(bytes.clone()).unwrap();
        file.index().unwrap().events().nth(1).unwrap().offset as usize + 100
    };
    bytes[damaged] ^= 4;
    let trace = Session::from_bytes(bytes).unwrap();
    let to = place.path("asked.iot");
    let made = inject(&trace, &[answer(3, "f", &[]), answer(5, "f", &[])], &to, &mut |_| {}).unwrap();
    assert!(made.lost[0].contains("1 chunks with"), "{:?}", made.lost);
    let asked = opened(&to);
    assert!(asked.is_part() && told(&asked).warnings.iter().any(|warning| warning.text == made.lost[0]));
    let numbers = |trace: &Trace| {
        let (say, mut all) = (
            |event: &Described<'_>, text: &mut String| *text += &format!("{} {}\n", event.number, event.name),
            String::new(),
        );
        let mut give = |text: &str| {
            all += text;
            Ok(())
        };
        events(trace, &Filter::default(), &mut |_| {}, &say, &mut give).unwrap();
        all.lines().last().unwrap().to_owned()
    };
    let moved = numbers(&trace)
        .split_once(' ')
        .map(|(number, name)| format!("{} {name}", number.parse::<u64>().unwrap() + 2));
    assert_eq!(Some(numbers(&asked)), moved);
}
