//! Goes through the recording once more with the times of another device.
//!
//! In: requests, idle points, the relation of clocks to virtual time. Out: a [`ModelTimeMap`] and what was counted. Each
//! moment is the sum of what the guest executed before it and of maxima over completions: no moment is earlier with a
//! slower device.

use super::assumptions::{Assumption, Assumptions};
use super::device::DeviceModel;
use super::gather::{Flight, FlightEnd, Gathered, IdlePoint};
use super::queue::{Queue, Union};
use super::timeline::ModelTimeMap;
use crate::analysis::spread::ValueHistogram;
use crate::model::{OpName, TimeMap};
use std::collections::BTreeMap;

/// What happens at a clock; at the same clock, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// A request is handed over, by its place.
    HandOver(u32),
    Halt,
    /// A request's interrupt, by its place.
    Interrupt(u32),
    Work,
}

/// Device times of an operation, in virtual nanoseconds.
#[derive(Debug, Default)]
pub struct OpTimes {
    pub recorded: ValueHistogram,
    pub modelled: ValueHistogram,
}

/// What a device did.
#[derive(Debug, Default)]
pub struct DeviceTimes {
    queue: Queue,
    pub requests: u64,
    pub recorded_busy: Union,
    pub modelled_busy: Union,
    /// Requests that waited for a place.
    pub waited: u64,
    pub wait: u64,
    pub longest_wait: u64,
}

/// A request in the modelled run, in virtual nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Modelled {
    handed: u64,
    done: u64,
}

/// An idle time that goes on.
#[derive(Debug, Clone, Copy)]
struct Idle {
    /// Its begin in the recording.
    recorded: u64,
    /// Its begin in the modelled run.
    modelled: u64,
    halts: u64,
}

/// The modelled run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub timeline: ModelTimeMap,
    /// By operation.
    pub operations: BTreeMap<Option<OpName>, OpTimes>,
    /// By `dev_t` of the disk.
    pub devices: BTreeMap<u64, DeviceTimes>,
    pub assumptions: Assumptions,
}

/// The modelled run of what was gathered.
pub fn replay(model: &DeviceModel, gathered: &Gathered, time: TimeMap) -> Outcome {
    let window = gathered.window();
    let begin = time.ns(window.0).unwrap_or(0);
    let mut replay = Replay {
        model,
        flights: &gathered.flights,
        window,
        modelled: vec![Modelled::default(); gathered.flights.len()],
        outcome: Outcome { timeline: ModelTimeMap::new(time), ..Outcome::default() },
        recorded: begin,
        now: begin,
        idle: None,
        in_flight: 0,
        last_done: 0,
    };
    let mut points = replay.requests();
    let idle = gathered.idle.iter().filter(|(clock, _)| *clock >= window.0);
    points.extend(idle.map(|(clock, point)| match point {
        IdlePoint::Halt => (*clock, Point::Halt),
        IdlePoint::Work => (*clock, Point::Work),
    }));
    points.sort_unstable();
    let are_interrupts = |a, b| matches!((a, b), (Point::Interrupt(_), Point::Interrupt(_)));
    points.chunk_by(|a, b| a.0 == b.0 && are_interrupts(a.1, b.1)).for_each(|points| replay.points(points));
    replay.outcome
}

struct Replay<'a> {
    model: &'a DeviceModel,
    flights: &'a [Flight],
    window: (u64, u64),
    modelled: Vec<Modelled>,
    outcome: Outcome,
    /// Now, in the recording and in the modelled run.
    recorded: u64,
    now: u64,
    idle: Option<Idle>,
    in_flight: u64,
    /// When the last of the requests was done whose interrupts have come.
    last_done: u64,
}

impl Replay<'_> {
    /// Where requests are handed over, and their interrupts.
    fn requests(&mut self) -> Vec<(u64, Point)> {
        let mut points = Vec::with_capacity(2 * self.flights.len());
        for (place, flight) in (0..).zip(self.flights) {
            match flight.end {
                FlightEnd::InDriver => self.count(flight.handed, Assumption::AnsweredByDriver, 1, 0),
                FlightEnd::Missing => {
                    self.count(flight.handed, Assumption::NoCompletion, 1, 0);
                    points.push((flight.handed, Point::HandOver(place)));
                }
                FlightEnd::Completion { clock } if clock < flight.handed => {
                    self.count(flight.handed, Assumption::InterruptTooEarly, 1, 0);
                }
                FlightEnd::Completion { clock } if flight.handed < self.window.0 => {
                    self.count(clock, Assumption::InFlightAtBegin, 1, 0);
                    self.modelled[place as usize].done = self.recorded_at(clock);
                    self.in_flight += 1;
                    points.push((clock, Point::Interrupt(place)));
                }
                FlightEnd::Completion { clock } => {
                    points.push((flight.handed, Point::HandOver(place)));
                    points.push((clock, Point::Interrupt(place)));
                }
            }
        }
        points
    }

    /// Counts what happened at a clock in the workload.
    fn count(&mut self, clock: u64, assumption: Assumption, count: u64, ns: u64) {
        if clock <= self.window.1 && count > 0 {
            self.outcome.assumptions.add(assumption, count, ns);
        }
    }

    fn recorded_at(&self, clock: u64) -> u64 {
        self.outcome.timeline.time().ns(clock).unwrap_or(0)
    }

    /// The guest executes up to here.
    fn advance(&mut self, recorded: u64) {
        let passed = recorded.saturating_sub(self.recorded);
        self.recorded += passed;
        self.now = self.now.saturating_add(passed);
    }

    /// One point, or interrupts at one clock.
    fn points(&mut self, points: &[(u64, Point)]) {
        let Some((clock, point)) = points.first() else { return };
        let time = self.outcome.timeline.time();
        let recorded = if *point == Point::Halt { time.ns_before_jump(*clock) } else { time.ns(*clock) };
        self.advance(recorded.unwrap_or(0));
        match *point {
            Point::HandOver(place) => {
                self.keep_idle(*clock);
                self.hand_over(place as usize);
            }
            Point::Halt => {
                let (recorded, modelled) = (self.recorded, self.now);
                self.idle.get_or_insert(Idle { recorded, modelled, halts: 0 }).halts += 1;
            }
            Point::Interrupt(_) => self.interrupt(*clock, points),
            Point::Work => self.keep_idle(*clock),
        }
    }

    /// An idle time ends with something else than a completion.
    fn keep_idle(&mut self, clock: u64) {
        let Some(idle) = self.idle.take() else { return };
        let length = self.recorded - idle.recorded;
        self.count(clock, Assumption::KeptIdle, 1, length);
        if self.in_flight > 0 {
            self.count(clock, Assumption::KeptIdleInFlight, 1, length);
        }
    }

    fn hand_over(&mut self, place: usize) {
        let flight = &self.flights[place];
        let service = self.model.service(flight.op).map(|service| service.of(flight.bytes));
        let ended = match flight.end {
            FlightEnd::Completion { clock } => Some(self.recorded_at(clock).max(self.recorded)),
            FlightEnd::InDriver | FlightEnd::Missing => None,
        };
        let Some(time) = service.or(ended.map(|ended| ended - self.recorded)) else { return };
        let depth = self.model.depth;
        let new = || DeviceTimes { queue: Queue::new(depth), ..DeviceTimes::default() };
        let device = self.outcome.devices.entry(flight.dev).or_insert_with(new);
        let served = device.queue.serve(self.now, time);
        self.modelled[place] = Modelled { handed: self.now, done: served.end };
        let Some(ended) = ended else { return };
        self.in_flight += 1;
        if flight.handed > self.window.1 {
            return;
        }
        let wait = served.begin - self.now;
        device.requests += 1;
        device.recorded_busy.add(self.recorded, ended);
        device.modelled_busy.add(served.begin, served.end);
        device.waited += u64::from(wait > 0);
        device.wait = device.wait.saturating_add(wait);
        device.longest_wait = device.longest_wait.max(wait);
        if service.is_none() {
            self.count(flight.handed, Assumption::RecordedTime, 1, 0);
        }
    }

    /// An interrupt, with which requests complete.
    fn interrupt(&mut self, clock: u64, points: &[(u64, Point)]) {
        let places = points.iter().filter_map(|(_, point)| match point {
            Point::Interrupt(place) => Some(*place as usize),
            _ => None,
        });
        let done = places.clone().map(|place| self.modelled[place].done).max().unwrap_or(0);
        let idle = self.idle.take();
        match idle {
            Some(idle) => {
                self.count(clock, Assumption::AbsorbedWakeup, idle.halts - 1, 0);
                self.now = idle.modelled.max(done);
            }
            None if done > self.now => {
                self.count(clock, Assumption::LaterInterrupt, 1, done - self.now);
                self.now = done;
            }
            None => {}
        }
        if points.len() > 1 {
            self.count(clock, Assumption::SharedInterrupt, points.len() as u64, 0);
        }
        self.outcome.timeline.shift(clock, self.recorded, self.now);
        places.for_each(|place| self.complete(place, clock));
        self.last_done = self.last_done.max(done);
    }

    fn complete(&mut self, place: usize, clock: u64) {
        let (flight, Modelled { handed, done }) = (&self.flights[place], self.modelled[place]);
        self.in_flight -= 1;
        self.count(clock, Assumption::WaitsForGuest, u64::from(done < self.now), self.now - done);
        self.count(clock, Assumption::OtherOrder, u64::from(done < self.last_done), 0);
        if flight.handed >= self.window.0 && flight.handed <= self.window.1 {
            let recorded = self.recorded.saturating_sub(self.recorded_at(flight.handed));
            let times = self.outcome.operations.entry(flight.op).or_default();
            times.recorded.add(recorded);
            times.modelled.add(self.now - handed);
        }
    }
}
