//! Ranges that may overlap: the first that a value is in.
//!
//! In: ranges with their ends included, each with a number; where several overlap the lowest number counts. Out: the
//! number for a value. The time to find it grows with the logarithm of how many there are.

use std::collections::BTreeSet;

/// Ranges, made into stretches that do not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// From this value on up to the next one, this range counts; none where there is a gap.
    stretches: Vec<(u64, Option<usize>)>,
}

impl Ranges {
    /// Numbers, first and last values.
    pub fn new(ranges: impl IntoIterator<Item = (usize, u64, u64)>) -> Self {
        let ranges: Vec<_> = ranges.into_iter().filter(|(_, from, to)| from <= to).collect();
        // The first of them comes last.
        let sorted = |points: &mut dyn Iterator<Item = (u64, usize)>| {
            let mut points: Vec<_> = points.collect();
            points.sort_unstable_by(|a, b| b.cmp(a));
            points
        };
        let mut begins = sorted(&mut ranges.iter().map(|(number, from, _)| (*from, *number)));
        let behind = |(number, _, to): &(usize, u64, u64)| Some((to.checked_add(1)?, *number));
        let mut ends = sorted(&mut ranges.iter().filter_map(behind));
        let (mut inside, mut stretches) = (BTreeSet::new(), Vec::new());
        while let Some(&(value, _)) = [begins.last(), ends.last()].into_iter().flatten().min() {
            while let Some((_, number)) = ends.pop_if(|(end, _)| *end == value) {
                inside.remove(&number);
            }
            while let Some((_, number)) = begins.pop_if(|(begin, _)| *begin == value) {
                inside.insert(number);
            }
            stretches.push((value, inside.first().copied()));
        }
        stretches.dedup_by_key(|(_, number)| *number);
        Self { stretches }
    }

    /// The range that counts at a value.
    #[must_use]
    pub fn find(&self, value: u64) -> Option<usize> {
        let after = self.stretches.partition_point(|(from, _)| *from <= value);
        self.stretches.get(after.checked_sub(1)?)?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_counts_where_ranges_overlap() {
        let ranges = [(0, 10, 19), (1, 5, 12), (2, 18, 30), (3, 40, 39), (4, u64::MAX, u64::MAX), (5, 0, 50)];
        let ranges = Ranges::new(ranges);
        let found = [0, 4, 5, 9, 10, 19, 20, 30, 31, 50, 51, u64::MAX].map(|value| ranges.find(value));
        let expected = [5, 5, 1, 1, 0, 0, 2, 2, 5, 5].map(Some);
        assert_eq!(found[..10], expected);
        assert_eq!(found[10..], [None, Some(4)]);
    }

    #[test]
    fn it_is_what_a_look_at_all_of_them_finds() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let all: Vec<_> =
                (0..random.usize(..12)).map(|at| (at, random.u64(..20), random.u64(..20))).collect();
            let ranges = Ranges::new(all.iter().copied());
            for value in 0..22 {
                let first = all.iter().find(|(_, from, to)| (*from..=*to).contains(&value));
                assert_eq!(ranges.find(value), first.map(|(number, ..)| *number), "{value} in {all:?}");
            }
        }
    }
}
