//! From a file to events in the order of their clocks, with the definitions they need.
//!
//! In: a mapped trace. Out: calls to a [`Visitor`], definitions before the events that need them. Memory
//! follows the blocks under way, not the length of the file.

mod census;
mod merge;

pub use census::{Census, census};

use crate::model::Definitions;
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::Event;
use iotrace_schemas::trace::reader::{Chunk, End, ReadError, TraceFile};
use merge::Merger;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Give me more.
    Continue,
    /// I have seen enough.
    Stop,
}

/// Takes what a trace holds.
pub trait Visitor {
    /// A definition; it is among the definitions of the events that follow.
    fn define(&mut self, _definition: &Definition) {}

    /// An event.
    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow;
}

/// What is known after the reading.
#[derive(Debug)]
pub struct Finished {
    /// All definitions.
    pub definitions: Definitions,
    /// How the file ended; none if the visitor stopped before.
    pub end: Option<End>,
    /// Events given.
    pub events: u64,
    /// Chunks of kinds that this version does not know.
    pub unknown_chunks: u64,
    /// Events whose clock was before that of the event given before them.
    pub out_of_order: u64,
}

impl Finished {
    /// The file was cut: where, how many bytes are lost, and why.
    #[must_use]
    pub fn cut(&self) -> Option<(usize, usize, &str)> {
        match &self.end {
            Some(End::Cut { offset, lost, reason }) => Some((*offset, *lost, reason)),
            _ => None,
        }
    }
}

/// Reads a trace from its beginning. `progress` is told the bytes gone through.
///
/// # Errors
/// [`ReadError`]: a block that is not what its checksum says it is. A file that was cut is no error.
pub fn read(
    file: &TraceFile,
    visitor: &mut dyn Visitor,
    progress: &mut dyn FnMut(usize),
) -> Result<Finished, ReadError> {
    let mut reading = Reading {
        visitor,
        done: Finished {
            definitions: Definitions::default(),
            end: None,
            events: 0,
            unknown_chunks: 0,
            out_of_order: 0,
        },
        last_clock: 0,
    };
    let mut merger = Merger::default();
    let mut chunks = file.chunks();
    while let Some(chunk) = chunks.next() {
        progress(chunks.offset());
        let flow = match chunk? {
            Chunk::Definitions(definitions, skipped) => {
                reading.done.definitions.skipped += skipped.0.len() as u64;
                reading.define(&definitions, &mut merger);
                Flow::Continue
            }
            Chunk::Events(block) => merger.add(block, &mut |event| reading.event(event)),
            Chunk::Unknown(_) => {
                reading.done.unknown_chunks += 1;
                Flow::Continue
            }
        };
        if flow == Flow::Stop {
            return Ok(reading.done);
        }
    }
    let flow = merger.finish(&mut |event| reading.event(event));
    reading.done.end = chunks.end().cloned().filter(|_| flow == Flow::Continue);
    Ok(reading.done)
}

struct Reading<'a> {
    visitor: &'a mut dyn Visitor,
    done: Finished,
    last_clock: u64,
}

impl Reading<'_> {
    fn define(&mut self, definitions: &[Definition], merger: &mut Merger) {
        for definition in definitions {
            if let Definition::Trace(info) = definition {
                merger.expect(info.vcpus);
            }
            self.done.definitions.add(definition);
            self.visitor.define(definition);
        }
    }

    fn event(&mut self, event: &Event<'_>) -> Flow {
        self.done.events += 1;
        self.done.out_of_order += u64::from(event.clock < self.last_clock);
        self.last_clock = event.clock;
        self.visitor.event(&self.done.definitions, event)
    }
}

#[cfg(test)]
mod tests;
