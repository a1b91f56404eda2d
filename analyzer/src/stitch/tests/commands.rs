//! Commands, doorbells and interrupts. Clocks stand under the events.

use super::*;

// two commands, one doorbell (53); one interrupt (70) finds both done
#[test]
fn a_doorbell_and_an_interrupt_serve_several_commands() {
    let (one, two) = (io(8, 512, 0), io(100, 512, 0));
    let mut guest = Guest::default();
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
    let found = stitch(&guest);
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
    let mut guest = Guest::default();
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
    let found = stitch(&guest);
    found.assert_sound();
    assert_eq!((found.bio(1).at(Interrupt), found.bio(1).at(Done)), (Some(70), Some(90)));
}
