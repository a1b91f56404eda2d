//! Order statistics of values that come one after the other, in bounded memory.
//!
//! Values are counted each by itself, so that what is said of them is exact: times that the same code takes repeat.
//! Of more different ones than [`DISTINCT`] the percentiles are told to [`DIGITS`] digits.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Most different values that are counted each by itself.
pub const DISTINCT: usize = 2048;
/// Digits of the percentiles of more.
pub const DIGITS: u8 = 3;

/// Order statistics by nearest rank, in the unit of what was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PercentileSummary {
    /// How many values.
    pub count: u64,
    /// Median.
    pub median: u64,
    /// 95th percentile.
    pub p95: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// Values to be told of.
#[derive(Debug, Default)]
pub struct ValueHistogram {
    count: u64,
    max: u64,
    exact: BTreeMap<u64, u64>,
    /// In place of the exact ones once there are too many.
    rounded: Option<Histogram<u32>>,
}

impl ValueHistogram {
    /// Takes in a value.
    pub fn add(&mut self, value: u64) {
        self.count += 1;
        self.max = self.max.max(value);
        if let Some(rounded) = &mut self.rounded {
            // It grows with the value: nothing is out of its range.
            let _ = rounded.record(value);
            return;
        }
        *self.exact.entry(value).or_default() += 1;
        if self.exact.len() > DISTINCT {
            // Fails for more than five digits only.
            self.rounded = Histogram::new(DIGITS).ok();
            self.round();
        }
    }

    fn round(&mut self) {
        let Some(rounded) = &mut self.rounded else { return };
        for (value, count) in std::mem::take(&mut self.exact) {
            let _ = rounded.record_n(value, u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Whether the percentiles are rounded.
    #[must_use]
    pub fn is_rounded(&self) -> bool {
        self.rounded.is_some()
    }

    /// Their statistics; none of none.
    #[must_use]
    pub fn spread(&self) -> Option<PercentileSummary> {
        let Self { count, max, .. } = *self;
        let [median, p95, p99] = [50, 95, 99].map(|percent| self.percentile(percent).min(max));
        (count > 0).then_some(PercentileSummary { count, median, p95, p99, max })
    }

    fn percentile(&self, percent: u64) -> u64 {
        if let Some(rounded) = &self.rounded {
            return rounded.value_at_percentile(percent as f64);
        }
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        let mut before = 0;
        let reached = self.exact.iter().find(|(_, times)| {
            before += u128::from(**times);
            before >= rank
        });
        reached.map_or(0, |(value, _)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: impl IntoIterator<Item = u64>) -> Option<PercentileSummary> {
        let mut all = ValueHistogram::default();
        values.into_iter().for_each(|value| all.add(value));
        all.spread()
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundreds = PercentileSummary { count: 200, median: 100, p95: 190, p99: 198, max: 200 };
        assert_eq!(spread((1..=200).rev()), Some(hundreds));
        assert_eq!(spread([7]).unwrap().median, 7);
        assert_eq!(spread([]), None);
    }

    #[test]
    fn many_different_values_are_told_to_three_digits() {
        let mut all = ValueHistogram::default();
        let values = (1..=100_000_u64).map(|value| value * 7919 % 1_000_003);
        values.clone().for_each(|value| all.add(value));
        let (mut sorted, told) = (values.collect::<Vec<_>>(), all.spread().unwrap());
        sorted.sort_unstable();
        assert!(all.is_rounded());
        assert_eq!((told.count, Some(&told.max)), (100_000, sorted.last()));
        for (percentile, exact) in
            [(told.median, sorted[49_999]), (told.p95, sorted[94_999]), (told.p99, sorted[98_999])]
        {
            assert!(percentile.abs_diff(exact) * 1000 <= exact, "{percentile} for {exact}");
        }
    }

    #[test]
    fn a_value_that_does_not_end_is_counted() {
        let far = spread((0..5000).map(|value| value + (u64::MAX - 10_000))).unwrap();
        assert_eq!((far.count, far.max), (5000, u64::MAX - 5001));
        assert!(far.median > u64::MAX / 2);
    }
}
