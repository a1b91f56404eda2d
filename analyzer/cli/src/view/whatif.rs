//! What the workload would take on another device: I/Os, operations, disks, and what is assumed.

pub use super::json::write_whatif as write_json;
use super::report::ios;
use super::text::{self, Align, Style, Table, micros};
use iotrace::analysis::spread::PercentileSummary;
use iotrace::analysis::whatif::{DeviceChange, IoChange, OpChange, TimeChange, WhatIf};
use iotrace::model::OpName;
use std::io::{self, Write};

/// What holds whatever was counted.
pub(super) const ASSUMED: [&str; 2] = [
    "the guest executes the same instructions in the same order; only the time in which it sleeps changes",
    "each disk is a device of its own; a request beyond its depth begins when one of those in service ends, first come first served",
];

/// What nobody can read from a recording.
pub(super) const UNKNOWN: &str = "not known, and not in it: merging, batching, plugging and scheduling that a device with other times would lead to, \
     other orders of completion, timeouts, and what timers would do meanwhile";

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, whatif: &WhatIf, style: Style) -> io::Result<()> {
    let scope = if whatif.marked { "the workload" } else { "the whole trace" };
    writeln!(out, "{}", style.heading(format!("On a device of {}", whatif.model)))?;
    let TimeChange { recorded, modelled } = whatif.total;
    let (times, more) = ([recorded, modelled].map(micros), difference(whatif.total));
    writeln!(out, "  {scope}: {} µs recorded, {} µs modelled ({more} µs)", times[0], times[1])?;
    ios(out, whatif, scope, style)?;
    operations(out, &whatif.operations, whatif, style)?;
    devices(out, &whatif.devices, style)?;
    assumptions(out, whatif, style)
}

/// How much more it takes in the modelled run, in µs.
fn difference(change: TimeChange) -> String {
    let TimeChange { recorded, modelled } = change;
    let sign = if modelled < recorded { '-' } else { '+' };
    format!("{sign}{}", micros(modelled.abs_diff(recorded)))
}

fn ios(out: &mut dyn Write, whatif: &WhatIf, scope: &str, style: Style) -> io::Result<()> {
    if whatif.io_count == 0 {
        return Ok(());
    }
    let title = format!("I/Os of {scope}: {}", whatif.io_count);
    writeln!(out, "\n{}", style.heading(&title))?;
    let mut table = Table::new([
        ("I/O", Align::Right),
        ("call", Align::Left),
        ("task", Align::Left),
        ("fd", Align::Right),
        ("file", Align::Left),
        ("position", Align::Right),
        ("bytes", Align::Right),
        ("recorded", Align::Right),
        ("modelled", Align::Right),
        ("difference", Align::Right),
    ]);
    whatif.ios.iter().for_each(|io| table.row(io_row(io)));
    table.write(out, style, "  ")?;
    super::report::more(out, whatif.io_count, whatif.ios.len())?;
    let line = "  from call to return, µs of virtual time; file: name(inode)";
    writeln!(out, "{}", style.faint(line))
}

fn io_row(IoChange { io, elapsed }: &IoChange) -> [String; 10] {
    let [id, call, task, fd, file, position, bytes] = ios::what(io);
    let time = |of: fn(TimeChange) -> String| elapsed.map_or_else(|| "-".to_owned(), of);
    [
        id,
        call,
        task,
        fd,
        file,
        position,
        bytes,
        time(|change| micros(change.recorded)),
        time(|change| micros(change.modelled)),
        time(difference),
    ]
}

/// Name of an operation.
pub(super) fn op_name(op: Option<OpName>) -> String {
    op.map_or_else(|| "unknown".to_owned(), |op| op.to_string())
}

fn operations(out: &mut dyn Write, all: &[OpChange], whatif: &WhatIf, style: Style) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "\n  no request completed at a device");
    }
    writeln!(out, "\n{}", style.heading("Requests at the device"))?;
    let right = ["count", "median", "p95", "p99", "max"].map(|head| (head, Align::Right));
    let left = [("op", Align::Left), ("", Align::Left)];
    let mut table = Table::new(left.into_iter().chain(right));
    for op in all {
        let row = |name: String,
                   run: &str,
                   PercentileSummary { count, median, p95, p99, max }: PercentileSummary| {
            let times = [median, p95, p99, max].map(micros);
            [name, run.to_owned(), count.to_string()].into_iter().chain(times).collect::<Vec<_>>()
        };
        table.row(row(op_name(op.op), "recorded", op.recorded));
        let run = if op.is_modelled { "modelled" } else { "modelled, service as recorded" };
        table.row(row(String::new(), run, op.modelled));
    }
    table.write(out, style, "  ")?;
    let rounded = if whatif.rounded { "; percentiles are rounded" } else { "" };
    let line = format!(
        "  from doorbell (without one: the driver's call) to interrupt, waiting included; µs of virtual time{rounded}"
    );
    writeln!(out, "{}", style.faint(&line))
}

fn devices(out: &mut dyn Write, devices: &[DeviceChange], style: Style) -> io::Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("Devices"))?;
    let heads = ["requests", "busy recorded", "busy modelled", "waited", "wait", "longest"];
    let heads = heads.map(|head| (head, Align::Right));
    let mut table = Table::new([("dev", Align::Left)].into_iter().chain(heads));
    for device in devices {
        table.row([
            text::device(device.dev),
            device.requests.to_string(),
            micros(device.busy.recorded),
            micros(device.busy.modelled),
            device.waited.to_string(),
            micros(device.wait),
            micros(device.longest_wait),
        ]);
    }
    table.write(out, style, "  ")?;
    let line = "  busy: with any request; waited: requests that waited for their turn in the modelled run; µs of virtual time";
    writeln!(out, "{}", style.faint(line))
}

fn assumptions(out: &mut dyn Write, whatif: &WhatIf, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("What is assumed, and how often that mattered"))?;
    ASSUMED.iter().try_for_each(|text| writeln!(out, "  {text}"))?;
    for (assumption, tally) in whatif.assumptions.all() {
        let time = if tally.ns > 0 { format!(" ({} µs in all)", micros(tally.ns)) } else { String::new() };
        writeln!(out, "  {:>8} {}{time}", tally.count, assumption.text())?;
    }
    writeln!(out, "  {UNKNOWN}")
}
