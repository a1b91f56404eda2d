//! The document of `explain`.

use crate::view::json;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::explain::{Explanation, OccurrenceCount, WaitKind};
use iotrace::model::{CompletionWay, DispatchWay, Level};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// Who raises the block softirq, who wakes waiting tasks, who runs the queue of requests.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExplainDocument<'a> {
    schema_version: SchemaVersion,
    /// Completions of requests.
    completions: List<'a, CompletionJson>,
    /// Dispatches of requests.
    dispatches: List<'a, DispatchJson<'a>>,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Times that the block softirq was raised.
    raises: List<'a, RaiseJson<'a>>,
    /// How each request was dispatched.
    requests: List<'a, RequestWayJson>,
    /// Requests that completed of which it is not known how: a function by which their driver reports that, or completes
    /// them, has no probe.
    unknown_completions: u64,
    /// Waits in system calls that ended with a wake-up.
    waits: List<'a, WaitJson<'a>>,
    /// Only what happened between the marks of the workload is counted; otherwise the whole trace.
    workload: bool,
}

/// Completions of one way.
#[derive(Debug, Serialize, JsonSchema)]
struct CompletionJson {
    /// Context in which the driver reported the completion to the block layer.
    context: Level,
    /// How often.
    count: u64,
    /// Number of the first event that shows it.
    event: u64,
    /// Where the rest of the completion was done.
    way: CompletionWay,
}

/// Dispatches of one way.
#[derive(Debug, Serialize, JsonSchema)]
struct DispatchJson<'a> {
    /// The task, or the context of an interrupt, that dispatched.
    by: &'a str,
    /// How often.
    count: u64,
    /// Number of the first event that shows it.
    event: u64,
    /// How the requests were dispatched.
    way: DispatchWay,
}

/// The block softirq was raised.
#[derive(Debug, Serialize, JsonSchema)]
struct RaiseJson<'a> {
    /// Functions of the pending calls, the outermost first.
    calls: &'a [Arc<str>],
    /// Context that the CPU was in.
    context: Level,
    /// How often.
    count: u64,
    /// Number of the first event that shows it.
    event: u64,
}

/// How a request was dispatched.
#[derive(Debug, Serialize, JsonSchema)]
struct RequestWayJson {
    /// Number of the command, from 1.
    command: u64,
    /// Number of the event that shows it.
    event: u64,
    /// Number of the request, from 1.
    request: u64,
    /// How it was dispatched.
    way: DispatchWay,
}

/// Tasks waited in a system call, and were woken.
#[derive(Debug, Serialize, JsonSchema)]
struct WaitJson<'a> {
    /// Name of the task that woke them; null if it was no task.
    by: Option<&'a str>,
    /// Functions of the pending calls of the waker, the outermost first.
    calls: &'a [Arc<str>],
    /// Context of the waker.
    context: Level,
    /// How often.
    count: u64,
    /// Number of the first event that shows it.
    event: u64,
    /// What they waited for, such as `page`; empty if not known.
    #[serde(rename = "for")]
    what: &'a str,
    /// Function that they waited in.
    function: &'a str,
    /// Guest instructions until they were woken, of all waits.
    instructions: u64,
}

/// As JSON (`schemas/json/explain.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    let document = ExplainDocument {
        schema_version: SchemaVersion,
        completions: List::new(explanation.completions.iter().map(|((context, way), times)| {
            let OccurrenceCount { count, first: event } = *times;
            CompletionJson { context: *context, count, event, way: *way }
        })),
        dispatches: List::new(explanation.dispatches.iter().map(|((way, by), times)| {
            let OccurrenceCount { count, first: event } = *times;
            DispatchJson { by, count, event, way: *way }
        })),
        incomplete: explanation.cut.as_deref(),
        raises: List::new(explanation.raises.iter().map(|((calls, context), times)| {
            let OccurrenceCount { count, first: event } = *times;
            RaiseJson { calls, context: *context, count, event }
        })),
        requests: List::new(explanation.requests.iter().map(|(request, command, way, event)| {
            RequestWayJson { command: *command, event: *event, request: *request, way: *way }
        })),
        unknown_completions: explanation.unknown_completions,
        waits: List::new(explanation.waits.iter().map(wait)),
        workload: explanation.marked,
    };
    json::write(out, &document)
}

fn wait<'a>((kind, (times, instructions)): (&'a WaitKind, &'a (OccurrenceCount, u64))) -> WaitJson<'a> {
    WaitJson {
        by: kind.by.as_deref(),
        calls: &kind.waker,
        context: kind.level,
        count: times.count,
        event: times.first,
        what: &kind.what,
        function: &kind.function,
        instructions: *instructions,
    }
}
