//! Parts that several documents have.

use super::list::List;
use super::values::Hex;
use super::{build_id, hex};
use iotrace::analysis::Warning;
use iotrace::analysis::spread::PercentileSummary;
use iotrace::model::{Comm, Definitions, IoTime, IrqRef, Task, TimeMap};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A moment of the guest.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MomentJson {
    /// Guest instructions executed since the guest was started.
    clock: u64,
    /// Virtual nanoseconds; null without icount.
    ns: Option<u64>,
}

impl MomentJson {
    pub fn new(time: &TimeMap, clock: u64) -> Self {
        Self { clock, ns: time.ns(clock) }
    }
}

/// The time between two moments.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SpanJson {
    /// Guest instructions.
    instructions: u64,
    /// Virtual nanoseconds; null without icount.
    ns: Option<u64>,
}

impl SpanJson {
    pub fn new(time: &TimeMap, from: u64, to: u64) -> Self {
        Self { instructions: to.saturating_sub(from), ns: time.between(from, to) }
    }
}

/// The device's part of a time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PartJson {
    /// Guest instructions executed meanwhile.
    instructions: u64,
    /// Virtual nanoseconds; null without icount.
    ns: Option<u64>,
}

impl PartJson {
    /// Of a time in instructions, and in virtual nanoseconds if there are any.
    pub fn new(time: &TimeMap, part: impl Fn(&TimeMap) -> Option<IoTime>) -> Self {
        let device = |time: &TimeMap| part(time).map(|time| time.device);
        let instructions = device(&TimeMap::default()).unwrap_or(0);
        Self { instructions, ns: device(time).filter(|_| time.is_virtual()) }
    }
}

/// A task, under the name it had at the time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskJson {
    /// Name (`task_struct.comm`).
    #[schemars(with = "String")]
    comm: Comm,
    /// Thread id.
    pid: u32,
    /// Process id.
    tgid: u32,
}

impl From<&Task> for TaskJson {
    fn from(task: &Task) -> Self {
        Self { comm: task.comm, pid: task.pid, tgid: task.tgid }
    }
}

/// An interrupt.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InterruptJson<'a> {
    /// When it was delivered: guest instructions.
    clock: u64,
    /// Function of its handler, or the address; null if not known.
    handler: Option<Cow<'a, str>>,
    /// Number of the interrupt, from 1.
    id: u64,
    /// Linux' number of the interrupt line; null if not known.
    line: Option<u64>,
    /// When it was delivered: virtual nanoseconds; null without icount.
    ns: Option<u64>,
    /// Vector; null if not known.
    vector: Option<u64>,
}

impl<'a> InterruptJson<'a> {
    pub fn new(irq: &IrqRef, time: &TimeMap, definitions: &'a Definitions) -> Self {
        Self {
            clock: irq.clock,
            handler: irq.handler.map(|address| function(definitions, address)),
            id: irq.id,
            line: irq.line,
            ns: time.ns(irq.clock),
            vector: irq.vector,
        }
    }
}

/// Name of the function at an address, or the address.
pub fn function(definitions: &Definitions, address: u64) -> Cow<'_, str> {
    definitions.symbols.get(&address).map_or_else(|| hex(address).into(), |name| name.into())
}

/// Order statistics by nearest rank, in the unit of the values.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PercentilesJson {
    /// Values.
    count: u64,
    /// Largest value.
    max: u64,
    /// Median.
    median: u64,
    /// 95th percentile.
    p95: u64,
    /// 99th percentile.
    p99: u64,
}

impl From<&PercentileSummary> for PercentilesJson {
    fn from(PercentileSummary { count, median, p95, p99, max }: &PercentileSummary) -> Self {
        Self { count: *count, max: *max, median: *median, p95: *p95, p99: *p99 }
    }
}

/// A warning about the trace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WarningJson<'a> {
    /// `info`, `warning` or `error`.
    severity: &'a str,
    /// The warning, a sentence.
    text: &'a str,
    /// Short name of what it is about.
    topic: &'a str,
}

/// The warnings of a document.
pub fn warnings(warnings: &[Warning]) -> List<'_, WarningJson<'_>> {
    List::new(warnings.iter().map(|w| WarningJson { severity: w.severity, text: &w.text, topic: &w.topic }))
}

/// The program that wrote the trace, and the guest it is of.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TraceJson<'a> {
    /// Build-id of the kernel in hexadecimal digits; empty if it has none.
    build_id: String,
    /// log2 of virtual nanoseconds per instruction; null without icount: times are then approximate.
    icount_shift: Option<u8>,
    /// Banner of the kernel (`linux_banner`).
    kernel: &'a str,
    /// Devices whose registers the trace describes, by name.
    known_devices: List<'a, &'a str>,
    /// Kernel modules that were loaded, by name.
    modules: List<'a, &'a str>,
    /// Notes given when the trace was written: text by key.
    notes: BTreeMap<&'a str, &'a str>,
    /// Version of QEMU's plugin API.
    plugin_api: u32,
    /// Offset that KASLR added to the addresses of the kernel image.
    slide: Hex,
    /// Architecture that QEMU emulated.
    target: &'a str,
    /// vCPUs of the guest.
    vcpus: u32,
    /// Program and version that wrote the trace.
    writer: &'a str,
}

impl<'a> TraceJson<'a> {
    pub fn new(definitions: &'a Definitions) -> Self {
        let info = &definitions.trace;
        Self {
            build_id: build_id(definitions),
            icount_shift: info.icount_shift,
            kernel: &info.banner,
            known_devices: List::new(definitions.devices.iter().map(|device| device.name.as_str())),
            modules: List::new(definitions.modules.iter().map(|module| module.name.as_str())),
            notes: info.notes.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect(),
            plugin_api: info.plugin_api,
            slide: Hex(info.slide),
            target: &info.target,
            vcpus: info.vcpus,
            writer: &info.writer,
        }
    }
}
