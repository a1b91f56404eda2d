//! Timelines drawn, built and replayed with another device. Clocks stand under the events; an instruction takes 4 ns.

mod random;

use super::*;
use crate::session::Session;
use iotrace_format::event::{CLOCK, IDLE, MARK_BEGIN, MARK_END};
use iotrace_synthetic_guest::{Extent, PREFLUSH, SDA, SyntheticGuest, TASK, WRITE, direct_write, io};

/// The guest's idle task, and one that a timer wakes.
const SWAPPER: u64 = 0xffff_8880_0000_9000;
const OTHER: u64 = 0xffff_8880_0000_5000;
const READ: u64 = 0;
const FLUSH: u64 = 2 | PREFLUSH;
const DISCARD: u64 = 3;

/// A guest that reads, sleeps and is woken.
struct Scene {
    guest: SyntheticGuest,
    /// How much it has slept, in nanoseconds.
    slept: u64,
}

fn rq(number: u64) -> u64 {
    0xa000 + 0x400 * number
}

fn extent(op: u64) -> Extent {
    io(8, 4096, op)
}

impl Scene {
    fn new() -> Self {
        let mut guest = SyntheticGuest::default();
        guest.mark(100, MARK_BEGIN);
        Self { guest, slept: 0 }
    }

    fn call(&mut self, clock: u64) {
        self.guest.entry(clock, "sys.fsync", &[("regs.fd", 3)]);
    }

    fn back(&mut self, clock: u64) {
        self.guest.exit(clock, "sys.fsync", 0);
    }

    /// Hands a request over: its doorbell is at `clock`.
    fn hand_over(&mut self, clock: u64, number: u64, op: u64) {
        self.guest.submit(clock - 20, 0xb000 + number, rq(number), extent(op));
        self.guest.issue(clock - 3, rq(number), 0xb000 + number, extent(op));
    }

    /// Halts, and sleeps so long.
    fn halt(&mut self, clock: u64, ns: u64) {
        self.guest.raw(clock, IDLE.id, &[]);
        self.slept += ns;
        self.guest.raw(clock + 1, CLOCK.id, &[self.slept, 0]);
    }

    /// The idle task runs, and halts at `clock`.
    fn sleep(&mut self, clock: u64, ns: u64) {
        self.guest.switch(clock - 1, SWAPPER);
        self.halt(clock, ns);
    }

    /// An interrupt with which requests complete, up to 20 later.
    fn interrupt(&mut self, clock: u64, numbers: &[u64], op: u64) {
        let done: Vec<_> = numbers.iter().map(|number| rq(*number)).collect();
        self.guest.interrupt(clock, &done);
        for (number, at) in numbers.iter().zip((clock + 8..).step_by(4)) {
            self.guest.complete(at, rq(*number), 0xb000 + number, extent(op));
        }
    }

    /// An interrupt that completes nothing.
    fn tick(&mut self, clock: u64) {
        self.guest.interrupt(clock, &[]);
    }

    fn run(&mut self, clock: u64, task: u64) {
        self.guest.switch(clock, task);
        self.guest.entry(clock + 1, "task.runs", &[]);
    }

    /// A read of one I/O, from `clock` to +400: handed over at +115, idle from +201 on, interrupt at +250.
    fn read(&mut self, clock: u64, ns: u64) {
        self.call(clock);
        self.hand_over(clock + 115, 0, READ);
        self.sleep(clock + 201, ns);
        self.interrupt(clock + 250, &[0], READ);
        self.run(clock + 300, TASK);
        self.back(clock + 400);
    }

    fn ask(mut self, end: u64, model: &str) -> WhatIf {
        self.guest.mark(end, MARK_END);
        ask(&self.guest, model)
    }
}

fn ask(guest: &SyntheticGuest, model: &str) -> WhatIf {
    try_ask(guest, model).unwrap()
}

fn try_ask(guest: &SyntheticGuest, model: &str) -> Result<WhatIf, WhatIfError> {
    let question = WhatIfQuery { model: model.parse().unwrap(), rows: usize::MAX };
    whatif(&Session::from_bytes(guest.file()).unwrap(), &question, &mut |_| {})
}

impl WhatIf {
    fn elapsed(&self) -> Vec<(u64, u64)> {
        let elapsed = self.ios.iter().map(|io| io.elapsed.unwrap());
        elapsed.map(|change| (change.recorded, change.modelled)).collect()
    }

    /// Of the whole.
    fn times(&self) -> (u64, u64) {
        (self.total.recorded, self.total.modelled)
    }

    fn counted(&self) -> Vec<(Assumption, u64, u64)> {
        self.assumptions.all().map(|(one, tally)| (one, tally.count, tally.ns)).collect()
    }
}

/// Three reads, each 100,540 ns at the device: 135 instructions and 100 µs of sleep.
fn three_reads() -> Scene {
    let mut scene = Scene::new();
    [1000, 2000, 3000].into_iter().for_each(|clock| scene.read(clock, 100_000));
    scene
}

const READS: u64 = 3 * 100_000 + 4 * 3900;

#[test]
fn the_recorded_times_give_the_recording() {
    for model in
        ["read=100540ns", "read=100.54us,depth=1", "depth=1", "write=1s,flush=1s", "read=96444ns+1024ns/KiB"]
    {
        let whatif = three_reads().ask(4000, model);
        assert_eq!(whatif.times(), (READS, READS), "{model}");
        assert_eq!(whatif.elapsed(), [(101_600, 101_600); 3], "{model}");
        let OpChange { op, recorded, modelled, .. } = whatif.operations[0];
        assert_eq!((op, recorded), (Some(OpName::Read), modelled), "{model}");
        assert_eq!((recorded.count, recorded.median, recorded.max), (3, 100_540, 100_540), "{model}");
        let kept = if model.starts_with("read") { vec![] } else { vec![(Assumption::RecordedTime, 3, 0)] };
        assert_eq!(whatif.counted(), kept, "{model}");
        let busy = TimeChange { recorded: 3 * 100_540, modelled: 3 * 100_540 };
        let device = DeviceChange { dev: SDA, requests: 3, busy, waited: 0, wait: 0, longest_wait: 0 };
        assert_eq!(whatif.devices, [device], "{model}");
    }
}

#[test]
fn a_slower_device_makes_each_wait_longer() {
    let whatif = three_reads().ask(4000, "read=10ms");
    let more = 10_000_000 - 100_540;
    assert_eq!(whatif.elapsed(), [(101_600, 101_600 + more); 3]);
    assert_eq!(whatif.times(), (READS, READS + 3 * more));
    assert_eq!(whatif.operations[0].modelled.max, 10_000_000);
    assert!(whatif.operations[0].is_modelled && whatif.counted().is_empty());
}

#[test]
fn a_faster_device_leaves_what_the_guest_executes() {
    // 43 µs, of which the guest executes 86 instructions until it sleeps
    assert_eq!(three_reads().ask(4000, "read=43us").elapsed(), [(101_600, 101_600 - 57_540); 3]);
    // done before the guest sleeps, at once when it would
    let whatif = three_reads().ask(4000, "read=0ns");
    let asleep = 100_000 + 4 * 49;
    assert_eq!(whatif.elapsed(), [(101_600, 101_600 - asleep); 3]);
    assert_eq!(whatif.counted(), [(Assumption::WaitsForGuest, 3, 3 * 4 * 86)]);
}

// doorbell 1203   halts 1410   irq 2000, which is counted as executed to its handler at 2010   work 2500   returns 3050
#[test]
fn an_interrupts_entry_is_executed() {
    assert_eq!(ask(&direct_write(), "write=7188ns").elapsed(), [(12_200, 12_200)]);
    let whatif = ask(&direct_write(), "write=0us");
    let gone = 4000 + 4 * (2000 - 1410);
    assert_eq!(whatif.elapsed(), [(12_200, 12_200 - gone)]);
}

// three writes at once: 1100, 1150, 1200   idle 1301 ... irq 1310, 1401 ... 1410, 1501 ... 1510
fn three_at_once() -> Scene {
    let mut scene = Scene::new();
    scene.call(1000);
    (0..3).for_each(|number| scene.hand_over(1100 + 50 * number, number, WRITE));
    for number in 0..3 {
        scene.sleep(1301 + 100 * number, 50_000);
        scene.interrupt(1310 + 100 * number, &[number], WRITE);
        scene.run(1350 + 100 * number, TASK);
    }
    scene.back(1600);
    scene
}

#[test]
fn a_depth_of_one_has_requests_wait_for_their_turn() {
    let done = |model: &str| {
        let whatif = three_at_once().ask(1700, model);
        let device = &whatif.devices[0];
        (
            whatif.ios[0].elapsed.unwrap().modelled,
            device.waited,
            device.wait,
            device.longest_wait,
            device.busy.modelled,
        )
    };
    // Before the first hand-over the guest executes 100 instructions, from the last interrupt on 90. After each of the
    // first two interrupts it executes 91 before it would sleep: with a depth of 3 it finds the others done.
    assert_eq!(
        done("write=1ms,depth=1"),
        (400 + 3_000_000 + 360, 2, 3_000_000 - 3 * 200, 2_000_000 - 400, 3_000_000)
    );
    assert_eq!(
        done("write=1ms,depth=2"),
        (400 + 2_000_000 + 360, 1, 1_000_000 - 400, 1_000_000 - 400, 2_000_000)
    );
    assert_eq!(done("write=1ms,depth=3"), (400 + 1_000_000 + 2 * 364 + 360, 0, 0, 0, 1_000_400));
    assert_eq!(done("write=1ms"), done("write=1ms,depth=3"));
}

#[test]
fn disks_have_a_depth_each() {
    let mut scene = three_at_once();
    for event in &mut scene.guest.events {
        if event.words.contains(&rq(1)) {
            event.words.iter_mut().filter(|word| **word == SDA).for_each(|word| *word = SDA + 16);
        }
    }
    let whatif = scene.ask(1700, "write=1ms,depth=1");
    assert_eq!(
        whatif.devices.iter().map(|device| (device.dev, device.waited)).collect::<Vec<_>>(),
        [(SDA, 1), (SDA + 16, 0)]
    );
}

// handed over 1100   idle 1201, tick 1210, idle 1301, tick 1310, idle 1401, irq 1410
fn read_with_ticks() -> Scene {
    let mut scene = Scene::new();
    scene.call(1000);
    scene.hand_over(1100, 0, READ);
    scene.sleep(1201, 20_000);
    for clock in [1210, 1310] {
        scene.tick(clock);
        scene.halt(clock + 91, 20_000);
    }
    scene.interrupt(1410, &[0], READ);
    scene.run(1450, TASK);
    scene.back(1500);
    scene
}

#[test]
fn ticks_while_the_guest_waits_are_part_of_the_wait() {
    let recorded = 4 * 500 + 60_000;
    for (model, modelled) in [
        ("read=61240ns", recorded),
        ("read=1ms", 400 + 1_000_000 + 360),
        ("read=5us", 400 + 5_000 + 360),
        ("read=0ns", 400 + 4 * 101 + 360),
    ] {
        let whatif = read_with_ticks().ask(1600, model);
        assert_eq!(whatif.elapsed(), [(recorded, modelled)], "{model}");
        assert_eq!(whatif.assumptions.of(Assumption::AbsorbedWakeup).count, 2, "{model}");
    }
}

// handed over 1100   idle 1201, timer 1210, other task 1250..1301, idle 1301, irq 1310
#[test]
fn idle_time_that_a_timers_task_ends_keeps_its_length() {
    for in_flight in [true, false] {
        let mut scene = Scene::new();
        scene.call(1000);
        if in_flight {
            scene.hand_over(1100, 0, READ);
        }
        scene.sleep(1201, 20_000);
        scene.tick(1210);
        scene.run(1250, OTHER);
        if !in_flight {
            scene.hand_over(1290, 0, READ);
        }
        scene.sleep(1301, 20_000);
        scene.interrupt(1310, &[0], READ);
        scene.run(1350, TASK);
        scene.back(1400);
        let whatif = scene.ask(1500, "read=0ns");
        assert_eq!(whatif.elapsed(), [(41_600, 41_600 - 20_000 - 4 * 9)], "{in_flight}");
        let kept = 20_000 + 4 * 50;
        let tally = |one| (whatif.assumptions.of(one).count, whatif.assumptions.of(one).ns);
        assert_eq!(tally(Assumption::KeptIdle), (1, kept), "{in_flight}");
        let of_requests = if in_flight { (1, kept) } else { (0, 0) };
        assert_eq!(tally(Assumption::KeptIdleInFlight), of_requests, "{in_flight}");
    }
}

// handed over 1100   irq 1200, while the task runs
#[test]
fn an_interrupt_that_comes_later_is_slept_for() {
    let busy = || {
        let mut scene = Scene::new();
        scene.call(1000);
        scene.hand_over(1100, 0, READ);
        scene.interrupt(1200, &[0], READ);
        scene.back(1300);
        scene
    };
    let later = busy().ask(1400, "read=10us");
    assert_eq!(later.elapsed(), [(1200, 1200 + 9_600)]);
    assert_eq!(later.counted(), [(Assumption::LaterInterrupt, 1, 9_600)]);
    let earlier = busy().ask(1400, "read=100ns");
    assert_eq!(earlier.elapsed(), [(1200, 1200)]);
    assert_eq!(earlier.counted(), [(Assumption::WaitsForGuest, 1, 300)]);
    assert_eq!(busy().ask(1400, "read=400ns").counted(), []);
}

// handed over 1100 (a read), 1150 (a flush)   idle, irq of the read, idle, irq of the flush
#[test]
fn completions_keep_the_recorded_order() {
    let mut scene = Scene::new();
    scene.call(1000);
    scene.hand_over(1100, 0, READ);
    scene.hand_over(1150, 1, FLUSH);
    scene.sleep(1201, 20_000);
    scene.interrupt(1210, &[0], READ);
    scene.halt(1241, 20_000);
    scene.interrupt(1250, &[1], FLUSH);
    scene.run(1300, TASK);
    scene.back(1400);
    let whatif = scene.ask(1500, "read=1ms,flush=10us");
    // The flush is found done when the guest would sleep for it, 31 instructions after the read's interrupt.
    assert_eq!(whatif.elapsed()[0].1, 400 + 1_000_000 + 4 * (31 + 150));
    let early = (400 + 1_000_000 + 4 * 31) - (600 + 10_000);
    assert_eq!(whatif.counted(), [(Assumption::WaitsForGuest, 1, early), (Assumption::OtherOrder, 1, 0)]);
    let ops: Vec<_> = whatif.operations.iter().map(|op| op.op.unwrap()).collect();
    assert_eq!(ops, [OpName::Read, OpName::Flush]);
}

// handed over 1100, 1150   idle 1201, one irq 1210 for both
#[test]
fn requests_of_one_interrupt_stay_together() {
    let mut scene = Scene::new();
    scene.call(1000);
    scene.hand_over(1100, 0, DISCARD);
    scene.hand_over(1150, 1, DISCARD);
    scene.sleep(1201, 20_000);
    scene.interrupt(1210, &[0, 1], DISCARD);
    scene.run(1250, TASK);
    scene.back(1300);
    let whatif = scene.ask(1400, "discard=1ms");
    assert_eq!(whatif.elapsed(), [(21_200, 600 + 1_000_000 + 360)]);
    assert_eq!(whatif.counted(), [(Assumption::WaitsForGuest, 1, 200), (Assumption::SharedInterrupt, 2, 0)]);
}

// A request from before the mark (200), one that never completes, and one that the driver answers.
#[test]
fn requests_of_which_something_is_missing_are_counted() {
    let mut scene = Scene { guest: SyntheticGuest::default(), slept: 0 };
    scene.hand_over(50, 0, READ);
    scene.guest.mark(200, MARK_BEGIN);
    scene.call(1000);
    scene.hand_over(1100, 1, READ);
    let answered = rq(2);
    scene.guest.rq(1150, "rq.issue", answered, 0, extent(READ));
    scene.guest.entry(1151, "cmd.dispatch", &[("cmd", answered + 0x200), ("cmd.rq", answered)]);
    scene.guest.entry(1152, "rq.complete", &[("rq", answered)]);
    scene.guest.exit(1153, "rq.complete", 0);
    scene.sleep(1201, 20_000);
    scene.interrupt(1210, &[0], READ);
    scene.run(1250, TASK);
    scene.back(1300);
    let whatif = scene.ask(1400, "read=1ms");
    assert_eq!(whatif.elapsed(), [(21_200, 21_200)]);
    let counted = [
        (Assumption::InFlightAtBegin, 1, 0),
        (Assumption::NoCompletion, 1, 0),
        (Assumption::AnsweredByDriver, 1, 0),
    ];
    assert_eq!(whatif.counted(), counted);
    assert!(whatif.operations.is_empty() && whatif.devices.is_empty());
}

#[test]
fn what_is_after_the_workload_is_not_counted() {
    let mut scene = three_reads();
    scene.guest.mark(4000, MARK_END);
    scene.read(5000, 100_000);
    let whatif = ask(&scene.guest, "read=10ms");
    assert_eq!((whatif.io_count, whatif.operations[0].recorded.count, whatif.devices[0].requests), (3, 3, 3));
    assert_eq!(whatif.total.recorded, READS);
}

#[test]
fn without_marks_it_is_about_the_whole_trace() {
    let mut guest = three_reads().guest;
    guest.events.retain(|event| event.kind != iotrace_format::event::MARK.id);
    let whatif = ask(&guest, "read=10ms");
    assert_eq!((whatif.marked, whatif.io_count), (false, 3));
    assert_eq!(whatif.total.recorded, 4 * 3400 + 300_000);
}

#[test]
fn one_vcpu_and_virtual_time_are_needed() {
    use iotrace_format::definition::{Definition, TraceInfo};
    let with = |change: fn(&mut TraceInfo)| {
        let mut guest = three_reads().guest;
        for definition in &mut guest.definitions {
            if let Definition::Trace(info) = definition {
                change(info);
            }
        }
        try_ask(&guest, "read=1ms").unwrap_err().to_string()
    };
    assert!(with(|info| info.vcpus = 2).contains("2 vCPUs"));
    assert!(with(|info| info.icount_shift = None).contains("no virtual time"));
}
