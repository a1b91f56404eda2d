//! Folded stacks, as flame graph tools and speedscope read them: one line for each stack, frames separated by semicolons,
//! the outermost first, then a space and a weight.
//!
//! The first frame is the context: the name of the task, as perf has it, or what interrupts tasks. The weight is instructions:
//! what was executed in the innermost function itself, between the marks of the workload. What was executed while no call was
//! open is in a frame of its own ([`OUTSIDE`]), so that the weights of an export without conditions add up to the instructions
//! of the workload.

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, FirstError};
use super::stacks::{OUTSIDE, StackTable, work};
use crate::view::plain::Controls;
use anyhow::Result;
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{CallEnd, CallId, Level, Task};
use iotrace_format::event::Event;
use std::io::Write;

/// Begins an export.
///
/// # Errors
/// If the file cannot be written.
pub fn begin(_: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    Ok(FoldedExport {
        out: target.text(Controls::Replaced)?,
        table: StackTable::default(),
        weights: Vec::new(),
        open: Map::default(),
        error: FirstError::default(),
    })
}

/// Stacks that are being counted.
struct FoldedExport {
    out: ExportFile,
    table: StackTable,
    /// Instructions of each stack.
    weights: Vec<u64>,
    /// The stacks of open calls.
    open: Map<CallId, u32>,
    error: FirstError,
}

/// A name as a frame: no semicolon ends it, and no line.
fn framed(name: &str) -> String {
    name.replace(';', ":").replace(char::is_control, "?")
}

/// The context of a call that is outermost, as a frame.
fn context(call: &ContextCall, event: &Event<'_>, scope: &RecordScope) -> String {
    let others = || match call.level {
        Level::Task | Level::Unknown => call.task.comm.to_string(),
        level => level.name().to_owned(),
    };
    work(call, event, scope).unwrap_or_else(others)
}

impl RecordSink for FoldedExport {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { contexts: true, ..RecordNeeds::default() }
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let below = match call.parent.and_then(|parent| self.open.get(&parent).copied()) {
            Some(below) => below,
            None => {
                let frame = self.table.name(&context(call, event, scope));
                self.table.stack(None, frame)
            }
        };
        let frame = self.table.function(event.kind, scope);
        let stack = self.table.stack(Some(below), frame);
        self.open.insert(call.id, stack);
    }

    fn ran(&mut self, call: Option<&ContextCall>, task: Task, from: u64, to: u64, _: &RecordScope) {
        let stack = match call {
            Some(call) if !call.selected => return,
            Some(call) => self.open.get(&call.id).copied(),
            None => {
                let frame = self.table.name(&task.comm.text());
                let (below, outside) = (self.table.stack(None, frame), self.table.name(OUTSIDE));
                Some(self.table.stack(Some(below), outside))
            }
        };
        let Some(stack) = stack else { return };
        self.weights.resize(self.table.stacks.len(), 0);
        if let Some(weight) = self.weights.get_mut(stack as usize) {
            *weight = weight.saturating_add(to - from);
        }
    }

    fn left(&mut self, end: &CallEnd, _: &ContextCall, _: &RecordScope) {
        self.open.remove(&end.id);
    }

    fn is_complete(&self) -> bool {
        self.error.is_some()
    }
}

impl ExportFormat for FoldedExport {
    fn close(mut self: Box<Self>) -> Result<u64> {
        self.table.names.iter_mut().for_each(|name| *name = framed(name));
        let counted = (0..).zip(&self.weights).filter(|(_, weight)| **weight > 0);
        let mut lines =
            Vec::from_iter(counted.map(|(at, weight)| (self.table.frames(at).join(";"), *weight)));
        lines.sort();
        for (line, weight) in &lines {
            self.error.attempt(|| writeln!(self.out, "{line} {weight}"));
        }
        self.error.check()?;
        self.out.close()?;
        Ok(lines.len() as u64)
    }
}
