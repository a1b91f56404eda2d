//! Compares paired I/Os: costs, functions, places in the tree of calls.

use super::flame::flame;
use super::gather::{Names, Run, Work};
use super::pair::{Paired, pair, reason, what};
use super::rank::{FEWEST, LEVEL, median, rank_sum_test, spread};
use super::timeline::timeline;
use super::tree::Tree;
use super::{
    Both, Change, Class, Costs, Diff, Function, Layer, Pair, Place, Side, Test, Timelines, Unpaired,
};
use crate::model::{Bio, Definitions};
use iotrace_schemas::catalog::LAYERS;
use iotrace_schemas::definition::At;
use std::collections::{BTreeMap, BTreeSet};

/// Compares runs pair by pair, one or more on each side; the sides are called by these names.
#[must_use]
pub fn compare(runs: &[(Run, Run)], names: &Names, called: [&str; 2]) -> Diff {
    let paired: Vec<Paired<'_>> = runs.iter().map(|(a, b)| pair(a, b)).collect();
    let comparison = Comparison { runs, names, paired: &paired };
    let mut diff = Diff {
        a: side(runs.iter().map(|(a, _)| a), called[0]),
        b: side(runs.iter().map(|(_, b)| b), called[1]),
        recordings: runs.len(),
        ..Diff::default()
    };
    diff.classes = comparison.classes();
    diff.classes.iter().for_each(|class| diff.costs.add(&class.costs));
    let functions = comparison.functions();
    diff.layers = layers(&functions);
    diff.functions = functions.into_iter().filter(|f| !f.calls.is_equal() || !f.own.is_equal()).collect();
    diff.functions.sort_by_key(|f| {
        (!f.test.differs, std::cmp::Reverse(f.own.difference().unsigned_abs()), f.name.clone())
    });
    diff.pairs = comparison.pairs();
    diff.unpaired = comparison.unpaired();
    diff.cut = runs
        .iter()
        .flat_map(|(a, b)| [(called[0], a), (called[1], b)])
        .find_map(|(name, run)| run.cut.as_ref().map(|cut| format!("{name} {cut}")));
    diff.equal = diff.pairs.is_empty() && diff.unpaired.is_empty() && diff.functions.is_empty();
    diff.headline = headline(&diff, paired.iter().map(|paired| paired.pairs.len()).sum());
    diff
}

struct Comparison<'a> {
    runs: &'a [(Run, Run)],
    names: &'a Names,
    paired: &'a [Paired<'a>],
}

fn side<'a>(runs: impl Iterator<Item = &'a Run>, name: &str) -> Side {
    let mut side = Side { name: name.to_owned(), ..Side::default() };
    for run in runs {
        let banner = run.definitions.trace.banner.trim_end();
        banner.split(" (").next().unwrap_or(banner).clone_into(&mut side.kernel);
        side.ios += run.works.len();
    }
    side
}

fn costs(a: (&Run, &Work), b: (&Run, &Work)) -> Costs {
    let elapsed = |(run, work): (&Run, &Work)| {
        work.io.left.and_then(|left| run.time.between(work.io.entered, left)).unwrap_or(0)
    };
    let both = |of: &dyn Fn(&Work) -> u64| Both { a: of(a.1), b: of(b.1) };
    Costs {
        instructions: both(&|work| work.tree.total()),
        call: both(&|work| work.io.cost),
        elapsed: Both { a: elapsed(a), b: elapsed(b) },
        bios: both(&|work| work.bios.len() as u64),
        accesses: both(&|work| work.accesses),
        interrupts: both(&|work| work.interrupts),
    }
}

/// A tree by the paths of its nodes.
fn paths<'a>(tree: &Tree, names: &'a Names) -> BTreeMap<Vec<&'a str>, super::Node> {
    let mut all: Vec<Vec<&str>> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let mut path = node.parent.map_or_else(Vec::new, |parent| all[parent].clone());
        path.push(names.name(node.name));
        all.push(path);
    }
    all.into_iter().zip(tree.nodes.iter().copied()).collect()
}

/// The places in which two trees differ, in the order of the tree; inside a new, gone or moved function nothing.
fn places(a: &Tree, b: &Tree, names: &Names) -> Vec<Place> {
    let (ours, theirs) = (paths(a, names), paths(b, names));
    let all: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut found: Vec<Place> = Vec::new();
    for path in all {
        let (x, y) = (ours.get(path), theirs.get(path));
        let both = |of: fn(&super::Node) -> u64| Both { a: x.map_or(0, of), b: y.map_or(0, of) };
        let inside = |place: &&mut Place| {
            let whole = place.change == Change::New || place.change == Change::Gone;
            let around = || place.path.iter().chain([&place.function]).map(String::as_str);
            whole && around().count() < path.len() && around().zip(path.iter()).all(|(a, b)| a == *b)
        };
        if let Some(place) = found.iter_mut().rev().find(inside) {
            place.inside += 1;
            continue;
        }
        let change = match (x, y) {
            (None, _) => Change::New,
            (_, None) => Change::Gone,
            (Some(x), Some(y)) if (x.calls, x.own) == (y.calls, y.own) => continue,
            _ => Change::Cost,
        };
        let Some((function, around)) = path.split_last() else { continue };
        found.push(Place {
            path: around.iter().map(|name| (*name).to_owned()).collect(),
            function: (*function).to_owned(),
            change,
            calls: both(|node| node.calls),
            own: both(|node| node.own),
            total: both(|node| node.total),
            inside: 0,
        });
    }
    moved(renamed(found))
}

/// A function that is gone in one place and new in another has moved.
fn moved(places: Vec<Place>) -> Vec<Place> {
    let mut kept: Vec<Place> = Vec::with_capacity(places.len());
    let mut gone: Vec<Place> = Vec::new();
    for place in places {
        match place.change {
            Change::Gone => gone.push(place),
            _ => kept.push(place),
        }
    }
    for place in gone {
        let is_new = |other: &&mut Place| other.change == Change::New && other.function == place.function;
        match kept.iter_mut().find(is_new) {
            Some(new) => {
                new.change = Change::Moved { from: place.path };
                (new.calls.a, new.own.a, new.total.a) = (place.calls.a, place.own.a, place.total.a);
                new.inside = new.inside.max(place.inside);
            }
            None => kept.push(place),
        }
    }
    kept
}

/// One function gone and one new in the same place, the only ones there, called as often: it has another name.
fn renamed(mut places: Vec<Place>) -> Vec<Place> {
    let siblings = |places: &[Place], path: &[String], change: &Change| -> Vec<usize> {
        let fits = |place: &Place| place.path == path && place.change == *change;
        (0..places.len()).filter(|at| fits(&places[*at])).collect()
    };
    let parents: BTreeSet<Vec<String>> = places.iter().map(|place| place.path.clone()).collect();
    let mut replaced = BTreeSet::new();
    for path in parents {
        let (new, gone) = (siblings(&places, &path, &Change::New), siblings(&places, &path, &Change::Gone));
        let (&[new], &[gone]) = (&new[..], &gone[..]) else { continue };
        if places[new].calls.b != places[gone].calls.a || path.is_empty() {
            continue;
        }
        let old = places[gone].clone();
        let place = &mut places[new];
        place.change = Change::Renamed { from: old.function };
        (place.calls.a, place.own.a, place.total.a) = (old.calls.a, old.own.a, old.total.a);
        replaced.insert(gone);
    }
    let mut at = 0;
    places.retain(|_| {
        at += 1;
        !replaced.contains(&(at - 1))
    });
    places
}

/// Layer and symbol of each function.
fn about(definitions: &Definitions) -> BTreeMap<&str, (&str, &str)> {
    let entries = definitions.probes.values().filter(|probe| probe.at == At::Entry);
    entries.map(|p| (p.function.as_str(), (p.layer.as_str(), p.symbol.as_str()))).collect()
}

fn layers(functions: &[Function]) -> Vec<Layer> {
    let layer = |name: &&str| {
        let mut own = Both::default();
        functions.iter().filter(|f| f.layer == *name).for_each(|f| own.add(f.own));
        Layer { name: (*name).to_owned(), own }
    };
    let some = |layer: &Layer| layer.own != Both::default();
    LAYERS.iter().map(layer).filter(some).collect()
}

/// How the bios of two I/Os differ: by operation and size, whatever their sectors.
fn bios(a: &[Bio], b: &[Bio]) -> Option<String> {
    let count = |bios: &[Bio]| {
        let mut kinds = BTreeMap::<(String, u64), usize>::new();
        bios.iter().for_each(|bio| *kinds.entry((bio.op.rwbs(), bio.bytes)).or_default() += 1);
        kinds
    };
    let (ours, theirs) = (count(a), count(b));
    if ours == theirs {
        return None;
    }
    let list = |kinds: &BTreeMap<(String, u64), usize>| {
        let words: Vec<_> = kinds.iter().map(|((op, bytes), n)| format!("{n} × {op} {bytes}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let bytes = |kinds: &BTreeMap<(String, u64), usize>| -> u64 {
        kinds.iter().map(|((_, bytes), n)| bytes * *n as u64).sum()
    };
    let why = match bytes(&ours) == bytes(&theirs) {
        true => "the same bytes, split, merged or batched differently",
        false => "other bytes",
    };
    Some(format!("{why}: {} in A, {} in B", list(&ours), list(&theirs)))
}

impl Comparison<'_> {
    /// All pairs, each with the runs they are of.
    fn all(&self) -> impl Iterator<Item = ((&Run, &Work), (&Run, &Work))> {
        let runs = self.runs.iter().zip(self.paired);
        runs.flat_map(|((a, b), paired)| paired.pairs.iter().map(move |(x, y)| ((a, *x), (b, *y))))
    }

    fn classes(&self) -> Vec<Class> {
        let mut sums = BTreeMap::<String, (Class, Tree, Tree)>::new();
        for (a, b) in self.all() {
            let (class, ours, theirs) = sums.entry(a.1.io.syscall.to_string()).or_default();
            class.pairs += 1;
            class.costs.add(&costs(a, b));
            ours.add(&a.1.tree);
            theirs.add(&b.1.tree);
        }
        let class = |(syscall, (class, ours, theirs))| {
            let places = places(&ours, &theirs, self.names);
            let flame = flame(&ours, &theirs, self.names, &places);
            Class { syscall, places, flame, ..class }
        };
        let mut classes: Vec<_> = sums.into_iter().map(class).collect();
        let size = |class: &Class| class.costs.instructions.difference().unsigned_abs();
        classes.sort_by_key(|class| (std::cmp::Reverse(size(class)), class.syscall.clone()));
        classes
    }

    fn functions(&self) -> Vec<Function> {
        let mut found = BTreeMap::<u32, (Function, Vec<i64>, Vec<i64>)>::new();
        for (at, paired) in self.paired.iter().enumerate() {
            let mut own = BTreeMap::<u32, [Vec<i64>; 2]>::new();
            for (x, y) in &paired.pairs {
                for (side, work) in [x, y].into_iter().enumerate() {
                    for (name, (calls, cost)) in by_function(&work.tree) {
                        let (function, ..) = found.entry(name).or_default();
                        let (all_calls, all_cost) = match side {
                            0 => (&mut function.calls.a, &mut function.own.a),
                            _ => (&mut function.calls.b, &mut function.own.b),
                        };
                        *all_calls += calls;
                        *all_cost += cost;
                        own.entry(name).or_default()[side].push(cost.cast_signed());
                    }
                }
            }
            for (name, [mut ours, mut theirs]) in own {
                let (_, a, b) = found.entry(name).or_default();
                // In a recording without it, it cost nothing.
                a.resize(at, 0);
                b.resize(at, 0);
                a.push(median(&mut ours));
                b.push(median(&mut theirs));
            }
        }
        let sides = self.runs.first().map(|(a, b)| (about(&a.definitions), about(&b.definitions)));
        let (ours, theirs) = sides.unwrap_or_default();
        let function = |(number, (function, mut a, mut b)): (u32, (Function, Vec<i64>, Vec<i64>))| {
            let name = self.names.name(number);
            let (x, y) = (ours.get(name), theirs.get(name));
            a.resize(self.runs.len(), 0);
            b.resize(self.runs.len(), 0);
            Function {
                name: name.to_owned(),
                layer: x.or(y).map_or_else(String::new, |(layer, _)| (*layer).to_owned()),
                symbols: x.zip(y).filter(|(x, y)| x.1 != y.1).map(|(x, y)| (x.1.into(), y.1.into())),
                test: test(a, b),
                ..function
            }
        };
        found.into_iter().map(function).collect()
    }

    fn pairs(&self) -> Vec<Pair> {
        let differ = |x: &Work, y: &Work| {
            let (ours, theirs) = (paths(&x.tree, self.names), paths(&y.tree, self.names));
            let counts = |(path, node): (_, super::Node)| (path, node.calls, node.own);
            ours.into_iter().map(counts).ne(theirs.into_iter().map(counts))
        };
        let pair = |(a, b): ((&Run, &Work), (&Run, &Work))| {
            let (costs, bios) = (costs(a, b), bios(&a.1.bios, &b.1.bios));
            (differ(a.1, b.1) || bios.is_some() || !costs.elapsed.is_equal()).then(|| Pair {
                ios: Both { a: a.1.io.id, b: b.1.io.id },
                what: what(&a.1.io),
                costs,
                bios,
                timelines: Timelines { a: timeline(a.1), b: timeline(b.1) },
            })
        };
        let mut pairs: Vec<_> = self.all().filter_map(pair).collect();
        pairs.sort_by_key(|pair| {
            (std::cmp::Reverse(pair.costs.instructions.difference().unsigned_abs()), pair.ios.a)
        });
        pairs
    }

    fn unpaired(&self) -> Vec<Unpaired> {
        let alone = |work: &Work, of_a: bool, others: &[Work]| Unpaired {
            of_a,
            io: work.io.id,
            what: what(&work.io),
            reason: reason(&work.io, others),
        };
        let runs = self.runs.iter().zip(self.paired);
        let of_run = runs.flat_map(|((a, b), paired)| {
            let ours = paired.only_a.iter().map(move |work| alone(work, true, &b.works));
            ours.chain(paired.only_b.iter().map(move |work| alone(work, false, &a.works)))
        });
        of_run.collect()
    }
}

/// Calls and own instructions of each function of a tree, wherever it is.
fn by_function(tree: &Tree) -> BTreeMap<u32, (u64, u64)> {
    let mut functions = BTreeMap::<u32, (u64, u64)>::new();
    for node in &tree.nodes {
        let (calls, own) = functions.entry(node.name).or_default();
        *calls += node.calls;
        *own += node.own;
    }
    functions
}

fn test(a: Vec<i64>, b: Vec<i64>) -> Test {
    let difference = median(&mut b.clone()) - median(&mut a.clone());
    let p = (a.len() >= FEWEST && b.len() >= FEWEST).then(|| rank_sum_test(&a, &b));
    let beyond = i128::from(difference).unsigned_abs() > u128::from(spread(&a).max(spread(&b)));
    Test { difference, p, differs: p.is_some_and(|p| p < LEVEL) && beyond, a, b }
}

fn headline(diff: &Diff, pairs: usize) -> Vec<String> {
    if diff.equal {
        return vec!["no difference".to_owned()];
    }
    let costs = &diff.costs.instructions;
    let percent = costs.percent().map_or_else(String::new, |p| format!(" ({p:+.2}%)"));
    let mut lines = vec![format!(
        "{pairs} I/Os paired, {} without a partner: {} instructions in A, {} in B, {:+}{percent}",
        diff.unpaired.len(),
        costs.a,
        costs.b,
        costs.difference()
    )];
    let named = |f: &Function| match f.test.p {
        Some(_) => format!("{} {:+} in each I/O that calls it", f.name, f.test.difference),
        None => format!("{} {:+}", f.name, f.own.difference()),
    };
    let tested = diff.recordings >= FEWEST;
    let differing = diff.functions.iter().filter(|f| !tested || f.test.differs);
    let largest = differing.take(3).map(named).collect::<Vec<_>>().join(", ");
    lines.push(match (tested, largest.is_empty()) {
        (true, true) => format!("no function differs beyond chance (rank-sum test, p < {LEVEL})"),
        (true, false) => format!("beyond chance (rank-sum test, p < {LEVEL}): {largest}"),
        (false, true) => "no function costs more or less".to_owned(),
        (false, false) => format!(
            "most of it in {largest}; recordings of one kernel differ too: give {FEWEST} or more of each to tell"
        ),
    });
    let count = |fits: &dyn Fn(&Change) -> bool| {
        let places = diff.classes.iter().flat_map(|class| &class.places).filter(|p| fits(&p.change));
        places.map(|place| place.function.as_str()).collect::<BTreeSet<_>>().len()
    };
    lines.push(format!(
        "functions in another place of the tree of calls: {} new, {} gone, {} moved, {} renamed",
        count(&|c| *c == Change::New),
        count(&|c| *c == Change::Gone),
        count(&|c| matches!(c, Change::Moved { .. })),
        count(&|c| matches!(c, Change::Renamed { .. }))
    ));
    lines
}
