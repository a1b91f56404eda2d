//! What a block costs to make and to read: 65,536 events, shaped as those of a real guest are.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iotrace_format::event::Event;
use iotrace_format::trace::chunk::{ChunkKind, RawChunk};
use iotrace_format::trace::columns::{BlockBuilder, Columns, EventBlock};
use iotrace_format::trace::reader::{Decoder, TraceFile};
use iotrace_format::trace::walk::WalkStep;
use iotrace_format::trace::writer::TraceWriter;
use std::hint::black_box;

const EVENTS: usize = 1 << 16;

/// Calls that nest and return, each function with pointers of its own, in a few tasks that take turns.
fn events() -> Vec<(u16, u64, u64, u64, Vec<u64>)> {
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let (mut clock, mut depth) = (1 << 32, 0_u64);
    let event = |_| {
        clock += [3, 17, 60, 200, 900][next(5) as usize] + next(4);
        depth = if next(2) == 0 { depth + 1 } else { depth.saturating_sub(1) };
        let task = 0xffff_8880_0000_0000 + ((clock >> 18) % 5) * 0x4e00;
        let kind = 64 + (next(30) * next(30)) as u16;
        let words = (0..u64::from(kind % 4)).map(|word| match word {
            0 => 0xffff_ffff_8100_0000 + u64::from(kind) * 977,
            1 => 0xffff_8881_0000_0000 + next(6) * 0x180,
            _ => next(4),
        });
        (kind, clock, task, task + 0x3f00 - depth * 0x50, words.collect())
    };
    (0..EVENTS).map(event).collect()
}

fn codec(c: &mut Criterion) {
    let events = events();
    let each = |give: &mut dyn FnMut(&Event<'_>)| {
        for (kind, clock, task, stack, words) in &events {
            let (kind, clock, task, stack) = (*kind, *clock, *task, *stack);
            give(&Event { kind, vcpu: 0, clock, context: 0, task, stack, words });
        }
    };
    let write = || {
        let mut writer = TraceWriter::new(Vec::new()).expect("memory is written");
        each(&mut |event| writer.event(event).expect("memory is written"));
        writer.finish().expect("memory is written")
    };
    let file = TraceFile::from_bytes(write()).expect("it is a trace");
    let chunk = file.walk().find_map(|step| match step {
        WalkStep::Chunk(_, chunk) if chunk.head.kind == ChunkKind::Events => Some(chunk),
        _ => None,
    });
    let chunk: RawChunk<'_> = chunk.expect("a block");
    let mut group = c.benchmark_group("block");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("events to columns", |b| {
        let mut builder = BlockBuilder::default();
        b.iter(|| {
            each(&mut |event| builder.push(event));
            black_box(builder.finish())
        });
    });
    group.bench_function("events to a trace", |b| b.iter(|| black_box(write())));
    for (name, wanted) in [
        ("a chunk to events", Columns::ALL),
        ("a chunk to kinds, clocks and words", Columns { common: false, words: true }),
        ("a chunk to kinds and clocks", Columns { common: false, words: false }),
    ] {
        group.bench_function(name, |b| {
            let mut decoder = Decoder::new().expect("there is memory");
            b.iter(|| {
                black_box(decoder.decode(&chunk, wanted, Box::<EventBlock>::default()).expect("it is sound"))
            });
        });
    }
    group.bench_function("checksums of a chunk", |b| b.iter(|| black_box(chunk.check())));
    group.finish();
    println!("{} events in {} bytes", EVENTS, file.bytes().len());
}

criterion_group!(benches, codec);
criterion_main!(benches);
