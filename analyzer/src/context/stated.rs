//! What a part of a trace states of what was before it: numbers of its objects, hand-offs under way.
//!
//! In: definitions, the number of the event at hand. Out: those that are due. Whoever numbers objects goes on from there.

use iotrace_format::definition::{ObjectNumber, PartBegin, PendingHandOff};
use std::collections::VecDeque;

/// Largest number of an object: that there are more is not believed.
const LARGEST: u64 = 1 << 62;

/// What is stated of events to come, in their order.
#[derive(Debug, Clone)]
pub struct StatedContext {
    numbers: VecDeque<ObjectNumber>,
    hand_offs: VecDeque<PendingHandOff>,
    begins: VecDeque<PartBegin>,
    /// The first event of which something is stated.
    next: u64,
}

impl Default for StatedContext {
    fn default() -> Self {
        let (numbers, hand_offs, begins) = Default::default();
        Self { numbers, hand_offs, begins, next: u64::MAX }
    }
}

impl StatedContext {
    /// Takes in numbers of objects.
    pub fn add_numbers(&mut self, numbers: &[ObjectNumber]) {
        for stated in numbers.iter().filter(|stated| (1..=LARGEST).contains(&stated.number)) {
            // Out of order it would wait for ever.
            if self.numbers.back().is_none_or(|last| last.event <= stated.event) {
                self.numbers.push_back(*stated);
            }
        }
        self.look_ahead();
    }

    /// Takes in a hand-off.
    pub fn add_hand_off(&mut self, hand_off: &PendingHandOff) {
        if self.hand_offs.back().is_none_or(|last| last.event <= hand_off.event) {
            self.hand_offs.push_back(hand_off.clone());
        }
        self.look_ahead();
    }

    /// Takes in where a part begins.
    pub fn add_begin(&mut self, begin: &PartBegin) {
        if self.begins.back().is_none_or(|last| last.event <= begin.event) {
            self.begins.push_back(begin.clone());
        }
        self.look_ahead();
    }

    fn look_ahead(&mut self) {
        let number = self.numbers.front().map(|stated| stated.event);
        let hand_off = self.hand_offs.front().map(|stated| stated.event);
        let begin = self.begins.front().map(|stated| stated.event);
        self.next = [number, hand_off, begin].into_iter().flatten().min().unwrap_or(u64::MAX);
    }

    /// Whether something is stated of an event, or of one before.
    #[must_use]
    #[inline]
    pub fn is_due(&self, event: u64) -> bool {
        self.next <= event
    }

    /// The next number of an event, or of one before.
    pub fn take_number(&mut self, event: u64) -> Option<ObjectNumber> {
        let number = pop_due(&mut self.numbers, |stated| stated.event <= event);
        self.look_ahead();
        number
    }

    /// The next part that begins with an event, or with one before.
    pub fn take_begin(&mut self, event: u64) -> Option<PartBegin> {
        let begin = pop_due(&mut self.begins, |stated| stated.event <= event);
        self.look_ahead();
        begin
    }

    /// The next hand-off that is known before an event.
    pub fn take_hand_off(&mut self, event: u64) -> Option<PendingHandOff> {
        let hand_off = pop_due(&mut self.hand_offs, |stated| stated.event <= event);
        self.look_ahead();
        hand_off
    }
}

/// The first of a list, if it is due.
fn pop_due<T>(list: &mut VecDeque<T>, is_due: impl Fn(&T) -> bool) -> Option<T> {
    if list.front().is_some_and(is_due) { list.pop_front() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::definition::ObjectKind;

    #[test]
    fn numbers_are_due_with_their_events_in_order() {
        let of = |event, number| ObjectNumber { event, object: ObjectKind::Bio, number };
        let mut stated = StatedContext::default();
        stated.add_numbers(&[of(3, 7), of(5, 0), of(5, LARGEST + 1), of(5, 9), of(4, 8), of(5, 10)]);
        assert!(!stated.is_due(2) && stated.take_number(2).is_none() && stated.is_due(3));
        let due = [3, 4, 9, 9, 9].map(|event| stated.take_number(event));
        assert!(!stated.is_due(u64::MAX - 1));
        assert_eq!(due, [Some(of(3, 7)), None, Some(of(5, 9)), Some(of(5, 10)), None]);
    }
}
