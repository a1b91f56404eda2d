//! Compares runs: pairs their I/Os, and has each part of the result made of the pairs.

use super::align::align;
use super::functions::{functions, layers};
use super::gather::{DiffBio, Run, Work};
use super::handovers::handovers;
use super::headline::headline;
use super::names::FunctionNames;
use super::pair::{Others, Paired, pair, what};
use super::places::places;
use super::steps::steps;
use super::test::SampleValues;
use super::timeline::timeline;
use super::tree::Tree;
use super::waits::waits;
use super::{Both, CallChange, Class, Costs, Diff, DiffSide, Evidence, Pair, Timelines, Unpaired};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Pairs of I/Os, each with the number of the recording that it is of.
pub type Pairs<'a> = &'a [(usize, &'a Work, &'a Work)];

/// The pairs of one system call.
pub struct Group<'a> {
    /// Its name.
    pub syscall: &'a str,
    /// The pairs.
    pub pairs: Vec<(usize, &'a Work, &'a Work)>,
    /// The calls of A and of B, of each recording.
    pub by_recording: [Vec<Tree>; 2],
    /// The calls of A and of B, of all.
    pub trees: [Tree; 2],
}

/// Compares runs pair by pair, one or more on each side; the sides are called by these names.
#[must_use]
pub fn compare(mut runs: Vec<(Run, Run)>, called: [&str; 2]) -> Diff {
    let names = join(&mut runs);
    let paired: Vec<Paired<'_>> = runs.iter().map(|(a, b)| pair(a, b)).collect();
    let all: Vec<_> = paired
        .iter()
        .enumerate()
        .flat_map(|(recording, paired)| paired.pairs.iter().map(move |(a, b)| (recording, *a, *b)))
        .collect();
    let groups = groups(&all, runs.len());
    let mut diff = Diff {
        a: side(runs.iter().map(|(a, _)| a), called[0]),
        b: side(runs.iter().map(|(_, b)| b), called[1]),
        recordings: runs.len(),
        steps: steps(&all, runs.len()),
        waits: waits(&groups, &names, runs.len()),
        pairs: pairs(&all),
        unpaired: unpaired(&runs, &paired),
        cut: cut(&runs, called),
        ..Diff::default()
    };
    diff.classes = groups.iter().map(|group| class(group, &names, runs.len())).collect();
    let size = |class: &Class| class.costs.instructions.difference().unsigned_abs();
    diff.classes.sort_by_key(|class| (Reverse(size(class)), class.syscall.clone()));
    diff.classes.iter().for_each(|class| diff.costs.add(&class.costs));
    if let Some((a, b)) = runs.first() {
        let functions = functions(&groups, &names, [&a.names, &b.names], runs.len());
        diff.layers = layers(&functions);
        let differs = |f: &super::FunctionDiff| {
            f.symbols.is_some() || [f.calls, f.own, f.total].into_iter().any(|both| !both.is_equal())
        };
        diff.functions = functions.into_iter().filter(differs).collect();
    }
    let size =
        |f: &super::FunctionDiff| (f.own.difference().unsigned_abs(), f.total.difference().unsigned_abs());
    // Of one recording each, what the median I/O has not is what recordings of one kernel differ in as well.
    let is_of_some = |f: &super::FunctionDiff| f.evidence == Evidence::None && f.test.difference == 0;
    diff.functions.sort_by_key(|f| (f.evidence.rank(), is_of_some(f), Reverse(size(f)), f.name.clone()));
    doubt_places(&mut diff);
    doubt_steps(&mut diff);
    diff.equal = diff.pairs.is_empty() && diff.unpaired.is_empty() && diff.functions.is_empty();
    diff.headline = headline(&diff, all.len());
    diff
}

/// A function that costs more or less in one place differs only if it does altogether: of hundreds of places, those
/// of a function whose cost depends on where memory lies are apart by chance. So are calls, and hand-offs, that some I/Os
/// of a system call have and others have not.
fn doubt_places(diff: &mut Diff) {
    let differing: BTreeSet<_> =
        diff.functions.iter().filter(|f| f.evidence != Evidence::None).map(|f| f.name.as_str()).collect();
    for class in &mut diff.classes {
        let of_all = |calls: u64| calls >= class.pairs as u64;
        for place in &mut class.places {
            let is_call = place.change != CallChange::Cost && of_all(place.calls.a.max(place.calls.b));
            place.test.differs &= is_call || differing.contains(place.function.as_str());
        }
        for change in &mut class.handovers {
            change.test.differs &= of_all(change.changed) || differing.contains(change.function.as_str());
        }
    }
}

/// What is executed in a step, or in a system call, is executed in functions: it differs only if a function does. Of
/// hundreds of steps, those of calls of which each recording has one I/O are apart by chance.
fn doubt_steps(diff: &mut Diff) {
    if diff.functions.iter().any(|function| function.evidence != Evidence::None) {
        return;
    }
    let of_classes = diff.classes.iter_mut().flat_map(|class| &mut class.steps);
    for step in diff.steps.iter_mut().chain(of_classes).filter(|step| step.evidence == Evidence::BeyondChance)
    {
        (step.evidence, step.test.differs) = (Evidence::None, false);
    }
    diff.classes.iter_mut().for_each(|class| class.test.differs = false);
}

/// Gives the functions of all runs the same numbers.
fn join(runs: &mut [(Run, Run)]) -> FunctionNames {
    let mut names = FunctionNames::default();
    for run in runs.iter_mut().flat_map(|(a, b)| [a, b]) {
        let numbers = names.join(&run.names);
        for work in &mut run.works {
            work.tree = std::mem::take(&mut work.tree).renumbered(&numbers);
        }
    }
    names
}

fn side<'a>(runs: impl Iterator<Item = &'a Run>, name: &str) -> DiffSide {
    let mut side = DiffSide { name: name.to_owned(), ..DiffSide::default() };
    for run in runs {
        let banner = run.banner.trim_end();
        banner.split(" (").next().unwrap_or(banner).clone_into(&mut side.kernel);
        side.ios += run.works.len();
        side.approximate_times |= run.approximate_times;
    }
    side
}

fn cut(runs: &[(Run, Run)], called: [&str; 2]) -> Vec<String> {
    let mut cut = Vec::new();
    for (at, (a, b)) in runs.iter().enumerate() {
        for (name, run) in called.into_iter().zip([a, b]) {
            let which = if runs.len() > 1 { format!(" (recording {})", at + 1) } else { String::new() };
            cut.extend(run.cut.as_ref().map(|cut| format!("{name}{which} {cut}")));
        }
    }
    cut
}

fn groups<'a>(all: &[(usize, &'a Work, &'a Work)], recordings: usize) -> Vec<Group<'a>> {
    let mut by_call = BTreeMap::<&str, Vec<_>>::new();
    for pair in all {
        by_call.entry(&pair.1.syscall).or_default().push(*pair);
    }
    let group = |(syscall, pairs): (&'a str, Vec<(usize, &'a Work, &'a Work)>)| {
        let mut by_recording = [vec![Tree::default(); recordings], vec![Tree::default(); recordings]];
        for (recording, a, b) in &pairs {
            by_recording[0][*recording].add(&a.tree);
            by_recording[1][*recording].add(&b.tree);
        }
        let trees = by_recording.each_ref().map(|trees| {
            let mut whole = Tree::default();
            trees.iter().for_each(|tree| whole.add(tree));
            whole
        });
        Group { syscall, pairs, by_recording, trees }
    };
    by_call.into_iter().map(group).collect()
}

fn class(group: &Group<'_>, names: &FunctionNames, recordings: usize) -> Class {
    let (mut costs, mut values) = (Costs::default(), SampleValues::default());
    for (recording, a, b) in &group.pairs {
        costs.add(&Costs::of(a, b));
        values.add(0, *recording, a.tree.total());
        values.add(1, *recording, b.tree.total());
    }
    let flame = align(&group.trees[0], &group.trees[1], names);
    Class {
        syscall: group.syscall.to_owned(),
        pairs: group.pairs.len(),
        costs,
        spread: values.spread(),
        test: values.test(recordings),
        steps: steps(&group.pairs, recordings),
        places: places(&flame, group),
        handovers: handovers(group, names, recordings),
        flame,
    }
}

fn pairs(all: Pairs<'_>) -> Vec<Pair> {
    let pair = |(recording, a, b): &(usize, &Work, &Work)| {
        let (costs, bios) = (Costs::of(a, b), bios(&a.bios, &b.bios));
        let guest = costs.elapsed.without(costs.device);
        (!a.tree.is_same(&b.tree) || bios.is_some() || !guest.is_equal()).then(|| Pair {
            recording: recording + 1,
            ios: Both { a: a.io, b: b.io },
            what: what(a),
            costs,
            bios,
            timelines: Timelines { a: timeline(a), b: timeline(b) },
        })
    };
    let mut pairs: Vec<_> = all.iter().filter_map(pair).collect();
    let size = |pair: &Pair| pair.costs.instructions.difference().unsigned_abs();
    pairs.sort_by_key(|pair| (Reverse(size(pair)), pair.recording, pair.ios.a));
    pairs
}

/// How the bios of two I/Os differ: by operation and size, whatever their sectors.
fn bios(a: &[DiffBio], b: &[DiffBio]) -> Option<String> {
    type Kinds<'a> = BTreeMap<(&'a str, u64), usize>;
    fn count(bios: &[DiffBio]) -> Kinds<'_> {
        let mut kinds = Kinds::new();
        bios.iter().for_each(|bio| *kinds.entry((&bio.op, bio.bytes)).or_default() += 1);
        kinds
    }
    let (ours, theirs) = (count(a), count(b));
    if ours == theirs {
        return None;
    }
    let list = |kinds: &Kinds<'_>| {
        let words: Vec<_> = kinds.iter().map(|((op, bytes), n)| format!("{n} × {op} {bytes}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let bytes = |kinds: &Kinds<'_>| -> u64 { kinds.iter().map(|((_, bytes), n)| bytes * *n as u64).sum() };
    let why = match bytes(&ours) == bytes(&theirs) {
        true => "same bytes, split, merged or batched differently",
        false => "other bytes",
    };
    Some(format!("{why}: {} in A, {} in B", list(&ours), list(&theirs)))
}

fn unpaired(runs: &[(Run, Run)], paired: &[Paired<'_>]) -> Vec<Unpaired> {
    let alone = |work: &Work, of_a: bool, others: &Others<'_>| Unpaired {
        of_a,
        io: work.io,
        what: what(work),
        reason: others.reason(work),
    };
    let mut unpaired = Vec::new();
    for ((a, b), paired) in runs.iter().zip(paired) {
        let (of_a, of_b) = (Others::of(a), Others::of(b));
        unpaired.extend(paired.only_a.iter().map(|work| alone(work, true, &of_b)));
        unpaired.extend(paired.only_b.iter().map(|work| alone(work, false, &of_a)));
    }
    unpaired
}

#[cfg(test)]
mod tests {
    use super::super::{CallDiff, CostTest, FunctionDiff, HandoverChange, StepCost};
    use super::*;

    fn differs() -> CostTest {
        CostTest { differs: true, ..CostTest::default() }
    }

    /// Of 32 writes so many have a call and a hand-off on one side alone; with what functions say.
    fn doubted(of_some: u64, functions: Vec<FunctionDiff>) -> [bool; 4] {
        let place = CallDiff {
            path: Vec::new(),
            function: "f".to_owned(),
            change: CallChange::Gone,
            calls: Both { a: of_some, b: 0 },
            own: Both::default(),
            total: Both::default(),
            inside: 0,
            test: differs(),
        };
        let handover = HandoverChange {
            function: "f".into(),
            changed: of_some,
            test: differs(),
            ..HandoverChange::default()
        };
        let step = StepCost { evidence: Evidence::BeyondChance, test: differs(), ..StepCost::default() };
        let (places, handovers) = (vec![place], vec![handover]);
        let class =
            Class { pairs: 32, test: differs(), steps: vec![step], places, handovers, ..Class::default() };
        let mut diff = Diff { classes: vec![class], functions, ..Diff::default() };
        doubt_places(&mut diff);
        doubt_steps(&mut diff);
        let class = &diff.classes[0];
        [
            class.places[0].test.differs,
            class.handovers[0].test.differs,
            class.steps[0].test.differs,
            class.test.differs,
        ]
    }

    #[test]
    fn what_some_ios_have_differs_only_if_a_function_does() {
        let function =
            |name: &str, evidence| FunctionDiff { name: name.into(), evidence, ..FunctionDiff::default() };
        assert_eq!(doubted(4, vec![]), [false; 4]);
        assert_eq!(doubted(32, vec![function("f", Evidence::None)]), [true, true, false, false]);
        assert_eq!(doubted(4, vec![function("g", Evidence::BeyondChance)]), [false, false, true, true]);
        assert_eq!(doubted(4, vec![function("f", Evidence::OnlyInA)]), [true; 4]);
    }
}
