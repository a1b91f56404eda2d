use super::super::chunk::ChunkKind;
use super::super::columns::Columns;
use super::super::reader::{Content, Decoder, TraceFile};
use super::super::writer::TraceWriter;
use super::*;
use crate::definition::{Definition, Note, Severity};
use crate::event::Event;
use proptest::prelude::*;

/// A trace of so many blocks with two events each, and a definition.
fn trace(blocks: u64) -> Vec<u8> {
    let mut writer = TraceWriter::new(Vec::new()).unwrap();
    let note = Note { severity: Severity::Info, topic: "t".into(), text: "x".into() };
    writer.definitions(&[Definition::Note(note)]).unwrap();
    for clock in 0..blocks {
        let words = [clock; 3];
        for kind in [64, 65] {
            writer
                .event(&Event { kind, vcpu: 0, clock, context: 0, task: 0, stack: 0, words: &words })
                .unwrap();
        }
        writer.flush().unwrap();
    }
    writer.finish().unwrap()
}

/// Clocks of the events that can be read, and the account of the rest.
fn read(bytes: &[u8]) -> (Vec<u64>, Ledger) {
    let (mut clocks, mut ledger) = (Vec::new(), Ledger::default());
    let mut decoder = Decoder::new().unwrap();
    for step in Walker::new(bytes) {
        match step {
            WalkStep::Bad { offset, bytes, reason } => ledger.bad(offset, bytes, reason.to_string()),
            WalkStep::Chunk(at, chunk) => match decoder.decode(&chunk, Columns::ALL, Box::default()) {
                Err(error) => ledger.bad(at, chunk.head.length(), error.to_string()),
                Ok(content) => {
                    let events = if chunk.head.kind == ChunkKind::Events { chunk.head.count } else { 0 };
                    if let (true, Content::Events(block)) =
                        (ledger.chunk(at, &chunk.head, events.into()), content)
                    {
                        clocks.extend(block.events().map(|event| event.clock));
                    }
                }
            },
        }
    }
    (clocks, ledger)
}

fn offsets(bytes: &[u8]) -> Vec<(usize, ChunkHead)> {
    let chunks = Walker::new(bytes).map(|step| match step {
        WalkStep::Chunk(at, chunk) => (at, chunk.head),
        bad => panic!("{bad:?}"),
    });
    chunks.collect()
}

#[test]
fn a_whole_trace_is_walked_to_its_end() {
    let (clocks, ledger) = read(&trace(3));
    assert_eq!((clocks, ledger.damage(), ledger.number()), (vec![0, 0, 1, 1, 2, 2], &[][..], 6));
}

#[test]
fn a_trace_cut_anywhere_gives_its_whole_blocks() {
    let whole = trace(5);
    let mut before = 0;
    for length in FILE_HEADER..whole.len() {
        let (clocks, ledger) = read(&whole[..length]);
        assert!(ledger.damage().len() <= 1, "{length}");
        assert!(clocks.len() == before || clocks.len() == before + 2, "{length}");
        before = clocks.len();
    }
    assert_eq!(before, 10);
}

#[test]
fn every_flipped_bit_is_found_and_costs_one_chunk() {
    let whole = trace(4);
    let chunks = offsets(&whole);
    for bit in FILE_HEADER * 8..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (clocks, ledger) = read(&bytes);
        let (at, head) = chunks.iter().rfind(|(at, _)| *at <= bit / 8).unwrap();
        let [damage] = ledger.damage() else { panic!("bit {bit}: {:?}", ledger.damage()) };
        assert_eq!((damage.offset, damage.bytes), (*at, head.length()), "bit {bit}");
        let lost = if head.kind == ChunkKind::Events { 2 } else { 0 };
        assert_eq!(clocks.len(), 8 - lost, "bit {bit}");
        let last = *at == chunks.last().unwrap().0;
        assert_eq!((damage.chunks, damage.events), if last { (0, 0) } else { (1, lost as u64) }, "bit {bit}");
    }
}

#[test]
fn bytes_that_were_taken_out_or_put_in_are_told() {
    let whole = trace(4);
    let chunks = offsets(&whole);
    let (third, fourth) = (chunks[2].0, chunks[3].0);
    let without = [&whole[..third], &whole[fourth..]].concat();
    let (clocks, ledger) = read(&without);
    let [damage] = ledger.damage() else { panic!("{:?}", ledger.damage()) };
    assert_eq!((damage.offset, damage.bytes, damage.chunks, damage.events), (third, 0, 1, 2));
    assert_eq!((damage.after, damage.before, clocks.len()), (0, Some(2), 6));
    let with = [&whole[..third], b"something else", &whole[third..]].concat();
    let (clocks, ledger) = read(&with);
    let [damage] = ledger.damage() else { panic!("{:?}", ledger.damage()) };
    assert_eq!((damage.offset, damage.bytes, damage.chunks, clocks.len()), (third, 14, 0, 8));
    // In the middle of a payload: the chunk and what was put in are lost.
    let inside = fourth - 3;
    let with = [&whole[..inside], b"something else", &whole[inside..]].concat();
    let (clocks, ledger) = read(&with);
    let [damage] = ledger.damage() else { panic!("{:?}", ledger.damage()) };
    assert_eq!((damage.offset, damage.bytes, damage.events), (third, fourth - third + 14, 2));
    assert_eq!(clocks.len(), 6);
}

#[test]
fn a_chunk_that_comes_twice_is_read_once() {
    let whole = trace(3);
    let chunks = offsets(&whole);
    let (third, fourth) = (chunks[2].0, chunks[3].0);
    let twice = [&whole[..fourth], &whole[third..]].concat();
    let (clocks, ledger) = read(&twice);
    assert_eq!(clocks, [0, 0, 1, 1, 2, 2]);
    assert!(ledger.damage()[0].reason.contains("found chunk 2, expected 3"), "{:?}", ledger.damage());
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut bytes = trace(0);
    for version in [2, 5] {
        bytes[8] = version;
        let message = TraceFile::from_bytes(bytes.clone()).unwrap_err().to_string();
        assert!(message.contains(&format!("format {version}, this program reads 3 and 4")), "{message}");
    }
}

#[test]
fn the_index_says_what_the_heads_say() {
    let file = TraceFile::from_bytes(trace(3)).unwrap();
    let index = file.index().unwrap();
    let heads = offsets(file.bytes());
    let listed: Vec<_> =
        index.definitions().chain(index.events()).map(|entry| entry.offset as usize).collect();
    assert_eq!(listed, heads[..4].iter().map(|(at, _)| *at).collect::<Vec<_>>());
    assert_eq!((index.totals().events, index.totals().last_clock), (6, 2));
    assert_eq!(index.kinds().collect::<Vec<_>>(), [(64, 3), (65, 3)]);
    assert_eq!(index.offset() as usize, heads[4].0);
}

#[test]
fn landmarks_stand_in_the_file_twice() {
    let mut writer = TraceWriter::new(Vec::new()).unwrap();
    for (kind, clock) in [(64, 1), (crate::event::TASK.id, 2), (64, 3), (crate::event::MARK.id, 4)] {
        writer.event(&Event { kind, vcpu: 0, clock, context: 0, task: 0, stack: 0, words: &[1, 2] }).unwrap();
    }
    let file = TraceFile::from_bytes(writer.finish().unwrap()).unwrap();
    let kinds: Vec<_> = offsets(file.bytes()).iter().map(|(_, head)| (head.kind, head.count)).collect();
    let (events, landmarks) = ((ChunkKind::Events, 4), (ChunkKind::Landmarks, 2));
    assert_eq!(kinds, [events, landmarks, (ChunkKind::Index, 0), (ChunkKind::End, 0)]);
    assert_eq!(file.index().unwrap().landmarks().count(), 1);
}

proptest! {
    #[test]
    fn a_damaged_trace_never_panics(
        at in 0_usize..1000, bytes in proptest::collection::vec(any::<u8>(), 1..9)
    ) {
        let mut whole = trace(3);
        let at = at % (whole.len() - bytes.len());
        whole[at..at + bytes.len()].copy_from_slice(&bytes);
        read(&whole);
        if let Ok(file) = TraceFile::from_bytes(whole) {
            let _ = file.index().map(|index| index.events().count());
        }
    }
}

// Heads that are sound, each of a payload of 64 KiB that is none and that the next heads are part of.
#[test]
fn heads_whose_payloads_overlap_do_not_have_each_byte_checked_many_times() {
    let [_, (at, head), ..] = offsets(&trace(3))[..] else { panic!("it has chunks") };
    let whole = trace(3);
    let payload = vec![0; 64 << 10];
    let (_, fake) = ChunkHead { sequence: 99, ..head }.seal(&[], &payload, false);
    let fakes = (1 << 20) / fake.len();
    let mut bytes = whole[..at].to_vec();
    bytes.extend(fake.repeat(fakes));
    bytes.extend(&whole[at..]);
    // Nothing begins behind the payload of any of them.
    bytes.extend(vec![1; payload.len()]);
    let mut walker = Walker::new(&bytes);
    let steps = walker.by_ref().count();
    assert!(steps > fakes, "{steps}");
    assert!(walker.checked <= (MOST_CHECKED + 1) * bytes.len(), "{} of {}", walker.checked, bytes.len());
    assert_eq!(read(&bytes).0, [0, 0, 1, 1, 2, 2], "the real chunks are found behind them");
}
