//! Common Trace Format 1.8, with the names that LTTng gives its events, for babeltrace2 and Trace Compass.
//!
//! In: block tracepoints, system calls, softirqs, switches of tasks; what the state dump has. Out: a directory with
//! `metadata`, which describes the layout (TSDL), and one stream, `channel0_0`. Everything is little-endian and aligned to
//! bytes. Times are virtual nanoseconds, or guest instructions without icount.

mod metadata;
mod statedump;

use super::format::{ExportFormat, FormatOptions};
use super::output::{ExportFile, ExportTarget, FirstError};
use super::reorder::Reorder;
use anyhow::{Context, Result};
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{Bio, BlockEvent, CallEnd, Io, Op, OpName, Switch, Task};
use iotrace_format::event::Event;
use iotrace_format::stage::Stage;
use metadata::{EventClass, FieldType};
use statedump::StateDump;
use std::io::{self, Write};
use std::path::PathBuf;

/// Bytes of events in a packet.
const PACKET: usize = 1 << 18;
/// Bytes before the events of a packet: magic, stream; begin, end, content size, packet size, CPU.
const HEAD: usize = 4 + 4 + 4 * 8 + 4;
/// `0xC1FC1FC1` of CTF's packet headers.
const MAGIC: u32 = 0xc1fc_1fc1;
/// Most kinds of events: their numbers have 16 bits.
const CLASSES: usize = 1 << 15;
/// `TASK_COMM_LEN`.
const COMM: usize = 16;

/// Begins an export.
///
/// # Errors
/// If there is no directory, or it cannot be written.
pub fn begin(_: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    let folder = target.directory("the files of CTF")?;
    let stream = ExportFile::create(&folder.join("channel0_0"))?;
    Ok(CtfExport {
        folder,
        stream,
        classes: Vec::new(),
        by_name: Map::default(),
        order: Reorder::default(),
        packet: Packet::default(),
        dump: StateDump::default(),
        written: 0,
        error: FirstError::default(),
    })
}

/// Events that are not written yet.
#[derive(Default)]
struct Packet {
    bytes: Vec<u8>,
    begin: u64,
    end: u64,
}

struct CtfExport {
    folder: PathBuf,
    stream: ExportFile,
    classes: Vec<EventClass>,
    by_name: Map<String, u16>,
    /// Number of the kind, and what follows its header.
    order: Reorder<(u16, Vec<u8>)>,
    packet: Packet,
    dump: StateDump,
    written: u64,
    error: FirstError,
}

impl CtfExport {
    /// An event; of more kinds than there are numbers for it is left out.
    fn add(
        &mut self,
        name: &str,
        fields: &'static [(&'static str, FieldType)],
        clock: u64,
        task: &Task,
        payload: &[u8],
        scope: &RecordScope,
    ) {
        if !scope.contains(clock) {
            return;
        }
        if let Some(tasks) = self.dump.begin(scope) {
            self.add_tasks(tasks, clock, task, scope);
        }
        if self.dump.is_new(task) {
            self.add(statedump::TASK, statedump::TASK_FIELDS, clock, task, &statedump::task(task), scope);
        }
        let id = match self.by_name.get(name) {
            Some(id) => *id,
            None if self.classes.len() >= CLASSES => return,
            None => {
                let id = self.classes.len() as u16;
                self.by_name.insert(name.to_owned(), id);
                self.classes.push(EventClass { name: name.to_owned(), fields });
                id
            }
        };
        let mut bytes = Vec::with_capacity(24 + payload.len());
        bytes.extend(task.pid.to_le_bytes());
        bytes.extend(task.tgid.to_le_bytes());
        bytes.extend(comm(task));
        bytes.extend(payload);
        let first = self.order.push(clock, (id, bytes));
        self.put(first, scope);
    }

    /// The tasks that are known where the export begins.
    fn add_tasks(&mut self, mut tasks: Vec<Task>, clock: u64, context: &Task, scope: &RecordScope) {
        let clock = if scope.window.0 == 0 { clock } else { scope.window.0.min(clock) };
        tasks.retain(|task| self.dump.is_new(task));
        self.add(statedump::BEGIN, statedump::NOTHING, clock, context, &[], scope);
        for task in tasks {
            self.add(statedump::TASK, statedump::TASK_FIELDS, clock, context, &statedump::task(&task), scope);
        }
        self.add(statedump::END, statedump::NOTHING, clock, context, &[], scope);
    }

    fn put(&mut self, event: Option<(u64, (u16, Vec<u8>))>, scope: &RecordScope) {
        let Some((clock, (id, after))) = event else { return };
        let packet = &mut self.packet;
        // A reader refuses a time before the last one: what came too late to be put in order is at that.
        let at = scope.at(clock).max(packet.end);
        if packet.bytes.is_empty() {
            packet.begin = at;
        }
        packet.end = at;
        packet.bytes.extend(id.to_le_bytes());
        packet.bytes.extend(at.to_le_bytes());
        packet.bytes.extend(after);
        self.written += 1;
        if packet.bytes.len() >= PACKET {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Self { stream, packet, error, .. } = self;
        error.attempt(|| packet.write(stream));
        packet.bytes.clear();
    }
}

impl Packet {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let bits = ((HEAD + self.bytes.len()) * 8) as u64;
        out.write_all(&MAGIC.to_le_bytes())?;
        out.write_all(&0_u32.to_le_bytes())?;
        for value in [self.begin, self.end, bits, bits] {
            out.write_all(&value.to_le_bytes())?;
        }
        out.write_all(&0_u32.to_le_bytes())?;
        out.write_all(&self.bytes)
    }
}

/// A task's name, as an array of characters.
fn comm(task: &Task) -> [u8; COMM] {
    let (first, second) = task.comm.words();
    let mut bytes = [0; COMM];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    bytes[8..].copy_from_slice(&second.to_le_bytes());
    bytes[COMM - 1] = 0;
    bytes
}

/// The bits of `rwbs` in LTTng's modules (`instrumentation/events/block.h`).
fn rwbs(op: Op) -> u32 {
    let name = match op.name {
        OpName::Write | OpName::WriteSame | OpName::WriteZeroes => 1 << 0,
        OpName::Discard => 1 << 1,
        OpName::Read => 1 << 2,
        OpName::SecureErase => 1 << 1 | 1 << 7,
        OpName::Flush => 1 << 8,
        _ => 0,
    };
    let flags = [(op.ahead, 3), (op.sync, 5), (op.meta, 6), (op.fua, 9), (op.preflush, 10)];
    flags.iter().filter(|(set, _)| *set).fold(name, |bits, (_, bit)| bits | 1 << bit)
}

const BLOCK: &[(&str, FieldType)] = &[
    ("dev", FieldType::U32),
    ("sector", FieldType::U64),
    ("nr_sector", FieldType::U32),
    ("error", FieldType::I32),
    ("rwbs", FieldType::U32),
    ("tid", FieldType::I32),
    ("comm", FieldType::Comm),
];
/// Priorities and the state are not in the trace: they are 0.
const SWITCH: &[(&str, FieldType)] = &[
    ("prev_comm", FieldType::Comm),
    ("prev_tid", FieldType::I32),
    ("prev_prio", FieldType::I32),
    ("prev_state", FieldType::I64),
    ("next_comm", FieldType::Comm),
    ("next_tid", FieldType::I32),
    ("next_prio", FieldType::I32),
];
const ENTRY: &[(&str, FieldType)] = &[("fd", FieldType::I32), ("count", FieldType::U64)];
/// The name of the file is not known when it is opened: the state dump has it.
const OPEN: &[(&str, FieldType)] =
    &[("filename", FieldType::Text), ("flags", FieldType::I32), ("mode", FieldType::I32)];
const DUP: &[(&str, FieldType)] = &[("fildes", FieldType::I32)];
const DUP_TO: &[(&str, FieldType)] =
    &[("oldfd", FieldType::I32), ("newfd", FieldType::I32), ("flags", FieldType::I32)];
const FCNTL: &[(&str, FieldType)] = &[("fd", FieldType::I32), ("cmd", FieldType::I32)];
const EXIT: &[(&str, FieldType)] = &[("ret", FieldType::I64)];
const SOFTIRQ: &[(&str, FieldType)] = &[("vec", FieldType::U32)];

/// The fields of a system call's entry, as LTTng has them for those that name files, and their values; what the trace does
/// not have is 0, or -1 for a file descriptor.
fn arguments(
    name: &str,
    word: impl Fn(&str) -> Option<u64>,
) -> (&'static [(&'static str, FieldType)], Vec<u8>) {
    let fields = match name {
        "open" | "openat" | "openat2" | "creat" => OPEN,
        "dup" => DUP,
        "dup2" | "dup3" => DUP_TO,
        "fcntl" => FCNTL,
        _ => ENTRY,
    };
    let mut payload = Vec::new();
    for (field, kind) in fields {
        let value = word(field);
        match kind {
            FieldType::Text => payload.push(0),
            FieldType::I32 => {
                let unknown = if field.contains("fd") || *field == "fildes" { u64::MAX } else { 0 };
                payload.extend((value.unwrap_or(unknown) as u32).to_le_bytes());
            }
            _ => payload.extend(value.unwrap_or(0).to_le_bytes()),
        }
    }
    (fields, payload)
}

impl RecordSink for CtfExport {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { objects: true, block_events: true, contexts: true, ..RecordNeeds::default() }
    }

    fn io(&mut self, io: &Io, scope: &RecordScope) {
        if let Some(payload) = self.dump.file(io) {
            self.add(statedump::FILE, statedump::FILE_FIELDS, io.entered, &io.task, &payload, scope);
        }
    }

    fn bio(&mut self, bio: &Bio, scope: &RecordScope) {
        if let Some(payload) = self.dump.device(bio) {
            self.add(statedump::DEVICE, statedump::DEVICE_FIELDS, bio.queued(), &bio.task, &payload, scope);
        }
    }

    fn block_event(&mut self, event: &BlockEvent, scope: &RecordScope) {
        let mut payload = Vec::new();
        payload.extend((event.dev as u32).to_le_bytes());
        payload.extend(event.sector.to_le_bytes());
        payload.extend((event.sectors as u32).to_le_bytes());
        payload.extend(0_i32.to_le_bytes());
        payload.extend(rwbs(event.op).to_le_bytes());
        payload.extend(event.task.pid.to_le_bytes());
        payload.extend(comm(&event.task));
        self.add(event.kind.name(), BLOCK, event.clock, &event.task, &payload, scope);
    }

    fn switched(&mut self, switch: &Switch, scope: &RecordScope) {
        let (from, to) = (scope.tasks.get(switch.from), scope.tasks.get(switch.to));
        let mut payload = Vec::new();
        payload.extend(comm(&from));
        payload.extend(from.pid.to_le_bytes());
        payload.extend([0; 4 + 8]);
        payload.extend(comm(&to));
        payload.extend(to.pid.to_le_bytes());
        payload.extend([0; 4]);
        self.add("sched_switch", SWITCH, switch.clock, &from, &payload, scope);
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let Some(probe) = scope.definitions.probes.get(&event.kind).filter(|_| call.selected) else { return };
        match &probe.stage {
            Some(Stage::Syscall(name)) => {
                let (fields, payload) = arguments(name, |end| {
                    let at = probe.words.iter().position(|word| word.rsplit('.').next() == Some(end));
                    at.and_then(|at| event.words.get(at)).copied()
                });
                self.add(&format!("syscall_entry_{name}"), fields, call.clock, &call.task, &payload, scope);
            }
            Some(Stage::Softirq(number)) => {
                let vec = u32::from(*number).to_le_bytes();
                self.add("softirq_entry", SOFTIRQ, call.clock, &call.task, &vec, scope);
            }
            _ => {}
        }
    }

    fn left(&mut self, end: &CallEnd, call: &ContextCall, scope: &RecordScope) {
        let Some(probe) = scope.definitions.probes.get(&end.kind).filter(|_| call.selected) else { return };
        match &probe.stage {
            Some(Stage::Syscall(name)) if scope.contains(call.clock) => {
                let ret = (end.returned.unwrap_or(0) as i64).to_le_bytes();
                self.add(&format!("syscall_exit_{name}"), EXIT, end.clock, &call.task, &ret, scope);
            }
            Some(Stage::Softirq(number)) if scope.contains(call.clock) => {
                let vec = u32::from(*number).to_le_bytes();
                self.add("softirq_exit", SOFTIRQ, end.clock, &call.task, &vec, scope);
            }
            _ => {}
        }
    }

    fn finish(&mut self, scope: &RecordScope) {
        while let Some(event) = self.order.pop() {
            self.put(Some(event), scope);
        }
        self.flush();
    }

    fn is_complete(&self) -> bool {
        self.error.is_some()
    }
}

impl ExportFormat for CtfExport {
    fn close(mut self: Box<Self>) -> Result<u64> {
        self.error.check()?;
        let mut out = ExportFile::create(&self.folder.join("metadata"))?;
        metadata::write(&mut out, &self.classes).context("cannot write the export")?;
        // A reader begins with the metadata: the stream is there before.
        self.stream.close()?;
        out.close()?;
        Ok(self.written)
    }
}
