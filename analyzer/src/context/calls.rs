//! Entries that wait for their exits.
//!
//! Calls nest within one [`Place`]. An exit may be missing (a tail call, a function left by a jump), and
//! an exit may come without its entry (the trace began inside the call): both are counted.

use super::Place;
use rustc_hash::{FxHashMap, FxHashSet};

/// Calls that may be open in one place; more means that exits are missing.
const DEEPEST: usize = 32;

/// An open call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<T> {
    /// The function, by its entry's kind.
    pub function: u16,
    /// When it was entered, in instructions.
    pub clock: u64,
    /// What its exit will need.
    pub data: T,
}

/// Open calls of all places.
#[derive(Debug, Clone)]
pub struct Calls<T> {
    places: FxHashMap<Place, Vec<Frame<T>>>,
    returning: FxHashSet<u16>,
    /// Calls whose exit never came.
    pub without_exit: u64,
    /// Exits whose entry was not seen.
    pub without_entry: u64,
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self {
            places: FxHashMap::default(),
            returning: FxHashSet::default(),
            without_exit: 0,
            without_entry: 0,
        }
    }
}

impl<T> Calls<T> {
    /// A call begins.
    pub fn enter(&mut self, place: Place, frame: Frame<T>) {
        let stack = self.places.entry(place).or_default();
        if stack.len() == DEEPEST {
            // Seen with functions that leave by a tail call: their frames stay at the bottom.
            stack.remove(0);
            self.without_exit += 1;
        }
        stack.push(frame);
    }

    /// A call ends; the calls inside it that did not end are dropped.
    pub fn leave(&mut self, place: Place, function: u16) -> Option<Frame<T>> {
        self.returning.insert(function);
        let found = self.places.get_mut(&place).and_then(|stack| {
            let at = stack.iter().rposition(|frame| frame.function == function)?;
            self.without_exit += (stack.len() - at - 1) as u64;
            stack.truncate(at + 1);
            let frame = stack.pop();
            Some((frame, stack.is_empty()))
        });
        let Some((frame, empty)) = found else {
            self.without_entry += 1;
            return None;
        };
        if empty {
            self.places.remove(&place);
        }
        frame
    }

    /// Whether an exit of this function was ever seen. One that always leaves by a tail call has none:
    /// nobody knows whether its open calls are.
    #[must_use]
    pub fn returns(&self, function: u16) -> bool {
        self.returning.contains(&function)
    }

    /// The open calls of a place, the outermost first.
    #[must_use]
    pub fn open(&self, place: Place) -> &[Frame<T>] {
        self.places.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The open calls of a place, to be changed.
    pub fn open_mut(&mut self, place: Place) -> &mut [Frame<T>] {
        self.places.get_mut(&place).map_or(&mut [], Vec::as_mut_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place::Task(7);

    fn calls(functions: &[u16]) -> Calls<()> {
        let mut calls = Calls::default();
        for &function in functions {
            calls.enter(HERE, Frame { function, clock: 0, data: () });
        }
        calls
    }

    #[test]
    fn an_exit_closes_the_innermost_call_of_its_function() {
        let mut calls = calls(&[1, 2, 1]);
        assert!(calls.leave(HERE, 1).is_some());
        assert_eq!(calls.open(HERE).len(), 2);
        assert_eq!((calls.without_exit, calls.without_entry), (0, 0));
    }

    #[test]
    fn a_missing_exit_is_counted_when_the_caller_returns() {
        let mut calls = calls(&[1, 2]);
        assert!(calls.leave(HERE, 1).is_some());
        assert!(calls.open(HERE).is_empty());
        assert_eq!(calls.without_exit, 1);
    }

    #[test]
    fn an_exit_without_entry_is_counted() {
        let mut calls = calls(&[1]);
        assert!(calls.leave(HERE, 3).is_none());
        assert_eq!((calls.open(HERE).len(), calls.without_entry), (1, 1));
    }

    #[test]
    fn places_are_apart_and_bounded() {
        let mut calls = calls(&[1; DEEPEST + 5]);
        assert_eq!((calls.open(HERE).len(), calls.without_exit), (DEEPEST, 5));
        assert!(calls.leave(Place::Task(8), 1).is_none());
    }
}
