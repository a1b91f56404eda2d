//! Contexts, and the I/Os that they work for.
//!
//! A system call's context is its I/O's, and so is each that it handed over to: interrupts that its commands rang
//! for, softirqs raised and work items queued there. A context that several I/Os handed over to is the first one's,
//! so that sums are right; with the others it counts as shared.

use super::others::ExecutionLog;
use super::steps::{Layers, Marks, Runs, steps};
use super::{DiffBio, TaskWait, Work};
use crate::analysis::Workload;
use crate::analysis::diff::names::FunctionNames;
use crate::analysis::diff::tree::Tree;
use crate::context::DEEPEST;
use crate::hash::{Map, Set};
use crate::model::{
    self, Call, CallEnd, CallId, Definitions, Handover, HandoverKind, Io, IoId, Level, Switch, TimeMap,
    WorkloadMark,
};
use crate::session::{Observer, Pass};
use crate::trackers::Sink;
use iotrace_format::definition::{At, Definition, Probe};
use iotrace_format::event::{Event, KindId, MARK_BEGIN, MMIO_READ, MMIO_WRITE};
use iotrace_format::layer::Layer;
use iotrace_format::stage::{Begins, Stage};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Most I/Os that a context is told to work for: the first.
const OWNERS: usize = 256;

/// What a probe's function is to the gatherer.
#[derive(Debug, Clone, Copy)]
struct Function {
    number: u32,
    layer: Layer,
    syscall: bool,
    queues: bool,
    /// It begins an interrupt or a softirq.
    interrupts: bool,
}

/// An open call.
#[derive(Debug, Clone, Copy)]
struct Place {
    root: CallId,
    at: u32,
    layer: Layer,
    depth: usize,
    /// Its context is an interrupt or a softirq.
    interrupt: bool,
}

/// System calls of the I/Os that a context works for, in the order in which they handed over to it.
#[derive(Debug, Clone, Default)]
struct Owners {
    all: Vec<CallId>,
    known: Set<CallId>,
}

impl Owners {
    fn add(&mut self, owner: CallId) {
        if self.all.len() < OWNERS && self.known.insert(owner) {
            self.all.push(owner);
        }
    }
}

/// A context that is open, or the contexts of an I/O that are over.
#[derive(Debug, Default)]
struct Context {
    /// System calls of the I/Os that it works for.
    owners: Vec<CallId>,
    tree: Tree,
    accesses: u64,
    interrupts: u64,
    layers: Layers,
    runs: Runs,
    /// The runs of contexts other than the system calls' own, also before the first bio.
    handed: Runs,
    shared_interrupts: u64,
    shared_instructions: u64,
}

/// Gathers.
#[derive(Default)]
pub struct Gatherer {
    names: FunctionNames,
    functions: FxHashMap<KindId, Function>,
    workload: Workload,
    open: Map<CallId, Context>,
    places: Map<CallId, Place>,
    /// Contexts that are over, by the system calls of their I/Os.
    done: Map<CallId, Context>,
    /// System calls whose I/O has queued a bio.
    queued: Set<CallId>,
    /// Whom contexts work for, also those that have not begun.
    owners: Map<CallId, Owners>,
    ios: BTreeMap<IoId, Io>,
    bios: BTreeMap<u64, model::Bio>,
    waits: Map<IoId, Vec<model::Wait>>,
    log: ExecutionLog,
    /// Clock of the last event.
    clock: u64,
}

impl Gatherer {
    /// Takes in a probe.
    fn add_function(&mut self, probe: &Probe) {
        let number = self.names.define(probe);
        let layer = self.names.about(number).layer;
        let syscall = matches!(probe.stage, Some(Stage::Syscall(_)));
        let queues = probe.stage == Some(Stage::BioQueue) && probe.at != At::Exit;
        let begins = probe.stage.as_ref().and_then(Stage::begins);
        let interrupts = matches!(begins, Some(Begins::Interrupt | Begins::Softirq));
        self.functions.insert(probe.id, Function { number, layer, syscall, queues, interrupts });
    }

    fn close(&mut self, root: CallId) {
        let Some(context) = self.open.remove(&root) else { return };
        let Some((owner, others)) = context.owners.split_first() else { return };
        for other in others {
            let other = self.done.entry(*other).or_default();
            other.shared_interrupts += context.interrupts;
            other.shared_instructions += context.tree.total();
            other.handed.add(&context.handed);
        }
        let done = self.done.entry(*owner).or_default();
        done.tree.add(&context.tree);
        done.accesses += context.accesses;
        done.interrupts += context.interrupts;
        done.layers.add(&context.layers);
        done.runs.add(&context.runs);
        done.handed.add(&context.handed);
    }

    /// The I/Os of the workload that concern a disk, without the kernel's own work.
    pub fn finish(mut self, time: &TimeMap) -> (Vec<Work>, FunctionNames) {
        let open: Vec<_> = self.open.keys().copied().collect();
        open.into_iter().for_each(|root| self.close(root));
        self.log.settle(self.clock);
        let marked = self.workload.has_begun();
        let ios = std::mem::take(&mut self.ios).into_values();
        let of_workload = ios.filter(|io| io.in_workload || !marked);
        let wanted = of_workload.filter(|io| io.is_requested() && io.concerns_a_disk());
        let works = wanted.map(|io| self.work(&io, time)).collect();
        (works, self.names)
    }

    fn work(&mut self, io: &Io, time: &TimeMap) -> Work {
        let done = io.call.and_then(|call| self.done.remove(&call)).unwrap_or_default();
        let waits = self.waits.remove(&io.id).unwrap_or_default();
        let of_io = |numbers: &[u64]| numbers.iter().filter_map(|bio| self.bios.get(bio)).collect::<Vec<_>>();
        let (queued, all) = (of_io(&io.bios), of_io(&io.all_bios()));
        let device = |from, to| if time.is_virtual() { io.device_within(time, from, to) } else { 0 };
        let others = |from, to| self.log.of_others(io.task.address, from, to);
        let marks = Marks {
            entered: io.entered,
            left: io.left,
            bios: &queued,
            waits: &waits,
            others: &others,
            device: &device,
            handed: &done.handed,
        };
        let steps = steps(&marks, &done.layers, &done.runs, time);
        let ns = |from, to| time.between(from, to).unwrap_or(0);
        Work {
            io: io.id,
            syscall: io.syscall.to_string(),
            task: io.task.comm.to_string(),
            file: io.file.as_ref().map_or_else(String::new, |file| file.name.clone()),
            position: io.position,
            count: io.count,
            clocks: (io.entered, io.left),
            elapsed: io.left.map_or(0, |left| ns(io.entered, left)),
            device: io.left.map_or(0, |left| device(io.entered, left)),
            call: io.cost,
            bios: all.into_iter().map(bio).collect(),
            tree: done.tree,
            accesses: done.accesses,
            interrupts: done.interrupts,
            shared_interrupts: done.shared_interrupts,
            shared_instructions: done.shared_instructions,
            waits: waits.into_iter().map(|wait| waited(wait, time, device)).collect(),
            steps,
        }
    }
}

fn bio(bio: &model::Bio) -> DiffBio {
    DiffBio {
        id: bio.id,
        op: bio.op.rwbs(),
        sector: bio.sector,
        bytes: bio.bytes,
        stages: bio.stages.clone(),
    }
}

fn waited(wait: model::Wait, time: &TimeMap, device: impl Fn(u64, u64) -> u64) -> TaskWait {
    let (blocked, _, runs) = wait.clocks;
    let (ns, device) = (time.between(blocked, runs).unwrap_or(0), device(blocked, runs));
    TaskWait { function: wait.function, what: wait.what, clocks: wait.clocks, ns, device }
}

impl Observer for Gatherer {
    fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition
            && probe.at != At::Inserted
        {
            self.add_function(probe);
        }
    }

    fn event(&mut self, pass: &Pass, _: &Definitions, event: &Event<'_>) {
        if let Some(task) = pass.describer.told_task(event) {
            self.log.named(task, &pass.describer.task(task));
        }
        self.log.at(event.clock, event.task, event.vcpu);
        self.clock = event.clock;
    }
}

impl Sink for Gatherer {
    fn mark(&mut self, mark: WorkloadMark) {
        if mark.code == MARK_BEGIN && !self.workload.has_begun() {
            // What was before is not of the workload.
            self.done.clear();
            self.ios.clear();
            self.bios.clear();
            self.waits.clear();
        }
        self.workload.mark(mark);
    }

    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        let Some(&function) = self.functions.get(&event.kind) else { return };
        let parent = call.parent.filter(|_| call.depth_in_context > 0);
        let place = parent.and_then(|parent| self.places.get(&parent).copied());
        let root = place.map_or(call.id, |place| place.root);
        if place.is_none() {
            if function.syscall {
                let mut owners = Owners::default();
                owners.add(call.id);
                self.owners.insert(call.id, owners);
            }
            let owners = self.owners.get(&call.id).map(|owners| owners.all.clone()).unwrap_or_default();
            self.open.insert(root, Context { owners, ..Context::default() });
        }
        let Some(context) = self.open.get_mut(&root) else { return };
        if function.queues {
            self.queued.extend(context.owners.first());
        }
        let (parent, depth) = match place {
            None => (None, 0),
            Some(place) if place.depth < DEEPEST => (Some(place.at), place.depth + 1),
            // Where returns are missing, calls would be ever deeper: it stands beside its caller.
            Some(place) => (context.tree.nodes[place.at as usize].parent, place.depth),
        };
        let at = context.tree.enter(parent, function.number);
        let interrupt = match place {
            Some(place) => place.interrupt,
            None => function.interrupts || call.level != Level::Task,
        };
        self.places.insert(call.id, Place { root, at, layer: function.layer, depth, interrupt });
    }

    fn passed(&mut self, within: Option<CallId>, event: &Event<'_>) {
        let place = within.and_then(|within| self.places.get(&within));
        let Some(context) = place.and_then(|place| self.open.get_mut(&place.root)) else { return };
        context.accesses += u64::from([MMIO_READ.id, MMIO_WRITE.id].contains(&event.kind));
        if self.functions.get(&event.kind).is_some_and(|function| function.queues) {
            self.queued.extend(context.owners.first());
        }
    }

    fn ran(&mut self, call: CallId, from: u64, to: u64) {
        let Some(place) = self.places.get(&call) else { return };
        if place.interrupt {
            self.log.interrupt_ran(from, to);
        }
        let Some(context) = self.open.get_mut(&place.root) else { return };
        // Whom it works for may be known only later.
        if context.owners.first() != Some(&place.root) {
            context.handed.ran(from, to);
        }
        match context.owners.first() {
            Some(owner) if !self.queued.contains(owner) => context.layers.ran(place.layer, to - from),
            _ => context.runs.ran(from, to),
        }
    }

    fn left(&mut self, end: &CallEnd) {
        let Some(place) = self.places.remove(&end.id) else { return };
        if let Some(context) = self.open.get_mut(&place.root) {
            context.tree.leave(place.at, end.own);
        }
        if place.root == end.id {
            self.close(place.root);
        }
    }

    fn switched(&mut self, switch: &Switch) {
        self.log.switched(switch.clock, switch.to);
    }

    fn handover(&mut self, handover: &Handover) {
        let (Some(from), Some(to)) = (handover.from.root, handover.to.root) else { return };
        let Some(owners) = self.owners.get(&from).map(|owners| owners.all.clone()) else { return };
        let rings = match handover.kind {
            HandoverKind::Interrupt { irq, .. } => irq.is_some(),
            HandoverKind::Work { .. } | HandoverKind::Softirq { .. } | HandoverKind::IrqThread { .. } => {
                false
            }
            // The task that is woken does its own work; a timer may be anybody's.
            HandoverKind::Wake { .. } | HandoverKind::Timer { .. } => return,
        };
        let all = self.owners.entry(to).or_default();
        owners.into_iter().for_each(|owner| all.add(owner));
        if let Some(context) = self.open.get_mut(&to) {
            context.interrupts += u64::from(rings && context.interrupts == 0);
            context.owners.clone_from(&all.all);
        }
    }

    fn wait(&mut self, wait: model::Wait) {
        self.waits.entry(wait.io).or_default().push(wait);
    }

    fn bio(&mut self, bio: model::Bio) {
        if bio.in_workload || !self.workload.has_begun() {
            self.bios.insert(bio.id, bio);
        }
    }

    fn io(&mut self, io: Io) {
        self.ios.insert(io.id, io);
    }
}
