//! How a copy of the workload differs from the original.
//!
//! - Clocks go on, and what lies between two events is now and then what lay before another event of that kind.
//! - Objects lie elsewhere: the addresses of tasks, bios, requests and stacks that were not there before the
//!   workload are moved, all of one copy alike, so that they fit together.
//! - Sectors, positions in files and the numbers of tasks are others.

use super::original::{FieldVariation, MEMORY, Original, Recorded, alignment};
use fastrand::Rng;
use iotrace_format::event::{CLOCK, Event};

/// Places that the objects of a copy may be in: a guest's memory is used again, that which was freed last first
/// (mm/slub.c).
const PLACES: u64 = 256;
/// Sets the moved apart from those that stay: more than the memory of a guest.
const ELSEWHERE: u64 = 1 << 40;
/// Numbers of tasks begin anew from here (`PID_MAX_LIMIT`).
const PIDS: u64 = 4 << 20;
/// Pages and sectors that a copy is moved by at most.
const FARTHEST: u64 = 1 << 20;
/// Sectors in a page.
const SECTORS: u64 = 8;

/// Where a copy lies.
#[derive(Debug, Clone, Default)]
struct Place {
    objects: u64,
    pages: u64,
    pids: u64,
    bias: u64,
}

/// Makes copies, one after the other.
#[derive(Debug)]
pub struct Copies {
    random: Rng,
    /// What lies before an event, by its kind: instructions, but for none at all.
    deltas: Vec<Vec<u64>>,
    /// What virtual time jumps by in the workload, beside what it takes to execute it.
    jump: u64,
    place: Place,
    /// Clock of the last event, in the original and in the copy.
    last: (u64, u64),
    /// Clock at which the workload begins.
    begin: u64,
    /// Places of copies that are not over.
    taken: Vec<u64>,
}

/// A copy that was left in the middle.
#[derive(Debug)]
pub struct PausedCopy {
    place: Place,
    /// Clock of its last event, in the original.
    last: u64,
}

impl Copies {
    /// Of the workload of a trace.
    pub fn new(original: &Original, seed: u64) -> Self {
        let begin = original.head.last().map_or(0, |event| event.clock);
        let kinds = original.section.iter().map(|event| usize::from(event.kind) + 1).max();
        let mut deltas = vec![Vec::new(); kinds.unwrap_or(0)];
        let mut before = begin;
        for event in &original.section {
            let delta = event.clock.saturating_sub(before);
            if delta > 0 {
                deltas[usize::from(event.kind)].push(delta);
            }
            before = event.clock;
        }
        let bias = |events: &[Recorded]| events.iter().rev().find(|e| e.kind == CLOCK.id).map(|e| e.words[0]);
        let (first, last) = (bias(&original.head), bias(&original.section));
        let jump = last.zip(first).map_or(0, |(last, first)| last.wrapping_sub(first));
        let (place, random) = (Place::default(), Rng::with_seed(seed));
        Self { random, deltas, jump, place, last: (begin, begin), begin, taken: Vec::new() }
    }

    /// From here on, the next copy.
    pub fn next_copy(&mut self) {
        let first = self.place.objects == 0;
        self.place = Place {
            objects: self.free_place(),
            pages: self.random.u64(..FARTHEST),
            pids: (self.place.pids + 64) % PIDS,
            bias: if first { 0 } else { self.place.bias.wrapping_add(self.jump) },
        };
        self.last.0 = self.begin;
    }

    /// Where no copy lies that is not over.
    fn free_place(&mut self) -> u64 {
        loop {
            let objects = ELSEWHERE | self.random.u64(..PLACES) << alignment();
            if !self.taken.contains(&objects) {
                return objects;
            }
        }
    }

    /// Leaves the copy at hand in the middle: where it lies no other copy will.
    pub fn pause(&mut self) -> PausedCopy {
        self.taken.push(self.place.objects);
        PausedCopy { place: self.place.clone(), last: self.last.0 }
    }

    /// Goes on with a copy. Virtual time does not go back.
    pub fn resume(&mut self, paused: PausedCopy) {
        self.taken.retain(|objects| *objects != paused.place.objects);
        self.place = Place { bias: self.place.bias.wrapping_add(self.jump), ..paused.place };
        self.last.0 = paused.last;
    }

    /// An event as the copy has it.
    pub fn moved<'a>(&mut self, event: &Recorded, words: &'a mut [u64]) -> Event<'a> {
        for ((to, word), role) in words.iter_mut().zip(&event.words).zip(&event.roles) {
            *to = self.place.word(*word, *role);
        }
        Event {
            kind: event.kind,
            vcpu: 0,
            clock: self.clock(event),
            context: event.context,
            task: self.place.word(event.task.0, event.task.1),
            stack: self.place.word(event.stack.0, event.stack.1),
            words,
        }
    }

    fn clock(&mut self, event: &Recorded) -> u64 {
        let mut delta = event.clock.saturating_sub(self.last.0);
        // What happened at once still does: elements of a list are told so.
        if delta > 0 && self.random.bool() {
            delta = self
                .deltas
                .get(usize::from(event.kind))
                .and_then(|all| self.random.choice(all))
                .copied()
                .unwrap_or(delta);
        }
        self.last = (event.clock, self.last.1 + delta);
        self.last.1
    }
}

impl Place {
    fn word(&self, word: u64, role: FieldVariation) -> u64 {
        match role {
            FieldVariation::Same => word,
            FieldVariation::Pointer => word ^ self.objects,
            FieldVariation::Sector => word.wrapping_add(self.pages * SECTORS),
            FieldVariation::Position => word.wrapping_add(self.pages << MEMORY.page_shift),
            FieldVariation::Page => word.wrapping_add(self.pages),
            FieldVariation::Pid => (word + self.pids) % PIDS,
            FieldVariation::Bias => word.wrapping_add(self.bias),
        }
    }
}
