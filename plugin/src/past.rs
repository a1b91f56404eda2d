//! Notices that the guest has gone back to an earlier moment: a snapshot was loaded, or it is debugged in reverse.
//!
//! In: moments as they are read, in instructions by QEMU's count or, where it does not count, in nanoseconds of its
//! virtual clock. Out: the moment from which the guest went back.

use std::sync::atomic::{AtomicU64, Ordering};

/// The latest moment that was read, on any vCPU.
#[derive(Debug, Default)]
pub struct Past(AtomicU64);

impl Past {
    /// A moment is read; the latest one before, if that is later.
    pub fn reach(&self, read: impl FnOnce() -> u64) -> Option<u64> {
        // Before the moment is read: another vCPU may reach a later one meanwhile.
        let latest = self.0.load(Ordering::SeqCst);
        let now = read();
        self.0.fetch_max(now, Ordering::SeqCst);
        (now < latest).then_some(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_moment_is_noticed() {
        let past = Past::default();
        assert_eq!([3, 7, 7, 6, 8].map(|now| past.reach(|| now)), [None, None, None, Some(7), None]);
    }

    #[test]
    fn what_another_vcpu_reaches_meanwhile_is_no_past() {
        let past = Past::default();
        let nested = past.reach(|| {
            assert_eq!(past.reach(|| 9), None);
            8
        });
        assert_eq!(nested, None);
    }
}
