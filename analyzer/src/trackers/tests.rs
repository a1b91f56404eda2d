//! Streams that do not fit.

use crate::trackers::Oddity;
use crate::trackers::timelines::*;
use iotrace_format::event as event_kinds;

#[test]
fn what_does_not_fit_is_counted_and_nothing_breaks() {
    let mut guest = SyntheticGuest::default();
    guest.end(10, B);
    guest.free(11, RQ);
    guest.entry(12, "cmd.done", &[("cmd", 5), ("cmd.rq", 6)]);
    guest.entry(13, "bio.queue", &[]);
    guest.exit(14, "bio.enter", 0);
    guest.entry(15, "flush.end", &[("rq", 7)]);
    guest.raw(16, 5000, &[1, 2]);
    guest.raw(17, event_kinds::MMIO_WRITE.id, &[]);
    let counts = track(&guest).counts;
    for oddity in [
        Oddity::BioEndUnknown,
        Oddity::RequestUnknown,
        Oddity::CommandUnknown,
        Oddity::WordMissing,
        Oddity::UndefinedProbe,
        Oddity::ExitWithoutCall,
    ] {
        assert!(counts.of(oddity) > 0, "{oddity:?}");
    }
}

/// Anything may stand in a file: events of known probes with words out of a small pool, clocks in any order.
#[test]
fn no_stream_of_events_breaks_it() {
    let guest = small();
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let pool = [0, 1, B, C, RQ, RQ + 0x200, 0xa400, 512, u64::MAX, SDA, BELL, 0x20];
    for _ in 0..300 {
        let mut guest = guest.clone();
        for owned in &mut guest.events {
            if random(3) == 0 {
                owned.clock = random(2000) as u64;
                owned.context = [0, HARDIRQ, SOFTIRQ, 0x10_0000][random(4)];
            }
            for word in &mut owned.words {
                if random(4) == 0 {
                    *word = pool[random(pool.len())];
                }
            }
        }
        for _ in 0..20 {
            let (a, b) = (random(guest.events.len()), random(guest.events.len()));
            guest.events.swap(a, b);
        }
        let found = track(&guest);
        for bio in &found.bios {
            assert!(bio.stages.windows(2).all(|pair| pair[0].clock <= pair[1].clock));
        }
    }
}
