//! Builds the relation between clocks and virtual time.
//!
//! Between two clock events virtual time may jump: the guest slept. The jump belongs where the vCPU
//! halted last; events at or after that clock have the time after the jump.

use crate::model::TimeMap;
use iotrace_format::definition::Definition;
use iotrace_format::event::{CLOCK, Event, IDLE};

/// Follows clock and idle events.
#[derive(Debug, Clone, Default)]
pub struct TimeKeeper {
    map: TimeMap,
    halted: Option<u64>,
    /// Times the clock was set right.
    pub corrections: u64,
    /// Largest correction, in instructions.
    pub largest: u64,
}

impl TimeKeeper {
    /// `shift`: log2 of nanoseconds per instruction.
    fn new(shift: Option<u8>) -> Self {
        Self { map: TimeMap::new(shift), ..Self::default() }
    }

    /// Takes in a definition: that of the trace says how long an instruction takes.
    pub fn define(&mut self, definition: &Definition) {
        if let Definition::Trace(info) = definition {
            *self = Self::new(info.icount_shift);
        }
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event<'_>) {
        if event.kind == IDLE.id {
            self.halted = Some(event.clock);
        } else if let (true, &[bias, ref rest @ ..]) = (event.kind == CLOCK.id, event.words) {
            let from = self.halted.take().unwrap_or(event.clock);
            self.map.begin(from, bias as i64);
            let drift = rest.first().map_or(0, |d| (*d as i64).unsigned_abs());
            self.corrections += u64::from(drift != 0);
            self.largest = self.largest.max(drift);
        }
    }

    /// Clocks before this one have their virtual time for good.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.halted.filter(|_| self.map.is_virtual()).unwrap_or(u64::MAX)
    }

    /// The map so far.
    #[must_use]
    pub fn map(&self) -> &TimeMap {
        &self.map
    }

    /// The map.
    #[must_use]
    pub fn into_map(self) -> TimeMap {
        self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_belongs_to_the_last_halt() {
        // clock:  0       40    60          100
        //         CLOCK   IDLE  IDLE        CLOCK
        //         bias 0                    bias 1000
        let mut keeper = TimeKeeper::new(Some(0));
        let mut event = |kind, clock, words: &[u64]| {
            keeper.event(&Event { kind, vcpu: 0, clock, context: 0, task: 0, stack: 0, words });
        };
        event(CLOCK.id, 0, &[0, 0]);
        event(IDLE.id, 40, &[]);
        event(IDLE.id, 60, &[]);
        event(CLOCK.id, 100, &[1000, 5_u64.wrapping_neg()]);
        let ns = [59, 60, 100].map(|c| keeper.map().ns(c));
        assert_eq!(ns, [Some(59), Some(1060), Some(1100)]);
        assert_eq!((keeper.corrections, keeper.largest), (1, 5));
    }
}
