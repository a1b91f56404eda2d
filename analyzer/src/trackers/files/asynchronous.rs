//! Entries of rings and requests of libaio: each is an I/O, from its issue to its completion.
//!
//! In: facts of their issue and completion, the ends of the calls that process them. Out: [`BegunIo`]s; I/Os that are
//! over.

use super::entries;
use super::live::LiveIo;
use super::names::file_of;
use super::{FileState, FileTracker, LARGEST, int};
use crate::model::{CallEnd, Cause, FileCall, FileCallKind, IoId, IoKind};
use crate::trackers::fact::{BegunIo, EndFact, Fact};
use crate::trackers::sink::Sink;
use iotrace_format::role::Role;
use std::sync::Arc;

impl FileTracker {
    /// An entry of a ring, or an asynchronous request, is issued, perhaps once more by another task: an I/O of its own.
    pub fn entry_issued(&mut self, fact: &Fact<'_>, cause: &Cause, out: &mut dyn Sink) -> Option<BegunIo> {
        let roles = fact.roles;
        let entry = roles.get(Role::Entry).filter(|entry| *entry != 0)?;
        let known = self.entries.get(entry).filter(|io| self.live.get_mut(*io).is_some());
        let name = entries::name(roles);
        let id = match known {
            Some(io) => {
                self.current = io;
                io
            }
            None => {
                let io = self.begin(fact, IoKind::Entry, &name, out);
                self.entries.begin(entry, io);
                if let Some(LiveIo { io, .. }) = self.live.get_mut(io) {
                    (io.submitter, io.user_data) = (cause.io(), roles.get(Role::UserData));
                    io.fd = roles.get(Role::Fd).map(|fd| fd & u64::from(u32::MAX));
                    io.position = roles.get(Role::Position).filter(|at| *at <= LARGEST);
                    io.count = roles.get(Role::Count).filter(|_| !entries::is_vectored(&name));
                }
                io
            }
        };
        let task = fact.context.task();
        if let (None, Some(submitter)) = (known, roles.get(Role::Task).filter(|task| *task != 0))
            && let Some(live) = self.live.get_mut(id)
        {
            live.io.task = fact.context.tasks.get(submitter);
        }
        if let Some(LiveIo { io, .. }) = self.live.get_mut(id).filter(|live| live.io.task != task) {
            io.worker = Some(task);
        }
        self.calls.insert(fact, FileState::Entry(id, entry));
        Some(BegunIo { id, syscall: name, address: None })
    }

    /// An entry is complete.
    pub fn entry_complete(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let roles = fact.roles;
        let (Some(entry), Some(result)) = (roles.get(Role::Entry), roles.get(Role::Result)) else { return };
        let Some(result) = entries::result(result) else { return };
        let end = roles.get(Role::Position).filter(|at| *at <= LARGEST);
        let begin =
            self.entries.get(entry).and_then(|io| self.live.get_mut(io)).and_then(|io| io.io.position);
        // The last of several attempts returns what was left.
        let moved = end.zip(begin).and_then(|(end, begin)| end.checked_sub(begin));
        let all = moved.map_or(result, |moved| result.max(moved.cast_signed()));
        self.complete(entry, Some(if result < 0 { result } else { all }), fact.context.clock(), out);
    }

    pub(super) fn complete(&mut self, entry: u64, result: Option<i64>, clock: u64, out: &mut dyn Sink) {
        let Some(id) = self.entries.end(entry) else { return };
        let Some(LiveIo { io, .. }) = self.live.get_mut(id) else { return };
        io.left = Some(clock);
        io.returned = result.or(io.returned);
        self.live.set_returned(id);
        self.give_if_over(id, out);
    }

    /// The call ended in which an entry was processed.
    pub(super) fn processed(&mut self, (io, entry): (IoId, u64), call: &CallEnd, out: &mut dyn Sink) {
        let Some(live) = self.live.get_mut(io) else { return };
        live.io.cost = live.io.cost.saturating_add(call.total);
        let returned = call.returned.map(int);
        if self.entries.get(entry) != Some(io) || entries::completes_itself(&live.io.syscall) {
            return;
        }
        match returned.and_then(|value| entries::result(value.cast_unsigned())) {
            Some(0) => self.complete(entry, None, call.clock, out),
            Some(error) => self.complete(entry, Some(error), call.clock, out),
            None => {}
        }
    }

    /// A worker flushes a file for a request that was submitted before.
    pub(super) fn fsync_of_entry(&mut self, fact: &Fact<'_>, cause: &dyn Fn() -> Arc<Cause>) {
        if self.io_here(&fact.context).is_some() {
            return;
        }
        let live = cause().io().and_then(|io| self.live.get_mut(io));
        if let Some(LiveIo { io, .. }) = live.filter(|live| live.io.kind == IoKind::Entry) {
            io.file = io.file.take().or_else(|| file_of(fact.roles));
        }
    }

    /// What a call into the file system returned is the result of an entry that has none of its own.
    pub(super) fn file_call_ended(&mut self, end: &EndFact<'_>, call: FileCall) {
        if call.kind != FileCallKind::Fsync {
            return;
        }
        if let Some(live) = self.io_here(&end.context).filter(|live| live.io.kind == IoKind::Entry) {
            live.io.returned = end.call.returned.map(int);
        }
    }
}
