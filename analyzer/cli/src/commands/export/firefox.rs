//! Firefox Profiler's processed profile (JSON), for profiler.firefox.com: a thread for each task, with the interrupts that it
//! takes, and for the softirqs of a vCPU, with stacks weighted by instructions; I/Os as markers of their tasks, bios as markers
//! of their devices.
//!
//! In: records. Out: one document, which has its tables by column, so that it is written when all records were taken. Of
//! stacks, samples and markers so many are kept ([`SAMPLES`], [`MARKERS`]): the weight of further samples is added to an earlier
//! sample of the stack, so that all weights of an export without conditions add up to the instructions of the workload; further
//! markers are left out, and their number is printed.

mod document;
#[cfg(test)]
mod tests;

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget};
use super::stacks::{OUTSIDE, StackTable, work};
use crate::view::{self, text};
use anyhow::{Context, Result};
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{Bio, CallEnd, CallId, Comm, Io, Level, Task};
use iotrace_format::event::Event;
use iotrace_format::layer::Layer;
use std::io::Write;

/// Samples that are kept, beyond one for each stack.
const SAMPLES: usize = 1 << 19;
/// Markers that are kept.
const MARKERS: usize = 1 << 16;
/// Tasks and devices that are threads of their own; further ones share one.
const THREADS: usize = 1 << 12;

/// Begins an export.
///
/// # Errors
/// If no file is given, or it cannot be written.
pub fn begin(_: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    // One file, also where standard output is text.
    let out = target.binary("firefox")?;
    Ok(FirefoxExport {
        out,
        kept: Kept::default(),
        threads: Map::default(),
        open: Map::default(),
        left_out: 0,
    })
}

struct FirefoxExport {
    out: ExportFile,
    kept: Kept,
    /// Threads, by what they are of.
    threads: Map<ThreadKey, u32>,
    /// The stacks of open calls.
    open: Map<CallId, u32>,
    /// Markers that were too many.
    left_out: u64,
}

/// What the document is made of.
#[derive(Debug, Default)]
struct Kept {
    threads: Vec<Thread>,
    /// The outermost frame of a stack is the number of its thread.
    table: StackTable,
    /// The layers of frames that are functions.
    layers: Map<u32, Layer>,
    samples: Vec<Sample>,
    /// The last sample of each stack.
    last: Map<u32, u32>,
    markers: Vec<Marker>,
}

/// What is a thread of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ThreadKey {
    /// Process and thread id.
    Task(u32, u32),
    /// What is above tasks, by the vCPU.
    Level(Level, u16),
    Device(u64),
    /// What is too many.
    Others,
}

/// A thread of the profile.
#[derive(Debug)]
struct Thread {
    key: ThreadKey,
    name: String,
}

/// Instructions that were executed in a stack.
#[derive(Debug, Clone, Copy)]
struct Sample {
    stack: u32,
    /// When it began, in nanoseconds.
    at: u64,
    /// How long it lasted, in nanoseconds.
    lasted: u64,
    instructions: u64,
    /// The clock behind it.
    until: u64,
}

/// An I/O or a bio.
#[derive(Debug)]
struct Marker {
    thread: u32,
    is_bio: bool,
    id: u64,
    from: u64,
    to: u64,
    name: String,
    about: String,
}

impl Kept {
    /// So many instructions in a stack.
    fn ran(&mut self, stack: u32, (from, to): (u64, u64), scope: &RecordScope) {
        let at = scope.at(from);
        let sample =
            Sample { stack, at, lasted: scope.at(to).saturating_sub(at), instructions: to - from, until: to };
        let last = self.last.get(&stack).map(|last| *last as usize);
        let is_full = self.samples.len() >= SAMPLES;
        if let Some(last) = last.and_then(|last| self.samples.get_mut(last))
            && (last.until == from || is_full)
        {
            last.instructions = last.instructions.saturating_add(sample.instructions);
            (last.lasted, last.until) = (last.lasted + sample.lasted, to);
            return;
        }
        self.last.insert(stack, self.samples.len() as u32);
        self.samples.push(sample);
    }
}

impl FirefoxExport {
    fn thread(&mut self, key: ThreadKey, name: &dyn Fn() -> String) -> u32 {
        if let Some(known) = self.threads.get(&key) {
            return *known;
        }
        if self.threads.len() >= THREADS && key != ThreadKey::Others {
            return self.thread(ThreadKey::Others, &|| "further tasks and devices".to_owned());
        }
        let number = self.kept.threads.len() as u32;
        self.threads.insert(key, number);
        self.kept.threads.push(Thread { key, name: name() });
        number
    }

    /// A task's thread; it has the name that the task has now.
    fn task(&mut self, task: &Task) -> u32 {
        let thread = self.thread(ThreadKey::Task(task.tgid, task.pid), &String::new);
        let Thread { key, name } = &mut self.kept.threads[thread as usize];
        if *key != ThreadKey::Others && task.comm != Comm::default() && *name != *task.comm.text() {
            *name = task.comm.to_string();
        }
        thread
    }

    fn mark(&mut self, marker: Marker) {
        if self.kept.markers.len() < MARKERS { self.kept.markers.push(marker) } else { self.left_out += 1 }
    }
}

impl RecordSink for FirefoxExport {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { objects: true, contexts: true, ..RecordNeeds::default() }
    }

    fn io(&mut self, io: &Io, scope: &RecordScope) {
        let Some(left) = io.left else { return };
        let file = io
            .file
            .as_ref()
            .filter(|file| !file.name.is_empty())
            .map(|file| format!(" {}", text::plain(&file.name)));
        let bytes = io.count.map(|bytes| format!(", {bytes} bytes"));
        let about = format!("I/O #{}{}{}", io.id, file.unwrap_or_default(), bytes.unwrap_or_default());
        let thread = self.task(&io.task);
        let (from, to) = (scope.at(io.entered), scope.at(left));
        self.mark(Marker { thread, is_bio: false, id: io.id, from, to, name: io.syscall.to_string(), about });
    }

    fn bio(&mut self, bio: &Bio, scope: &RecordScope) {
        let Some(ended) = bio.ended() else { return };
        let device = || bio.device.as_ref().map_or_else(|| text::device(bio.dev), ToString::to_string);
        let thread = self.thread(ThreadKey::Device(bio.dev), &device);
        let about =
            format!("bio #{}, sector {} + {}, {}", bio.id, bio.sector, bio.bytes / 512, bio.task.comm);
        let (from, to) = (scope.at(bio.queued()), scope.at(ended));
        self.mark(Marker { thread, is_bio: true, id: bio.id, from, to, name: bio.op.rwbs(), about });
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let below = match call.parent.and_then(|parent| self.open.get(&parent).copied()) {
            Some(below) => below,
            None => {
                let thread = match call.level {
                    Level::Task | Level::Unknown => self.task(&call.task),
                    level => {
                        let name = || format!("{} vCPU {}", level.name(), event.vcpu);
                        self.thread(ThreadKey::Level(level, event.vcpu), &name)
                    }
                };
                let bottom = self.kept.table.stack(None, thread);
                let work = work(call, event, scope).map(|work| self.kept.table.name(&work));
                work.map_or(bottom, |work| self.kept.table.stack(Some(bottom), work))
            }
        };
        let frame = self.kept.table.function(event.kind, scope);
        if let Some(probe) = scope.definitions.probes.get(&event.kind) {
            self.kept.layers.insert(frame, probe.layer);
        }
        let stack = self.kept.table.stack(Some(below), frame);
        self.open.insert(call.id, stack);
    }

    fn ran(&mut self, call: Option<&ContextCall>, task: Task, from: u64, to: u64, scope: &RecordScope) {
        let stack = match call {
            Some(call) if !call.selected => return,
            Some(call) => self.open.get(&call.id).copied(),
            None => {
                let thread = self.task(&task);
                let (bottom, outside) = (self.kept.table.stack(None, thread), self.kept.table.name(OUTSIDE));
                Some(self.kept.table.stack(Some(bottom), outside))
            }
        };
        if let Some(stack) = stack {
            self.kept.ran(stack, (from, to), scope);
        }
    }

    fn left(&mut self, end: &CallEnd, _: &ContextCall, _: &RecordScope) {
        self.open.remove(&end.id);
    }
}

impl ExportFormat for FirefoxExport {
    fn close(self: Box<Self>) -> Result<u64> {
        let Self { mut out, kept, left_out, .. } = *self;
        let written = (kept.samples.len() + kept.markers.len()) as u64;
        let profile = document::profile(kept);
        serde_json::to_writer(&mut out, &profile).context("cannot write the export")?;
        out.write_all(b"\n")?;
        out.close()?;
        if left_out > 0 {
            view::terminal::complain(&format!(
                "{left_out} I/Os and bios are not in the profile: it has {MARKERS}"
            ));
        }
        Ok(written)
    }
}
