//! Makes a long trace out of a real one, for measurements: `synthesize REAL.iot -o LONG.iot --events 100000000`.
//!
//! In: a trace with a workload between marks. Out: the same with its workload many times over, until it has the
//! wanted number of events or a little more. Each copy differs as another run of the workload would: see [`copies`].
//! The same trace and numbers give the same bytes. Memory follows the real trace.

mod copies;
mod original;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use copies::Copies;
use iotrace::reader::Trace;
use iotrace_format::event::MAX_WORDS;
use iotrace_format::trace::writer::{TraceWriter, WriteError};
use original::{Original, Recorded};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Makes a long trace out of a real one.
#[derive(Debug, Parser)]
struct Args {
    /// A trace with a workload between marks
    #[arg(value_name = "REAL")]
    real: PathBuf,
    /// The trace to write
    #[arg(short, long, value_name = "LONG")]
    output: PathBuf,
    /// At least so many events
    #[arg(long, value_name = "N")]
    events: u64,
    /// Another number gives another trace
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let file = Trace::open(&args.real, None)?;
    let original =
        Original::read(&file).with_context(|| format!("reading the workload of {}", args.real.display()))?;
    let writing = || format!("writing {}", args.output.display());
    let out = File::create(&args.output).with_context(writing)?;
    let (_, written, copies) =
        write(&original, args.events, args.seed, BufWriter::new(out)).with_context(writing)?;
    println!("{written} events, {copies} times the workload");
    Ok(())
}

/// Writes the long trace; returns the events and the copies of the workload in it.
fn write<W: Write>(original: &Original, events: u64, seed: u64, out: W) -> Result<(W, u64, u64)> {
    let [head, section, tail] = [&original.head, &original.section, &original.tail].map(|e| e.len() as u64);
    ensure!(section > 0, "nothing happens between the marks");
    let copies = events.saturating_sub(head + tail).div_ceil(section).max(1);
    let mut trace = TraceWriter::new(out)?;
    trace.definitions(&original.definitions)?;
    original.head.iter().try_for_each(|event| trace.event(&event.event()))?;
    let mut moves = Copies::new(original, seed);
    for _ in 0..copies {
        moves.next_copy();
        original.section.iter().try_for_each(|event| add(&mut trace, &mut moves, event))?;
    }
    original.tail.iter().try_for_each(|event| add(&mut trace, &mut moves, event))?;
    let written = trace.events();
    Ok((trace.finish()?, written, copies))
}

fn add<W: Write>(trace: &mut TraceWriter<W>, moves: &mut Copies, event: &Recorded) -> Result<(), WriteError> {
    let (mut words, length) = ([0; MAX_WORDS], event.words.len());
    trace.event(&moves.moved(event, &mut words[..length]))
}

#[cfg(test)]
mod tests;
