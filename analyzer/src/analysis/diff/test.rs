//! Values of I/Os, by recording: how they are spread, and whether the sides differ.

use super::interval::{of_median, of_shift};
use super::rank::{FEWEST, LEVEL, median, rank_sum_test, spread};
use super::{CostTest, IoSpread};

/// Values of I/Os, of each side by recording.
#[derive(Debug, Clone, Default)]
pub struct SampleValues([Vec<Vec<u64>>; 2]);

impl SampleValues {
    /// One more value.
    pub fn add(&mut self, side: usize, recording: usize, value: u64) {
        let values = &mut self.0[side];
        values.resize_with(values.len().max(recording + 1), Vec::new);
        values[recording].push(value);
    }

    /// How all values of each side are spread.
    pub fn spread(&self) -> [IoSpread; 2] {
        self.0.each_ref().map(|side| {
            let mut all: Vec<u64> = side.iter().flatten().copied().collect();
            all.sort_unstable();
            let rank = |percent: usize| (all.len() * percent).div_ceil(100).max(1) - 1;
            let at = |percent| all.get(rank(percent)).copied().unwrap_or(0);
            IoSpread { min: at(0), median: at(50), p95: at(95), max: at(100) }
        })
    }

    /// Whether the recordings' medians differ, and their means are apart in the same direction: where the values are
    /// of two kinds, the median may be of the one or the other by chance. A recording without values is one in which
    /// it cost nothing.
    pub fn test(&self, recordings: usize) -> CostTest {
        let by_recording = |of: fn(&[u64]) -> i64| {
            self.0.each_ref().map(|side| {
                let values = |recording: usize| side.get(recording).map_or(&[][..], Vec::as_slice);
                (0..recordings).map(|recording| of(values(recording))).collect::<Vec<_>>()
            })
        };
        let ([a, b], [mean_a, mean_b]) = (by_recording(middle), by_recording(mean));
        let (medians, means) = (test(a, b), test(mean_a, mean_b));
        let same = medians.difference.signum() == means.difference.signum();
        let apart = same && means.p.is_some_and(|p| p < LEVEL);
        CostTest { differs: medians.differs && apart, ..medians }
    }
}

fn middle(values: &[u64]) -> i64 {
    median(&mut values.iter().map(|value| value.cast_signed()).collect::<Vec<_>>())
}

fn mean(values: &[u64]) -> i64 {
    let sum: u64 = values.iter().sum();
    (sum / values.len().max(1) as u64).cast_signed()
}

/// Whether two sides differ, by a value of each recording.
pub fn test(a: Vec<i64>, b: Vec<i64>) -> CostTest {
    let difference = median(&mut b.clone()) - median(&mut a.clone());
    let enough = a.len() >= FEWEST && b.len() >= FEWEST;
    let p = enough.then(|| rank_sum_test(&a, &b));
    let beyond = i128::from(difference).unsigned_abs() > u128::from(spread(&a).max(spread(&b)));
    CostTest {
        difference,
        a_median: of_median(&a),
        b_median: of_median(&b),
        interval: enough.then(|| of_shift(&a, &b)).flatten(),
        p,
        differs: p.is_some_and(|p| p < LEVEL) && beyond,
        a,
        b,
    }
}
