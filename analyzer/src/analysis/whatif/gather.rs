//! What of a trace the timeline is made from: requests handed to a device, idle time, I/Os.
//!
//! In: events. Out: [`Gathered`]. Clocks are in instructions. Memory is bounded: of too many requests or idle times
//! the reading ends.

use super::super::Workload;
use super::super::report::First;
use crate::model::{Attempt, Definitions, Io, Level, OpName, Request, WorkloadMark};
use crate::session::{Observer, Pass};
use crate::trackers::Sink;
use iotrace_format::event::{Event, IDLE, MARK_BEGIN};

/// Most requests, and most points at which an idle time begins or ends.
pub const MOST: usize = 1 << 22;

/// How a request's stay at the device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlightEnd {
    /// With an interrupt, or when its completion was seen.
    Completion { clock: u64 },
    /// It was not at a device: the driver answered it.
    InDriver,
    /// The trace does not have it.
    Missing,
}

/// A request that was handed to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// `dev_t` of the disk.
    pub dev: u64,
    /// Operation.
    pub op: Option<OpName>,
    /// Bytes.
    pub bytes: u64,
    /// When it was handed over.
    pub handed: u64,
    /// How it ended.
    pub end: FlightEnd,
}

impl Flight {
    /// An attempt of a request; none if it was not handed to anything.
    fn of(request: &Request, attempt: &Attempt) -> Option<Self> {
        let handed = attempt.doorbell.or(attempt.driver).or(attempt.issued)?;
        let seen_at_device = attempt.doorbell.is_some() || attempt.interrupt.is_some();
        let completed = attempt.done.or(attempt.completed);
        let end = match (attempt.interrupt, completed) {
            (Some(irq), _) => FlightEnd::Completion { clock: irq.clock },
            (None, Some(_)) if !seen_at_device && attempt.completed_at == Some(Level::Task) => {
                FlightEnd::InDriver
            }
            (None, Some(clock)) => FlightEnd::Completion { clock },
            (None, None) => FlightEnd::Missing,
        };
        let went_back = attempt.refused || attempt.requeued.is_some();
        let never_there = went_back && !seen_at_device && end == FlightEnd::Missing;
        let op = request.op.map(|op| op.name);
        (!never_there).then_some(Self { dev: request.dev, op, bytes: request.bytes, handed, end })
    }
}

/// A point of an idle time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdlePoint {
    /// The vCPU halts.
    Halt,
    /// Another task runs than the one that halted.
    Work,
}

/// What was gathered of the workload; of the whole trace if that has no marks.
#[derive(Debug)]
pub struct Gathered {
    /// Requests in the order in which they were over.
    pub flights: Vec<Flight>,
    /// Halts and what ended them, in the order of events.
    pub idle: Vec<(u64, IdlePoint)>,
    /// I/Os.
    pub ios: First<Io>,
    /// The workload.
    pub workload: Workload,
    /// Clocks of the first and the last event.
    pub clocks: Option<(u64, u64)>,
    /// There is more than is kept.
    pub too_many: bool,
    /// The task that halted, and that runs since then.
    idle_task: Option<u64>,
}

impl Gathered {
    /// Nothing yet; so many I/Os are kept.
    pub fn new(rows: usize) -> Self {
        Self {
            flights: Vec::new(),
            idle: Vec::new(),
            ios: First::new(rows),
            workload: Workload::default(),
            clocks: None,
            too_many: false,
            idle_task: None,
        }
    }

    /// First and last clock of what is asked about.
    pub fn window(&self) -> (u64, u64) {
        let (first, last) = self.clocks.unwrap_or_default();
        let (begin, end) = self.workload.span().unwrap_or((first, None));
        (begin, end.unwrap_or(last).max(begin))
    }

    fn idle_point(&mut self, clock: u64, point: IdlePoint) {
        self.too_many |= self.idle.len() >= MOST;
        if !self.too_many {
            self.idle.push((clock, point));
        }
    }
}

impl Sink for Gathered {
    fn request(&mut self, request: &Request) {
        let begin = self.workload.span().map_or(0, |(begin, _)| begin);
        for flight in request.attempts.iter().filter_map(|attempt| Flight::of(request, attempt)) {
            let before = match flight.end {
                FlightEnd::Completion { clock } => clock < begin,
                FlightEnd::InDriver | FlightEnd::Missing => flight.handed < begin,
            };
            self.too_many |= self.flights.len() >= MOST;
            if !before && !self.too_many {
                self.flights.push(flight);
            }
        }
    }

    fn io(&mut self, io: Io) {
        if io.is_requested() && io.concerns_a_disk() && (io.in_workload || !self.workload.has_begun()) {
            self.ios.add(io.id, io);
        }
    }

    fn mark(&mut self, mark: WorkloadMark) {
        if mark.code == MARK_BEGIN && !self.workload.has_begun() {
            self.flights.clear();
            self.idle.clear();
            self.ios.clear();
        }
        self.workload.mark(mark);
    }
}

impl Gathered {
    fn follow_idle(&mut self, event: &Event<'_>) {
        if event.kind == IDLE.id {
            self.idle_task = Some(event.task);
            self.idle_point(event.clock, IdlePoint::Halt);
        } else if self.idle_task.is_some_and(|task| event.task != 0 && event.task != task) {
            self.idle_task = None;
            self.idle_point(event.clock, IdlePoint::Work);
        }
    }
}

impl Observer for Gathered {
    fn event(&mut self, _: &Pass, _: &Definitions, event: &Event<'_>) {
        let first = self.clocks.map_or(event.clock, |(first, _)| first);
        self.clocks = Some((first, event.clock));
        self.follow_idle(event);
    }

    fn is_complete(&self) -> bool {
        self.too_many
    }
}
