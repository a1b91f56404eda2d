//! The same as JSON.

use super::{ASSUMED, UNKNOWN, op_name};
use crate::view::{json, text};
use iotrace::analysis::spread::PercentileSummary;
use iotrace::analysis::whatif::{
    Assumption, AssumptionCount, DeviceChange, IoChange, OpChange, TimeChange, WhatIf,
};
use serde_json::{Value, json as object};
use std::io::{self, Write};

/// As JSON (`schemas/json/whatif.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut dyn Write, whatif: &WhatIf) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Document<'a, I> {
        device: String,
        workload: bool,
        total: Value,
        ios: I,
        io_count: u64,
        operations: Vec<Value>,
        devices: Vec<Value>,
        rounded: bool,
        assumed: [&'static str; 2],
        assumptions: Vec<Value>,
        not_modelled: &'static str,
        cut: Option<&'a str>,
    }
    let document = Document {
        device: whatif.model.to_string(),
        workload: whatif.marked,
        total: change(whatif.total),
        ios: json::Each(&whatif.ios, io),
        io_count: whatif.io_count,
        operations: whatif.operations.iter().map(operation).collect(),
        devices: whatif.devices.iter().map(device).collect(),
        rounded: whatif.rounded,
        assumed: ASSUMED,
        assumptions: whatif.assumptions.all().map(assumption).collect(),
        not_modelled: UNKNOWN,
        cut: whatif.cut.as_deref(),
    };
    json::write(out, &document)
}

/// In virtual nanoseconds.
fn change(change: TimeChange) -> Value {
    let difference = change.difference().clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    object!({ "recorded": change.recorded, "modelled": change.modelled, "difference": difference })
}

fn io(IoChange { io, elapsed }: &IoChange) -> Value {
    object!({
        "id": io.id,
        "syscall": io.syscall.as_ref(),
        "task": json::task(&io.task),
        "fd": io.fd.map(|fd| fd as u32 as i32),
        "file": io.file.as_ref().map(|file| object!({
            "name": file.name,
            "ino": file.ino,
            "device": text::device(file.dev),
        })),
        "position": io.position,
        "count": io.count,
        "elapsed": elapsed.map(change),
    })
}

fn operation(op: &OpChange) -> Value {
    let spread = |PercentileSummary { count, median, p95, p99, max }: PercentileSummary| object!({ "count": count, "median": median, "p95": p95, "p99": p99, "max": max });
    object!({
        "op": op_name(op.op),
        "in_model": op.is_modelled,
        "recorded": spread(op.recorded),
        "modelled": spread(op.modelled),
    })
}

fn device(device: &DeviceChange) -> Value {
    object!({
        "device": text::device(device.dev),
        "requests": device.requests,
        "busy": change(device.busy),
        "waited": device.waited,
        "wait": device.wait,
        "longest_wait": device.longest_wait,
    })
}

fn assumption((assumption, tally): (Assumption, AssumptionCount)) -> Value {
    object!({ "name": assumption.name(), "count": tally.count, "ns": tally.ns, "text": assumption.text() })
}
