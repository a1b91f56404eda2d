//! A trace that was opened, and what is said of it at the end.

use super::args::ReadArgs;
use crate::view::text;
use anyhow::Result;
use iotrace::reader::{Trace, census};
use iotrace::{IndexUse, Session, SessionOptions};
use iotrace_format::trace::reader::TraceFile;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A trace that is asked. When it is closed, what was read of it is told, if that is wanted.
pub struct Opened {
    path: PathBuf,
    session: Session,
    stats: bool,
}

impl Opened {
    /// Opens a trace.
    ///
    /// # Errors
    /// Those of [`TraceFile::open`].
    pub fn open(path: &Path, reading: ReadArgs) -> Result<Self> {
        let index = if reading.no_index_file { IndexUse::Temporary } else { IndexUse::Beside };
        let session = Session::open(path, SessionOptions { threads: reading.threads, index })?;
        Ok(Self { path: path.to_owned(), session, stats: reading.stats })
    }

    /// Opens a trace that may be damaged, its header too.
    ///
    /// # Errors
    /// Those of [`TraceFile::open_damaged`].
    pub fn open_damaged(path: &Path, reading: ReadArgs) -> Result<Self> {
        let trace = Trace::of(TraceFile::open_damaged(path)?, reading.threads);
        Ok(Self { path: path.to_owned(), session: Session::of(trace), stats: reading.stats })
    }
}

impl Deref for Opened {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        for message in self.session.take_messages() {
            eprintln!("iotrace-analyze: {message}");
        }
        if !self.stats {
            return;
        }
        // Before the census, which may have to touch every head of a file without an index.
        let resident = peak();
        let (read, census) = (self.session.was_read(), census(&self.session));
        let blocks = census.totals.event_chunks + census.totals.landmark_chunks;
        eprintln!(
            "iotrace-analyze: {}: {} bytes, {} read; decoded {} blocks in {} passes (file has {}), {} events; peak memory {}",
            self.path.display(),
            text::grouped(census.file),
            text::grouped(read.bytes),
            text::grouped(read.blocks),
            read.passes,
            text::grouped(blocks),
            text::grouped(read.events),
            resident.map_or_else(|| "unknown".into(), text::bytes),
        );
    }
}

/// The most memory that this process had resident, in bytes; what is mapped of files counts.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
