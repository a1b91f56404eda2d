//! A trace that is asked: one pass over it feeds any number of observers.
//!
//! In: a trace. Out: calls to each [`Observer`]: definitions, events, and what the [`Trackers`] find. The session owns
//! the trackers, the names of tasks and the map from clocks to virtual time of each pass, so that no analysis has its
//! own. Times of the whole trace are read once, from its landmarks.
//!
//! What is asked of one I/O or bio needs an index (see [`crate::index`]): the first pass over the whole trace builds it,
//! whatever it is made for. It is kept beside the trace for later sessions; where that is not possible, in a temporary
//! file.

mod pass;

pub use pass::{Observer, Pass, PassEnd};

use crate::analysis::events::{TraceTimes, times};
use crate::analysis::subject::Wanted;
use crate::index::{IndexError, Located, SessionIndex, SessionIndexBuilder, TraceIdentity, index_path};
use crate::model::IoId;
use crate::reader::{MemoryLimit, ReadWindow, Trace, read, read_window};
use iotrace_format::new_file;
use iotrace_format::trace::reader::{ReadError, TraceFile};
use pass::{Observers, RunningPass};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Reports the bytes of the file that were read so far.
pub type Progress<'a> = &'a mut dyn FnMut(usize);

/// What becomes of the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexUse {
    /// It is kept beside the trace, and used from there.
    #[default]
    Beside,
    /// It is kept while the session lasts.
    Temporary,
    /// The same, but every question reads the trace from its beginning.
    WithoutCheckpoints,
}

/// How a session is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionOptions {
    /// Threads to decode with; as many as the machine has CPUs if none are given.
    pub threads: Option<usize>,
    /// What becomes of the index.
    pub index: IndexUse,
    /// How much memory the program may use; none for any.
    pub memory: Option<MemoryLimit>,
}

/// Why a question about an I/O or a bio has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The trace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index can be neither read nor made.
    #[error("cannot make the index (TMPDIR names the folder for temporary files): {0}")]
    Index(IndexError),
}

/// Something to print about the index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexMessage {
    /// The one beside the trace is missing, stale or damaged, and is rebuilt.
    #[error("{0}")]
    Rebuilt(String),
    /// It could not be built, or not be written beside the trace.
    #[error("{0}")]
    NotKept(String),
}

/// An open trace and what is kept of it between questions.
#[derive(Debug)]
pub struct Session {
    trace: Trace,
    /// Where the trace is; none of one in memory.
    path: Option<PathBuf>,
    index_use: IndexUse,
    times: OnceLock<TraceTimes>,
    identity: OnceLock<TraceIdentity>,
    index: Mutex<Option<Arc<SessionIndex>>>,
    messages: Mutex<Vec<IndexMessage>>,
}

impl Session {
    /// Opens a trace.
    ///
    /// # Errors
    /// Those of [`TraceFile::open`].
    pub fn open(path: &Path, options: SessionOptions) -> Result<Self, ReadError> {
        let trace = Trace::open(path, options.threads)?.limited(options.memory);
        Ok(Self { path: Some(path.to_owned()), index_use: options.index, ..Self::of(trace) })
    }

    /// A session over a trace in memory, with one thread.
    ///
    /// # Errors
    /// Those of [`TraceFile::from_bytes`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ReadError> {
        Ok(Self::of(Trace::of(TraceFile::from_bytes(bytes)?, Some(1))))
    }

    /// A session over a trace that is already open; its index is temporary.
    #[must_use]
    pub fn of(trace: Trace) -> Self {
        Self {
            trace,
            path: None,
            index_use: IndexUse::Temporary,
            times: OnceLock::new(),
            identity: OnceLock::new(),
            index: Mutex::new(None),
            messages: Mutex::new(Vec::new()),
        }
    }

    /// What there is to say about the index since the last time: why it was not used, or not kept.
    pub fn take_messages(&self) -> Vec<IndexMessage> {
        std::mem::take(&mut self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Virtual time and marks of the whole trace.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn times(&self) -> Result<&TraceTimes, ReadError> {
        if let Some(times) = self.times.get() {
            return Ok(times);
        }
        let read = times(&self.trace)?;
        Ok(self.times.get_or_init(|| read))
    }

    /// Reads the whole trace, or up to where all observers are complete. Builds the index on the way if there is none.
    ///
    /// # Errors
    /// [`ReadError`]. A trace that was cut or is damaged is no error.
    pub fn run(
        &self,
        observers: &mut [&mut dyn Observer],
        progress: Progress<'_>,
    ) -> Result<PassEnd, ReadError> {
        // Whoever needs the index is told if it cannot be built.
        let builder = self.open_index().is_none().then(|| self.builder().ok()).flatten();
        Ok(self.pass(observers, builder, progress)?.0)
    }

    /// Makes sure that there is an index: builds it if it is missing or does not fit.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn build_index(&self, progress: Progress<'_>) -> Result<(), SessionError> {
        self.object_index(progress).map(|_| ())
    }

    /// The slowest I/Os of the workload that concern a disk, by number, the slowest first: at most 16.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn slowest(&self, progress: Progress<'_>) -> Result<Vec<IoId>, SessionError> {
        Ok(self.object_index(progress)?.slowest().to_vec())
    }

    /// What could not be read of the whole trace, for people.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn lost(&self, progress: Progress<'_>) -> Result<Option<String>, SessionError> {
        Ok(self.object_index(progress)?.lost().map(str::to_owned))
    }

    /// Where something is; none if the trace does not have it.
    pub(crate) fn locate(
        &self,
        wanted: &Wanted,
        progress: Progress<'_>,
    ) -> Result<Option<Located>, SessionError> {
        match self.object_index(progress)?.locate(wanted) {
            Ok(located) => Ok(located),
            Err(error) => {
                self.discard_index(&error);
                self.object_index(progress)?.locate(wanted).map_err(SessionError::Index)
            }
        }
    }

    /// Reads the part of the trace between two clocks, in instructions; further where observers are not complete. They
    /// see what they would see if they saw the whole trace, but for calls and objects that were over before.
    pub(crate) fn run_window(
        &self,
        (from, until): (u64, u64),
        observers: &mut [&mut dyn Observer],
        progress: Progress<'_>,
    ) -> Result<PassEnd, SessionError> {
        let index = self.object_index(progress)?;
        let usable = self.index_use != IndexUse::WithoutCheckpoints;
        let checkpoint = if usable { index.checkpoint(from) } else { Ok(None) };
        let checkpoint = checkpoint.unwrap_or_else(|error| {
            self.discard_index(&error);
            None
        });
        let Some((checkpoint, offset)) = checkpoint else {
            return Ok(self.pass(observers, None, progress)?.0);
        };
        let mut running = RunningPass::resume(checkpoint, Observers::new(observers, None));
        let finished = read_window(&self.trace, ReadWindow { offset, until }, &mut running, progress)?;
        Ok(running.finish(finished).0)
    }

    /// Reads the trace from its beginning.
    fn pass(
        &self,
        observers: &mut [&mut dyn Observer],
        builder: Option<SessionIndexBuilder>,
        progress: Progress<'_>,
    ) -> Result<(PassEnd, Option<Arc<SessionIndex>>), ReadError> {
        let mut running = RunningPass::new(Observers::new(observers, builder));
        let finished = read(&self.trace, &mut running, progress)?;
        let (end, builder) = running.finish(finished);
        let built = builder.map(|builder| builder.finish(&end.pass, end.finished.lost()));
        let index = match built.transpose() {
            Ok(index) => index.map(|index| self.keep(index)),
            Err(error) => {
                self.say(IndexMessage::NotKept(format!("no index: {error}")));
                None
            }
        };
        Ok((end, index))
    }

    /// The index; built if there is none that fits.
    pub(crate) fn object_index(&self, progress: Progress<'_>) -> Result<Arc<SessionIndex>, SessionError> {
        if let Some(index) = self.open_index() {
            return Ok(index);
        }
        let builder = self.builder().map_err(|error| SessionError::Index(error.into()))?;
        let (_, index) = self.pass(&mut [], Some(builder), progress)?;
        let failed = || SessionError::Index(IndexError::Io(std::io::Error::other("it could not be built")));
        index.ok_or_else(failed)
    }

    /// The index that is open already, or that is beside the trace.
    fn open_index(&self) -> Option<Arc<SessionIndex>> {
        let mut open = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(path), IndexUse::Beside) = (&*open, &self.path, self.index_use) {
            let path = index_path(path);
            let whole = self.trace.index().filter(|_| !self.trace.is_part());
            let events = whole.map(|index| index.totals().events);
            match SessionIndex::open(&path, self.identity(), events) {
                Ok(index) => *open = Some(Arc::new(index)),
                Err(IndexError::Missing) => {}
                Err(error) => self.say_rebuilt(&path, &error),
            }
        }
        open.clone()
    }

    fn builder(&self) -> std::io::Result<SessionIndexBuilder> {
        let blocks = self.trace.index().map_or(0, |index| index.totals().event_chunks);
        SessionIndexBuilder::new(self.identity(), blocks, !self.trace.is_part())
    }

    /// What the trace is recognized by: its length and the checksums of its blocks. Copies have the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.identity().0
    }

    /// What the index of the trace is recognized by; read once.
    fn identity(&self) -> TraceIdentity {
        *self.identity.get_or_init(|| TraceIdentity::of(&self.trace))
    }

    /// Keeps an index that was built, beside the trace if that is wanted and possible.
    fn keep(&self, mut index: SessionIndex) -> Arc<SessionIndex> {
        if let (Some(path), IndexUse::Beside) = (&self.path, self.index_use) {
            let path = index_path(path);
            if let Err(error) = index.write(&path) {
                let advice =
                    new_file::advice(&error).map_or_else(String::new, |advice| format!("; {advice}"));
                let message = format!("cannot keep the index as {}: {error}{advice}", path.display());
                self.say(IndexMessage::NotKept(message));
            }
        }
        let index = Arc::new(index);
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&index));
        index
    }

    /// An index that turned out to be damaged: it is not used any more, and not opened again.
    fn discard_index(&self, error: &IndexError) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(path) = self.path.as_deref().filter(|_| self.index_use == IndexUse::Beside) {
            let path = index_path(path);
            self.say_rebuilt(&path, error);
            // If it cannot be removed it cannot be written either, and is found damaged again.
            let _ = std::fs::remove_file(path);
        }
    }

    fn say_rebuilt(&self, path: &Path, error: &IndexError) {
        self.say(IndexMessage::Rebuilt(format!("{}: {error}; it is rebuilt", path.display())));
    }

    fn say(&self, message: IndexMessage) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

impl Deref for Session {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.trace
    }
}
