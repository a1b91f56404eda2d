//! I/Os: system calls, the files they are about, the bytes they put into the page cache, and the bios that
//! came of them.

use super::pages::Dirty;
use super::probes::RoleValues;
use super::{Oddity, Open, Sink, Stitcher};
use crate::model::{
    Bio, CallEnd, Carried, File, FileCall, FileCallKind, Io, IoId, Level, OpName, name_of_words,
};
use iotrace_format::definition::Layout;
use iotrace_format::event::Event;
use iotrace_format::role::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Largest position in a file (`MAX_LFS_FILESIZE`): what is beyond was read through a stale pointer.
const LARGEST: u64 = i64::MAX as u64;

/// Most I/Os that may be under way, or have bytes that no bio has carried: those of a file in memory never are.
pub const MOST: usize = 1 << 16;

/// An I/O under way, or whose bytes are not written yet.
#[derive(Debug)]
struct Live {
    io: Io,
    /// Bytes of it that bios carried.
    carried: u64,
}

impl Live {
    /// It has returned, and none of its bytes are left in the page cache.
    fn is_over(&self) -> bool {
        self.io.left.is_some() && self.carried >= self.io.cached
    }
}

/// I/Os under way, or whose bytes are not written yet.
#[derive(Debug, Default)]
pub struct Ios {
    live: BTreeMap<IoId, Live>,
    /// Those among them that have returned.
    returned: BTreeSet<IoId>,
    dirty: Dirty,
    last: IoId,
    layout: Layout,
}

impl Ios {
    /// How the guest's kernel lays out its memory.
    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    fn remove(&mut self, io: IoId) -> Option<Live> {
        self.returned.remove(&io);
        self.live.remove(&io)
    }
}

impl Stitcher {
    pub(super) fn syscall(&mut self, event: &Event<'_>, words: &RoleValues<'_>, out: &mut dyn Sink) -> Open {
        self.give_up_oldest(out);
        self.ios.last += 1;
        let name = words.syscall();
        let io = Io {
            id: self.ios.last,
            syscall: Rc::clone(&name),
            call: Some(self.calls.next()),
            task: self.tasks.get(event.task),
            fd: words.any([Role::RegistersFd, Role::Fd]).map(|fd| fd & u64::from(u32::MAX)),
            file: None,
            position: words.any([Role::RegistersPosition, Role::Position]).filter(|_| name.starts_with('p')),
            count: words.any([Role::RegistersCount, Role::Count]),
            returned: None,
            entered: event.clock,
            left: None,
            cost: 0,
            bios: Vec::new(),
            cached: 0,
            carried: Vec::new(),
            in_workload: self.workload,
        };
        let id = io.id;
        self.ios.live.insert(id, Live { io, carried: 0 });
        Open::Syscall { io: id, name }
    }

    /// The I/O whose system call is open here.
    fn io_here(&mut self, event: &Event<'_>) -> Option<&mut Live> {
        if Level::of(event.context) != Level::Task {
            return None;
        }
        let io = self.calls.open(event).iter().rev().find_map(|frame| match frame.data {
            Open::Syscall { io, .. } => Some(io),
            _ => None,
        })?;
        self.ios.live.get_mut(&io)
    }

    pub(super) fn vfs(&mut self, event: &Event<'_>, words: &RoleValues<'_>, kind: FileCallKind) -> Open {
        let call = FileCall {
            kind,
            clock: event.clock,
            ino: words.get(Role::FileIno).unwrap_or(0),
            dev: words.get(Role::FileDev).unwrap_or(0),
            count: words.get(Role::Count),
            // A null `pos` (a stream) reads as 0 as well; the count of such files never reaches a disk.
            position: words.get(Role::PositionValue),
        };
        if let Some(Live { io, .. }) = self.io_here(event) {
            let file = File { ino: call.ino, dev: call.dev, name: file_name(words) };
            io.file.get_or_insert(file);
            io.position = io.position.or(call.position);
            io.count = io.count.or(call.count);
        }
        Open::Vfs(Box::new(call))
    }

    pub(super) fn cache_write(&mut self, event: &Event<'_>, words: &RoleValues<'_>) {
        let file = (
            words.any([Role::IocbDev, Role::MappingDev]).unwrap_or(0),
            words.any([Role::IocbIno, Role::MappingIno]).unwrap_or(0),
        );
        let (Some(from), Some(count)) = (
            words.any([Role::IocbPosition, Role::Position]),
            words.any([Role::IterCount, Role::Length]).map(|len| len & u64::from(u32::MAX)),
        ) else {
            return self.word_missing();
        };
        let Some(Live { io, .. }) = self.io_here(event) else { return };
        let to = from.saturating_add(count).min(LARGEST);
        io.cached = io.cached.saturating_add(to.saturating_sub(from));
        // What an appending call writes, and where, is known only here.
        io.position = io.position.filter(|_| &*io.syscall != "write").or(Some(from));
        let id = io.id;
        self.ios.dirty.write(file, from, to, id);
    }

    pub(super) fn syscall_left(&mut self, call: &CallEnd, io: IoId, out: &mut dyn Sink) {
        let Some(Live { io: live, .. }) = self.ios.live.get_mut(&io) else { return };
        live.left = Some(call.clock);
        live.cost = call.total;
        live.returned = call.returned.map(|value| value.cast_signed());
        self.ios.returned.insert(io);
        self.give_io(io, out);
    }

    /// Notes for whom a bio was queued and whose bytes it carries.
    pub(super) fn attribute(
        &mut self,
        event: &Event<'_>,
        words: &RoleValues<'_>,
        bio: &mut Bio,
        out: &mut dyn Sink,
    ) {
        let cause = self.cause(event);
        if let Some(live) = cause.io().and_then(|io| self.ios.live.get_mut(&io)) {
            live.io.bios.push(bio.id);
        }
        bio.cause = Some(cause);
        let Some((file, from)) =
            file_range(words, self.ios.layout.page_shift).filter(|_| bio.op.name == OpName::Write)
        else {
            return;
        };
        let taken = self.ios.dirty.take(file, from, from.saturating_add(bio.bytes));
        for (io, from, to) in taken {
            let carried = Carried { io, bio: bio.id, from, to };
            bio.carries.push(carried);
            if let Some(live) = self.ios.live.get_mut(&io) {
                live.io.carried.push(carried);
                live.carried = live.carried.saturating_add(to - from);
            }
            self.give_io(io, out);
        }
    }

    /// Gives an I/O that is over and has no bytes left in the page cache.
    fn give_io(&mut self, io: IoId, out: &mut dyn Sink) {
        if self.ios.live.get(&io).is_some_and(Live::is_over)
            && let Some(live) = self.ios.remove(io)
        {
            out.io(live.io);
        }
    }

    /// If there are too many, gives the oldest as it is, those before the others that only wait for a bio.
    fn give_up_oldest(&mut self, out: &mut dyn Sink) {
        if self.ios.live.len() < MOST {
            return;
        }
        let Some(&id) = self.ios.returned.first().or(self.ios.live.keys().next()) else { return };
        let Some(live) = self.ios.remove(id) else { return };
        self.ios.dirty.forget(id);
        self.counts.add(Oddity::IoGivenUp, 1);
        out.io(live.io);
    }

    pub(super) fn finish_ios(&mut self, out: &mut dyn Sink) {
        std::mem::take(&mut self.ios.live).into_values().for_each(|live| out.io(live.io));
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
