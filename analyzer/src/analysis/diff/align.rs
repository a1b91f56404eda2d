//! The trees of calls of both sides as one: which place of A is which of B.
//!
//! Inside of one place, functions of the same name are one. Of the others, a function that only one side has may have
//! been put around calls that the other makes without it (compiled out of line, or inlined); those calls are one
//! then. What still is on one side alone may be the same function under another name: if it stands between the same
//! neighbours and calls the same functions, as often.

use super::names::Names;
use super::tree::Tree;
use super::{Both, Change, FlameNode};
use rustc_hash::FxHashSet;

/// What part of the callees must be the same for functions of different names to be one.
const ALIKE: (usize, usize) = (2, 3);
/// How many functions may stand around a call that the other side makes without them.
const LAYERS: usize = 4;

/// Merges two trees.
pub fn align(a: &Tree, b: &Tree, names: &Names) -> Vec<FlameNode> {
    let (of_a, of_b) = (a.children(), b.children());
    let roots = (of_a[a.nodes.len()].clone(), of_b[b.nodes.len()].clone());
    let mut aligner = Aligner { a, b, of_a, of_b, names, nodes: Vec::new(), elsewhere: FxHashSet::default() };
    aligner.level(None, &roots.0, &roots.1);
    let mut nodes = aligner.nodes;
    for at in (0..nodes.len()).rev() {
        let total = nodes[at].total;
        if let Some(parent) = nodes[at].parent {
            nodes[parent].total.add(total);
        }
    }
    nodes
}

/// What stands in one place: a function of A, of B, or of both.
#[derive(Debug, Clone)]
struct Spot {
    a: Option<u32>,
    b: Option<u32>,
    change: Option<Change>,
    /// Of a function that B inserted: those of A that stand in it.
    adopted: Vec<u32>,
}

struct Aligner<'a> {
    a: &'a Tree,
    b: &'a Tree,
    of_a: Vec<Vec<u32>>,
    of_b: Vec<Vec<u32>>,
    names: &'a Names,
    nodes: Vec<FlameNode>,
    /// Places of A inside of removed functions that stand in another place of B.
    elsewhere: FxHashSet<u32>,
}

impl Aligner<'_> {
    fn name(&self, spot: &Spot) -> u32 {
        match (spot.a, spot.b) {
            (_, Some(b)) => self.b.nodes[b as usize].name,
            (Some(a), None) => self.a.nodes[a as usize].name,
            (None, None) => 0,
        }
    }

    /// Places of A and of B inside of one place.
    fn level(&mut self, parent: Option<usize>, a: &[u32], b: &[u32]) {
        let mut spots = self.same_names(a, b);
        self.inserted(&mut spots);
        self.removed(&mut spots);
        if parent.is_some() {
            self.renamed(&mut spots);
        }
        for spot in spots {
            let at = self.push(parent, &spot);
            let inside = |children: &[Vec<u32>], of: Option<u32>| {
                of.map_or_else(Vec::new, |of| children[of as usize].clone())
            };
            let (mut ours, mut theirs) = (inside(&self.of_a, spot.a), inside(&self.of_b, spot.b));
            if spot.a.is_none() {
                ours = spot.adopted;
            } else if spot.b.is_none() {
                theirs.clear();
                // What B calls without it stands beside it.
                ours.retain(|a| !self.elsewhere.contains(a));
            }
            self.level(Some(at), &ours, &theirs);
        }
    }

    /// In B's order, with what is A's alone before what came after it there.
    fn same_names(&self, a: &[u32], b: &[u32]) -> Vec<Spot> {
        let name_a = |a: u32| self.a.nodes[a as usize].name;
        let name_b = |b: u32| self.b.nodes[b as usize].name;
        let spot = |a, b| Spot { a, b, change: None, adopted: Vec::new() };
        let mut spots: Vec<Spot> = Vec::with_capacity(a.len().max(b.len()));
        let mut rest = a.to_vec();
        let in_b: FxHashSet<u32> = b.iter().map(|b| name_b(*b)).collect();
        for b in b {
            let Some(at) = rest.iter().position(|a| name_a(*a) == name_b(*b)) else {
                spots.push(spot(None, Some(*b)));
                continue;
            };
            let before: Vec<u32> =
                rest[..at].iter().copied().filter(|a| !in_b.contains(&name_a(*a))).collect();
            rest.retain(|a| !before.contains(a));
            spots.extend(before.into_iter().map(|a| spot(Some(a), None)));
            let at = rest.iter().position(|a| name_a(*a) == name_b(*b));
            spots.push(spot(at.map(|at| rest.remove(at)), Some(*b)));
        }
        spots.extend(rest.into_iter().map(|a| spot(Some(a), None)));
        spots
    }

    /// Functions of B alone that stand around calls which A makes without them.
    fn inserted(&self, spots: &mut Vec<Spot>) {
        let new: Vec<u32> = spots.iter().filter(|spot| is_new(spot)).filter_map(|spot| spot.b).collect();
        for new in new {
            let inner = below(&self.of_b, new);
            let name = |a: u32| self.a.nodes[a as usize].name;
            let fits = |a: &u32| inner.iter().any(|b| self.b.nodes[*b as usize].name == name(*a));
            let gone = spots.iter().filter(|spot| is_gone(spot)).filter_map(|spot| spot.a);
            let taken: Vec<u32> = gone.filter(fits).collect();
            if taken.is_empty() {
                continue;
            }
            spots.retain(|spot| spot.b.is_some() || spot.a.is_none_or(|a| !taken.contains(&a)));
            if let Some(spot) = spots.iter_mut().find(|spot| spot.b == Some(new)) {
                spot.change = Some(Change::Inserted { inner: self.names_of_a(&taken) });
                spot.adopted = taken;
            }
        }
    }

    /// Functions of A alone that stand around calls which B makes without them.
    fn removed(&mut self, spots: &mut [Spot]) {
        for at in 0..spots.len() {
            let (Some(gone), None) = (spots[at].a, spots[at].b) else { continue };
            let mut taken = Vec::new();
            for inner in below(&self.of_a, gone) {
                let name = self.a.nodes[inner as usize].name;
                let same = |b: u32| self.b.nodes[b as usize].name == name;
                if let Some(spot) = spots.iter_mut().find(|spot| is_new(spot) && spot.b.is_some_and(same)) {
                    spot.a = Some(inner);
                    taken.push(inner);
                }
            }
            if !taken.is_empty() {
                spots[at].change = Some(Change::Removed { inner: self.names_of_a(&taken) });
                self.elsewhere.extend(taken);
            }
        }
    }

    fn names_of_a(&self, places: &[u32]) -> Vec<String> {
        places.iter().map(|a| self.names.name(self.a.nodes[*a as usize].name).to_owned()).collect()
    }

    /// Functions of A and of B alone that are the same one under another name.
    fn renamed(&self, spots: &mut Vec<Spot>) {
        let runs = spots.chunk_by(|x, y| alone(x) && alone(y)).map(<[Spot]>::len).collect::<Vec<_>>();
        let mut begin = 0;
        let mut gone = Vec::new();
        for length in runs {
            let run = begin..begin + length;
            begin += length;
            for new in run.clone() {
                if !is_new(&spots[new]) {
                    continue;
                }
                let fits = |old: &usize| {
                    is_gone(&spots[*old]) && !gone.contains(old) && self.is_renamed(spots, *old, new, length)
                };
                let Some(old) = run.clone().find(fits) else { continue };
                let Some(a) = spots[old].a else { continue };
                let from = self.names.name(self.a.nodes[a as usize].name).to_owned();
                (spots[new].a, spots[new].change) = (Some(a), Some(Change::Renamed { from }));
                gone.push(old);
            }
        }
        let mut at = 0;
        spots.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
    }

    /// Whether the function of A at one spot is that of B at another one, between the same neighbours: `alone`
    /// spots stand between these.
    fn is_renamed(&self, spots: &[Spot], old: usize, new: usize, alone: usize) -> bool {
        let (Some(a), Some(b)) = (spots[old].a, spots[new].b) else { return false };
        let names = |tree: &Tree, children: &[u32]| {
            children.iter().map(|at| tree.nodes[*at as usize].name).collect::<Vec<_>>()
        };
        let (ours, theirs) = (names(self.a, &self.of_a[a as usize]), names(self.b, &self.of_b[b as usize]));
        let same = ours.iter().filter(|name| theirs.contains(name)).count();
        let all = ours.len() + theirs.len() - same;
        // Without callees there is only the place to tell by: nothing else may be new or gone there.
        match all {
            0 => alone == 2 && self.a.nodes[a as usize].calls == self.b.nodes[b as usize].calls,
            _ => same * ALIKE.1 >= all * ALIKE.0,
        }
    }

    fn push(&mut self, parent: Option<usize>, spot: &Spot) -> usize {
        let of = |tree: &Tree, at: Option<u32>| {
            at.map_or((0, 0), |at| {
                let node = &tree.nodes[at as usize];
                (node.calls, node.own)
            })
        };
        let ((calls_a, own_a), (calls_b, own_b)) = (of(self.a, spot.a), of(self.b, spot.b));
        let own = Both { a: own_a, b: own_b };
        let change = spot.change.clone().or(match (spot.a, spot.b) {
            (None, _) => Some(Change::New),
            (_, None) => Some(Change::Gone),
            _ => None,
        });
        self.nodes.push(FlameNode {
            parent,
            function: self.names.name(self.name(spot)).to_owned(),
            change,
            calls: Both { a: calls_a, b: calls_b },
            own,
            total: own,
            nodes: [spot.a, spot.b],
        });
        self.nodes.len() - 1
    }
}

fn is_new(spot: &Spot) -> bool {
    spot.a.is_none() && spot.change.is_none()
}

fn is_gone(spot: &Spot) -> bool {
    spot.b.is_none() && spot.change.is_none()
}

fn alone(spot: &Spot) -> bool {
    is_new(spot) || is_gone(spot)
}

/// What stands below a place, to so many levels as functions may stand around a call, the nearest first.
fn below(children: &[Vec<u32>], at: u32) -> Vec<u32> {
    let mut found = children[at as usize].clone();
    let (mut from, mut level) = (0, 1);
    while level < LAYERS && from < found.len() {
        let next: Vec<u32> = found[from..].iter().flat_map(|at| children[*at as usize].clone()).collect();
        from = found.len();
        found.extend(next);
        level += 1;
    }
    found
}
