//! I/Os.

use super::{RecordTable, Row};
use crate::view::json::io::fd;
use crate::view::text;
use iotrace::analysis::records::RecordScope;
use iotrace::model::{Io, IoKind, IoTime};
use schemars::JsonSchema;
use serde::Serialize;

/// An I/O: what causes disk I/O, a system call, a page fault, or work of the kernel's own.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct IoRow<'a> {
    /// Number, from 1, in the order in which they began.
    io: u64,
    /// What it is.
    kind: IoKind,
    /// Name of the system call; page_fault; of the kernel's own work, the thread or the function.
    syscall: &'a str,
    /// Name of the task.
    comm: String,
    /// Thread id.
    pid: u32,
    /// Process id.
    tgid: u32,
    /// File descriptor.
    fd: Option<i32>,
    /// Last component of the file's name.
    file: Option<&'a str>,
    /// Inode number of the file.
    inode: Option<u64>,
    /// Device of the file system, major:minor.
    file_dev: Option<String>,
    /// Position in the file in bytes.
    position: Option<u64>,
    /// Bytes requested.
    bytes: Option<u64>,
    /// Bytes, or a negative error number.
    returned: Option<i64>,
    /// When it was entered.
    entry_clock: u64,
    /// When it was entered.
    entry_ns: Option<u64>,
    /// When it returned.
    return_clock: Option<u64>,
    /// When it returned.
    return_ns: Option<u64>,
    /// From entry to return.
    elapsed_ns: Option<u64>,
    /// Part of it in which its task slept while a device had a command.
    device_ns: Option<u64>,
    /// The rest of it.
    guest_ns: Option<u64>,
    /// Guest instructions of the call itself, without interrupts and other tasks.
    instructions: u64,
    /// Bios that were queued for it, or carried bytes of it.
    bios: usize,
    /// Bytes that it put into the page cache.
    cached: u64,
    /// Of these, bytes that bios carried.
    written: u64,
    /// Of these, bytes that a later I/O overwrote before they were written.
    overwritten: u64,
    /// Of these, bytes that were dropped before they were written.
    dropped: u64,
    /// Of an entry of a ring or an asynchronous request: the I/O that submitted it.
    submitter: Option<u64>,
    /// It was entered between the marks of the workload.
    in_workload: bool,
}

impl Row for IoRow<'_> {
    const TABLE: RecordTable = RecordTable::Ios;
}

impl<'a> IoRow<'a> {
    /// The row of an I/O.
    pub fn new(io: &'a Io, scope: &RecordScope) -> Self {
        let time = io.time(&scope.time).filter(|_| scope.time.is_virtual());
        Self {
            io: io.id,
            kind: io.kind,
            syscall: &io.syscall,
            comm: io.task.comm.to_string(),
            pid: io.task.pid,
            tgid: io.task.tgid,
            fd: fd(io),
            file: io.file.as_ref().map(|file| file.name.as_str()),
            inode: io.file.as_ref().map(|file| file.ino),
            file_dev: io.file.as_ref().map(|file| text::device(file.dev)),
            position: io.position,
            bytes: io.count,
            returned: io.returned,
            entry_clock: io.entered,
            entry_ns: scope.time.ns(io.entered),
            return_clock: io.left,
            return_ns: io.left.and_then(|left| scope.time.ns(left)),
            elapsed_ns: time.map(|time| time.elapsed),
            device_ns: time.map(|time| time.device),
            guest_ns: time.map(IoTime::guest),
            instructions: io.cost,
            bios: io.all_bios().len(),
            cached: io.cached,
            written: io.written,
            overwritten: io.overwritten,
            dropped: io.dropped,
            submitter: io.submitter,
            in_workload: io.in_workload,
        }
    }
}
