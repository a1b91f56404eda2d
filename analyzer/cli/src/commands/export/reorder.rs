//! Records that come nearly in the order of time, put in order in bounded memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Records that are kept: what comes behind so many that are later than itself is out of order.
const KEPT: usize = 1 << 16;

/// Records that wait for earlier ones.
#[derive(Debug)]
pub struct Reorder<T> {
    pending: BinaryHeap<Reverse<Entry<T>>>,
    arrived: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: (u64, u64),
    record: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self { pending: BinaryHeap::new(), arrived: 0 }
    }
}

impl<T> Reorder<T> {
    /// Takes in a record. Returns the first one by time, if there are too many to wait longer; of those of one clock, the
    /// one that came first.
    pub fn push(&mut self, clock: u64, record: T) -> Option<(u64, T)> {
        self.arrived += 1;
        self.pending.push(Reverse(Entry { at: (clock, self.arrived), record }));
        if self.pending.len() > KEPT { self.pop() } else { None }
    }

    /// The first one by time.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.pending.pop().map(|Reverse(Entry { at, record })| (at.0, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_put_in_order() {
        let mut order = Reorder::default();
        let mut out = Vec::new();
        for (clock, name) in [(10, "a"), (30, "b"), (20, "c"), (30, "d"), (5, "e")] {
            out.extend(order.push(clock, name));
        }
        out.extend(std::iter::from_fn(|| order.pop()));
        assert_eq!(out, [(5, "e"), (10, "a"), (20, "c"), (30, "b"), (30, "d")]);
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let mut order = Reorder::default();
        let out: Vec<_> = (0..KEPT as u64 + 3).filter_map(|clock| order.push(clock, ())).collect();
        assert_eq!(out, [(0, ()), (1, ()), (2, ())]);
        assert_eq!(order.pending.len(), KEPT);
    }
}
