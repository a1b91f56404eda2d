//! Stacked devices: names, what is served, copies that stand for a bio, and whose I/O all of it is.

use super::bio_tracker::{Bios, PARENT};
use super::derived_bios::{D, DM};
use crate::model::{BioCopy, Cause, Origin};
use crate::trackers::timelines::{B, C, RQ, SDA, SYNC, SyntheticGuest, TASK, WRITE, io, track};
use std::sync::Arc;

const KCRYPTD: u64 = 0xffff_8880_0000_5000;
const WRITER: u64 = 0xffff_8880_0000_6000;

fn part(text: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*text)
}

impl Bios {
    /// A function that serves a bio is entered, or an inlined one reached.
    fn serve(&mut self, clock: u64, bio: Option<u64>, is_inlined: bool) {
        let Self { source, tracker, .. } = self;
        let words = [("bio", bio.unwrap_or(0))];
        match is_inlined {
            true => source.reach_only(clock, "rq.serve", &words, |fact| tracker.serve(fact, bio)),
            false => source.enter(clock, "rq.serve", &words, |fact| tracker.serve(fact, bio)),
        }
    }

    fn origin(&self, id: u64) -> Origin {
        self.found.bios.iter().find(|bio| bio.id == id).expect("it is over").origin
    }
}

#[test]
fn a_bio_has_the_name_of_its_device() {
    let mut bios = Bios::default();
    let dm = [("bio.dev", DM), ("bio.disk0", part(b"dm-0\0\0\0\0")), ("bio.disk1", 0), ("bio.partno", 0)];
    let sda1 = [("bio.dev", SDA), ("bio.disk0", part(b"sda\0\0\0\0\0")), ("bio.disk1", 0), ("bio.partno", 1)];
    bios.queue(10, B, &dm);
    bios.queue(20, B, &[&[("bio.traced", 1)], &sda1[..]].concat());
    bios.end(30, B, &[]);
    // What does not say it is on a device that is known; of another one nothing is known.
    bios.queue(40, B, &[]);
    bios.end(41, B, &[]);
    bios.queue(50, B, &[("bio.dev", 7 << 20)]);
    bios.end(51, B, &[]);
    // The number is another device's from here on.
    bios.queue(60, B, &[("bio.dev", DM), ("bio.disk0", part(b"md127\0\0\0"))]);
    bios.end(61, B, &[]);
    bios.found.bios.sort_by_key(|bio| bio.id);
    let names: Vec<_> = bios.found.bios.iter().map(|bio| bio.device.as_deref()).collect();
    assert_eq!(names, [Some("dm-0"), Some("sda1"), Some("sda1"), None, Some("md127")]);
}

#[test]
fn what_is_queued_to_serve_a_bio_comes_of_it() {
    let mut bios = Bios::default();
    let queued = bios.queue(10, B, &[("bio.dev", DM)]).unwrap();
    bios.tracker.attribute(&queued, Arc::new(Cause::Softirq), vec![]);
    bios.serve(20, Some(B), false);
    bios.queue(21, C, &[]);
    let Bios { source, tracker, .. } = &mut bios;
    source.exit(22, "rq.serve", 0, |end| tracker.serving.remove(end));
    bios.queue(23, D, &[]);
    for bio in [C, D, B] {
        bios.end(30, bio, &[]);
    }
    assert_eq!([2, 3].map(|id| bios.origin(id)), [Origin::Serve { of: 1 }, Origin::Queued]);
    let served = bios.found.bios.iter().find(|bio| bio.id == 1).unwrap();
    assert_eq!(served.parts, 1);
    let serving = bios.found.bios.iter().find(|bio| bio.id == 2).unwrap();
    assert_eq!(serving.cause.as_deref(), Some(&Cause::Softirq));
}

// Inlined, it has no end: what it serves counts until the next, in the call around it.
#[test]
fn what_an_inlined_function_serves_is_the_last_in_its_call() {
    let mut bios = Bios::default();
    bios.queue(10, B, &[("bio.dev", DM)]);
    bios.queue(11, PARENT, &[("bio.dev", DM)]);
    bios.source.enter(15, "work.run", &[("work", 1)], |_| ());
    for (clock, served, queued) in [(20, Some(B), C), (30, Some(PARENT), D), (40, None, C)] {
        bios.serve(clock, served, true);
        bios.queue(clock + 1, queued, &[]);
        bios.end(clock + 2, queued, &[]);
    }
    bios.source.exit(50, "work.run", 0, |_| ());
    bios.queue(51, D, &[]);
    bios.end(52, D, &[]);
    let expected = [Origin::Serve { of: 1 }, Origin::Serve { of: 2 }, Origin::Queued, Origin::Queued];
    assert_eq!([3, 4, 5, 6].map(|id| bios.origin(id)), expected);
}

#[test]
fn copies_that_are_not_queued_stand_for_their_bio() {
    let mut bios = Bios::with_copy_of_a_copy();
    bios.end(31, D, &[]);
    bios.end(32, B, &[]);
    let whole = bios.found.bios.iter().find(|bio| bio.id == 1).unwrap();
    assert_eq!(whole.copies, [BioCopy { pointer: D, from: 12, to: Some(31) }], "C is a bio of its own");
}

// pwrite: Q of #1, a copy of it is made     kcryptd: another copy     a thread: Q of the copy
// 100     110      115                      140                       160
#[test]
fn a_copy_that_a_thread_queues_is_of_the_io_whose_bio_it_is_a_copy_of() {
    let write = io(80, 4096, WRITE | SYNC);
    let mut guest = SyntheticGuest::default();
    guest.name_task(2, KCRYPTD, 26, "kworker/u2:1");
    guest.name_task(3, WRITER, 27, "dmcrypt_write");
    guest.entry(100, "sys.pwrite64", &[("regs.fd", 3)]);
    guest.queue(110, B, write);
    guest.entry(114, "bio.clone", &[("parent", B)]);
    guest.exit(115, "bio.clone", D);
    guest.queue_work(120, 0xe0);
    guest.switch(130, KCRYPTD);
    guest.begin_work_of(135, 0xe0);
    guest.entry(139, "bio.clone", &[("parent", D)]);
    guest.exit(140, "bio.clone", C);
    guest.end_work(145);
    guest.switch(150, WRITER);
    guest.submit(160, C, RQ, write);
    guest.submit(180, PARENT, 0xa400, write);
    guest.switch(200, TASK);
    guest.exit(210, "sys.pwrite64", 0);
    let found = track(&guest);
    assert_eq!((found.bio(2).origin, found.chain(2)), (Origin::Clone { of: 1 }, vec![("syscall", 1)]));
    assert_eq!(found.io(1).bios, [1, 2]);
    // What it queues for nobody is its own work.
    assert_eq!(found.chain(3), [("kernel", 2), ("thread", 27)]);
}
