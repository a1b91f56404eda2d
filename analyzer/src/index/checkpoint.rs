//! The trackers' state behind a block, with the entries of the calls that are open there.
//!
//! In: the trackers. Out: bytes (bincode, zstd), and back. What follows from definitions alone is not in it: whoever
//! goes on from a checkpoint reads the definitions before it.

use crate::hash::Map;
use crate::model::{Call, CallId};
use crate::session::Pass;
use crate::trackers::Trackers;
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use bincode::{Decode, Encode};
use iotrace_format::event::Event;
use iotrace_format::trace::columns::EventBlock;
use std::io;

/// Of zstd: the fastest. What is gained by more is little.
const LEVEL: i32 = 1;
/// Most bytes of a state, unpacked: what is more was not written by the builder.
const LARGEST: usize = 64 << 20;

/// The event of an open call's entry, and the call.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct OpenCallEntry {
    /// The call.
    pub call: Call,
    kind: u16,
    vcpu: u16,
    clock: u64,
    context: u32,
    task: u64,
    stack: u64,
    words: Vec<u64>,
}

impl OpenCallEntry {
    fn of(call: Call, event: &Event<'_>) -> Self {
        let Event { kind, vcpu, clock, context, task, stack, words } = *event;
        Self { call, kind, vcpu, clock, context, task, stack, words: words.to_vec() }
    }

    /// The event.
    pub fn event(&self) -> Event<'_> {
        let Self { kind, vcpu, clock, context, task, stack, .. } = *self;
        Event { kind, vcpu, clock, context, task, stack, words: &self.words }
    }
}

/// The calls that are open behind each block. Entries are taken from blocks as they are read, those that are still
/// needed at their ends alone.
#[derive(Debug, Default)]
pub(crate) struct OpenCalls {
    entries: Map<CallId, OpenCallEntry>,
}

impl OpenCalls {
    /// A block is over: keeps the entries of the calls that are open behind it. `first` is the number of its first
    /// event, from 1.
    pub fn follow(&mut self, trackers: &Trackers, block: &EventBlock, first: u64) {
        let mut entries = Map::default();
        for (event, call) in trackers.open_call_entries() {
            let known = self.entries.remove(&call.id).or_else(|| {
                let event = block.get(usize::try_from(event.checked_sub(first)?).ok()?)?;
                Some(OpenCallEntry::of(call, &event))
            });
            entries.extend(known.map(|entry| (entry.call.id, entry)));
        }
        self.entries = entries;
    }
}

/// The state of a pass, and the entries of the open calls in the order of their numbers.
pub(crate) struct Checkpoint {
    /// The trackers; without what follows from definitions.
    pub trackers: Trackers,
    /// The open calls.
    pub open: Vec<OpenCallEntry>,
}

/// A checkpoint as it is stored.
pub(crate) struct Encoded {
    /// Its bytes.
    pub packed: Vec<u8>,
    /// Bytes before they were packed.
    pub unpacked: usize,
}

/// Takes bytes up to a limit: of a state that is too large no more is encoded than fits.
struct BoundedState {
    bytes: Vec<u8>,
    most: usize,
}

impl BoundedState {
    fn is_full(&self) -> bool {
        self.bytes.len() > self.most
    }
}

impl Writer for BoundedState {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.bytes.extend(bytes);
        if self.is_full() { Err(EncodeError::Other("the state is too large")) } else { Ok(()) }
    }
}

impl Checkpoint {
    /// The state as bytes; none if there are more of them than are to be kept.
    ///
    /// # Errors
    /// If it cannot be packed.
    pub fn encode(pass: &Pass, open: &OpenCalls, most: usize) -> io::Result<Option<Encoded>> {
        let mut open: Vec<_> = open.entries.values().collect();
        open.sort_unstable_by_key(|entry| entry.call.id);
        let config = bincode::config::standard();
        let mut state = BoundedState { bytes: Vec::new(), most };
        match bincode::encode_into_writer((&pass.trackers, open), &mut state, config) {
            Err(_) if state.is_full() => return Ok(None),
            result => result.map_err(io::Error::other)?,
        }
        let bytes = state.bytes;
        let packed = zstd::bulk::compress(&bytes, LEVEL)?;
        Ok(Some(Encoded { packed, unpacked: bytes.len() }))
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are no state.
    pub fn decode(packed: &[u8]) -> io::Result<Self> {
        let bytes = zstd::bulk::decompress(packed, LARGEST)?;
        let config = bincode::config::standard().with_limit::<LARGEST>();
        let ((trackers, open), _) =
            bincode::decode_from_slice::<(Trackers, Vec<OpenCallEntry>), _>(&bytes, config)
                .map_err(io::Error::other)?;
        Ok(Self { trackers, open })
    }
}
