//! An I/O: what causes disk I/O, a system call, a page fault, or work of the kernel's own.

use super::{BioId, CallId, Task, TimeMap};
use bincode::{Decode, Encode};
use serde::Serialize;
use std::sync::Arc;

/// Number of an I/O: from 1, in the order in which they began.
pub type IoId = u64;

/// What a page fault is called, where system calls have their names.
pub const PAGE_FAULT: &str = "page_fault";

/// What an I/O is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IoKind {
    /// A system call that reads, writes or flushes, by its nature.
    #[default]
    Syscall,
    /// Another system call: an I/O only if it caused disk I/O.
    OtherSyscall,
    /// A page fault.
    Fault,
    /// Work of the kernel's own: a thread, a work item, a timer.
    Kernel,
    /// An entry of a submission ring, or an asynchronous request.
    Entry,
}

/// A file, as far as an I/O needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct File {
    /// Inode number.
    pub ino: u64,
    /// `dev_t` of the file system.
    pub dev: u64,
    /// Last part of its name, its first 32 bytes; empty if not known.
    pub name: String,
    /// Its bytes are on a disk: its file system needs one or is in a network, or it is one.
    pub on_disk: bool,
}

/// A place in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct FilePlace {
    /// The file.
    pub file: File,
    /// Position in bytes.
    pub position: Option<u64>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Io {
    /// Number.
    pub id: IoId,
    /// What it is.
    pub kind: IoKind,
    /// Name of the system call, `pwrite`; `page_fault`; of the kernel's own work, the thread or the function.
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
    /// Of a call that copies from one file to another: what it reads.
    pub source: Option<FilePlace>,
    /// Of a page fault: the address that was accessed.
    pub address: Option<u64>,
    /// Of an entry of a ring and an asynchronous request: the system call that submitted it.
    pub submitter: Option<IoId>,
    /// The number that it was submitted with, for the task to recognize it by.
    pub user_data: Option<u64>,
    /// Another task that worked on it.
    pub worker: Option<Task>,
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
    /// When its tasks slept while a device had a command of it, in instructions; by time, apart from one another.
    pub device: Vec<(u64, u64)>,
    /// Bios that were queued for it: in the call, or by what the call set going.
    pub bios: Vec<BioId>,
    /// Bytes that it put into the page cache.
    pub cached: u64,
    /// Of these, bytes that a later I/O overwrote before they were written.
    pub overwritten: u64,
    /// Of these, bytes that were dropped before they were written: the file was truncated or deleted.
    pub dropped: u64,
    /// Of these, bytes that bios carried.
    pub written: u64,
    /// Bytes of it that bios carried; those that several copies of a bio carried, several times.
    pub carried: Vec<Carried>,
    /// Entered between the marks of the workload.
    pub in_workload: bool,
}

/// The time of an I/O from its call to its return: virtual nanoseconds, or instructions if there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct IoTime {
    /// All of it.
    pub elapsed: u64,
    /// The part in which its tasks slept while a device had a command of it: its length depends on the recording host,
    /// unless the disk answers at once.
    pub device: u64,
}

impl IoTime {
    /// From one clock to another, with a device at work in these spans, which are apart from one another.
    #[must_use]
    pub fn new(time: &TimeMap, (from, to): (u64, u64), device: &[(u64, u64)]) -> Self {
        let elapsed = time.length(from, to);
        Self { elapsed, device: time.length_within(device, from, to).min(elapsed) }
    }

    /// What is not the device's.
    #[must_use]
    pub fn guest(self) -> u64 {
        self.elapsed - self.device
    }
}

impl Io {
    /// Its time; none if it has not returned.
    #[must_use]
    pub fn time(&self, time: &TimeMap) -> Option<IoTime> {
        Some(IoTime::new(time, (self.entered, self.left?), &self.device))
    }

    /// How long its tasks slept from one clock to another while a device had a command of it: virtual nanoseconds, or
    /// instructions if there are none.
    #[must_use]
    pub fn device_within(&self, time: &TimeMap, from: u64, to: u64) -> u64 {
        time.length_within(&self.device, from, to)
    }

    /// Bytes put into the page cache that no bio carried while the trace ran: still there, overwritten or dropped.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.cached.saturating_sub(self.written)
    }

    /// Bios that were queued for it or carried bytes of it, by number.
    #[must_use]
    pub fn all_bios(&self) -> Vec<BioId> {
        let mut all: Vec<_> = self.bios.iter().copied().chain(self.carried.iter().map(|c| c.bio)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A task requested it: not work of the kernel's own.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.kind != IoKind::Kernel
    }

    /// It caused disk I/O, or left bytes in the page cache for it.
    #[must_use]
    pub fn caused_disk_io(&self) -> bool {
        self.cached > 0 || !self.bios.is_empty() || !self.carried.is_empty()
    }

    /// It is an I/O: a system call for data, an entry of an I/O ring, or whatever caused disk I/O. Any other system call or
    /// page fault is followed like one until it is over, since it may still cause disk I/O.
    #[must_use]
    pub fn is_io(&self) -> bool {
        matches!(self.kind, IoKind::Syscall | IoKind::Entry) || self.caused_disk_io()
    }

    /// It concerns a disk: it reads or writes a file on one, it syncs, or it caused disk I/O.
    #[must_use]
    pub fn concerns_a_disk(&self) -> bool {
        if matches!(self.kind, IoKind::Syscall | IoKind::Entry) {
            let on_disk = self.file.as_ref().is_some_and(|file| file.on_disk);
            let from_disk = self.source.as_ref().is_some_and(|source| source.file.on_disk);
            return on_disk || from_disk || self.caused_disk_io() || self.syscall.contains("sync");
        }
        self.caused_disk_io()
    }
}
