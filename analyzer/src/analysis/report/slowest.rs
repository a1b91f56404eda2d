//! The slowest I/Os.
//!
//! In: I/Os as they return; their times may not be known yet. Out: those with the longest guest time from call to return,
//! in virtual nanoseconds if there are any and in instructions otherwise, the longest first. Device time does not
//! count: it is the recording host's.

use crate::context::TimeKeeper;
use crate::model::{Io, IoTime, TimeMap};
use std::cmp::Reverse;
use std::collections::VecDeque;

/// Most I/Os that are kept.
pub const SLOWEST: usize = 5;

/// The slowest I/Os of those taken in.
#[derive(Debug, Default)]
pub struct SlowestIos {
    /// I/Os that returned after the last time that is known.
    unsettled: VecDeque<Io>,
    /// Guest time and I/O, the longest first.
    slowest: Vec<(u64, Io)>,
}

impl SlowestIos {
    /// Takes in an I/O whose time may not be known yet.
    pub fn add(&mut self, io: Io) {
        if io.left.is_some() && io.is_requested() {
            self.unsettled.push_back(io);
        }
    }

    /// Compares those whose times are known by now.
    pub fn settle(&mut self, keeper: &TimeKeeper) {
        let is_known = |io: &Io| io.left.is_none_or(|left| left < keeper.settled());
        while self.unsettled.front().is_some_and(is_known)
            && let Some(io) = self.unsettled.pop_front()
        {
            self.compare(io, keeper.map());
        }
    }

    /// Compares all that are left.
    pub fn settle_all(&mut self, time: &TimeMap) {
        for io in std::mem::take(&mut self.unsettled) {
            self.compare(io, time);
        }
    }

    fn compare(&mut self, io: Io, time: &TimeMap) {
        let Some(guest) = io.time(time).map(IoTime::guest) else { return };
        let key = |guest: u64, id: u64| (Reverse(guest), id);
        let at = self.slowest.partition_point(|(other, before)| key(*other, before.id) < key(guest, io.id));
        if at < SLOWEST {
            self.slowest.insert(at, (guest, io));
            self.slowest.truncate(SLOWEST);
        }
    }

    /// The slowest, the longest first.
    #[must_use]
    pub fn into_ios(self) -> Vec<Io> {
        self.slowest.into_iter().map(|(_, io)| io).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(id: u64, entered: u64, left: Option<u64>) -> Io {
        Io {
            id,
            syscall: "read".into(),
            call: None,
            task: crate::model::Task::default(),
            fd: None,
            file: None,
            position: None,
            count: None,
            returned: None,
            entered,
            left,
            cost: 0,
            bios: Vec::new(),
            cached: 0,
            carried: Vec::new(),
            in_workload: true,
            ..Io::default()
        }
    }

    #[test]
    fn the_longest_come_first_and_equal_ones_by_number() {
        let mut slowest = SlowestIos::default();
        for (id, elapsed) in [(1, 5), (2, 90), (3, 5), (4, 70), (5, 90), (6, 1), (7, 60)] {
            slowest.add(io(id, 100, Some(100 + elapsed)));
        }
        slowest.add(io(8, 100, None));
        slowest.settle_all(&TimeMap::default());
        let ids: Vec<_> = slowest.into_ios().iter().map(|io| io.id).collect();
        assert_eq!(ids, [2, 5, 4, 7, 1]);
    }
}
