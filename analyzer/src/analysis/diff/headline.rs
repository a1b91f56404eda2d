//! The first three lines of a comparison: counts, functions, stages.

use super::rank::{FEWEST, LEVEL};
use super::{CallChange, Class, Diff, FunctionDiff, StepCost};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Functions that are named.
const NAMED: usize = 3;

/// The lines, of a comparison that is otherwise made.
pub fn headline(diff: &Diff, pairs: usize) -> Vec<String> {
    if diff.equal {
        return vec!["no difference".to_owned()];
    }
    vec![what(diff, pairs), how_much(diff), place(diff)]
}

fn what(diff: &Diff, pairs: usize) -> String {
    let costs = &diff.costs.instructions;
    let percent = costs.percent().map_or_else(String::new, |p| format!(" ({p:+.2}%)"));
    format!(
        "I/O pairs {pairs}, unpaired I/Os {}: {} instructions in A, {} in B, {:+}{percent}",
        diff.unpaired.len(),
        costs.a,
        costs.b,
        costs.difference()
    )
}

fn how_much(diff: &Diff) -> String {
    let named = |f: &FunctionDiff| match f.test.p {
        Some(_) => format!("{} {:+} per calling I/O", f.name, f.test.difference),
        None => format!("{} {:+}", f.name, f.own.difference()),
    };
    let tested = diff.recordings >= FEWEST;
    let differing: Vec<_> =
        diff.functions.iter().filter(|f| !f.own.is_equal() && (!tested || f.test.differs)).collect();
    let mut largest = differing.iter().take(NAMED).map(|f| named(f)).collect::<Vec<_>>().join(", ");
    if differing.len() > NAMED {
        largest += &format!(" and {} more", differing.len() - NAMED);
    }
    match (tested, largest.is_empty()) {
        (true, true) => format!("no function differs significantly (rank-sum test, p < {LEVEL})"),
        (true, false) => format!("significant (rank-sum test, p < {LEVEL}): {largest}"),
        (false, true) => "no function differs".to_owned(),
        (false, false) => {
            format!("largest differences: {largest}; significance needs {FEWEST} recordings of each kernel")
        }
    }
}

fn place(diff: &Diff) -> String {
    let tested = diff.recordings >= FEWEST;
    let all = diff.classes.iter().flat_map(|class| class.steps.iter().map(move |step| (class, step)));
    let told =
        |(_, step): &(&Class, &StepCost)| !step.instructions.is_equal() && (!tested || step.test.differs);
    let mut steps: Vec<_> = all.filter(told).collect();
    steps.sort_by_key(|(_, step)| Reverse(step.instructions.difference().unsigned_abs()));
    let named = |(class, step): &(&Class, &StepCost)| {
        let way = if step.part == "to this stage" { "to " } else { "" };
        format!("{} {way}{} {:+}", class.syscall, step.step, step.instructions.difference())
    };
    let mut places = steps.iter().take(NAMED).map(named).collect::<Vec<_>>().join(", ");
    if places.is_empty() {
        places = "no single stage".to_owned();
    }
    format!("by stage: {places}; functions in the call tree: {}", calls(diff))
}

fn calls(diff: &Diff) -> String {
    let count = |fits: fn(&CallChange) -> bool| {
        diff.places(fits).map(|place| place.function.as_str()).collect::<BTreeSet<_>>().len()
    };
    let symbols = diff.functions.iter().filter(|f| f.symbols.is_some()).count();
    let handovers: BTreeSet<_> =
        diff.classes.iter().flat_map(|class| &class.handovers).map(|change| &change.function).collect();
    format!(
        "{} added, {} removed, {} moved, {} renamed, {} in another context",
        count(|c| matches!(c, CallChange::New | CallChange::Inserted { .. })),
        count(|c| matches!(c, CallChange::Gone | CallChange::Removed { .. })),
        count(|c| matches!(c, CallChange::Moved { .. })),
        count(|c| matches!(c, CallChange::Renamed { .. })) + symbols,
        handovers.len()
    )
}
