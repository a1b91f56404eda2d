//! trace.dat of trace-cmd, for trace-cmd and KernelShark: calls as `funcgraph_entry` and `funcgraph_exit`, block tracepoints,
//! interrupts, softirqs, switches of tasks.
//!
//! In: records; block events come late, and are put in order. Out: a file of version 6 ([`mod@file`]), whose head has the names
//! of functions and tasks, so that the events ([`ring`]) are in a temporary file beside it until the trace is over. A block
//! event is on the vCPU on which its task ran then.

mod file;
mod formats;
mod ring;
#[cfg(test)]
mod tests;

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, FirstError};
use super::reorder::Reorder;
use anyhow::{Context, Result};
use file::TraceDatHead;
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{BlockEvent, BlockKind, CallEnd, CallId, Comm, Level, Switch, Task};
use iotrace_format::event::{Event, KindId};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use ring::RingPages;
use std::io;
use std::path::{Path, PathBuf};

/// Most tasks with names.
const TASKS: usize = 1 << 16;
/// Most vCPUs.
const VCPUS: usize = 1 << 10;
/// `TRACE_FLAG_IRQS_NOSUPPORT`: whether interrupts were off is not known (kernel/trace/trace.h).
const IRQS_UNKNOWN: u8 = 0x02;
/// `TRACE_FLAG_HARDIRQ`.
const HARDIRQ: u8 = 0x08;
/// `TRACE_FLAG_SOFTIRQ`.
const IN_SOFTIRQ: u8 = 0x10;
/// `TRACE_FLAG_NMI`.
const NMI: u8 = 0x40;

/// Begins an export.
///
/// # Errors
/// If no file is given, or it cannot be written.
pub fn begin(_: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    let out = target.binary("trace-dat")?;
    let folder =
        out.path().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()).map(PathBuf::from);
    Ok(TraceDatExport {
        out,
        folder: folder.unwrap_or_else(|| PathBuf::from(".")),
        head: TraceDatHead::default(),
        vcpus: Vec::new(),
        pending: Reorder::default(),
        ran_on: Map::default(),
        open: Map::default(),
        written: 0,
        error: FirstError::default(),
    })
}

/// Where an event happened.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// On a vCPU, where a task runs from then on.
    Vcpu(u16, u64),
    /// Where a task ran.
    Task(u64),
}

struct TraceDatExport {
    out: ExportFile,
    folder: PathBuf,
    head: TraceDatHead,
    vcpus: Vec<RingPages>,
    /// Events that may not be in order yet, from their type on.
    pending: Reorder<(Place, Vec<u8>)>,
    /// The vCPU of each task, up to the last event that was written.
    ran_on: Map<u64, u16>,
    /// Calls whose entries were written.
    open: Map<CallId, OpenEntry>,
    written: u64,
    error: FirstError,
}

/// A call whose entry was written.
#[derive(Debug, Clone, Copy)]
struct OpenEntry {
    vcpu: u16,
    /// The event that ends with it: type and number.
    ends: Option<(u16, u32)>,
}

/// The data of an event: `struct trace_entry`, and fields behind it.
fn entry(id: u16, level: Option<Level>, task: &Task) -> Vec<u8> {
    let above = match level {
        Some(Level::Softirq) => IN_SOFTIRQ,
        Some(Level::Hardirq) => HARDIRQ,
        Some(Level::Nmi) => NMI,
        _ => 0,
    };
    let mut data = Vec::with_capacity(56);
    data.extend(id.to_le_bytes());
    data.extend([IRQS_UNKNOWN | above, 0]);
    data.extend(task.pid.to_le_bytes());
    data
}

/// A field, where its type may begin.
fn put<const N: usize>(data: &mut Vec<u8>, value: [u8; N]) {
    data.resize(formats::place(data.len(), N), 0);
    data.extend(value);
}

/// Characters, with a zero behind them.
fn comm(comm: Comm) -> [u8; 16] {
    let (first, second) = comm.words();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    bytes[8..15].copy_from_slice(&second.to_le_bytes()[..7]);
    bytes
}

impl TraceDatExport {
    fn add(&mut self, clock: u64, place: Place, task: &Task, data: Vec<u8>, scope: &RecordScope) {
        if self.head.tasks.len() < TASKS || self.head.tasks.contains_key(&task.pid) {
            self.head.tasks.insert(task.pid, task.comm);
        }
        let first = self.pending.push(clock, (place, data));
        self.write(first, scope);
    }

    fn write(&mut self, event: Option<(u64, (Place, Vec<u8>))>, scope: &RecordScope) {
        let Some((clock, (place, data))) = event else { return };
        let vcpu = match place {
            Place::Vcpu(vcpu, task) => {
                if self.ran_on.len() < TASKS || self.ran_on.contains_key(&task) {
                    self.ran_on.insert(task, vcpu);
                }
                vcpu
            }
            Place::Task(task) => self.ran_on.get(&task).copied().unwrap_or(0),
        };
        self.written += 1;
        let Self { vcpus, folder, error, .. } = self;
        error.attempt(|| {
            if usize::from(vcpu) >= VCPUS {
                return Err(io::Error::other("more vCPUs than 1,024"));
            }
            while vcpus.len() <= usize::from(vcpu) {
                vcpus.push(RingPages::new(folder)?);
            }
            vcpus[usize::from(vcpu)].add(scope.at(clock), &data)
        });
    }

    /// An event of an interrupt or a softirq: type and number.
    fn add_interrupt(
        &mut self,
        clock: u64,
        place: Place,
        call: &ContextCall,
        (id, number): (u16, u32),
        scope: &RecordScope,
    ) {
        let mut data = entry(id, Some(call.level), &call.task);
        put(&mut data, number.to_le_bytes());
        self.add(clock, place, &call.task, data, scope);
    }

    /// The address of a function; it has its name from here on.
    fn function(&mut self, kind: KindId, scope: &RecordScope) -> u64 {
        let Some(probe) = scope.definitions.probes.get(&kind) else { return 0 };
        let named = || (probe.own_name().to_owned(), probe.module.clone());
        self.head.functions.entry(probe.address).or_insert_with(named);
        probe.address
    }
}

/// The event that a call begins with: its type, and the number of the interrupt or of the softirq.
fn interrupt(stage: Option<&Stage>, word: impl Fn(Role) -> Option<u64>) -> Option<(u16, u32)> {
    match stage? {
        Stage::IrqHandler => Some((formats::IRQ, word(Role::IrqNumber)? as u32)),
        Stage::Softirq(number) => Some((formats::SOFTIRQ, u32::from(*number))),
        Stage::SoftirqRaise => Some((formats::RAISE, word(Role::SoftirqNumber)? as u32)),
        _ => None,
    }
}

impl RecordSink for TraceDatExport {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { block_events: true, contexts: true, ..RecordNeeds::default() }
    }

    fn block_event(&mut self, event: &BlockEvent, scope: &RecordScope) {
        let at = BlockKind::ALL.iter().position(|kind| *kind == event.kind).unwrap_or(0);
        let id = formats::FIRST_BLOCK + at as u16;
        let mut data = entry(id, None, &event.task);
        put(&mut data, (event.dev as u32).to_le_bytes());
        put(&mut data, event.sector.to_le_bytes());
        match event.kind {
            BlockKind::Split => put(&mut data, event.sectors.to_le_bytes()),
            _ => put(&mut data, (event.sectors as u32).to_le_bytes()),
        }
        let mut rwbs = [0; 8];
        rwbs.iter_mut().zip(event.op.rwbs().bytes().take(7)).for_each(|(to, from)| *to = from);
        data.extend(rwbs);
        if !matches!(event.kind, BlockKind::RqRequeue | BlockKind::RqComplete | BlockKind::BioComplete) {
            data.extend(comm(event.task.comm));
        }
        self.add(event.clock, Place::Task(event.task.address), &event.task, data, scope);
    }

    fn switched(&mut self, switch: &Switch, scope: &RecordScope) {
        if !scope.contains(switch.clock) {
            return;
        }
        let (from, to) = (scope.tasks.get(switch.from), scope.tasks.get(switch.to));
        let mut data = entry(formats::SWITCH, None, &from);
        data.extend(comm(from.comm));
        put(&mut data, from.pid.to_le_bytes());
        data.extend(comm(to.comm));
        put(&mut data, to.pid.to_le_bytes());
        self.add(switch.clock, Place::Vcpu(switch.vcpu, switch.to), &from, data, scope);
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        if !call.selected || !scope.contains(call.clock) {
            return;
        }
        let place = Place::Vcpu(event.vcpu, call.task.address);
        let mut data = entry(formats::GRAPH_ENTRY, Some(call.level), &call.task);
        put(&mut data, self.function(event.kind, scope).to_le_bytes());
        put(&mut data, (call.depth as u32).to_le_bytes());
        self.add(call.clock, place, &call.task, data, scope);
        let probe = scope.definitions.probes.get(&event.kind);
        let word =
            |role| probe.and_then(|probe| probe.word(role)).and_then(|at| event.words.get(at)).copied();
        let begins = interrupt(probe.and_then(|probe| probe.stage.as_ref()), word);
        if let Some((id, number)) = begins {
            self.add_interrupt(call.clock, place, call, (id, number), scope);
        }
        let ends = begins.filter(|(id, _)| *id != formats::RAISE).map(|(id, number)| (id + 1, number));
        self.open.insert(call.id, OpenEntry { vcpu: event.vcpu, ends });
    }

    fn passed(&mut self, within: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let Some(probe) = scope.definitions.probes.get(&event.kind) else { return };
        let is_shown = self.open.contains_key(&within.id) && scope.contains(event.clock);
        let word = |role| probe.word(role).and_then(|at| event.words.get(at)).copied();
        if let Some(raised) =
            interrupt(probe.stage.as_ref(), word).filter(|(id, _)| is_shown && *id == formats::RAISE)
        {
            let place = Place::Vcpu(event.vcpu, within.task.address);
            self.add_interrupt(event.clock, place, within, raised, scope);
        }
    }

    fn left(&mut self, end: &CallEnd, call: &ContextCall, scope: &RecordScope) {
        let Some(OpenEntry { vcpu, ends }) = self.open.remove(&end.id) else { return };
        let place = Place::Vcpu(vcpu, call.task.address);
        if let Some(interrupt) = ends {
            self.add_interrupt(end.clock, place, call, interrupt, scope);
        }
        let mut data = entry(formats::GRAPH_EXIT, Some(call.level), &call.task);
        put(&mut data, self.function(call.kind, scope).to_le_bytes());
        put(&mut data, (call.depth as u32).to_le_bytes());
        put(&mut data, 0_u32.to_le_bytes());
        put(&mut data, scope.at(call.clock).to_le_bytes());
        put(&mut data, scope.at(end.clock).to_le_bytes());
        self.add(end.clock, place, &call.task, data, scope);
    }

    fn finish(&mut self, scope: &RecordScope) {
        while let Some(event) = self.pending.pop() {
            self.write(Some(event), scope);
        }
        self.head.nanoseconds = scope.time.ns(0).is_some();
    }

    fn is_complete(&self) -> bool {
        self.error.is_some()
    }
}

impl ExportFormat for TraceDatExport {
    fn close(mut self: Box<Self>) -> Result<u64> {
        self.error.check()?;
        let Self { mut out, head, vcpus, written, .. } = *self;
        file::write(&mut out, &head, vcpus).context("cannot write the export")?;
        out.close()?;
        Ok(written)
    }
}
