//! Before which events of a part answers are inserted.

use crate::analysis::Progress;
use crate::model::Definitions;
use crate::reader::{Flow, Trace, Visitor, read};
use iotrace_format::event::Event;
use iotrace_format::trace::reader::ReadError;

/// The numbers of the events that answers with these clocks, ascending, stand before; not of those behind the last event.
pub fn places(trace: &Trace, clocks: Vec<u64>, progress: Progress<'_>) -> Result<Vec<u64>, ReadError> {
    let mut placer = Placer { clocks, places: Vec::new(), number: 0 };
    read(trace, &mut placer, progress)?;
    Ok(placer.places)
}

/// Finds out before which events answers are inserted.
struct Placer {
    /// Those of the answers, ascending.
    clocks: Vec<u64>,
    /// Of the answers so far: the number of the event that each stands before.
    places: Vec<u64>,
    number: u64,
}

impl Visitor for Placer {
    fn skipped(&mut self, events: u64) {
        self.number = self.number.saturating_add(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.number = self.number.saturating_add(1);
        while self.clocks.get(self.places.len()).is_some_and(|clock| *clock < event.clock) {
            self.places.push(self.number);
        }
        if self.places.len() < self.clocks.len() { Flow::Continue } else { Flow::Stop }
    }
}
