//! The document of `why`.

use super::text::{whole, words};
use crate::view::json;
use crate::view::json::command_error::CommandErrorJson;
use crate::view::json::common::PartJson;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::why::{Doing, Span, Why};
use iotrace::model::DeviceStart;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The critical path of an I/O: spans that follow one another from the entry of its system call to its return, and add
/// up to the whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhyDocument<'a> {
    schema_version: SchemaVersion,
    /// The part of the time from entry to return that is waited for devices; the rest is guest time.
    device_time: PartJson,
    /// Commands of its requests that failed, by number.
    errors: List<'a, CommandErrorJson>,
    /// Entry of the system call: guest instructions.
    from: u64,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Guest instructions from entry to return.
    instructions: u64,
    /// Number of the I/O.
    io: Option<u64>,
    /// Virtual nanoseconds from entry to return; null without icount.
    ns: Option<u64>,
    /// The spans, by time.
    spans: List<'a, PathSpanJson<'a>>,
    /// Return of the system call: guest instructions.
    to: u64,
    /// Spans that wait for an interrupt or a softirq whose cause is unknown.
    unknown_interrupts: usize,
}

/// A span of the critical path.
#[derive(Debug, Serialize, JsonSchema)]
struct PathSpanJson<'a> {
    /// Hand-offs between the I/O's own task and what runs here.
    depth: usize,
    /// Its begin: guest instructions.
    from: u64,
    /// Guest instructions.
    instructions: u64,
    /// What the I/O waits for.
    kind: SpanKind,
    /// Virtual nanoseconds; null without icount.
    ns: Option<u64>,
    /// The function that waits, wakes, writes the doorbell or issues the request; empty if not known.
    place: &'a str,
    /// What the device's work is known to begin with; null for other kinds.
    since: Option<DeviceStart>,
    /// Its end: guest instructions.
    to: u64,
    /// What the I/O waits for, in words.
    what: String,
}

/// What an I/O waits for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum SpanKind {
    /// A task runs.
    Running,
    /// A task is runnable, and another one runs.
    Runnable,
    /// A device processes a command.
    Device,
    /// A command failed, and is aborted, or its device reset.
    Recovery,
    /// A request was requeued, and is not tried again yet.
    Requeued,
    /// The handler of an interrupt runs that the I/O waits for.
    Interrupt,
    /// The handler of another interrupt runs.
    Interrupted,
    /// A softirq is raised, and not served yet.
    SoftirqPending,
    /// Softirqs are served.
    Softirq,
    /// A work item is queued, and does not run yet.
    WorkPending,
    /// The thread of an interrupt has work, and does not run yet.
    ThreadPending,
    /// A timer runs.
    Timer,
    /// Not known.
    Unknown,
}

/// As JSON (`schemas/json/why.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, why: &Why) -> io::Result<()> {
    let (begin, end) = whole(why);
    let document = WhyDocument {
        schema_version: SchemaVersion,
        device_time: PartJson::new(&why.time, |time| Some(why.io_time(time))),
        errors: List::new(why.errors.iter().map(CommandErrorJson::from)),
        from: begin,
        incomplete: why.subject.cut.as_deref(),
        instructions: end - begin,
        io: why.subject.ios.first().map(|io| io.id),
        ns: why.time.between(begin, end),
        spans: List::new(why.spans.iter().map(|part| span(why, part))),
        to: end,
        unknown_interrupts: why.unknown_interrupts(),
    };
    json::write(out, &document)
}

fn span<'a>(why: &Why, span: &'a Span) -> PathSpanJson<'a> {
    PathSpanJson {
        depth: span.depth,
        from: span.from,
        instructions: span.to - span.from,
        kind: kind(&span.doing),
        ns: why.time.between(span.from, span.to),
        place: &span.place,
        since: match &span.doing {
            Doing::Device { since, .. } => Some(*since),
            _ => None,
        },
        to: span.to,
        what: words(&span.doing),
    }
}

fn kind(doing: &Doing) -> SpanKind {
    match doing {
        Doing::Running { .. } => SpanKind::Running,
        Doing::Runnable { .. } => SpanKind::Runnable,
        Doing::Device { .. } => SpanKind::Device,
        Doing::Recovery { .. } => SpanKind::Recovery,
        Doing::Requeued { .. } => SpanKind::Requeued,
        Doing::Interrupt { .. } => SpanKind::Interrupt,
        Doing::Interrupted { .. } => SpanKind::Interrupted,
        Doing::SoftirqPending { .. } => SpanKind::SoftirqPending,
        Doing::Softirq => SpanKind::Softirq,
        Doing::WorkPending { .. } => SpanKind::WorkPending,
        Doing::ThreadPending { .. } => SpanKind::ThreadPending,
        Doing::Timer { .. } => SpanKind::Timer,
        Doing::UnknownInterrupt { .. } | Doing::UnknownSoftirq { .. } => SpanKind::Unknown,
        Doing::UnknownContext { .. } | Doing::Unknown { .. } | Doing::TooFar { .. } => SpanKind::Unknown,
    }
}
