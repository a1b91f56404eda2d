//! Functions that are called in another context: what was done in the task's own call and is handed over now, and the
//! reverse.
//!
//! In: the calls of a system call's I/Os on both sides, of which the outermost tell the context.

use super::compare::Group;
use super::names::Names;
use super::test::test;
use super::tree::Tree;
use super::{Both, HandoverChange, HandoverKind, InContext};
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
    /// Of a node, by what stands around it, from the inside out.
    fn of(tree: &Tree, at: u32, names: &Names) -> Self {
        let around: Vec<u32> = tree.around(at).map(|node| node.name).collect();
        let Some(root) = around.last() else { return Self::Other };
        match names.about(*root).stage.as_str() {
            stage if stage.starts_with("sys.") => Self::Task,
            // What a work item is, the first function in it tells.
            "work.run" => around.iter().rev().nth(1).map_or(Self::Other, |name| Self::Work(*name)),
            stage if stage.starts_with("softirq.") => Self::Softirq,
            "irq.frame" | "irq.entry" | "irq.handler" => Self::Interrupt,
            _ => Self::Other,
        }
    }

    fn name(self, names: &Names) -> String {
        match self {
            Self::Task => "task".into(),
            Self::Work(function) => format!("work {}", names.name(function)),
            Self::Softirq => "softirq".into(),
            Self::Interrupt => "interrupt".into(),
            Self::Other => "other".into(),
        }
    }
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
    fn changed(&self) -> Option<(u64, HandoverKind)> {
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
            0 => HandoverKind::Elsewhere,
            difference if difference < 0 => HandoverKind::Asynchronous,
            _ => HandoverKind::Synchronous,
        };
        let changed = fewer.min(more);
        (changed * 2 > fewer).then_some((changed, kind))
    }
}

/// Functions of a system call's I/Os that are called in another context, those with most such calls first.
pub fn handovers(group: &Group<'_>, names: &Names, recordings: usize) -> Vec<HandoverChange> {
    let mut found = BTreeMap::<u32, Calls>::new();
    for (side, tree) in group.trees.iter().enumerate() {
        for (at, node) in (0..).zip(&tree.nodes).filter(|(_, node)| node.parent.is_some()) {
            let calls = found.entry(node.name).or_default();
            *calls.contexts.entry(Context::of(tree, at, names)).or_default().of(side) += node.calls;
            calls.parents.extend(node.parent.map(|parent| tree.nodes[parent as usize].name));
        }
    }
    let changed: BTreeMap<u32, (u64, HandoverKind)> =
        found.iter().filter_map(|(name, calls)| Some((*name, calls.changed()?))).collect();
    let outside =
        |name: &u32| found[name].parents.iter().find(|parent| changed.contains_key(parent)).copied();
    let mut changes = BTreeMap::<u32, HandoverChange>::new();
    for (name, (calls, kind)) in &changed {
        if outside(name).is_none() {
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
                test: by_recording(group, *name, names, recordings),
            };
            changes.insert(*name, change);
        }
    }
    for name in changed.keys() {
        // A function may be inside of itself, by way of others.
        let mut around = *name;
        for _ in 0..changed.len() {
            let Some(next) = outside(&around) else { break };
            around = next;
        }
        if around != *name
            && let Some(change) = changes.get_mut(&around)
        {
            change.inside += 1;
        }
    }
    let told = |change: &HandoverChange| change.test.p.is_none() || change.test.differs;
    let mut changes: Vec<_> = changes.into_values().filter(told).collect();
    changes.sort_by(|x, y| (y.changed, &x.function).cmp(&(x.changed, &y.function)));
    changes
}

/// Whether the calls outside of the task's own differ, by recording.
fn by_recording(group: &Group<'_>, name: u32, names: &Names, recordings: usize) -> super::Test {
    let count = |tree: &Tree| {
        let nodes = (0..).zip(&tree.nodes).filter(|(_, node)| node.name == name);
        let outside = nodes.filter(|(at, _)| Context::of(tree, *at, names) != Context::Task);
        outside.map(|(_, node)| node.calls.cast_signed()).sum::<i64>()
    };
    let [a, b] = [0, 1].map(|side| (0..recordings).map(|at| count(&group.by_recording[side][at])).collect());
    test(a, b)
}
