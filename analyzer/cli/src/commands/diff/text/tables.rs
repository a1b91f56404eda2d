//! The tables of a comparison.

use super::calls::calls;
use super::numbers::{
    NUMBERS, OWN, STATISTICS, TIMES, TOTAL, counts, judged, numbers, share, signed, statistics, table, times,
};
use crate::view::table::Table;
use crate::view::text::{counted, plain};
use iotrace::analysis::diff::{
    Both, Class, Costs, Diff, FunctionDiff, HandoverChange, HandoverChangeKind, StepCost, Waiting,
};
use std::cmp::Reverse;

/// Rows of a table that are shown unless all are asked for.
const ROWS: usize = 20;

/// The tables, the sums before their parts, with their titles.
pub fn tables(diff: &Diff, all: bool) -> Vec<(String, Table)> {
    let most = if all { usize::MAX } else { ROWS };
    let title = |name: &str, rows: usize| match rows > most {
        true => format!("{name} (first {most} of {rows}; use --all for all)"),
        false => name.to_owned(),
    };
    let places = diff.classes.iter().map(|class| class.places.len()).sum();
    let by_class: usize = differing_steps(diff).len();
    let tables = vec![
        ("By system call: attributed instructions".into(), classes(diff)),
        ("By stage: attributed instructions and guest time up to the stage".into(), steps(diff)),
        (title("By stage of each system call", by_class), steps_by_class(diff, most)),
        ("By layer: own instructions of its functions".into(), layers(diff)),
        ("Functions in another context".into(), handovers(diff)),
        (
            title("Locks and waits: total instructions and guest time waited", diff.waits.len()),
            waits(diff, most),
        ),
        (title("By function: own instructions", diff.functions.len()), functions(diff, most)),
        (
            title(
                "Call tree differences: own instructions; + only in B, − only in A, ⇄ moved, ≈ renamed",
                places,
            ),
            calls(diff, most),
        ),
        (title("By I/O: attributed instructions", diff.pairs.len()), pairs(diff, most)),
        (title("Unpaired I/Os", diff.unpaired.len()), unpaired(diff, most)),
    ];
    tables.into_iter().map(|(title, table)| (title, table.without_empty())).collect()
}

fn interrupts(costs: &Costs) -> String {
    match costs.shared_interrupts {
        shared if shared == Both::default() => counts(costs.interrupts),
        shared => format!("{} + {} shared", counts(costs.interrupts), counts(shared)),
    }
}

fn classes(diff: &Diff) -> Table {
    let heads =
        [&["<call", "pairs"], &NUMBERS[..], &STATISTICS, &["bios", "MMIO", "interrupts", "waits"]].concat();
    let mut table = table(&heads);
    for Class { syscall, pairs, costs, test, .. } in &diff.classes {
        let cells = [plain(syscall), pairs.to_string()].into_iter().chain(numbers(costs.instructions));
        let cells = cells.chain(statistics(test)).chain([counts(costs.bios), counts(costs.accesses)]);
        table.row(cells.chain([interrupts(costs), counts(costs.waits)]));
    }
    table
}

/// Heads of [`step`].
fn step_heads<'a>(before: &[&'a str]) -> Vec<&'a str> {
    let after = [&TIMES[..], &["<part"]].concat();
    [before, &["<stage", "times"], &NUMBERS, &["share"], &STATISTICS, &after].concat()
}

fn step(diff: &Diff, step: &StepCost, whole: Both) -> impl Iterator<Item = String> {
    let cells = [step.step.to_owned(), counts(step.times)].into_iter().chain(numbers(step.instructions));
    let cells = cells.chain([share(step.instructions, whole)]).chain(judged(&step.test, step.evidence));
    cells.chain(times(diff, step.elapsed, step.device)).chain([step.part.to_owned()])
}

fn steps(diff: &Diff) -> Table {
    let mut table = table(&step_heads(&[]));
    diff.steps.iter().for_each(|cost| table.row(step(diff, cost, diff.costs.instructions)));
    table
}

/// Stages of a system call at which something differs, the largest difference first.
fn differing_steps(diff: &Diff) -> Vec<(&Class, &StepCost)> {
    let all = diff.classes.iter().flat_map(|class| class.steps.iter().map(move |step| (class, step)));
    let guest = |s: &StepCost| s.elapsed.without(s.device);
    let differs = |(_, s): &(&Class, &StepCost)| {
        [s.instructions, s.times, guest(s)].into_iter().any(|both| !both.is_equal())
    };
    let mut found: Vec<_> = all.filter(differs).collect();
    let size =
        |s: &StepCost| (s.instructions.difference().unsigned_abs(), guest(s).difference().unsigned_abs());
    found.sort_by_key(|(_, step)| (step.evidence.rank(), Reverse(size(step))));
    found
}

fn steps_by_class(diff: &Diff, most: usize) -> Table {
    let mut table = table(&step_heads(&["<call"]));
    for (class, cost) in differing_steps(diff).into_iter().take(most) {
        table.row([plain(&class.syscall)].into_iter().chain(step(diff, cost, class.costs.instructions)));
    }
    table
}

fn layers(diff: &Diff) -> Table {
    let mut table = table(&[&["<layer"], &OWN[..], &["share"]].concat());
    for layer in &diff.layers {
        let cells = [layer.layer.to_string()].into_iter().chain(numbers(layer.own));
        table.row(cells.chain([share(layer.own, diff.costs.instructions)]));
    }
    table
}

fn handovers(diff: &Diff) -> Table {
    let mut table = table(&["<call", "<function", "calls", "<change", "<in A", "<in B"]);
    for class in &diff.classes {
        for change in &class.handovers {
            let HandoverChange { function, kind, contexts, changed, inside, .. } = change;
            let kind = match kind {
                HandoverChangeKind::Asynchronous => "now asynchronous",
                HandoverChangeKind::Synchronous => "no longer asynchronous",
                HandoverChangeKind::Elsewhere => "handed to another context",
            };
            let inside = match inside {
                0 => String::new(),
                inside => format!(" and {}", counted(*inside as u64, "callee")),
            };
            let list = |of: fn(Both) -> u64| {
                let some = contexts.iter().filter(|c| of(c.calls) > 0);
                some.map(|c| format!("{} × {}", of(c.calls), plain(&c.context)))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let cells = [plain(&class.syscall), plain(function) + &inside, changed.to_string(), kind.into()];
            table.row(cells.into_iter().chain([list(|calls| calls.a), list(|calls| calls.b)]));
        }
    }
    table
}

fn waits(diff: &Diff, most: usize) -> Table {
    let heads = [&["<function", "<for", "calls"], &TOTAL[..], &["waits"], &TIMES, &["p", "<test"]].concat();
    let mut table = table(&heads);
    for waiting in diff.waits.iter().take(most) {
        let Waiting { function, what, calls, total, waits, elapsed, device, test } = waiting;
        let [_, _, p, verdict] = statistics(test);
        let cells = [plain(function), plain(what), counts(*calls)].into_iter().chain(numbers(*total));
        table.row(cells.chain([counts(*waits)]).chain(times(diff, *elapsed, *device)).chain([p, verdict]));
    }
    table
}

fn functions(diff: &Diff, most: usize) -> Table {
    let heads =
        [&["<function"], &OWN[..], &["share", "total B - A", "calls"], &STATISTICS, &["<layer"]].concat();
    let mut table = table(&heads);
    for function in diff.functions.iter().take(most) {
        let FunctionDiff { name, layer, symbols, calls, own, total, test, evidence, .. } = function;
        let renamed = symbols.as_ref().map(|(a, b)| format!(" ({a} → {b})")).unwrap_or_default();
        let more = plain(&(renamed + &inlined(function)));
        let cells = [plain(name) + &more].into_iter().chain(numbers(*own));
        let whole = [share(*own, diff.costs.instructions), signed(total.difference()), counts(*calls)];
        table.row(cells.chain(whole).chain(judged(test, *evidence)).chain([layer.to_string()]));
    }
    table
}

/// Where the compiler put a function, if one side has it elsewhere than the other.
pub fn inlined(function: &FunctionDiff) -> String {
    match &function.inlined {
        [None, Some(into)] => format!(" (in B inlined into {into})"),
        [Some(into), None] => format!(" (in A inlined into {into})"),
        _ => String::new(),
    }
}

fn pairs(diff: &Diff, most: usize) -> Table {
    let after = [&["MMIO", "interrupts", "waits"], &TIMES[..], &["<what", "<bios"]].concat();
    let mut table = table(&[&["recording", "I/O"], &NUMBERS[..], &after].concat());
    for pair in diff.pairs.iter().take(most) {
        let costs = &pair.costs;
        let recording = if diff.recordings > 1 { pair.recording.to_string() } else { String::new() };
        let ios = format!("{} = {}", pair.ios.a, pair.ios.b);
        let cells = [recording, ios].into_iter().chain(numbers(costs.instructions));
        let cells = cells.chain([counts(costs.accesses), interrupts(costs), counts(costs.waits)]);
        let cells = cells.chain(times(diff, costs.elapsed, costs.device));
        table.row(cells.chain([plain(&pair.what), plain(pair.bios.as_deref().unwrap_or_default())]));
    }
    table
}

fn unpaired(diff: &Diff, most: usize) -> Table {
    let mut table = table(&["<side", "I/O", "<what", "<reason"]);
    for alone in diff.unpaired.iter().take(most) {
        let side = if alone.of_a { "A" } else { "B" };
        table.row([side.into(), alone.io.to_string(), plain(&alone.what), plain(&alone.reason)]);
    }
    table
}
