//! The raw stream, described and filtered.

use super::Progress;
use super::conditions::{ConditionFields, Conditions, Range};
use super::describe::{Described, Describer};
use crate::context::TimeKeeper;
use crate::model::{Definitions, Task, TimeMap, WorkloadMark};
use crate::reader::{Flow, Needs, Trace, Visitor, read};
use crate::session::SessionError;
use iotrace_format::definition::{Definition, Probe};
use iotrace_format::event::{BUILTINS, Event, KindId, MARK, TASK};
use iotrace_format::stage::Stage;
use iotrace_format::trace::reader::ReadError;
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;

/// Which events are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Conditions on task, words and time; settled.
    pub conditions: Conditions,
    /// Function, by any part of its name.
    pub function: Option<String>,
    /// Stage or label; with a dot at its end, all that begin so (`rq.`).
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
    pub(super) fn of_kind(&self, definitions: &Definitions, kind: KindId) -> Option<ConditionFields> {
        let probe = definitions.probes.get(&kind);
        let given = |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        let wanted = given(&self.function, &|name| {
            probe.is_some_and(|p| p.function.contains(name) || p.symbol.contains(name))
        }) && given(&self.stage, &|stage| {
            probe.is_some_and(|probe| {
                let name = probe.stage_name();
                name == stage || stage.ends_with('.') && name.starts_with(stage)
            })
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
    /// The trace or its index cannot be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// They cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// What has to be known of the whole trace before its first event can be judged.
#[derive(Debug, Clone, Default)]
pub struct TraceTimes {
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// Marks of the guest.
    pub marks: Vec<WorkloadMark>,
}

/// The times of the whole trace.
///
/// # Errors
/// [`ReadError`].
pub fn times(file: &Trace) -> Result<TraceTimes, ReadError> {
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
        fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
            self.keeper.event(event);
            if let (true, Some(&code)) = (event.kind == MARK.id, event.words.first()) {
                self.marks.push(WorkloadMark { clock: event.clock, code });
            }
            Flow::Continue
        }
    }
    let mut keep = Keep::default();
    read(file, &mut keep, &mut |_| {})?;
    Ok(TraceTimes { time: keep.keeper.into_map(), marks: keep.marks })
}

/// What was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Events.
    pub events: u64,
    /// What could not be read of the file, for people.
    pub lost: Option<String>,
}

/// Puts an event into words, behind those before it.
pub type Say<'a> = &'a (dyn Fn(&Described<'_>, &mut String) + Sync);

/// Says each wanted event, and gives what was said, of many at a time, to `give`: the trace's threads share in the
/// saying. Memory does not grow with the trace.
///
/// # Errors
/// [`EventsError`].
pub fn events(
    file: &Trace,
    filter: &Filter,
    progress: Progress<'_>,
    say: Say<'_>,
    give: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Printed, EventsError> {
    let mut giver = Giver {
        filter,
        describer: Describer::default(),
        kinds: FxHashMap::default(),
        say,
        give,
        chosen: Chosen::default(),
        said: vec![String::new(); file.threads().max(1)],
        number: 0,
        given: 0,
        failed: None,
    };
    let finished = read(file, &mut giver, progress)?;
    giver.hand_over(&finished.definitions);
    match giver.failed {
        Some(error) => Err(error.into()),
        None => Ok(Printed { events: giver.given, lost: finished.lost() }),
    }
}

struct Giver<'a> {
    filter: &'a Filter,
    describer: Describer,
    kinds: FxHashMap<KindId, Option<ConditionFields>>,
    say: Say<'a>,
    give: &'a mut dyn FnMut(&str) -> io::Result<()>,
    chosen: Chosen,
    /// What each thread said.
    said: Vec<String>,
    number: u64,
    given: u64,
    failed: Option<io::Error>,
}

/// An event that is wanted, with the tasks as they were.
#[derive(Debug)]
struct ChosenEvent {
    number: u64,
    task: Task,
    event: Event<'static>,
    /// Where its words are.
    words: std::ops::Range<usize>,
    /// Where the tasks are that its words are addresses of.
    named: std::ops::Range<usize>,
}

/// Events that are wanted and not said yet.
#[derive(Debug, Default)]
struct Chosen {
    events: Vec<ChosenEvent>,
    words: Vec<u64>,
    tasks: Vec<Task>,
}

impl Chosen {
    /// So many are said at a time.
    const MOST: usize = 16384;

    fn add(&mut self, number: u64, describer: &Describer, event: &Event<'_>) {
        let (words, tasks) = (self.words.len(), self.tasks.len());
        self.words.extend_from_slice(event.words);
        self.tasks.extend(describer.named_tasks(event));
        let (words, named) = (words..self.words.len(), tasks..self.tasks.len());
        let (task, event) = (describer.task(event.task), Event { words: &[], ..*event });
        self.events.push(ChosenEvent { number, task, event, words, named });
    }

    fn clear(&mut self) {
        self.events.clear();
        self.words.clear();
        self.tasks.clear();
    }
}

/// Events for which it is not worth to start threads.
const FEW: usize = 256;

impl Giver<'_> {
    /// What was chosen is said and given.
    fn hand_over(&mut self, definitions: &Definitions) {
        let Chosen { events, words, tasks } = &self.chosen;
        let (wording, say) = (self.describer.wording(), self.say);
        let work = |part: &[ChosenEvent], said: &mut String| {
            // Its own meanwhile: the others' are near it in memory.
            let mut text = std::mem::take(said);
            for chosen in part {
                let event = Event { words: &words[chosen.words.clone()], ..chosen.event };
                let described =
                    wording.describe(definitions, &event, chosen.task, &tasks[chosen.named.clone()]);
                say(&Described { number: chosen.number, ..described }, &mut text);
            }
            *said = text;
        };
        if events.len() <= FEW {
            self.said.iter_mut().take(1).for_each(|said| work(events, said));
        } else {
            let each = events.len().div_ceil(self.said.len()).max(1);
            std::thread::scope(|scope| {
                for (part, said) in events.chunks(each).zip(&mut self.said) {
                    scope.spawn(move || work(part, said));
                }
            });
        }
        self.chosen.clear();
        for said in &mut self.said {
            if self.failed.is_none() && !said.is_empty() {
                self.failed = (self.give)(said).err();
            }
            said.clear();
        }
    }
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
        let is_followed = |probe: &&Probe| probe.is_landmark() || probe.stage == Some(Stage::TaskNew);
        let followed = definitions.probes.values().filter(is_followed).map(|probe| probe.id);
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
        self.number = self.number.saturating_add(events);
    }

    fn defining(&mut self, definitions: &Definitions) {
        self.hand_over(definitions);
    }

    fn define(&mut self, definition: &Definition) {
        self.describer.define(definition);
    }

    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow {
        self.number = self.number.saturating_add(1);
        if self.chosen.events.len() >= Chosen::MOST || self.describer.rewords(event) {
            self.hand_over(definitions);
        }
        self.describer.follow(event);
        let conditions = &self.filter.conditions;
        let late = conditions.clock.as_ref().is_some_and(|range| event.clock > *range.end());
        let numbered = |range: &Range| (range.contains(&self.number), self.number > *range.end());
        let (wanted, over) = self.filter.number.as_ref().map_or((true, false), numbered);
        if late || over || self.filter.limit == Some(self.given) || self.failed.is_some() {
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
        self.chosen.add(self.number, &self.describer, event);
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::definition::AddressName;
    use iotrace_format::event::EXCEPTION_RETURN;
    use iotrace_format::trace::reader::TraceFile;
    use iotrace_format::trace::writer::{BLOCK, TraceWriter};

    /// An address that has another name from the second block on.
    fn renamed() -> Vec<u8> {
        let mut writer = TraceWriter::new(Vec::new()).unwrap();
        for (block, name) in ["before", "after"].into_iter().enumerate() {
            let symbol = AddressName { address: 7, name: name.into() };
            writer.definitions(&[Definition::Symbol(symbol)]).unwrap();
            for at in 0..BLOCK {
                let clock = (block * BLOCK + at) as u64;
                let event = Event {
                    kind: EXCEPTION_RETURN.id,
                    vcpu: 0,
                    clock,
                    context: 0,
                    task: 0,
                    stack: 0,
                    words: &[7],
                };
                writer.event(&event).unwrap();
            }
        }
        writer.finish().unwrap()
    }

    #[test]
    fn names_are_those_of_the_time_however_many_threads_say_them() {
        let say = |event: &Described<'_>, text: &mut String| {
            text.push_str(&format!("{} {}\n", event.number, event.words[0].text));
        };
        let said = |threads| {
            let trace = Trace::of(TraceFile::from_bytes(renamed()).unwrap(), Some(threads));
            let mut all = String::new();
            let mut give = |text: &str| {
                all.push_str(text);
                Ok(())
            };
            events(&trace, &Filter::default(), &mut |_| {}, &say, &mut give).unwrap();
            all
        };
        let name = |number| if number <= BLOCK { "before" } else { "after" };
        let expected: String = (1..=2 * BLOCK).map(|number| format!("{number} {}\n", name(number))).collect();
        assert!(said(1) == expected && said(3) == expected);
    }

    #[test]
    fn nothing_more_is_said_once_it_cannot_be_written() {
        let trace = Trace::from_bytes(renamed()).unwrap();
        let mut times = 0;
        let mut give = |_: &str| {
            times += 1;
            Err(io::ErrorKind::BrokenPipe.into())
        };
        let result = events(&trace, &Filter::default(), &mut |_| {}, &|_, text| text.push('.'), &mut give);
        assert!(matches!(result, Err(EventsError::Write(_))) && times == 1);
    }
}
