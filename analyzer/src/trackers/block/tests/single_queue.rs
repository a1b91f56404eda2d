//! The block layer of 3.10, with one queue for each device: the engineer's way through it, function by
//! function, under the stages that `schemas/catalog` gives them. Clocks stand under the events.

use crate::model::{CompletionWay, DispatchWay};
use crate::trackers::timelines::*;
use iotrace_format::definition::{Definition, Device, DeviceRegister};

const PUSH: u64 = 0xfebf_1040;

/// A guest with a Fusion MPT controller.
fn fusion() -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    let fifo = DeviceRegister {
        name: "RequestFifo".into(),
        bar: 1,
        offset: 0x40,
        width: 4,
        doorbell: true,
        mask: 0,
    };
    let device = Device { name: "mptspi".into(), vendor: 0x1000, device: 0x30, registers: vec![fifo] };
    guest.definitions.push(Definition::Device(device));
    let bar = [("pci.bar1", PUSH - 0x40), ("pci.bar1_end", PUSH + 99)];
    guest.entry(2, "pci.enable", &[&[("pci.vendor", 0x1000), ("pci.device", 0x30)][..], &bar].concat());
    guest
}

/// `scsi_request_fn` in `__blk_run_queue`: a request is started, its command goes to the driver and into the
/// controller's queue.
fn request_fn(guest: &mut SyntheticGuest, clock: u64, write: Extent) {
    guest.entry(clock, "sq.run", &[("queue", 1)]);
    guest.entry(clock + 1, "sq.request_fn", &[("queue", 1)]);
    guest.rq(clock + 2, "rq.issue", RQ, B, write); // blk_start_request
    guest.entry(clock + 4, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]); // mptscsih_qcmd
    guest.raw(clock + 6, iotrace_format::event::MMIO_WRITE.id, &[PUSH, 4, 0x1234, 0]); // mpt_put_msg_frame
    guest.exit(clock + 7, "cmd.dispatch", 0);
    guest.exit(clock + 8, "sq.request_fn", 0);
    guest.exit(clock + 9, "sq.run", 0);
}

// generic_make_request   blk_queue_bio  get_request   __elv_add_request
// 10                     12             14..20        30
fn submit(guest: &mut SyntheticGuest, write: Extent) {
    guest.queue(10, B, write);
    guest.enter(12, B, write);
    guest.get(20, RQ);
    guest.rq(30, "rq.insert", RQ, B, write);
    guest.exit(32, "rq.insert", 0);
}

// do_IRQ  mpt_interrupt  scsi_done  blk_complete_request  raise_softirq
// 70      72             75         77                    78
fn interrupt(guest: &mut SyntheticGuest) {
    guest.entry(70, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.entry(71, "irq.handler", &[("desc", 1), ("desc.irq", 17), ("desc.handler", 0x99)]);
        guest.entry(72, "irq.driver", &[("irq", 17)]);
        guest.entry(75, "cmd.done", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
        guest.entry(77, "rq.complete", &[("rq", RQ)]);
        guest.entry(78, "softirq.raise", &[("nr", 4)]);
        guest.exit(79, "rq.complete", 0);
        guest.exit(80, "irq.driver", 1);
    });
    guest.exit(82, "irq.entry", 0);
}

// __do_softirq  blk_done_softirq  scsi_softirq_done  scsi_finish_command  blk_update_request  bio_endio
// 90            91                92                 93                   95                  96
//                                                    blk_finish_request   __blk_put_request
//                                                    97                   98
fn softirq(guest: &mut SyntheticGuest, write: Extent) {
    guest.entry(90, "softirq.run", &[]);
    guest.at(SOFTIRQ, |guest| {
        guest.entry(91, "softirq.block", &[]);
        guest.entry(92, "rq.softirq", &[("rq", RQ)]);
        guest.entry(93, "cmd.finish", &[("cmd", RQ + 0x200), ("cmd.rq", RQ), ("cmd.result", 0)]);
        guest.update(95, RQ, B, write, write.bytes);
        guest.end(96, B);
        guest.entry(97, "rq.end", &[("rq", RQ), ("error", 0)]);
        guest.free(98, RQ);
        guest.exit(100, "softirq.block", 0);
    });
    guest.exit(101, "softirq.run", 0);
}

#[test]
fn a_bio_of_3_10_goes_through_the_same_stages() {
    let write = io(100, 4096, WRITE | SYNC);
    let mut guest = fusion();
    submit(&mut guest, write);
    request_fn(&mut guest, 40, write);
    guest.leave(50);
    interrupt(&mut guest);
    softirq(&mut guest, write);
    let found = track(&guest);
    found.assert_sound();
    let expected = [
        (Queued, 10),
        (Got, 20),
        (Inserted, 30),
        (Issued, 42),
        (Driver, 44),
        (Doorbell, 46),
        (Interrupt, 70),
        (Done, 75),
        (Completed, 95),
        (Ended, 96),
    ];
    assert_eq!(found.stages(1), expected);
    let request = &found.requests[0];
    assert_eq!((request.ended, request.freed), (Some(97), Some(98)));
    let attempt = &request.attempts[0];
    assert_eq!((attempt.way, attempt.dispatched), (Some(DispatchWay::Run), None));
    assert_eq!((attempt.left_queue(), attempt.dispatched_by.is_some()), (Some(42), true));
    assert_eq!((attempt.completion, attempt.completed), (Some(CompletionWay::Softirq), Some(77)));
    let irq = found.bio(1).interrupt.unwrap();
    assert_eq!((irq.line, found.counts.doorbells), (Some(17), 1));
}

#[test]
fn the_queue_is_run_by_plugs_workers_and_completions() {
    let write = io(100, 4096, WRITE | SYNC);
    for (stage, way) in [
        ("plug.flush", DispatchWay::PlugFlush),
        ("hw.work", DispatchWay::Kblockd),
        ("hw.restart", DispatchWay::Restart),
    ] {
        let mut guest = fusion();
        submit(&mut guest, write);
        guest.leave(34);
        guest.entry(38, stage, &[]);
        request_fn(&mut guest, 40, write);
        guest.exit(50, stage, 0);
        interrupt(&mut guest);
        softirq(&mut guest, write);
        let found = track(&guest);
        found.assert_sound();
        assert_eq!(found.requests[0].attempts[0].way, Some(way));
    }
}

// D(busy)  blk_requeue_request   D
// 42       55                    62
#[test]
fn a_busy_device_sends_the_request_back() {
    let write = io(100, 4096, WRITE);
    let mut guest = fusion();
    submit(&mut guest, write);
    guest.leave(34);
    guest.entry(40, "sq.run", &[("queue", 1)]);
    guest.rq(42, "rq.issue", RQ, B, write);
    guest.rq(55, "rq.requeue", RQ, B, write);
    guest.exit(56, "sq.run", 0);
    request_fn(&mut guest, 60, write);
    interrupt(&mut guest);
    softirq(&mut guest, write);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!((found.bio(1).requeues, found.bio(1).at(Issued)), (1, Some(62)));
}
