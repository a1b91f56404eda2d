//! Which tasks a subject's way leads through, beside those that work for it: those that wake, queue and raise what it waits
//! for, and those that it wakes, or queues work for.
//!
//! In: the whole trace, the contexts of the subject's path. Out: the tasks of the contexts from and to which hand-offs lead;
//! when which tasks wrote what the subject's bios carry beside its own bytes, or had bios of their own under way that share
//! the subject's requests and flushes.

use crate::analysis::Progress;
use crate::analysis::path::Path;
use crate::analysis::subject::Subject;
use crate::hash::{Map, Set};
use crate::model::{Bio, BioId, CallId, Definitions, Handover, Io, IoId, Level, Point, RequestId};
use crate::reader::{Flow, Trace, Visitor, read};
use crate::trackers::{Sink, Trackers};
use iotrace_format::definition::Definition;
use iotrace_format::event::Event;
use iotrace_format::trace::reader::ReadError;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// What a path needs.
#[derive(Debug, Default)]
pub struct Reached {
    /// Tasks: all that they do.
    pub tasks: Set<u64>,
    /// Of other tasks, or before: when they worked for what the subject shares, by the task, from clock to clock.
    pub times: Map<u64, Vec<(u64, u64)>>,
    /// When the first of the bios was queued that share the subject's requests.
    pub begin: u64,
}

/// What a path needs between two clocks.
pub fn reach(
    trace: &Trace,
    path: &Path,
    window: &RangeInclusive<u64>,
    progress: Progress<'_>,
) -> Result<Reached, ReadError> {
    let handed = Handed { window: window.clone(), by_target: Map::default(), led_to: Map::default() };
    let sharers = Sharers::of(&path.subject);
    let mut reading = Reading { trackers: Trackers::default(), seen: Seen { handed, sharers } };
    read(trace, &mut reading, progress)?;
    let Reading { mut trackers, mut seen } = reading;
    trackers.finish(&mut seen);
    let Seen { handed, sharers } = seen;
    let mut tasks: Set<u64> = path.segments.iter().map(|segment| segment.task.address).collect();
    // What a path hands over is shown with where it leads.
    let led = path.segments.iter().filter_map(|segment| handed.led_to.get(&segment.root));
    tasks.extend(led.flatten());
    let mut reached: Set<Context> = path.segments.iter().map(|segment| Context::Call(segment.root)).collect();
    reached.extend(path.subject.ios.iter().map(|io| Context::Task(io.task.address)));
    let mut open: Vec<Context> = reached.iter().copied().collect();
    while let Some(context) = open.pop() {
        for from in handed.by_target.get(&context).into_iter().flatten() {
            if from.level == Level::Task {
                tasks.insert(from.task);
            }
            let new = Context::of(from).into_iter().filter(|context| reached.insert(*context));
            open.extend(new);
        }
    }
    Ok(Reached { tasks, times: sharers.times, begin: sharers.begin })
}

/// What a hand-off leads to, or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Context {
    /// The context with this outermost call.
    Call(CallId),
    /// The task at this address.
    Task(u64),
}

impl Context {
    fn of(point: &Point) -> Vec<Self> {
        let task = (point.level == Level::Task).then_some(Self::Task(point.task));
        point.root.map(Self::Call).into_iter().chain(task).collect()
    }
}

/// Who shares what with the subject.
#[derive(Debug)]
struct Sharers {
    /// The I/Os whose bytes its bios carry.
    ios: BTreeSet<IoId>,
    /// The bios in its requests.
    bios: BTreeSet<BioId>,
    /// The requests that its flushes are for.
    requests: BTreeSet<RequestId>,
    /// When they were under way, by their tasks.
    times: Map<u64, Vec<(u64, u64)>>,
    begin: u64,
}

impl Sharers {
    fn of(subject: &Subject) -> Self {
        let carried = subject.bios.iter().flat_map(|bio| &bio.carries);
        let members = subject.requests.iter().flat_map(|request| &request.members);
        let riders = subject.requests.iter().flat_map(|request| &request.riders);
        Self {
            ios: carried.map(|carried| carried.io).collect(),
            bios: members.map(|member| member.bio).collect(),
            requests: riders.map(|rider| rider.request).collect(),
            times: Map::default(),
            begin: u64::MAX,
        }
    }

    fn io(&mut self, io: &Io) {
        if self.ios.remove(&io.id) {
            let call = (io.entered, io.left.unwrap_or(u64::MAX));
            self.times.entry(io.task.address).or_default().push(call);
        }
    }

    fn bio(&mut self, bio: &Bio) {
        let requests = bio.request.iter().chain(&bio.other_requests);
        if self.bios.remove(&bio.id) || requests.into_iter().any(|request| self.requests.contains(request)) {
            let (queued, ended) = (bio.queued(), bio.ended().unwrap_or(u64::MAX));
            self.begin = self.begin.min(queued);
            self.times.entry(bio.task.address).or_default().push((queued, ended));
        }
    }
}

struct Reading {
    trackers: Trackers,
    seen: Seen,
}

struct Seen {
    handed: Handed,
    sharers: Sharers,
}

struct Handed {
    window: RangeInclusive<u64>,
    by_target: Map<Context, Vec<Point>>,
    /// The tasks that each context hands over to.
    led_to: Map<CallId, Set<u64>>,
}

impl Sink for Seen {
    fn io(&mut self, io: Io) {
        self.sharers.io(&io);
    }

    fn bio(&mut self, bio: Bio) {
        self.sharers.bio(&bio);
    }

    fn handover(&mut self, handover: &Handover) {
        if self.handed.window.contains(&handover.to.clock) {
            if let (Some(root), Level::Task) = (handover.from.root, handover.to.level) {
                self.handed.led_to.entry(root).or_default().insert(handover.to.task);
            }
            for context in Context::of(&handover.to) {
                self.handed.by_target.entry(context).or_default().push(handover.from);
            }
        }
    }
}

impl Visitor for Reading {
    fn define(&mut self, definition: &Definition) {
        self.trackers.define(definition);
    }

    fn skipped(&mut self, events: u64) {
        self.trackers.skipped(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.trackers.event(event, &mut self.seen);
        if event.clock > *self.seen.handed.window.end() { Flow::Stop } else { Flow::Continue }
    }
}
