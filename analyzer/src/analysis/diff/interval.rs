//! Where a median and a shift lie: confidence intervals from ranks, without any assumption on how values are spread.
//!
//! In: a value for each recording. Out: an [`Interval`] whose level is at least [`LEVEL`] and is told, exact; none
//! where there are too few recordings for one: six for a median, four of each side for a shift.

use super::rank::ways;
use serde::Serialize;

/// Probability with which an interval should hold what it is for.
pub const LEVEL: f64 = 0.95;

/// An interval, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Interval {
    /// Its lower end.
    pub low: i64,
    /// Its upper end.
    pub high: i64,
    /// Probability with which such an interval holds what it is for.
    pub level: f64,
}

/// Of the median, between two order statistics: so many of the values are below it as of tossed coins show heads.
#[must_use]
pub fn of_median(values: &[i64]) -> Option<Interval> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let (mut tail, mut term, mut cut) = (0.0, 0.5_f64.powi(i32::try_from(sorted.len()).ok()?), None);
    for below in 0..sorted.len() / 2 {
        tail += term;
        if 2.0 * tail > 1.0 - LEVEL {
            break;
        }
        cut = Some((below, tail));
        term *= (sorted.len() - below) as f64 / (below + 1) as f64;
    }
    let (below, tail) = cut?;
    let (low, high) = (sorted[below], sorted[sorted.len() - 1 - below]);
    Some(Interval { low, high, level: 1.0 - 2.0 * tail })
}

/// Of how much more the values of `b` are than those of `a`: between two of all differences of one of each (Moses'
/// interval around Hodges and Lehmann's estimate, from the distribution of the rank sum; with equal values its level
/// is more than what is told).
#[must_use]
pub fn of_shift(a: &[i64], b: &[i64]) -> Option<Interval> {
    let mut differences: Vec<i64> =
        b.iter().flat_map(|theirs| a.iter().map(|ours| theirs.saturating_sub(*ours))).collect();
    differences.sort_unstable();
    let ranks: Vec<usize> = (1..=a.len() + b.len()).collect();
    let ways = ways(&ranks, a.len());
    let all: f64 = ways.iter().sum();
    let least = a.len() * (a.len() + 1) / 2;
    let (mut tail, mut cut) = (0.0, None);
    for below in 0..differences.len() / 2 {
        tail += ways.get(least + below)? / all;
        if 2.0 * tail > 1.0 - LEVEL {
            break;
        }
        cut = Some((below, tail));
    }
    let (below, tail) = cut?;
    let (low, high) = (differences[below], differences[differences.len() - 1 - below]);
    Some(Interval { low, high, level: 1.0 - 2.0 * tail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(interval: Option<Interval>) -> Option<(i64, i64, f64)> {
        interval.map(|i| (i.low, i.high, (i.level * 1e4).round() / 1e4))
    }

    #[test]
    fn medians_lie_where_the_tables_say() {
        let first = |n: i64| (1..=n).collect::<Vec<_>>();
        assert_eq!(rounded(of_median(&first(5))), None);
        assert_eq!(rounded(of_median(&first(6))), Some((1, 6, 0.9688)));
        assert_eq!(rounded(of_median(&first(10))), Some((2, 9, 0.9785)));
        assert_eq!(rounded(of_median(&first(20))), Some((6, 15, 0.9586)));
    }

    #[test]
    fn shifts_lie_where_the_tables_say() {
        assert_eq!(rounded(of_shift(&[1, 2, 3], &[4, 5, 6])), None);
        assert_eq!(rounded(of_shift(&[1, 2, 3, 4], &[11, 12, 13, 14])), Some((7, 13, 0.9714)));
        // The rank-sum test's critical value for five and five is 2.
        assert_eq!(rounded(of_shift(&[0; 5], &[1, 2, 3, 4, 5])), Some((1, 5, 0.9683)));
    }
}
