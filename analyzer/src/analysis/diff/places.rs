//! The places in which two trees of calls differ.

use super::compare::Group;
use super::test::test;
use super::tree::Tree;
use super::{CallChange, CallDiff, CostTest, FlameNode};
use crate::hash::Map;

/// The places that differ, in the order of the tree; of a new or gone function, those inside it are only counted.
pub fn places(nodes: &[FlameNode], group: &Group<'_>) -> Vec<CallDiff> {
    let mut found: Vec<CallDiff> = Vec::new();
    // The place that stands for each node: its own, or that of a new or gone function around it.
    let mut standing: Vec<Option<usize>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let whole = |place: &usize| {
            found[*place].change == CallChange::New || found[*place].change == CallChange::Gone
        };
        let around = node.parent.and_then(|parent| standing[parent]).filter(whole);
        let change = match (&node.change, around) {
            (Some(change), Some(place)) if *change == found[place].change => {
                found[place].inside += 1;
                standing.push(Some(place));
                continue;
            }
            (Some(change), _) => change.clone(),
            (None, _) if node.calls.is_equal() && node.own.is_equal() => {
                standing.push(None);
                continue;
            }
            (None, _) => CallChange::Cost,
        };
        standing.push(Some(found.len()));
        let test = by_recording(group, node.nodes, &change);
        found.push(CallDiff {
            path: path(nodes, node),
            function: node.function.clone(),
            change,
            calls: node.calls,
            own: node.own,
            total: node.total,
            inside: 0,
            test,
        });
    }
    moved(found)
}

/// What each recording has at a place.
fn by_recording(group: &Group<'_>, nodes: [Option<u32>; 2], change: &CallChange) -> CostTest {
    let [a, b] = [0, 1].map(|side| {
        let path = nodes[side].map(|at| path_of(&group.trees[side], at)).unwrap_or_default();
        let value = |tree: &Tree| match tree.find(&path) {
            Some(node) if *change == CallChange::Cost => node.own.cast_signed(),
            Some(node) => node.calls.cast_signed(),
            None => 0,
        };
        group.by_recording[side].iter().map(value).collect()
    });
    test(a, b)
}

/// Functions from the outermost to that of a node.
fn path_of(tree: &Tree, at: u32) -> Vec<u32> {
    let mut path: Vec<u32> = tree.around(at).map(|node| node.name).collect();
    path.reverse();
    path
}

/// The functions around a node, the outermost first.
fn path(nodes: &[FlameNode], node: &FlameNode) -> Vec<String> {
    let around = std::iter::successors(node.parent, |at| nodes[*at].parent);
    let mut path: Vec<String> = around.map(|at| nodes[at].function.clone()).collect();
    path.reverse();
    path
}

/// A function that is gone in one place and new in another has moved.
fn moved(mut places: Vec<CallDiff>) -> Vec<CallDiff> {
    // Places of new functions by name, the first last.
    let mut new = Map::<String, Vec<usize>>::default();
    for (at, place) in places.iter().enumerate().rev().filter(|(_, place)| place.change == CallChange::New) {
        new.entry(place.function.clone()).or_default().push(at);
    }
    let mut replaced = vec![false; places.len()];
    for at in 0..places.len() {
        if places[at].change != CallChange::Gone {
            continue;
        }
        let Some(to) = new.get_mut(&places[at].function).and_then(Vec::pop) else { continue };
        let CallDiff { path, calls, own, total, inside, .. } = places[at].clone();
        let new = &mut places[to];
        new.change = CallChange::Moved { from: path };
        (new.calls.a, new.own.a, new.total.a) = (calls.a, own.a, total.a);
        new.inside = new.inside.max(inside);
        replaced[at] = true;
    }
    let mut replaced = replaced.into_iter();
    places.retain(|_| replaced.next() != Some(true));
    places
}
