//! What the trackers cost, a whole report from a file, and a comparison of two: on a direct write with all its contexts,
//! many times over.

#![allow(missing_docs)] // the macros' functions

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use iotrace::Session;
use iotrace::analysis::diff::{compare, gather};
use iotrace::analysis::report::{ReportQuery, report};
use iotrace::trackers::{Sink, Trackers};
use iotrace_synthetic_guest::{SyntheticGuest, direct_write};
use std::hint::black_box;

/// Times that the write is done.
const TIMES: u64 = 1000;
/// Events in a block, about as many as the plugin puts into one.
const BLOCK: usize = 16_384;

struct Nobody;

impl Sink for Nobody {}

/// The write over and over: the clocks go on.
fn many() -> SyntheticGuest {
    let mut guest = direct_write();
    let once = guest.events.clone();
    let length = once.last().map_or(0, |event| event.clock);
    for number in 1..TIMES {
        guest.events.extend(once.iter().cloned().map(|mut event| {
            event.clock += number * length;
            event
        }));
    }
    guest
}

fn trackers(criterion: &mut Criterion) {
    let guest = many();
    let mut group = criterion.benchmark_group("trackers");
    group.throughput(Throughput::Elements(guest.events.len() as u64));
    group.bench_function("events", |bench| {
        let defined = || {
            let mut trackers = Trackers::default();
            guest.definitions.iter().for_each(|definition| trackers.define(definition));
            trackers
        };
        bench.iter_batched_ref(
            defined,
            |trackers| guest.events.iter().for_each(|event| trackers.event(&event.event(), &mut Nobody)),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn whole_report(criterion: &mut Criterion) {
    let guest = many();
    let file = Session::from_bytes(guest.file_in_blocks(BLOCK)).expect("the trace is sound");
    let mut group = criterion.benchmark_group("report");
    group.throughput(Throughput::Elements(guest.events.len() as u64));
    group.sample_size(20);
    let question = ReportQuery { rows: 0, ..ReportQuery::default() };
    group.bench_function("summary", |bench| {
        bench.iter(|| black_box(report(&file, &question, &mut |_| {}).expect("the trace is sound")));
    });
    group.finish();
}

fn comparison(criterion: &mut Criterion) {
    let guest = many();
    let file = Session::from_bytes(guest.file_in_blocks(BLOCK)).expect("the trace is sound");
    let compared = || {
        let run = || gather(&file, &mut |_| {}).expect("the trace is sound");
        compare(vec![(run(), run())], ["a", "b"])
    };
    let found = compared();
    assert!(found.equal && found.classes.iter().any(|class| class.pairs > 0), "there is nothing to compare");
    let mut group = criterion.benchmark_group("diff");
    group.throughput(Throughput::Elements(2 * guest.events.len() as u64));
    group.sample_size(20);
    group.bench_function("a trace with itself", |bench| bench.iter(|| black_box(compared())));
    group.finish();
}

criterion_group!(benches, trackers, whole_report, comparison);
criterion_main!(benches);
