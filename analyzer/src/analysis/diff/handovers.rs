//! Functions that are called in another context: what was done in the task's own call and is handed over now, and the
//! reverse.
//!
//! In: the calls of a system call's I/Os on both sides, of which the outermost tell the context.

use super::compare::Group;
use super::names::FunctionNames;
use super::test::test;
use super::tree::Tree;
use super::{Both, HandoverChange, HandoverChangeKind, InContext};
use iotrace_format::stage::{Begins, Stage};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// A context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    /// The system call of the I/O.
    Task,
    /// A work item, by the number of its function.
    Work(u32),
    Softirq,
    Interrupt,
    Other,
}

impl Context {
    /// Of each node of a tree. What stands around it, the outermost, tells.
    fn of_nodes(tree: &Tree, names: &FunctionNames) -> Vec<Self> {
        let mut contexts: Vec<Self> = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let context = match node.parent.map(|parent| (parent as usize, contexts[parent as usize])) {
                None => Self::of_root(names.about(node.name).stage.as_ref()),
                // What a work item is, the first function in it tells.
                Some((parent, Self::Other)) if is_work(tree, parent, names) => Self::Work(node.name),
                Some((_, around)) => around,
            };
            contexts.push(context);
        }
        contexts
    }

    fn of_root(stage: Option<&Stage>) -> Self {
        match stage.and_then(Stage::begins) {
            Some(Begins::Syscall) => Self::Task,
            Some(Begins::Softirq) => Self::Softirq,
            Some(Begins::Interrupt) => Self::Interrupt,
            // What a work item is, the first function in it tells.
            Some(Begins::Work) | None => Self::Other,
        }
    }

    fn name(self, names: &FunctionNames) -> String {
        match self {
            Self::Task => "task".into(),
            Self::Work(function) => format!("work {}", names.name(function)),
            Self::Softirq => "softirq".into(),
            Self::Interrupt => "interrupt".into(),
            Self::Other => "other".into(),
        }
    }
}

/// Whether a node is the outermost call of a work item.
fn is_work(tree: &Tree, at: usize, names: &FunctionNames) -> bool {
    tree.nodes[at].parent.is_none() && names.about(tree.nodes[at].name).stage == Some(Stage::WorkRun)
}

/// Calls of a function by context, and the functions that it was called from.
#[derive(Debug, Default)]
struct Calls {
    contexts: BTreeMap<Context, Both>,
    parents: BTreeSet<u32>,
}

impl Calls {
    /// Calls that are in another context in B, and how that is to be called; none unless most of those missing in
    /// one context are found in another.
    fn changed(&self) -> Option<(u64, HandoverChangeKind)> {
        let both = self
            .contexts
            .values()
            .fold(Both::default(), |sum, calls| Both { a: sum.a + calls.a, b: sum.b + calls.b });
        if both.a == 0 || both.b == 0 {
            return None;
        }
        let fewer: u64 = self.contexts.values().map(|calls| calls.a.saturating_sub(calls.b)).sum();
        let more: u64 = self.contexts.values().map(|calls| calls.b.saturating_sub(calls.a)).sum();
        let task = self.contexts.get(&Context::Task).copied().unwrap_or_default();
        let kind = match task.difference() {
            0 => HandoverChangeKind::Elsewhere,
            difference if difference < 0 => HandoverChangeKind::Asynchronous,
            _ => HandoverChangeKind::Synchronous,
        };
        let changed = fewer.min(more);
        (changed * 2 > fewer).then_some((changed, kind))
    }
}

/// Functions of a system call's I/Os that are called in another context, those with most such calls first.
pub fn handovers(group: &Group<'_>, names: &FunctionNames, recordings: usize) -> Vec<HandoverChange> {
    let mut found = BTreeMap::<u32, Calls>::new();
    for (side, tree) in group.trees.iter().enumerate() {
        let nodes = tree.nodes.iter().zip(Context::of_nodes(tree, names));
        for (node, context) in nodes.filter(|(node, _)| node.parent.is_some()) {
            let calls = found.entry(node.name).or_default();
            calls.contexts.entry(context).or_default().count(side, node.calls);
            calls.parents.extend(node.parent.map(|parent| tree.nodes[parent as usize].name));
        }
    }
    let changed: BTreeMap<u32, (u64, HandoverChangeKind)> =
        found.iter().filter_map(|(name, calls)| Some((*name, calls.changed()?))).collect();
    let outside = |name: &u32| {
        let around = found[name].parents.iter().find(|parent| changed.contains_key(parent));
        (*name, around.copied())
    };
    let around: FxHashMap<u32, Option<u32>> = changed.keys().map(outside).collect();
    let tests = ByRecording::of(group, names, recordings);
    let mut changes = BTreeMap::<u32, HandoverChange>::new();
    for (name, (calls, kind)) in &changed {
        if around[name].is_none() {
            let contexts = found[name]
                .contexts
                .iter()
                .map(|(context, calls)| InContext { context: context.name(names), calls: *calls });
            let change = HandoverChange {
                function: names.name(*name).to_owned(),
                kind: *kind,
                contexts: contexts.collect(),
                changed: *calls,
                inside: 0,
                test: tests.test(*name),
            };
            changes.insert(*name, change);
        }
    }
    for (_, outermost) in outermost(&around) {
        if let Some(change) = changes.get_mut(&outermost) {
            change.inside += 1;
        }
    }
    let told = |change: &HandoverChange| change.test.p.is_none() || change.test.differs;
    let mut changes: Vec<_> = changes.into_values().filter(told).collect();
    changes.sort_by(|x, y| (y.changed, &x.function).cmp(&(x.changed, &y.function)));
    changes
}

/// Of each function that is inside of another one, the outermost that it is in. A function may be inside of itself,
/// by way of others: none of these is the outermost.
fn outermost(around: &FxHashMap<u32, Option<u32>>) -> FxHashMap<u32, u32> {
    let mut found = FxHashMap::<u32, Option<u32>>::default();
    for name in around.keys() {
        let (mut way, mut at) = (Vec::new(), *name);
        let last = loop {
            if let Some(known) = found.get(&at) {
                break *known;
            }
            // What is met again before it is known is inside of itself.
            found.insert(at, None);
            match around.get(&at).copied().flatten() {
                Some(next) => way.push(std::mem::replace(&mut at, next)),
                None => {
                    found.insert(at, Some(at));
                    break Some(at);
                }
            }
        };
        way.into_iter().for_each(|name| _ = found.insert(name, last));
    }
    found.into_iter().filter_map(|(name, last)| Some((name, last.filter(|last| *last != name)?))).collect()
}

/// Calls outside of the task's own, of each function, by side and recording.
struct ByRecording([Vec<FxHashMap<u32, i64>>; 2]);

impl ByRecording {
    fn of(group: &Group<'_>, names: &FunctionNames, recordings: usize) -> Self {
        let count = |tree: &Tree| {
            let mut counts = FxHashMap::<u32, i64>::default();
            for (node, context) in tree.nodes.iter().zip(Context::of_nodes(tree, names)) {
                if context != Context::Task {
                    *counts.entry(node.name).or_default() += node.calls.cast_signed();
                }
            }
            counts
        };
        Self(group.by_recording.each_ref().map(|trees| trees.iter().take(recordings).map(count).collect()))
    }

    /// Whether they differ.
    fn test(&self, name: u32) -> super::CostTest {
        let [a, b] = self.0.each_ref().map(|recordings| {
            recordings.iter().map(|counts| counts.get(&name).copied().unwrap_or(0)).collect()
        });
        test(a, b)
    }
}
