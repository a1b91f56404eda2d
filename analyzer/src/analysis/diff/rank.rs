//! Whether two kernels' recordings differ: the rank-sum test.
//!
//! In: a value for each recording of A and of B. Out: the probability that recordings of one kernel, dealt to the
//! two sides at random, were as far apart in rank. Exact, ties included: all ways of dealing are counted. (F.
//! Wilcoxon, Individual Comparisons by Ranking Methods, Biometrics Bulletin 1, 1945; the same as Mann and
//! Whitney's U.) The I/Os of one recording are no independent observations: they share its memory layout.

/// Probability below which a difference is more than chance.
pub const LEVEL: f64 = 0.05;
/// Recordings of each side from which on the test can say so: 2 in 70 is below the level, 2 in 20 is not.
pub const FEWEST: usize = 4;

/// Probability of a rank sum as far from the middle as that of `a`, or farther: two-sided.
#[must_use]
pub fn rank_sum_test(a: &[i64], b: &[i64]) -> f64 {
    let mut all: Vec<i64> = a.iter().chain(b).copied().collect();
    all.sort_unstable();
    // Twice the middle rank of equal values, to stay with whole numbers.
    let rank = |value: i64| {
        let (below, upto) =
            (all.partition_point(|other| *other < value), all.partition_point(|other| *other <= value));
        below + upto + 1
    };
    let ranks: Vec<usize> = all.iter().map(|value| rank(*value)).collect();
    let observed: usize = a.iter().map(|value| rank(*value)).sum();
    let ways = ways(&ranks, a.len());
    let middle = (all.len() + 1) * a.len();
    let distance = observed.abs_diff(middle);
    let extreme: f64 =
        ways.iter().enumerate().filter(|(sum, _)| sum.abs_diff(middle) >= distance).map(|(_, n)| n).sum();
    extreme / ways.iter().sum::<f64>().max(1.0)
}

/// For each sum, in how many ways `count` of the ranks have it.
pub fn ways(ranks: &[usize], count: usize) -> Vec<f64> {
    let most: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; most + 1]; count + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for taken in (1..=count).rev() {
            for sum in (*rank..=most).rev() {
                ways[taken][sum] += ways[taken - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(count)
}

/// How far apart the values are: the recordings of one kernel among themselves.
#[must_use]
pub fn spread(values: &[i64]) -> u64 {
    values.iter().max().zip(values.iter().min()).map_or(0, |(most, least)| most.abs_diff(*least))
}

/// The middle value; of an even number the lower of the two.
#[must_use]
pub fn median(values: &mut [i64]) -> i64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_tables() {
        let close = |p: f64, expected: f64| assert!((p - expected).abs() < 1e-9, "{p} is not {expected}");
        // Apart: 2 of all ways of dealing.
        close(rank_sum_test(&[1, 2, 3, 4], &[5, 6, 7, 8]), 2.0 / 70.0);
        close(rank_sum_test(&[5, 6, 7], &[1, 2, 3]), 2.0 / 20.0);
        // One exchanged: rank sums 10 and 11 of four, on either side.
        close(rank_sum_test(&[1, 2, 3, 5], &[4, 6, 7, 8]), 4.0 / 70.0);
        close(rank_sum_test(&[7, 7], &[7, 7]), 1.0);
        // Ties count half: of 1 1 2 | 2 3 3 the sums 7.5 and 13.5 have two ways each, of 20.
        close(rank_sum_test(&[1, 1, 2], &[2, 3, 3]), 4.0 / 20.0);
    }

    #[test]
    fn the_spread_is_from_the_least_to_the_most() {
        assert_eq!((spread(&[3, -4, 1]), spread(&[7]), spread(&[])), (7, 0, 0));
        assert_eq!(spread(&[i64::MIN, i64::MAX]), u64::MAX);
    }

    #[test]
    fn the_middle_is_a_value_that_was_seen() {
        assert_eq!((median(&mut [3, 1, 2]), median(&mut [4, 1]), median(&mut [])), (2, 1, 0));
    }
}
