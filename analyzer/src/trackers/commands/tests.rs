//! Commands, doorbells and interrupts. Clocks stand under the events.

use crate::model::{DeviceStart, HandoverKind};
use crate::trackers::timelines::*;
use iotrace_format::event::UNKNOWN_CONTEXT;

// two commands, one doorbell (53); one interrupt (70) finds both done
#[test]
fn a_doorbell_and_an_interrupt_serve_several_commands() {
    let (one, two) = (io(8, 512, 0), io(100, 512, 0));
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, one);
    guest.submit(25, C, RQ + 0x400, two);
    for (at, rq, bio, io) in [(45, RQ, B, one), (49, RQ + 0x400, C, two)] {
        guest.rq(at, "rq.issue", rq, bio, io);
        guest.entry(at + 1, "cmd.dispatch", &[("cmd", rq + 0x200), ("cmd.rq", rq)]);
        guest.entry(at + 2, "cmd.start", &[("ccb", 1), ("ccb.cmd", rq + 0x200)]);
    }
    guest.at(HARDIRQ, |guest| guest.bell(52)); // of another level: rings for nobody here
    guest.bell(53);
    guest.interrupt(70, &[RQ, RQ + 0x400]);
    guest.complete(80, RQ, B, one);
    guest.complete(90, RQ + 0x400, C, two);
    let found = track(&guest);
    found.assert_sound();
    for id in [1, 2] {
        assert_eq!((found.bio(id).at(Doorbell), found.bio(id).at(Interrupt)), (Some(53), Some(70)));
    }
    assert_eq!((found.counts.doorbells, found.counts.idle_doorbells, found.counts.interrupts), (2, 1, 1));
}

// doorbell 53   irq 70 (handler takes it)   softirq: done 90
#[test]
fn a_completion_in_a_tasklet_belongs_to_its_drivers_interrupt() {
    let read = io(8, 512, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.issue(50, RQ, B, read);
    for (at, taken) in [(70, 1), (80, 0)] {
        guest.entry(at, "irq.entry", &[("vector", at)]);
        guest.at(HARDIRQ, |guest| {
            guest.entry(at + 1, "irq.driver", &[("irq", 11)]);
            guest.exit(at + 2, "irq.driver", taken);
        });
        guest.exit(at + 3, "irq.entry", 0);
    }
    guest.at(SOFTIRQ, |guest| guest.entry(90, "cmd.done", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]));
    guest.complete(95, RQ, B, read);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!((found.bio(1).at(Interrupt), found.bio(1).at(Done)), (Some(70), Some(90)));
}

// virtio-blk: ring 50   doorbell 53   irq 70, the block layer is told 72; no command has told before
#[test]
fn a_driver_without_commands_is_answered_by_what_the_block_layer_is_told() {
    let write = io(8, 512, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    guest.rq(45, "rq.issue", RQ, B, write);
    guest.entry(50, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
    guest.bell(53);
    guest.entry(70, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.entry(72, "rq.complete", &[("rq", RQ)]);
        guest.entry(73, "rq.answered", &[("rq", RQ)]);
        guest.exit(74, "rq.complete", 0);
    });
    guest.exit(75, "irq.entry", 0);
    guest.complete(80, RQ, B, write);
    let found = track(&guest);
    found.assert_sound();
    let at = [Driver, Doorbell, Interrupt, Done].map(|stage| found.bio(1).at(stage));
    assert_eq!(at, [50, 53, 70, 72].map(Some));
}

// An IDE controller's registers are I/O ports: the driver's function that writes the command (53) is the doorbell. One without a
// command that waits (20) is counted.
#[test]
fn a_function_that_writes_to_a_port_is_a_doorbell() {
    let write = io(8, 512, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, write);
    guest.entry(20, "cmd.doorbell", &[]);
    guest.rq(45, "rq.issue", RQ, B, write);
    guest.entry(50, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
    guest.entry(53, "cmd.doorbell", &[]);
    guest.interrupt(70, &[RQ]);
    guest.complete(80, RQ, B, write);
    let found = track(&guest);
    found.assert_sound();
    let at = [Driver, Doorbell, Interrupt].map(|stage| found.bio(1).at(stage));
    assert_eq!(at, [50, 53, 70].map(Some));
    assert_eq!((found.counts.doorbells, found.counts.idle_doorbells), (2, 1));
}

// USB: the driver's thread carries out the command (60 to 96) in two transfers, the first of which has its doorbell at 62 and its
// interrupt at 70, the second at 82 and 90. The one that is given back at 97 was submitted for no command.
#[test]
fn each_part_of_a_command_goes_from_its_doorbell_to_its_interrupt() {
    let read = io(8, 512, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.rq(45, "rq.issue", RQ, B, read);
    guest.exit(46, "rq.issue", 0);
    guest.entry(50, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
    guest.exit(51, "cmd.dispatch", 0);
    let transfer = |guest: &mut SyntheticGuest, at| {
        guest.entry(at, "transfer.start", &[("urb", at)]);
        guest.bell(at + 1);
        guest.exit(at + 2, "transfer.start", 0);
        guest.entry(at + 9, "irq.entry", &[("vector", 38)]);
        guest.at(HARDIRQ, |guest| {
            guest.entry(at + 10, "transfer.done", &[("urb", at)]);
            guest.exit(at + 11, "transfer.done", 0);
            guest.entry(at + 12, "irq.driver", &[("irq", 11)]);
            guest.exit(at + 13, "irq.driver", 1);
        });
        guest.exit(at + 14, "irq.entry", 0);
    };
    guest.entry(60, "cmd.start", &[("cmd", RQ + 0x200)]);
    transfer(&mut guest, 61);
    transfer(&mut guest, 81);
    guest.exit(96, "cmd.start", 0);
    guest.entry(97, "cmd.done", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
    guest.exit(98, "cmd.done", 0);
    guest.complete(99, RQ, B, read);
    transfer(&mut guest, 111);
    let found = track(&guest);
    found.assert_sound();
    let clocks = found.handovers.iter().filter_map(|handover| match handover.kind {
        HandoverKind::Interrupt { irq, command: 1, since: DeviceStart::Doorbell } => {
            Some((irq, handover.from.clock, handover.to.clock))
        }
        _ => None,
    });
    assert_eq!(clocks.collect::<Vec<_>>(), [(Some(1), 62, 70), (Some(2), 82, 90), (Some(2), 62, 90)]);
    // The last doorbell is of a transfer for no command.
    assert_eq!((found.counts.doorbells, found.counts.idle_doorbells), (3, 1));
}

// The types of the driver's structures are not known (5.10 has no BTF of modules): 52 tells of no command.
#[test]
fn a_start_whose_command_cannot_be_read_leaves_the_doorbell_to_the_dispatch() {
    let read = io(8, 512, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.rq(45, "rq.issue", RQ, B, read);
    guest.entry(50, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
    guest.entry(52, "cmd.start", &[("ccb", 1)]);
    guest.bell(53);
    guest.interrupt(70, &[RQ]);
    guest.complete(80, RQ, B, read);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!(found.bio(1).at(Doorbell), Some(53));
}

// The driver is too busy for a command (53): the next doorbell (60) at the same level of the vCPU is not the command's.
#[test]
fn a_command_that_was_refused_waits_for_no_doorbell() {
    const NMI: u32 = 0x10_0000;
    let read = io(8, 512, 0);
    for context in [0, SOFTIRQ, HARDIRQ, NMI, UNKNOWN_CONTEXT] {
        let mut guest = SyntheticGuest::default();
        guest.submit(10, B, RQ, read);
        guest.at(context, |guest| {
            guest.entry(45, "rq.dispatch", &[("data", 1), ("data.rq", RQ)]);
            guest.rq(46, "rq.issue", RQ, B, read);
            guest.entry(50, "cmd.dispatch", &[("cmd", RQ + 0x200), ("cmd.rq", RQ)]);
            guest.exit(53, "rq.dispatch", 1);
            guest.bell(60);
        });
        let found = track(&guest);
        let attempt = &found.requests[0].attempts[0];
        assert_eq!(
            (attempt.refused, attempt.driver, attempt.doorbell),
            (true, Some(50), None),
            "{context:#x}"
        );
        assert_eq!((found.counts.doorbells, found.counts.idle_doorbells), (1, 1), "{context:#x}");
    }
}
