//! A trace with answers to questions (`scripts/ask`) as further events.
//!
//! In: a trace; executions of places in its recording, each with its clock. Out: the trace, with an event for each answer, in
//! the order of the clocks, behind those of the same clock; the events behind it are numbered on. Answers are no steps of the
//! guest's: no tracker sees them, so that all else is told as without them.
//!
//! What a part states of events by their numbers is stated of the same events: how many are inserted before each is found out
//! by a pass of its own.

mod kinds;
mod places;
mod text;

use super::{Output, RewriteError, recover};
use crate::analysis::Progress;
use crate::model::Definitions;
use crate::reader::{Flow, Trace, Visitor, census, definitions, read};
use iotrace_format::definition::{Definition, ObjectNumber, PartBegin, PendingHandOff, Severity};
use iotrace_format::event::{BUILTINS, Event, FIRST_PROBE, KindId, UNKNOWN_CONTEXT};
use iotrace_format::trace::columns::MAX_CLOCK;
use kinds::AnswerKinds;
use places::places;
use std::collections::BTreeSet;
use std::path::Path;

/// An execution of what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// When, in instructions.
    pub clock: u64,
    /// Where: `vfs_write`, `fs/iomap/direct-io.c:323`.
    pub place: String,
    /// vCPU.
    pub vcpu: u16,
    /// The kernel's `preempt_count`; none if it could not be read.
    pub context: Option<u32>,
    /// Address of the current `task_struct`.
    pub task: u64,
    /// Stack pointer.
    pub stack: u64,
    /// What was asked for, by name, as gdb prints it.
    pub fields: Vec<(String, String)>,
    /// The callers, the nearest first, if they were asked for.
    pub callers: Vec<String>,
}

/// What was made.
#[derive(Debug)]
pub struct Injected {
    /// Events in the new trace.
    pub events: u64,
    /// What could not be read of the trace, place by place, for people.
    pub lost: Vec<String>,
}

/// Writes a trace with answers as further events: each of a probe `ask.PLACE` ([`iotrace_format::definition::At::Inserted`]),
/// which has a word for each field that is a number, and one for each 8 bytes of another one's text.
///
/// # Errors
/// [`RewriteError`]; [`RewriteError::Answer`] if an answer does not fit into an event.
pub fn inject(
    trace: &Trace,
    answers: &[Answer],
    to: &Path,
    progress: Progress<'_>,
) -> Result<Injected, RewriteError> {
    let known = definitions(trace)?;
    check(answers, &known)?;
    let kinds = AnswerKinds::new(answers, &free_kinds(trace, &known))?;
    let mut order: Vec<usize> = (0..answers.len()).collect();
    order.sort_by_key(|at| answers[*at].clock);
    let clocks = order.iter().map(|at| answers[*at].clock);
    let places = if trace.is_part() { places(trace, clocks.collect(), progress)? } else { Vec::new() };
    let begun = |is_whole| {
        let (output, reached) = (Output::begin(to, is_whole)?, Progression::default());
        Ok::<_, RewriteError>(Injector {
            output,
            answers,
            kinds: &kinds,
            order: &order,
            places: &places,
            reached,
        })
    };
    let mut injector = begun(!trace.is_part())?;
    let mut finished = read(trace, &mut injector, progress)?;
    if injector.output.is_whole && injector.reached.has_gaps {
        // Events behind what is lost keep their numbers, which those of a whole trace do not have.
        drop(injector);
        injector = begun(false)?;
        finished = read(trace, &mut injector, progress)?;
    }
    injector.insert_before(u64::MAX, 1);
    let (mut output, lost) = (injector.output, recover::lost(&finished));
    lost.iter().for_each(|text| output.note(Severity::Warning, "recovered", text.clone()));
    Ok(Injected { events: output.finish()?, lost })
}

/// Whether what is not in their fields can be that of events of the trace.
fn check(answers: &[Answer], known: &Definitions) -> Result<(), RewriteError> {
    let vcpus = known.trace.vcpus.max(1);
    for (number, answer) in (1..).zip(answers) {
        let wrong = |part: &str, reason: String| {
            Err(RewriteError::Answer { number, place: answer.place.clone(), part: part.into(), reason })
        };
        if answer.clock > MAX_CLOCK {
            return wrong("clock", format!("{} is larger than a clock can be, {MAX_CLOCK}", answer.clock));
        }
        if u32::from(answer.vcpu) >= vcpus {
            return wrong("vcpu", format!("{} is none of the trace's, which has {vcpus}", answer.vcpu));
        }
    }
    Ok(())
}

/// Numbers for probes that nothing in the trace has.
fn free_kinds(trace: &Trace, known: &Definitions) -> Vec<KindId> {
    let builtins = BUILTINS.iter().map(|builtin| builtin.id);
    let defined = known.probes.keys().chain(known.kinds.keys()).copied();
    let used: BTreeSet<_> =
        builtins.chain(defined).chain(census(trace).kinds.iter().map(|(kind, _)| *kind)).collect();
    // The largest number is no kind.
    (FIRST_PROBE..KindId::MAX).filter(|kind| !used.contains(kind)).collect()
}

struct Injector<'a> {
    output: Output,
    answers: &'a [Answer],
    kinds: &'a AnswerKinds,
    /// The answers by their clocks.
    order: &'a [usize],
    /// Of a part: the numbers of the events that they stand before, but for those behind the last.
    places: &'a [u64],
    reached: Progression,
}

/// How far the reading has come.
#[derive(Debug, Default)]
struct Progression {
    /// How many answers are written.
    inserted: usize,
    /// Number of the event at hand, without what is inserted.
    number: u64,
    /// The probes of the answers are defined.
    has_begun: bool,
    /// Events are missing before the last one.
    has_gaps: bool,
}

impl Progression {
    /// The number of the event at hand behind what is inserted.
    fn moved(&self) -> u64 {
        self.number.saturating_add(self.inserted as u64)
    }
}

impl Injector<'_> {
    /// Writes the answers before a clock; the event at hand has it, or, `behind` the last one, none has.
    fn insert_before(&mut self, clock: u64, behind: u64) {
        if !std::mem::replace(&mut self.reached.has_begun, true) {
            self.kinds.definitions().for_each(|definition| self.output.define(definition));
        }
        while let Some(at) = self.order.get(self.reached.inserted)
            && self.answers[*at].clock < clock
        {
            let answer = &self.answers[*at];
            let (kind, words) = self.kinds.event(*at, answer);
            let number = self.reached.moved().saturating_add(behind);
            self.reached.inserted += 1;
            let Answer { clock, vcpu, task, stack, .. } = *answer;
            let context = answer.context.unwrap_or(UNKNOWN_CONTEXT);
            self.output.event(number, &Event { kind, vcpu, clock, context, task, stack, words: &words });
        }
    }

    /// The new number of an event that a part states something of.
    fn moved(&self, event: u64) -> u64 {
        event.saturating_add(self.places.partition_point(|place| *place <= event) as u64)
    }

    /// A definition, of the same events.
    fn renumbered(&self, definition: &Definition) -> Definition {
        match definition.clone() {
            Definition::Numbers(numbers) => Definition::Numbers(
                numbers.into_iter().map(|of| ObjectNumber { event: self.moved(of.event), ..of }).collect(),
            ),
            Definition::HandOff(mut hand_off) => {
                hand_off.from.event = self.moved(hand_off.from.event);
                Definition::HandOff(PendingHandOff { event: self.moved(hand_off.event), ..hand_off })
            }
            Definition::Begin(begin) => {
                Definition::Begin(PartBegin { event: self.moved(begin.event), ..begin })
            }
            other => other,
        }
    }
}

impl Visitor for Injector<'_> {
    fn define(&mut self, definition: &Definition) {
        let renumbered = self.renumbered(definition);
        self.output.define(&renumbered);
    }

    fn skipped(&mut self, events: u64) {
        self.reached.number = self.reached.number.saturating_add(events);
        self.reached.has_gaps = true;
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        if self.output.failed.is_some() || self.output.is_whole && self.reached.has_gaps {
            return Flow::Stop;
        }
        self.reached.number = self.reached.number.saturating_add(1);
        self.insert_before(event.clock, 0);
        self.output.event(self.reached.moved(), event);
        Flow::Continue
    }
}

#[cfg(test)]
mod tests;
