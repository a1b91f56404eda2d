//! The steps of an I/O's way, and what each cost.
//!
//! ```text
//! entered     Q   G   I    D  driver  doorbell        irq  done  C  E      woken  runs   return
//! |-- layers --|-G-|-I-|-D--|-driver-|-doorbell-|-irq--|-done-|-C-|-E-|-woken-|-run-|-return-|
//! ```
//!
//! Until the first bio is queued, instructions are told by the layer of the function they are of, and what time
//! is left over is waiting. From then on each step is the way to a moment from the one before it, whichever of the
//! I/O's bios it is of: the stages that the bios reach, and those at which the task is woken, runs again, returns.
//! The steps follow one another without a gap: the instructions of all steps are those of the I/O's contexts, and
//! their time is that of the I/O, to the last of its moments. Time in which another task or an interrupt of no concern to the
//! I/O ran is in none of these steps, but in one of its own.

use crate::model::{Bio, BioStage, TimeMap, Wait};
use iotrace_format::layer::Layer;
use std::collections::BTreeMap;

/// A step of an I/O's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IoStep {
    /// Before the first bio is queued, in a layer.
    Layer(Layer),
    /// Before the first bio is queued, with nothing of it running.
    Waiting,
    /// To a stage of a bio.
    To(BioStage),
    /// Until its task is woken.
    Woken,
    /// Until its task runs.
    Runs,
    /// Until the system call returns.
    Return,
    /// Work that goes on after that.
    After,
    /// Time of other tasks, and of interrupts that are not its own, wherever on the way.
    Others,
}

impl IoStep {
    /// Its name; a stage's is its letter where it has one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Waiting => "waiting",
            Self::To(stage) => stage.short(),
            Self::Woken => "wake-up",
            Self::Runs => "runs",
            Self::Return => "return",
            Self::After => "after",
            Self::Others => "others",
        }
    }

    /// Which part of the way it is of.
    #[must_use]
    pub fn part(self) -> &'static str {
        match self {
            Self::Layer(_) | Self::Waiting => "before the first bio",
            Self::To(_) => "to this stage",
            Self::Woken | Self::Runs | Self::Return => "back to the caller",
            Self::After => "after the return",
            Self::Others => "other tasks and interrupts",
        }
    }
}

/// What a step cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepTotals {
    /// Times it was gone.
    pub times: u64,
    /// Instructions executed in it by what works for the I/O.
    pub instructions: u64,
    /// Virtual nanoseconds; 0 without virtual time.
    pub ns: u64,
    /// Those among them in which the task slept for a device.
    pub device: u64,
}

/// Instructions by layer.
#[derive(Debug, Clone, Default)]
pub struct Layers([u64; Layer::ALL.len()]);

impl Layers {
    /// So many were executed in a layer.
    pub fn ran(&mut self, layer: Layer, instructions: u64) {
        self.0[layer.index()] += instructions;
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours += theirs);
    }
}

/// When something ran.
#[derive(Debug, Clone, Default)]
pub struct Runs(Vec<(u64, u64)>);

impl Runs {
    /// It ran from one clock to another.
    pub fn ran(&mut self, from: u64, to: u64) {
        match self.0.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => self.0.push((from, to)),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// The same, the latest first: contexts may have ended in another order than they began in.
    fn latest_first(&self) -> Self {
        let mut runs = self.clone();
        runs.0.sort_unstable_by(|a, b| b.cmp(a));
        runs
    }

    /// Of runs with the latest first: how much was executed up to a clock, which is taken from them.
    fn take(&mut self, upto: u64) -> u64 {
        let mut taken = 0;
        while let Some((from, to)) = self.0.last_mut().filter(|(from, _)| *from < upto) {
            let end = upto.min(*to);
            taken += end - *from;
            *from = end;
            if end < *to {
                break;
            }
            self.0.pop();
        }
        taken
    }
}

/// The moments of an I/O.
pub struct Marks<'a> {
    /// The system call was entered.
    pub entered: u64,
    /// It returned.
    pub left: Option<u64>,
    /// The bios queued for it.
    pub bios: &'a [&'a Bio],
    /// Waits of its task.
    pub waits: &'a [Wait],
    /// Instructions of other tasks and of interrupts, also of those that work for it, between two clocks.
    pub others: &'a dyn Fn(u64, u64) -> u64,
    /// Virtual nanoseconds in which its task slept for a device, between two clocks.
    pub device: &'a dyn Fn(u64, u64) -> u64,
    /// When contexts ran that work for it, other than the system call's own.
    pub handed: &'a Runs,
}

impl Marks<'_> {
    /// When the first bio was queued.
    fn queued(&self) -> Option<u64> {
        self.bios.iter().map(|bio| bio.queued()).min()
    }

    /// What happened after the first bio was queued, in order.
    fn moments(&self) -> Vec<(u64, IoStep)> {
        let Some(begin) = self.queued() else { return Vec::new() };
        let stages =
            self.bios.iter().flat_map(|bio| &bio.stages).map(|mark| (mark.clock, IoStep::To(mark.stage)));
        let waits = self.waits.iter().map(|wait| wait.clocks);
        let woken = waits.clone().map(|(_, clock, _)| (clock, IoStep::Woken));
        let runs = waits.map(|(.., clock)| (clock, IoStep::Runs));
        let left = self.left.map(|left| (left, IoStep::Return));
        let all = stages.chain(woken).chain(runs).chain(left);
        let mut moments: Vec<_> = all.filter(|(clock, _)| *clock > begin).collect();
        moments.sort_unstable();
        moments
    }
}

/// The steps in their order.
pub fn steps(marks: &Marks<'_>, layers: &Layers, runs: &Runs, time: &TimeMap) -> Vec<(IoStep, StepTotals)> {
    let ns = |from, to| time.between(from, to).unwrap_or(0);
    let mut parts = BTreeMap::<IoStep, StepTotals>::new();
    let mut add = |step, instructions, ns, device: u64| {
        let part = parts.entry(step).or_default();
        part.times += 1;
        part.instructions += instructions;
        part.ns += ns;
        part.device += device.min(ns);
    };
    let begin = marks.queued().or(marks.left).unwrap_or(marks.entered);
    let mut handed = marks.handed.latest_first();
    let mut of_others = |from, to| {
        let others = (marks.others)(from, to).saturating_sub(handed.take(to));
        time.taken_by(others).unwrap_or(0).min(ns(from, to))
    };
    let mut others_ns = of_others(marks.entered, begin);
    let mut waiting = ns(marks.entered, begin) - others_ns;
    let executed = Layer::ALL.iter().zip(&layers.0);
    for (layer, instructions) in executed.filter(|(_, executed)| **executed > 0) {
        let ns = time.taken_by(*instructions).unwrap_or(0);
        waiting = waiting.saturating_sub(ns);
        add(IoStep::Layer(*layer), *instructions, ns, 0);
    }
    if waiting > 0 {
        add(IoStep::Waiting, 0, waiting, (marks.device)(marks.entered, begin));
    }
    let mut runs = runs.latest_first();
    let mut at = begin;
    for (clock, step) in marks.moments() {
        let others = of_others(at, clock);
        add(step, runs.take(clock), ns(at, clock) - others, (marks.device)(at, clock));
        others_ns += others;
        at = clock;
    }
    if others_ns > 0 {
        add(IoStep::Others, 0, others_ns, 0);
    }
    let after = runs.take(u64::MAX);
    if after > 0 {
        add(IoStep::After, after, 0, 0);
    }
    parts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(handed: &Runs) -> Marks<'_> {
        let none = &|_, _| 0;
        Marks { entered: 100, left: None, bios: &[], waits: &[], others: none, device: none, handed }
    }

    #[test]
    fn runs_are_taken_once_and_cut_where_a_step_ends() {
        let mut runs = Runs::default();
        for (from, to) in [(10, 20), (20, 30), (50, 60)] {
            runs.ran(from, to);
        }
        assert_eq!(runs.0, [(10, 30), (50, 60)]);
        runs.0.reverse();
        assert_eq!([25, 40, 55, 100].map(|upto| runs.take(upto)), [15, 5, 5, 5]);
    }

    #[test]
    fn without_bios_all_is_told_by_layer_and_the_rest_is_waiting() {
        let mut time = TimeMap::new(Some(2));
        time.begin(0, 0);
        let mut layers = Layers::default();
        layers.ran(Layer::Syscall, 30);
        layers.ran(Layer::Vfs, 50);
        let (none, handed) = (|_, _| 0, Runs::default());
        let marks = Marks { left: Some(200), others: &none, ..marks(&handed) };
        let part = |instructions, ns| StepTotals { times: 1, instructions, ns, device: 0 };
        let expected = [
            (IoStep::Layer(Layer::Syscall), part(30, 120)),
            (IoStep::Layer(Layer::Vfs), part(50, 200)),
            (IoStep::Waiting, part(0, 80)),
        ];
        assert_eq!(steps(&marks, &layers, &Runs::default(), &time), expected);
    }

    // Of 100 instructions of others, 30 were in a context that works for the I/O.
    #[test]
    fn time_of_others_is_a_step_of_its_own() {
        let mut time = TimeMap::new(Some(2));
        time.begin(0, 0);
        let mut handed = Runs::default();
        handed.ran(120, 150);
        let others = |from: u64, to: u64| (to - from).min(100);
        let device = |from: u64, to: u64| if (from, to) == (100, 300) { 60 } else { 0 };
        let marks = Marks { left: Some(300), others: &others, device: &device, ..marks(&handed) };
        let mut layers = Layers::default();
        layers.ran(Layer::Vfs, 50);
        let part = |instructions, ns| StepTotals { times: 1, instructions, ns, device: 0 };
        let expected = [
            (IoStep::Layer(Layer::Vfs), part(50, 200)),
            (IoStep::Waiting, StepTotals { device: 60, ..part(0, 800 - 200 - 280) }),
            (IoStep::Others, part(0, 280)),
        ];
        assert_eq!(steps(&marks, &layers, &Runs::default(), &time), expected);
    }
}
