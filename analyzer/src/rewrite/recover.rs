//! What can be read of a damaged file, as a sound one.

use super::{Output, RewriteError};
use crate::analysis::Progress;
use crate::model::Definitions;
use crate::reader::{Finished, Flow, Trace, Visitor, read};
use iotrace_format::definition::{Definition, Severity};
use iotrace_format::event::Event;
use std::path::Path;

/// What was recovered, and what is lost.
#[derive(Debug)]
pub struct Recovered {
    /// Events in the new trace.
    pub events: u64,
    /// What is lost, place by place, for people; nothing if the file was sound.
    pub lost: Vec<String>,
}

/// Copies all that can be read of a trace into a sound one, with notes about what is lost.
///
/// # Errors
/// [`RewriteError`].
pub fn recover(trace: &Trace, to: &Path, progress: Progress<'_>) -> Result<Recovered, RewriteError> {
    let mut copy = Copy { output: Output::create(to)?, number: 0 };
    let finished = read(trace, &mut copy, progress)?;
    let mut output = copy.output;
    let lost = lost(&finished);
    for text in &lost {
        output.note(Severity::Warning, "recovered", text.clone());
    }
    Ok(Recovered { events: output.finish()?, lost })
}

/// What of a trace was not read, place by place, for people.
pub fn lost(finished: &Finished) -> Vec<String> {
    let mut lost: Vec<String> = finished.damage.iter().map(ToString::to_string).collect();
    if let Some((offset, bytes, reason)) = finished.cut() {
        lost.push(format!("the file ends at offset {offset}, {bytes} bytes are lost: {reason}"));
    }
    for (count, what) in [
        (finished.more_damage, "further unreadable ranges in the file"),
        (finished.unknown_chunks, "chunks of unknown types not copied"),
        (finished.unknown_columns, "unknown columns not copied"),
        (finished.definitions.skipped, "definitions of unknown types not copied"),
        (finished.shortened, "definitions truncated: longer than those of any kernel"),
    ] {
        lost.extend((count > 0).then(|| format!("{count} {what}")));
    }
    lost
}

struct Copy {
    output: Output,
    /// Number of the event at hand: of those behind what is lost the same as before.
    number: u64,
}

impl Visitor for Copy {
    fn define(&mut self, definition: &Definition) {
        self.output.define(definition);
    }

    fn skipped(&mut self, events: u64) {
        self.number = self.number.saturating_add(events);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.number = self.number.saturating_add(1);
        self.output.event(self.number, event);
        if self.output.failed.is_some() { Flow::Stop } else { Flow::Continue }
    }
}
