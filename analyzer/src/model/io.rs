//! An I/O: what a task asked for with one system call.

use super::{BioId, CallId, Task};
use bincode::{Decode, Encode};
use serde::Serialize;
use std::sync::Arc;

/// Number of an I/O: from 1, in the order in which the system calls were entered.
pub type IoId = u64;

/// A file, as far as an I/O needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct File {
    /// Inode number.
    pub ino: u64,
    /// `dev_t` of the file system.
    pub dev: u64,
    /// Last part of its name, its first 32 bytes; empty if not known.
    pub name: String,
}

/// Bytes of an I/O that a bio carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Carried {
    /// The I/O that wrote them.
    pub io: IoId,
    /// The bio.
    pub bio: BioId,
    /// First byte in the file.
    pub from: u64,
    /// One past the last byte.
    pub to: u64,
}

/// An I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Io {
    /// Number.
    pub id: IoId,
    /// Name of the system call, `pwrite`.
    pub syscall: Arc<str>,
    /// The call of it.
    pub call: Option<CallId>,
    /// Who asked.
    pub task: Task,
    /// File descriptor.
    pub fd: Option<u64>,
    /// The file, once the call has reached the VFS.
    pub file: Option<File>,
    /// Position in the file, in bytes.
    pub position: Option<u64>,
    /// Bytes asked for.
    pub count: Option<u64>,
    /// What it returned: bytes, or an error below zero; none while it is under way.
    pub returned: Option<i64>,
    /// When the system call was entered, in instructions.
    pub entered: u64,
    /// When it returned, in instructions.
    pub left: Option<u64>,
    /// Instructions of the system call itself, without interrupts and other tasks.
    pub cost: u64,
    /// Bios that were queued for it: in the call, or by what the call set going.
    pub bios: Vec<BioId>,
    /// Bytes that it put into the page cache.
    pub cached: u64,
    /// Bytes of it that bios carried.
    pub carried: Vec<Carried>,
    /// Entered between the marks of the workload.
    pub in_workload: bool,
}

impl Io {
    /// Bytes put into the page cache that no bio carried while the trace ran: still there, or overwritten.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.carried.iter().fold(self.cached, |left, carried| left.saturating_sub(carried.to - carried.from))
    }

    /// Bios that were queued for it or carried bytes of it, by number.
    #[must_use]
    pub fn all_bios(&self) -> Vec<BioId> {
        let mut all: Vec<_> = self.bios.iter().copied().chain(self.carried.iter().map(|c| c.bio)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// It concerns a disk: its file is on one, it syncs, or bios were queued for it.
    #[must_use]
    pub fn concerns_a_disk(&self) -> bool {
        let on_disk = self.file.as_ref().is_some_and(|file| super::major_minor(file.dev).0 != 0);
        on_disk || !self.bios.is_empty() || self.syscall.contains("sync")
    }
}
