//! Which commands a doorbell passes on.
//!
//! In: commands that wait, doorbells, by the vCPU and level that they happen at. Out: the requests whose commands are
//! passed on, by their addresses.

use crate::hash::Map;
use crate::model::{Level, Point};
use crate::trackers::fact::Context;
use bincode::{Decode, Encode};
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

/// Where a driver runs: a level of a vCPU. It is not left for another of the same level between a
/// command and its doorbell, since drivers hold a lock there.
type DriverPlace = (u16, Level);

fn place(context: &Context<'_>) -> DriverPlace {
    (context.event.vcpu, context.level)
}

/// Commands that wait for their doorbell, by their requests.
#[derive(Debug, Default, Encode, Decode)]
pub struct Doorbells {
    waiting: BTreeSet<(DriverPlace, u64)>,
    /// The same by their requests.
    places: Map<u64, BTreeSet<DriverPlace>>,
    /// Where the doorbell of each request under way was rung.
    rung: Map<u64, Point>,
}

impl Doorbells {
    /// A request's command waits for its doorbell.
    pub fn wait(&mut self, context: &Context<'_>, request: u64) {
        let place = place(context);
        self.waiting.insert((place, request));
        self.places.entry(request).or_default().insert(place);
    }

    /// The doorbell is rung: the requests whose commands it passes on.
    pub fn ring(&mut self, context: &Context<'_>) -> Vec<u64> {
        let place = place(context);
        let here = self.waiting.range((place, 0)..=(place, u64::MAX));
        let here: Vec<u64> = here.map(|(_, request)| *request).collect();
        for request in &here {
            self.waiting.remove(&(place, *request));
            if let Entry::Occupied(mut places) = self.places.entry(*request) {
                places.get_mut().remove(&place);
                if places.get().is_empty() {
                    places.remove();
                }
            }
        }
        here
    }

    /// The doorbell of a request's command was rung there.
    pub fn rung(&mut self, request: u64, at: Point) {
        self.rung.insert(request, at);
    }

    /// Where the doorbell of a request's command was rung; it will not be asked for again.
    pub fn take_rung(&mut self, request: u64) -> Option<Point> {
        self.rung.remove(&request)
    }

    /// A command that will not be passed on any more.
    pub fn forget(&mut self, request: u64) {
        for place in self.places.remove(&request).unwrap_or_default() {
            self.waiting.remove(&(place, request));
        }
        self.rung.remove(&request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trackers::fixture::FactSource;
    use crate::trackers::timelines::HARDIRQ;

    const NONE: Vec<u64> = Vec::new();

    fn wait(source: &mut FactSource, doorbells: &mut Doorbells, context: u32, request: u64) {
        source.context = context;
        source.at(1, &[], |context| doorbells.wait(context, request));
    }

    fn ring(source: &mut FactSource, doorbells: &mut Doorbells, context: u32) -> Vec<u64> {
        source.context = context;
        source.at(2, &[], |context| doorbells.ring(context))
    }

    #[test]
    fn a_command_may_wait_at_several_places() {
        let (mut source, mut doorbells) = (FactSource::default(), Doorbells::default());
        for (context, request) in [(0, 1), (HARDIRQ, 1), (0, 2), (0, 2), (0, u64::MAX)] {
            wait(&mut source, &mut doorbells, context, request);
        }
        assert_eq!(ring(&mut source, &mut doorbells, 0), [1, 2, u64::MAX]);
        assert_eq!(ring(&mut source, &mut doorbells, 0), NONE);
        assert_eq!(
            (doorbells.waiting.len(), doorbells.places.len()),
            (1, 1),
            "what does not wait is not kept"
        );
        doorbells.forget(1);
        assert_eq!(ring(&mut source, &mut doorbells, HARDIRQ), NONE);
        assert_eq!((doorbells.waiting.len(), doorbells.places.len()), (0, 0));
    }

    #[test]
    fn where_a_doorbell_was_rung_is_asked_for_once_or_forgotten() {
        let (mut source, mut doorbells) = (FactSource::default(), Doorbells::default());
        let here = source.at(3, &[], |context| context.here());
        for forget in [false, true] {
            doorbells.rung(1, here);
            doorbells.rung(2, here);
            if forget {
                doorbells.forget(1);
            }
            assert_eq!(doorbells.take_rung(1), (!forget).then_some(here));
            assert_eq!((doorbells.take_rung(1), doorbells.take_rung(2)), (None, Some(here)));
        }
    }
}
