//! The trees of calls of both sides as one, for flame graphs.

use super::gather::Names;
use super::tree::{Node, Tree};
use super::{Both, Change, FlameNode, Place};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Merges two trees; of the differences between them `places` says which are moves and new names.
pub fn flame(a: &Tree, b: &Tree, names: &Names, places: &[Place]) -> Vec<FlameNode> {
    let mut merged = Merged::new(names);
    merged.add(a, |node, both| both.a = node);
    merged.add(b, |node, both| both.b = node);
    let mut nodes = merged.nodes;
    mark(&mut nodes, places);
    for at in (0..nodes.len()).rev() {
        let total = nodes[at].total;
        if let Some(parent) = nodes[at].parent {
            nodes[parent].total.add(total);
        }
    }
    nodes
}

struct Merged<'a> {
    names: &'a Names,
    nodes: Vec<FlameNode>,
    index: FxHashMap<(Option<usize>, u32), usize>,
}

impl<'a> Merged<'a> {
    fn new(names: &'a Names) -> Self {
        Self { names, nodes: Vec::new(), index: FxHashMap::default() }
    }

    /// Adds a tree as the side that `set` sets.
    fn add(&mut self, tree: &Tree, set: fn(u64, &mut Both)) {
        let mut places = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let at = self.place(node.parent.map(|parent| places[parent]), node);
            let ours = &mut self.nodes[at];
            set(node.calls, &mut ours.calls);
            set(node.own, &mut ours.own);
            set(node.own, &mut ours.total);
            places.push(at);
        }
    }

    fn place(&mut self, parent: Option<usize>, node: &Node) -> usize {
        let next = self.nodes.len();
        let at = *self.index.entry((parent, node.name)).or_insert(next);
        if at == next {
            let function = self.names.name(node.name).to_owned();
            self.nodes.push(FlameNode { parent, function, ..FlameNode::default() });
        }
        at
    }
}

/// Marks what is not in the same place on both sides.
fn mark(nodes: &mut [FlameNode], places: &[Place]) {
    let path =
        |place: &Place| -> Vec<String> { place.path.iter().chain([&place.function]).cloned().collect() };
    let known: BTreeMap<_, _> = places.iter().map(|place| (path(place), &place.change)).collect();
    let mut paths: Vec<Vec<String>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut path = node.parent.map_or_else(Vec::new, |parent| paths[parent].clone());
        path.push(node.function.clone());
        let change = known.get(&path).filter(|change| ***change != Change::Cost);
        node.change = match (node.calls.a, node.calls.b) {
            (0, _) => Some(change.map_or(Change::New, |change| (*change).clone())),
            (_, 0) => Some(Change::Gone),
            _ => None,
        };
        paths.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(calls: &[(Option<usize>, u32, u64)]) -> Tree {
        let mut tree = Tree::default();
        for (parent, name, own) in calls {
            let at = tree.enter(*parent, *name);
            tree.leave(at, *own, *own);
        }
        tree
    }

    #[test]
    fn both_trees_are_one_with_sums_and_marks() {
        let mut names = Names::default();
        let [root, kept, gone, new] = ["root", "kept", "gone", "new"].map(|name| names.number(name));
        let a = tree(&[(None, root, 5), (Some(0), gone, 20), (Some(0), kept, 30)]);
        let b = tree(&[(None, root, 7), (Some(0), kept, 30), (Some(1), new, 4)]);
        let nodes = flame(&a, &b, &names, &[]);
        let short = |node: &FlameNode| (node.function.clone(), node.parent, node.total, node.change.clone());
        let expected = [
            ("root".to_owned(), None, Both { a: 55, b: 41 }, None),
            ("gone".to_owned(), Some(0), Both { a: 20, b: 0 }, Some(Change::Gone)),
            ("kept".to_owned(), Some(0), Both { a: 30, b: 34 }, None),
            ("new".to_owned(), Some(2), Both { a: 0, b: 4 }, Some(Change::New)),
        ];
        assert_eq!(nodes.iter().map(short).collect::<Vec<_>>(), expected);
        assert_eq!(nodes[0].own, Both { a: 5, b: 7 });
    }
}
