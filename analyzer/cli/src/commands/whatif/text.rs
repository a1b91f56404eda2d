//! Modelled times of the workload on another device: I/Os, operations, disks, and the assumptions of the model.

use crate::view::io::what;
use crate::view::table::{self, Align, Table};
use crate::view::text::{self, FEW, Style, micros};
use crate::view::wrap::{self, WrapWriter};
use iotrace::analysis::spread::PercentileSummary;
use iotrace::analysis::whatif::{DeviceChange, IoChange, OpChange, TimeChange, WhatIf};
use iotrace::model::OpName;
use std::io::{self, Write};

/// Assumptions of every model.
pub(super) const ASSUMED: [&str; 2] = [
    "the guest executes the same instructions in the same order; only its idle time changes",
    "disks are independent; a request beyond a disk's depth starts when a request in service completes, in FIFO order",
];

/// What a recording has no data about.
pub(super) const UNKNOWN: &str = "not modelled: changes of merging, batching, plugging and scheduling, completion order, timeouts and timers";

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, whatif: &WhatIf, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    let scope = if whatif.marked { "workload" } else { "whole trace" };
    writeln!(out, "{}", style.heading(format!("Device model: {}", whatif.model)))?;
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
    let title = format!("I/Os ({scope}): {}", whatif.io_count);
    writeln!(out, "\n{}", style.heading(&title))?;
    let table = Table::new([
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
    let mut table = table.flexible("file").dropping(["position", "fd", "task", "bytes", "difference"]);
    whatif.ios.iter().for_each(|io| table.row(io_row(io)));
    table.write(out, style, "  ")?;
    table::more(out, whatif.io_count, whatif.ios.len())?;
    let line = "recorded, modelled: µs of virtual time from call to return; file: name(inode)";
    writeln!(out, "  {}", style.faint(line))
}

fn io_row(IoChange { io, elapsed }: &IoChange) -> impl Iterator<Item = String> {
    let time = |of: fn(TimeChange) -> String| elapsed.map_or_else(|| "-".to_owned(), of);
    what(io).into_iter().chain([
        time(|change| micros(change.recorded)),
        time(|change| micros(change.modelled)),
        time(difference),
    ])
}

/// Name of an operation.
pub(super) fn op_name(op: Option<OpName>) -> String {
    op.map_or_else(|| "unknown".to_owned(), |op| op.to_string())
}

fn operations(out: &mut dyn Write, all: &[OpChange], whatif: &WhatIf, style: Style) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "\n  no request completed by a device");
    }
    writeln!(out, "\n{}", style.heading("Device time of requests"))?;
    let right = ["count", "median", "p95", "p99", "max"].map(|head| (head, Align::Right));
    let left = [("op", Align::Left), ("run", Align::Left)];
    let table = Table::new(left.into_iter().chain(right)).flexible("run");
    let mut table = table.dropping(["p95", "p99"]);
    for op in all {
        let row = |name: String, run: &str, times: PercentileSummary| {
            let cells = [name, run.to_owned(), times.count.to_string()].into_iter();
            cells.chain(text::percentiles(&times, micros)).collect::<Vec<_>>()
        };
        table.row(row(op_name(op.op), "recorded", op.recorded));
        let run = if op.is_modelled { "modelled" } else { "modelled, recorded service time" };
        table.row(row(String::new(), run, op.modelled));
    }
    table.write(out, style, "  ")?;
    let rounded = if whatif.rounded { "; percentiles rounded" } else { "" };
    let line = format!(
        "µs of virtual time from doorbell (or driver call) to interrupt, queueing included; p95, p99: - for fewer than \
         {FEW} values{rounded}"
    );
    writeln!(out, "  {}", style.faint(&line))
}

fn devices(out: &mut dyn Write, devices: &[DeviceChange], style: Style) -> io::Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("Devices"))?;
    let heads = ["requests", "busy recorded", "busy modelled", "queued", "wait", "max wait"];
    let heads = heads.map(|head| (head, Align::Right));
    let table = Table::new([("dev", Align::Left)].into_iter().chain(heads));
    let mut table = table.dropping(["max wait", "wait", "queued"]);
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
    let line = "µs of virtual time; busy: at least one request in service; queued, wait: requests that waited for a free \
                slot in the modelled run";
    writeln!(out, "  {}", style.faint(line))
}

fn assumptions(out: &mut dyn Write, whatif: &WhatIf, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Assumptions and how often they applied"))?;
    ASSUMED.iter().try_for_each(|text| wrap::write(out, "  ", text, style))?;
    for (assumption, tally) in whatif.assumptions.all() {
        let time = if tally.ns > 0 { format!(" (total {} µs)", micros(tally.ns)) } else { String::new() };
        let text = format!("{}{time}", assumption.text());
        wrap::write(out, &format!("  {:>8} ", tally.count), &text, style)?;
    }
    wrap::write(out, "  ", UNKNOWN, style)
}
