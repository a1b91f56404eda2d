//! What another kernel does differently: two traces of one workload compared.
//!
//! In: two [`Run`]s, or several of each side. Out: a [`Diff`], a plain result that views render. I/Os are paired by
//! what the workload did; of the pairs the calls are compared place by place, and the costs step by step and
//! function by function. Costs are guest instructions: of one pair of replays they are exact. Recordings differ even
//! of the same kernel, by interrupts and memory layout: whether something differs is told from several of each
//! side, by a test.

mod align;
mod compare;
mod functions;
mod gate;
mod gather;
mod handovers;
mod headline;
mod interval;
mod names;
mod pair;
mod places;
mod presence;
mod rank;
mod result;
mod steps;
mod test;
#[cfg(test)]
mod tests;
mod timeline;
mod tree;
mod waits;

pub use compare::compare;
pub use gate::{Limit, LimitError, Passed};
pub use gather::{Run, Work, gather};
pub use interval::Interval;
pub use result::*;

use serde::Serialize;

/// A number on both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Both {
    /// Of A.
    pub a: u64,
    /// Of B.
    pub b: u64,
}

impl Both {
    /// B less A.
    #[must_use]
    pub fn difference(self) -> i64 {
        self.b.cast_signed().wrapping_sub(self.a.cast_signed())
    }

    /// The same on both sides.
    #[must_use]
    pub fn is_equal(self) -> bool {
        self.a == self.b
    }

    /// By how many per cent of A's B is larger; none if A's is 0.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        (self.a != 0).then(|| self.difference() as f64 * 100.0 / self.a as f64)
    }

    /// What is left of both without a part.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self { a: self.a.saturating_sub(part.a), b: self.b.saturating_sub(part.b) }
    }

    /// Adds to A's, else to B's.
    fn count(&mut self, side: usize, more: u64) {
        let number = if side == 0 { &mut self.a } else { &mut self.b };
        *number = number.saturating_add(more);
    }

    fn add(&mut self, other: Self) {
        self.count(0, other.a);
        self.count(1, other.b);
    }
}

/// What is compared of an I/O, or of many of them added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Costs {
    /// Instructions executed for it, in all contexts that belong to it.
    pub instructions: Both,
    /// Of those, in the system call itself.
    pub call: Both,
    /// Virtual nanoseconds from call to return; 0 without virtual time.
    pub elapsed: Both,
    /// Of those, the nanoseconds in which its task slept for a device: the recording host's.
    pub device: Both,
    /// Bios queued for it.
    pub bios: Both,
    /// Accesses to devices.
    pub accesses: Both,
    /// Interrupts that its commands rang for; one for commands of several I/Os counts for the first.
    pub interrupts: Both,
    /// Interrupts for its commands that count for another I/O.
    pub shared_interrupts: Both,
    /// Instructions of contexts that worked for it and count for another I/O.
    pub shared_instructions: Both,
    /// Times that its task waited.
    pub waits: Both,
    /// For how long, in virtual nanoseconds.
    pub waited: Both,
}

impl Costs {
    fn of(a: &Work, b: &Work) -> Self {
        let both = |of: &dyn Fn(&Work) -> u64| Both { a: of(a), b: of(b) };
        Self {
            instructions: both(&|work| work.tree.total()),
            call: both(&|work| work.call),
            elapsed: both(&|work| work.elapsed),
            device: both(&|work| work.device),
            bios: both(&|work| work.bios.len() as u64),
            accesses: both(&|work| work.accesses),
            interrupts: both(&|work| work.interrupts),
            shared_interrupts: both(&|work| work.shared_interrupts),
            shared_instructions: both(&|work| work.shared_instructions),
            waits: both(&|work| work.waits.len() as u64),
            waited: both(&|work| work.waits.iter().map(|wait| wait.ns).sum()),
        }
    }

    fn add(&mut self, other: &Self) {
        self.instructions.add(other.instructions);
        self.call.add(other.call);
        self.elapsed.add(other.elapsed);
        self.device.add(other.device);
        self.bios.add(other.bios);
        self.accesses.add(other.accesses);
        self.interrupts.add(other.interrupts);
        self.shared_interrupts.add(other.shared_interrupts);
        self.shared_instructions.add(other.shared_instructions);
        self.waits.add(other.waits);
        self.waited.add(other.waited);
    }
}
