//! The calls of I/Os, and the hand-offs between their contexts.

use super::event::joined;
use super::{RecordTable, Row};
use crate::view::cause;
use iotrace::analysis::path::{Line, Path, Segment};
use iotrace::model::{Handover, HandoverKind, IoId, Level};
use iotrace_format::layer::Layer;
use schemars::JsonSchema;
use serde::Serialize;

/// A line of the listing of an I/O: a call, or something that happened in one.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct PathRow<'a> {
    /// Number of the I/O.
    io: u64,
    /// Place of the run of calls in one context that it is in, from 0.
    segment: usize,
    /// Its place in that, from 0.
    line: usize,
    /// Number of the context's outermost call.
    root: u64,
    /// The context.
    context: Level,
    /// Name of the task that ran, or was interrupted.
    comm: String,
    /// Thread id.
    pid: u32,
    /// Function of the work item.
    work: Option<&'a str>,
    /// Calls of its context that it is in, inlined functions included.
    depth: usize,
    /// What it is: call, inlined, event, omitted.
    kind: &'static str,
    /// Number of the call.
    call: Option<u64>,
    /// Function, or name of the event type.
    name: &'a str,
    /// Layer of the function in the catalog.
    layer: &'static str,
    /// Stage of the function in the catalog.
    stage: &'a str,
    /// When it began.
    clock: u64,
    /// When it began.
    ns: Option<u64>,
    /// When it ended.
    end_clock: Option<u64>,
    /// When it ended.
    end_ns: Option<u64>,
    /// From begin to end.
    elapsed_ns: Option<u64>,
    /// Guest instructions in it alone.
    own: u64,
    /// Guest instructions in it and in what it called, without interrupts and other tasks.
    total: u64,
    /// What it returned, as events prints it.
    returned: Option<&'a str>,
    /// Source file of the function.
    file: Option<&'a str>,
    /// Line in the source file.
    source_line: Option<u32>,
    /// Source file of the call.
    call_file: Option<&'a str>,
    /// Line in that.
    call_line: Option<u32>,
    /// Fields, name=text, separated by spaces.
    fields: String,
}

impl Row for PathRow<'_> {
    const TABLE: RecordTable = RecordTable::Path;
}

impl<'a> PathRow<'a> {
    /// The rows of an I/O, each call by itself.
    pub fn of(io: IoId, path: &'a Path) -> Vec<Self> {
        let segments = path.segments.iter().enumerate();
        let rows = segments.flat_map(|(at, segment)| {
            let lines = segment.lines.iter().enumerate();
            lines.map(move |(number, line)| Self::new(io, path, (at, segment), (number, line)))
        });
        rows.collect()
    }

    fn new(
        io: IoId,
        path: &Path,
        (at, segment): (usize, &'a Segment),
        (number, line): (usize, &'a Line),
    ) -> Self {
        let place = |(file, line): &'a (String, u32)| (!file.is_empty()).then_some((file.as_str(), *line));
        let (source, site) = (place(&line.source), place(&line.site));
        Self {
            io,
            segment: at,
            line: number,
            root: segment.root,
            context: segment.level,
            comm: segment.task.comm.to_string(),
            pid: segment.task.pid,
            work: segment.work.as_deref(),
            depth: line.depth,
            kind: match (line.omitted, line.inlined, line.instant) {
                (true, ..) => "omitted",
                (_, true, _) => "inlined",
                (_, _, true) => "event",
                _ => "call",
            },
            call: line.call,
            name: &line.name,
            layer: line.layer.map_or("", Layer::name),
            stage: &line.stage,
            clock: line.clock,
            ns: path.time.ns(line.clock),
            end_clock: line.end,
            end_ns: line.end.and_then(|end| path.time.ns(end)),
            elapsed_ns: line.end.and_then(|end| path.time.between(line.clock, end)),
            own: line.own,
            total: line.total,
            returned: line.returned.as_deref(),
            file: source.map(|(file, _)| file),
            source_line: source.map(|(_, line)| line),
            call_file: site.map(|(file, _)| file),
            call_line: site.map(|(_, line)| line),
            fields: joined(line.words.iter().map(|(name, text)| (name.as_str(), text.as_str()))),
        }
    }
}

/// A hand-off between contexts of an I/O.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct HandoffRow {
    /// Number of the I/O.
    io: u64,
    /// Its place among those of the I/O, from 0.
    handoff: usize,
    /// How it was made: wake, work, softirq, timer, irq-thread, interrupt.
    kind: &'static str,
    /// What was handed off: a task, a function, a softirq, an interrupt or a command.
    of: String,
    /// When it was made.
    from_clock: u64,
    /// When it was made.
    from_ns: Option<u64>,
    /// Number of the event that made it.
    from_event: u64,
    /// Number of the call in which it was made.
    from_call: Option<u64>,
    /// When the other context began.
    to_clock: u64,
    /// When the other context began.
    to_ns: Option<u64>,
    /// Number of the event with which it began.
    to_event: u64,
    /// Number of the call that it began with, or continued in.
    to_call: Option<u64>,
}

impl Row for HandoffRow {
    const TABLE: RecordTable = RecordTable::Handoffs;
}

impl HandoffRow {
    /// The rows of an I/O.
    pub fn of(io: IoId, path: &Path) -> impl Iterator<Item = Self> {
        path.handovers.iter().enumerate().map(move |(at, handover)| Self::new(io, path, at, handover))
    }

    fn new(io: IoId, path: &Path, at: usize, handover: &Handover) -> Self {
        let (kind, of) = handed(at, handover, path);
        let (from, to) = (handover.from, handover.to);
        Self {
            io,
            handoff: at,
            kind,
            of,
            from_clock: from.clock,
            from_ns: path.time.ns(from.clock),
            from_event: from.event,
            from_call: from.call,
            to_clock: to.clock,
            to_ns: path.time.ns(to.clock),
            to_event: to.event,
            to_call: to.call,
        }
    }
}

/// How a hand-off was made, and what was handed off.
fn handed(at: usize, handover: &Handover, path: &Path) -> (&'static str, String) {
    let function = |address| cause::function(address, &path.definitions);
    match handover.kind {
        HandoverKind::Wake { task } => {
            let name = path.woken.get(&at).map(cause::task);
            ("wake", name.unwrap_or_else(|| format!("{task:#x}")))
        }
        HandoverKind::Work { function: address } => ("work", function(address)),
        HandoverKind::Softirq { number } => ("softirq", path.definitions.softirq(number)),
        HandoverKind::Timer { function: address } => ("timer", function(address)),
        HandoverKind::IrqThread { irq } => ("irq-thread", format!("interrupt {irq}")),
        HandoverKind::Interrupt { command, .. } => ("interrupt", format!("command {command}")),
    }
}

/// The hand-off at a place of a path, in words.
pub fn handed_off(at: usize, path: &Path) -> String {
    let (kind, of) =
        path.handovers.get(at).map_or(("", String::new()), |handover| handed(at, handover, path));
    format!("{kind} {of}")
}
