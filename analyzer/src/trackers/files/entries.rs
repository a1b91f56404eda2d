//! Entries of submission rings (io_uring) and asynchronous requests (libaio) that are under way.
//!
//! In: facts of their issue and completion. Out: which I/O an entry is, its name.

use crate::hash::Map;
use crate::model::IoId;
use crate::trackers::probes::RoleValues;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;
use std::sync::Arc;

/// `enum io_uring_op`, include/uapi/linux/io_uring.h, by number.
const RING: [&str; 63] = [
    "nop",
    "readv",
    "writev",
    "fsync",
    "read_fixed",
    "write_fixed",
    "poll_add",
    "poll_remove",
    "sync_file_range",
    "sendmsg",
    "recvmsg",
    "timeout",
    "timeout_remove",
    "accept",
    "async_cancel",
    "link_timeout",
    "connect",
    "fallocate",
    "openat",
    "close",
    "files_update",
    "statx",
    "read",
    "write",
    "fadvise",
    "madvise",
    "send",
    "recv",
    "openat2",
    "epoll_ctl",
    "splice",
    "provide_buffers",
    "remove_buffers",
    "tee",
    "shutdown",
    "renameat",
    "unlinkat",
    "mkdirat",
    "symlinkat",
    "linkat",
    "msg_ring",
    "fsetxattr",
    "setxattr",
    "fgetxattr",
    "getxattr",
    "socket",
    "uring_cmd",
    "send_zc",
    "sendmsg_zc",
    "read_multishot",
    "waitid",
    "futex_wait",
    "futex_wake",
    "futex_waitv",
    "fixed_fd_install",
    "ftruncate",
    "bind",
    "listen",
    "recv_zc",
    "epoll_wait",
    "readv_fixed",
    "writev_fixed",
    "pipe",
];

/// `IOCB_CMD_*`, include/uapi/linux/aio_abi.h.
const AIO: [(u64, &str); 6] =
    [(0, "pread"), (1, "pwrite"), (2, "fsync"), (3, "fdsync"), (7, "preadv"), (8, "pwritev")];

/// What is returned in place of a result by what will complete later (`EIOCBQUEUED`, include/linux/errno.h), or has to
/// be tried again (`EAGAIN`).
const LATER: [i64; 2] = [-529, -11];

/// Entries under way, by address.
#[derive(Debug, Default, Encode, Decode)]
pub struct Entries {
    open: Map<u64, IoId>,
}

impl Entries {
    /// The I/O of an entry that was issued before.
    pub fn get(&self, entry: u64) -> Option<IoId> {
        self.open.get(&entry).copied()
    }

    /// An entry is issued for the first time.
    pub fn begin(&mut self, entry: u64, io: IoId) {
        if self.open.len() >= super::live::MOST {
            self.open.clear();
        }
        self.open.insert(entry, io);
    }

    /// An entry is complete.
    pub fn end(&mut self, entry: u64) -> Option<IoId> {
        self.open.remove(&entry)
    }
}

/// What an entry asks for, by the words of its issue.
pub fn name(words: &RoleValues<'_>) -> Arc<str> {
    let opcode = words.get(Role::Opcode).unwrap_or(u64::MAX);
    let (family, known) = match words.get(Role::Iocb) {
        Some(_) => ("aio", AIO.iter().find(|(number, _)| *number == opcode).map(|(_, name)| *name)),
        None => ("io_uring", usize::try_from(opcode).ok().and_then(|at| RING.get(at).copied())),
    };
    known.map_or_else(|| format!("{family}_{opcode}"), |name| format!("{family}_{name}")).into()
}

/// Whether a request's count is that of the parts of its memory, not of bytes.
pub fn is_vectored(name: &str) -> bool {
    name.ends_with('v')
}

/// A result, unless it says that there will be one.
pub fn result(value: u64) -> Option<i64> {
    Some(value.cast_signed()).filter(|result| !LATER.contains(result))
}

/// Whether an operation of a ring completes by a call of its own, not when the one that issues it returns.
pub fn completes_itself(name: &str) -> bool {
    let operation = name.strip_prefix("io_uring_");
    operation.is_none_or(|operation| operation.starts_with("read") || operation.starts_with("write"))
}
