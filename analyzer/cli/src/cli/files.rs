//! The commands that look at a trace as a file, or make another one of it.

use super::CUT;
use super::args::{CatArgs, Format, ReadArgs, RecoverArgs, SliceArgs, VerifyArgs};
use super::opened::Opened;
use super::run::{bar, stdout, style};
use crate::view;
use crate::view::wrap::WrapWriter;
use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use iotrace::analysis::verify;
use iotrace::reader::Trace;
use iotrace::{Session, rewrite};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Prints what is wrong with a file; the code is that of a damaged one if something is.
///
/// # Errors
/// If it is no trace, or cannot be read.
pub fn verify(reading: ReadArgs, args: &VerifyArgs) -> Result<ExitCode> {
    let file = Opened::open_damaged(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let verified = verify::verify(&file, &mut |at| bar.set_position(at as u64))
        .with_context(|| format!("reading {}", args.common.trace.display()))?;
    bar.finish_and_clear();
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::verify::write_text(&mut out, &verified, style())?,
        Format::Json => view::verify::write_json(&mut out, &verified)?,
    }
    out.flush()?;
    Ok(if verified.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(CUT) })
}

/// Writes what can be read of a file as a sound one.
///
/// # Errors
/// If nothing can be read, or the new one cannot be written.
pub fn recover(reading: ReadArgs, args: &RecoverArgs) -> Result<ExitCode> {
    let file = Opened::open_damaged(&args.trace, reading)?;
    differ(&args.trace, &args.output)?;
    let bar = bar(&file, &args.trace);
    let recovered = rewrite::recover(&file, &args.output, &mut |at| bar.set_position(at as u64))
        .with_context(|| format!("recovering {}", args.trace.display()))?;
    bar.finish_and_clear();
    let mut out = stdout();
    let mut wrapped = WrapWriter::new(&mut out, style());
    writeln!(wrapped, "wrote {} events to {}", view::text::grouped(recovered.events), args.output.display())?;
    for text in &recovered.lost {
        writeln!(wrapped, "lost: {}", view::text::plain(text))?;
    }
    if recovered.lost.is_empty() {
        writeln!(wrapped, "nothing lost")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a part of a trace.
///
/// # Errors
/// If it cannot be read or written, or has no such part.
pub fn slice(reading: ReadArgs, args: &SliceArgs) -> Result<ExitCode> {
    let Some(part) = args.part() else {
        let text = "missing selection: --clock A..B, --time A..B, --task NAME, --io N or --bio N\n";
        clap::Error::raw(ErrorKind::MissingRequiredArgument, text).exit()
    };
    let file = Opened::open(&args.trace, reading)?;
    differ(&args.trace, &args.output)?;
    let bar = bar(&file, &args.trace);
    let events = rewrite::slice(&file, &part, &args.output, &mut |at| bar.set_position(at as u64))
        .with_context(|| format!("slicing {}", args.trace.display()))?;
    bar.finish_and_clear();
    said(events, &args.output)
}

/// Writes traces one behind the other.
///
/// # Errors
/// If they do not belong together, or cannot be read or written.
pub fn cat(reading: ReadArgs, args: &CatArgs) -> Result<ExitCode> {
    let mut traces = Vec::new();
    for path in &args.traces {
        differ(path, &args.output)?;
        let file = iotrace_format::trace::reader::TraceFile::open(path)?;
        traces.push((path.clone(), Session::of(Trace::of(file, reading.threads))));
    }
    let events = rewrite::cat(&traces, &args.output, &mut |_| {})?;
    said(events, &args.output)
}

fn said(events: u64, path: &Path) -> Result<ExitCode> {
    let mut out = stdout();
    let mut wrapped = WrapWriter::new(&mut out, style());
    writeln!(wrapped, "wrote {} events to {}", view::text::grouped(events), path.display())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A trace is not written over while it is read.
fn differ(from: &Path, to: &Path) -> Result<()> {
    let same = std::fs::canonicalize(from).ok() == std::fs::canonicalize(to).ok() && to.exists();
    if same {
        bail!("{} is an input file: specify another output file with -o", to.display());
    }
    Ok(())
}
