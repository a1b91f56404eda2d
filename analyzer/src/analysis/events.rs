//! The raw stream, described and filtered.

use super::Progress;
use super::describe::{Described, Describer};
use crate::context::TimeKeeper;
use crate::model::{Definitions, TimeMap};
use crate::reader::{Finished, Flow, Visitor, read};
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::Event;
use iotrace_schemas::trace::reader::{ReadError, TraceFile};
use std::io;
use std::ops::RangeInclusive;

/// Which events are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Name or number of the current task.
    pub task: Option<String>,
    /// Function, by any part of its name.
    pub function: Option<String>,
    /// Stage; with a dot at its end, all that begin so (`rq.`).
    pub stage: Option<String>,
    /// Layer.
    pub layer: Option<String>,
    /// Name of the kind.
    pub kind: Option<String>,
    /// Clocks, in instructions.
    pub clock: Option<RangeInclusive<u64>>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Filter {
    /// Whether an event of this kind can be wanted at all; cheap, to be asked once per kind.
    fn wants_kind(&self, definitions: &Definitions, event: &Event<'_>) -> bool {
        let probe = definitions.probes.get(&event.kind);
        let given = |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        given(&self.function, &|name| {
            probe.is_some_and(|p| p.function.contains(name) || p.symbol.contains(name))
        }) && given(&self.stage, &|stage| {
            probe.is_some_and(|p| p.stage == stage || stage.ends_with('.') && p.stage.starts_with(stage))
        }) && given(&self.layer, &|layer| probe.is_some_and(|p| p.layer == layer))
            && given(&self.kind, &|kind| match probe {
                Some(probe) => kind == "probe" || kind == probe.function,
                None => definitions.kind_name(event.kind) == kind,
            })
    }

    fn wants(&self, describer: &Describer, definitions: &Definitions, event: &Event<'_>) -> bool {
        let in_time = self.clock.as_ref().is_none_or(|range| range.contains(&event.clock));
        in_time && self.wants_kind(definitions, event) && self.wants_task(describer, event)
    }

    fn wants_task(&self, describer: &Describer, event: &Event<'_>) -> bool {
        self.task.as_deref().is_none_or(|wanted| {
            let task = describer.task(event.task);
            task.comm.to_string() == wanted || wanted.parse() == Ok(task.pid)
        })
    }
}

/// Why the events could not be given.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The trace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// They cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// From clocks to virtual time, of the whole trace.
///
/// # Errors
/// [`ReadError`].
pub fn time_map(file: &TraceFile) -> Result<TimeMap, ReadError> {
    struct Keep(TimeKeeper);
    impl Visitor for Keep {
        fn define(&mut self, definition: &Definition) {
            if let Definition::Trace(info) = definition {
                self.0 = TimeKeeper::new(info.icount_shift);
            }
        }
        fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
            self.0.event(event);
            let timeless = definitions.trace.icount_shift.is_none();
            if timeless { Flow::Stop } else { Flow::Continue }
        }
    }
    let mut keep = Keep(TimeKeeper::default());
    read(file, &mut keep, &mut |_| {})?;
    Ok(keep.0.map().clone())
}

/// Gives each wanted event to `give`. Memory does not grow with the trace.
///
/// # Errors
/// [`EventsError`].
pub fn events(
    file: &TraceFile,
    filter: &Filter,
    progress: Progress<'_>,
    give: &mut dyn FnMut(&Described) -> io::Result<()>,
) -> Result<Finished, EventsError> {
    let mut giver = Giver { filter, describer: Describer::default(), give, given: 0, failed: None };
    let finished = read(file, &mut giver, progress)?;
    match giver.failed {
        Some(error) => Err(error.into()),
        None => Ok(finished),
    }
}

struct Giver<'a> {
    filter: &'a Filter,
    describer: Describer,
    give: &'a mut dyn FnMut(&Described) -> io::Result<()>,
    given: u64,
    failed: Option<io::Error>,
}

impl Visitor for Giver<'_> {
    fn define(&mut self, definition: &Definition) {
        self.describer.define(definition);
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        self.describer.follow(event);
        let late = self.filter.clock.as_ref().is_some_and(|range| event.clock > *range.end());
        if late || self.filter.limit == Some(self.given) {
            return Flow::Stop;
        }
        if !self.filter.wants(&self.describer, definitions, event) {
            return Flow::Continue;
        }
        self.given += 1;
        self.failed = (self.give)(&self.describer.describe(definitions, event)).err();
        if self.failed.is_some() { Flow::Stop } else { Flow::Continue }
    }
}
