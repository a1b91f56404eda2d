//! The document of `whatif`.

use super::text::{ASSUMED, UNKNOWN, op_name};
use crate::view::json;
use crate::view::json::common::{PercentilesJson, TaskJson};
use crate::view::json::io::{FileJson, fd};
use crate::view::json::list::List;
use crate::view::json::values::{DeviceNumber, SchemaVersion};
use iotrace::analysis::whatif::{
    Assumption, AssumptionCount, DeviceChange, IoChange, OpChange, TimeChange, WhatIf,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The recorded workload on a device of other times.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhatIfDocument<'a> {
    schema_version: SchemaVersion,
    /// The model of the device.
    device: String,
    /// Only what happened between the marks of the workload is included; otherwise the whole trace.
    workload: bool,
    /// Elapsed time of the workload.
    total: ChangeJson,
    /// The first I/Os, by number.
    ios: List<'a, IoChangeJson<'a>>,
    /// I/Os, those beyond the limit of rows included.
    io_count: u64,
    /// Requests at the device, by operation.
    operations: List<'a, OpChangeJson>,
    /// Devices, by number.
    devices: List<'a, DeviceChangeJson>,
    /// Some percentiles are rounded.
    rounded: bool,
    /// What is assumed of every workload.
    assumed: &'a [&'a str],
    /// What is assumed of requests, interrupts and idle times, and how often that mattered.
    assumptions: List<'a, AssumptionJson>,
    /// What the model does not include.
    not_modelled: &'a str,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
}

/// Virtual nanoseconds in the recording and in the modelled run.
#[derive(Debug, Serialize, JsonSchema)]
struct ChangeJson {
    /// `modelled` minus `recorded`.
    difference: i64,
    /// In the modelled run.
    modelled: u64,
    /// In the recording.
    recorded: u64,
}

impl From<TimeChange> for ChangeJson {
    fn from(change: TimeChange) -> Self {
        let difference = change.difference().clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Self { difference, modelled: change.modelled, recorded: change.recorded }
    }
}

/// An I/O.
#[derive(Debug, Serialize, JsonSchema)]
struct IoChangeJson<'a> {
    /// Bytes requested; null if the system call has no such argument.
    count: Option<u64>,
    /// Time from entry to return; null if it had not returned when the trace ended.
    elapsed: Option<ChangeJson>,
    /// File descriptor; null if the system call has none.
    fd: Option<i32>,
    /// The file; null if the call did not reach the VFS.
    file: Option<FileJson<'a>>,
    /// Number, from 1, in the order in which the system calls were entered.
    id: u64,
    /// Position in the file in bytes; null if not known.
    position: Option<u64>,
    /// Name of the system call.
    syscall: &'a str,
    /// The task that made the system call.
    task: TaskJson,
}

/// Times of the requests of an operation from hand-off (the doorbell, or the call of the driver) to interrupt, in
/// virtual nanoseconds.
#[derive(Debug, Serialize, JsonSchema)]
struct OpChangeJson {
    /// The operation is in the model; otherwise its requests keep their recorded device times.
    in_model: bool,
    /// In the modelled run, with the time in the queue of the device.
    modelled: PercentilesJson,
    /// The operation: `read`, `write`, `flush`, ..., or `unknown`.
    op: String,
    /// In the recording.
    recorded: PercentilesJson,
}

/// A disk. Times are virtual nanoseconds.
#[derive(Debug, Serialize, JsonSchema)]
struct DeviceChangeJson {
    /// Time with requests in flight.
    busy: ChangeJson,
    /// The disk.
    device: DeviceNumber,
    /// Longest time of a request in the queue of the modelled device.
    longest_wait: u64,
    /// Requests that it completed.
    requests: u64,
    /// Time of all requests in the queue of the modelled device.
    wait: u64,
    /// Requests that waited in the queue of the modelled device.
    waited: u64,
}

/// An assumption.
#[derive(Debug, Serialize, JsonSchema)]
struct AssumptionJson {
    /// How often it mattered.
    count: u64,
    /// Short name.
    name: &'static str,
    /// Virtual nanoseconds in all; 0 where it is not about time.
    ns: u64,
    /// A sentence, which the count precedes.
    text: &'static str,
}

/// As JSON (`schemas/json/whatif.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, whatif: &WhatIf) -> io::Result<()> {
    let document = WhatIfDocument {
        schema_version: SchemaVersion,
        device: whatif.model.to_string(),
        workload: whatif.marked,
        total: whatif.total.into(),
        ios: List::new(whatif.ios.iter().map(io)),
        io_count: whatif.io_count,
        operations: List::new(whatif.operations.iter().map(operation)),
        devices: List::new(whatif.devices.iter().map(device)),
        rounded: whatif.rounded,
        assumed: &ASSUMED,
        assumptions: List::new(whatif.assumptions.all().collect::<Vec<_>>().into_iter().map(assumption)),
        not_modelled: UNKNOWN,
        incomplete: whatif.cut.as_deref(),
    };
    json::write(out, &document)
}

fn io(IoChange { io, elapsed }: &IoChange) -> IoChangeJson<'_> {
    IoChangeJson {
        count: io.count,
        elapsed: elapsed.map(ChangeJson::from),
        fd: fd(io),
        file: io.file.as_ref().map(FileJson::from),
        id: io.id,
        position: io.position,
        syscall: &io.syscall,
        task: TaskJson::from(&io.task),
    }
}

fn operation(op: &OpChange) -> OpChangeJson {
    OpChangeJson {
        in_model: op.is_modelled,
        modelled: PercentilesJson::from(&op.modelled),
        op: op_name(op.op),
        recorded: PercentilesJson::from(&op.recorded),
    }
}

fn device(device: &DeviceChange) -> DeviceChangeJson {
    DeviceChangeJson {
        busy: device.busy.into(),
        device: DeviceNumber(device.dev),
        longest_wait: device.longest_wait,
        requests: device.requests,
        wait: device.wait,
        waited: device.waited,
    }
}

fn assumption((assumption, tally): (Assumption, AssumptionCount)) -> AssumptionJson {
    AssumptionJson { count: tally.count, name: assumption.name(), ns: tally.ns, text: assumption.text() }
}
