//! The raw stream, described and filtered.

use super::Progress;
use super::conditions::{Conditions, OfKind, Range};
use super::describe::{Described, Describer};
use crate::context::TimeKeeper;
use crate::model::{Definitions, TimeMap, WorkloadMark};
use crate::reader::{Finished, Flow, Needs, Trace, Visitor, read};
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::{BUILTINS, Event, KindId, MARK, TASK};
use iotrace_schemas::trace::reader::ReadError;
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;

/// Which events are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Conditions on task, words and time; settled.
    pub conditions: Conditions,
    /// Function, by any part of its name.
    pub function: Option<String>,
    /// Stage; with a dot at its end, all that begin so (`rq.`).
    pub stage: Option<String>,
    /// Name of the kind.
    pub kind: Option<String>,
    /// Numbers, counted from 1 over the whole trace.
    pub number: Option<Range>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Filter {
    /// What is asked of the events of a kind; none if none of them can be wanted.
    fn of_kind(&self, definitions: &Definitions, kind: KindId) -> Option<OfKind> {
        let probe = definitions.probes.get(&kind);
        let given = |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        let wanted = given(&self.function, &|name| {
            probe.is_some_and(|p| p.function.contains(name) || p.symbol.contains(name))
        }) && given(&self.stage, &|stage| {
            probe.is_some_and(|p| p.stage == stage || stage.ends_with('.') && p.stage.starts_with(stage))
        }) && given(&self.kind, &|name| match probe {
            Some(probe) => name == "probe" || name == probe.function,
            None => definitions.kind_name(kind) == name,
        });
        self.conditions.of_kind(definitions, kind).filter(|_| wanted)
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

/// What has to be known of the whole trace before its first event can be judged.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// Marks of the guest; none are looked for in a trace without virtual time.
    pub marks: Vec<WorkloadMark>,
}

/// The times of the whole trace.
///
/// # Errors
/// [`ReadError`].
pub fn times(file: &Trace) -> Result<Times, ReadError> {
    #[derive(Default)]
    struct Keep {
        keeper: TimeKeeper,
        marks: Vec<WorkloadMark>,
    }
    impl Visitor for Keep {
        fn needs(&self) -> Needs {
            Needs::LANDMARKS
        }
        fn define(&mut self, definition: &Definition) {
            self.keeper.define(definition);
        }
        fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
            self.keeper.event(event);
            if let (true, Some(&code)) = (event.kind == MARK.id, event.words.first()) {
                self.marks.push(WorkloadMark { clock: event.clock, code });
            }
            let timeless = definitions.trace.icount_shift.is_none();
            if timeless { Flow::Stop } else { Flow::Continue }
        }
    }
    let mut keep = Keep::default();
    read(file, &mut keep, &mut |_| {})?;
    Ok(Times { time: keep.keeper.map().clone(), marks: keep.marks })
}

/// From clocks to virtual time, of the whole trace.
///
/// # Errors
/// [`ReadError`].
pub fn time_map(file: &Trace) -> Result<TimeMap, ReadError> {
    Ok(times(file)?.time)
}

/// Gives each wanted event to `give`. Memory does not grow with the trace.
///
/// # Errors
/// [`EventsError`].
pub fn events(
    file: &Trace,
    filter: &Filter,
    progress: Progress<'_>,
    give: &mut dyn FnMut(&Described<'_>) -> io::Result<()>,
) -> Result<Finished, EventsError> {
    let (describer, kinds) = (Describer::default(), FxHashMap::default());
    let mut giver = Giver { filter, describer, kinds, give, number: 0, given: 0, failed: None };
    let finished = read(file, &mut giver, progress)?;
    match giver.failed {
        Some(error) => Err(error.into()),
        None => Ok(finished),
    }
}

struct Giver<'a> {
    filter: &'a Filter,
    describer: Describer,
    kinds: FxHashMap<KindId, Option<OfKind>>,
    give: &'a mut dyn FnMut(&Described<'_>) -> io::Result<()>,
    number: u64,
    given: u64,
    failed: Option<io::Error>,
}

impl Visitor for Giver<'_> {
    fn needs(&self) -> Needs {
        let Filter { conditions, number, .. } = self.filter;
        Needs {
            clocks: conditions.clock.clone().unwrap_or(Needs::ALL.clocks),
            numbers: number.clone().unwrap_or(Needs::ALL.numbers),
            by_kind: *self.filter != Filter::default(),
            ..Needs::ALL
        }
    }

    /// The kinds that are wanted, and those that tell of tasks and devices.
    fn kinds(&self, definitions: &Definitions) -> Option<FxHashSet<KindId>> {
        let followed = definitions.probes.values().filter(|probe| probe.is_landmark()).map(|probe| probe.id);
        let builtins = BUILTINS.iter().map(|builtin| &builtin.id);
        let known = definitions.probes.keys().chain(definitions.kinds.keys()).chain(builtins).copied();
        let (wanted, others): (Vec<_>, Vec<_>) =
            known.partition(|kind| self.filter.of_kind(definitions, *kind).is_some());
        let chosen = wanted.into_iter().chain(followed).chain([TASK.id]).collect();
        Some(chosen).filter(|_| !others.is_empty())
    }

    fn landmark(&mut self, _: &Definitions, event: &Event<'_>) {
        self.describer.follow(event);
    }

    fn skipped(&mut self, events: u64) {
        self.number += events;
    }

    fn define(&mut self, definition: &Definition) {
        self.describer.define(definition);
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        self.number += 1;
        self.describer.follow(event);
        let conditions = &self.filter.conditions;
        let late = conditions.clock.as_ref().is_some_and(|range| event.clock > *range.end());
        let numbered = |range: &Range| (range.contains(&self.number), self.number > *range.end());
        let (wanted, over) = self.filter.number.as_ref().map_or((true, false), numbered);
        if late || over || self.filter.limit == Some(self.given) {
            return Flow::Stop;
        }
        if !wanted {
            return Flow::Continue;
        }
        let new = || self.filter.of_kind(definitions, event.kind);
        let Some(of_kind) = self.kinds.entry(event.kind).or_insert_with(new) else { return Flow::Continue };
        let task = self.describer.task(event.task);
        if !conditions.event(of_kind, event, &task, self.describer.codes()) {
            return Flow::Continue;
        }
        self.given += 1;
        self.failed =
            (self.give)(&Described { number: self.number, ..self.describer.describe(definitions, event) })
                .err();
        if self.failed.is_some() { Flow::Stop } else { Flow::Continue }
    }
}
