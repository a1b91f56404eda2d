//! Builds an index while a pass reads the trace.
//!
//! In: what the trackers find, and the end of each block. Out: a [`SessionIndex`]. Memory is bounded: tables and
//! checkpoints go to temporary files.

use super::checkpoint::{Checkpoint, OpenCalls};
use super::entry::{Entry, IN_WORKLOAD, IndexTable, PRESENT, RETURNED, link_sum};
use super::file::TraceIdentity;
use super::tables::{AppendWriter, TableWriter};
use super::{CheckpointPlace, Contents, SLOWEST, SOURCES, Section, SessionIndex};
use crate::hash::Map;
use crate::model::{Bio, Cause, Io, IoId, Request, Switch};
use crate::session::Pass;
use iotrace_format::trace::columns::EventBlock;
use std::collections::BTreeSet;
use std::io;
use xxhash_rust::xxh3::xxh3_64;

/// Checkpoints of the longest traces: those of shorter ones are one block apart.
const CHECKPOINTS: u64 = 1024;
/// A checkpoint is made if the last one had at most so many bytes for each event since then: a byte takes some
/// nanoseconds to encode and pack, an event takes the trackers 30 to 100.
const BYTES_PER_EVENT: u64 = 1;
/// Traces of so many blocks have a checkpoint behind each, whatever it takes.
const SHORT: u64 = 64;
/// Largest state that is kept, in bytes.
const LARGEST: usize = 16 << 20;
/// An object that was not seen to be over is looked for in so many instructions behind the last that was seen of it.
const BEHIND: u64 = 100_000_000;
/// Most different system calls that entries tell apart.
const SYSCALLS: usize = 1 << 12;
/// Stands for the name of what no task requested.
const NO_SYSCALL: u16 = u16::MAX;

/// Collects what an index has. After an error nothing more is collected.
#[derive(Debug)]
pub(crate) struct SessionIndexBuilder {
    tables: [TableWriter; IndexTable::ALL.len()],
    links: AppendWriter,
    states: AppendWriter,
    contents: Contents,
    syscalls: Map<String, u16>,
    /// The slowest I/Os: guest time and number.
    slowest: BTreeSet<(u64, std::cmp::Reverse<IoId>)>,
    /// What became known with the event at hand.
    ios: Vec<Io>,
    /// Blocks that were read.
    blocks: u64,
    /// Clock of the event at hand; none when the trace is over.
    clock: Option<u64>,
    /// When each task began or stopped to run last.
    switched: Map<u64, u64>,
    open: OpenCalls,
    /// Blocks from one checkpoint to the next.
    apart: u64,
    /// The trace is short.
    is_short: bool,
    last: LastCheckpoint,
    /// Checkpoints can be made: there is one vCPU, and the trace is no part.
    has_checkpoints: bool,
    error: Option<io::Error>,
}

/// The checkpoint that was made last.
#[derive(Debug, Default)]
struct LastCheckpoint {
    blocks: u64,
    events: u64,
    bytes: u64,
}

impl SessionIndexBuilder {
    /// For a trace of so many blocks.
    ///
    /// # Errors
    /// If no temporary files can be made.
    pub fn new(identity: TraceIdentity, blocks: u64, has_checkpoints: bool) -> io::Result<Self> {
        let [ios, bios, requests] = IndexTable::ALL;
        let contents = Contents { sources: SOURCES.to_owned(), identity: identity.0, ..Contents::default() };
        Ok(Self {
            tables: [TableWriter::new(ios)?, TableWriter::new(bios)?, TableWriter::new(requests)?],
            links: AppendWriter::new()?,
            states: AppendWriter::new()?,
            contents,
            syscalls: Map::default(),
            slowest: BTreeSet::new(),
            ios: Vec::new(),
            blocks: 0,
            clock: None,
            switched: Map::default(),
            open: OpenCalls::default(),
            apart: blocks.div_ceil(CHECKPOINTS).max(1),
            is_short: blocks <= SHORT,
            last: LastCheckpoint::default(),
            has_checkpoints,
            error: None,
        })
    }

    /// A block was read; `next` is the offset behind it, `first` the number of its first event, from 1.
    pub fn block(&mut self, pass: &Pass, block: &EventBlock, first: u64, next: usize) {
        self.take_ios(pass);
        let Some(clock) = block.len().checked_sub(1).and_then(|at| block.get(at)).map(|event| event.clock)
        else {
            return;
        };
        self.blocks += 1;
        if !self.has_checkpoints {
            return;
        }
        self.open.follow(&pass.trackers, block, first);
        // Of a changed file, numbers may be any.
        let last = first.saturating_add(block.len() as u64).saturating_sub(1);
        let events = last.saturating_sub(self.last.events);
        let is_due = self.blocks - self.last.blocks >= self.apart
            && (self.is_short || events.saturating_mul(BYTES_PER_EVENT) >= self.last.bytes);
        if is_due {
            let result = self.checkpoint(pass, clock, next as u64);
            self.note(result);
        }
    }

    fn checkpoint(&mut self, pass: &Pass, clock: u64, offset: u64) -> io::Result<()> {
        let Some(state) = Checkpoint::encode(pass, &self.open, LARGEST)? else {
            // What is in flight now mostly stays so: it is tried again when the trace is as long once more.
            self.apart = self.blocks;
            self.last.blocks = self.blocks;
            return Ok(());
        };
        let place = self.states.add(&state.packed)?;
        let section = Section { offset: place, length: state.packed.len() as u64 };
        let place = CheckpointPlace { clock, offset, section, sum: xxh3_64(&state.packed) };
        self.contents.checkpoints.push(place);
        let (blocks, events) = (self.blocks, pass.trackers.number());
        self.last = LastCheckpoint { blocks, events, bytes: state.unpacked as u64 };
        Ok(())
    }

    fn note<T>(&mut self, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn add(&mut self, table: IndexTable, number: u64, entry: Entry) {
        if self.error.is_none() {
            let result = self.tables[table as usize].add(number, entry);
            self.note(result);
        }
    }

    /// An entry with links to these numbers.
    fn link(&mut self, numbers: impl Iterator<Item = u64>) -> Entry {
        let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        let result = self.links.add(&bytes);
        let links = self.note(result).unwrap_or(0) / 8;
        Entry { links, link_sum: link_sum(&bytes), flags: PRESENT, ..Entry::default() }
    }

    /// Until when an object is looked for that was not seen to be over: some time behind the last that was seen of it, and
    /// no longer than up to now if it is given up.
    fn behind(&self, seen: u64) -> u64 {
        let last = seen.saturating_add(BEHIND);
        self.clock.map_or(last, |now| last.min(now))
    }

    fn take_ios(&mut self, pass: &Pass) {
        for io in std::mem::take(&mut self.ios) {
            let bios = io.all_bios();
            let linked = self.link(bios.iter().copied());
            let until = io.left.unwrap_or_else(|| {
                let runs = pass.trackers.running_tasks().any(|task| task == io.task.address);
                let seen = self.switched.get(&io.task.address).copied().unwrap_or(io.entered);
                if runs { u64::MAX } else { self.behind(seen) }
            });
            let flag = |holds: bool, flag: u16| if holds { flag } else { 0 };
            let entry = Entry {
                from: io.entered,
                until,
                others: bios.len() as u32,
                syscall: if io.is_requested() { self.syscall(&io.syscall) } else { NO_SYSCALL },
                flags: PRESENT | flag(io.in_workload, IN_WORKLOAD) | flag(io.left.is_some(), RETURNED),
                ..linked
            };
            self.add(IndexTable::Ios, io.id, entry);
            self.rank(pass, &io);
        }
    }

    /// Keeps the slowest I/Os of the workload that concern a disk.
    fn rank(&mut self, pass: &Pass, io: &Io) {
        let time = io.time(pass.keeper.map());
        let ranks = io.in_workload && io.is_requested() && io.concerns_a_disk();
        let Some(time) = time.filter(|_| ranks) else { return };
        self.slowest.insert((time.guest(), std::cmp::Reverse(io.id)));
        if self.slowest.len() > SLOWEST {
            self.slowest.pop_first();
        }
    }

    fn syscall(&mut self, name: &str) -> u16 {
        if let Some(number) = self.syscalls.get(name) {
            return *number;
        }
        if self.syscalls.len() >= SYSCALLS {
            self.error.get_or_insert(io::Error::other("there are more system calls than any kernel has"));
            return 0;
        }
        let number = self.syscalls.len() as u16;
        self.syscalls.insert(name.to_owned(), number);
        self.contents.syscalls.push(name.to_owned());
        number
    }

    /// The index, of a pass that has read the whole trace; `lost` is what could not be read of it.
    ///
    /// # Errors
    /// What went wrong meanwhile, or at the end.
    pub fn finish(mut self, pass: &Pass, lost: Option<String>) -> io::Result<SessionIndex> {
        self.take_ios(pass);
        if let Some(error) = self.error {
            return Err(error);
        }
        self.contents.lost = lost;
        self.contents.slowest = self.slowest.iter().rev().map(|(_, io)| io.0).collect();
        SessionIndex::assemble(self.contents, self.tables, self.links, self.states)
    }
}

impl SessionIndexBuilder {
    /// An I/O that is over, or the trace is.
    pub fn io(&mut self, io: &Io) {
        self.ios.push(io.clone());
    }

    /// A bio that is over, or the trace is.
    pub fn bio(&mut self, bio: &Bio) {
        // A bio is only a part of the kernel's own work: a question about it is not about the whole.
        let cause = bio.cause.as_ref().filter(|cause| !matches!(***cause, Cause::Kernel { .. }));
        let cause = cause.and_then(|cause| cause.io());
        let ios: BTreeSet<_> = bio.carries.iter().map(|carried| carried.io).chain(cause).collect();
        let requests: Vec<_> = bio.request.iter().chain(&bio.other_requests).copied().collect();
        let linked = self.link(ios.iter().copied().chain(requests.iter().copied()));
        let seen = bio.stages.last().map_or(bio.queued(), |stage| stage.clock);
        let entry = Entry {
            from: bio.queued(),
            until: bio.ended().unwrap_or_else(|| self.behind(seen)),
            ios: ios.len() as u32,
            others: requests.len() as u32,
            ..linked
        };
        self.add(IndexTable::Bios, bio.id, entry);
    }

    /// A request that was given back, or the trace is over.
    pub fn request(&mut self, request: &Request) {
        let until = request.freed.unwrap_or_else(|| self.behind(request.last_seen()));
        let entry = Entry { from: request.got, until, flags: PRESENT, ..Entry::default() };
        self.add(IndexTable::Requests, request.id, entry);
    }

    /// Another task runs.
    pub fn switched(&mut self, switch: &Switch) {
        self.switched.insert(switch.from, switch.clock);
        self.switched.insert(switch.to, switch.clock);
    }

    /// An event is at hand; none when the trace is over.
    #[inline]
    pub fn begin(&mut self, clock: Option<u64>) {
        self.clock = clock;
    }

    /// The event at hand is over.
    #[inline]
    pub fn settle(&mut self, pass: &Pass) {
        if !self.ios.is_empty() {
            self.take_ios(pass);
        }
    }
}
