//! A device that serves so many requests at the same time, and the others in the order in which they come.
//!
//! Times are virtual nanoseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;

/// When a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// From when on.
    pub begin: u64,
    /// Until when.
    pub end: u64,
}

/// What a device was given so far.
#[derive(Debug, Default)]
pub struct Queue {
    depth: Option<NonZeroUsize>,
    /// When each of its places is free again, as far as they were ever taken.
    places: BinaryHeap<Reverse<u64>>,
}

impl Queue {
    /// A device that serves so many requests at the same time; none: all.
    pub fn new(depth: Option<NonZeroUsize>) -> Self {
        Self { depth, places: BinaryHeap::new() }
    }

    /// Gives it a request that takes so long. Requests are given in the order of their arrival.
    pub fn serve(&mut self, arrival: u64, time: u64) -> Service {
        let Some(depth) = self.depth else {
            return Service { begin: arrival, end: arrival.saturating_add(time) };
        };
        let full = self.places.len() >= depth.get();
        let free = if full { self.places.pop().map_or(0, |Reverse(free)| free) } else { 0 };
        let begin = arrival.max(free);
        let end = begin.saturating_add(time);
        self.places.push(Reverse(end));
        Service { begin, end }
    }
}

/// The time in which at least one of many spans goes on; they are added in the order of their begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Union {
    until: u64,
    /// Its length so far.
    pub length: u64,
}

impl Union {
    /// Adds a span.
    pub fn add(&mut self, begin: u64, end: u64) {
        self.length = self.length.saturating_add(end.saturating_sub(begin.max(self.until)));
        self.until = self.until.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begin and end of requests of arrival and time.
    fn served(depth: usize, requests: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut queue = Queue::new(NonZeroUsize::new(depth));
        let serve = |(arrival, time): &(u64, u64)| queue.serve(*arrival, *time);
        requests.iter().map(serve).map(|service| (service.begin, service.end)).collect()
    }

    // arrivals   0    1    2         30
    // depth 2    [0..10]   [5..15]   [30..40]
    //                 [1..5]
    #[test]
    fn a_request_beyond_the_depth_begins_when_a_place_is_free() {
        let requests = [(0, 10), (1, 4), (2, 10), (30, 10)];
        assert_eq!(served(2, &requests), [(0, 10), (1, 5), (5, 15), (30, 40)]);
        assert_eq!(served(1, &requests), [(0, 10), (10, 14), (14, 24), (30, 40)]);
        assert_eq!(served(0, &requests), [(0, 10), (1, 5), (2, 12), (30, 40)]);
    }

    #[test]
    fn spans_that_overlap_count_once() {
        let mut union = Union::default();
        [(0, 10), (2, 4), (8, 12), (20, 25)].into_iter().for_each(|(begin, end)| union.add(begin, end));
        assert_eq!(union.length, 17);
    }
}
