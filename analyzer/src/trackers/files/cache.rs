//! Bytes that come into the page cache and leave it, other than in bios.
//!
//! In: facts of writes, of mappings made writable, of truncations. Out: what I/Os have put there, and what became of it.

use super::names::{iocb_file, key_of};
use super::pages::{FileKey, Piece};
use super::{FileState, FileTracker, LARGEST, int};
use crate::model::{Cause, IoId};
use crate::trackers::counts::Oddity;
use crate::trackers::fact::Fact;
use crate::trackers::probes::RoleValues;
use crate::trackers::sink::Sink;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;
use std::sync::Arc;

/// Bytes that are being copied into the page cache.
#[derive(Debug, Encode, Decode)]
pub struct CacheWrite {
    io: IoId,
    file: FileKey,
    from: u64,
    to: u64,
    /// What other I/Os had there.
    replaced: Vec<Piece>,
}

impl FileTracker {
    pub(super) fn cache_write(
        &mut self,
        fact: &Fact<'_>,
        cause: &dyn Fn() -> Arc<Cause>,
        out: &mut dyn Sink,
    ) {
        let roles = fact.roles;
        // Of these, `unsigned int` are the lower halves of registers.
        let half = |role| roles.get(role).map(|value| value & u64::from(u32::MAX));
        let count = half(Role::Copied).or_else(|| roles.get(Role::IterCount)).or_else(|| half(Role::Length));
        let place = (key_of(roles), roles.any([Role::IocbPosition, Role::Position]), count);
        let (Some(file), Some(from), Some(count)) = place else {
            self.counts.add(Oddity::WordMissing, 1);
            return;
        };
        let to = from.saturating_add(count).min(LARGEST);
        if from > LARGEST {
            return;
        }
        let Some(io) = self.io_of(fact, cause, out) else { return };
        if let Some(live) = self.live.get_mut(io) {
            live.io.file = live.io.file.take().or_else(|| iocb_file(roles));
            live.settle(file, from);
        }
        let replaced = self.live.write(file, from, to, io);
        let says_bytes = roles.get(Role::Copied).is_some() || roles.get(Role::IterCount).is_some();
        if says_bytes && fact.call.is_some() {
            let write = CacheWrite { io, file, from, to, replaced };
            self.calls.insert(fact, FileState::Write(Box::new(write)));
        } else {
            self.give_all_if_over(&replaced, out);
        }
    }

    /// Bytes were copied into the page cache, perhaps fewer than requested: only now is what they replaced gone for good.
    /// Without a returned value, all were.
    pub(super) fn copied(&mut self, write: &CacheWrite, returned: Option<u64>, out: &mut dyn Sink) {
        if let Some(returned) = returned {
            self.trim(write, returned);
        }
        self.give_all_if_over(&write.replaced, out);
        self.give_if_over(write.io, out);
    }

    fn trim(&mut self, write: &CacheWrite, returned: u64) {
        // Below zero it is an error. Only a function that returns more than an int can have copied more.
        let bytes = write.to.saturating_sub(write.from);
        let is_int = bytes <= u64::from(u32::MAX);
        let returned = if is_int { int(returned) } else { returned.cast_signed() };
        let copied = u64::try_from(returned).unwrap_or(0).min(bytes);
        self.live.unwrite(write.file, (write.from + copied, write.to), write.io, &write.replaced);
        self.live.rewrite(write.file, (write.from, write.from + copied), write.io);
    }

    /// Pages of a shared mapping are made writable: from here on they are dirty, up to the end of the file.
    pub(super) fn cache_map(&mut self, fact: &Fact<'_>, cause: &dyn Fn() -> Arc<Cause>, out: &mut dyn Sink) {
        let (roles, shift) = (fact.roles, self.layout.page_shift);
        if !makes_writable(roles) {
            return;
        }
        let inode = roles.get(Role::FaultDev).zip(roles.get(Role::FaultIno));
        let (page, pages) = mapped_pages(roles, shift);
        let page = page.and_then(|page| page.checked_mul(1 << shift));
        let (Some(file), Some(from)) = (inode, page.filter(|from| *from < LARGEST)) else {
            self.counts.add(Oddity::WordMissing, 1);
            return;
        };
        let Some(io) = self.io_of(fact, cause, out) else { return };
        let size = roles.get(Role::FaultSize).unwrap_or(LARGEST);
        let to = from.saturating_add(pages.saturating_mul(1 << shift)).min(size).min(LARGEST);
        let replaced = self.live.write(file, from, to, io);
        self.give_all_if_over(&replaced, out);
    }

    pub(super) fn cache_drop(&mut self, fact: &Fact<'_>, out: &mut dyn Sink) {
        let roles = fact.roles;
        let (Some(file), Some(from)) = (key_of(roles), roles.get(Role::FirstByte)) else {
            self.counts.add(Oddity::WordMissing, 1);
            return;
        };
        let length = roles.get(Role::Length).map(|length| from.saturating_add(length));
        let to = length.unwrap_or_else(|| roles.get(Role::LastByte).unwrap_or(u64::MAX).saturating_add(1));
        for io in self.live.discard(file, from.min(LARGEST), to.min(LARGEST)) {
            self.give_if_over(io, out);
        }
    }
}

/// Whether pages that are mapped can be written to from here on, and the file with them; a function that does not tell
/// is called only if so.
fn makes_writable(roles: &RoleValues<'_>) -> bool {
    /// `FAULT_FLAG_WRITE`, include/linux/mm_types.h.
    const WRITE: u64 = 1;
    /// `VM_SHARED`, include/linux/mm.h.
    const SHARED: u64 = 8;
    let is_set = |role, flag| roles.get(role).is_none_or(|flags| flags & flag != 0);
    let is_asked = roles.get(Role::PageCount).is_some();
    !is_asked || is_set(Role::FaultFlags, WRITE) && is_set(Role::FaultMapping, SHARED)
}

/// The first page of the file that a fault maps, and how many.
fn mapped_pages(roles: &RoleValues<'_>, shift: u8) -> (Option<u64>, u64) {
    let faulted = roles.get(Role::FaultPage);
    let (Some(pages), Some(first)) = (roles.get(Role::PageCount), roles.get(Role::Address)) else {
        return (faulted, 1);
    };
    let before = roles.get(Role::FaultAddress).map(|at| (at >> shift).wrapping_sub(first >> shift));
    let page = faulted.zip(before).and_then(|(page, before)| page.checked_sub(before));
    (page, pages & u64::from(u32::MAX))
}
