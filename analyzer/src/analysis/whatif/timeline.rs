//! When what happened at a clock happens in the modelled run.

use crate::model::TimeMap;

/// From here on the modelled run is earlier or later by another span than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    clock: u64,
    /// Virtual nanoseconds in the recording.
    recorded: u64,
    /// Virtual nanoseconds in the modelled run.
    modelled: u64,
}

/// From clocks to virtual nanoseconds of the recording and of the modelled run.
#[derive(Debug, Default)]
pub struct ModelTimeMap {
    time: TimeMap,
    /// By clock.
    shifts: Vec<Shift>,
}

impl ModelTimeMap {
    /// That of the recording.
    pub fn new(time: TimeMap) -> Self {
        Self { time, shifts: Vec::new() }
    }

    /// From this clock on, which is not before any given earlier, so much virtual time has passed.
    pub fn shift(&mut self, clock: u64, recorded: u64, modelled: u64) {
        let before = self.shifts.last().map_or(0, |last| last.modelled.wrapping_sub(last.recorded));
        if modelled.wrapping_sub(recorded) != before {
            self.shifts.push(Shift { clock, recorded, modelled });
        }
    }

    /// Virtual time of the recording, to be asked for clocks.
    pub fn time(&self) -> &TimeMap {
        &self.time
    }

    /// Virtual nanoseconds in the modelled run.
    pub fn modelled(&self, clock: u64) -> Option<u64> {
        let ns = self.time.ns(clock)?;
        let after = self.shifts.partition_point(|shift| shift.clock <= clock);
        let since = |shift: &Shift| shift.modelled.saturating_add(ns.saturating_sub(shift.recorded));
        let modelled = after.checked_sub(1).map_or(ns, |last| since(&self.shifts[last]));
        // In an idle time that is shorter now, not after its end.
        Some(self.shifts.get(after).map_or(modelled, |next| modelled.min(next.modelled)))
    }
}
