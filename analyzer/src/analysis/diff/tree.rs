//! Calls summed up by their place: the same function called in the same place is one node.

use rustc_hash::FxHashMap;

/// A function in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The function around it, by its place in the tree.
    pub parent: Option<usize>,
    /// Number of its name.
    pub name: u32,
    /// Times it was called there.
    pub calls: u64,
    /// Instructions in it alone.
    pub own: u64,
    /// Instructions in it and in what it called.
    pub total: u64,
}

/// A tree of calls; parents stand before their children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Nodes in the order in which they were first entered.
    pub nodes: Vec<Node>,
    index: FxHashMap<(Option<usize>, u32), usize>,
}

impl Tree {
    /// A function is called in a place; returns its node.
    pub fn enter(&mut self, parent: Option<usize>, name: u32) -> usize {
        let next = self.nodes.len();
        let at = *self.index.entry((parent, name)).or_insert(next);
        if at == next {
            self.nodes.push(Node { parent, name, calls: 0, own: 0, total: 0 });
        }
        self.nodes[at].calls += 1;
        at
    }

    /// A call of a node ended.
    pub fn leave(&mut self, at: usize, own: u64, total: u64) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.own += own;
            node.total += total;
        }
    }

    /// Adds another tree, place by place.
    pub fn add(&mut self, other: &Self) {
        let mut places = Vec::with_capacity(other.nodes.len());
        for node in &other.nodes {
            let at = self.enter(node.parent.map(|parent| places[parent]), node.name);
            let ours = &mut self.nodes[at];
            ours.calls += node.calls - 1;
            ours.own += node.own;
            ours.total += node.total;
            places.push(at);
        }
    }

    /// The tree without what is needed to add to it.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { nodes: self.nodes, index: FxHashMap::default() }
    }

    /// Instructions of the whole tree.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.nodes.iter().map(|node| node.own).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_one_place_are_one_node() {
        let mut tree = Tree::default();
        let root = tree.enter(None, 1);
        for own in [10, 30] {
            let at = tree.enter(Some(root), 2);
            tree.leave(at, own, own);
        }
        tree.leave(root, 5, 45);
        let mut sum = Tree::default();
        sum.add(&tree);
        sum.add(&tree);
        let nodes: Vec<_> = sum.nodes.iter().map(|n| (n.parent, n.name, n.calls, n.own, n.total)).collect();
        assert_eq!(nodes, [(None, 1, 2, 10, 90), (Some(0), 2, 4, 80, 80)]);
        assert_eq!(sum.total(), 90);
    }
}
