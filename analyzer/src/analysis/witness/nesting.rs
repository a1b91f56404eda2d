//! Comparison of two accounts of the same calls: the order of entries and returns, and what is in what.
//!
//! In: the steps of the guest's function_graph and of the trace, restricted to the functions that both saw. Out:
//! how many calls are the same, and the first difference. Pure.
//!
//! Both begin and end somewhere else. The witness's first steps are looked for in ours before the mark of the
//! beginning; where the longest stretch is the same, it began. What is before that was open when the witness
//! began to look, and is nobody's caller here.
//!
//! The trace knows of a step before the guest's tracer does, which then runs for some hundred instructions. An
//! interrupt that comes meanwhile stands in the witness before the step, in ours behind it:
//!
//! ```text
//! ours      f {  irq { }  g { } }        f's entry is written down after the interrupt
//! witness   irq { }  f {  g { } }
//! ```
//!
//! Such an interrupt is moved, and counted; what it leads to may be other tasks' steps, until its own task runs again.
//! So is the scheduler, if the guest's tracer calls it when it is done.

mod walk;

use super::graph::Way;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use walk::{Walk, Walked};

/// Steps of the witness that may have no counterpart at the beginning.
const SKIPPED: usize = 16;
/// Steps by which a beginning is judged, at first and if they are the same.
const GLANCED: usize = 64;
const JUDGED: usize = 4000;
/// Steps shown before a difference, and from it on.
const BEFORE: usize = 6;
const BEHIND: usize = 3;

/// An entry or a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallStep {
    /// Which it is.
    pub way: Way,
    /// Number of the call, in its side's calls.
    pub call: usize,
    /// Where it is: a line of the witness, a clock of ours.
    pub at: u64,
}

/// A call of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    /// Number of its function, the same on both sides.
    pub function: usize,
    /// Process id of its task.
    pub task: u32,
    /// The call that it is in.
    pub parent: Option<usize>,
    /// The interrupt that it is in, if known.
    pub interrupt: Option<usize>,
    /// Where in the steps it is entered.
    pub entered: usize,
    /// Nobody saw it return.
    pub unseen: bool,
    /// The guest's tracer had no room for what it calls.
    pub full: bool,
}

/// One account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallSequence {
    /// Entries and returns, in their order.
    pub steps: Vec<CallStep>,
    /// The calls.
    pub calls: Vec<Called>,
    /// Of each interrupt, the one that it came in.
    pub interrupts: BTreeMap<usize, Option<usize>>,
}

/// A step, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Shown {
    /// Its line in the witness, or our clock.
    pub at: u64,
    /// Process id of the task.
    pub task: u32,
    /// An entry, not a return.
    pub entry: bool,
    /// The function.
    pub function: String,
    /// Calls of the functions compared that it is in.
    pub depth: usize,
    /// The innermost of them.
    pub parent: Option<String>,
}

/// The first difference: some steps before it, which are the same on both sides, and some from it on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct NestingDifference {
    /// So many steps of each are the same.
    pub same: usize,
    /// What the witness has.
    #[serde(rename = "guest")]
    pub witness: Vec<Shown>,
    /// What we have.
    #[serde(rename = "trace")]
    pub ours: Vec<Shown>,
}

/// The comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Nesting {
    /// Calls that are the same.
    pub calls: usize,
    /// Returns that are the same.
    pub returns: usize,
    /// Of the calls, those in interrupts.
    pub in_interrupts: usize,
    /// Calls of each function.
    pub functions: BTreeMap<String, usize>,
    /// Process ids of the tasks.
    pub tasks: BTreeSet<u32>,
    /// Calls that were open at the same time, at most.
    pub deepest: usize,
    /// Clocks of the first and the last step.
    pub clocks: Option<(u64, u64)>,
    /// Interrupts that came while the guest's tracer was at work.
    pub moved: usize,
    /// Calls that we saw where the guest's tracer had no room for any more.
    pub too_deep: usize,
    /// Returns that the witness saw and we did not, of each function.
    pub unseen_returns: BTreeMap<String, usize>,
    /// Calls of the witness left out before the first that both have.
    pub left_out_before: usize,
    /// Calls of the witness left out after the mark of the end.
    pub left_out_after: usize,
    /// The first difference.
    pub difference: Option<NestingDifference>,
}

/// Compares what the witness says with ours. `window` has the clocks of the marks.
#[must_use]
pub fn compare(
    theirs: &CallSequence,
    ours: &CallSequence,
    names: &[String],
    window: Option<(u64, u64)>,
) -> Nesting {
    let (skip, start) = beginning(theirs, ours, window.map_or(u64::MAX, |(begin, _)| begin));
    let mut walk = Walk::new(theirs, ours, skip, start, usize::MAX);
    let mut nesting = Nesting::default();
    while let Walked::Same(step) = walk.next() {
        nesting.add(&walk, step, names);
    }
    nesting.moved = walk.moved.len();
    nesting.too_deep = walk.deeper.len();
    for function in &walk.unseen {
        *nesting.unseen_returns.entry(names[*function].clone()).or_default() += 1;
    }
    nesting.left_out_before = entries(&theirs.steps[..skip]);
    if is_over(&walk, window.map(|(_, end)| end)) {
        nesting.left_out_after = entries(walk.rest().0);
    } else {
        nesting.difference = Some(difference(&walk, names));
    }
    nesting
}

/// Whether nothing is left that must be the same. Behind the mark of the end the witness stops, somewhere in a
/// call.
fn is_over(walk: &Walk<'_>, end: Option<u64>) -> bool {
    let (theirs, ours) = walk.rest();
    match (ours.first(), end) {
        (Some(next), Some(end)) => next.at > end,
        (Some(_), None) => theirs.is_empty(),
        (None, end) => {
            let last = walk.done().last().map(|(_, ours)| ours.at);
            theirs.is_empty() || last.is_some_and(|last| end.is_none_or(|end| last > end))
        }
    }
}

/// Where in both sides the common stretch begins.
fn beginning(theirs: &CallSequence, ours: &CallSequence, begin: u64) -> (usize, usize) {
    let last = ours.steps.partition_point(|step| step.at <= begin);
    let walk = |skip, start, limit| {
        let mut walk = Walk::new(theirs, ours, skip, start, limit);
        std::iter::from_fn(|| matches!(walk.next(), Walked::Same(_)).then_some(())).count()
    };
    let judge = |skip, start| match walk(skip, start, GLANCED) {
        few if few < GLANCED / 2 => few,
        _ => walk(skip, start, JUDGED),
    };
    let alike = |skip: usize, start: usize| {
        let (a, b) = (theirs.steps[skip], ours.steps[start]);
        let (x, y) = (&theirs.calls[a.call], &ours.calls[b.call]);
        (a.way, b.way) == (Way::In, Way::In) && (x.function, x.task) == (y.function, y.task)
    };
    // Or it began with an interrupt that came while it was at work for the step before.
    let after = |skip: usize, start: usize| {
        ours.steps[start].way == Way::In && start + 1 < ours.steps.len() && alike(skip, start + 1)
    };
    let begins = |skip: usize, start: &usize| alike(skip, *start) || after(skip, *start);
    let skips = 0..SKIPPED.min(theirs.steps.len());
    // The first step behind the mark at the latest, and that only if nothing of the witness comes before it.
    let starts = |skip| 0..ours.steps.len().min(last + usize::from(skip == 0));
    let all =
        skips.flat_map(|skip| starts(skip).filter(move |at| begins(skip, at)).map(move |at| (skip, at)));
    // The longest; of several the one that leaves out least, and then the last.
    let best = all.max_by_key(|(skip, start)| (judge(*skip, *start), SKIPPED - skip, *start));
    best.unwrap_or((0, last))
}

fn entries(steps: &[CallStep]) -> usize {
    steps.iter().filter(|step| step.way == Way::In).count()
}

impl Nesting {
    fn add(&mut self, walk: &Walk<'_>, step: CallStep, names: &[String]) {
        self.clocks = Some((self.clocks.map_or(step.at, |(from, _)| from.min(step.at)), step.at));
        if step.way == Way::Out {
            self.returns += 1;
            return;
        }
        let call = &walk.ours.calls[step.call];
        self.calls += 1;
        self.in_interrupts += usize::from(call.interrupt.is_some());
        self.deepest = self.deepest.max(walk.our_depth(step.call) + 1);
        self.tasks.insert(call.task);
        *self.functions.entry(names[call.function].clone()).or_default() += 1;
    }
}

fn difference(walk: &Walk<'_>, names: &[String]) -> NestingDifference {
    let same = walk.done().len().min(BEFORE);
    let done = &walk.done()[walk.done().len() - same..];
    let (theirs, ours) = walk.rest();
    let show = |step: &CallStep, call: &Called, depth: usize, parent: Option<usize>| Shown {
        at: step.at,
        task: call.task,
        entry: step.way == Way::In,
        function: names[call.function].clone(),
        depth,
        parent: parent.map(|function| names[function].clone()),
    };
    let witness = done.iter().map(|(step, _)| step).chain(theirs.iter().take(BEHIND)).map(|step| {
        let parent = walk.their_parent(step.call).map(|parent| walk.theirs.calls[parent].function);
        show(step, &walk.theirs.calls[step.call], walk.their_depth(step.call), parent)
    });
    let ours = done.iter().map(|(_, step)| step).chain(ours.iter().take(BEHIND)).map(|step| {
        let parent = walk.our_parent(step.call).map(|parent| walk.ours.calls[parent].function);
        show(step, &walk.ours.calls[step.call], walk.our_depth(step.call), parent)
    });
    NestingDifference { same, witness: witness.collect(), ours: ours.collect() }
}

#[cfg(test)]
mod tests;
