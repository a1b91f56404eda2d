//! The trees of calls of both sides as one: which place of A is which of B.
//!
//! Inside of one place, functions of the same name are one. Of the others, a function that only one side has may have
//! been put around calls that the other makes without it (compiled out of line, or inlined); those calls are one
//! then. What still is on one side alone may be the same function under another name: if it stands between the same
//! neighbours and calls the same functions, as often.

use super::names::FunctionNames;
use super::tree::Tree;
use super::{Both, CallChange, FlameNode};
use rustc_hash::{FxHashMap, FxHashSet};

/// What part of the callees must be the same for functions of different names to be one.
const ALIKE: (usize, usize) = (2, 3);
/// How many functions may stand around a call that the other side makes without them.
const LAYERS: usize = 4;
/// Functions in a row that only one side has, among which renamed ones are looked for, at most.
const RUN: usize = 64;

/// Merges two trees.
pub fn align(a: &Tree, b: &Tree, names: &FunctionNames) -> Vec<FlameNode> {
    let (of_a, of_b) = (a.children(), b.children());
    let roots = (of_a[a.nodes.len()].clone(), of_b[b.nodes.len()].clone());
    let mut aligner = Aligner { a, b, of_a, of_b, names, nodes: Vec::new(), elsewhere: FxHashSet::default() };
    aligner.run(&roots.0, &roots.1);
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
    change: Option<CallChange>,
    /// Of a function that B inserted: those of A that stand in it.
    adopted: Vec<u32>,
}

struct Aligner<'a> {
    a: &'a Tree,
    b: &'a Tree,
    of_a: Vec<Vec<u32>>,
    of_b: Vec<Vec<u32>>,
    names: &'a FunctionNames,
    nodes: Vec<FlameNode>,
    /// Places of A inside of removed functions that stand in another place of B.
    elsewhere: FxHashSet<u32>,
}

impl Aligner<'_> {
    fn name(&self, spot: &Spot) -> u32 {
        match (spot.a, spot.b) {
            (_, Some(b)) => self.name_b(b),
            (Some(a), None) => self.name_a(a),
            (None, None) => 0,
        }
    }

    /// Merges all places, those inside of one before what stands beside it.
    fn run(&mut self, a: &[u32], b: &[u32]) {
        let mut rows = vec![(None, self.level(None, a, b).into_iter())];
        while let Some((parent, row)) = rows.last_mut() {
            let Some(spot) = row.next() else {
                rows.pop();
                continue;
            };
            let at = self.push(*parent, &spot);
            let (ours, theirs) = self.inside(spot);
            rows.push((Some(at), self.level(Some(at), &ours, &theirs).into_iter()));
        }
    }

    /// What stands inside of a spot: of A, of B.
    fn inside(&self, spot: Spot) -> (Vec<u32>, Vec<u32>) {
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
        (ours, theirs)
    }

    /// Places of A and of B inside of one place.
    fn level(&mut self, parent: Option<usize>, a: &[u32], b: &[u32]) -> Vec<Spot> {
        let mut spots = self.same_names(a, b);
        self.inserted(&mut spots);
        self.removed(&mut spots);
        if parent.is_some() {
            self.renamed(&mut spots);
        }
        spots
    }

    fn name_a(&self, a: u32) -> u32 {
        self.a.nodes[a as usize].name
    }

    fn name_b(&self, b: u32) -> u32 {
        self.b.nodes[b as usize].name
    }

    /// In B's order, with what is A's alone before what came after it there.
    fn same_names(&self, a: &[u32], b: &[u32]) -> Vec<Spot> {
        let spot = |a, b| Spot { a, b, change: None, adopted: Vec::new() };
        let mut spots: Vec<Spot> = Vec::with_capacity(a.len().max(b.len()));
        // Places in `a` of each name, those that B has as well, the first last.
        let mut left = FxHashMap::<u32, Vec<usize>>::default();
        a.iter().enumerate().rev().for_each(|(at, a)| left.entry(self.name_a(*a)).or_default().push(at));
        let in_b: FxHashSet<u32> = b.iter().map(|b| self.name_b(*b)).collect();
        let is_alone = |a: &u32| !in_b.contains(&self.name_a(*a));
        // What is A's alone stands in the spots up to here.
        let mut done = 0;
        for b in b {
            let Some(at) = left.get_mut(&self.name_b(*b)).and_then(Vec::pop) else {
                spots.push(spot(None, Some(*b)));
                continue;
            };
            spots.extend(a[done.min(at)..at].iter().filter(|a| is_alone(a)).map(|a| spot(Some(*a), None)));
            done = done.max(at);
            spots.push(spot(Some(a[at]), Some(*b)));
        }
        let left = left.into_iter().filter(|(name, _)| in_b.contains(name));
        let mut rest: Vec<usize> = left.flat_map(|(_, places)| places).collect();
        rest.extend((done..a.len()).filter(|at| is_alone(&a[*at])));
        rest.sort_unstable();
        spots.extend(rest.into_iter().map(|at| spot(Some(a[at]), None)));
        spots
    }

    /// Functions of B alone that stand around calls which A makes without them.
    fn inserted(&self, spots: &mut Vec<Spot>) {
        // Spots of A alone, by the names of their functions.
        let mut gone = FxHashMap::<u32, Vec<usize>>::default();
        for (at, spot) in spots.iter().enumerate().filter(|(_, spot)| is_gone(spot)) {
            spot.a.into_iter().for_each(|a| gone.entry(self.name_a(a)).or_default().push(at));
        }
        if gone.is_empty() {
            return;
        }
        let mut taken = vec![false; spots.len()];
        for new in 0..spots.len() {
            let Some(b) = spots[new].b.filter(|_| is_new(&spots[new])) else { continue };
            let inner = below(&self.of_b, b);
            let mut ours: Vec<usize> =
                inner.into_iter().filter_map(|b| gone.remove(&self.name_b(b))).flatten().collect();
            if ours.is_empty() {
                continue;
            }
            ours.sort_unstable();
            ours.iter().for_each(|at| taken[*at] = true);
            let adopted: Vec<u32> = ours.into_iter().filter_map(|at| spots[at].a).collect();
            spots[new].change = Some(CallChange::Inserted { inner: self.names_of_a(&adopted) });
            spots[new].adopted = adopted;
        }
        keep(spots, |at| !taken[at]);
    }

    /// Functions of A alone that stand around calls which B makes without them.
    fn removed(&mut self, spots: &mut [Spot]) {
        let new = spots.iter().enumerate().filter(|(_, spot)| is_new(spot));
        let mut new: FxHashMap<u32, usize> =
            new.filter_map(|(at, spot)| Some((self.name_b(spot.b?), at))).collect();
        for at in 0..spots.len() {
            let (Some(gone), None) = (spots[at].a, spots[at].b) else { continue };
            let mut taken = Vec::new();
            for inner in below(&self.of_a, gone) {
                if let Some(spot) = new.remove(&self.name_a(inner)) {
                    spots[spot].a = Some(inner);
                    taken.push(inner);
                }
            }
            if !taken.is_empty() {
                spots[at].change = Some(CallChange::Removed { inner: self.names_of_a(&taken) });
                self.elsewhere.extend(taken);
            }
        }
    }

    fn names_of_a(&self, places: &[u32]) -> Vec<String> {
        places.iter().map(|a| self.names.name(self.name_a(*a)).to_owned()).collect()
    }

    /// Functions of A and of B alone that are the same one under another name.
    fn renamed(&self, spots: &mut Vec<Spot>) {
        let runs = spots.chunk_by(|x, y| alone(x) && alone(y)).map(<[Spot]>::len).collect::<Vec<_>>();
        let mut begin = 0;
        let mut gone = vec![false; spots.len()];
        for length in runs {
            let run = begin..begin + length;
            begin += length;
            for new in run.clone().filter(|_| length <= RUN) {
                if !is_new(&spots[new]) {
                    continue;
                }
                let fits = |old: &usize| {
                    is_gone(&spots[*old]) && !gone[*old] && self.is_renamed(spots, *old, new, length)
                };
                let Some(old) = run.clone().find(fits) else { continue };
                let Some(a) = spots[old].a else { continue };
                let from = self.names.name(self.name_a(a)).to_owned();
                (spots[new].a, spots[new].change) = (Some(a), Some(CallChange::Renamed { from }));
                gone[old] = true;
            }
        }
        keep(spots, |at| !gone[at]);
    }

    /// Whether the function of A at one spot is that of B at another one, between the same neighbours: `alone`
    /// spots stand between these.
    fn is_renamed(&self, spots: &[Spot], old: usize, new: usize, alone: usize) -> bool {
        let (Some(a), Some(b)) = (spots[old].a, spots[new].b) else { return false };
        let names = |tree: &Tree, children: &[u32]| {
            children.iter().map(|at| tree.nodes[*at as usize].name).collect::<FxHashSet<_>>()
        };
        let (ours, theirs) = (names(self.a, &self.of_a[a as usize]), names(self.b, &self.of_b[b as usize]));
        let same = ours.intersection(&theirs).count();
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
            (None, _) => Some(CallChange::New),
            (_, None) => Some(CallChange::Gone),
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

/// Keeps some of the spots, by their places.
fn keep(spots: &mut Vec<Spot>, is_kept: impl Fn(usize) -> bool) {
    let mut at = 0;
    spots.retain(|_| {
        at += 1;
        is_kept(at - 1)
    });
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
