//! The document of `info`.

use super::text::mark_name;
use crate::view::json;
use crate::view::json::common::{TraceJson, WarningJson, warnings};
use crate::view::json::event::ProbePlace;
use crate::view::json::list::List;
use crate::view::json::values::{Hex, SchemaVersion};
use iotrace::analysis::info::Info;
use iotrace_format::definition::{Module, Probe};
use iotrace_format::event::ShutdownReason;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// What a trace has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InfoDocument<'a> {
    schema_version: SchemaVersion,
    /// Nothing is missing of the trace.
    complete: bool,
    /// Corrections of the instruction count.
    corrections: CorrectionsJson,
    /// Types of the events in the trace, by number.
    event_types: List<'a, EventTypeJson<'a>>,
    /// The file.
    file: FileSizesJson,
    /// Times that a vCPU halted.
    halts: u64,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Marks that the guest set, by time.
    marks: List<'a, MarkJson>,
    /// Kernel modules, in the order of their loading.
    modules: List<'a, ModuleJson<'a>>,
    /// When the guest powered off: guest instructions; null if it did not, or ended in another way.
    power_off: Option<u64>,
    /// How the kernel ended; null if it did not.
    shutdown: Option<ShutdownJson>,
    /// The trace.
    trace: TraceJson<'a>,
    /// Warnings about the trace.
    warnings: List<'a, WarningJson<'a>>,
}

/// How the kernel ended.
#[derive(Debug, Serialize, JsonSchema)]
struct ShutdownJson {
    /// When, in guest instructions.
    clock: u64,
    /// How: `power off`, `restart`, `halt`, `panic`, `kexec` or `reset`; null if the trace does not say.
    reason: Option<&'static str>,
}

/// Corrections of the instruction count.
#[derive(Debug, Serialize, JsonSchema)]
struct CorrectionsJson {
    /// How many.
    count: u64,
    /// The largest, in instructions.
    largest: u64,
}

/// Sizes and counts of the file.
#[derive(Debug, Serialize, JsonSchema)]
struct FileSizesJson {
    /// Bytes of the file.
    bytes: u64,
    /// Blocks of context records: events without which later ones cannot be described.
    context_record_blocks: u64,
    /// Bytes of the blocks of events, decompressed.
    decoded_bytes: u64,
    /// Blocks of definitions.
    definition_blocks: u64,
    /// Blocks of events.
    event_blocks: u64,
    /// Events.
    events: u64,
    /// When the first event was: guest instructions; null without events.
    first_clock: Option<u64>,
    /// When the last event was: guest instructions.
    last_clock: u64,
    /// Bytes of the blocks of events in the file.
    stored_bytes: u64,
}

/// A mark.
#[derive(Debug, Serialize, JsonSchema)]
struct MarkJson {
    /// When: guest instructions.
    clock: u64,
    /// Code that the guest wrote.
    code: u64,
    /// `begin` or `end` of the workload, or the code.
    name: String,
    /// When: virtual nanoseconds; null without icount.
    ns: Option<u64>,
}

/// A kernel module.
#[derive(Debug, Serialize, JsonSchema)]
struct ModuleJson<'a> {
    /// Number in this trace, from 0.
    id: u32,
    /// Name.
    name: &'a str,
    /// Probes in it.
    probes: u32,
    /// First and last address of its code.
    text: [Hex; 2],
}

impl<'a> From<&'a Module> for ModuleJson<'a> {
    fn from(module: &'a Module) -> Self {
        let (first, last) = module.text;
        Self { id: module.id, name: &module.name, probes: module.probes, text: [Hex(first), Hex(last)] }
    }
}

/// An event type: a probe, or a type that every trace has.
#[derive(Debug, Serialize, JsonSchema)]
struct EventTypeJson<'a> {
    /// Where in the function the probe is; null for a type that is not of a probe.
    at: Option<ProbePlace>,
    /// Events of the type.
    count: u64,
    /// Names of the fields, in their order.
    fields: Vec<&'a str>,
    /// Source file of the function; empty if not known.
    file: &'a str,
    /// Number of the type in this trace.
    id: u16,
    /// Layer of the function in the catalog; empty for a type that is not of a probe.
    layer: &'static str,
    /// Line in the source file; 0 if not known.
    line: u32,
    /// Module of the function; null in the kernel image, or if it is not of a probe.
    module: Option<&'a str>,
    /// Function in the catalog, or name of the type.
    name: Cow<'a, str>,
    /// Stage of the function in the catalog, or the probe's label; empty if it has none.
    stage: Cow<'a, str>,
    /// Symbol of the function in this kernel; null for a type that is not of a probe.
    symbol: Option<&'a str>,
}

/// As JSON (`schemas/json/info.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, info: &Info) -> io::Result<()> {
    let (count, largest) = info.corrections;
    let document = InfoDocument {
        schema_version: SchemaVersion,
        complete: info.cut.is_none(),
        corrections: CorrectionsJson { count, largest },
        event_types: List::new(info.census.kinds.iter().map(|(kind, count)| event_type(info, *kind, *count))),
        file: file(info),
        halts: info.halts,
        incomplete: info.cut.as_deref(),
        marks: List::new(info.marks.iter().map(|mark| MarkJson {
            clock: mark.clock,
            code: mark.code,
            name: mark_name(mark.code),
            ns: info.time.ns(mark.clock),
        })),
        modules: List::new(info.definitions.modules.iter().map(ModuleJson::from)),
        power_off: info
            .shutdown
            .filter(|(_, reason)| *reason == Some(ShutdownReason::PowerOff))
            .map(|(clock, _)| clock),
        shutdown: info
            .shutdown
            .map(|(clock, reason)| ShutdownJson { clock, reason: reason.map(ShutdownReason::name) }),
        trace: TraceJson::new(&info.definitions),
        warnings: warnings(&info.warnings),
    };
    json::write(out, &document)
}

fn file(info: &Info) -> FileSizesJson {
    let totals = &info.census.totals;
    FileSizesJson {
        bytes: info.census.file,
        context_record_blocks: totals.landmark_chunks,
        decoded_bytes: totals.unpacked,
        definition_blocks: totals.definition_chunks,
        event_blocks: totals.event_chunks,
        events: totals.events,
        first_clock: Some(totals.first_clock).filter(|_| totals.events > 0),
        last_clock: totals.last_clock,
        stored_bytes: totals.stored,
    }
}

fn event_type(info: &Info, kind: u16, count: u64) -> EventTypeJson<'_> {
    let probe = info.definitions.probes.get(&kind);
    EventTypeJson {
        at: probe.map(|p| p.at.into()),
        count,
        fields: info.definitions.word_names(kind),
        file: probe.map_or("", |p| &p.file),
        id: kind,
        layer: probe.map_or("", |p| p.layer.name()),
        line: probe.map_or(0, |p| p.line),
        module: probe.and_then(|p| p.module.as_deref()),
        name: info.definitions.function_name(kind),
        stage: probe.map_or(Cow::Borrowed(""), Probe::stage_name),
        symbol: probe.map(|p| p.symbol.as_str()),
    }
}
