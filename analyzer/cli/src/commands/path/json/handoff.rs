//! A hand-off from one context to another.

use crate::view::json::common::function;
use crate::view::json::values::Hex;
use iotrace::analysis::path::Path;
use iotrace::model::{DeviceStart, Handover, HandoverKind, Point};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// A moment in a context.
#[derive(Debug, Serialize, JsonSchema)]
struct PointJson {
    /// Number of the innermost call; null outside of calls.
    call: Option<u64>,
    /// When: guest instructions.
    clock: u64,
    /// Number of the event, from 1 over the whole trace.
    event: u64,
}

impl From<Point> for PointJson {
    fn from(Point { clock, event, call, .. }: Point) -> Self {
        Self { call, clock, event }
    }
}

/// A hand-off: one context makes another one run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HandoffJson<'a> {
    /// Where it was made.
    from: PointJson,
    /// How it was made.
    kind: HandoffKind,
    /// What was handed off.
    of: HandedOff<'a>,
    /// Where the other context began.
    to: PointJson,
}

/// How a context makes another one run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum HandoffKind {
    /// A task is woken, and runs.
    Wake,
    /// A work item is queued, and runs.
    Work,
    /// A softirq is raised, and served.
    Softirq,
    /// A timer is started, and expires.
    Timer,
    /// An interrupt leaves work to its thread, which does it.
    IrqThread,
    /// A command is issued to a device, and the interrupt reports it complete.
    Interrupt,
}

/// What is handed off.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum HandedOff<'a> {
    /// A task that is woken.
    Task {
        /// Address of its `task_struct`.
        task: Hex,
    },
    /// A work item or a timer.
    Function {
        /// Its function, or the address.
        function: Cow<'a, str>,
    },
    /// A softirq.
    Softirq {
        /// Its name, or number.
        name: String,
    },
    /// Work of an interrupt.
    Interrupt {
        /// Number of the interrupt, from 1.
        irq: u64,
    },
    /// A command that a device processes.
    Command {
        /// Number of the command, from 1.
        command: u64,
        /// Number of the interrupt, from 1; null if it is not known which one it was.
        irq: Option<u64>,
        /// What it was issued with.
        since: DeviceStart,
    },
}

impl<'a> HandoffJson<'a> {
    pub fn new(handover: &Handover, path: &'a Path) -> Self {
        let function = |address| HandedOff::Function { function: function(&path.definitions, address) };
        let (kind, of) = match handover.kind {
            HandoverKind::Wake { task } => (HandoffKind::Wake, HandedOff::Task { task: Hex(task) }),
            HandoverKind::Work { function: address } => (HandoffKind::Work, function(address)),
            HandoverKind::Softirq { number } => {
                (HandoffKind::Softirq, HandedOff::Softirq { name: path.definitions.softirq(number) })
            }
            HandoverKind::Timer { function: address } => (HandoffKind::Timer, function(address)),
            HandoverKind::IrqThread { irq } => (HandoffKind::IrqThread, HandedOff::Interrupt { irq }),
            HandoverKind::Interrupt { irq, command, since } => {
                (HandoffKind::Interrupt, HandedOff::Command { command, irq, since })
            }
        };
        Self { from: handover.from.into(), kind, of, to: handover.to.into() }
    }
}
