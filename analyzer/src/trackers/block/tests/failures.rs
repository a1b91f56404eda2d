//! Requests whose commands fail and are tried again. Clocks stand under the events.

use crate::model::{ErrorCause, RecoveryStep, Sense};
use crate::trackers::timelines::*;

const CMD: u64 = RQ + 0x200;
/// CHECK CONDITION (include/scsi/scsi_proto.h).
const CHECK_CONDITION: u64 = 0x02;
/// DID_BUS_BUSY in the host byte (include/scsi/scsi_status.h).
const BUS_BUSY: u64 = 0x02 << 16;
/// `BLK_STS_IOERR`.
const IOERR: u64 = 10;

/// Words of the first 16 bytes of sense data: fixed format, or descriptors.
fn sense((key, asc, ascq): (u64, u64, u64), fixed: bool) -> [(&'static str, u64); 2] {
    if fixed {
        [("cmd.sense0", 0x70 | key << 16), ("cmd.sense8", asc << 32 | ascq << 40)]
    } else {
        [("cmd.sense0", 0x72 | key << 8 | asc << 16 | ascq << 24), ("cmd.sense8", 0)]
    }
}

/// Its interrupt comes at `clock`, and finds the command done with a result.
fn interrupt(guest: &mut SyntheticGuest, clock: u64, result: u64) {
    guest.entry(clock, "irq.entry", &[("vector", 38)]);
    guest.at(HARDIRQ, |guest| {
        guest.entry(clock + 1, "cmd.done", &of_command(result));
    });
    guest.exit(clock + 2, "irq.entry", 0);
}

/// A request that is issued, and done with a result at 61.
fn answered(io: Extent, result: u64) -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, io);
    guest.issue(50, RQ, B, io);
    interrupt(&mut guest, 60, result);
    guest
}

/// Why the command failed is read.
fn read_sense(guest: &mut SyntheticGuest, clock: u64, words: [(&'static str, u64); 2]) {
    guest.entry(clock, "cmd.sense", &[&of_command(CHECK_CONDITION)[..], &words].concat());
}

fn of_command(result: u64) -> [(&'static str, u64); 3] {
    [("cmd", CMD), ("cmd.rq", RQ), ("cmd.result", result)]
}

fn mark(guest: &mut SyntheticGuest, clock: u64, stage: &str) {
    guest.entry(clock, stage, &[("cmd", CMD), ("cmd.rq", RQ)]);
}

/// The causes of a bio's errors.
fn causes(found: &Found) -> Vec<ErrorCause> {
    found.bio(1).errors.iter().map(|error| error.cause).collect()
}

// I    D1   irq  sense R    D    irq  sense R    D    irq  C
// 40   50   60   63    65   150  160  163   165  250  260  280
#[test]
fn time_between_attempts_is_neither_the_schedulers_nor_the_devices() {
    let read = io(8, 4096, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.rq(40, "rq.insert", RQ, B, read);
    for (at, fixed) in [(50, true), (150, false)] {
        guest.issue(at, RQ, B, read);
        interrupt(&mut guest, at + 10, CHECK_CONDITION);
        read_sense(&mut guest, at + 13, sense((0xb, 0, 6), fixed));
        guest.rq(at + 15, "rq.requeue", RQ, B, read);
    }
    guest.issue(250, RQ, B, read);
    interrupt(&mut guest, 260, 0);
    guest.complete(280, RQ, B, read);
    let found = track(&guest);
    found.assert_sound();
    let bio = found.bio(1);
    let at = [Inserted, FirstIssued, Requeued, Issued, Doorbell, Interrupt, Done].map(|stage| bio.at(stage));
    assert_eq!(at, [40, 50, 165, 250, 253, 260, 261].map(Some));
    let aborted = Sense { key: 0xb, asc: 0, ascq: 6 };
    assert_eq!(causes(&found), [ErrorCause::Sense(aborted); 2]);
    assert_eq!((bio.attempts, bio.requeues, bio.status), (3, 2, 0));
    assert_eq!(bio.errors.iter().map(|error| error.command).collect::<Vec<_>>(), [1, 2]);
}

// A device that was reset says so once: the command is finished, and sent again.
#[test]
fn a_unit_attention_is_an_error_of_a_bio_that_ends_well() {
    let write = io(8, 4096, WRITE);
    let mut guest = answered(write, CHECK_CONDITION);
    read_sense(&mut guest, 63, sense((6, 0x29, 0), true));
    guest.entry(64, "cmd.finish", &of_command(CHECK_CONDITION));
    guest.rq(65, "rq.requeue", RQ, B, write);
    guest.issue(70, RQ, B, write);
    interrupt(&mut guest, 80, 0);
    guest.entry(82, "cmd.finish", &of_command(0));
    guest.complete(90, RQ, B, write);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!(causes(&found), [ErrorCause::Sense(Sense { key: 6, asc: 0x29, ascq: 0 })]);
    assert_eq!((found.bio(1).status, found.bio(1).attempts), (0, 2));
}

// The last attempt fails too, and with it the bio.
#[test]
fn a_command_that_fails_for_good_is_the_last_attempt() {
    let read = io(8, 4096, 0);
    let mut guest = answered(read, CHECK_CONDITION);
    read_sense(&mut guest, 63, sense((3, 0x11, 0), true));
    guest.entry(64, "cmd.finish", &of_command(CHECK_CONDITION));
    guest.update(70, RQ, B, read, 4096);
    guest.entry(71, "bio.end", &[("bio", B), ("bio.status", IOERR), ("bio.traced", 0)]);
    guest.free(73, RQ);
    let found = track(&guest);
    assert_eq!(causes(&found), [ErrorCause::Sense(Sense { key: 3, asc: 0x11, ascq: 0 })]);
    assert_eq!(found.bio(1).status, IOERR);
    let bio = found.bio(1);
    assert_eq!(
        (bio.attempts, bio.at(FirstIssued), bio.at(Requeued), bio.at(Issued)),
        (1, None, None, Some(50))
    );
}

// Without sense data the result tells: of a command that is not finished, that with which it was done.
#[test]
fn a_result_without_sense_data_is_an_error_as_well() {
    let read = io(8, 4096, 0);
    let mut guest = answered(read, BUS_BUSY);
    guest.rq(65, "rq.requeue", RQ, B, read);
    guest.issue(70, RQ, B, read);
    interrupt(&mut guest, 80, 0);
    guest.complete(90, RQ, B, read);
    let found = track(&guest);
    found.assert_sound();
    assert_eq!(causes(&found), [ErrorCause::Result(BUS_BUSY)]);
}

// doorbell   timeout  abort fails: error handler  its own command and sense   bus reset  requeue  D    irq
// 53         1000     1010  1020                  1030 .. 1040                1050       1060     1100 1110
#[test]
fn what_the_error_handler_sends_is_no_attempt_of_the_request() {
    let read = io(8, 4096, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.issue(50, RQ, B, read);
    guest.entry(1000, "cmd.timeout", &[("rq", RQ)]);
    mark(&mut guest, 1010, "cmd.abort");
    mark(&mut guest, 1020, "cmd.error");
    mark(&mut guest, 1030, "cmd.dispatch");
    guest.entry(1031, "cmd.start", &[("ccb", 1), ("ccb.cmd", CMD)]);
    guest.bell(1032);
    interrupt(&mut guest, 1035, CHECK_CONDITION);
    read_sense(&mut guest, 1040, sense((6, 0x29, 0), true));
    mark(&mut guest, 1045, "reset.device");
    mark(&mut guest, 1050, "reset.bus");
    guest.rq(1060, "rq.requeue", RQ, B, read);
    guest.issue(1100, RQ, B, read);
    interrupt(&mut guest, 1110, 0);
    guest.complete(1120, RQ, B, read);
    let found = track(&guest);
    let attempts = &found.requests[0].attempts;
    let steps: Vec<_> = attempts[0].recovery.iter().map(|mark| (mark.step, mark.clock)).collect();
    assert_eq!(
        steps,
        [
            (RecoveryStep::Timeout, 1000),
            (RecoveryStep::Abort, 1010),
            (RecoveryStep::ErrorHandler, 1020),
            (RecoveryStep::ResetDevice, 1045),
            (RecoveryStep::ResetBus, 1050),
        ]
    );
    let times: Vec<_> = attempts.iter().map(|a| (a.driver, a.doorbell, a.done)).collect();
    assert_eq!(times, [(Some(51), Some(53), None), (Some(1101), Some(1103), Some(1111))]);
    let [error] = &found.bio(1).errors[..] else { panic!("{:?}", found.bio(1).errors) };
    assert_eq!((error.cause, error.recovery.len()), (ErrorCause::Timeout, 5));
    assert_eq!((found.bio(1).attempts, found.bio(1).at(Requeued)), (2, Some(1060)));
}

// A driver that is busy refuses without an error.
#[test]
fn a_refused_request_has_no_error() {
    let read = io(8, 4096, 0);
    let mut guest = SyntheticGuest::default();
    guest.submit(10, B, RQ, read);
    guest.entry(49, "rq.dispatch", &[("data", 1), ("data.rq", RQ)]);
    guest.rq(50, "rq.issue", RQ, B, read);
    guest.exit(53, "rq.dispatch", 9);
    guest.rq(54, "rq.requeue", RQ, B, read);
    guest.issue(60, RQ, B, read);
    interrupt(&mut guest, 70, 0);
    guest.complete(80, RQ, B, read);
    let found = track(&guest);
    found.assert_sound();
    let bio = found.bio(1);
    assert_eq!((bio.errors.len(), bio.attempts, bio.requeues), (0, 2, 1));
    assert_eq!([FirstIssued, Requeued, Issued].map(|stage| bio.at(stage)), [50, 54, 60].map(Some));
}
