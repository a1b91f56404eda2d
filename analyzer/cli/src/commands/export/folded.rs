//! Folded stacks, as flame graph tools and speedscope read them: one line for each stack, frames separated by semicolons,
//! the outermost first, then a space and a weight.
//!
//! The first frame is the context: the name of the task, as perf has it, or what interrupts tasks. The weight is instructions: what was executed in the innermost function itself,
//! between the marks of the workload. What was executed while no call was open is in a frame of its own ([`OUTSIDE`]), so
//! that the weights of an export without conditions add up to the instructions of the workload.

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, FirstError};
use crate::view::cause;
use crate::view::plain::Controls;
use anyhow::Result;
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{CallEnd, CallId, Level, Task};
use iotrace_format::event::{Event, KindId};
use iotrace_format::role::Role;
use rustc_hash::FxHashMap;
use std::io::Write;

/// The frame of what runs outside of the functions that are probed: user code, and the rest of the kernel.
const OUTSIDE: &str = "(outside of probed calls)";

/// Most different stacks that are kept; what else there is gets into one line.
const MOST: usize = 1 << 18;

/// Begins an export.
///
/// # Errors
/// If the file cannot be written.
pub fn begin(_: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    Ok(FoldedExport::new(target.text(Controls::Replaced)?))
}

/// A stack: its innermost frame, and the stack below. By its place among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stack {
    below: Option<u32>,
    frame: u32,
}

/// Stacks that are being counted.
pub struct FoldedExport {
    out: ExportFile,
    names: Vec<String>,
    by_name: Map<String, u32>,
    stacks: Vec<(Stack, u64)>,
    by_stack: FxHashMap<Stack, u32>,
    /// The stacks of open calls.
    open: Map<CallId, u32>,
    /// The names of kinds, by number.
    kinds: FxHashMap<KindId, u32>,
    error: FirstError,
}

impl FoldedExport {
    /// Nothing yet.
    pub fn new(out: ExportFile) -> Self {
        Self {
            out,
            names: Vec::new(),
            by_name: Map::default(),
            stacks: Vec::new(),
            by_stack: FxHashMap::default(),
            open: Map::default(),
            kinds: FxHashMap::default(),
            error: FirstError::default(),
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(framed(name));
        self.by_name.insert(name.to_owned(), number);
        number
    }

    /// The stack with one more frame; if there are too many, the one that they are all put into.
    fn stack(&mut self, below: Option<u32>, frame: u32) -> u32 {
        let mut stack = Stack { below, frame };
        if self.stacks.len() >= MOST && !self.by_stack.contains_key(&stack) {
            stack = Stack { below: None, frame: self.name("(further stacks)") };
        }
        let next = self.stacks.len() as u32;
        let number = *self.by_stack.entry(stack).or_insert(next);
        if number == next {
            self.stacks.push((stack, 0));
        }
        number
    }

    fn function(&mut self, kind: KindId, scope: &RecordScope) -> u32 {
        if let Some(name) = self.kinds.get(&kind) {
            return *name;
        }
        let name = self.name(&scope.definitions.function_name(kind));
        self.kinds.insert(kind, name);
        name
    }

    fn line(&self, at: u32) -> String {
        let mut frames = Vec::new();
        let mut next = Some(at);
        while let Some((Stack { below, frame }, _)) = next.and_then(|at| self.stacks.get(at as usize)) {
            frames.push(self.names[*frame as usize].as_str());
            next = *below;
        }
        frames.reverse();
        frames.join(";")
    }
}

/// A name as a frame: no semicolon ends it, and no line.
fn framed(name: &str) -> String {
    name.replace(';', ":").replace(char::is_control, "?")
}

/// The context of a call that is outermost, as a frame.
fn context(call: &ContextCall, event: &Event<'_>, scope: &RecordScope) -> String {
    let probe = scope.definitions.probes.get(&event.kind);
    let work = probe.and_then(|probe| probe.word(Role::WorkFunction)).and_then(|at| event.words.get(at));
    match (call.level, work) {
        (Level::Task, Some(function)) => {
            format!("work {}", cause::function(*function, &scope.definitions))
        }
        (Level::Task | Level::Unknown, _) => call.task.comm.to_string(),
        (level, _) => level.name().to_owned(),
    }
}

impl RecordSink for FoldedExport {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { contexts: true, ..RecordNeeds::default() }
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let below = match call.parent.and_then(|parent| self.open.get(&parent).copied()) {
            Some(below) => below,
            None => {
                let frame = self.name(&context(call, event, scope));
                self.stack(None, frame)
            }
        };
        let frame = self.function(event.kind, scope);
        let stack = self.stack(Some(below), frame);
        self.open.insert(call.id, stack);
    }

    fn ran(&mut self, call: Option<&ContextCall>, task: Task, from: u64, to: u64, _: &RecordScope) {
        let stack = match call {
            Some(call) if !call.selected => return,
            Some(call) => self.open.get(&call.id).copied(),
            None => {
                let frame = self.name(&task.comm.text());
                let (below, outside) = (self.stack(None, frame), self.name(OUTSIDE));
                Some(self.stack(Some(below), outside))
            }
        };
        if let Some((_, weight)) = stack.and_then(|stack| self.stacks.get_mut(stack as usize)) {
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
        let counted = (0..).zip(&self.stacks).filter(|(_, (_, weight))| *weight > 0);
        let mut lines = Vec::from_iter(counted.map(|(at, (_, weight))| (self.line(at), *weight)));
        lines.sort();
        for (line, weight) in &lines {
            self.error.attempt(|| writeln!(self.out, "{line} {weight}"));
        }
        self.error.check()?;
        self.out.close()?;
        Ok(lines.len() as u64)
    }
}
