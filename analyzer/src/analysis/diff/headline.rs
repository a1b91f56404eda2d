//! The first three lines of a comparison: counts, functions, stages.
//!
//! Functions and stages that one side alone has come first, then what differs beyond chance, each by size. What recordings
//! of one side differ in as well is counted last.

use super::rank::{FEWEST, LEVEL};
use super::{CallChange, Class, Diff, Evidence, FunctionDiff, StepCost};
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

/// The functions: first what one side alone has, then what differs beyond chance, last how many others there are.
fn how_much(diff: &Diff) -> String {
    let tested = diff.recordings >= FEWEST;
    let of = |evidence| {
        diff.functions.iter().filter(|f| f.evidence == evidence && !f.own.is_equal()).collect::<Vec<_>>()
    };
    let (only_a, only_b) = (of(Evidence::OnlyInA), of(Evidence::OnlyInB));
    let (sure, others) = (of(Evidence::BeyondChance), of(Evidence::None));
    let mut sides = [("only in A", only_a), ("only in B", only_b)];
    // The side with more of them first.
    sides.sort_by_key(|(_, functions)| Reverse(functions.len()));
    let mut parts: Vec<_> = sides.iter().filter_map(|(side, functions)| largest(side, functions)).collect();
    if tested {
        parts.extend(largest(&format!("significant (rank-sum test, p < {LEVEL})"), &sure));
        if parts.is_empty() {
            parts.push(format!("no function differs significantly (rank-sum test, p < {LEVEL})"));
        }
        let functions = if others.len() == 1 { "function" } else { "functions" };
        let more = format!("{} {functions} no more than recordings of one side do", others.len());
        parts.extend((!others.is_empty()).then_some(more));
    } else {
        parts.extend(untested(&others, parts.is_empty()));
    }
    parts.join("; ")
}

/// Differences of too few recordings to test. Those that the median I/O has not are those of recordings of one kernel, such
/// as an update of a file's time: of these only the number is said, unless there is nothing else.
fn untested(functions: &[&FunctionDiff], are_alone: bool) -> Vec<String> {
    let (of_most, of_some): (Vec<_>, Vec<_>) = functions.iter().partition(|f| f.test.difference != 0);
    let mut parts = Vec::from_iter(largest("largest differences", &of_most));
    match of_some.len() {
        0 => {}
        _ if are_alone && parts.is_empty() => parts.extend(largest("in some I/Os only", &of_some)),
        1 => parts.push("1 function in some I/Os only".to_owned()),
        number => parts.push(format!("{number} functions in some I/Os only")),
    }
    match are_alone && parts.is_empty() {
        true => parts.push("no function differs".to_owned()),
        false => parts.push(format!("significance needs {FEWEST} recordings of each kernel")),
    }
    parts
}

/// The largest of some functions; none if there are none.
fn largest(title: &str, functions: &[&FunctionDiff]) -> Option<String> {
    let named = |f: &&FunctionDiff| match f.test.p {
        Some(_) => format!("{} {:+} per calling I/O", f.name, f.test.difference),
        None => format!("{} {:+}", f.name, f.own.difference()),
    };
    let names = functions.iter().take(NAMED).map(named).collect::<Vec<_>>().join(", ");
    let more = functions.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!functions.is_empty()).then(|| format!("{title}: {names}{more}"))
}

fn place(diff: &Diff) -> String {
    let tested = diff.recordings >= FEWEST;
    let all = diff.classes.iter().flat_map(|class| class.steps.iter().map(move |step| (class, step)));
    let is_shown = |(_, step): &(&Class, &StepCost)| match step.evidence {
        Evidence::None => !tested && !step.instructions.is_equal(),
        Evidence::BeyondChance => !step.instructions.is_equal(),
        Evidence::OnlyInA | Evidence::OnlyInB => true,
    };
    let mut steps: Vec<_> = all.filter(is_shown).collect();
    let size = |step: &StepCost| step.instructions.difference().unsigned_abs();
    steps.sort_by_key(|(_, step)| (step.evidence.rank(), Reverse(size(step))));
    let named = |(class, step): &(&Class, &StepCost)| {
        let way = if step.part == "to this stage" { "to " } else { "" };
        let side = match step.evidence {
            Evidence::OnlyInA => " only in A",
            Evidence::OnlyInB => " only in B",
            Evidence::BeyondChance | Evidence::None => "",
        };
        format!("{} {way}{} {:+}{side}", class.syscall, step.step, step.instructions.difference())
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

#[cfg(test)]
mod tests {
    use super::super::{Both, CostTest};
    use super::*;

    fn function(name: &str, own: (u64, u64), evidence: Evidence) -> FunctionDiff {
        let own = Both { a: own.0, b: own.1 };
        FunctionDiff { name: name.into(), own, evidence, ..FunctionDiff::default() }
    }

    fn step(step: &'static str, instructions: (u64, u64), evidence: Evidence) -> StepCost {
        let instructions = Both { a: instructions.0, b: instructions.1 };
        StepCost { step, part: "to this stage", instructions, evidence, ..StepCost::default() }
    }

    /// A scheduler in A; what both sides do differs more, by chance.
    fn diff(recordings: usize) -> Diff {
        let mut functions = vec![
            function("dd_dispatch_request", (900, 0), Evidence::OnlyInA),
            function("dd_insert_request", (500, 0), Evidence::OnlyInA),
            function("issue_directly", (0, 700), Evidence::OnlyInB),
            function("run_queue", (100, 180), Evidence::BeyondChance),
            function("log_reserve", (10, 21_553), Evidence::None),
            function("log_write", (10, 11), Evidence::None),
        ];
        if recordings < FEWEST {
            functions.retain(|f| f.evidence != Evidence::BeyondChance);
            // The log's update is in few I/Os.
            functions.iter_mut().for_each(|f| f.test.difference = i64::from(f.name != "log_reserve"));
        } else {
            let test = CostTest { p: Some(0.03), difference: 20, ..CostTest::default() };
            functions.iter_mut().for_each(|f| f.test = test.clone());
        }
        let steps = vec![step("Q", (5, 9000), Evidence::None), step("I", (300, 0), Evidence::OnlyInA)];
        let class = Class { syscall: "pwrite".into(), steps, ..Class::default() };
        Diff { recordings, functions, classes: vec![class], ..Diff::default() }
    }

    #[test]
    fn what_one_side_alone_has_is_first_and_what_may_be_chance_last() {
        assert_eq!(
            how_much(&diff(1)),
            "only in A: dd_dispatch_request -900, dd_insert_request -500; only in B: issue_directly +700; \
             largest differences: log_write +1; 1 function in some I/Os only; significance needs 4 recordings of \
             each kernel"
        );
        assert_eq!(
            how_much(&diff(4)),
            "only in A: dd_dispatch_request +20 per calling I/O, dd_insert_request +20 per calling I/O; only in B: \
             issue_directly +20 per calling I/O; significant (rank-sum test, p < 0.05): run_queue +20 per calling I/O; \
             2 functions no more than recordings of one side do"
        );
        let begin = "by stage: pwrite to I -300 only in A";
        assert!(place(&diff(1)).starts_with(&format!("{begin}, pwrite to Q +8995; ")), "{}", place(&diff(1)));
        assert!(place(&diff(4)).starts_with(&format!("{begin}; ")), "{}", place(&diff(4)));
    }

    #[test]
    fn without_a_function_that_surely_differs_that_is_said_first() {
        let mut diff = diff(4);
        diff.functions.retain(|f| f.evidence == Evidence::None);
        diff.functions.iter_mut().for_each(|f| f.test.difference = 0);
        assert_eq!(
            how_much(&diff),
            "no function differs significantly (rank-sum test, p < 0.05); 2 functions no more than recordings of one \
             side do"
        );
        diff.recordings = 1;
        diff.functions.iter_mut().for_each(|f| f.test = CostTest::default());
        assert_eq!(
            how_much(&diff),
            "in some I/Os only: log_reserve +21543, log_write +1; significance needs 4 recordings of each kernel"
        );
        diff.functions.clear();
        assert_eq!(how_much(&diff), "no function differs");
    }
}
