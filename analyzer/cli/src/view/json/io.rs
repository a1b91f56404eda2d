//! An I/O.

use super::common::{MomentJson, PartJson, SpanJson, TaskJson};
use super::list::List;
use super::values::{DeviceNumber, Hex};
use iotrace::model::{Carried, File, FilePlace, Io, IoKind, TimeMap};
use schemars::JsonSchema;
use serde::Serialize;

/// A file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileJson<'a> {
    /// Device of the file system.
    device: DeviceNumber,
    /// Inode number.
    ino: u64,
    /// Last component of its name, at most 32 bytes; empty if not known.
    name: &'a str,
}

impl<'a> From<&'a File> for FileJson<'a> {
    fn from(file: &'a File) -> Self {
        Self { device: DeviceNumber(file.dev), ino: file.ino, name: &file.name }
    }
}

/// A place in a file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FilePlaceJson<'a> {
    /// The file.
    file: FileJson<'a>,
    /// Position in bytes; null if not known.
    position: Option<u64>,
}

impl<'a> From<&'a FilePlace> for FilePlaceJson<'a> {
    fn from(place: &'a FilePlace) -> Self {
        Self { file: FileJson::from(&place.file), position: place.position }
    }
}

/// Bytes of an I/O that a bio carried out of the page cache.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CarriedJson {
    /// Number of the bio.
    bio: u64,
    /// First byte in the file.
    from: u64,
    /// Number of the I/O that wrote them.
    io: u64,
    /// One past the last byte in the file.
    to: u64,
}

/// Bytes as JSON.
pub fn carried(carried: &[Carried]) -> List<'_, CarriedJson> {
    List::new(carried.iter().map(|c| CarriedJson { bio: c.bio, from: c.from, io: c.io, to: c.to }))
}

/// File descriptors are signed, as `AT_FDCWD`.
pub fn fd(io: &Io) -> Option<i32> {
    io.fd.map(|fd| fd as u32 as i32)
}

/// An I/O: what causes disk I/O, a system call, a page fault, or work of the kernel's own.
#[derive(Debug, Serialize, JsonSchema)]
pub struct IoJson<'a> {
    /// Of a page fault: the address that was accessed.
    address: Option<Hex>,
    /// Numbers of the bios that were queued for it: in the system call, or by what it set going.
    bios: &'a [u64],
    /// Bytes that it put into the page cache.
    cached: u64,
    /// Bytes of it that bios carried out of the page cache.
    carried: List<'a, CarriedJson>,
    /// Bytes requested; null if the system call has no such argument.
    count: Option<u64>,
    /// The part of `elapsed` in which its task slept while a device had a command that completed before the task was woken;
    /// null if it had not returned when the trace ended. The rest is guest time.
    device_time: Option<PartJson>,
    /// Bytes put into the page cache that were dropped before they were written: the file was truncated or deleted.
    dropped: u64,
    /// Time from entry to return; null if it had not returned when the trace ended.
    elapsed: Option<SpanJson>,
    /// When the system call was entered.
    entry: MomentJson,
    /// File descriptor; null if the system call has none.
    fd: Option<i32>,
    /// The file; null if the call did not reach the VFS.
    file: Option<FileJson<'a>>,
    /// Number, from 1, in the order in which they began.
    id: u64,
    /// The system call was entered between the marks of the workload.
    in_workload: bool,
    /// Guest instructions of the system call itself, without interrupts and other tasks.
    instructions: u64,
    /// What it is.
    kind: IoKind,
    /// Bytes put into the page cache that a later I/O overwrote before they were written.
    overwritten: u64,
    /// Position in the file in bytes; null if not known.
    position: Option<u64>,
    /// When the system call returned; null if it had not when the trace ended.
    #[serde(rename = "return")]
    exit: Option<MomentJson>,
    /// Bytes, or a negative error number; null if it had not returned when the trace ended.
    return_value: Option<i64>,
    /// Of a call that copies from one file to another: what it reads.
    source: Option<FilePlaceJson<'a>>,
    /// Of an entry of a ring or an asynchronous request: number of the I/O that submitted it.
    submitter: Option<u64>,
    /// Name of the system call; page_fault; of an entry of a ring, io_uring_read; of the kernel's own work, the thread or the function.
    syscall: &'a str,
    /// The task that made the system call.
    task: TaskJson,
    /// Of an entry of a ring or an asynchronous request: the number that it was submitted with.
    user_data: Option<u64>,
    /// Another task that worked on it; null if there was none.
    worker: Option<TaskJson>,
    /// Bytes put into the page cache that no bio carried while the trace ran: still there, overwritten or dropped.
    unwritten: u64,
}

impl<'a> IoJson<'a> {
    pub fn new(io: &'a Io, time: &TimeMap) -> Self {
        Self {
            address: io.address.map(Hex),
            bios: &io.bios,
            cached: io.cached,
            carried: carried(&io.carried),
            count: io.count,
            device_time: io.left.map(|_| PartJson::new(time, |time| io.time(time))),
            dropped: io.dropped,
            elapsed: io.left.map(|left| SpanJson::new(time, io.entered, left)),
            entry: MomentJson::new(time, io.entered),
            fd: fd(io),
            file: io.file.as_ref().map(FileJson::from),
            id: io.id,
            in_workload: io.in_workload,
            instructions: io.cost,
            kind: io.kind,
            overwritten: io.overwritten,
            position: io.position,
            exit: io.left.map(|left| MomentJson::new(time, left)),
            return_value: io.returned,
            source: io.source.as_ref().map(FilePlaceJson::from),
            submitter: io.submitter,
            syscall: &io.syscall,
            task: TaskJson::from(&io.task),
            user_data: io.user_data,
            worker: io.worker.as_ref().map(TaskJson::from),
            unwritten: io.unwritten(),
        }
    }
}
