//! Where the calls differ, as trees: what is the same on both sides is folded.

use super::numbers::{OWN, counts, numbers, statistics, table};
use super::tables::inlined;
use crate::view::table::Table;
use crate::view::text::{counted, plain};
use iotrace::analysis::diff::{CallChange, CallDiff, Class, Diff};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Functions shown of a chain of calls that is the same on both sides.
const CHAIN: usize = 3;

/// The places that differ, in the order of the calls; of more than `most` those with the largest differences.
pub fn calls(diff: &Diff, most: usize) -> Table {
    let heads = [&["<call"], &OWN[..], &["calls", "<test", "<function, below its callers"]].concat();
    let mut table = table(&heads);
    let places = diff.classes.iter().flat_map(|class| &class.places);
    let mut sizes: Vec<_> = places.map(size).collect();
    sizes.sort_unstable_by_key(|size| Reverse(*size));
    let least = most.checked_sub(1).and_then(|last| sizes.get(last).copied()).unwrap_or_default();
    let inlined = diff.functions.iter().map(|function| (function.name.as_str(), inlined(function)));
    let inlined: BTreeMap<_, _> = inlined.filter(|(_, text)| !text.is_empty()).collect();
    let mut left = most;
    for class in &diff.classes {
        let shown: Vec<&CallDiff> =
            class.places.iter().filter(|place| size(place) >= least).take(left).collect();
        left -= shown.len();
        tree(&mut table, class, &shown, &inlined);
    }
    table
}

/// What counts of a place: that it is more than chance, and that the calls are others.
fn size(place: &CallDiff) -> (bool, bool, u64) {
    match place.change {
        CallChange::Cost => (place.test.differs, false, place.own.difference().unsigned_abs()),
        _ => (place.test.differs, true, place.total.difference().unsigned_abs()),
    }
}

fn tree(table: &mut Table, class: &Class, places: &[&CallDiff], inlined: &BTreeMap<&str, String>) {
    // What stands around the next row, each with what stands around it in turn.
    let mut around: Vec<Vec<&str>> = Vec::new();
    for place in places {
        let path: Vec<&str> = place.path.iter().map(String::as_str).collect();
        while around.pop_if(|above| !path.starts_with(above)).is_some() {}
        let known = around.last().map_or(0, Vec::len);
        if known < path.len() {
            let mut cells = vec![plain(&class.syscall)];
            cells.resize(7, String::new());
            cells.push(indented(around.len(), &chain(&path[known..])));
            table.row(cells);
            around.push(path.clone());
        }
        let inside = match place.inside {
            0 => String::new(),
            inside => format!(" and {}", counted(inside as u64, "callee")),
        };
        let elsewhere = inlined.get(place.function.as_str()).filter(|_| place.change != CallChange::Cost);
        let function = changed(place) + &plain(elsewhere.map_or("", String::as_str)) + &inside;
        let function = indented(around.len(), &function);
        let cells = [plain(&class.syscall)].into_iter().chain(numbers(place.own));
        let [.., verdict] = statistics(&place.test);
        table.row(cells.chain([counts(place.calls), verdict, function]));
        around.push(path.into_iter().chain([place.function.as_str()]).collect());
    }
}

/// Indented in a way that no format folds.
fn indented(depth: usize, text: &str) -> String {
    "\u{a0}\u{a0}".repeat(depth) + text
}

fn chain(names: &[&str]) -> String {
    let hidden = names.len().saturating_sub(CHAIN);
    let shown: Vec<_> = names[hidden..].iter().map(|name| plain(name)).collect();
    format!("{}{}", if hidden > 0 { "… → " } else { "" }, shown.join(" → "))
}

/// A function, with a mark before it that says how it differs.
fn changed(place: &CallDiff) -> String {
    let name = plain(&place.function);
    let list = |names: &[String]| names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    match &place.change {
        CallChange::New => format!("+ {name}"),
        CallChange::Gone => format!("− {name}"),
        CallChange::Inserted { inner } => format!("+ {name} around {}", list(inner)),
        CallChange::Removed { inner } => format!("− {name} from around {}", list(inner)),
        CallChange::Moved { from } => {
            format!("⇄ {name} from {}", plain(from.last().map_or("the top", String::as_str)))
        }
        CallChange::Renamed { from } => format!("≈ {name}, was {}", plain(from)),
        CallChange::Cost => name,
    }
}
