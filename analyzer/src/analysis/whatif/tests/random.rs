//! What holds of any workload: requests at random, in orders that no table of cases has.

use super::super::device::DeviceModel;
use super::super::gather::{Flight, FlightEnd, Gathered, IdlePoint};
use super::super::replay::replay;
use crate::model::{OpName, TimeMap};

/// Requests that are handed over and complete at random, with sleep, ticks and other tasks between.
struct Workload {
    gathered: Gathered,
    time: TimeMap,
    /// All clocks at which something happens.
    clocks: Vec<u64>,
}

fn workload(seed: u64) -> Workload {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut gathered = Gathered::new(0);
    let mut time = TimeMap::new(Some(0));
    let (mut clock, mut slept) = (0, 0);
    time.begin(0, 0);
    let mut in_flight: Vec<Flight> = Vec::new();
    let mut clocks = vec![0];
    for _ in 0..60 {
        clock += random.u64(2..50);
        clocks.push(clock);
        match random.u8(0..5) {
            0 | 1 => {
                let op = Some(if random.bool() { OpName::Read } else { OpName::Write });
                let (dev, bytes) = (random.u64(0..2), 512 * random.u64(0..9));
                in_flight.push(Flight { dev, op, bytes, handed: clock, end: FlightEnd::Missing });
            }
            2 => {
                gathered.idle.push((clock, IdlePoint::Halt));
                slept += random.i64(0..200);
                time.begin(clock, slept);
            }
            3 => gathered.idle.push((clock, IdlePoint::Work)),
            _ => {
                for _ in 0..random.usize(0..3).min(in_flight.len()) {
                    let flight = in_flight.swap_remove(random.usize(0..in_flight.len()));
                    let end = FlightEnd::Completion { clock };
                    gathered.flights.push(Flight { end, ..flight });
                }
            }
        }
    }
    gathered.flights.append(&mut in_flight);
    gathered.clocks = Some((0, clock));
    Workload { gathered, time, clocks }
}

impl Workload {
    /// When everything happens on a device.
    fn moments(&self, model: &DeviceModel) -> Vec<u64> {
        let outcome = replay(model, &self.gathered, self.time.clone());
        self.clocks.iter().map(|clock| outcome.timeline.modelled(*clock).unwrap()).collect()
    }

    fn recorded(&self) -> Vec<u64> {
        self.clocks.iter().map(|clock| self.time.ns(*clock).unwrap()).collect()
    }

    /// The end of each request in both runs.
    fn ends(&self, model: &DeviceModel) -> Vec<u64> {
        let outcome = replay(model, &self.gathered, self.time.clone());
        let ends = self.gathered.flights.iter().filter_map(|flight| match flight.end {
            FlightEnd::Completion { clock } => outcome.timeline.modelled(clock),
            _ => None,
        });
        ends.chain(outcome.timeline.modelled(self.gathered.window().1)).collect()
    }
}

fn model(text: &str) -> DeviceModel {
    text.parse().unwrap()
}

const SEEDS: std::ops::Range<u64> = 0..2000;

#[test]
fn recorded_times_give_the_recording_to_the_nanosecond() {
    for seed in SEEDS {
        let workload = workload(seed);
        for text in ["depth=60", "flush=1s,discard=1s"] {
            assert_eq!(workload.moments(&model(text)), workload.recorded(), "{text}, seed {seed}");
        }
    }
}

#[test]
fn no_moment_is_earlier_on_a_slower_device() {
    let chain = [
        "read=0ns,write=0ns",
        "read=0ns,write=20ns",
        "read=40ns,write=20ns+4ns/KiB",
        "read=40ns,write=1us,depth=4",
        "read=40ns,write=1us,depth=2",
        "read=40ns,write=1us,depth=1",
        "read=1us,write=1us,depth=1",
    ];
    for seed in SEEDS {
        let workload = workload(seed);
        let runs: Vec<_> = chain.iter().map(|text| workload.ends(&model(text))).collect();
        for (at, pair) in runs.windows(2).enumerate() {
            let later = pair[0].iter().zip(&pair[1]).all(|(faster, slower)| faster <= slower);
            assert!(later, "seed {seed}: {} and {}:\n{:?}\n{:?}", chain[at], chain[at + 1], pair[0], pair[1]);
        }
    }
}

#[test]
fn moments_keep_their_order_and_busy_spans_their_length() {
    for seed in SEEDS {
        let workload = workload(seed);
        for text in ["read=0ns,write=0ns", "read=100ns,write=10us,depth=2"] {
            let moments = workload.moments(&model(text));
            assert!(moments.is_sorted(), "{text}, seed {seed}: {moments:?}");
            for at in 0..moments.len() - 1 {
                let executed = workload.clocks[at + 1] - workload.clocks[at];
                let shorter = moments[at + 1] - moments[at] < executed;
                assert!(!shorter || in_idle_time(&workload, at), "{text}, seed {seed}, {at}");
            }
        }
    }
}

/// Whether the last idle point up to a moment is a halt.
fn in_idle_time(workload: &Workload, at: usize) -> bool {
    let before = workload.gathered.idle.iter().rev().find(|(clock, _)| *clock <= workload.clocks[at]);
    before.is_some_and(|(_, point)| *point == IdlePoint::Halt)
}

/// Requests of one time at the device each: a model of that time is the recording.
#[test]
fn a_model_of_the_recorded_time_is_exact() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut gathered, mut time) = (Gathered::new(0), TimeMap::new(Some(0)));
        let takes = random.u64(100..1000);
        time.begin(0, 0);
        let (mut clock, mut slept) = (10, 0);
        for _ in 0..20 {
            // In turn: hands over, runs a little, sleeps until the time is over, runs.
            let handed = clock;
            let halted = handed + random.u64(1..50);
            let interrupt = halted + random.u64(1..50);
            slept += i64::try_from(takes - (interrupt - handed)).unwrap();
            time.begin(halted, slept);
            gathered.idle.push((halted, IdlePoint::Halt));
            let end = FlightEnd::Completion { clock: interrupt };
            gathered.flights.push(Flight { dev: 8, op: Some(OpName::Read), bytes: 4096, handed, end });
            clock = interrupt + random.u64(1..50);
            gathered.idle.push((interrupt, IdlePoint::Work));
        }
        gathered.clocks = Some((0, clock));
        let model = model(&format!("read={takes}ns,depth=1"));
        let outcome = replay(&model, &gathered, time.clone());
        for clock in 0..clock {
            assert_eq!(outcome.timeline.modelled(clock), time.ns(clock), "seed {seed}, {clock}");
        }
    }
}
