//! Builds the relation between clocks and virtual time.
//!
//! Between two clock events virtual time may jump: the guest slept. The jump belongs where the vCPU
//! halted last; events at or after that clock have the time after the jump.
//!
//! Of a guest whose instructions QEMU does not count, time was read now and then: it is that of the last time event.

use crate::model::TimeMap;
use iotrace_format::definition::Definition;
use iotrace_format::event::{CLOCK, Event, IDLE, TIME};

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
        } else if let (true, &[ns]) = (event.kind == TIME.id, event.words) {
            self.map.read(event.clock, ns);
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
        self.halted.filter(|_| self.map.is_exact()).unwrap_or(u64::MAX)
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
    use iotrace_format::definition::TraceInfo;

    /// A keeper that has seen events, each a kind, its clock and its words.
    fn keeper(shift: Option<u8>, events: &[(u16, u64, &[u64])]) -> TimeKeeper {
        let mut keeper = TimeKeeper::new(shift);
        for (kind, clock, words) in events.iter().copied() {
            keeper.event(&Event { kind, vcpu: 0, clock, context: 0, task: 0, stack: 0, words });
        }
        keeper
    }

    #[test]
    fn a_jump_belongs_to_the_last_halt() {
        // clock:  0       40    60          100
        //         CLOCK   IDLE  IDLE        CLOCK
        //         bias 0                    bias 1000
        let events: [(u16, u64, &[u64]); 4] = [
            (CLOCK.id, 0, &[0, 0]),
            (IDLE.id, 40, &[]),
            (IDLE.id, 60, &[]),
            (CLOCK.id, 100, &[1000, 5_u64.wrapping_neg()]),
        ];
        let keeper = keeper(Some(0), &events);
        let ns = [59, 60, 100].map(|c| keeper.map().ns(c));
        assert_eq!(ns, [Some(59), Some(1060), Some(1100)]);
        assert_eq!((keeper.corrections, keeper.largest), (1, 5));
    }

    // The second jump came without a halt after the first: it is where it was seen.
    #[test]
    fn a_halt_explains_one_jump() {
        let events: [(u16, u64, &[u64]); 3] =
            [(IDLE.id, 40, &[]), (CLOCK.id, 100, &[1000, 0]), (CLOCK.id, 200, &[3000, 0])];
        let map = keeper(Some(0), &events).into_map();
        assert_eq!([100, 199, 200].map(|c| map.ns(c)), [Some(1100), Some(1199), Some(3200)]);
    }

    #[test]
    fn corrections_are_counted_and_the_largest_is_kept() {
        let events: [(u16, u64, &[u64]); 5] = [
            (CLOCK.id, 10, &[0, 3]),
            (CLOCK.id, 20, &[0, 7_u64.wrapping_neg()]),
            (CLOCK.id, 30, &[0, 0]),
            (CLOCK.id, 40, &[0]),
            (CLOCK.id, 50, &[0, 2]),
        ];
        let keeper = keeper(Some(0), &events);
        assert_eq!((keeper.corrections, keeper.largest), (3, 7));
    }

    #[test]
    fn other_events_and_a_truncated_one_say_nothing_of_time() {
        let events: [(u16, u64, &[u64]); 3] =
            [(CLOCK.id, 0, &[0, 0]), (CLOCK.id, 10, &[]), (iotrace_format::event::MARK.id, 20, &[1000, 5])];
        let keeper = keeper(Some(0), &events);
        assert_eq!((keeper.map().ns(30), keeper.corrections), (Some(30), 0));
    }

    // What comes after a halt gets its time with the next clock event only; without virtual time nothing is waited for.
    #[test]
    fn time_is_settled_up_to_a_halt_until_the_next_clock_event() {
        let halted: [(u16, u64, &[u64]); 2] = [(CLOCK.id, 0, &[0, 0]), (IDLE.id, 40, &[])];
        let known: [(u16, u64, &[u64]); 3] = [halted[0], halted[1], (CLOCK.id, 50, &[1000, 0])];
        let settled = [(Some(0), &halted[..1]), (Some(0), &halted), (Some(0), &known), (None, &halted)]
            .map(|(shift, events)| keeper(shift, events).settled());
        assert_eq!(settled, [u64::MAX, 40, u64::MAX, u64::MAX]);
    }

    // The other vCPUs run on while one is halted: no jump belongs to it.
    #[test]
    fn without_icount_time_is_that_of_the_last_time_event() {
        let events: [(u16, u64, &[u64]); 3] =
            [(TIME.id, 10, &[1000]), (IDLE.id, 40, &[]), (TIME.id, 50, &[9000])];
        let keeper = keeper(None, &events);
        assert_eq!([10, 49, 50].map(|clock| keeper.map().ns(clock)), [Some(1000), Some(1000), Some(9000)]);
        assert_eq!(keeper.settled(), u64::MAX);
    }

    #[test]
    fn an_instruction_takes_as_long_as_the_trace_says() {
        let mut keeper = TimeKeeper::default();
        let info = TraceInfo { icount_shift: Some(3), ..TraceInfo::default() };
        keeper.define(&Definition::Trace(info));
        keeper.event(&Event {
            kind: CLOCK.id,
            vcpu: 0,
            clock: 0,
            context: 0,
            task: 0,
            stack: 0,
            words: &[5, 0],
        });
        assert_eq!(keeper.map().ns(10), Some(85));
    }
}
