//! The table of I/Os.

use super::{Options, TimeUnit, unit};
use crate::view::cause::task;
use crate::view::text::{self, Align, Table};
use iotrace::analysis::report::Report;
use iotrace::model::Io;
use std::io::{self, Write};

/// Most bios of an I/O that a line names.
const NAMED: usize = 3;

/// Writes the I/Os, a line each; nothing if there are none.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    if report.io_count == 0 {
        return Ok(());
    }
    let title = super::title("I/Os", report.io_count, report);
    writeln!(out, "\n{}", options.style.heading(&title))?;
    let list = &report.ios;
    let unwritten = list.iter().any(|io| io.unwritten() > 0);
    let elapsed = unit(report, options) == TimeUnit::Ns;
    let columns = [
        ("I/O", Align::Right, true),
        ("call", Align::Left, true),
        ("task", Align::Left, true),
        ("fd", Align::Right, true),
        ("file", Align::Left, true),
        ("position", Align::Right, true),
        ("bytes", Align::Right, true),
        ("returned", Align::Right, true),
        ("bios", Align::Left, true),
        ("instructions", Align::Right, true),
        ("elapsed", Align::Right, elapsed),
        ("unwritten", Align::Right, unwritten),
    ];
    let mut table = Table::new(columns.iter().filter(|c| c.2).map(|(head, align, _)| (*head, *align)));
    for io in list {
        let cells = row(io, report).into_iter().zip(&columns);
        table.row(cells.filter(|(_, column)| column.2).map(|(cell, _)| cell));
    }
    table.write(out, options.style, "  ")?;
    super::more(out, report.io_count, list.len())?;
    writeln!(out, "{}", options.style.faint(&legend(elapsed, unwritten)))
}

fn legend(elapsed: bool, unwritten: bool) -> String {
    let mut line = "  file: name(inode); instructions of the call itself".to_owned();
    if elapsed {
        line.push_str("; elapsed: µs of virtual time");
    }
    if unwritten {
        line.push_str("; unwritten: bytes that no bio carried, still in the page cache or overwritten");
    }
    line
}

/// What an I/O is: number, call, task, file descriptor, file, position, bytes.
pub(in crate::view) fn what(io: &Io) -> [String; 7] {
    [
        io.id.to_string(),
        text::plain(&io.syscall),
        task(&io.task),
        number(io.fd.map(|fd| fd as u32 as i32)),
        file(io),
        number(io.position),
        number(io.count),
    ]
}

fn row(io: &Io, report: &Report) -> [String; 12] {
    let [id, call, task, fd, file, position, bytes] = what(io);
    [
        id,
        call,
        task,
        fd,
        file,
        position,
        bytes,
        number(io.returned),
        bios(io),
        text::grouped(io.cost),
        io.left.map_or_else(|| "-".to_owned(), |left| text::micros_span(&report.time, io.entered, left)),
        match io.unwritten() {
            0 => String::new(),
            bytes => bytes.to_string(),
        },
    ]
}

/// A number that may not be known.
pub fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Name and inode number of an I/O's file.
pub fn file(io: &Io) -> String {
    let Some(file) = &io.file else { return "-".to_owned() };
    format!("{}({})", text::plain(&file.name), file.ino)
}

fn bios(io: &Io) -> String {
    let all = io.all_bios();
    let named: Vec<_> = all.iter().take(NAMED).map(|bio| format!("#{bio}")).collect();
    let more = if all.len() > NAMED { format!(" +{}", all.len() - NAMED) } else { String::new() };
    if all.is_empty() { "-".to_owned() } else { format!("{}{more}", named.join(" ")) }
}
