//! Any bytes give an answer: no panic, and no more memory than a small file may cost.
//!
//! Real traces are changed at random: bits and bytes anywhere, and what is inside a chunk with its checksums made to
//! fit again, so that what lies behind them is reached. `IOTRACE_FUZZ=N` does it N times (50,000 if not given); the
//! same N does the same.

use iotrace_format::trace::FILE_HEADER;
use iotrace_format::trace::chunk::{ChunkHead, ChunkKind, RawChunk, table};
use iotrace_format::trace::reader::TraceFile;
use iotrace_format::trace::walk::WalkStep;
use iotrace_fuzz::trace::QUESTIONS;
use iotrace_fuzz::{TARGETS, guests, peak};
use iotrace_synthetic_guest::SyntheticGuest;

/// A chunk: its head, its table of kinds, its payload unpacked.
type Unpacked = (ChunkHead, Vec<(u16, u32)>, Vec<u8>);

/// A trace as chunks.
struct Seed {
    bytes: Vec<u8>,
    chunks: Vec<Unpacked>,
}

impl Seed {
    fn new(guest: &SyntheticGuest) -> Self {
        let file = TraceFile::from_bytes(guest.file()).unwrap();
        let unpacked = |chunk: RawChunk<'_>| {
            let plain = || chunk.payload.to_vec();
            let unpack = || zstd::bulk::decompress(chunk.payload, chunk.head.unpacked as usize).unwrap();
            let payload = if chunk.head.compressed() { unpack() } else { plain() };
            (chunk.head, chunk.kinds().collect(), payload)
        };
        let chunks = file.walk().map(|step| match step {
            WalkStep::Chunk(_, chunk) => unpacked(chunk),
            bad => panic!("{bad:?}"),
        });
        Self { chunks: chunks.collect(), bytes: file.bytes().to_vec() }
    }

    /// Bits and bytes changed anywhere, pieces left out, doubled or cut off.
    fn roughly(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        change(&mut bytes, random);
        bytes
    }

    /// A chunk changed inside, its checksums made to fit.
    fn inside(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.bytes[..FILE_HEADER].to_vec();
        let chosen = random.usize(..self.chunks.len());
        let pack = random.bool();
        for (at, (head, kinds, payload)) in self.chunks.iter().enumerate() {
            let (mut head, mut kinds, mut payload) = (*head, kinds.clone(), payload.clone());
            if at == chosen {
                match random.u8(..4) {
                    0 => change_head(&mut head, random),
                    1 => kinds.iter_mut().for_each(|(_, count)| *count = count.wrapping_add(random.u32(..2))),
                    _ => change(&mut payload, random),
                }
                head.unpacked = if random.u8(..8) == 0 {
                    random.u32(..) >> random.u8(..32)
                } else {
                    payload.len() as u32
                };
            }
            let may_be_packed = !matches!(head.kind, ChunkKind::Index | ChunkKind::End);
            let packed =
                if pack && may_be_packed { zstd::bulk::compress(&payload, 1).unwrap() } else { payload };
            bytes.extend(head.seal(&table(kinds), &packed, pack && may_be_packed).1);
            bytes.extend(packed);
        }
        bytes
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.usize(..bytes.len());
        let to = (at + random.usize(..64)).min(bytes.len());
        match random.u8(..7) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => bytes[at] = random.u8(..),
            2 => bytes[at..to].fill([0, 0x7f, 0x80, 0xff][random.usize(..4)]),
            3 => _ = bytes.drain(at..to),
            4 => bytes.truncate(at),
            5 => {
                let piece = bytes[at..to].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes[at..to].iter_mut().for_each(|byte| *byte = random.u8(..)),
        }
    }
}

fn change_head(head: &mut ChunkHead, random: &mut fastrand::Rng) {
    let value = [0, 1, u64::MAX, random.u64(..), random.u64(..256)][random.usize(..5)];
    match random.u8(..8) {
        0 => head.kind = ChunkKind::from_code(value as u8),
        1 => head.vcpu = value as u16,
        2 => head.sequence = value,
        3 => head.first_clock = value,
        4 => head.last_clock = value,
        5 => head.number = value,
        6 => head.count = value as u32,
        _ => head.kind = [ChunkKind::Events, ChunkKind::Landmarks, ChunkKind::Definitions][random.usize(..3)],
    }
}

#[test]
fn any_bytes_give_an_answer_in_bounded_memory() {
    let times = std::env::var("IOTRACE_FUZZ").map_or(50_000, |times| times.parse().expect("a number"));
    let seeds: Vec<_> = guests().iter().take(3).map(Seed::new).collect();
    let target = TARGETS.iter().find(|target| target.name == "trace").expect("it is one");
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..times {
        // The smallest most often: it is the fastest.
        let seed = &seeds[[0, 0, 0, 0, 0, 0, 1, 2][random.usize(..8)]];
        let bytes = if random.bool() { seed.roughly(&mut random) } else { seed.inside(&mut random) };
        let question = random.u8(..QUESTIONS as u8);
        let bytes = [&[question], &bytes[..]].concat();
        let said = std::panic::catch_unwind(|| target.run(&bytes));
        assert!(said.is_ok(), "round {round} panicked; its {} bytes: {bytes:02x?}", bytes.len());
    }
    println!("{times} files; at most {} KiB were allocated at once", peak() >> 10);
}
