//! The trace's calls, and the functions that it has in common with function_graph.
//!
//! In: calls as they begin and end, names of functions. Out: both accounts, restricted to the functions that
//! both saw, and the names that were left out.

use super::graph::{Graph, Way, one_name};
use super::nesting::{CallSequence, CallStep, Called};
use crate::model::{Call, CallEnd, CallId, Definitions, Ending};
use iotrace_format::definition::{At, Probe};
use iotrace_format::event::KindId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Calls that function_graph follows in a task at the same time: `FTRACE_RETFUNC_DEPTH`, include/linux/ftrace.h, up to
/// Linux 6.10; later ones have room for more.
const RETFUNC_DEPTH: usize = 50;

/// Where the guest's tracer may call the scheduler when it is done: `preempt_enable_notrace`, include/linux/preempt.h.
/// Like an interrupt it comes where no function called it.
const RESCHEDULES: &str = "preempt_schedule_notrace";

/// Functions that one side saw and that are not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// Called in the trace, and not followed by function_graph: it cannot.
    pub not_followed: BTreeSet<String>,
    /// Several functions have this name.
    pub ambiguous: BTreeSet<String>,
    /// Called in the trace, which has no returns of it.
    pub without_returns: BTreeSet<String>,
    /// Seen by function_graph, and not probed.
    pub not_probed: BTreeSet<String>,
}

/// A call of the trace, of whatever function.
#[derive(Debug, Clone, Copy)]
struct Begun {
    kind: KindId,
    parent: Option<CallId>,
    task: u32,
    boundary: bool,
    unseen: bool,
}

/// All calls of the trace.
#[derive(Debug, Default)]
pub struct AllCalls {
    /// By their numbers, which begin with 1.
    begun: Vec<Begun>,
    steps: Vec<(Way, CallId, u64)>,
}

impl AllCalls {
    /// A call begins, of a task with this process id.
    pub fn entered(&mut self, call: &Call, pid: u32) {
        let Call { id, kind, parent, boundary, clock, .. } = *call;
        self.begun.push(Begun { kind, parent, task: pid, boundary, unseen: false });
        self.steps.push((Way::In, id, clock));
    }

    /// A call ended.
    pub fn left(&mut self, end: &CallEnd) {
        if let Some(begun) = self.begun.get_mut(end.id as usize - 1) {
            begun.unseen = end.ending == Ending::Unseen;
            self.steps.push((Way::Out, end.id, end.clock));
        }
    }

    /// The calls of some functions. The others, which they may be in, are left out.
    fn restrict(&self, common: &CommonFunctions) -> CallSequence {
        let mut side = CallSequence::default();
        // Of each call, itself or the one it is in that is one of ours; and the interrupt it is in.
        let mut around: Vec<(Option<usize>, Option<usize>)> = Vec::with_capacity(self.begun.len());
        for (way, id, at) in &self.steps {
            let index = *id as usize - 1;
            let begun = &self.begun[index];
            if *way == Way::Out {
                if common.by_kind.contains_key(&begun.kind) {
                    let call = around[index].0.unwrap_or_default();
                    side.steps.push(CallStep { way: *way, call, at: *at });
                }
                continue;
            }
            let (parent, outer) =
                begun.parent.and_then(|p| around.get(p as usize - 1)).copied().unwrap_or_default();
            let is_interrupt = begun.boundary && !common.with_exit.contains(&begun.kind);
            let interrupt = if is_interrupt || common.reschedules.contains(&begun.kind) {
                side.interrupts.insert(index, outer);
                Some(index)
            } else {
                outer
            };
            let Some(&function) = common.by_kind.get(&begun.kind) else {
                around.push((parent, interrupt));
                continue;
            };
            let (call, entered) = (side.calls.len(), side.steps.len());
            let Begun { task, unseen, .. } = *begun;
            side.calls.push(Called { function, task, parent, interrupt, entered, unseen, full: false });
            side.steps.push(CallStep { way: *way, call, at: *at });
            around.push((Some(call), interrupt));
        }
        side
    }

    /// Kinds of the entries within a stretch of time.
    fn kinds(&self, window: (u64, u64)) -> BTreeSet<KindId> {
        let within = self.steps.iter().filter(|(_, _, at)| (window.0..=window.1).contains(at));
        within.map(|(_, id, _)| self.begun[*id as usize - 1].kind).collect()
    }
}

/// The functions that both sides saw.
#[derive(Debug, Default)]
pub struct CommonFunctions {
    /// Their names.
    pub names: Vec<String>,
    by_name: BTreeMap<String, usize>,
    by_kind: BTreeMap<KindId, usize>,
    /// Entries of functions whose returns are probed, common or not.
    with_exit: BTreeSet<KindId>,
    /// Entries of [`RESCHEDULES`].
    reschedules: BTreeSet<KindId>,
    /// Those that are not common.
    pub left_out: LeftOut,
}

/// Both accounts of the functions that both sides saw: function_graph's, and the trace's.
#[must_use]
pub fn sides(
    graph: &Graph,
    all: &AllCalls,
    definitions: &Definitions,
    window: Option<(u64, u64)>,
) -> (CallSequence, CallSequence, CommonFunctions) {
    let mut common = CommonFunctions::find(graph, definitions);
    common.note_left_out(graph, definitions, &all.kinds(window.unwrap_or((0, u64::MAX))));
    (common.restrict(graph), all.restrict(&common), common)
}

/// A function as function_graph calls it.
fn name(probe: &Probe) -> String {
    match &probe.module {
        Some(module) => format!("{} [{module}]", probe.symbol),
        None => one_name(&probe.symbol),
    }
}

impl CommonFunctions {
    fn find(graph: &Graph, definitions: &Definitions) -> Self {
        let mut common = Self::default();
        let at = |at| definitions.probes.values().filter(move |probe| probe.at == at);
        let exits: BTreeSet<_> = at(At::Exit).map(name).collect();
        let seen = graph.steps.iter().map(|step| (&step.function, 1));
        let followed: BTreeMap<_, _> = match graph.traced.is_empty() {
            true => seen.collect(),
            false => graph.traced.iter().map(|(name, count)| (name, *count)).collect(),
        };
        for probe in at(At::Entry) {
            let name = name(probe);
            if name == RESCHEDULES {
                common.reschedules.insert(probe.id);
            }
            if !exits.contains(&name) {
                continue;
            }
            common.with_exit.insert(probe.id);
            if followed.get(&name) == Some(&1) {
                let next = common.names.len();
                let number = *common.by_name.entry(name.clone()).or_insert(next);
                if number == next {
                    common.names.push(name);
                }
                common.by_kind.insert(probe.id, number);
            }
        }
        common
    }

    fn note_left_out(&mut self, graph: &Graph, definitions: &Definitions, called: &BTreeSet<KindId>) {
        let mut probed = BTreeSet::new();
        let entries = definitions.probes.values().filter(|probe| probe.at == At::Entry);
        for (probe, name) in entries.map(|probe| (probe, name(probe))) {
            probed.insert(name.clone());
            if !called.contains(&probe.id) || self.by_kind.contains_key(&probe.id) {
                continue;
            }
            let left_out = &mut self.left_out;
            let list = match graph.traced.get(&name) {
                _ if !self.with_exit.contains(&probe.id) => &mut left_out.without_returns,
                Some(2..) => &mut left_out.ambiguous,
                _ => &mut left_out.not_followed,
            };
            list.insert(name);
        }
        let unknown = graph.steps.iter().filter(|step| !probed.contains(&step.function));
        self.left_out.not_probed.extend(unknown.map(|step| step.function.clone()));
    }

    fn restrict(&self, graph: &Graph) -> CallSequence {
        let mut side = CallSequence::default();
        let mut numbers = vec![0; graph.calls];
        // Of each task, its open calls of common functions, and how many of all.
        let mut tasks: BTreeMap<u32, (Vec<usize>, usize)> = BTreeMap::new();
        for step in &graph.steps {
            let (open, depth) = tasks.entry(step.pid).or_default();
            *depth = if step.way == Way::In { *depth + 1 } else { depth.saturating_sub(1) };
            if let (true, Some(&last)) = (step.way == Way::In, open.last()) {
                // There is room for this one.
                side.calls[last].full = false;
            }
            let Some(&function) = self.by_name.get(&step.function) else { continue };
            if step.way == Way::In {
                let (call, parent, entered) = (side.calls.len(), open.last().copied(), side.steps.len());
                let (task, full) = (step.pid, *depth == RETFUNC_DEPTH);
                side.calls.push(Called {
                    function,
                    task,
                    parent,
                    interrupt: None,
                    entered,
                    unseen: false,
                    full,
                });
                numbers[step.call] = call;
                open.push(call);
            } else {
                open.pop();
            }
            side.steps.push(CallStep { way: step.way, call: numbers[step.call], at: step.line as u64 });
        }
        side
    }
}

#[cfg(test)]
mod tests;
