//! The pieces of a [`super::TimeMap`], eight bytes each: a long trace has millions.
//!
//! In: clocks and biases, in the order of their clocks. Out: the same, by place or by clock.

use serde::{Serialize, Serializer};

/// First clock of a piece, and its bias.
pub type TimePiece = (u64, i64);

/// Pieces in the order of their clocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    /// Pieces from which those behind them are measured, with their places.
    bases: Vec<(usize, TimePiece)>,
    /// Each one's distance from the last base up to it.
    distances: Vec<(u32, u32)>,
}

impl Pieces {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.distances.len()
    }

    /// The one at a place.
    pub fn get(&self, place: usize) -> Option<TimePiece> {
        let (clock, bias) = *self.distances.get(place)?;
        let base = self.bases.partition_point(|(first, _)| *first <= place).checked_sub(1)?;
        let (_, (first, least)) = self.bases[base];
        Some((first + u64::from(clock), least + i64::from(bias)))
    }

    /// The last one.
    pub fn last(&self) -> Option<TimePiece> {
        self.get(self.len().checked_sub(1)?)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = TimePiece> + '_ {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Adds one behind the others; its clock is not before theirs.
    pub fn push(&mut self, (clock, bias): TimePiece) {
        let distance = self.bases.last().and_then(|(_, (first, least))| {
            let clock = u32::try_from(clock.checked_sub(*first)?).ok()?;
            Some((clock, u32::try_from(bias.checked_sub(*least)?).ok()?))
        });
        if distance.is_none() {
            self.bases.push((self.len(), (clock, bias)));
        }
        self.distances.push(distance.unwrap_or_default());
    }

    /// Takes the last one away.
    pub fn pop(&mut self) {
        self.distances.pop();
        let length = self.len();
        self.bases.pop_if(|(first, _)| *first >= length);
    }

    /// How many there are at the beginning that fulfil what none behind them does.
    pub fn partition_point(&self, is_before: impl Fn(TimePiece) -> bool) -> usize {
        // Each base is a piece itself.
        let behind = self.bases.partition_point(|(_, piece)| is_before(*piece));
        let Some((first, (clock, bias))) = behind.checked_sub(1).map(|base| self.bases[base]) else {
            return 0;
        };
        let end = self.bases.get(behind).map_or(self.len(), |(next, _)| *next);
        let piece = |distance: &(u32, u32)| (clock + u64::from(distance.0), bias + i64::from(distance.1));
        first + self.distances[first..end].partition_point(|distance| is_before(piece(distance)))
    }
}

impl Serialize for Pieces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: u64 = 1 << 33;

    #[test]
    fn pieces_are_what_was_added_however_far_apart() {
        let added = [
            (5, -7),
            (5, 100),
            (6, 100 + (1 << 31)),
            // Too far ahead, and behind what they would be measured from.
            (7, 1 << 40),
            (8, -(1 << 40)),
            (FAR, -(1 << 40)),
            (FAR + 1, i64::MAX),
            (u64::MAX, i64::MIN),
        ];
        let mut pieces = Pieces::default();
        added.into_iter().for_each(|piece| pieces.push(piece));
        assert_eq!(Vec::from_iter(pieces.iter()), added);
        assert_eq!((pieces.len(), pieces.last(), pieces.get(8)), (8, Some(added[7]), None));
        for clock in [0, 5, 6, 7, 8, FAR, u64::MAX] {
            let expected = added.partition_point(|(first, _)| *first <= clock);
            assert_eq!(pieces.partition_point(|(first, _)| first <= clock), expected);
        }
    }

    #[test]
    fn what_is_taken_away_leaves_no_base() {
        let mut pieces = Pieces::default();
        [(1, 1), (FAR, 2)].into_iter().for_each(|piece| pieces.push(piece));
        pieces.pop();
        pieces.push((3, 4));
        assert_eq!(Vec::from_iter(pieces.iter()), [(1, 1), (3, 4)]);
        (0..3).for_each(|_| pieces.pop());
        assert_eq!((pieces.last(), pieces.bases.len()), (None, 0));
    }

    #[test]
    fn pieces_near_one_another_take_eight_bytes() {
        let mut pieces = Pieces::default();
        (0..10_000).for_each(|at| pieces.push((at * 400, at as i64 * 90_000)));
        assert_eq!((pieces.bases.len(), size_of_val(&pieces.distances[0])), (1, 8));
    }
}
