//! What each I/O of a workload did: the calls made for it, as a tree.
//!
//! In: a trace. Out: its I/Os in order, each with the calls of its system call and of the contexts that it
//! handed over to (interrupts its commands rang for, softirqs raised and work items queued there), summed up by
//! their place in the tree.

use super::tree::Tree;
use crate::analysis::{Progress, subject::cut, workload};
use crate::context::TimeKeeper;
use crate::model::{
    Bio, Call, CallEnd, CallId, Definitions, Handover, HandoverKind, Io, IoId, TimeMap, WorkloadMark,
};
use crate::reader::{Flow, Trace, Visitor, read};
use crate::stitch::{Sink, Stitcher};
use iotrace_schemas::definition::Definition;
use iotrace_schemas::event::{Event, KindId, MMIO_READ, MMIO_WRITE};
use iotrace_schemas::trace::reader::ReadError;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// An I/O with what was done for it.
#[derive(Debug, Clone)]
pub struct Work {
    /// The I/O.
    pub io: Io,
    /// Its bios, by number.
    pub bios: Vec<Bio>,
    /// The calls made for it; the first level are contexts.
    pub tree: Tree,
    /// Accesses to devices made for it.
    pub accesses: u64,
    /// Interrupts that its commands rang for.
    pub interrupts: u64,
}

/// The I/Os of a trace.
#[derive(Debug, Clone)]
pub struct Run {
    /// The I/Os of the workload that concern a disk, in order.
    pub works: Vec<Work>,
    /// From clocks to virtual time.
    pub time: TimeMap,
    /// What the trace says about itself.
    pub definitions: Definitions,
    /// The file was cut or is damaged: where and why.
    pub cut: Option<String>,
}

/// Names of functions by number, the same for all traces that are compared.
#[derive(Debug, Clone, Default)]
pub struct Names {
    numbers: FxHashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        let next = self.names.len() as u32;
        let number = *self.numbers.entry(name.to_owned()).or_insert(next);
        if number == next {
            self.names.push(name.to_owned());
        }
        number
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }
}

/// Gathers the I/Os of a trace.
///
/// # Errors
/// [`ReadError`].
pub fn gather(file: &Trace, names: &mut Names, progress: Progress<'_>) -> Result<Run, ReadError> {
    let mut reading = Reading {
        names,
        stitcher: Stitcher::default(),
        gatherer: Gatherer::default(),
        keeper: TimeKeeper::default(),
    };
    let finished = read(file, &mut reading, progress)?;
    let Reading { mut stitcher, mut gatherer, keeper, .. } = reading;
    stitcher.finish(&mut gatherer);
    let cut = cut(&finished);
    let works = gatherer.finish();
    Ok(Run { works, time: keeper.map().clone(), definitions: finished.definitions, cut })
}

struct Reading<'a> {
    names: &'a mut Names,
    stitcher: Stitcher,
    gatherer: Gatherer,
    keeper: TimeKeeper,
}

impl Visitor for Reading<'_> {
    fn define(&mut self, definition: &Definition) {
        if let Definition::Probe(probe) = definition {
            self.gatherer.functions.insert(probe.id, self.names.number(&probe.function));
            if probe.stage.starts_with("sys.") {
                self.gatherer.syscalls.push(probe.id);
            }
        }
        self.keeper.define(definition);
        self.stitcher.define(definition);
    }

    fn event(&mut self, _: &Definitions, event: &Event<'_>) -> Flow {
        self.keeper.event(event);
        self.stitcher.event(event, &mut self.gatherer);
        Flow::Continue
    }
}

/// A context that is open, or belongs to nobody yet.
#[derive(Debug, Default)]
struct Context {
    io: Option<CallId>,
    tree: Tree,
    accesses: u64,
    interrupts: u64,
}

#[derive(Default)]
struct Gatherer {
    marks: Vec<WorkloadMark>,
    functions: FxHashMap<KindId, u32>,
    syscalls: Vec<KindId>,
    open: FxHashMap<CallId, Context>,
    /// Root and place in its tree of each open call.
    places: FxHashMap<CallId, (CallId, usize)>,
    /// What was done for each system call, by its call.
    done: FxHashMap<CallId, Context>,
    /// The system call that a root belongs to, as long as hand-overs from it may come.
    owners: FxHashMap<CallId, CallId>,
    ios: BTreeMap<IoId, Io>,
    bios: Vec<Bio>,
}

impl Gatherer {
    fn close(&mut self, root: CallId) {
        let Some(context) = self.open.remove(&root) else { return };
        let Some(io) = context.io else { return };
        let done = self.done.entry(io).or_default();
        done.tree.add(&context.tree);
        done.accesses += context.accesses;
        done.interrupts += context.interrupts;
    }

    fn finish(mut self) -> Vec<Work> {
        let open: Vec<_> = self.open.keys().copied().collect();
        open.into_iter().for_each(|root| self.close(root));
        let marked = workload(&self.marks).is_some();
        let mut bios = BTreeMap::<u64, Bio>::new();
        bios.extend(self.bios.drain(..).map(|bio| (bio.id, bio)));
        let ios = std::mem::take(&mut self.ios);
        let wanted = ios.into_values().filter(|io| (io.in_workload || !marked) && io.concerns_a_disk());
        let works = wanted.map(|io| {
            let done = io.call.and_then(|call| self.done.remove(&call)).unwrap_or_default();
            let of_io = io.bios.iter().chain(io.carried.iter().map(|c| &c.bio));
            let mut numbers: Vec<_> = of_io.copied().collect();
            numbers.sort_unstable();
            numbers.dedup();
            Work {
                bios: numbers.iter().filter_map(|bio| bios.get(bio).cloned()).collect(),
                tree: done.tree.settled(),
                accesses: done.accesses,
                interrupts: done.interrupts,
                io,
            }
        });
        works.collect()
    }
}

impl Sink for Gatherer {
    fn mark(&mut self, mark: WorkloadMark) {
        self.marks.push(mark);
    }

    fn entered(&mut self, call: &Call, event: &Event<'_>) {
        let Some(&function) = self.functions.get(&event.kind) else { return };
        let parent = call.parent.filter(|_| call.depth_in_context > 0);
        let place = parent.and_then(|parent| self.places.get(&parent).copied());
        let root = place.map_or(call.id, |(root, _)| root);
        if place.is_none() {
            let mut context = Context::default();
            if self.syscalls.contains(&event.kind) {
                context.io = Some(call.id);
                self.owners.insert(call.id, call.id);
            } else if let Some(owner) = self.owners.get(&call.id) {
                context.io = Some(*owner);
            }
            self.open.insert(root, context);
        }
        let Some(context) = self.open.get_mut(&root) else { return };
        let at = context.tree.enter(place.map(|(_, at)| at), function);
        self.places.insert(call.id, (root, at));
    }

    fn passed(&mut self, within: Option<CallId>, event: &Event<'_>) {
        let place = within.and_then(|within| self.places.get(&within));
        let Some(context) = place.and_then(|(root, _)| self.open.get_mut(root)) else { return };
        context.accesses += u64::from([MMIO_READ.id, MMIO_WRITE.id].contains(&event.kind));
    }

    fn left(&mut self, end: &CallEnd) {
        let Some((root, at)) = self.places.remove(&end.id) else { return };
        if let Some(context) = self.open.get_mut(&root) {
            context.tree.leave(at, end.own, end.total);
        }
        if root == end.id {
            self.close(root);
        }
    }

    fn handover(&mut self, handover: &Handover) {
        let Some(owner) = handover.from.root.and_then(|root| self.owners.get(&root)).copied() else { return };
        let Some(to) = handover.to.root else { return };
        let counts = match handover.kind {
            HandoverKind::Interrupt { .. } => 1,
            HandoverKind::Work { .. } | HandoverKind::Softirq { .. } => 0,
            // The task that is woken does its own work; a timer may be anybody's.
            HandoverKind::Wake { .. } | HandoverKind::Timer { .. } => return,
        };
        // What several I/Os handed over to (an interrupt for several commands) is the first one's.
        self.owners.entry(to).or_insert(owner);
        if let Some(context) = self.open.get_mut(&to) {
            context.interrupts += u64::from(context.io.is_none()) * counts;
            context.io.get_or_insert(owner);
        }
    }

    fn bio(&mut self, bio: Bio) {
        if bio.in_workload || workload(&self.marks).is_none() {
            self.bios.push(bio);
        }
    }

    fn io(&mut self, io: Io) {
        self.ios.insert(io.id, io);
    }
}
