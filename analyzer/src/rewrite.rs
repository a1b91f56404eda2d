//! Traces made out of traces. Each goes the one way: events of a reader, into a writer. They keep their numbers, but for those
//! behind events that are inserted.
//!
//! - [`recover`]: what can be read of a damaged file, as a sound one.
//! - [`mod@slice`]: a part of a trace, by time, task or I/O.
//! - [`cat`]: several parts of one recording, one behind the other.
//! - [`inject`]: a trace with answers to questions as further events.

mod cat;
mod inject;
mod numbers;
mod recover;
mod slice;

pub use cat::cat;
pub use inject::{Answer, Injected, inject};
pub use recover::{Recovered, recover};
pub use slice::{SliceSelection, slice};

use crate::analysis::conditions::NoVirtualTime;
use crate::session::SessionError;
use iotrace_format::definition::{Definition, Note, Severity};
use iotrace_format::event::Event;
use iotrace_format::new_file::NewFile;
use iotrace_format::trace::reader::ReadError;
use iotrace_format::trace::writer::{TraceWriter, WriteError};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Why no trace was made.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// A trace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A trace or its index cannot be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The new one cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The new trace.
        path: PathBuf,
        /// What is in the way.
        source: WriteError,
    },
    /// A window of virtual time was asked for, and the trace has none.
    #[error(transparent)]
    Time(#[from] NoVirtualTime),
    /// What was asked for is not in the trace.
    #[error("no {what} in the trace")]
    Nothing {
        /// What was asked for.
        what: String,
    },
    /// An answer cannot be an event.
    #[error("answer {number} ({place}), {part}: {reason}")]
    Answer {
        /// Which one, from 1.
        number: usize,
        /// Its place.
        place: String,
        /// What of it.
        part: String,
        /// What is in the way.
        reason: String,
    },
    /// Answers need more types of events than there are numbers for.
    #[error(
        "the answers are of {needed} event types (by place, fields and callers); the trace has room for {free}"
    )]
    EventTypes {
        /// How many they need.
        needed: usize,
        /// How many there may be.
        free: usize,
    },
    /// Traces are not parts of one recording.
    #[error("{path} does not follow {before}: {reason}")]
    Apart {
        /// The trace.
        path: PathBuf,
        /// The one before it.
        before: PathBuf,
        /// What is different.
        reason: String,
    },
}

/// Whether a definition states what is true of one part alone.
fn is_of_part(definition: &Definition) -> bool {
    matches!(definition, Definition::Numbers(_) | Definition::HandOff(_) | Definition::Begin(_))
}

/// A new trace, and how it fares. It gets its name when it comes to its end.
struct Output {
    path: PathBuf,
    trace: TraceWriter<BufWriter<NewFile>>,
    /// Its events are numbered from 1 and leave none out, as those of a whole trace.
    is_whole: bool,
    failed: Option<WriteError>,
}

impl Output {
    /// Begins a part.
    fn create(path: &Path) -> Result<Self, RewriteError> {
        Self::begin(path, false)
    }

    fn begin(path: &Path, is_whole: bool) -> Result<Self, RewriteError> {
        let failed = |source| RewriteError::Write { path: path.to_owned(), source };
        let file = BufWriter::new(NewFile::create(path).map_err(|e| failed(e.into()))?);
        let trace = if is_whole { TraceWriter::new(file) } else { TraceWriter::part(file) };
        Ok(Self { path: path.to_owned(), trace: trace.map_err(failed)?, is_whole, failed: None })
    }

    /// Adds a definition.
    fn define(&mut self, definition: &Definition) {
        self.attempt(|trace| trace.definitions(std::slice::from_ref(definition)));
    }

    /// Adds an event with the number that it has in the whole.
    fn event(&mut self, number: u64, event: &Event<'_>) {
        let is_whole = self.is_whole;
        self.attempt(|trace| if is_whole { trace.event(event) } else { trace.numbered_event(number, event) });
    }

    /// Adds a note about how it was made.
    fn note(&mut self, severity: Severity, topic: &str, text: String) {
        self.define(&Definition::Note(Note { severity, topic: topic.into(), text }));
    }

    fn attempt(
        &mut self,
        write: impl FnOnce(&mut TraceWriter<BufWriter<NewFile>>) -> Result<(), WriteError>,
    ) {
        if self.failed.is_none() {
            self.failed = write(&mut self.trace).err();
        }
    }

    /// Ends it; returns how many events are in it.
    fn finish(mut self) -> Result<u64, RewriteError> {
        let failed = |source| RewriteError::Write { path: self.path.clone(), source };
        if let Some(error) = self.failed.take() {
            return Err(failed(error));
        }
        let events = self.trace.events();
        let written = self.trace.finish().map_err(failed)?;
        let file = written.into_inner().map_err(|error| failed(error.into_error().into()))?;
        file.keep().map_err(|error| failed(error.into()))?;
        Ok(events)
    }
}

#[cfg(test)]
mod tests;
