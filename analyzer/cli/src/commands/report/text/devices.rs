//! Totals by block device: what a driver has first, then what lies on it.

use crate::view::table::{Align, Table};
use crate::view::text::{self, Style};
use iotrace::analysis::report::Report;
use std::io::{self, Write};

/// Writes them; nothing of a single device.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    if report.device_totals.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("Devices"))?;
    let heads =
        [("dev", Align::Left), ("bios", Align::Right), ("bytes", Align::Right), ("passes on to", Align::Left)];
    let mut table = Table::new(heads);
    for device in &report.device_totals {
        let on: Vec<_> = device.on.iter().map(|dev| text::device(*dev)).collect();
        let on = if on.is_empty() { "-".to_owned() } else { on.join(", ") };
        table.row([text::device(device.dev), device.bios.to_string(), text::bytes(device.bytes), on]);
    }
    table.write(out, style, "  ")?;
    let line = "those with requests first; a bio that was split counts once, one that is passed on once on each device";
    writeln!(out, "  {}", style.faint(line))
}
