//! A trace that was opened, and what is said of it at the end.

use super::ReadArgs;
use super::question::style;
use super::status::Status;
use crate::view::plain::Controls;
use crate::view::wrap::WrapWriter;
use crate::view::{self, text};
use anyhow::{Result, bail};
use iotrace::reader::census;
use iotrace::{IndexMessage, IndexUse, Session, SessionOptions};
use iotrace_format::trace::reader::TraceFile;
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A trace that is asked. When it is closed, what was read of it is told, if that is wanted.
pub struct OpenedTrace {
    path: PathBuf,
    session: Session,
    stats: bool,
}

impl OpenedTrace {
    /// Opens a trace.
    ///
    /// # Errors
    /// Those of [`TraceFile::open`].
    pub fn open(path: &Path, reading: ReadArgs) -> Result<Self> {
        let index = match reading {
            ReadArgs { no_checkpoints: true, .. } => IndexUse::WithoutCheckpoints,
            ReadArgs { no_index_file: true, .. } => IndexUse::Temporary,
            _ => IndexUse::Beside,
        };
        let session = Session::open(
            path,
            SessionOptions { threads: reading.threads, index, memory: Some(reading.memory()) },
        )?;
        Ok(Self { path: path.to_owned(), session, stats: reading.stats })
    }

    /// Opens a trace that may be damaged, its header too.
    ///
    /// # Errors
    /// Those of [`TraceFile::open_damaged`].
    pub fn open_damaged(path: &Path, reading: ReadArgs) -> Result<Self> {
        let trace = reading.limited(TraceFile::open_damaged(path)?);
        Ok(Self { path: path.to_owned(), session: Session::of(trace), stats: reading.stats })
    }
}

impl OpenedTrace {
    /// Prints what there is to say about the index; whether it could not be built or kept.
    pub fn complain(&self) -> bool {
        let messages = self.session.take_messages();
        messages.iter().for_each(|message| view::terminal::complain(&message.to_string()));
        messages.iter().any(|message| matches!(message, IndexMessage::NotKept(_)))
    }
}

impl Deref for OpenedTrace {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for OpenedTrace {
    fn drop(&mut self) {
        if !self.stats {
            return;
        }
        // Before the census, which may have to touch every head of a file without an index.
        let resident = peak();
        let (read, census) = (self.session.was_read(), census(&self.session));
        let blocks = census.totals.event_chunks + census.totals.landmark_chunks;
        view::terminal::complain(&format!(
            "{}: {} bytes, {} read; decoded {} blocks in {} passes (file has {}), {} events; peak memory {}",
            self.path.display(),
            text::grouped(census.file),
            text::grouped(read.bytes),
            text::grouped(read.blocks),
            read.passes,
            text::grouped(blocks),
            text::grouped(read.events),
            resident.map_or_else(|| "unknown".into(), text::bytes),
        ));
    }
}

/// The most memory that this process had resident, in bytes; what is mapped of files counts.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// A trace is not written over while it is read.
///
/// # Errors
/// If it would be.
pub fn complain_same(from: &Path, to: &Path) -> Result<()> {
    let same = std::fs::canonicalize(from).ok() == std::fs::canonicalize(to).ok() && to.exists();
    if same {
        bail!("{} is an input file: specify another output file with -o", to.display());
    }
    Ok(())
}

/// Prints how many events a new trace has.
///
/// # Errors
/// Those of standard output.
pub fn print_written(events: u64, path: &Path) -> Result<Status> {
    let mut out = view::terminal::output(Controls::Replaced);
    let mut wrapped = WrapWriter::new(&mut out, style());
    writeln!(wrapped, "wrote {} events to {}", text::grouped(events), path.display())?;
    out.flush()?;
    Ok(Status::Success)
}
