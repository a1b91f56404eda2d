use super::*;
use iotrace_format::definition::TraceInfo;
use iotrace_format::trace::writer::TraceWriter;

#[derive(Default)]
struct Clocks(Vec<(u16, u64)>, usize);

impl Visitor for Clocks {
    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.0.push((event.vcpu, event.clock));
        if self.0.len() == self.1 { Flow::Stop } else { Flow::Continue }
    }
}

/// Numbers of the events that are given, by those that are left out between them.
#[derive(Default)]
struct Numbers {
    needs: Option<Needs>,
    next: u64,
    given: Vec<(u64, u64)>,
}

impl Visitor for Numbers {
    fn needs(&self) -> Needs {
        self.needs.clone().unwrap_or(Needs::ALL)
    }

    fn skipped(&mut self, events: u64) {
        self.next += events;
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.next += 1;
        self.given.push((self.next, event.clock));
        Flow::Continue
    }
}

/// A part of a trace in blocks: vCPU, numbers and clocks.
fn part(vcpus: u32, blocks: &[(u16, &[(u64, u64)])]) -> Trace {
    let mut writer = TraceWriter::part(Vec::new()).unwrap();
    writer.definitions(&[Definition::Trace(TraceInfo { vcpus, ..TraceInfo::default() })]).unwrap();
    for (vcpu, events) in blocks {
        for &(number, clock) in *events {
            let event = Event { kind: 64, vcpu: *vcpu, clock, context: 0, task: 0, stack: 0, words: &[] };
            writer.numbered_event(number, &event).unwrap();
        }
        writer.flush().unwrap();
    }
    Trace::from_bytes(writer.finish().unwrap()).unwrap()
}

#[test]
fn events_of_a_part_have_their_numbers_whatever_is_needed() {
    let events = [(7, 100), (8, 110), (20, 120), (21, 130), (40, 140)];
    let file = part(1, &[(0, &events[..3]), (0, &events[3..])]);
    let given = |needs| {
        let mut numbers = Numbers { needs, ..Numbers::default() };
        read(&file, &mut numbers, &mut |_| {}).unwrap();
        numbers.given
    };
    assert_eq!(given(None), events);
    assert_eq!(given(Some(Needs { clocks: 130..=140, ..Needs::ALL })), events[3..]);
    assert_eq!(given(Some(Needs { numbers: 21..=21, ..Needs::ALL })), events);
}

#[test]
fn events_of_several_vcpus_are_in_the_order_of_their_numbers() {
    // In the whole, the second vCPU was asleep for so long that the first was not made to wait for it.
    let file = part(2, &[(0, &[(1, 10), (2, 30), (5, 40)]), (1, &[(3, 20), (4, 25)])]);
    let mut numbers = Numbers::default();
    read(&file, &mut numbers, &mut |_| {}).unwrap();
    assert_eq!(numbers.given, [(1, 10), (2, 30), (3, 20), (4, 25), (5, 40)]);
}

/// A trace of blocks: vCPU and clocks.
fn trace(vcpus: u32, blocks: &[(u16, &[u64])]) -> Trace {
    let mut writer = TraceWriter::new(Vec::new()).unwrap();
    writer.definitions(&[Definition::Trace(TraceInfo { vcpus, ..TraceInfo::default() })]).unwrap();
    for (vcpu, clocks) in blocks {
        for &clock in *clocks {
            let event = Event { kind: 64, vcpu: *vcpu, clock, context: 0, task: 0, stack: 0, words: &[] };
            writer.event(&event).unwrap();
        }
        writer.flush().unwrap();
    }
    Trace::from_bytes(writer.finish().unwrap()).unwrap()
}

fn given(file: &Trace, most: usize) -> (Vec<(u16, u64)>, Finished) {
    let mut clocks = Clocks(Vec::new(), most);
    let finished = read(file, &mut clocks, &mut |_| {}).unwrap();
    (clocks.0, finished)
}

#[test]
fn vcpus_are_merged_by_clock() {
    let file = trace(2, &[(0, &[1, 5, 9]), (0, &[12]), (1, &[2, 6]), (1, &[7, 20])]);
    let (clocks, finished) = given(&file, 0);
    let only: Vec<_> = clocks.iter().map(|c| c.1).collect();
    assert_eq!(only, [1, 2, 5, 6, 7, 9, 12, 20]);
    assert_eq!((finished.out_of_order, finished.end), (0, Some(End::Complete)));
}

#[test]
fn a_vcpu_that_never_speaks_holds_nothing_up() {
    let blocks: Vec<(u16, &[u64])> = vec![(0, &[3]); 200];
    assert_eq!(given(&trace(2, &blocks), 0).0.len(), 200);
}

#[test]
fn who_has_seen_enough_gets_no_more() {
    let (clocks, finished) = given(&trace(1, &[(0, &[1, 2, 3])]), 2);
    assert_eq!((clocks.len(), finished.end), (2, None));
}

#[test]
fn the_census_needs_no_payload() {
    let whole = trace(1, &[(0, &[1, 2, 3]), (0, &[4])]);
    let counted = census(&whole);
    let totals = counted.totals;
    assert_eq!((totals.events, totals.event_chunks, totals.definition_chunks), (4, 2, 1));
    assert_eq!((totals.first_clock, totals.last_clock, &counted.kinds[..]), (1, 4, &[(64, 4)][..]));
    let mut cut = whole.bytes().to_vec();
    cut.pop();
    let by_heads = census(&Trace::from_bytes(cut).unwrap());
    assert_eq!((by_heads.totals, by_heads.kinds), (counted.totals, counted.kinds));
}
