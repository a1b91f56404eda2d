//! Goes through both accounts step by step, as long as they say the same.

use super::{CallSequence, CallStep};
use crate::analysis::witness::graph::Way;
use rustc_hash::{FxHashMap, FxHashSet};

/// Instructions that the guest's tracer needs for a step, at most.
const TRACER: u64 = 2000;

/// What the next step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// The same on both sides; ours.
    Same(CallStep),
    /// One side is over, or they differ.
    Stopped,
}

/// A step of ours that the guest's tracer was at work for when an interrupt came: it has it behind the interrupt.
#[derive(Debug, Clone, Copy)]
struct Held {
    step: CallStep,
    /// The interrupt that its task is in, and when that was seen last.
    interrupt: usize,
    seen: u64,
}

/// A walk through both.
#[derive(Debug)]
pub struct Walk<'a> {
    /// The witness.
    pub theirs: &'a CallSequence,
    /// The trace.
    pub ours: &'a CallSequence,
    /// Where each begins: what was entered before is nobody's caller.
    skip: usize,
    start: usize,
    /// Our steps, up to where the walk ends.
    steps: &'a [CallStep],
    at: usize,
    their_at: usize,
    /// Steps before that which are still to come, in their order.
    held: Vec<Held>,
    /// Calls whose returns are behind that, and have been.
    returned: FxHashSet<usize>,
    /// When the function returned that an interrupt was put behind.
    returns: FxHashMap<Option<usize>, u64>,
    /// Our calls by those of the witness.
    pairs: FxHashMap<usize, usize>,
    /// What each of them is in, once the witness has it.
    parents: FxHashMap<usize, Option<usize>>,
    /// In how many calls each of them is.
    depths: FxHashMap<usize, usize>,
    done: Vec<(CallStep, CallStep)>,
    /// Our calls in which the guest's tracer had no room for more.
    full: FxHashSet<usize>,
    /// What we saw in them.
    pub deeper: FxHashSet<usize>,
    /// Interrupts that the witness has before or behind a step, and we the other way.
    pub moved: FxHashSet<usize>,
    /// Functions whose return only the witness saw.
    pub unseen: Vec<usize>,
}

impl<'a> Walk<'a> {
    /// A walk that begins with these steps and ends after so many.
    pub fn new(
        theirs: &'a CallSequence,
        ours: &'a CallSequence,
        skip: usize,
        start: usize,
        limit: usize,
    ) -> Self {
        let end = start.saturating_add(limit).min(ours.steps.len());
        Self {
            theirs,
            ours,
            skip,
            start,
            steps: &ours.steps[..end],
            at: start,
            their_at: skip,
            held: Vec::new(),
            returned: FxHashSet::default(),
            returns: FxHashMap::default(),
            pairs: FxHashMap::default(),
            parents: FxHashMap::default(),
            depths: FxHashMap::default(),
            done: Vec::new(),
            full: FxHashSet::default(),
            deeper: FxHashSet::default(),
            moved: FxHashSet::default(),
            unseen: Vec::new(),
        }
    }

    /// The next step, if both have the same.
    pub fn next(&mut self) -> Walked {
        self.pass_over();
        let (at, held) = (self.at, self.held.len());
        while let Some(&theirs) = self.theirs.steps.get(self.their_at) {
            if let Some(waited) = self.held.iter().rposition(|held| self.is_same(theirs, held.step)) {
                let Held { step, .. } = self.held.remove(waited);
                return self.same(theirs, step);
            }
            let Some(&ours) = self.steps.get(self.at).filter(|ours| self.may_come(**ours)) else { break };
            if self.is_same(theirs, ours) {
                self.at += 1;
                return self.same(theirs, ours);
            }
            if let Some(back) = self.return_behind(theirs) {
                self.returned.insert(back.call);
                return self.same(theirs, back);
            }
            let Some(waits) = self.interrupted(ours) else { break };
            self.held.push(waits);
            self.at += 1;
            self.pass_over();
        }
        // What would have had to wait for this one stays where it was.
        self.held.truncate(held);
        self.at = at;
        Walked::Stopped
    }

    fn same(&mut self, theirs: CallStep, ours: CallStep) -> Walked {
        let call = &self.ours.calls[ours.call];
        if ours.way == Way::In {
            let parent = self.our_parent(ours.call);
            if parent != self.known(call.parent) {
                self.moved.extend(call.interrupt);
            }
            self.parents.insert(ours.call, parent);
            let depth = parent.map_or(0, |parent| self.our_depth(parent) + 1);
            self.depths.insert(ours.call, depth);
            self.pairs.insert(theirs.call, ours.call);
            if self.theirs.calls[theirs.call].full {
                self.full.insert(ours.call);
            }
        }
        let of_it = |held: &Held| self.interrupt_in(held.step.call, ours.call);
        let now: Vec<_> = self.held.iter().map(of_it).collect();
        for (held, interrupt) in self.held.iter_mut().zip(now) {
            if let Some(interrupt) = interrupt {
                (held.interrupt, held.seen) = (interrupt, ours.at);
            }
        }
        self.done.push((theirs, ours));
        self.their_at += 1;
        Walked::Same(ours)
    }

    /// The steps so far: theirs and ours.
    pub fn done(&self) -> &[(CallStep, CallStep)] {
        &self.done
    }

    /// The steps that come next: theirs and ours.
    pub fn rest(&self) -> (&[CallStep], &[CallStep]) {
        (&self.theirs.steps[self.their_at..], &self.steps[self.at..])
    }

    /// The call that one of the witness is in.
    pub fn their_parent(&self, call: usize) -> Option<usize> {
        self.theirs.calls[call].parent.filter(|parent| self.theirs.calls[*parent].entered >= self.skip)
    }

    /// The call that one of ours is in, as the witness has it: interrupts come in what they are put in.
    pub fn our_parent(&self, call: usize) -> Option<usize> {
        let parent = match self.parents.get(&call) {
            Some(parent) => *parent,
            None => self.parent_now(call),
        };
        self.known(parent)
    }

    fn known(&self, parent: Option<usize>) -> Option<usize> {
        parent.filter(|parent| self.ours.calls[*parent].entered >= self.start)
    }

    fn parent_now(&self, mut call: usize) -> Option<usize> {
        loop {
            let mut parent = self.ours.calls[call].parent;
            let Some(held) = self.interrupts(call, parent) else {
                // What has returned already is nobody's caller. What it was in is known: it was entered before.
                while let Some(back) = parent.filter(|parent| self.returned.contains(parent)) {
                    parent = self.known(self.parents.get(&back).copied().flatten());
                }
                return parent;
            };
            if held.way == Way::Out {
                return Some(held.call);
            }
            call = held.call;
        }
    }

    /// The step that waits for the interrupt of a call, if it is the outermost in it; of functions that return
    /// together the innermost.
    fn interrupts(&self, call: usize, parent: Option<usize>) -> Option<CallStep> {
        let comes_in = |held: &&Held| {
            let interrupt = self.interrupt_in(held.step.call, call);
            interrupt.is_some() && parent.is_none_or(|p| self.interrupt_in(held.step.call, p) != interrupt)
        };
        let context = |held: &Held| {
            let call = &self.ours.calls[held.step.call];
            (call.task, call.interrupt)
        };
        let here = context(self.held.iter().rev().find(comes_in)?);
        self.held.iter().find(|held| context(held) == here).map(|held| held.step)
    }

    /// How many calls one of the witness is in.
    pub fn their_depth(&self, call: usize) -> usize {
        std::iter::successors(self.their_parent(call), |call| self.their_parent(*call)).count()
    }

    /// How many calls one of ours is in.
    pub fn our_depth(&self, call: usize) -> usize {
        let (mut depth, mut call) = (0, call);
        loop {
            if let Some(known) = self.depths.get(&call) {
                return depth + known;
            }
            let Some(parent) = self.our_parent(call) else { return depth };
            (depth, call) = (depth + 1, parent);
        }
    }

    /// Returns from calls that were open at the beginning, and those that we did not see; what is too deep for the
    /// guest's tracer.
    fn pass_over(&mut self) {
        while let Some(&step) = self.steps.get(self.at) {
            let call = &self.ours.calls[step.call];
            let unseen = step.way == Way::Out && (call.unseen || call.entered < self.start);
            if !unseen && !self.has_been(step) && !self.is_too_deep(step) {
                break;
            }
            self.at += 1;
        }
        while let Some(step) = self.theirs.steps.get(self.their_at).filter(|step| step.way == Way::Out) {
            let unseen = self.pairs.get(&step.call).is_some_and(|call| self.ours.calls[*call].unseen);
            if !unseen && self.theirs.calls[step.call].entered >= self.skip {
                break;
            }
            if unseen {
                self.unseen.push(self.theirs.calls[step.call].function);
            }
            self.their_at += 1;
        }
    }

    fn is_too_deep(&mut self, step: CallStep) -> bool {
        let within = |call: usize| self.full.contains(&call) || self.deeper.contains(&call);
        if step.way == Way::In && self.our_parent(step.call).is_some_and(within) {
            self.deeper.insert(step.call);
        }
        self.deeper.contains(&step.call)
    }

    fn is_alike(&self, theirs: CallStep, ours: CallStep) -> bool {
        let (a, b) = (&self.theirs.calls[theirs.call], &self.ours.calls[ours.call]);
        (theirs.way, a.function, a.task) == (ours.way, b.function, b.task)
    }

    fn is_same(&self, theirs: CallStep, ours: CallStep) -> bool {
        let pair = |call: usize| self.pairs.get(&call).copied();
        self.is_alike(theirs, ours)
            && match theirs.way {
                Way::In => match self.their_parent(theirs.call) {
                    Some(parent) => pair(parent).is_some() && pair(parent) == self.our_parent(ours.call),
                    None => self.our_parent(ours.call).is_none(),
                },
                Way::Out => pair(theirs.call) == Some(ours.call),
            }
    }

    /// Whether a step of ours may come, with those that wait: it is in an interrupt that they wait for, or in another
    /// one that came before the tracer was done. (Or it is one step with them: it is held as well.)
    fn may_come(&self, ours: CallStep) -> bool {
        let task = self.ours.calls[ours.call].task;
        self.held.iter().filter(|held| self.ours.calls[held.step.call].task == task).all(|held| {
            match self.interrupt_in(held.step.call, ours.call) {
                // Behind an interrupt the tracer was at work for the interrupt's last step as well.
                Some(interrupt) => {
                    let time = TRACER + self.time_of_tracer(held.step);
                    interrupt == held.interrupt || ours.at.saturating_sub(held.seen) <= time
                }
                None => are_one(held.step, ours),
            }
        })
    }

    /// An interrupt came while the guest's tracer was at work for a step of ours, our next one: the step waits.
    fn interrupted(&self, ours: CallStep) -> Option<Held> {
        let task = self.ours.calls[ours.call].task;
        let last = ours.at.saturating_add(self.time_of_tracer(ours));
        let mut behind = self.steps[self.at + 1..].iter().take_while(|step| step.at <= last);
        let next = behind.find(|step| self.ours.calls[step.call].task == task && !are_one(ours, **step))?;
        let interrupt = self.interrupt_in(ours.call, next.call)?;
        Some(Held { step: ours, interrupt, seen: ours.at })
    }

    /// Instructions that the guest's tracer is at work for a step, at most: of returns that are one step of ours,
    /// each that is done took it its time.
    fn time_of_tracer(&self, ours: CallStep) -> u64 {
        let before = self.done.iter().rev().take_while(|(_, step)| are_one(*step, ours)).count();
        TRACER * (1 + before as u64)
    }

    /// A function that had jumped to one that is not probed returns where it was called, and so after the guest's
    /// tracer was at work: interrupts that came between come behind it.
    fn return_behind(&mut self, theirs: CallStep) -> Option<CallStep> {
        let call = *self.pairs.get(&theirs.call).filter(|_| theirs.way == Way::Out)?;
        let task = self.ours.calls[call].task;
        let of_it = |at: &usize| {
            self.ours.calls[self.steps[*at].call].task == task && !self.has_been(self.steps[*at])
        };
        let is_within = |at: &usize| self.interrupt_in(call, self.steps[*at].call).is_some();
        let mut interrupts = (self.at..self.steps.len()).filter(of_it);
        let first = interrupts.next().filter(|first| *first == self.at && is_within(first))?;
        let mut last = first;
        let back = interrupts.find(|at| {
            let within = is_within(at);
            last = if within { *at } else { last };
            !within
        })?;
        let step = self.steps[back];
        // Behind the interrupt the tracer was at work for the interrupt's last step as well.
        let since = step.at.saturating_sub(self.steps[last].at);
        if (step.way, step.call) != (Way::Out, call) || since > 2 * TRACER {
            return None;
        }
        // Past one return only, or those of functions that had jumped to one another.
        let first = self.ours.calls[self.steps[first].call].interrupt;
        (*self.returns.entry(first).or_insert(step.at) == step.at).then_some(step)
    }

    /// Whether a return was put before interrupts that come before it in our steps.
    fn has_been(&self, step: CallStep) -> bool {
        step.way == Way::Out && self.returned.contains(&step.call)
    }

    /// The interrupt that came in what a call is in, and that another one is in, of the same task.
    fn interrupt_in(&self, call: usize, other: usize) -> Option<usize> {
        let (call, other) = (&self.ours.calls[call], &self.ours.calls[other]);
        let mut outwards =
            std::iter::successors(other.interrupt, |i| self.ours.interrupts.get(i).copied().flatten());
        outwards.find(|i| call.task == other.task && self.ours.interrupts.get(i) == Some(&call.interrupt))
    }
}

/// Returns of functions that had jumped to one another are one step of ours.
fn are_one(one: CallStep, other: CallStep) -> bool {
    (one.way, other.way, one.at) == (Way::Out, Way::Out, other.at)
}
