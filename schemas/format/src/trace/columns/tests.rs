use super::*;
use crate::event::Event;
use crate::trace::chunk::{ChunkHead, ChunkKind, RawChunk, table};
use proptest::prelude::*;

fn event<'a>(kind: u16, clock: u64, words: &'a [u64]) -> Event<'a> {
    Event { kind, vcpu: 1, clock, context: kind.into(), task: clock << 20, stack: clock << 3, words }
}

/// A payload in a chunk that says what the builder said.
struct Built {
    head: Vec<u8>,
    payload: Vec<u8>,
}

impl Built {
    fn new(events: &[Event<'_>]) -> Self {
        let mut builder = BlockBuilder::default();
        events.iter().for_each(|e| builder.push(e));
        let (kinds, clocks) = (builder.kinds(), builder.clocks());
        Self::of(&kinds, clocks, events.len() as u32, builder.finish())
    }

    /// Events of these numbers.
    fn numbered(numbers: &[u64]) -> Self {
        let mut builder = BlockBuilder::default();
        numbers.iter().for_each(|number| builder.push_numbered(*number, &event(64, *number, &[])));
        let (kinds, clocks) = (builder.kinds(), builder.clocks());
        Self::of(&kinds, clocks, numbers.len() as u32, builder.finish())
    }

    /// Two events without numbers, and a column of numbers.
    fn with_gaps(gaps: &[u8]) -> Self {
        let Self { payload, .. } = Self::new(&[event(64, 5, &[]), event(64, 6, &[])]);
        let (count, rest) = payload.split_at(4);
        let (directory, columns) = rest.split_at(5 * DIRECTORY_ENTRY);
        let mut wider = (count[0] as u32 + 1).to_le_bytes().to_vec();
        wider.extend(directory);
        wider.extend([0xff, 0xff, 5, 0, gaps.len() as u8, 0, 0, 0]);
        wider.extend(columns);
        wider.extend(gaps);
        Self::of(&[(64, 2)], (5, 6), 2, wider)
    }

    fn of(kinds: &[(u16, u32)], (first_clock, last_clock): (u64, u64), count: u32, payload: Vec<u8>) -> Self {
        let (sequence, number, unpacked) = (0, 0, payload.len() as u32);
        let (kind, flags, vcpu) = (ChunkKind::Events, 0, 1);
        let (table_bytes, stored, checksum) = (0, 0, 0);
        let head = ChunkHead {
            kind,
            flags,
            vcpu,
            sequence,
            first_clock,
            last_clock,
            number,
            count,
            table: table_bytes,
            stored,
            unpacked,
            checksum,
        };
        let (_, mut bytes) = head.seal(&table(kinds.iter().copied()), &payload, false);
        bytes.extend(&payload);
        Self { head: bytes, payload }
    }

    fn decode(&self, wanted: Columns) -> Result<EventBlock, ColumnError> {
        let mut block = EventBlock::default();
        block.decode(&RawChunk::open(&self.head).unwrap(), &self.payload, wanted).map(|()| block)
    }
}

#[test]
fn events_survive_the_way_to_columns_and_back() {
    let events = [event(64, 5, &[1, 2]), event(2, 5, &[]), event(64, 900, &[3, u64::MAX])];
    let block = Built::new(&events).decode(Columns::ALL).unwrap();
    assert_eq!(block.events().collect::<Vec<_>>(), events);
    let of_kind: Vec<_> = block.of_kind().iter().map(|k| (k.kind, k.count, k.words)).collect();
    assert_eq!(of_kind, [(2, 1, 0), (64, 2, 2)]);
}

#[test]
fn the_last_event_type_survives_the_way_to_columns_and_back() {
    // In a block of as many events as there are types, types are counted another way.
    for count in [1, MAX_EVENTS] {
        let events = vec![event(KindId::MAX, 5, &[]); count];
        let block = Built::new(&events).decode(Columns::ALL).unwrap();
        let of_kind: Vec<_> = block.of_kind().iter().map(|k| (k.kind, k.count)).collect();
        assert_eq!(of_kind, [(KindId::MAX, count as u32)]);
    }
}

#[test]
fn numbers_survive_the_way_to_columns_and_back() {
    for numbers in [&[1, 2, 3][..], &[5, 6, 7], &[5, 6, 9, 10, 400], &[1, 1 << 40]] {
        let block = Built::numbered(numbers).decode(Columns::ALL).unwrap();
        let found: Vec<_> = (0..numbers.len()).map(|at| block.number(at)).collect();
        assert_eq!(found, numbers.iter().map(|number| Some(*number)).collect::<Vec<_>>());
        assert_eq!(block.unknown_columns(), 0);
    }
    // One that does not ascend is the next one.
    let block = Built::numbered(&[5, 5, 3, 8]).decode(Columns::ALL).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|at| block.number(at)), [Some(5), Some(6), Some(7), Some(8), None]);
    // Without numbers they are those of the places in the file.
    let block = Built::new(&[event(64, 5, &[])]).decode(Columns::ALL).unwrap();
    assert_eq!(block.number(0), None);
    // Where none is left out it takes no bytes.
    let lengths = [&[1, 2, 3][..], &[1, 2, 4]].map(|numbers| Built::numbered(numbers).payload.len());
    assert_eq!(lengths[0] + 2, lengths[1]);
}

#[test]
fn malformed_numbers_are_told() {
    let found = |gaps: &[u8]| {
        let block = Built::with_gaps(gaps).decode(Columns::ALL)?;
        Ok([0, 1].map(|at| block.number(at)))
    };
    assert_eq!(found(&[]), Ok([Some(1), Some(2)]));
    assert_eq!(found(&[1, 7]), Ok([Some(1), Some(9)]));
    assert_eq!(found(&[0, 1, 0, 1]), Ok([Some(3), Some(4)]));
    let malformed = Err(ColumnError::Number { count: 2 });
    // Behind more events than there are; half a gap; beyond the largest number.
    let largest = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for gaps in [&[3, 1][..], &[1, 1, 2, 1], &[1], &[0x80], &largest] {
        assert_eq!(found(gaps), malformed, "{gaps:?}");
    }
}

#[test]
fn what_is_not_wanted_is_not_decoded() {
    let events = [event(64, 5, &[1, 2]), event(2, 6, &[])];
    let block = Built::new(&events).decode(Columns { common: false, words: true }).unwrap();
    let found: Vec<_> = block.events().map(|e| (e.kind, e.clock, e.task, e.words.to_vec())).collect();
    assert_eq!(found, [(64, 5, 0, vec![1, 2]), (2, 6, 0, vec![])]);
    let block = Built::new(&events).decode(Columns { common: true, words: false }).unwrap();
    assert_eq!(block.get(0).unwrap(), Event { words: &[], ..events[0] });
}

#[test]
fn a_block_takes_the_place_of_another() {
    let (many, few) = ([event(700, 5, &[1, 2, 3]); 9], [event(64, 7, &[9])]);
    let mut block = Built::new(&many).decode(Columns::ALL).unwrap();
    let built = Built::new(&few);
    block.decode(&RawChunk::open(&built.head).unwrap(), &built.payload, Columns::ALL).unwrap();
    assert_eq!(block.events().collect::<Vec<_>>(), few);
}

#[test]
fn a_word_that_came_later_is_zero_before() {
    let events = [event(64, 5, &[]), event(64, 6, &[4]), event(64, 7, &[])];
    let block = Built::new(&events).decode(Columns::ALL).unwrap();
    let words: Vec<_> = block.events().map(|e| e.words.to_vec()).collect();
    assert_eq!(words, [[0], [4], [0]]);
}

#[test]
fn columns_of_unknown_numbers_are_skipped_and_counted() {
    let events = [event(64, 5, &[1]), event(2, 6, &[])];
    let Built { payload, .. } = Built::new(&events);
    // One column more, of all events, with three bytes: behind the five that are known.
    let known = 5 * DIRECTORY_ENTRY;
    let (count, rest) = payload.split_at(4);
    let (directory, columns) = rest.split_at(known + DIRECTORY_ENTRY);
    let mut wider = (count[0] as u32 + 1).to_le_bytes().to_vec();
    wider.extend(directory);
    wider.extend([0xff, 0xff, 9, 0, 3, 0, 0, 0]);
    wider.extend(columns);
    wider.extend(*b"new");
    let built = Built::of(&[(2, 1), (64, 1)], (5, 6), 2, wider);
    let block = built.decode(Columns::ALL).unwrap();
    assert_eq!((block.events().collect::<Vec<_>>(), block.unknown_columns()), (events.to_vec(), 1));
}

#[test]
fn a_head_that_counts_otherwise_is_told() {
    let Built { payload, .. } = Built::new(&[event(64, 5, &[1]), event(64, 6, &[2])]);
    let built = |kinds: &[(u16, u32)], clocks, count| Built::of(kinds, clocks, count, payload.clone());
    let error = |built: Built| built.decode(Columns::ALL).unwrap_err();
    assert_eq!(
        error(built(&[(64, 3)], (5, 6), 3)),
        ColumnError::Values { kind: COMMON, column: KIND, expected: 3 }
    );
    assert_eq!(
        error(built(&[(64, 1), (65, 1)], (5, 6), 2)),
        ColumnError::Count { kind: 64, found: 2, expected: 1 }
    );
    assert_eq!(
        error(built(&[(64, 2), (65, 1)], (5, 6), 2)),
        ColumnError::Count { kind: 65, found: 0, expected: 1 }
    );
    assert_eq!(error(built(&[(64, 2)], (5, 7), 2)), ColumnError::Clock { first: 5, last: 7 });
    let clocks = |last| Built::new(&[event(64, last - 1, &[]), event(64, last, &[])]);
    let late = clocks(MAX_CLOCK + 1);
    assert_eq!(error(late), ColumnError::Clock { first: MAX_CLOCK, last: MAX_CLOCK + 1 });
    let bytes = payload.len();
    assert_eq!(
        error(built(&[(64, 2)], (5, 6), u32::MAX)),
        ColumnError::TooMany { count: u32::MAX as usize, bytes }
    );
}

proptest! {
    #[test]
    fn any_events_survive(
        rows in proptest::collection::vec((0_u16..5, 0_u64..1 << 40, any::<[u64; 4]>()), 1..200)
    ) {
        let mut clock = 0;
        let mut expected = Vec::new();
        for (kind, delta, words) in &rows {
            clock += delta;
            expected.push(event(*kind, clock, &words[..usize::from(*kind)]));
        }
        let block = Built::new(&expected).decode(Columns::ALL).unwrap();
        prop_assert_eq!(block.events().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn any_bytes_give_an_answer(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0_u32..20
    ) {
        let _ = Built::of(&[(64, count)], (0, 9), count, bytes).decode(Columns::ALL);
    }
}

#[test]
fn a_block_that_is_used_again_has_nothing_of_what_was_in_it() {
    let high = [event(65534, 1, &[1, 2, 3]), event(64, 2, &[4])];
    let many: Vec<_> = (0..300).map(|clock| event(clock as u16 % 90, clock, &[])).collect();
    let mut block = EventBlock::default();
    for events in [&high[..], &many, &high[..1], &[], &many, &high] {
        for wanted in [Columns::ALL, Columns { common: true, words: false }] {
            let built = Built::new(events);
            block.decode(&RawChunk::open(&built.head).unwrap(), &built.payload, wanted).unwrap();
            let seen = |event: &Event<'_>| (event.kind, event.clock, event.words.len());
            let words = |event: &Event<'_>| if wanted.words { event.words.len() } else { 0 };
            let expected: Vec<_> =
                events.iter().map(|event| (event.kind, event.clock, words(event))).collect();
            assert_eq!(block.events().map(|event| seen(&event)).collect::<Vec<_>>(), expected);
            let kinds: std::collections::BTreeSet<_> = events.iter().map(|event| event.kind).collect();
            assert!(block.of_kind().iter().map(|of_kind| of_kind.kind).eq(kinds));
        }
    }
}
