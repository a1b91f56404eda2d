//! Goes through both accounts step by step, as long as they say the same.

use super::{Side, Step};
use crate::analysis::witness::graph::Way;
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

/// Instructions that the guest's tracer needs for a step, at most.
const TRACER: u64 = 2000;

/// What the next step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// The same on both sides; ours.
    Same(Step),
    /// One side is over, or they differ.
    Stopped,
}

/// A walk through both.
#[derive(Debug)]
pub struct Walk<'a> {
    /// The witness.
    pub theirs: &'a Side,
    /// The trace.
    pub ours: &'a Side,
    /// Where each begins: what was entered before is nobody's caller.
    skip: usize,
    start: usize,
    /// Our steps from there on, with interrupts moved.
    steps: Vec<Step>,
    /// Callers of interrupts' calls that were moved.
    parents: FxHashMap<usize, Option<usize>>,
    /// When the function returned that interrupts were put behind, by the first of them.
    returns: FxHashMap<Option<usize>, u64>,
    at: usize,
    their_at: usize,
    /// Our calls by those of the witness.
    pairs: FxHashMap<usize, usize>,
    done: Vec<(Step, Step)>,
    /// Our calls in which the guest's tracer had no room for more.
    full: FxHashSet<usize>,
    /// What we saw in them.
    pub deeper: FxHashSet<usize>,
    /// Interrupts that were moved.
    pub moved: FxHashSet<usize>,
    /// Functions whose return only the witness saw.
    pub unseen: Vec<usize>,
}

impl<'a> Walk<'a> {
    /// A walk that begins with these steps and ends after so many.
    pub fn new(theirs: &'a Side, ours: &'a Side, skip: usize, start: usize, limit: usize) -> Self {
        let end = start.saturating_add(limit).min(ours.steps.len());
        Self {
            theirs,
            ours,
            skip,
            start,
            steps: ours.steps[start..end].to_vec(),
            parents: FxHashMap::default(),
            returns: FxHashMap::default(),
            at: 0,
            their_at: skip,
            pairs: FxHashMap::default(),
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
        let (Some(&theirs), Some(&ours)) = (self.theirs.steps.get(self.their_at), self.steps.get(self.at))
        else {
            return Walked::Stopped;
        };
        if self.is_same(theirs, ours) {
            if ours.way == Way::In {
                self.pairs.insert(theirs.call, ours.call);
                if self.theirs.calls[theirs.call].full {
                    self.full.insert(ours.call);
                }
            }
            self.done.push((theirs, ours));
            (self.at, self.their_at) = (self.at + 1, self.their_at + 1);
            return Walked::Same(ours);
        }
        if self.move_interrupt(theirs) || self.move_return(theirs) { self.next() } else { Walked::Stopped }
    }

    /// The steps so far: theirs and ours.
    pub fn done(&self) -> &[(Step, Step)] {
        &self.done
    }

    /// The steps that come next: theirs and ours.
    pub fn rest(&self) -> (&[Step], &[Step]) {
        (&self.theirs.steps[self.their_at..], &self.steps[self.at..])
    }

    /// The call that one of the witness is in.
    pub fn their_parent(&self, call: usize) -> Option<usize> {
        self.theirs.calls[call].parent.filter(|parent| self.theirs.calls[*parent].entered >= self.skip)
    }

    /// The call that one of ours is in.
    pub fn our_parent(&self, call: usize) -> Option<usize> {
        let parent = self.parents.get(&call).copied().unwrap_or(self.ours.calls[call].parent);
        parent.filter(|parent| self.ours.calls[*parent].entered >= self.start)
    }

    /// How many calls one of the witness is in.
    pub fn their_depth(&self, call: usize) -> usize {
        std::iter::successors(self.their_parent(call), |call| self.their_parent(*call)).count()
    }

    /// How many calls one of ours is in.
    pub fn our_depth(&self, call: usize) -> usize {
        std::iter::successors(self.our_parent(call), |call| self.our_parent(*call)).count()
    }

    /// Returns from calls that were open at the beginning, and those that we did not see; what is too deep for the
    /// guest's tracer.
    fn pass_over(&mut self) {
        while let Some(&step) = self.steps.get(self.at) {
            let call = &self.ours.calls[step.call];
            let unseen = step.way == Way::Out && (call.unseen || call.entered < self.start);
            if !unseen && !self.is_too_deep(step) {
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

    fn is_too_deep(&mut self, step: Step) -> bool {
        let within = |call: usize| self.full.contains(&call) || self.deeper.contains(&call);
        if step.way == Way::In && self.our_parent(step.call).is_some_and(within) {
            self.deeper.insert(step.call);
        }
        self.deeper.contains(&step.call)
    }

    fn is_alike(&self, theirs: Step, ours: Step) -> bool {
        let (a, b) = (&self.theirs.calls[theirs.call], &self.ours.calls[ours.call]);
        (theirs.way, a.function, a.task) == (ours.way, b.function, b.task)
    }

    fn is_same(&self, theirs: Step, ours: Step) -> bool {
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

    /// An interrupt came while the guest's tracer was at work for our next step, or for some that are one
    /// (returns of functions that had jumped to one another): it comes before them.
    fn move_interrupt(&mut self, theirs: Step) -> bool {
        let Some((before, len)) = self.interrupt_behind() else { return false };
        let (first, interrupt) = (self.steps[self.at], self.at + before..self.at + before + len);
        let begin = self.steps[interrupt.start];
        // Another interrupt may have come before it.
        let since = self.done.last().map_or(first.at, |(_, ours)| ours.at.max(first.at));
        // Of returns that are one step of ours, each that is done took the tracer its time.
        let one = |(_, ours): &&(Step, Step)| (ours.way, ours.at) == (Way::Out, first.at);
        let steps = 1 + self.done.iter().rev().take_while(one).count() as u64;
        if !self.is_alike(theirs, begin) || begin.at.saturating_sub(since) > steps * TRACER {
            return false;
        }
        let parent = if first.way == Way::In { self.our_parent(first.call) } else { Some(first.call) };
        self.put_in(interrupt.clone(), parent);
        self.steps[self.at..interrupt.end].rotate_left(before);
        true
    }

    /// A function that had jumped to one that is not probed returns where it was called, and so after the guest's
    /// tracer was at work: interrupts that came between come behind it.
    fn move_return(&mut self, theirs: Step) -> bool {
        let Some(&call) = self.pairs.get(&theirs.call).filter(|_| theirs.way == Way::Out) else {
            return false;
        };
        let here = self.ours.calls[call].interrupt;
        let within = |step: &&Step| {
            self.outwards(self.interrupt(step)).any(|i| self.ours.interrupts.get(&i) == Some(&here))
        };
        let len = self.steps[self.at..].iter().take_while(within).count();
        let interrupts = self.at..self.at + len;
        let Some(back) = self.steps.get(interrupts.end) else { return false };
        let last = interrupts.clone().next_back().map(|last| self.steps[last].at);
        if (back.way, back.call) != (Way::Out, call) || last.is_none_or(|last| back.at - last > TRACER) {
            return false;
        }
        // Past one return only, or those of functions that had jumped to one another.
        let first = self.interrupt(&self.steps[interrupts.start]);
        if *self.returns.entry(first).or_insert(back.at) != back.at {
            return false;
        }
        self.put_in(interrupts.clone(), self.our_parent(call));
        self.steps[interrupts.start..=interrupts.end].rotate_right(1);
        true
    }

    /// The outermost calls of interrupts are in another call.
    fn put_in(&mut self, interrupts: Range<usize>, parent: Option<usize>) {
        let inside: FxHashSet<_> = self.steps[interrupts].iter().map(|step| step.call).collect();
        for call in &inside {
            if self.our_parent(*call).is_none_or(|parent| !inside.contains(&parent)) {
                self.parents.insert(*call, parent);
                self.moved.extend(self.ours.calls[*call].interrupt);
            }
        }
    }

    /// Steps up to the next interrupt, and steps in it; if the steps before it are one for the guest's tracer.
    fn interrupt_behind(&self) -> Option<(usize, usize)> {
        let steps = &self.steps[self.at..];
        let first = steps.first()?;
        let one = |step: &&Step| first.way == Way::Out && (step.way, step.at) == (Way::Out, first.at);
        let before = 1 + steps[1..].iter().take_while(one).count();
        let (here, there) = (self.interrupt(first), self.interrupt(steps.get(before)?));
        let interrupt = self.outwards(there).find(|i| self.ours.interrupts.get(i) == Some(&here))?;
        let inside = |step: &&Step| self.outwards(self.interrupt(step)).any(|i| i == interrupt);
        Some((before, steps[before..].iter().take_while(inside).count()))
    }

    fn interrupt(&self, step: &Step) -> Option<usize> {
        self.ours.calls[step.call].interrupt
    }

    /// An interrupt, the one that it came in, and so on.
    fn outwards(&self, interrupt: Option<usize>) -> impl Iterator<Item = usize> {
        std::iter::successors(interrupt, |i| self.ours.interrupts.get(i).copied().flatten())
    }
}
