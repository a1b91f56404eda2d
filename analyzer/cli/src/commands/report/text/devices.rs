//! Totals by block device, as a tree: the physical ones first, what lies on each below it.

use crate::view::table::{Align, Table};
use crate::view::text::{self, Style};
use iotrace::analysis::report::Report;
use std::collections::BTreeMap;
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
    let heads = [
        ("device", Align::Left),
        ("dev", Align::Left),
        ("bios", Align::Right),
        ("bytes", Align::Right),
        ("passes on to", Align::Left),
    ];
    let names: BTreeMap<_, _> =
        report.device_totals.iter().map(|device| (device.dev, device.name.as_deref())).collect();
    let name = |dev: u64| text::device_name(names.get(&dev).copied().flatten(), dev);
    let mut table = Table::new(heads);
    for device in &report.device_totals {
        let on: Vec<_> = device.on.iter().map(|dev| name(*dev)).collect();
        let on = if on.is_empty() { "-".to_owned() } else { on.join(", ") };
        let place = format!("{}{}", "  ".repeat(device.depth), name(device.dev));
        let numbers = [device.bios.to_string(), text::bytes(device.bytes)];
        table.row([place, text::device(device.dev)].into_iter().chain(numbers).chain([on]));
    }
    table.write(out, style, "  ")?;
    let line = "below each device those that lie on it; a bio that was split counts once, one that is passed on once on \
                each device";
    writeln!(out, "  {}", style.faint(line))
}
