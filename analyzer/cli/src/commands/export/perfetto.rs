//! Perfetto's protobuf, for ui.perfetto.dev: calls as slices on the tracks of their contexts, hand-offs as flows, bios with
//! their stages as slices on lanes of their device, and how many requests each device has.
//!
//! In: records. Out: packets. Their times are virtual nanoseconds, or guest instructions without icount; those of bios and of
//! hand-offs are earlier than those of the packets before them, which readers put in order.

mod packets;
mod proto;
#[cfg(test)]
mod tests;
mod tracks;

use super::format::{ExportFormat, FormatOptions};
use super::output::ExportTarget;
use super::reorder::Reorder;
use crate::view::{cause, text};
use anyhow::Result;
use iotrace::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use iotrace::hash::Map;
use iotrace::model::{Bio, CallEnd, CallId, DeviceStart, Handover, HandoverKind, Io, Level, Point, Request};
use iotrace_format::event::Event;
use packets::{PacketWriter, named, number, text as word};
use proto::{EventType, TrackEvent};
use std::collections::VecDeque;
use tracks::Tracks;

/// Ended contexts whose track is kept: a hand-off is known when what it led to begins.
const ROOTS: usize = 1 << 16;

/// Begins an export.
///
/// # Errors
/// If the file cannot be written.
pub fn begin(_: &FormatOptions<'_>, target: &ExportTarget<'_>) -> Result<impl ExportFormat + use<>> {
    let out = PacketWriter::new(target.binary("perfetto")?);
    Ok(PerfettoExport {
        out,
        tracks: Tracks::default(),
        open: Map::default(),
        stacks: Map::default(),
        roots: Map::default(),
        order: VecDeque::new(),
        names: Map::default(),
        depth: Reorder::default(),
        depths: Map::default(),
        flows: 0,
        last: 0,
    })
}

/// What is known while packets are written.
struct PerfettoExport {
    out: PacketWriter,
    tracks: Tracks,
    /// The track of each open slice.
    open: Map<CallId, u64>,
    /// The open slices of each track, the outermost first.
    stacks: Map<u64, Vec<CallId>>,
    /// The track of each context, by its outermost call.
    roots: Map<CallId, u64>,
    order: VecDeque<CallId>,
    /// The kernel's names of devices.
    names: Map<u64, String>,
    /// Requests that devices got and completed: device, and one more or one less.
    depth: Reorder<(u64, i64)>,
    depths: Map<u64, i64>,
    flows: u64,
    /// The last time that was written.
    last: u64,
}

impl PerfettoExport {
    /// A slice ends, and those in it that are still open.
    fn end(&mut self, call: CallId, at: u64) {
        let Some(track) = self.open.get(&call) else { return };
        let track = *track;
        let stack = self.stacks.entry(track).or_default();
        while let Some(inner) = stack.pop() {
            self.open.remove(&inner);
            self.out.event(at, track, EventType::SliceEnd, TrackEvent::default());
            if inner == call {
                break;
            }
        }
    }

    fn keep_root(&mut self, root: CallId, track: u64) {
        if self.roots.insert(root, track).is_none() {
            self.order.push_back(root);
        }
        if self.order.len() > ROOTS {
            self.order.pop_front().iter().for_each(|old| _ = self.roots.remove(old));
        }
    }

    /// The track of a moment in a context.
    fn track_of(&mut self, point: &Point, scope: &RecordScope) -> u64 {
        if let Some(track) = point.root.and_then(|root| self.roots.get(&root)) {
            return *track;
        }
        self.tracks.context(point.level, &scope.tasks.get(point.task), 0, &mut self.out)
    }

    fn device(&self, dev: u64) -> String {
        self.names.get(&dev).cloned().unwrap_or_else(|| text::device(dev))
    }

    fn count(&mut self, counted: Option<(u64, (u64, i64))>, scope: &RecordScope) {
        let Some((clock, (dev, change))) = counted else { return };
        let depth = self.depths.entry(dev).or_default();
        *depth += change;
        let event = TrackEvent { counter_value: Some(*depth), ..TrackEvent::default() };
        let name = self.device(dev);
        let track = self.tracks.counter(dev, &name, &mut self.out);
        self.out.event(scope.at(clock), track, EventType::Counter, event);
    }

    /// A bio and its stages, as slices.
    fn put_bio(&mut self, bio: &Bio, scope: &RecordScope) {
        let Some(ended) = bio.ended() else { return };
        let name = self.device(bio.dev);
        let (from, to) = (scope.at(bio.queued()), scope.at(ended));
        let lane = self.tracks.lane((bio.dev, &name), from, to, &mut self.out);
        let title = format!("bio #{} {} {} + {}", bio.id, bio.op.rwbs(), bio.sector, bio.bytes / 512);
        let task = cause::task(&bio.task);
        let io = bio.cause.as_ref().and_then(|cause| cause.io()).map(|io| number("io", io));
        let arguments = [number("bio", bio.id), number("sector", bio.sector), number("bytes", bio.bytes)];
        let arguments = arguments.into_iter().chain([word("task", task)]).chain(io).collect();
        self.out.event(from, lane, EventType::SliceBegin, named(title, arguments));
        for pair in bio.stages.windows(2) {
            let stage = format!("{} to {}", pair[0].stage.short(), pair[1].stage.short());
            let (begin, end) = (scope.at(pair[0].clock), scope.at(pair[1].clock));
            if begin < end {
                self.out.event(begin, lane, EventType::SliceBegin, named(stage, Vec::new()));
                self.out.event(end, lane, EventType::SliceEnd, TrackEvent::default());
            }
        }
        self.out.event(to, lane, EventType::SliceEnd, TrackEvent::default());
    }
}

/// What is handed over, at both ends.
fn handed(handover: &Handover, scope: &RecordScope) -> String {
    let function = |address| cause::function(address, &scope.definitions);
    match handover.kind {
        HandoverKind::Wake { task } => format!("wake {}", cause::task(&scope.tasks.get(task))),
        HandoverKind::Work { function: address } => format!("work {}", function(address)),
        HandoverKind::Softirq { number } => format!("softirq {}", scope.definitions.softirq(number)),
        HandoverKind::Timer { function: address } => format!("timer {}", function(address)),
        HandoverKind::IrqThread { irq } => format!("thread of interrupt {irq}"),
        HandoverKind::Interrupt { command, since: DeviceStart::Doorbell, .. } => {
            format!("command {command}, since doorbell")
        }
        HandoverKind::Interrupt { command, .. } => format!("command {command}, since issue"),
    }
}

impl RecordSink for PerfettoExport {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { objects: true, contexts: true, ..RecordNeeds::default() }
    }

    fn io(&mut self, io: &Io, scope: &RecordScope) {
        // A call has ended by now: its I/O is where it began.
        let Some(call) = io.call else { return };
        let point = Point {
            clock: io.entered,
            event: 0,
            call: Some(call),
            root: Some(call),
            task: io.task.address,
            level: Level::Task,
            completes: None,
        };
        let track = match self.roots.get(&call) {
            Some(track) => *track,
            None => self.track_of(&point, scope),
        };
        let file = io.file.as_ref().map(|file| word("file", file.name.clone()));
        let arguments = [number("io", io.id)].into_iter().chain(file).collect();
        let event = named(format!("I/O #{} {}", io.id, io.syscall), arguments);
        self.out.event(scope.at(io.entered), track, EventType::Instant, event);
    }

    fn bio(&mut self, bio: &Bio, scope: &RecordScope) {
        if let Some(name) = &bio.device {
            self.names.entry(bio.dev).or_insert_with(|| name.to_string());
        }
        self.put_bio(bio, scope);
    }

    fn request(&mut self, request: &Request, scope: &RecordScope) {
        for attempt in &request.attempts {
            let end = attempt.requeued.or(attempt.completed).or(attempt.done).or(request.ended);
            let Some((issued, end)) = attempt.issued.zip(end) else { continue };
            let counted = self.depth.push(issued, (request.dev, 1));
            self.count(counted, scope);
            let counted = self.depth.push(end, (request.dev, -1));
            self.count(counted, scope);
        }
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        if !call.selected || !scope.contains(call.clock) {
            return;
        }
        let outer = call.parent.and_then(|parent| self.open.get(&parent).copied());
        let track =
            outer.unwrap_or_else(|| self.tracks.context(call.level, &call.task, event.vcpu, &mut self.out));
        if call.parent.is_none() {
            self.keep_root(call.id, track);
        }
        self.last = scope.at(call.clock);
        self.out.begin_of_kind(self.last, track, event.kind, &scope.definitions);
        self.open.insert(call.id, track);
        self.stacks.entry(track).or_default().push(call.id);
    }

    fn left(&mut self, end: &CallEnd, _: &ContextCall, scope: &RecordScope) {
        self.last = self.last.max(scope.at(end.clock));
        self.end(end.id, scope.at(end.clock));
    }

    fn handover(&mut self, handover: &Handover, scope: &RecordScope) {
        let (from, to) = (handover.from, handover.to);
        let is_shown = |point: &Point| {
            scope.contains(point.clock) && point.root.is_some_and(|root| self.roots.contains_key(&root))
        };
        if !is_shown(&from) || !is_shown(&to) {
            return;
        }
        self.flows += 1;
        let (here, there) = (self.track_of(&from, scope), self.track_of(&to, scope));
        let name = handed(handover, scope);
        let begin = TrackEvent { flow_ids: vec![self.flows], ..named(name.clone(), Vec::new()) };
        let end = TrackEvent { terminating_flow_ids: vec![self.flows], ..named(name, Vec::new()) };
        self.out.event(scope.at(from.clock), here, EventType::Instant, begin);
        self.out.event(scope.at(to.clock), there, EventType::Instant, end);
    }

    fn passed(&mut self, within: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let Some(track) = self.open.get(&within.id).copied().filter(|_| scope.contains(event.clock)) else {
            return;
        };
        let name = scope.definitions.title(event.kind).into_owned();
        self.out.event(scope.at(event.clock), track, EventType::Instant, named(name, Vec::new()));
    }

    fn finish(&mut self, scope: &RecordScope) {
        let mut outermost = Vec::from_iter(self.stacks.values().filter_map(|stack| stack.first().copied()));
        outermost.sort_unstable();
        let last = self.last;
        outermost.into_iter().for_each(|call| self.end(call, last));
        while let Some(counted) = self.depth.pop() {
            self.count(Some(counted), scope);
        }
    }

    fn is_complete(&self) -> bool {
        self.out.error.is_some()
    }
}

impl ExportFormat for PerfettoExport {
    fn close(mut self: Box<Self>) -> Result<u64> {
        self.out.error.check()?;
        let events = self.out.events;
        self.out.into_file().close()?;
        Ok(events)
    }
}
