//! Makes a long trace out of a real one, for measurements: `synthesize REAL.iot -o LONG.iot --events 100000000`.
//!
//! In: a trace with a workload between marks. Out: the same with its workload many times over, until it has the
//! wanted number of events or a little more. Each copy differs as another run of the workload would: see [`copies`].
//! The same trace and numbers give the same bytes. Memory follows the real trace.

mod copies;
mod ios;
mod long;
mod numbers;
mod original;
mod renewed;

use anyhow::{Context, Result};
use clap::Parser;
use iotrace::{Session, SessionOptions};
use long::{LongTrace, LongTraceOptions};
use numbers::IoNumbers;
use original::Original;
use std::fs::File;
use std::io::BufWriter;
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
    /// Leave out functions without a stage until there are at most so many events for each I/O that concerns a disk
    #[arg(long, value_name = "N")]
    events_per_io: Option<u64>,
    /// In the middle, an fsync that waits while others run, for more than two blocks of events
    #[arg(long)]
    long_fsync: bool,
    /// In the middle, an fsync that never ends
    #[arg(long)]
    unfinished: bool,
    /// Write the numbers of the first, the middle and the last I/O, and of those fsyncs, as JSON
    #[arg(long, value_name = "FILE")]
    numbers: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let file = Session::open(&args.real, SessionOptions::default())?;
    let reading = || format!("reading the workload of {}", args.real.display());
    let mut original = Original::read(&file).with_context(reading)?;
    if let Some(events) = args.events_per_io {
        original.thin_out(events).with_context(reading)?;
    }
    let writing = || format!("writing {}", args.output.display());
    let out = BufWriter::new(File::create(&args.output).with_context(writing)?);
    let Args { events, seed, long_fsync, unfinished, .. } = args;
    let options = LongTraceOptions { events, seed, long_fsync, unfinished };
    let (_, written) = LongTrace::write(&original, &options, out).with_context(writing)?;
    if let Some(path) = &args.numbers {
        let long = Session::open(&args.output, SessionOptions::default())?;
        let text = serde_json::to_string(&IoNumbers::find(&long, written.clocks)?.named())?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{} events, {} times the workload", written.events, written.copies);
    Ok(())
}

#[cfg(test)]
mod tests;
