//! What is known of a guest at a moment, in a file: a tracer that begins there goes on as one that began with the guest.
//!
//! In: the tracer's tables when QEMU ends at that moment. Out: the same tables in another QEMU, which has loaded a
//! snapshot of that moment; and a [`TracePrefix`], which is what the trace up to there has to say about what comes
//! later.

use crate::pending::{SavedCalls, address_bits};
use crate::record::{LastRecord, SavedAddresses};
use bincode::{Decode, Encode};
use iotrace_format::definition::{At, Definition, Module, Probe};
use iotrace_format::event::{Event, KindId, MARK, is_landmark};
use iotrace_format::trace::columns::{Columns, EventBlock};
use iotrace_format::trace::reader::{Content, Decoder, ReadError, TraceFile};
use iotrace_format::trace::walk::WalkStep;
use iotrace_kernel::SymbolTable;
use iotrace_profile::sealed::{self, Magic, SealedError};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

const MAGIC: Magic = *b"iotstat\x01";
/// Names of the files in a folder to resume from.
const STATE: &str = "state";
const TRACE: &str = "trace.iot";

/// Why a state cannot be saved or used.
#[derive(Debug, Error)]
pub enum StateError {
    /// The file system, on writing.
    #[error("cannot write the state {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system, on reading.
    #[error("cannot resume from the state {}: {source}; save it again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state is damaged or of another version.
    #[error("cannot resume from the state {}: {source}; save it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SealedError,
    },
    /// The trace up to the state cannot be read.
    #[error(transparent)]
    Trace(#[from] ReadError),
    /// The trace up to the state ends too early.
    #[error("cannot resume from the trace {}: it is incomplete; record it again", path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
    },
    /// A panic of another thread has left the tables as they may not be.
    #[error("cannot save the state: tracing stopped by an error")]
    Broken,
    /// The profile has no checksum.
    #[error("cannot save the state: the kernel profile cannot be encoded: {source}")]
    Profile {
        /// What the encoder said.
        source: io::Error,
    },
}

/// A module that is loaded.
#[derive(Debug, Encode, Decode)]
pub struct SavedModule {
    /// As the trace defines it.
    pub module: Module,
    /// Its functions, at their addresses in the guest.
    pub functions: SymbolTable,
}

/// What is known of a guest.
#[derive(Debug, Encode, Decode)]
pub struct State {
    /// Checksum of the profile.
    pub profile: u64,
    /// What was recorded up to here.
    pub capture: String,
    /// By how many bytes KASLR has moved the kernel.
    pub slide: u64,
    /// Instructions that the guest has executed.
    pub clock: u64,
    /// The event was met with which the recording begins.
    pub begun: bool,
    /// The task whose name changes, or did last.
    pub renaming: u64,
    /// Of each vCPU.
    pub last: Vec<LastRecord>,
    /// Tasks, functions and return addresses that were met.
    pub addresses: SavedAddresses,
    /// Calls that have not returned.
    pub calls: SavedCalls,
    /// Modules that are loaded, the latest last.
    pub modules: Vec<SavedModule>,
    /// Modules that were loaded so far.
    pub loaded: u32,
    /// Numbers of probes that are taken.
    pub numbers: u16,
}

impl State {
    /// Writes it to a file.
    ///
    /// # Errors
    /// [`StateError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        sealed::write(path, MAGIC, self).map_err(|source| StateError::Write { path: path.to_owned(), source })
    }

    fn read(path: &Path) -> Result<Self, StateError> {
        let bytes =
            std::fs::read(path).map_err(|source| StateError::Read { path: path.to_owned(), source })?;
        sealed::decode(&bytes, MAGIC).map_err(|source| StateError::Damaged { path: path.to_owned(), source })
    }
}

/// A state, and the trace up to there.
pub struct Resumed {
    /// What was known.
    pub state: State,
    /// The trace.
    pub context: TracePrefix,
}

impl Resumed {
    /// Reads both from a folder.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn read(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(TRACE);
        let trace = TraceFile::open(&path)?;
        if trace.index().is_none() {
            return Err(StateError::NotWhole { path });
        }
        Ok(Self { state: State::read(&folder.join(STATE))?, context: TracePrefix { trace, open: None } })
    }
}

/// The trace up to a state.
pub struct TracePrefix {
    trace: TraceFile,
    /// Events that are wanted beside landmarks, by their number in the file; none: all events are wanted.
    open: Option<FxHashSet<u64>>,
}

/// What that trace holds of the guest, beside its events.
#[derive(Debug, Default)]
pub struct PrefixContents {
    /// All definitions.
    pub definitions: Vec<Definition>,
    /// Codes and clocks of the marks.
    pub marks: Vec<(u64, u64)>,
}

/// One thing that it holds.
pub enum PrefixItem<'a> {
    /// A definition.
    Definition(Definition),
    /// An event, and its number.
    Event(Event<'a>, u64),
}

impl TracePrefix {
    /// Goes through it, as long as `see` succeeds.
    ///
    /// # Errors
    /// That of `see`, or a message for the user.
    pub fn each<E: From<io::Error>>(
        &self,
        mut see: impl FnMut(PrefixItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut decoder, mut block, mut number) = (Decoder::new()?, Box::<EventBlock>::default(), 0);
        for step in self.trace.walk() {
            let WalkStep::Chunk(_, chunk) = step else { return Err(damaged("a chunk is damaged").into()) };
            if chunk.head.kind == iotrace_format::trace::chunk::ChunkKind::Landmarks {
                continue;
            }
            match decoder.decode(&chunk, Columns::ALL, block).map_err(|e| damaged(&e.to_string()))? {
                Content::Definitions(definitions, _) => {
                    definitions
                        .into_iter()
                        .try_for_each(|definition| see(PrefixItem::Definition(definition)))?;
                    block = Box::default();
                }
                Content::Events(found) => {
                    for event in found.events() {
                        see(PrefixItem::Event(event, number))?;
                        number += 1;
                    }
                    block = found;
                }
                Content::Index | Content::End | Content::Unknown => block = Box::default(),
            }
        }
        Ok(())
    }

    /// Goes through what is wanted of it.
    ///
    /// # Errors
    /// As those of [`Self::each`].
    pub fn each_wanted<E: From<io::Error>>(
        &self,
        mut see: impl FnMut(PrefixItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut landmarks = FxHashSet::default();
        self.each(|item| match (&item, &self.open) {
            // The one of this trace stands before.
            (PrefixItem::Definition(Definition::Trace(_)), _) => Ok(()),
            (PrefixItem::Definition(definition), _) => {
                if let Definition::Probe(probe) = definition {
                    landmarks.extend(probe.is_landmark().then_some(probe.id));
                }
                see(item)
            }
            (PrefixItem::Event(event, number), Some(open))
                if !(is_landmark(event.kind) || landmarks.contains(&event.kind) || open.contains(number)) =>
            {
                Ok(())
            }
            (PrefixItem::Event(..), _) => see(item),
        })
    }

    /// The definitions and the marks.
    ///
    /// # Errors
    /// A message for the user.
    pub fn known(&self) -> Result<PrefixContents, io::Error> {
        let mut known = PrefixContents::default();
        self.each::<io::Error>(|item| {
            match item {
                PrefixItem::Definition(definition) => known.definitions.push(definition),
                PrefixItem::Event(event, _) if event.kind == MARK.id => {
                    known.marks.push((event.words.first().copied().unwrap_or(0), event.clock));
                }
                PrefixItem::Event(..) => {}
            }
            Ok(())
        })?;
        Ok(known)
    }

    /// Of the events, wants only landmarks and the entries of the calls that have not returned.
    ///
    /// # Errors
    /// A message for the user.
    pub fn reduce(&mut self, calls: &SavedCalls) -> Result<(), io::Error> {
        let mut entries: FxHashMap<u64, KindId> = FxHashMap::default();
        let mut exits: FxHashMap<KindId, Probe> = FxHashMap::default();
        let mut last: FxHashMap<(u64, KindId), u64> = FxHashMap::default();
        self.each::<io::Error>(|item| {
            match item {
                PrefixItem::Definition(Definition::Probe(probe)) if probe.at == At::Exit => {
                    exits.insert(probe.id, probe);
                }
                PrefixItem::Definition(Definition::Probe(probe)) if probe.at == At::Entry => {
                    entries.insert(probe.address, probe.id);
                }
                PrefixItem::Event(event, number) => {
                    _ = last.insert((address_bits(event.stack), event.kind), number)
                }
                PrefixItem::Definition(_) => {}
            }
            Ok(())
        })?;
        let entry = |(stack, exit): (u64, KindId)| {
            let entered = entries.get(&exits.get(&exit)?.address)?;
            last.get(&(stack, *entered)).copied()
        };
        self.open = Some(calls.iter().filter_map(entry).collect());
        Ok(())
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::other(format!("the trace to resume from: {reason}"))
}
