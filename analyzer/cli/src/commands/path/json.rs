//! The document of `path`: a listing, context by context.

mod handoff;

use crate::view::json;
use crate::view::json::common::TaskJson;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use handoff::HandoffJson;
use iotrace::analysis::path::{Line, ListingShape, Path, Segment, shape};
use iotrace::model::{Ending, Level};
use iotrace_format::layer::Layer;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The calls that were made for an I/O or a bio, in all contexts, by time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PathDocument<'a> {
    schema_version: SchemaVersion,
    /// Numbers of its bios.
    bios: List<'a, u64>,
    /// Hand-offs between the contexts.
    handoffs: List<'a, HandoffJson<'a>>,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Numbers of its I/Os.
    ios: List<'a, u64>,
    /// Numbers of its requests.
    requests: List<'a, u64>,
    /// Runs of calls in one context each, by time.
    segments: List<'a, SegmentJson<'a>>,
}

/// Calls in one context, in the order of their entries.
#[derive(Debug, Serialize, JsonSchema)]
struct SegmentJson<'a> {
    /// The context.
    context: Level,
    /// Function of the context's outermost call.
    function: &'a str,
    /// Number of the interrupt, from 1; null in other contexts.
    interrupt: Option<u64>,
    /// The calls, and what happened in them.
    lines: List<'a, LineJson<'a>>,
    /// The context continues: an earlier segment has its first part.
    resumed: bool,
    /// Number of the context's outermost call.
    root: u64,
    /// The last hand-off to the context before it began; null if there is none in the trace.
    started_by: Option<HandoffJson<'a>>,
    /// The task that ran, or was interrupted.
    task: TaskJson,
    /// Function of the work item; null in other contexts.
    work: Option<&'a str>,
}

/// What a line of the listing is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum LineKind {
    /// A call.
    Call,
    /// An inlined instance of a function.
    Inlined,
    /// Something that happened in a call, such as an access to a device.
    Event,
    /// Calls that are not shown, inside the call around this line: `times` of them. Its `own` and `total` are what was
    /// executed in them, so that `own` of that call and `total` of the lines directly inside it add up to its `total`.
    Omitted,
}

/// A place in the source.
#[derive(Debug, Serialize, JsonSchema)]
struct SourceJson<'a> {
    /// File.
    file: &'a str,
    /// Line in the file.
    line: u32,
}

impl<'a> SourceJson<'a> {
    fn new((file, line): &'a (String, u32)) -> Option<Self> {
        (!file.is_empty()).then_some(Self { file, line: *line })
    }
}

/// A task stopped running within a call.
#[derive(Debug, Serialize, JsonSchema)]
struct StopJson {
    /// When it stopped: guest instructions.
    clock: u64,
    /// When it ran again: guest instructions; 0 if that is not in the trace.
    resumed: u64,
}

/// A call, or something that happened in one.
#[derive(Debug, Serialize, JsonSchema)]
struct LineJson<'a> {
    /// Number of the call; null for an event, and for calls that are not shown.
    call: Option<u64>,
    /// Where it was called from; null if not known.
    call_site: Option<SourceJson<'a>>,
    /// When it began: guest instructions.
    clock: u64,
    /// Calls of its context that it is in, inlined functions included.
    depth: usize,
    /// When it ended: guest instructions; null for an event, or if it had not ended when the trace did.
    end: Option<u64>,
    /// How it ended; null if it did not.
    ending: Option<Ending>,
    /// Fields that views print: text by name.
    fields: BTreeMap<&'a str, &'a str>,
    /// Hand-offs that were made in it, as indices of `handoffs`.
    handoffs: &'a [usize],
    /// What it is.
    kind: LineKind,
    /// Layer of the function in the catalog; empty for an event.
    layer: &'static str,
    /// Function, or name of the event type; empty for calls that are not shown.
    name: &'a str,
    /// Guest instructions in it alone.
    own: u64,
    /// What it returned, as events print it; null if it returns nothing, or has not returned.
    return_value: Option<&'a str>,
    /// It is about one of the selected objects.
    selected: bool,
    /// Where the function is in the source; null if not known.
    source: Option<SourceJson<'a>>,
    /// Stage of the function in the catalog, or the probe's label; empty if it has none.
    stage: &'a str,
    /// Times that the task stopped running in it.
    stops: List<'a, StopJson>,
    /// Successive calls, or calls that are not shown, that this line stands for; its numbers are sums.
    times: u64,
    /// Guest instructions in it and in what it called, without interrupts and other tasks.
    total: u64,
}

/// As JSON (`schemas/json/path.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, path: &Path, listing: &ListingShape) -> io::Result<()> {
    let shaped = shape(&path.segments, listing);
    let subject = &path.subject;
    let document = PathDocument {
        schema_version: SchemaVersion,
        bios: List::new(subject.bios.iter().map(|bio| bio.id)),
        handoffs: List::new(path.handovers.iter().map(|handover| HandoffJson::new(handover, path))),
        incomplete: subject.cut.as_deref(),
        ios: List::new(subject.ios.iter().map(|io| io.id)),
        requests: List::new(subject.requests.iter().map(|request| request.id)),
        segments: List::new(shaped.iter().map(|part| segment(path, part))),
    };
    json::write(out, &document)
}

fn segment<'a>(path: &'a Path, segment: &'a Segment) -> SegmentJson<'a> {
    SegmentJson {
        context: segment.level,
        function: &segment.function,
        interrupt: segment.interrupt.map(|irq| irq.id),
        lines: List::new(segment.lines.iter().map(line)),
        resumed: segment.resumed,
        root: segment.root,
        started_by: path.handover_to(segment).map(|handover| HandoffJson::new(handover, path)),
        task: TaskJson::from(&segment.task),
        work: segment.work.as_deref(),
    }
}

fn line(line: &Line) -> LineJson<'_> {
    LineJson {
        call: line.call,
        call_site: SourceJson::new(&line.site),
        clock: line.clock,
        depth: line.depth,
        end: line.end,
        ending: line.ending,
        fields: line.words.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
        handoffs: &line.handovers,
        kind: match (line.inlined, line.instant) {
            _ if line.omitted => LineKind::Omitted,
            (true, _) => LineKind::Inlined,
            (false, true) => LineKind::Event,
            (false, false) => LineKind::Call,
        },
        layer: line.layer.map_or("", Layer::name),
        name: &line.name,
        own: line.own,
        return_value: line.returned.as_deref(),
        selected: line.marked,
        source: SourceJson::new(&line.source),
        stage: &line.stage,
        stops: List::new(
            line.stops.iter().map(|(clock, resumed)| StopJson { clock: *clock, resumed: *resumed }),
        ),
        times: line.times,
        total: line.total,
    }
}
