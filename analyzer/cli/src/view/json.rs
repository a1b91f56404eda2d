//! Pieces that several JSON views share.

use iotrace::analysis::Warning;
use iotrace::model::{Bio, BioStage, Carried, Definitions, Io, IrqRef, Join, Origin, Task, TimeMap};
use iotrace_format::definition::At;
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Writes a value and a line end.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// A list whose elements are made as they are written.
pub struct Each<'a, T, F>(pub &'a [T], pub F);

impl<T, F: Fn(&T) -> Value> Serialize for Each<'_, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

/// An address.
#[must_use]
pub fn hex(address: u64) -> String {
    format!("{address:#x}")
}

/// Where in a function a probe sits.
#[must_use]
pub fn at(at: At) -> &'static str {
    match at {
        At::Entry => "entry",
        At::Exit => "exit",
        At::Inlined => "inlined",
    }
}

/// Who wrote the trace, of what.
#[must_use]
pub fn trace(definitions: &Definitions) -> Value {
    let info = &definitions.trace;
    let notes: serde_json::Map<_, _> = info.notes.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    json!({
        "writer": info.writer,
        "target": info.target,
        "plugin_api": info.plugin_api,
        "vcpus": info.vcpus,
        "icount_shift": info.icount_shift,
        "kernel": info.banner,
        "build_id": build_id(definitions),
        "slide": hex(info.slide),
        "notes": notes,
        "known_devices": definitions.devices.iter().map(|d| &d.name).collect::<Vec<_>>(),
        "modules": definitions.modules.iter().map(|m| &m.name).collect::<Vec<_>>(),
    })
}

/// The kernel's build-id in hexadecimal digits.
#[must_use]
pub fn build_id(definitions: &Definitions) -> String {
    definitions.trace.build_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Warnings.
#[must_use]
pub fn warnings(warnings: &[Warning]) -> Value {
    let one = |w: &Warning| json!({ "severity": w.severity, "topic": w.topic, "text": w.text });
    warnings.iter().map(one).collect()
}

/// A moment.
#[must_use]
pub fn moment(time: &TimeMap, clock: u64) -> Value {
    json!({ "clock": clock, "ns": time.ns(clock) })
}

/// A span.
#[must_use]
pub fn span(time: &TimeMap, from: u64, to: u64) -> Value {
    json!({ "instructions": to.saturating_sub(from), "ns": time.between(from, to) })
}

/// A task.
#[must_use]
pub fn task(task: &Task) -> Value {
    json!({ "comm": task.comm.to_string(), "pid": task.pid, "tgid": task.tgid })
}

/// An I/O.
#[must_use]
pub fn io(io: &Io, time: &TimeMap) -> Value {
    json!({
        "id": io.id,
        "syscall": io.syscall.as_ref(),
        "task": task(&io.task),
        "fd": io.fd.map(|fd| fd as u32 as i32),
        "file": io.file.as_ref().map(|file| json!({
            "name": file.name,
            "ino": file.ino,
            "device": super::text::device(file.dev),
        })),
        "position": io.position,
        "count": io.count,
        "returned": io.returned,
        "entered": moment(time, io.entered),
        "left": io.left.map(|left| moment(time, left)),
        "elapsed": io.left.map(|left| span(time, io.entered, left)),
        "cost": io.cost,
        "bios": io.bios,
        "cached": io.cached,
        "carried": carried(&io.carried),
        "unwritten": io.unwritten(),
        "in_workload": io.in_workload,
    })
}

fn carried(carried: &[Carried]) -> Value {
    carried.iter().map(|c| json!({ "io": c.io, "bio": c.bio, "from": c.from, "to": c.to })).collect()
}

/// A bio with its stages.
#[must_use]
pub fn bio(bio: &Bio, time: &TimeMap, definitions: &Definitions) -> Value {
    let split_of = match bio.origin {
        Origin::Queued => None,
        Origin::Split { of } => Some(of),
    };
    json!({
        "id": bio.id,
        "pointer": hex(bio.pointer),
        "split_of": split_of,
        "splits": bio.splits,
        "device": super::text::device(bio.dev),
        "op": bio.op.name.to_string(),
        "rwbs": bio.op.rwbs(),
        "sector": bio.sector,
        "bytes": bio.bytes,
        "task": task(&bio.task),
        "cause": super::cause::to_json(bio.cause.as_deref(), definitions),
        "carries": carried(&bio.carries),
        "call": bio.call.map(|call| json!({
            "name": call.kind.name(),
            "clock": call.clock,
            "ino": call.ino,
            "device": super::text::device(call.dev),
            "count": call.count,
            "position": call.position,
        })),
        "in_workload": bio.in_workload,
        "request": bio.request,
        "join": bio.join.map(join),
        "other_requests": bio.other_requests,
        "requeues": bio.requeues,
        "interrupt": bio.interrupt.map(|irq| interrupt(&irq, time, definitions)),
        "status": bio.status,
        "complete": bio.ended().is_some(),
        "total": bio.ended().map(|end| span(time, bio.queued(), end)),
        "stages": stages(bio, time),
    })
}

fn stages(bio: &Bio, time: &TimeMap) -> Value {
    let mut before = bio.queued();
    let stage = |mark: &iotrace::model::StageMark| {
        let delta = span(time, before, mark.clock);
        before = mark.clock;
        json!({
            "stage": mark.stage.name(),
            "clock": mark.clock,
            "ns": time.ns(mark.clock),
            "since_queued": span(time, bio.queued(), mark.clock),
            "delta": delta,
            "shared": mark.shared,
        })
    };
    bio.stages.iter().map(stage).collect()
}

/// How a bio came into its request.
#[must_use]
pub fn join(join: Join) -> &'static str {
    match join {
        Join::Got => "got",
        Join::Back => "back-merge",
        Join::Front => "front-merge",
        Join::Discard => "discard-merge",
        Join::WithRequest => "request-merge",
    }
}

/// An interrupt.
#[must_use]
pub fn interrupt(irq: &IrqRef, time: &TimeMap, definitions: &Definitions) -> Value {
    json!({
        "id": irq.id,
        "clock": irq.clock,
        "ns": time.ns(irq.clock),
        "vector": irq.vector,
        "line": irq.line,
        "handler": irq.handler.map(|h| definitions.symbols.get(&h).cloned().unwrap_or_else(|| hex(h))),
    })
}

/// Name of a stage, or `total`.
#[must_use]
pub fn stage(stage: Option<BioStage>) -> &'static str {
    stage.map_or("total", BioStage::name)
}
