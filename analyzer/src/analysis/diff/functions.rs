//! What each function costs on both sides, wherever it is called, and each layer.

use super::compare::{Group, Pairs};
use super::names::FunctionNames;
use super::presence::Presence;
use super::test::SampleValues;
use super::tree::Tree;
use super::{Both, FunctionDiff, LayerCost};
use iotrace_format::layer::Layer;
use rustc_hash::FxHashMap;

#[derive(Default)]
struct Sum {
    calls: Both,
    own: Both,
    total: Both,
    presence: Presence,
    values: SampleValues,
}

/// All functions that were called, by name.
pub fn functions(
    groups: &[Group<'_>],
    names: &FunctionNames,
    sides: [&FunctionNames; 2],
    recordings: usize,
) -> Vec<FunctionDiff> {
    let mut sums = FxHashMap::<u32, Sum>::default();
    for group in groups {
        for (side, tree) in group.trees.iter().enumerate() {
            add(&mut sums, tree, side);
        }
        values(&mut sums, &group.pairs);
    }
    let function = |(number, sum): (u32, Sum)| {
        let about = names.about(number);
        let of_sides = sides.map(|side| side.find(&about.name));
        let [a, b] = of_sides.map(|about| about.and_then(|about| about.symbol.clone()));
        let inlined = of_sides.map(|about| {
            let about = about.filter(|about| about.symbol.is_none())?;
            about.inlined.clone()
        });
        let test = sum.values.test(recordings);
        FunctionDiff {
            name: about.name.clone(),
            layer: about.layer,
            symbols: a.zip(b).filter(|(a, b)| a != b),
            inlined,
            calls: sum.calls,
            own: sum.own,
            total: sum.total,
            ios: sum.presence.ios,
            evidence: sum.presence.evidence(&test),
            test,
        }
    };
    let mut functions: Vec<_> = sums.into_iter().map(function).collect();
    functions.sort_by(|x, y| x.name.cmp(&y.name));
    functions
}

fn add(sums: &mut FxHashMap<u32, Sum>, tree: &Tree, side: usize) {
    for ((at, node), total) in tree.nodes.iter().enumerate().zip(tree.totals()) {
        let sum = sums.entry(node.name).or_default();
        sum.calls.count(side, node.calls);
        sum.own.count(side, node.own);
        // What a function that calls itself costs is in the outermost call.
        if tree.around(at as u32).skip(1).all(|around| around.name != node.name) {
            sum.total.count(side, total);
        }
    }
}

/// Own instructions of each function, of each I/O of a system call that calls it.
fn values(sums: &mut FxHashMap<u32, Sum>, pairs: Pairs<'_>) {
    let mut own: Vec<(u32, u64)> = Vec::new();
    let mut have = FxHashMap::<u32, [u64; 2]>::default();
    for (recording, a, b) in pairs {
        for (side, work) in [a, b].into_iter().enumerate() {
            own.clear();
            own.extend(work.tree.nodes.iter().map(|node| (node.name, node.own)));
            own.sort_unstable_by_key(|(name, _)| *name);
            for function in own.chunk_by(|x, y| x.0 == y.0) {
                let cost = function.iter().map(|(_, own)| own).sum();
                sums.entry(function[0].0).or_default().values.add(side, *recording, cost);
                have.entry(function[0].0).or_default()[side] += 1;
            }
        }
    }
    for (function, have) in have {
        sums.entry(function).or_default().presence.add(pairs.len(), have);
    }
}

/// The layers, in the order of the path.
pub fn layers(functions: &[FunctionDiff]) -> Vec<LayerCost> {
    let cost = |layer: &Layer| {
        let mut own = Both::default();
        functions.iter().filter(|f| f.layer == *layer).for_each(|f| own.add(f.own));
        LayerCost { layer: *layer, own }
    };
    Layer::ALL.iter().map(cost).filter(|cost| cost.own != Both::default()).collect()
}
