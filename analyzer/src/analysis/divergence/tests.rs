use super::*;
use iotrace_format::trace::reader::TraceFile;
use iotrace_synthetic_guest::{Owned, SyntheticGuest, small};

fn trace(bytes: Vec<u8>) -> Trace {
    Trace::of(TraceFile::from_bytes(bytes).unwrap(), Some(1))
}

fn compare(a: &SyntheticGuest, b: &SyntheticGuest) -> Divergence {
    compare_types(a, b, ComparedTypes::All)
}

fn compare_types(a: &SyntheticGuest, b: &SyntheticGuest, types: ComparedTypes) -> Divergence {
    divergence([&trace(a.file()), &trace(b.file_in_blocks(7))], types, &mut |_| {}).unwrap()
}

fn place(guest: &SyntheticGuest, at: usize) -> Option<EventPlace> {
    Some(EventPlace { number: at as u64 + 1, clock: guest.events[at].clock })
}

#[test]
fn traces_of_equal_events_do_not_differ_whatever_their_blocks() {
    let guest = small();
    let found = compare(&guest, &guest);
    assert_eq!(found, Divergence { equal: guest.events.len() as u64, ..Divergence::default() });
}

/// Each field of each event is compared.
#[test]
fn the_first_event_that_differs_is_found() {
    let guest = small();
    for at in 0..guest.events.len() {
        type Change = fn(&mut Owned);
        let changes: [(&str, Change); 4] = [
            ("clock", |event| event.clock += 1),
            ("task", |event| event.task ^= 8),
            ("stack", |event| event.stack += 1),
            ("preempt_count", |event| event.context ^= 1),
        ];
        for (name, change) in changes {
            let mut other = guest.clone();
            change(&mut other.events[at]);
            // What comes behind the first difference is of no interest.
            let _ = other.events.split_off(at + 1);
            let found = compare(&guest, &other);
            let first = found.first.unwrap();
            assert_eq!((found.equal, first.at), (at as u64, [place(&guest, at), place(&other, at)]));
            assert_eq!(first.fields.len(), 1, "{:?}", first.fields);
            assert_eq!(first.fields[0].name, name);
        }
    }
}

#[test]
fn a_word_that_differs_has_its_name() {
    let guest = small();
    let at = guest.events.iter().position(|event| event.words.contains(&0xb1)).unwrap();
    let mut other = guest.clone();
    let word = other.events[at].words.iter().position(|word| *word == 0xb1).unwrap();
    other.events[at].words[word] = 0xb7;
    let first = compare(&guest, &other).first.unwrap();
    let values = ["0xb1", "0xb7"].map(str::to_owned);
    assert_eq!(first.fields, [FieldDifference { name: "bio".into(), values }]);
}

#[test]
fn a_trace_may_have_no_further_event() {
    let (guest, mut short) = (small(), small());
    short.events.pop();
    let last = guest.events.len() - 1;
    assert_eq!(
        compare(&guest, &short).first,
        Some(FirstDifference { at: [place(&guest, last), None], fields: Vec::new() })
    );
    let found = compare(&short, &guest);
    assert_eq!(found.first, Some(FirstDifference { at: [None, place(&guest, last)], fields: Vec::new() }));
    assert_eq!(found.equal, last as u64);
}

/// Another catalog gives the same functions other numbers, and has others.
#[test]
fn event_types_are_compared_by_what_they_are_of() {
    let mut more = SyntheticGuest::default();
    more.entry(2, "rq.requeue", &[("rq", 1)]);
    more.entry(3, "rq.insert", &[("rq", 1)]);
    let mut less = SyntheticGuest::default();
    less.entry(3, "rq.insert", &[("rq", 1)]);
    // The same address, as in one kernel.
    for guest in [&mut more, &mut less] {
        for definition in &mut guest.definitions {
            if let Definition::Probe(probe) = definition {
                probe.address = 0;
                probe.line = 0;
            }
        }
    }
    let all = compare(&more, &less);
    let first = all.first.unwrap();
    assert_eq!(first.at, [place(&more, 3), place(&less, 3)]);
    let values = ["rq_requeue_function()", "rq_insert_function()"].map(str::to_owned);
    assert_eq!(first.fields[0], FieldDifference { name: "type".into(), values });
    let common = compare_types(&more, &less, ComparedTypes::Common);
    let left_out = LeftOutTypes { names: vec!["rq_requeue_function()".into()], events: 1 };
    assert_eq!(
        common,
        Divergence { equal: 4, left_out: [left_out, LeftOutTypes::default()], ..Divergence::default() }
    );
}

#[test]
fn traces_of_other_guests_are_not_of_one_recording() {
    let guest = small();
    let mut other = guest.clone();
    for definition in &mut other.definitions {
        if let Definition::Trace(info) = definition {
            info.slide = 0x1000_0000;
        }
    }
    let found = compare(&guest, &other);
    let values = ["0x0", "0x10000000"].map(str::to_owned);
    assert_eq!(found.guests, [FieldDifference { name: "KASLR slide".into(), values }]);
}

#[test]
fn a_truncated_trace_is_the_same_up_to_its_end() {
    let guest = small();
    let mut bytes = guest.file_in_blocks(4);
    bytes.truncate(bytes.len() / 2);
    let found = divergence([&trace(guest.file()), &trace(bytes)], ComparedTypes::All, &mut |_| {}).unwrap();
    assert!(found.lost[0].is_none() && found.lost[1].is_some(), "{found:?}");
    assert_eq!(found.first.unwrap().at[1], None);
}
