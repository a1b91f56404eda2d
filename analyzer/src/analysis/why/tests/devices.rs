//! Devices, timers and what is neither, from a trace on.

use super::super::{Doing, Span, why};
use crate::analysis::subject::Wanted;
use crate::model::DeviceStart;
use crate::session::Session;
use iotrace_synthetic_guest::{Extent, SyntheticGuest, TASK, io};

const HARDIRQ: u32 = 0x1_0000;
const IDLE: u64 = 0xffff_8880_0000_9000;
const RQ: u64 = 0xa000;

/// An fsync stops at 200 and runs again at 500; meanwhile an interrupt comes at 300, in which something happens.
///
/// ```text
/// fsync 100   get 120   issue 150   switch 200   irq 300   ... 400   switch 500   600
/// ```
fn waited(interrupt: impl FnOnce(&mut SyntheticGuest, Extent)) -> (Vec<Span>, usize) {
    let read = io(8, 512, 0);
    let mut guest = SyntheticGuest::default();
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.queue(110, 0xb1, read);
    guest.get(120, RQ);
    guest.rq(150, "rq.issue", RQ, 0xb1, read);
    guest.exit(151, "rq.issue", 0);
    guest.switch(200, IDLE);
    guest.entry(300, "irq.frame", &[]);
    guest.at(HARDIRQ, |guest| interrupt(guest, read));
    guest.raw(400, iotrace_format::event::EXCEPTION_RETURN.id, &[iotrace_arch::FIRST.memory.kernel_start]);
    guest.switch(500, TASK);
    guest.exit(600, "sys.fsync", 0);
    let why = why(&Session::from_bytes(guest.file()).unwrap(), &Wanted::Io(1), &mut |_| {}).unwrap();
    let unknown = why.unknown_interrupts();
    (why.spans, unknown)
}

fn wake(guest: &mut SyntheticGuest, clock: u64) {
    guest.entry(clock, "task.wake", &[("task", TASK)]);
    guest.exit(clock + 1, "task.wake", 1);
}

/// The request is complete, and its end wakes the task.
fn complete(guest: &mut SyntheticGuest, stage: &str) {
    guest.entry(320, stage, &[("rq", RQ), ("error", 0), ("bytes", 512)]);
    wake(guest, 330);
    guest.exit(340, stage, 0);
}

fn handler() -> String {
    "irq_frame_function".to_owned()
}

#[test]
fn a_driver_without_a_probe_is_its_device_since_the_issue() {
    for stage in ["rq.complete", "rq.answered", "rq.update", "rq.end"] {
        let (spans, unknown) = waited(|guest, _| complete(guest, stage));
        let device = Doing::Device { command: 1, handler: handler(), since: DeviceStart::Issue };
        let found: Vec<_> = spans.iter().map(|span| (span.from, span.to, span.depth)).collect();
        assert_eq!(found[..4], [(100, 200, 0), (200, 300, 1), (300, 331, 1), (331, 500, 0)], "{stage}");
        assert_eq!((&spans[1].doing, unknown), (&device, 0), "{stage}");
    }
}

#[test]
fn a_clocks_handler_makes_an_interrupt_a_timers() {
    let (spans, unknown) = waited(|guest, _| {
        guest.entry(310, "irq.timer", &[]);
        wake(guest, 330);
        guest.exit(340, "irq.timer", 0);
    });
    assert_eq!((&spans[1].doing, unknown), (&Doing::Timer { function: handler() }, 0));
}

// The request is complete, and then something else wakes the task: it is not known what the interrupt came for.
#[test]
fn what_wakes_outside_of_a_completion_is_not_known() {
    let (spans, unknown) = waited(|guest, _| {
        guest.entry(320, "rq.complete", &[("rq", RQ)]);
        guest.exit(325, "rq.complete", 0);
        wake(guest, 330);
    });
    assert_eq!((&spans[1].doing, unknown), (&Doing::UnknownInterrupt { handler: handler() }, 1));
}
