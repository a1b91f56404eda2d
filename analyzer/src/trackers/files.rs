//! The file tracker: I/Os, that is system calls, the files they are about, the bytes they put into the page cache, and
//! the bios that came of them.
//!
//! In: facts of system calls, of calls into the file system and of writes to the page cache; [`QueuedBio`]s with what
//! they originate from. Out: to the sink, I/Os that are over and written; to others, [`BegunIo`]s, the call into the
//! file system that a task is in, and the I/Os whose bytes a bio carries.
//! Oddities counted: I/Os given up since too many are under way, probes without the words that are needed.

mod asynchronous;
mod cache;
mod entries;
mod live;
mod names;
mod owners;
mod pages;
mod runs;

use super::call_states::CallStates;
use super::counts::{Counts, Oddity};
use super::fact::{BegunIo, Context, EndFact, Fact, QueuedBio};
use super::probes::RoleValues;
use super::sink::Sink;
use crate::model::{
    BioId, CallEnd, CallId, Carried, Cause, File, FileCall, FileCallKind, FilePlace, Io, IoId, IoKind, Level,
    OpName, PAGE_FAULT,
};
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use cache::CacheWrite;
use entries::Entries;
use iotrace_format::definition::{Definition, Layout};
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use live::{LiveIo, LiveIos};
use names::{file_of, iocb_file, key_of, mapped_file};
use owners::KernelWork;
use pages::Piece;
use runs::PageRuns;
use std::sync::Arc;

/// Largest position in a file (`MAX_LFS_FILESIZE`): what is beyond was read through a stale pointer.
const LARGEST: u64 = i64::MAX as u64;

/// What is kept of an open call.
#[derive(Debug, Encode, Decode)]
enum FileState {
    /// A call of a task into the file system.
    File(Box<FileCall>),
    /// The system call or the page fault of an I/O.
    Io(IoId),
    /// An entry of a ring is being processed: its address.
    Entry(IoId, u64),
    /// Bytes are being copied into the page cache; it returns how many.
    Write(Box<CacheWrite>),
}

/// Follows I/Os up to the time that their bytes are written.
#[derive(Debug, Default, Encode, Decode)]
pub struct FileTracker {
    live: LiveIos,
    calls: CallStates<FileState>,
    /// Work of the kernel's own that is under way.
    kernel: KernelWork,
    entries: Entries,
    runs: PageRuns,
    last: IoId,
    /// The one that began last, or of which more began.
    current: IoId,
    layout: Unsaved<Layout>,
    counts: Counts,
}

impl FileTracker {
    /// The number of the I/O that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut IoId {
        &mut self.last
    }

    /// The number of the I/O that the event at hand is about, if one begins with it or goes on.
    pub fn current(&self) -> IoId {
        self.current
    }

    /// Takes in a definition: that of the trace says how the guest's kernel lays out its memory.
    pub fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Trace(info) => *self.layout = info.layout,
            Definition::Symbol(symbol) => self.kernel.name_function(symbol.address, &symbol.name),
            _ => {}
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A system call begins, and an I/O with it.
    pub fn syscall(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) -> BegunIo {
        let (syscall, roles) = (fact.roles.syscall(), fact.roles);
        let position = roles.any([Role::RegistersPosition, Role::Position]).filter(|at| *at <= LARGEST);
        let count = roles.any([Role::RegistersCount, Role::Count, Role::Length]);
        let of_data = position.is_some() || count.is_some() || syscall.contains("sync");
        let kind = if of_data { IoKind::Syscall } else { IoKind::OtherSyscall };
        let fd = roles.any([Role::RegistersFd, Role::Fd]).map(|fd| fd & u64::from(u32::MAX));
        let id = self.begin(fact, kind, &syscall, out);
        if let Some(LiveIo { io, .. }) = self.live.get_mut(id) {
            (io.fd, io.position, io.count) = (fd, position, count);
            io.file = file_of(roles).filter(|file| file.ino != 0);
        }
        self.calls.insert(fact, FileState::Io(id));
        BegunIo { id, syscall, address: None }
    }

    /// A task accessed an address, and its page fault begins: an I/O, unless the kernel itself looks for the page.
    pub fn page_fault(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) -> Option<BegunIo> {
        if !fact.context.is_in_exception() {
            return None;
        }
        let (roles, shift) = (fact.roles, self.layout.page_shift);
        let address = roles.get(Role::Address)?;
        let syscall: Arc<str> = PAGE_FAULT.into();
        let id = self.begin(fact, IoKind::Fault, &syscall, out);
        if let Some(LiveIo { io, .. }) = self.live.get_mut(id) {
            (io.address, io.file) = (Some(address), mapped_file(roles));
            let pages = roles.get(Role::VmaStart).map(|start| address.wrapping_sub(start) >> shift);
            let page =
                pages.zip(roles.get(Role::VmaPageOffset)).map(|(page, first)| page.wrapping_add(first));
            let position = page.and_then(|page| page.checked_mul(1 << shift)).filter(|at| *at <= LARGEST);
            io.position = position.filter(|_| io.file.is_some());
            io.count = io.position.map(|_| 1 << shift);
        }
        self.calls.insert(fact, FileState::Io(id));
        Some(BegunIo { id, syscall, address: Some(address) })
    }

    fn begin(&mut self, fact: &Fact<'_>, kind: IoKind, name: &Arc<str>, out: &mut dyn Sink) -> IoId {
        if let Some(io) = self.live.take_oldest() {
            self.counts.add(Oddity::IoGivenUp, 1);
            out.io(io);
        }
        self.last += 1;
        self.current = self.last;
        self.live.insert(LiveIo::new(Io {
            id: self.last,
            kind,
            syscall: Arc::clone(name),
            call: Some(fact.context.calls.next()),
            task: fact.context.task(),
            entered: fact.context.clock(),
            in_workload: fact.context.in_workload,
            ..Io::default()
        }));
        self.last
    }

    /// A task calls the file system, or bytes are written to the page cache or dropped from it; `cause` gives the reason,
    /// for where no system call or page fault is open.
    pub fn fact(&mut self, fact: &Fact<'_>, cause: &dyn Fn() -> Arc<Cause>, out: &mut dyn Sink) {
        match fact.stage {
            Stage::VfsRead => self.file_call(fact, FileCallKind::Read),
            Stage::VfsWrite => self.file_call(fact, FileCallKind::Write),
            Stage::VfsFsync => {
                self.file_call(fact, FileCallKind::Fsync);
                self.fsync_of_entry(fact, cause);
            }
            Stage::FileAccess => self.file_access(fact),
            Stage::FilePosition => self.file_position(fact),
            Stage::CacheMap => self.cache_map(fact, cause, out),
            Stage::CacheDrop => self.cache_drop(fact, out),
            _ => self.cache_write(fact, cause, out),
        }
    }

    /// A call ended.
    pub fn end(&mut self, end: &EndFact<'_>, out: &mut dyn Sink) {
        match self.calls.remove(end) {
            Some(FileState::Io(io)) if end.is_seen() => self.returned(end.call, io, out),
            Some(FileState::Entry(io, entry)) if end.is_seen() => {
                self.processed((io, entry), end.call, out);
            }
            Some(FileState::File(call)) if end.is_seen() => self.file_call_ended(end, *call),
            Some(FileState::Write(write)) => {
                self.copied(&write, end.call.returned.filter(|_| end.is_seen()), out);
            }
            Some(FileState::Io(io) | FileState::Entry(io, _)) => self.lost(io, out),
            Some(FileState::File(_)) | None => {}
        }
    }

    /// A task is gone, and what it was in will not be seen to return; its stack of calls was this one.
    pub fn task_gone(&mut self, stack: usize, out: &mut dyn Sink) {
        for state in self.calls.take_stack(stack) {
            if let FileState::Io(io) | FileState::Entry(io, _) = state {
                self.lost(io, out);
            }
        }
    }

    fn lost(&mut self, io: IoId, out: &mut dyn Sink) {
        if let Some(live) = self.live.get_mut(io) {
            live.is_lost = true;
            self.live.set_returned(io);
            self.give_if_over(io, out);
        }
    }

    /// Any call ended: perhaps work of the kernel's own is over with it.
    #[inline]
    pub fn call_ended(&mut self, call: &CallEnd, out: &mut dyn Sink) {
        if let Some(io) = self.kernel.ended(call.id) {
            self.returned(call, io, out);
        }
    }

    /// The innermost call of a task into the file system.
    pub fn current_call(&self, context: &Context<'_>) -> Option<FileCall> {
        if context.level != Level::Task {
            return None;
        }
        self.calls.of_context(context).rev().find_map(|state| match state {
            FileState::File(call) => Some(**call),
            FileState::Io(_) | FileState::Entry(..) | FileState::Write(_) => None,
        })
    }

    /// Bytes of a file are in the bio that is queued next.
    pub fn bio_pages(&mut self, event: &Event<'_>) {
        self.runs.add(event);
    }

    /// Why a bio is queued: with the I/O of the kernel's own work, if no system call or page fault is the reason.
    pub fn own(&mut self, fact: &Fact<'_>, cause: Arc<Cause>, out: &mut dyn Sink) -> Arc<Cause> {
        match cause.io().is_none().then(|| self.kernel_io(fact, &cause, out)).flatten() {
            Some(io) => Arc::new(Cause::Kernel { io, by: cause }),
            None => cause,
        }
    }

    /// The I/O of work of the kernel's own; none if nothing is known of what runs.
    fn kernel_io(&mut self, fact: &Fact<'_>, cause: &Cause, out: &mut dyn Sink) -> Option<IoId> {
        let name = self.kernel.name(cause)?;
        let call = Some(fact.context.first()).filter(|call| *call != CallId::MAX);
        if let Some(io) = call.and_then(|call| self.kernel.of_call(call)) {
            self.current = io;
            return Some(io);
        }
        let io = self.begin(fact, IoKind::Kernel, &name, out);
        if let Some(live) = self.live.get_mut(io) {
            live.io.call = call.or(fact.call);
            // Where nothing is known of what runs, each bio is work of its own, and over at once.
            live.io.left = Some(fact.context.clock()).filter(|_| call.is_none());
        }
        match call {
            Some(call) => self.kernel.begin(call, io),
            None => self.live.set_returned(io),
        }
        Some(io)
    }

    /// Work that originates from an I/O is queued (1), or over (-1): up to then the I/O is not.
    pub fn awaits(&mut self, io: IoId, change: i32, out: &mut dyn Sink) {
        self.live.awaits(io, change);
        self.give_if_over(io, out);
    }

    /// A bio was queued because of `cause`: which bytes of which I/Os it carries.
    pub fn bio_queued(
        &mut self,
        fact: &Fact<'_>,
        bio: &QueuedBio,
        cause: &Cause,
        out: &mut dyn Sink,
    ) -> Vec<Carried> {
        if let Some(live) = cause.io().and_then(|io| self.live.get_mut(io)) {
            live.io.bios.push(bio.id);
        }
        if let Cause::Kernel { io, .. } = cause {
            self.give_if_over(*io, out);
        }
        let runs = self.runs.take(bio, fact.roles, self.layout.page_shift);
        if bio.op != OpName::Write {
            return Vec::new();
        }
        let mut carries = Vec::new();
        let may_be_copy = !self.runs.is_under_way(bio.pointer);
        for run in &runs {
            carries.extend(self.live.carry(*run, bio.id, may_be_copy));
        }
        if !carries.is_empty() {
            for (file, from, to) in self.runs.sent(bio.pointer, runs) {
                self.live.landed(file, from, to);
            }
        }
        let mut ios: Vec<_> = carries.iter().map(|carried| carried.io).collect();
        ios.dedup();
        ios.into_iter().for_each(|io| self.give_if_over(io, out));
        carries
    }

    /// A bio came of one that was queued because of `cause`.
    pub fn bio_derived(&mut self, bio: BioId, cause: &Cause) {
        if let Some(live) = cause.io().and_then(|io| self.live.get_mut(io)) {
            live.io.bios.push(bio);
        }
    }

    /// A bio ended.
    pub fn bio_ended(&mut self, fact: &Fact<'_>) {
        for (file, from, to) in fact.roles.get(Role::Bio).map_or_else(Vec::new, |bio| self.runs.ended(bio)) {
            self.live.landed(file, from, to);
        }
    }

    /// The trace is over: gives what is still under way.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        self.live.take_all().into_iter().for_each(|io| out.io(io));
    }

    /// The I/O whose system call or page fault is open here.
    fn io_here(&mut self, context: &Context<'_>) -> Option<&mut LiveIo> {
        if context.level != Level::Task {
            return None;
        }
        let io = self.calls.of_context(context).rev().find_map(|state| match state {
            FileState::Io(io) | FileState::Entry(io, _) => Some(*io),
            FileState::File(_) | FileState::Write(_) => None,
        })?;
        self.live.get_mut(io)
    }

    /// The same, or that of the kernel's own work.
    fn io_of(&mut self, fact: &Fact<'_>, cause: &dyn Fn() -> Arc<Cause>, out: &mut dyn Sink) -> Option<IoId> {
        if let Some(live) = self.io_here(&fact.context) {
            return Some(live.io.id);
        }
        let cause = cause();
        cause.io().or_else(|| self.kernel_io(fact, &cause, out))
    }

    fn file_call(&mut self, fact: &Fact<'_>, kind: FileCallKind) {
        let roles = fact.roles;
        let call = FileCall {
            kind,
            clock: fact.context.clock(),
            ino: roles.get(Role::FileIno).unwrap_or(0),
            dev: roles.get(Role::FileDev).unwrap_or(0),
            count: roles.get(Role::Count),
            // A null `pos` (a stream) reads as 0 as well; the count of such files never reaches a disk.
            position: roles.get(Role::PositionValue).or_else(|| part_of_file(roles)),
        };
        if let Some(live) = self.io_here(&fact.context) {
            if live.io.file.is_none() {
                live.io.file = Some(file_of(roles).unwrap_or_default());
                live.reads_file = kind == FileCallKind::Read;
            }
            live.io.position = live.io.position.or(call.position);
            live.io.count = live.io.count.or(call.count);
        }
        self.calls.insert(fact, FileState::File(Box::new(call)));
    }

    /// A task is handed a file: of one that it writes to after it has read from another, that is the source.
    fn file_access(&mut self, fact: &Fact<'_>) {
        /// Include/linux/fs.h: `READ` and `WRITE`, an int.
        const WRITES: u64 = 1;
        let roles = fact.roles;
        let Some(live) = self.io_here(&fact.context) else { return };
        if live.io.kind == IoKind::Fault {
            return;
        }
        let Some(file) = file_of(roles) else { return };
        let direction = roles.get(Role::Direction).map(|direction| direction & WRITES);
        let position = roles.get(Role::PositionValue).filter(|_| direction.is_some());
        let position = position.or_else(|| roles.get(Role::FirstByte)).filter(|at| *at <= LARGEST);
        let LiveIo { io, is_settled, reads_file, .. } = live;
        let is_same = |known: &File| (known.dev, known.ino) == (file.dev, file.ino);
        match (direction, &io.file) {
            (Some(WRITES), _) if *reads_file => {
                let place =
                    FilePlace { file: io.file.replace(file).unwrap_or_default(), position: io.position };
                io.source = Some(place);
                (io.position, *reads_file, *is_settled) = (position, false, false);
            }
            // What is read, for a file that the system call is given the number of.
            (Some(0), Some(known)) if known.on_disk && !is_same(known) => {
                io.source.get_or_insert(FilePlace { file, position });
            }
            // One end is a pipe, or a socket.
            (Some(_), Some(known)) if !known.on_disk && file.on_disk => {
                (io.file, io.position, *reads_file) = (Some(file), position, direction == Some(0));
            }
            (_, Some(known)) if is_same(known) => {
                *reads_file |= direction == Some(0) && io.position.is_none();
                io.position = io.position.or(position);
            }
            (_, None) => {
                (io.file, *reads_file) = (Some(file), direction == Some(0));
                io.position = io.position.or(position);
            }
            _ => {}
        }
        io.count = io.count.or_else(|| roles.get(Role::Count).filter(|_| direction.is_some()));
        if direction.is_some() && io.kind == IoKind::OtherSyscall && io.fd.is_some() {
            io.kind = IoKind::Syscall;
        }
    }

    /// Where a call reads or writes is certain: an appending one does not write at the position that it was given.
    fn file_position(&mut self, fact: &Fact<'_>) {
        let Some(position) = fact.roles.get(Role::IocbPosition).filter(|at| *at <= LARGEST) else { return };
        let Some(file) = key_of(fact.roles) else { return };
        let Some(live) = self.io_here(&fact.context) else { return };
        live.io.file = live.io.file.take().or_else(|| iocb_file(fact.roles));
        live.settle(file, position);
    }

    fn returned(&mut self, call: &CallEnd, io: IoId, out: &mut dyn Sink) {
        let Some(LiveIo { io: live, .. }) = self.live.get_mut(io) else { return };
        live.left = Some(call.clock);
        live.cost = call.total;
        if matches!(live.kind, IoKind::Syscall | IoKind::OtherSyscall) {
            live.returned = call.returned.map(|value| value.cast_signed());
        }
        self.live.set_returned(io);
        self.give_if_over(io, out);
    }

    fn give_all_if_over(&mut self, pieces: &[Piece], out: &mut dyn Sink) {
        pieces.iter().for_each(|piece| self.give_if_over(piece.0, out));
    }

    /// Gives an I/O that is over and has no bytes left in the page cache.
    fn give_if_over(&mut self, io: IoId, out: &mut dyn Sink) {
        if let Some(io) = self.live.take_if_over(io) {
            out.io(io);
        }
    }
}

/// What a function that returns an int returned, where its type is not known either: the upper half of the register is
/// undefined.
fn int(returned: u64) -> i64 {
    i64::from(returned as u32 as i32)
}

/// Where a part of a file begins that is flushed; none if it is the whole file.
fn part_of_file(roles: &RoleValues<'_>) -> Option<u64> {
    let is_part = roles.get(Role::LastByte).is_some_and(|last| last < LARGEST);
    roles.get(Role::FirstByte).filter(|_| is_part)
}

#[cfg(test)]
mod byte_tests;
#[cfg(test)]
mod direct_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
