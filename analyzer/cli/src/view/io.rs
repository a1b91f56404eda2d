//! What an I/O is, as the cells of a table and in one line.

use super::cause::task;
use super::text::{self, plain};
use iotrace::model::{Bio, Carried, Io};

/// What an I/O is: number, call, task, file descriptor, file, position, bytes.
pub fn what(io: &Io) -> [String; 7] {
    [
        io.id.to_string(),
        plain(&io.syscall),
        task(&io.task),
        number(io.fd.map(|fd| fd as u32 as i32)),
        file(io),
        number(io.position),
        number(io.count),
    ]
}

/// A number that may not be known.
pub fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Name and inode number of an I/O's file.
pub fn file(io: &Io) -> String {
    let Some(file) = &io.file else { return "-".to_owned() };
    format!("{}({})", plain(&file.name), file.ino)
}

/// What a bio does, and where: operation, device, sectors.
#[must_use]
pub fn extent(bio: &Bio) -> String {
    let device = text::device_name(bio.device.as_deref(), bio.dev);
    format!("{} {device} sector {} + {}", bio.op.rwbs(), bio.sector, bio.bytes / 512)
}

/// The bytes of an I/O that a bio carried: the first and the last of them in the file.
#[must_use]
pub fn carried_bytes(carried: &Carried) -> String {
    let last = carried.to.saturating_sub(1);
    format!("bytes {} to {last} of the file, written by I/O #{}", carried.from, carried.io)
}

/// An I/O in one line.
#[must_use]
pub fn io_line(io: &Io) -> String {
    let mut line = format!("I/O #{}: {} by {}/{}", io.id, io.syscall, io.task.comm, io.task.pid);
    if let Some(fd) = io.fd {
        line += &format!(", fd {fd}");
    }
    if let Some(file) = &io.file {
        line += &format!(", {} (inode {} on {})", plain(&file.name), file.ino, text::device(file.dev));
    }
    if let Some(count) = io.count {
        let at = io.position.map(|at| format!(" at {at}")).unwrap_or_default();
        line += &format!(", {count} bytes{at}");
    }
    if let Some(returned) = io.returned {
        line += &format!(", returned {returned}");
    }
    line
}
