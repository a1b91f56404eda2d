//! From clocks to virtual time.

mod pieces;

use pieces::Pieces;
use serde::Serialize;
use std::sync::Arc;

/// Largest virtual time, 18 years: what is beyond is none. Spans of time can be added up without an overflow.
const MAX_NS: u64 = 1 << 59;

/// How virtual time follows from clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
enum TimeUnit {
    /// It is not known.
    #[default]
    Unknown,
    /// An instruction takes 2 to the power of this nanoseconds.
    Exact(u8),
    /// It was read now and then, and does not move in between.
    Approximate,
}

/// Pieces of the guest's life with one relation each between clock and virtual time. Copies share them: a long trace has
/// millions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimeMap {
    unit: TimeUnit,
    /// First clock of each piece, and its bias, or virtual time where that is approximate; by clock.
    pieces: Arc<Pieces>,
}

impl TimeMap {
    /// A map without pieces. `shift` is log2 of nanoseconds per instruction; none: there is no exact virtual time.
    #[must_use]
    pub fn new(shift: Option<u8>) -> Self {
        Self { unit: shift.map_or(TimeUnit::Unknown, TimeUnit::Exact), pieces: Arc::default() }
    }

    /// Whether there is virtual time.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        self.unit != TimeUnit::Unknown
    }

    /// Whether virtual time was only read now and then, while the guest ran live.
    #[must_use]
    pub fn is_approximate(&self) -> bool {
        self.unit == TimeUnit::Approximate
    }

    /// Whether an instruction takes a known time.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.shift().is_some()
    }

    fn shift(&self) -> Option<u8> {
        match self.unit {
            TimeUnit::Exact(shift) => Some(shift.min(32)),
            TimeUnit::Unknown | TimeUnit::Approximate => None,
        }
    }

    /// At `clock` virtual time was read. Of a guest with exact time nothing is read. It does not go back: another vCPU may
    /// have read a later one before.
    pub fn read(&mut self, clock: u64, ns: u64) {
        if !self.is_exact() {
            self.unit = TimeUnit::Approximate;
            let ns = i64::try_from(ns).unwrap_or(i64::MAX);
            let ns = self.pieces.last().map_or(ns, |(_, last)| ns.max(last));
            self.begin(clock, ns);
        }
    }

    /// From `clock` on, nanoseconds are `(clock << shift) + bias`. A piece before the last one is put at
    /// the last one's beginning, so that time stays in order.
    pub fn begin(&mut self, clock: u64, bias: i64) {
        let last = self.pieces.last();
        let clock = last.map_or(clock, |(last, _)| clock.max(last));
        let pieces = Arc::make_mut(&mut self.pieces);
        match last {
            Some((_, last)) if last == bias => return,
            Some((begin, _)) if begin == clock => pieces.pop(),
            _ => {}
        }
        pieces.push((clock, bias));
    }

    /// Virtual nanoseconds at `clock`; none if the trace has no virtual time, or none yet.
    #[must_use]
    pub fn ns(&self, clock: u64) -> Option<u64> {
        self.ns_in(self.pieces.partition_point(|(begin, _)| begin <= clock), clock)
    }

    /// The same, before the jump at `clock` if there is one: when the guest that slept then fell asleep.
    #[must_use]
    pub fn ns_before_jump(&self, clock: u64) -> Option<u64> {
        self.ns_in(self.pieces.partition_point(|(begin, _)| begin < clock), clock)
    }

    /// By the relation of the last of so many pieces.
    fn ns_in(&self, pieces: usize, clock: u64) -> Option<u64> {
        if !self.is_virtual() {
            return None;
        }
        // Before the first piece its relation is the best there is.
        let (_, bias) = self.pieces.get(pieces.saturating_sub(1))?;
        let executed = self.shift().map_or(0, |shift| i128::from(clock) << shift);
        let ns = executed + i128::from(bias);
        u64::try_from(ns).ok().filter(|ns| *ns <= MAX_NS)
    }

    /// The first clock at which virtual time is not before `ns`; none if the trace has no virtual time.
    #[must_use]
    pub fn clock_at(&self, ns: u64) -> Option<u64> {
        if self.is_approximate() {
            let at = self.pieces.partition_point(|(_, read)| i128::from(read) < i128::from(ns));
            let clock = self.pieces.get(at).map_or(u64::MAX, |(clock, _)| clock);
            return Some(if at == 0 { 0 } else { clock });
        }
        let unit = 1_i128 << self.shift()?;
        let ends = self.pieces.iter().skip(1).map(|(begin, _)| begin).chain([u64::MAX]);
        let pieces = self.pieces.iter().zip(ends).enumerate().map(|(at, ((begin, bias), end))| {
            let begin = if at == 0 { 0 } else { begin };
            let clock = (i128::from(ns) - i128::from(bias) + unit - 1).div_euclid(unit);
            (u64::try_from(clock.max(0)).unwrap_or(u64::MAX).max(begin), end)
        });
        self.pieces.get(0)?;
        Some(pieces.into_iter().find(|(clock, end)| clock < end).map_or(u64::MAX, |(clock, _)| clock))
    }

    /// Virtual nanoseconds that it takes to execute so many instructions; none where that is not known.
    #[must_use]
    pub fn taken_by(&self, instructions: u64) -> Option<u64> {
        instructions.checked_mul(1 << self.shift()?)
    }

    /// Virtual nanoseconds from one clock to another; 0 if it would be negative.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Option<u64> {
        Some(self.ns(to)?.saturating_sub(self.ns(from)?))
    }

    /// How long it is from one clock to another: virtual nanoseconds, or instructions if there are none.
    #[must_use]
    pub fn length(&self, from: u64, to: u64) -> u64 {
        self.between(from, to).unwrap_or(to.saturating_sub(from))
    }

    /// How long it is in the parts of some spans, apart from one another, that lie between two clocks.
    #[must_use]
    pub fn length_within(&self, spans: &[(u64, u64)], from: u64, to: u64) -> u64 {
        let within = spans.iter().map(|span| (span.0.max(from), span.1.min(to)));
        within.filter(|(from, to)| from < to).map(|(from, to)| self.length(from, to)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_has_its_bias() {
        let mut map = TimeMap::new(Some(2));
        map.begin(100, 10);
        map.begin(200, 1000);
        assert_eq!([0, 100, 199, 200].map(|c| map.ns(c)), [Some(10), Some(410), Some(806), Some(1800)]);
        assert_eq!(map.between(199, 200), Some(994));
        assert_eq!(
            [0, 100, 200, 201].map(|c| map.ns_before_jump(c)),
            [Some(10), Some(410), Some(810), Some(1804)]
        );
        let clocks = [0, 410, 411, 806, 807, 1800, 1801].map(|ns| map.clock_at(ns).unwrap());
        assert_eq!(clocks, [0, 100, 101, 199, 200, 200, 201]);
    }

    #[test]
    fn time_that_was_read_stands_still_in_between_and_does_not_go_back() {
        let mut map = TimeMap::new(None);
        map.read(100, 5_000);
        map.read(200, 9_000);
        map.read(250, 8_000);
        map.read(300, 12_000);
        assert!(map.is_virtual() && map.is_approximate() && !map.is_exact());
        let times = [0, 100, 199, 200, 260, 300].map(|clock| map.ns(clock).unwrap());
        assert_eq!(times, [5_000, 5_000, 5_000, 9_000, 9_000, 12_000]);
        assert_eq!((map.between(150, 260), map.taken_by(10)), (Some(4_000), None));
        let clocks = [0, 5_000, 5_001, 9_000, 9_001, 12_001].map(|ns| map.clock_at(ns).unwrap());
        assert_eq!(clocks, [0, 0, 200, 200, 300, u64::MAX]);
    }

    #[test]
    fn exact_time_is_not_read() {
        let mut map = TimeMap::new(Some(0));
        map.begin(0, 10);
        map.read(5, 1_000_000);
        assert_eq!((map.ns(5), map.is_approximate()), (Some(15), false));
    }

    #[test]
    fn without_icount_there_is_no_virtual_time() {
        let mut map = TimeMap::new(None);
        map.begin(0, 0);
        assert_eq!((map.ns(5), map.clock_at(5)), (None, None));
    }

    #[test]
    fn a_time_below_zero_is_none() {
        let mut map = TimeMap::new(Some(0));
        map.begin(0, -100);
        assert_eq!((map.ns(5), map.ns(105)), (None, Some(5)));
    }
}
