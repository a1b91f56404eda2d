//! The table of I/Os.

use super::{Options, TimeUnit, unit};
use crate::view::io::{number, what};
use crate::view::table::{self, Align, Table};
use crate::view::text;
use iotrace::analysis::report::Report;
use iotrace::model::Io;
use std::io::{self, Write};

/// Columns that a narrow terminal does without, the first to go first.
const DROPPED: [&str; 9] =
    ["position", "fd", "returned", "unwritten", "bios", "task", "in call", "bytes", "device"];

/// What the columns of [`times`] are.
pub(super) const TIMES: &str = "elapsed: µs of virtual time from call to return; device: part of it in which the task slept \
                                while a device had a command that completed before the task was woken; guest: the rest";

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
        ("in call", Align::Right, true),
        ("guest", Align::Right, elapsed),
        ("device", Align::Right, elapsed),
        ("elapsed", Align::Right, elapsed),
        ("unwritten", Align::Right, unwritten),
    ];
    let table = Table::new(columns.iter().filter(|c| c.2).map(|(head, align, _)| (*head, *align)));
    let mut table = table.flexible("file").dropping(DROPPED);
    for io in list {
        let cells = row(io, report).zip(&columns);
        table.row(cells.filter(|(_, column)| column.2).map(|(cell, _)| cell));
    }
    table.write(out, options.style, "  ")?;
    table::more(out, report.io_count, list.len())?;
    writeln!(out, "  {}", options.style.faint(&legend(elapsed, unwritten)))
}

fn legend(elapsed: bool, unwritten: bool) -> String {
    let mut line =
        "file: name(inode); in call: instructions of the calling task between call and return, without \
                    interrupts and other tasks"
            .to_owned();
    if elapsed {
        line.push_str("; ");
        line.push_str(TIMES);
    }
    if unwritten {
        line.push_str("; unwritten: bytes in the page cache that no bio of this trace carried");
    }
    line
}

fn row(io: &Io, report: &Report) -> impl Iterator<Item = String> {
    let cells = what(io).into_iter().chain([number(io.returned), bios(io), text::grouped(io.cost)]);
    let unwritten = match io.unwritten() {
        0 => String::new(),
        bytes => bytes.to_string(),
    };
    cells.chain(times(io, report)).chain([unwritten])
}

/// Guest time, device time, and time from call to return.
pub(super) fn times(io: &Io, report: &Report) -> [String; 3] {
    let cell = text::time_cell(&report.time, text::micros);
    let parts = io.time(&report.time).map(|time| [time.guest(), time.device, time.elapsed].map(cell));
    parts.unwrap_or_else(|| ["-"; 3].map(str::to_owned))
}

fn bios(io: &Io) -> String {
    let all = io.all_bios();
    let named: Vec<_> = all.iter().take(NAMED).map(|bio| format!("#{bio}")).collect();
    let more = if all.len() > NAMED { format!(" +{}", all.len() - NAMED) } else { String::new() };
    if all.is_empty() { "-".to_owned() } else { format!("{}{more}", named.join(" ")) }
}
