//! The file tracker: I/Os, that is system calls, the files they are about, the bytes they put into the page cache, and
//! the bios that came of them.
//!
//! In: facts of system calls, of calls into the file system and of writes to the page cache; [`QueuedBio`]s with what
//! they originate from. Out: to the sink, I/Os that are over and written; to others, [`BegunIo`]s, the call into the
//! file system that a task is in, and the I/Os whose bytes a bio carries.
//! Oddities counted: I/Os given up since too many are under way, probes without the words that are needed.

mod pages;

use super::call_states::CallStates;
use super::counts::{Counts, Oddity};
use super::fact::{BegunIo, Context, EndFact, Fact, QueuedBio};
use super::probes::RoleValues;
use super::sink::Sink;
use crate::model::{
    CallEnd, Carried, Cause, File, FileCall, FileCallKind, Io, IoId, Level, OpName, name_of_words,
};
use crate::unsaved::Unsaved;
use bincode::{Decode, Encode};
use iotrace_format::definition::{Definition, Layout};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use pages::Dirty;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Largest position in a file (`MAX_LFS_FILESIZE`): what is beyond was read through a stale pointer.
const LARGEST: u64 = i64::MAX as u64;

/// Most I/Os that may be under way, or have bytes that no bio has carried: those of a file in memory never are.
const MOST: usize = 1 << 16;

/// An I/O under way, or whose bytes are not written yet.
#[derive(Debug, Encode, Decode)]
struct LiveIo {
    io: Io,
    /// Bytes of it that bios carried.
    carried: u64,
}

impl LiveIo {
    /// It has returned, and none of its bytes are left in the page cache.
    fn is_over(&self) -> bool {
        self.io.left.is_some() && self.carried >= self.io.cached
    }
}

/// What is kept of an open call.
#[derive(Debug, Encode, Decode)]
enum FileState {
    /// A call of a task into the file system.
    File(Box<FileCall>),
    /// The system call of an I/O.
    Io(IoId),
}

/// Follows I/Os up to the time that their bytes are written.
#[derive(Debug, Default, Encode, Decode)]
pub struct FileTracker {
    /// I/Os under way, or whose bytes are not written yet.
    live: BTreeMap<IoId, LiveIo>,
    /// Those among them that have returned.
    returned: BTreeSet<IoId>,
    dirty: Dirty,
    calls: CallStates<FileState>,
    last: IoId,
    layout: Unsaved<Layout>,
    counts: Counts,
}

impl FileTracker {
    /// The number of the I/O that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut IoId {
        &mut self.last
    }

    /// Takes in a definition: that of the trace says how the guest's kernel lays out its memory.
    pub fn define(&mut self, definition: &Definition) {
        if let Definition::Trace(info) = definition {
            *self.layout = info.layout;
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A system call begins, and an I/O with it.
    pub fn syscall(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) -> BegunIo {
        self.give_up_oldest(out);
        self.last += 1;
        let (id, syscall, roles) = (self.last, fact.roles.syscall(), fact.roles);
        let io = Io {
            id,
            syscall: Arc::clone(&syscall),
            call: Some(fact.context.calls.next()),
            task: fact.context.task(),
            fd: roles.any([Role::RegistersFd, Role::Fd]).map(|fd| fd & u64::from(u32::MAX)),
            file: None,
            position: roles
                .any([Role::RegistersPosition, Role::Position])
                .filter(|_| syscall.starts_with('p')),
            count: roles.any([Role::RegistersCount, Role::Count]),
            returned: None,
            entered: fact.context.clock(),
            left: None,
            cost: 0,
            bios: Vec::new(),
            cached: 0,
            carried: Vec::new(),
            in_workload: fact.context.in_workload,
        };
        self.live.insert(id, LiveIo { io, carried: 0 });
        self.calls.insert(fact, FileState::Io(id));
        BegunIo { id, syscall }
    }

    /// A task calls the file system, or bytes are written to the page cache.
    pub fn fact(&mut self, fact: &Fact<'_>) {
        match fact.stage {
            Stage::VfsRead => self.file_call(fact, FileCallKind::Read),
            Stage::VfsWrite => self.file_call(fact, FileCallKind::Write),
            Stage::VfsFsync => self.file_call(fact, FileCallKind::Fsync),
            _ => self.cache_write(fact),
        }
    }

    /// A call ended.
    pub fn end(&mut self, end: &EndFact<'_>, out: &mut dyn Sink) {
        if let Some(FileState::Io(io)) = self.calls.remove(end)
            && end.is_seen()
        {
            self.syscall_left(end.call, io, out);
        }
    }

    /// The innermost call of a task into the file system.
    pub fn current_call(&self, context: &Context<'_>) -> Option<FileCall> {
        if context.level != Level::Task {
            return None;
        }
        self.calls.of_context(context).rev().find_map(|state| match state {
            FileState::File(call) => Some(**call),
            FileState::Io(_) => None,
        })
    }

    /// A bio was queued because of `cause`: which bytes of which I/Os it carries.
    pub fn bio_queued(
        &mut self,
        fact: &Fact<'_>,
        bio: &QueuedBio,
        cause: &Cause,
        out: &mut dyn Sink,
    ) -> Vec<Carried> {
        if let Some(live) = cause.io().and_then(|io| self.live.get_mut(&io)) {
            live.io.bios.push(bio.id);
        }
        let range = file_range(fact.roles, self.layout.page_shift).filter(|_| bio.op == OpName::Write);
        let Some((file, from)) = range else { return Vec::new() };
        let taken = self.dirty.take(file, from, from.saturating_add(bio.bytes));
        let mut carries = Vec::with_capacity(taken.len());
        for (io, from, to) in taken {
            let carried = Carried { io, bio: bio.id, from, to };
            carries.push(carried);
            if let Some(live) = self.live.get_mut(&io) {
                live.io.carried.push(carried);
                live.carried = live.carried.saturating_add(to - from);
            }
            self.give_if_over(io, out);
        }
        carries
    }

    /// The trace is over: gives what is still under way.
    pub fn finish(&mut self, out: &mut dyn Sink) {
        std::mem::take(&mut self.live).into_values().for_each(|live| out.io(live.io));
    }

    /// The I/O whose system call is open here.
    fn io_here(&mut self, context: &Context<'_>) -> Option<&mut LiveIo> {
        if context.level != Level::Task {
            return None;
        }
        let io = self.calls.of_context(context).rev().find_map(|state| match state {
            FileState::Io(io) => Some(*io),
            FileState::File(_) => None,
        })?;
        self.live.get_mut(&io)
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
            position: roles.get(Role::PositionValue),
        };
        if let Some(LiveIo { io, .. }) = self.io_here(&fact.context) {
            let file = File { ino: call.ino, dev: call.dev, name: file_name(roles) };
            io.file.get_or_insert(file);
            io.position = io.position.or(call.position);
            io.count = io.count.or(call.count);
        }
        self.calls.insert(fact, FileState::File(Box::new(call)));
    }

    fn cache_write(&mut self, fact: &Fact<'_>) {
        let roles = fact.roles;
        let file = (
            roles.any([Role::IocbDev, Role::MappingDev]).unwrap_or(0),
            roles.any([Role::IocbIno, Role::MappingIno]).unwrap_or(0),
        );
        let (Some(from), Some(count)) = (
            roles.any([Role::IocbPosition, Role::Position]),
            roles.any([Role::IterCount, Role::Length]).map(|len| len & u64::from(u32::MAX)),
        ) else {
            self.counts.add(Oddity::WordMissing, 1);
            return;
        };
        let Some(LiveIo { io, .. }) = self.io_here(&fact.context) else { return };
        let to = from.saturating_add(count).min(LARGEST);
        io.cached = io.cached.saturating_add(to.saturating_sub(from));
        // What an appending call writes, and where, is known only here.
        io.position = io.position.filter(|_| &*io.syscall != "write").or(Some(from));
        let id = io.id;
        self.dirty.write(file, from, to, id);
    }

    fn syscall_left(&mut self, call: &CallEnd, io: IoId, out: &mut dyn Sink) {
        let Some(LiveIo { io: live, .. }) = self.live.get_mut(&io) else { return };
        live.left = Some(call.clock);
        live.cost = call.total;
        live.returned = call.returned.map(|value| value.cast_signed());
        self.returned.insert(io);
        self.give_if_over(io, out);
    }

    /// Gives an I/O that is over and has no bytes left in the page cache.
    fn give_if_over(&mut self, io: IoId, out: &mut dyn Sink) {
        if self.live.get(&io).is_some_and(LiveIo::is_over)
            && let Some(live) = self.remove(io)
        {
            out.io(live.io);
        }
    }

    /// If there are too many, gives the oldest as it is, those before the others that only wait for a bio.
    fn give_up_oldest(&mut self, out: &mut dyn Sink) {
        if self.live.len() < MOST {
            return;
        }
        let Some(&id) = self.returned.first().or(self.live.keys().next()) else { return };
        let Some(live) = self.remove(id) else { return };
        self.dirty.forget(id);
        self.counts.add(Oddity::IoGivenUp, 1);
        out.io(live.io);
    }

    fn remove(&mut self, io: IoId) -> Option<LiveIo> {
        self.returned.remove(&io);
        self.live.remove(&io)
    }
}

/// The file and the position in it of the first byte of a bio whose pages are a file's.
fn file_range(words: &RoleValues<'_>, page_shift: u8) -> Option<((u64, u64), u64)> {
    /// `PAGE_MAPPING_FLAGS`, include/linux/page-flags.h: the mapping of an anonymous page is something else.
    const FLAGS: u64 = 3;
    let mapping = words.get(Role::BioMapping).filter(|mapping| *mapping != 0 && mapping & FLAGS == 0);
    mapping?;
    let file = (words.get(Role::BioPageDev)?, words.get(Role::BioPageIno)?);
    let position = words.get(Role::BioIndex)?.checked_shl(page_shift.into())?;
    let from = position.checked_add(words.get(Role::BioOffset)?)?;
    (file.1 != 0 && from < LARGEST).then_some((file, from))
}

fn file_name(words: &RoleValues<'_>) -> String {
    let parts = [Role::FileName0, Role::FileName1, Role::FileName2, Role::FileName3];
    name_of_words(parts.into_iter().filter_map(|part| words.get(part)))
}

#[cfg(test)]
mod direct_tests;
#[cfg(test)]
mod tests;
