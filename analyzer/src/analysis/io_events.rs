//! The events of one I/O: those of the calls and of what happened in its path.
//!
//! In: a session, the number of an I/O. Out: its events as text, as [`super::events`] gives those of a trace. What is its
//! path is decided by [`super::path`]; the blocks in which it is are read once more for the events.

use super::Progress;
use super::conditions::ConditionFields;
use super::events::{EventsError, Filter, Printed, Say};
use super::path::path;
use super::subject::Wanted;
use crate::hash::Set;
use crate::model::{Definitions, IoId};
use crate::session::{Observer, Pass, Session};
use crate::trackers::Sink;
use iotrace_format::event::{Event, KindId};
use rustc_hash::FxHashMap;
use std::io;

/// Prints the events of an I/O that pass a filter; none if the trace does not have it.
///
/// # Errors
/// [`EventsError`].
pub fn io_events(
    session: &Session,
    io: IoId,
    filter: &Filter,
    progress: Progress<'_>,
    say: Say<'_>,
    give: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Option<Printed>, EventsError> {
    let Some(path) = path(session, &Wanted::Io(io), progress)? else { return Ok(None) };
    let lines = path.segments.iter().flat_map(|segment| &segment.lines).filter(|line| !line.omitted);
    let clocks: Set<u64> = lines.flat_map(|line| [Some(line.clock), line.end]).flatten().collect();
    let last = clocks.iter().copied().max().unwrap_or(0);
    let first = clocks.iter().copied().min().unwrap_or(0);
    let mut selector = Selector {
        clocks,
        last,
        filter,
        kinds: FxHashMap::default(),
        say,
        text: String::new(),
        events: 0,
        over: false,
    };
    session.run_window((first, last), &mut [&mut selector], progress)?;
    give(&selector.text)?;
    Ok(Some(Printed { events: selector.events, lost: path.subject.cut }))
}

struct Selector<'a> {
    /// Moments at which something happens for the I/O.
    clocks: Set<u64>,
    last: u64,
    filter: &'a Filter,
    kinds: FxHashMap<KindId, Option<ConditionFields>>,
    say: Say<'a>,
    text: String,
    events: u64,
    over: bool,
}

impl Sink for Selector<'_> {}

impl Observer for Selector<'_> {
    fn event(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        self.over |= event.clock > self.last || self.filter.limit == Some(self.events);
        if self.over || !self.clocks.contains(&event.clock) {
            return;
        }
        let number = pass.trackers.number();
        if self.filter.number.as_ref().is_some_and(|range| !range.contains(&number)) {
            return;
        }
        let of_kind = || self.filter.of_kind(definitions, event.kind);
        let Some(fields) = self.kinds.entry(event.kind).or_insert_with(of_kind) else { return };
        let task = pass.describer.task(event.task);
        if self.filter.conditions.event(fields, event, &task, pass.describer.codes()) {
            let mut described = pass.describer.describe(definitions, event);
            described.number = number;
            (self.say)(&described, &mut self.text);
            self.events += 1;
        }
    }

    fn inserted(&mut self, pass: &Pass, definitions: &Definitions, event: &Event<'_>) {
        self.event(pass, definitions, event);
    }

    fn is_complete(&self) -> bool {
        self.over
    }
}
