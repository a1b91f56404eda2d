//! Events and waits.

use super::{RecordTable, Row};
use crate::view::json::event::ProbePlace;
use iotrace::analysis::describe::{Described, FieldForm};
use iotrace::analysis::records::RecordScope;
use iotrace::model::{Level, Wait};
use iotrace_format::layer::Layer;
use schemars::JsonSchema;
use serde::Serialize;

/// An event.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct EventRow<'a> {
    /// Number, from 1 over the whole trace.
    event: u64,
    /// When.
    clock: u64,
    /// When.
    ns: Option<u64>,
    /// Number of the vCPU, from 0.
    vcpu: u16,
    /// What the CPU was in.
    context: Level,
    /// Name of the task that ran, or was interrupted.
    comm: String,
    /// Thread id.
    pid: u32,
    /// Function, or name of the event type.
    name: &'a str,
    /// Where in the function the probe is; null for an event that is not of a probe.
    at: Option<ProbePlace>,
    /// Stage of the function in the catalog, or the probe's label; empty if it has none.
    stage: &'a str,
    /// Layer of the function in the catalog; empty for an event that is not of a probe.
    layer: &'static str,
    /// Source file of the function.
    file: Option<&'a str>,
    /// Line in the source file.
    line: Option<u32>,
    /// Fields as events prints them, name=text, separated by spaces.
    fields: String,
}

impl Row for EventRow<'_> {
    const TABLE: RecordTable = RecordTable::Events;
}

impl<'a> EventRow<'a> {
    /// The row of an event.
    pub fn new(event: &'a Described<'_>, scope: &RecordScope) -> Self {
        let shown = event.words.iter().filter(|word| word.form != FieldForm::Raw);
        Self {
            event: event.number,
            clock: event.clock,
            ns: scope.time.ns(event.clock),
            vcpu: event.vcpu,
            context: event.level,
            comm: event.task.comm.to_string(),
            pid: event.task.pid,
            name: &event.name,
            at: event.at.map(ProbePlace::from),
            stage: &event.stage,
            layer: event.layer.map_or("", Layer::name),
            file: event.source.as_ref().map(|(file, _)| file.as_ref()),
            line: event.source.as_ref().map(|(_, line)| *line),
            fields: joined(shown.map(|word| (word.name.as_ref(), word.text.as_ref()))),
        }
    }
}

/// Names and texts in one cell.
pub fn joined<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    fields.map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
}

/// A task waited in an I/O, and was woken.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct WaitRow<'a> {
    /// Number of the I/O in whose call it waited.
    io: u64,
    /// Name of the task.
    comm: String,
    /// Thread id.
    pid: u32,
    /// Function that it waited in.
    function: &'a str,
    /// What it waited for, as the catalog names it; empty if not known.
    what: &'a str,
    /// When it stopped running.
    stopped_clock: u64,
    /// When it stopped running.
    stopped_ns: Option<u64>,
    /// When it was woken.
    woken_clock: u64,
    /// When it was woken.
    woken_ns: Option<u64>,
    /// When it ran again.
    resumed_clock: u64,
    /// When it ran again.
    resumed_ns: Option<u64>,
    /// Number of the event that woke it.
    event: u64,
    /// Calls of the waker, the outermost first, separated by semicolons.
    waker: String,
    /// What the waker's CPU was in.
    waker_context: Level,
    /// Name of the task that ran there, or was interrupted.
    waker_comm: String,
    /// Its thread id.
    waker_pid: u32,
}

impl Row for WaitRow<'_> {
    const TABLE: RecordTable = RecordTable::Waits;
}

impl<'a> WaitRow<'a> {
    /// The row of a wait.
    pub fn new(wait: &'a Wait, scope: &RecordScope) -> Self {
        let (stopped, woken, resumed) = wait.clocks;
        Self {
            io: wait.io,
            comm: wait.task.comm.to_string(),
            pid: wait.task.pid,
            function: &wait.function,
            what: &wait.what,
            stopped_clock: stopped,
            stopped_ns: scope.time.ns(stopped),
            woken_clock: woken,
            woken_ns: scope.time.ns(woken),
            resumed_clock: resumed,
            resumed_ns: scope.time.ns(resumed),
            event: wait.event,
            waker: wait.waker.join(";"),
            waker_context: wait.level,
            waker_comm: wait.waker_task.comm.to_string(),
            waker_pid: wait.waker_task.pid,
        }
    }
}
