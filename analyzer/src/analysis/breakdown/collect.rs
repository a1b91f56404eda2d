//! Adds up records while a trace is read.

use super::super::report::SlowestIos;
use super::costs::CostTable;
use super::{Breakdown, BreakdownBy, LatencyBucket, StepTime};
use crate::analysis::records::{ContextCall, RecordNeeds, RecordScope, RecordSink};
use crate::hash::Map;
use crate::model::{
    Bio, BioStage, CallEnd, CallId, Definitions, Io, IoTime, Level, Origin, Task, Wait, major_minor,
};
use iotrace_format::event::{Event, KindId};
use iotrace_format::layer::Layer;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What runs while no call is open.
const OUTSIDE: &str = "(outside of probed calls)";

/// The steps that btt prints, by the stages that they are between.
const STEPS: [(&str, BioStage, BioStage); 7] = [
    ("Q2G", BioStage::Queued, BioStage::Got),
    ("G2I", BioStage::Got, BioStage::Inserted),
    ("Q2M", BioStage::Queued, BioStage::Merged),
    ("I2D", BioStage::Inserted, BioStage::Issued),
    ("M2D", BioStage::Merged, BioStage::Issued),
    ("D2C", BioStage::Issued, BioStage::Completed),
    ("Q2C", BioStage::Queued, BioStage::Completed),
];

/// An open call: its rows, and whether it is the outermost one of its function and its layer in its context.
#[derive(Debug, Clone, Copy)]
struct OpenCost {
    function: usize,
    layer: usize,
    outermost: [bool; 2],
}

/// What was added up so far.
#[derive(Debug, Default)]
pub struct BreakdownCollector {
    found: Breakdown,
    functions: CostTable,
    layers: CostTable,
    tasks: CostTable,
    files: CostTable,
    devices: CostTable,
    waits: CostTable,
    stages: CostTable,
    kinds: FxHashMap<KindId, (usize, usize)>,
    open: Map<CallId, OpenCost>,
    /// How many calls of a row are open in a context: of a function (0) and of a layer (1).
    nested: FxHashMap<(u8, CallId, usize), u32>,
    /// By the bits that an elapsed time has.
    latencies: BTreeMap<u32, u64>,
    steps: [(u64, u64); STEPS.len()],
    slowest: SlowestIos,
}

impl BreakdownCollector {
    /// What was found, and the slowest I/Os.
    pub fn into_breakdown(self) -> (Breakdown, Vec<Io>) {
        let Self { mut found, functions, layers, tasks, files, devices, waits, stages, .. } = self;
        found.tables = BreakdownBy::ALL
            .into_iter()
            .zip([functions, layers, tasks, files, devices, waits, stages])
            .map(|(by, table)| (by, table.into_rows()))
            .collect();
        let bucket = |(bits, count): (u32, u64)| LatencyBucket {
            from: bits.checked_sub(1).map_or(0, |bits| 1 << bits),
            to: 1_u64.checked_shl(bits).unwrap_or(u64::MAX),
            count,
        };
        found.latencies = self.latencies.into_iter().map(bucket).collect();
        let steps = STEPS.iter().zip(self.steps);
        found.steps = steps.map(|((name, ..), (count, sum))| StepTime { name, count, sum }).collect();
        (found, self.slowest.into_ios())
    }

    fn rows_of(&mut self, kind: KindId, definitions: &Definitions) -> (usize, usize) {
        if let Some(rows) = self.kinds.get(&kind) {
            return *rows;
        }
        let layer = definitions.probes.get(&kind).map_or(Layer::Other, |probe| probe.layer);
        let rows = (self.functions.place(&definitions.title(kind)), self.layers.place(layer.name()));
        self.kinds.insert(kind, rows);
        rows
    }

    fn nest(&mut self, root: CallId, cost: [usize; 2]) -> [bool; 2] {
        let mut outermost = [false; 2];
        for (which, row) in cost.into_iter().enumerate() {
            let open = self.nested.entry((which as u8, root, row)).or_default();
            outermost[which] = *open == 0;
            *open += 1;
        }
        outermost
    }

    fn unnest(&mut self, root: CallId, cost: [usize; 2]) {
        for (which, row) in cost.into_iter().enumerate() {
            let key = (which as u8, root, row);
            match self.nested.get_mut(&key) {
                Some(open) if *open > 1 => *open -= 1,
                _ => _ = self.nested.remove(&key),
            }
        }
    }

    fn add_stages(&mut self, bio: &Bio, scope: &RecordScope) {
        // The way of one that went on as others is theirs.
        for pair in bio.stages.windows(2).filter(|_| bio.parts == 0) {
            let at = self.stages.place(pair[1].stage.short());
            let own = scope.time.length(pair[0].clock, pair[1].clock);
            self.stages.add(at, 1, own, scope.time.length(bio.queued(), pair[1].clock));
        }
        for ((_, from, to), (count, sum)) in STEPS.iter().zip(&mut self.steps) {
            // btt counts the insertion of a request for the bio that it was made for.
            let counts = *from != BioStage::Inserted || bio.at(BioStage::Merged).is_none();
            if let Some((from, to)) = bio.at(*from).zip(bio.at(*to)).filter(|_| counts) {
                *count += 1;
                *sum += scope.time.length(from, to);
            }
        }
    }
}

/// A task as tables name it.
fn named(task: &Task) -> String {
    format!("{}/{}", task.comm, task.pid)
}

impl RecordSink for BreakdownCollector {
    fn needs(&self) -> RecordNeeds {
        RecordNeeds { objects: true, contexts: true, ..RecordNeeds::default() }
    }

    fn io(&mut self, io: &Io, scope: &RecordScope) {
        self.found.ios += 1;
        self.found.outcomes.add_io(io);
        self.slowest.add(io.clone());
        self.slowest.settle_all(&scope.time);
        let Some(time) = io.time(&scope.time) else { return };
        if io.is_requested() {
            *self.latencies.entry(u64::BITS - time.elapsed.leading_zeros()).or_default() += 1;
        }
        let name = match &io.file {
            Some(file) if file.name.is_empty() => format!("inode {}", file.ino),
            Some(file) => file.name.clone(),
            None => format!("(no file: {})", io.syscall),
        };
        let at = self.files.place(&name);
        self.files.add(at, 1, IoTime::guest(time), time.elapsed);
    }

    fn bio(&mut self, bio: &Bio, scope: &RecordScope) {
        self.found.bios += 1;
        self.found.outcomes.add_bio(bio);
        if bio.origin == Origin::Queued {
            self.found.bytes = self.found.bytes.saturating_add(bio.bytes);
        }
        self.add_stages(bio, scope);
        let Some(time) = bio.time(&scope.time) else { return };
        let (major, minor) = major_minor(bio.dev);
        let name = bio.device.as_ref().map_or_else(|| format!("{major}:{minor}"), ToString::to_string);
        let at = self.devices.place(&name);
        self.devices.add(at, 1, time.device, time.elapsed);
    }

    fn wait(&mut self, wait: &Wait, scope: &RecordScope) {
        let (stopped, woken, resumed) = wait.clocks;
        let name = if wait.what.is_empty() {
            wait.function.clone()
        } else {
            format!("{} ({})", wait.what, wait.function)
        };
        let at = self.waits.place(&name);
        let own = scope.time.length(stopped, woken);
        self.waits.add(at, 1, own, scope.time.length(stopped, resumed));
    }

    fn entered(&mut self, call: &ContextCall, event: &Event<'_>, scope: &RecordScope) {
        let (function, layer) = self.rows_of(event.kind, &scope.definitions);
        let outermost = self.nest(call.root, [function, layer]);
        self.open.insert(call.id, OpenCost { function, layer, outermost });
        if call.selected && scope.contains(call.clock) {
            self.functions.add(function, 1, 0, 0);
            self.layers.add(layer, 1, 0, 0);
        }
    }

    fn ran(&mut self, call: Option<&ContextCall>, task: Task, from: u64, to: u64, _: &RecordScope) {
        if call.is_some_and(|call| !call.selected) {
            return;
        }
        let spent = to - from;
        self.found.instructions += spent;
        let (function, layer) = match call.and_then(|call| self.open.get(&call.id)) {
            Some(cost) => (cost.function, cost.layer),
            None => (self.functions.place(OUTSIDE), self.layers.place(OUTSIDE)),
        };
        self.functions.add(function, 0, spent, 0);
        self.layers.add(layer, 0, spent, 0);
        let level = call.map_or(Level::Task, |call| call.level);
        let of_task = self.tasks.place(&named(&task));
        match level {
            Level::Task | Level::Unknown => self.tasks.add(of_task, 0, spent, spent),
            level => {
                self.tasks.add(of_task, 0, 0, spent);
                let at = self.tasks.place(&format!("({})", level.name()));
                self.tasks.add(at, 0, spent, spent);
            }
        }
    }

    fn left(&mut self, end: &CallEnd, call: &ContextCall, scope: &RecordScope) {
        let Some(cost) = self.open.remove(&end.id) else { return };
        let OpenCost { function, layer, outermost } = cost;
        self.unnest(call.root, [function, layer]);
        if call.selected && scope.contains(call.clock) {
            self.functions.add(function, 0, 0, if outermost[0] { end.total } else { 0 });
            self.layers.add(layer, 0, 0, if outermost[1] { end.total } else { 0 });
        }
    }

    fn finish(&mut self, scope: &RecordScope) {
        self.found.definitions = scope.definitions.clone();
        self.found.workload = scope.workload;
    }
}
