//! Which numbers the objects of a part have in the whole.
//!
//! In: the events of the whole; of each, whether the part has it. Out: the numbers that the part has to state, so that who
//! reads it alone gives its objects those that they have in the whole. Both are followed beside one another: where an
//! object begins in the part, the whole knows the one at the same address.

use crate::trackers::{Sink, Trackers};
use iotrace_format::definition::{Definition, ObjectKind, ObjectNumber};
use iotrace_format::event::Event;

/// Objects that the whole does not know are numbered from here on; none was seen.
const STRANGERS: u64 = 1 << 61;
/// Events of the part after which numbers are stated again: what is behind a damaged place keeps its numbers.
const RESTATED: u64 = 1 << 12;

/// Follows a whole trace and a part of it.
#[derive(Debug, Default)]
pub struct PartNumbers {
    whole: Trackers,
    part: Trackers,
    /// Of each kind of object: the number of the last, as a reader of the part has it.
    last: [u64; ObjectKind::ALL.len()],
    /// Of each kind: up to which event of the part its numbers need not be stated again.
    stated: [u64; ObjectKind::ALL.len()],
    /// Events of the part.
    events: u64,
    strangers: u64,
}

/// Nobody looks at what they tell.
struct Unread;

impl Sink for Unread {}

impl PartNumbers {
    /// Takes in a definition.
    pub fn define(&mut self, definition: &Definition) {
        self.whole.define(definition);
        // What a part states is true of the whole that it is read as.
        if !super::is_of_part(definition) {
            self.part.define(definition);
        }
    }

    /// So many events are missing.
    pub fn skipped(&mut self, events: u64) {
        self.whole.skipped(events);
    }

    /// Number of the event at hand.
    pub fn event(&self) -> u64 {
        self.whole.number()
    }

    /// Takes in an event of the whole.
    pub fn follow(&mut self, event: &Event<'_>) {
        self.whole.event(event, &mut Unread);
    }

    /// The part states this.
    pub fn state(&mut self, hand_off: &Definition) {
        self.part.define(hand_off);
    }

    /// All numbers are stated again.
    pub fn restate(&mut self) {
        self.stated = [0; ObjectKind::ALL.len()];
    }

    /// The part has this event, the one at hand: what has to be stated of it.
    pub fn choose(&mut self, event: &Event<'_>) -> Vec<ObjectNumber> {
        let before = ObjectKind::ALL.map(|object| *self.part.last_mut(object));
        self.part.skipped(self.event().saturating_sub(self.part.number() + 1));
        self.part.event(event, &mut Unread);
        self.events += 1;
        let begun = ObjectKind::ALL.into_iter().zip(before);
        begun.filter_map(|(object, before)| self.begun(object, before, event)).collect()
    }

    fn begun(&mut self, object: ObjectKind, before: u64, event: &Event<'_>) -> Option<ObjectNumber> {
        let after = *self.part.last_mut(object);
        // Several that begin with one event follow one another.
        let others = after.checked_sub(before)?.checked_sub(1)?;
        let at = object as usize;
        let number = self.in_whole(object, after, event).saturating_sub(others).max(1);
        let expected = self.last[at] + 1;
        self.last[at] = number + others;
        if number == expected && self.events < self.stated[at] {
            return None;
        }
        self.stated[at] = self.events + RESTATED;
        Some(ObjectNumber { event: self.event(), object, number })
    }

    /// What the object with this number in the part is in the whole.
    fn in_whole(&mut self, object: ObjectKind, number: u64, event: &Event<'_>) -> u64 {
        let begun = |word: &&u64| self.part.number_of(object, **word, event) == Some(number);
        let address = event.words.iter().find(begun).copied();
        let known = self.whole.number_of(object, address.unwrap_or(0), event);
        known.unwrap_or_else(|| {
            self.strangers += 1;
            STRANGERS + self.strangers
        })
    }
}
