//! Compares paired I/Os: costs, functions, places in the tree of calls.

use super::gather::{Run, Work};
use super::pair::{Paired, pair, reason, what};
use super::tree::Tree;
use super::{Both, Change, Class, Costs, Diff, Function, Layer, Pair, Place, Side, Unpaired};
use crate::model::{Bio, Definitions};
use iotrace_schemas::catalog::LAYERS;
use iotrace_schemas::definition::At;
use std::collections::{BTreeMap, BTreeSet};

/// Compares two runs, which are called by these names.
#[must_use]
pub fn compare(a: &Run, b: &Run, names: [&str; 2]) -> Diff {
    let paired = pair(a, b);
    let mut diff = Diff { a: side(a, names[0]), b: side(b, names[1]), ..Diff::default() };
    diff.classes = classes(a, b, &paired);
    diff.classes.iter().for_each(|class| diff.costs.add(&class.costs));
    let functions = functions(a, b, &paired);
    diff.layers = layers(&functions);
    diff.functions = functions.into_iter().filter(|f| !f.calls.is_equal() || !f.own.is_equal()).collect();
    diff.functions.sort_by_key(|f| (std::cmp::Reverse(f.own.difference().unsigned_abs()), f.name.clone()));
    diff.pairs = pairs(a, b, &paired);
    diff.unpaired = unpaired(a, b, &paired);
    let place = |name: &str, cut: &Option<String>| cut.as_ref().map(|cut| format!("{name} {cut}"));
    diff.cut = place(names[0], &a.cut).or_else(|| place(names[1], &b.cut));
    diff.equal = diff.pairs.is_empty() && diff.unpaired.is_empty() && diff.functions.is_empty();
    diff.headline = headline(&diff, paired.pairs.len());
    diff
}

fn side(run: &Run, name: &str) -> Side {
    let banner = run.definitions.trace.banner.trim_end();
    let kernel = banner.split(" (").next().unwrap_or(banner).to_owned();
    Side { name: name.to_owned(), kernel, ios: run.works.len() }
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

fn classes(a: &Run, b: &Run, paired: &Paired<'_>) -> Vec<Class> {
    let mut sums = BTreeMap::<String, (Class, Tree, Tree)>::new();
    for (x, y) in &paired.pairs {
        let (class, ours, theirs) = sums.entry(x.io.syscall.to_string()).or_default();
        class.pairs += 1;
        class.costs.add(&costs((a, x), (b, y)));
        ours.add(&x.tree);
        theirs.add(&y.tree);
    }
    let class = |(syscall, (class, ours, theirs))| {
        let places = places((&ours, &a.names), (&theirs, &b.names));
        Class { syscall, places, ..class }
    };
    let mut classes: Vec<_> = sums.into_iter().map(class).collect();
    let size = |class: &Class| class.costs.instructions.difference().unsigned_abs();
    classes.sort_by_key(|class| (std::cmp::Reverse(size(class)), class.syscall.clone()));
    classes
}

/// A tree by the paths of its nodes.
type Paths<'a> = BTreeMap<Vec<&'a str>, super::Node>;

fn paths<'a>((tree, names): (&Tree, &'a [String])) -> Paths<'a> {
    let mut all: Vec<Vec<&str>> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let mut path = node.parent.map_or_else(Vec::new, |parent| all[parent].clone());
        path.push(names.get(node.name as usize).map_or("", String::as_str));
        all.push(path);
    }
    all.into_iter().zip(tree.nodes.iter().copied()).collect()
}

/// The places in which two trees differ, in the order of the tree; inside a new, gone or moved function nothing.
fn places(a: (&Tree, &[String]), b: (&Tree, &[String])) -> Vec<Place> {
    let (ours, theirs) = (paths(a), paths(b));
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

fn functions(a: &Run, b: &Run, paired: &Paired<'_>) -> Vec<Function> {
    let mut found = BTreeMap::<String, Function>::new();
    let mut add = |work: &Work, names: &[String], is_a: bool| {
        for node in &work.tree.nodes {
            let name = names.get(node.name as usize).map_or("", String::as_str);
            let function = found.entry(name.to_owned()).or_default();
            let (calls, own) = match is_a {
                true => (&mut function.calls.a, &mut function.own.a),
                false => (&mut function.calls.b, &mut function.own.b),
            };
            *calls += node.calls;
            *own += node.own;
        }
    };
    for (x, y) in &paired.pairs {
        add(x, &a.names, true);
        add(y, &b.names, false);
    }
    let (ours, theirs) = (about(&a.definitions), about(&b.definitions));
    for (name, function) in &mut found {
        function.name.clone_from(name);
        let (x, y) = (ours.get(name.as_str()), theirs.get(name.as_str()));
        function.layer = x.or(y).map_or_else(String::new, |(layer, _)| (*layer).to_owned());
        function.symbols = x.zip(y).filter(|(x, y)| x.1 != y.1).map(|(x, y)| (x.1.into(), y.1.into()));
    }
    found.into_values().collect()
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
    LAYERS.iter().map(|name| layer(name)).filter(some).collect()
}

fn pairs(a: &Run, b: &Run, paired: &Paired<'_>) -> Vec<Pair> {
    let differ = |x: &Work, y: &Work| {
        let (ours, theirs) = (paths((&x.tree, &a.names)), paths((&y.tree, &b.names)));
        let counts = |paths: &Paths<'_>| paths.values().map(|n| (n.calls, n.own)).collect::<Vec<_>>();
        ours.keys().ne(theirs.keys()) || counts(&ours) != counts(&theirs)
    };
    let mut pairs: Vec<_> = paired
        .pairs
        .iter()
        .filter_map(|(x, y)| {
            let (costs, bios) = (costs((a, x), (b, y)), bios(&x.bios, &y.bios));
            (differ(x, y) || bios.is_some() || !costs.elapsed.is_equal()).then(|| Pair {
                ios: Both { a: x.io.id, b: y.io.id },
                what: what(&x.io),
                costs,
                bios,
            })
        })
        .collect();
    pairs.sort_by_key(|pair| {
        (std::cmp::Reverse(pair.costs.instructions.difference().unsigned_abs()), pair.ios.a)
    });
    pairs
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
    let why = match (bytes(&ours) == bytes(&theirs), ours.len() + theirs.len()) {
        (true, _) => "the same bytes, split, merged or batched differently",
        (false, _) => "other bytes",
    };
    Some(format!("{why}: {} in A, {} in B", list(&ours), list(&theirs)))
}

fn unpaired(a: &Run, b: &Run, paired: &Paired<'_>) -> Vec<Unpaired> {
    let alone = |work: &&Work, of_a: bool, others: &[Work]| Unpaired {
        of_a,
        io: work.io.id,
        what: what(&work.io),
        reason: reason(&work.io, others),
    };
    let ours = paired.only_a.iter().map(|work| alone(work, true, &b.works));
    let theirs = paired.only_b.iter().map(|work| alone(work, false, &a.works));
    ours.chain(theirs).collect()
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
    let largest: Vec<_> = diff.functions.iter().take(3).collect();
    let where_: Vec<_> = largest.iter().map(|f| format!("{} {:+}", f.name, f.own.difference())).collect();
    lines.push(match where_.is_empty() {
        true => "no function costs more or less".to_owned(),
        false => format!("most of it in {}", where_.join(", ")),
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
