//! Calls summed up by their place: the same function called in the same place is one node.

use rustc_hash::FxHashMap;

/// A function in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallNode {
    /// The function around it, by its place in the tree.
    pub parent: Option<u32>,
    /// Number of its name.
    pub name: u32,
    /// Times it was called there.
    pub calls: u64,
    /// Instructions in it alone.
    pub own: u64,
}

/// A tree of calls; parents stand before their children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Nodes in the order in which they were first entered.
    pub nodes: Vec<CallNode>,
    index: FxHashMap<(Option<u32>, u32), u32>,
}

impl Tree {
    /// A function is called in a place; returns its node.
    pub fn enter(&mut self, parent: Option<u32>, name: u32) -> u32 {
        let next = self.nodes.len() as u32;
        let at = *self.index.entry((parent, name)).or_insert(next);
        if at == next {
            self.nodes.push(CallNode { parent, name, calls: 0, own: 0 });
        }
        self.nodes[at as usize].calls += 1;
        at
    }

    /// A call of a node ended.
    pub fn leave(&mut self, at: u32, own: u64) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.own += own;
        }
    }

    /// The node of the last of these functions, called in one another from the outermost on; none if there is none.
    /// Not of a tree that was renumbered.
    #[must_use]
    pub fn find(&self, path: &[u32]) -> Option<&CallNode> {
        let mut at = None;
        for name in path {
            at = Some(*self.index.get(&(at, *name))?);
        }
        self.nodes.get(at? as usize)
    }

    /// Adds another tree, place by place.
    pub fn add(&mut self, other: &Self) {
        let mut places = Vec::with_capacity(other.nodes.len());
        for node in &other.nodes {
            let at = self.enter(node.parent.map(|parent| places[parent as usize]), node.name);
            let ours = &mut self.nodes[at as usize];
            ours.calls += node.calls - 1;
            ours.own += node.own;
            places.push(at);
        }
    }

    /// The tree without what is needed to add to it, its names under the numbers that `numbers` gives them.
    #[must_use]
    pub fn renumbered(self, numbers: &[u32]) -> Self {
        let mut nodes = self.nodes;
        nodes.iter_mut().for_each(|node| node.name = numbers[node.name as usize]);
        nodes.shrink_to_fit();
        Self { nodes, index: FxHashMap::default() }
    }

    /// Instructions of the whole tree.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.nodes.iter().map(|node| node.own).sum()
    }

    /// Whether the same functions were called in the same places, as often and at the same cost.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        if self.nodes.len() != other.nodes.len() || self.nodes == other.nodes {
            return self.nodes == other.nodes;
        }
        let mut sum = Self::default();
        sum.add(self);
        let places = sum.nodes.clone();
        sum.add(other);
        let twice =
            |(once, both): (&CallNode, &CallNode)| (once.calls * 2, once.own * 2) == (both.calls, both.own);
        sum.nodes.len() == places.len() && places.iter().zip(&sum.nodes).all(twice)
    }

    /// The nodes directly inside of each node, in order; those inside of none come last.
    #[must_use]
    pub fn children(&self) -> Vec<Vec<u32>> {
        let mut children = vec![Vec::new(); self.nodes.len() + 1];
        for (at, node) in self.nodes.iter().enumerate() {
            children[node.parent.map_or(self.nodes.len(), |parent| parent as usize)].push(at as u32);
        }
        children
    }

    /// Instructions in each node and in what stands below it.
    #[must_use]
    pub fn totals(&self) -> Vec<u64> {
        let mut totals: Vec<u64> = self.nodes.iter().map(|node| node.own).collect();
        for at in (0..self.nodes.len()).rev() {
            if let Some(parent) = self.nodes[at].parent {
                totals[parent as usize] += totals[at];
            }
        }
        totals
    }

    /// A node and what stands around it, from the inside out.
    pub fn around(&self, at: u32) -> impl Iterator<Item = &CallNode> {
        std::iter::successors(self.nodes.get(at as usize), |node| self.nodes.get(node.parent? as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(own: [u64; 2]) -> Tree {
        let mut tree = Tree::default();
        let root = tree.enter(None, 1);
        for own in own {
            let at = tree.enter(Some(root), 2);
            tree.leave(at, own);
        }
        tree.leave(root, 5);
        tree
    }

    #[test]
    fn calls_in_one_place_are_one_node() {
        let mut sum = Tree::default();
        sum.add(&tree([10, 30]));
        sum.add(&tree([10, 30]));
        let nodes: Vec<_> = sum.nodes.iter().map(|n| (n.parent, n.name, n.calls, n.own)).collect();
        assert_eq!(nodes, [(None, 1, 2, 10), (Some(0), 2, 4, 80)]);
        assert_eq!((sum.total(), sum.totals()), (90, vec![90, 80]));
    }

    #[test]
    fn trees_are_the_same_in_whatever_order_they_grew() {
        let grown = |order: [u32; 2]| {
            let mut tree = Tree::default();
            let root = tree.enter(None, 1);
            order.iter().for_each(|name| _ = tree.enter(Some(root), *name));
            tree
        };
        assert!(grown([2, 3]).is_same(&grown([3, 2])));
        assert!(!grown([2, 3]).is_same(&grown([2, 2])));
        assert!(!tree([10, 30]).is_same(&tree([10, 31])));
    }
}
