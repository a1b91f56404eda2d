//! What a comparison says, as plain data.

use super::interval::Interval;
use super::{Both, Costs};
use iotrace_format::layer::Layer;
use serde::Serialize;

/// A side of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct DiffSide {
    /// What the trace is called.
    pub name: String,
    /// The kernel's version: the first words of its banner.
    pub kernel: String,
    /// I/Os of the workload that concern a disk.
    pub ios: usize,
    /// Its times were read now and then, while the guest ran live: they are approximate.
    pub approximate_times: bool,
}

/// How values of I/Os are spread, by nearest rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct IoSpread {
    /// Smallest.
    pub min: u64,
    /// Median.
    pub median: u64,
    /// 95th percentile.
    pub p95: u64,
    /// Largest.
    pub max: u64,
}

/// What something costs in an I/O that has it, by recording: the median over the recording's I/Os.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct CostTest {
    /// Of each recording of A.
    pub a: Vec<i64>,
    /// Of each recording of B.
    pub b: Vec<i64>,
    /// Interval of the median of A's; none with fewer than six recordings.
    pub a_median: Option<Interval>,
    /// Of the median of B's.
    pub b_median: Option<Interval>,
    /// Median of B's less that of A's.
    pub difference: i64,
    /// Interval of how much more B's are; none with fewer than four recordings of each side.
    pub interval: Option<Interval>,
    /// Probability of values so far apart by chance: the exact rank-sum test. None with fewer than four
    /// recordings of each side, which cannot tell.
    pub p: Option<f64>,
    /// It is more than chance: `p` is under 0.05, and as of hundreds of functions some are apart by chance, the
    /// difference is larger than the spread of either side.
    pub differs: bool,
}

/// How sure it is that the sides differ in something, the surest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// All I/Os of a system call have it in A, and no I/O has it in B.
    OnlyInA,
    /// All I/Os of a system call have it in B, and no I/O has it in A.
    OnlyInB,
    /// It is more than chance, as [`CostTest::differs`] says.
    BeyondChance,
    /// Recordings of one side differ as much among themselves, or there are too few of them to tell.
    #[default]
    None,
}

impl Evidence {
    /// One side alone has it.
    #[must_use]
    pub fn is_one_sided(self) -> bool {
        matches!(self, Self::OnlyInA | Self::OnlyInB)
    }

    /// Its place in lists: what one side alone has first, whichever side that is.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::OnlyInA | Self::OnlyInB => 0,
            Self::BeyondChance => 1,
            Self::None => 2,
        }
    }
}

/// A step of the way of I/Os.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct StepCost {
    /// Which part of the way it is of.
    pub part: &'static str,
    /// Its name: a layer, a stage's letter, and the like.
    pub step: &'static str,
    /// Times that it was gone.
    pub times: Both,
    /// Instructions executed in it for the I/Os.
    pub instructions: Both,
    /// Virtual nanoseconds that passed in it.
    pub elapsed: Both,
    /// Of those, the nanoseconds in which the task slept for a device.
    pub device: Both,
    /// Instructions of an I/O that has it, of A and of B.
    pub spread: [IoSpread; 2],
    /// Whether the instructions of an I/O differ.
    pub test: CostTest,
    /// How sure it is that the sides differ.
    pub evidence: Evidence,
}

/// The I/Os of one system call, added up.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Class {
    /// Its name.
    pub syscall: String,
    /// Pairs.
    pub pairs: usize,
    /// Costs of all pairs.
    pub costs: Costs,
    /// Instructions of an I/O, of A and of B.
    pub spread: [IoSpread; 2],
    /// Whether the instructions of an I/O differ.
    pub test: CostTest,
    /// The steps of its way, in their order.
    pub steps: Vec<StepCost>,
    /// Where the calls differ.
    pub places: Vec<CallDiff>,
    /// Functions that are called in another context.
    #[serde(rename = "handoffs")]
    pub handovers: Vec<HandoverChange>,
    /// All calls of all pairs as one tree; parents stand before their children.
    #[serde(skip)]
    pub flame: Vec<FlameNode>,
}

/// A function in a place of the tree of calls of both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct FlameNode {
    /// The function around it, by its place in the list.
    pub parent: Option<usize>,
    /// The function.
    pub function: String,
    /// How it differs, other than in costs.
    pub change: Option<CallChange>,
    /// Times it was called there.
    pub calls: Both,
    /// Instructions in it alone.
    pub own: Both,
    /// Instructions in it and in what stands below it.
    pub total: Both,
    /// Its places in the trees of A and of B.
    #[serde(skip)]
    pub nodes: [Option<u32>; 2],
}

/// How a place in the tree of calls differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallChange {
    /// B makes this call, A does not.
    New,
    /// A makes this call, B does not.
    Gone,
    /// B makes this call, and in it those that A makes without it.
    Inserted {
        /// The functions that A calls without it.
        inner: Vec<String>,
    },
    /// A makes this call, and in it those that B makes without it.
    Removed {
        /// The functions that B calls without it.
        inner: Vec<String>,
    },
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct CallDiff {
    /// The functions around it, the outermost first.
    pub path: Vec<String>,
    /// The function.
    pub function: String,
    /// How it differs.
    pub change: CallChange,
    /// Times it was called.
    pub calls: Both,
    /// Instructions in it alone.
    pub own: Both,
    /// Instructions in it and what it called.
    pub total: Both,
    /// Functions inside a new, gone or moved one, which are not listed by themselves.
    pub inside: usize,
    /// Whether that differs: of each recording the calls, of [`CallChange::Cost`] the instructions in it alone.
    pub test: CostTest,
}

/// How often something happened in a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct InContext {
    /// `task`, `softirq`, `interrupt`, `work` and its function, `other`.
    pub context: String,
    /// Calls there.
    pub calls: Both,
}

/// How a hand-over changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HandoverChangeKind {
    /// It was in the task's own call in A, and is handed over in B.
    Asynchronous,
    /// It was handed over in A, and is in the task's own call in B.
    Synchronous,
    /// It is handed over on both sides, to another context.
    #[default]
    Elsewhere,
}

/// A function that is called in another context.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct HandoverChange {
    /// The function.
    pub function: String,
    /// How it changed.
    pub kind: HandoverChangeKind,
    /// Where it is called.
    pub contexts: Vec<InContext>,
    /// Calls that are in another context in B.
    pub changed: u64,
    /// Functions inside it of which the same can be said, which are not listed by themselves.
    pub inside: usize,
    /// Whether the calls outside of the task's own differ, of each recording.
    pub test: CostTest,
}

/// A lock that is taken, or a wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// The function.
    pub function: String,
    /// What it is for: `lock`, a wait for a `page`, ...; empty if not known.
    pub what: String,
    /// Times it was called for the I/Os.
    pub calls: Both,
    /// Instructions in it and what it called.
    pub total: Both,
    /// Times that a task waited in it.
    pub waits: Both,
    /// For how long, in virtual nanoseconds, until the task ran again.
    pub elapsed: Both,
    /// Of that, for a device.
    pub device: Both,
    /// Whether that differs: of each recording the waits, or the calls if there were none.
    pub test: CostTest,
}

/// A function, wherever it is called.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct FunctionDiff {
    /// Name in the catalog.
    pub name: String,
    /// Layer.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub layer: Layer,
    /// The symbols, where they are not the same.
    pub symbols: Option<(String, String)>,
    /// Into what the compiler put it in A and in B, where it is not called.
    pub inlined: [Option<String>; 2],
    /// Times it was called.
    pub calls: Both,
    /// Instructions in it alone.
    pub own: Both,
    /// Instructions in it and in what it called.
    pub total: Both,
    /// I/Os for which it was called.
    pub ios: Both,
    /// Whether that means anything.
    pub test: CostTest,
    /// How sure it is that the sides differ.
    pub evidence: Evidence,
}

/// What a layer costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct LayerCost {
    /// The layer.
    #[serde(rename = "name")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub layer: Layer,
    /// Instructions in its functions.
    pub own: Both,
}

/// A pair of I/Os.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Pair {
    /// Which of the recordings they are of, from 1.
    pub recording: usize,
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
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Timelines {
    /// Of A.
    pub a: IoTimeline,
    /// Of B.
    pub b: IoTimeline,
}

/// An I/O in time: instructions executed by the whole guest since the system call was entered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct IoTimeline {
    /// When the call returned; none if it did not.
    pub length: Option<u64>,
    /// Its bios, by number.
    pub bios: Vec<BioTimeline>,
}

/// A bio in time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Diff {
    /// A.
    pub a: DiffSide,
    /// B.
    pub b: DiffSide,
    /// Recordings of each side.
    pub recordings: usize,
    /// There is no difference at all.
    pub equal: bool,
    /// What changed, by how much, where: for who reads nothing else.
    pub headline: Vec<String>,
    /// Costs of all pairs.
    pub costs: Costs,
    /// The steps of all I/Os' ways, in their order.
    pub steps: Vec<StepCost>,
    /// By system call.
    pub classes: Vec<Class>,
    /// By layer, in the order of the path.
    pub layers: Vec<LayerCost>,
    /// Locks and waits that differ.
    pub waits: Vec<Waiting>,
    /// Functions that differ: those of one side alone first, then those that differ beyond chance, then those whose
    /// median I/O differs, then the others; of each the largest difference first.
    pub functions: Vec<FunctionDiff>,
    /// Pairs that differ, the largest difference first.
    pub pairs: Vec<Pair>,
    /// I/Os without a partner.
    pub unpaired: Vec<Unpaired>,
    /// Files that were cut or are damaged: which, where and why.
    #[serde(rename = "incomplete")]
    pub cut: Vec<String>,
}

impl Diff {
    /// Places at which the calls differ so, of all system calls; with enough recordings to tell, beyond chance.
    pub fn places(&self, fits: impl Fn(&CallChange) -> bool) -> impl Iterator<Item = &CallDiff> {
        let told = |place: &&CallDiff| place.test.p.is_none() || place.test.differs;
        let places = self.classes.iter().flat_map(|class| &class.places).filter(told);
        places.filter(move |place| fits(&place.change))
    }
}
