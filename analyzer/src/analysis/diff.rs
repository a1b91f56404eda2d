//! What another kernel does differently: two traces of one workload compared.
//!
//! In: two [`Run`]s. Out: a [`Diff`], a plain result that views render. I/Os are paired by what the workload
//! did; of the pairs the calls are compared place by place, and the costs function by function. Costs are guest
//! instructions: of one pair of replays they are exact. Recordings differ even of the same kernel, by interrupts and memory
//! layout: whether a function differs is told from several of each side, by a test.

mod compare;
mod flame;
mod gate;
mod gather;
mod pair;
mod rank;
mod timeline;
mod tree;

pub use compare::compare;
pub use gate::{Limit, Passed};
pub use gather::{Names, Run, Work, gather};
pub use tree::{Node, Tree};

use serde::Serialize;

/// A number on both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

    fn add(&mut self, other: Self) {
        self.a += other.a;
        self.b += other.b;
    }
}

/// What is compared of an I/O, or of many of them added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Instructions executed for it, in all contexts that belong to it.
    pub instructions: Both,
    /// Of those, in the system call itself.
    pub call: Both,
    /// Virtual nanoseconds from call to return; 0 without virtual time.
    pub elapsed: Both,
    /// Bios queued for it.
    pub bios: Both,
    /// Accesses to devices.
    pub accesses: Both,
    /// Interrupts that its commands rang for.
    pub interrupts: Both,
}

impl Costs {
    fn add(&mut self, other: &Self) {
        self.instructions.add(other.instructions);
        self.call.add(other.call);
        self.elapsed.add(other.elapsed);
        self.bios.add(other.bios);
        self.accesses.add(other.accesses);
        self.interrupts.add(other.interrupts);
    }
}

/// A side of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What the trace is called.
    pub name: String,
    /// The kernel's version: the first words of its banner.
    pub kernel: String,
    /// I/Os of the workload that concern a disk.
    pub ios: usize,
}

/// The I/Os of one system call, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Its name.
    pub syscall: String,
    /// Pairs.
    pub pairs: usize,
    /// Costs of all pairs.
    pub costs: Costs,
    /// Where the calls differ.
    pub places: Vec<Place>,
    /// All calls of all pairs as one tree; parents stand before their children.
    #[serde(skip)]
    pub flame: Vec<FlameNode>,
}

/// A function in a place of the tree of calls of both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FlameNode {
    /// The function around it, by its place in the list.
    pub parent: Option<usize>,
    /// The function.
    pub function: String,
    /// How it differs, other than in costs.
    pub change: Option<Change>,
    /// Times it was called there.
    pub calls: Both,
    /// Instructions in it alone.
    pub own: Both,
    /// Instructions in it and in what stands below it.
    pub total: Both,
}

/// How a place in the tree of calls differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// B makes this call, A does not.
    New,
    /// A makes this call, B does not.
    Gone,
    /// The function is called in another place: where it was in A.
    Moved {
        /// The functions around it there, the outermost first.
        from: Vec<String>,
    },
    /// Another function stands in the place of this one of A.
    Renamed {
        /// A's function.
        from: String,
    },
    /// It is called more or less often, or costs more or less itself.
    Cost,
}

/// A place in the tree of calls that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The functions around it, the outermost first.
    pub path: Vec<String>,
    /// The function.
    pub function: String,
    /// How it differs.
    pub change: Change,
    /// Times it was called.
    pub calls: Both,
    /// Instructions in it alone.
    pub own: Both,
    /// Instructions in it and what it called.
    pub total: Both,
    /// Functions inside a new, gone or moved one, which are not listed by themselves.
    pub inside: usize,
}

/// What a function costs itself in an I/O that calls it, by recording: the median over the recording's I/Os.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Test {
    /// Of each recording of A, in instructions.
    pub a: Vec<i64>,
    /// Of each recording of B.
    pub b: Vec<i64>,
    /// Median of B's less that of A's.
    pub difference: i64,
    /// Probability of values so far apart by chance: the exact rank-sum test. None with fewer than four
    /// recordings of each side, which cannot tell.
    pub p: Option<f64>,
    /// It is more than chance: `p` is under 0.05, and as of hundreds of functions some are apart by chance, the
    /// difference is larger than the spread of either side.
    pub differs: bool,
}

/// A function, wherever it is called.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Function {
    /// Name in the catalog.
    pub name: String,
    /// Layer.
    pub layer: String,
    /// The symbols, where they are not the same.
    pub symbols: Option<(String, String)>,
    /// Times it was called.
    pub calls: Both,
    /// Instructions in it alone.
    pub own: Both,
    /// Whether that means anything.
    pub test: Test,
}

/// A layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Name.
    pub name: String,
    /// Instructions in its functions.
    pub own: Both,
}

/// A pair of I/Os.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Their numbers.
    pub ios: Both,
    /// What they were.
    pub what: String,
    /// Their costs.
    pub costs: Costs,
    /// How their bios differ, if they do.
    pub bios: Option<String>,
    /// When their bios reached which stage.
    #[serde(skip)]
    pub timelines: Timelines,
}

/// The timelines of a pair of I/Os.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timelines {
    /// Of A.
    pub a: Timeline,
    /// Of B.
    pub b: Timeline,
}

/// An I/O in time: instructions executed by the whole guest since the system call was entered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When the call returned; none if it did not.
    pub length: Option<u64>,
    /// Its bios, by number.
    pub bios: Vec<BioTimeline>,
}

/// A bio in time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BioTimeline {
    /// Its number.
    pub bio: u64,
    /// What it was.
    pub what: String,
    /// The stages that it reached, by their short names, and when.
    pub stages: Vec<(&'static str, i64)>,
}

/// An I/O that has no partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unpaired {
    /// It is of A, else of B.
    pub of_a: bool,
    /// Its number.
    pub io: u64,
    /// What it was.
    pub what: String,
    /// Why it has none.
    pub reason: String,
}

/// The comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Diff {
    /// A.
    pub a: Side,
    /// B.
    pub b: Side,
    /// Recordings of each side.
    pub recordings: usize,
    /// There is no difference at all.
    pub equal: bool,
    /// What changed, by how much, where: for who reads nothing else.
    pub headline: Vec<String>,
    /// Costs of all pairs.
    pub costs: Costs,
    /// By system call.
    pub classes: Vec<Class>,
    /// By layer, in the order of the path.
    pub layers: Vec<Layer>,
    /// Functions that differ, the largest difference first.
    pub functions: Vec<Function>,
    /// Pairs that differ, the largest difference first.
    pub pairs: Vec<Pair>,
    /// I/Os without a partner.
    pub unpaired: Vec<Unpaired>,
    /// A file was cut or is damaged: which, where and why.
    pub cut: Option<String>,
}
