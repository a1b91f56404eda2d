//! The summary as text: at most 24 lines of 80 columns; and the full tables.

mod page;

use super::json::name;
use crate::view::table::{Align, Table};
use crate::view::text::{Style, grouped, micros, plain, time_cell};
use crate::view::wrap::WrapWriter;
use iotrace::analysis::breakdown::{Breakdown, BreakdownBy};
pub use page::{anomalies, counts, recorded, write_summary};
use std::io::{self, Write};

/// What `own` and `total` of a table are.
fn meaning(by: BreakdownBy) -> &'static str {
    match by {
        BreakdownBy::Function => "own: instructions in it alone; total: with what it called",
        BreakdownBy::Layer => "own: instructions in its functions alone; total: with what they called",
        BreakdownBy::Task => {
            "own: instructions of the task; total: with those of interrupts and softirqs meanwhile"
        }
        BreakdownBy::File => "of I/Os from call to return; own: guest time; total: with device time",
        BreakdownBy::Device => {
            "of bios; own: time in which the device had a command; total: from queue to end"
        }
        BreakdownBy::Wait => "own: until woken; total: until the task ran again",
        BreakdownBy::Stage => "of bios; own: since the stage before; total: since the bio was queued",
    }
}

/// A full table.
///
/// # Errors
/// Those of `out`.
pub fn write_table(out: &mut dyn Write, found: &Breakdown, by: BreakdownBy, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    let is_time = !by.counts_instructions() && found.time.is_virtual();
    let time = time_cell(&found.time, micros);
    let cell = |value: u64| if is_time { time(value) } else { grouped(value) };
    let rows = found.rows(by);
    let whole: u64 = rows.iter().map(|row| row.own).sum();
    writeln!(out, "{}", style.heading(format!("By {}", name(by))))?;
    let unit = if is_time { "µs" } else { "instructions" };
    let heads = ["count".to_owned(), format!("own {unit}"), "own %".to_owned(), format!("total {unit}")];
    let heads =
        heads.into_iter().map(|head| (head, Align::Right)).chain([(name(by).to_owned(), Align::Left)]);
    let mut table = Table::new(heads);
    for row in rows {
        let share = share(row.own, whole);
        table.row([grouped(row.count), cell(row.own), share, cell(row.total), plain(&row.name)]);
    }
    let sum = if whole > 0 { "100.00" } else { "-" };
    table.row([String::new(), cell(whole), sum.to_owned(), String::new(), "(sum)".to_owned()]);
    table.write(out, style, "  ")?;
    writeln!(out, "  {}", style.faint(meaning(by)))
}

/// A part of a whole in percent.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.2}", part as f64 * 100.0 / whole as f64) }
}
