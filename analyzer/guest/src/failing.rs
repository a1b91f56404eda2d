//! A guest whose commands fail.

use crate::{Extent, HARDIRQ, SyntheticGuest, io};

/// A read that is aborted by the device twice and then read, and one whose sector cannot be read.
#[must_use]
pub fn failing() -> SyntheticGuest {
    const CHECK_CONDITION: u64 = 2;
    const IOERR: u64 = 10;
    let mut guest = SyntheticGuest::default();
    let attempt = |guest: &mut SyntheticGuest, at: u64, of: (u64, u64, Extent), sense: Option<(u64, u64)>| {
        let (rq, bio, io) = of;
        let (command, result) = (rq + 0x200, sense.map_or(0, |_| CHECK_CONDITION));
        let words = [("cmd", command), ("cmd.rq", rq), ("cmd.result", result)];
        guest.issue(at, rq, bio, io);
        guest.entry(at + 50, "irq.entry", &[("vector", 38)]);
        guest.at(HARDIRQ, |guest| guest.entry(at + 52, "cmd.done", &words));
        guest.exit(at + 54, "irq.entry", 0);
        if let Some((sense0, sense8)) = sense {
            let more = [("cmd.sense0", sense0), ("cmd.sense8", sense8)];
            guest.entry(at + 56, "cmd.sense", &[&words[..], &more].concat());
        }
    };
    let (aborted, unreadable) = ((0x0b_0070, 6 << 40), (0x03_0070, 0x11 << 32));
    let first = (0xa000, 0xb100, io(8, 4096, 0));
    guest.submit(100, first.1, first.0, first.2);
    for at in [1000, 2000] {
        attempt(&mut guest, at, first, Some(aborted));
        guest.rq(at + 58, "rq.requeue", first.0, first.1, first.2);
    }
    attempt(&mut guest, 3000, first, None);
    guest.complete(3060, first.0, first.1, first.2);
    let second = (0xa400, 0xb200, io(256, 4096, 0));
    guest.submit(4000, second.1, second.0, second.2);
    attempt(&mut guest, 4100, second, Some(unreadable));
    guest.update(4160, second.0, second.1, second.2, 4096);
    guest.entry(4161, "bio.end", &[("bio", second.1), ("bio.status", IOERR), ("bio.traced", 0)]);
    guest.free(4170, second.0);
    guest
}
