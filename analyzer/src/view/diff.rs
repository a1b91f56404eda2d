//! Two traces compared: what changed, by how much, where.

use super::json;
use super::text::{Align, Style, Table, grouped, plain};
use crate::analysis::diff::{Both, Change, Class, Diff, Function, Place, Side};
use std::io::{self, Write};

/// Rows of a table that are shown unless all are asked for.
pub(super) const ROWS: usize = 20;

/// As text. `all`: every row, not only the largest differences.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, diff: &Diff, all: bool, style: Style) -> io::Result<()> {
    if diff.equal {
        return writeln!(out, "no difference");
    }
    for line in &diff.headline {
        writeln!(out, "{}", style.heading(&plain(line)))?;
    }
    writeln!(out)?;
    for (side, Side { name, kernel, .. }) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(out, "  {side}  {name}  {}", plain(kernel))?;
    }
    for (title, table) in tables(diff, all) {
        if !table.is_empty() {
            writeln!(out, "\n{}", style.heading(&title))?;
            table.write(out, style, "  ")?;
        }
    }
    Ok(())
}

/// As Markdown, for a report or a comment on a change.
///
/// # Errors
/// Those of `out`.
pub fn write_markdown(out: &mut dyn Write, diff: &Diff, all: bool) -> io::Result<()> {
    if diff.equal {
        return writeln!(out, "no difference");
    }
    for line in &diff.headline {
        writeln!(out, "- **{}**", plain(line))?;
    }
    writeln!(out)?;
    // Two blanks at the end of a line break it.
    for (side, Side { name, kernel, .. }, end) in [("A", &diff.a, "  "), ("B", &diff.b, "")] {
        writeln!(out, "{side}: `{name}` {}{end}", plain(kernel))?;
    }
    for (title, table) in tables(diff, all) {
        if !table.is_empty() {
            writeln!(out, "\n## {title}\n")?;
            table.write_markdown(out)?;
        }
    }
    Ok(())
}

/// As JSON (`schemas/json/diff.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    json::write(out, diff)
}

/// The tables in the order in which a busy person reads them.
pub(super) fn tables(diff: &Diff, all: bool) -> Vec<(String, Table)> {
    let most = if all { usize::MAX } else { ROWS };
    let title = |name: &str, rows: usize| match rows > most {
        true => format!("{name} (the first {most} of {rows}; --all shows all)"),
        false => name.to_owned(),
    };
    let places: usize = diff.classes.iter().map(|class| class.places.len()).sum();
    vec![
        ("By system call: instructions of all contexts that belong to it".into(), classes(diff)),
        ("By layer: instructions in its functions".into(), layers(diff)),
        (title("By function", diff.functions.len()), functions(diff, most)),
        (title("Where the calls differ", places), structure(diff, most)),
        (title("By I/O", diff.pairs.len()), pairs(diff, most)),
        (title("I/Os without a partner", diff.unpaired.len()), unpaired(diff, most)),
    ]
}

/// Columns A, B, difference and per cent.
fn numbers(both: Both) -> [String; 4] {
    let percent = both.percent().map_or_else(String::new, |percent| format!("{percent:+.1}%"));
    [grouped(both.a), grouped(both.b), signed(both.difference()), percent]
}

pub(super) fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "+" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

fn heads<'a>(left: &'a str, right: &[&'a str], last: &[&'a str]) -> Table {
    let left = [(left, Align::Left)].into_iter();
    let numbers = right.iter().map(|head| (*head, Align::Right));
    Table::new(left.chain(numbers).chain(last.iter().map(|head| (*head, Align::Left))))
}

/// A pair of small counts, in one column if they are equal.
fn counts(both: Both) -> String {
    if both.is_equal() { both.a.to_string() } else { format!("{} → {}", both.a, both.b) }
}

fn classes(diff: &Diff) -> Table {
    let right = ["pairs", "A", "B", "B - A", "", "bios", "MMIO", "interrupts"];
    let mut table = heads("call", &right, &[]);
    for Class { syscall, pairs, costs, .. } in &diff.classes {
        let cells = [plain(syscall), pairs.to_string()].into_iter().chain(numbers(costs.instructions));
        table.row(cells.chain([counts(costs.bios), counts(costs.accesses), counts(costs.interrupts)]));
    }
    table
}

fn layers(diff: &Diff) -> Table {
    let mut table = heads("layer", &["A", "B", "B - A", ""], &[]);
    for layer in &diff.layers {
        table.row([plain(&layer.name)].into_iter().chain(numbers(layer.own)));
    }
    table
}

fn functions(diff: &Diff, most: usize) -> Table {
    let right = ["A", "B", "B - A", "", "calls", "each I/O", "p"];
    let mut table = heads("function", &right, &["", "layer"]);
    for function in diff.functions.iter().take(most) {
        let Function { name, layer, symbols, calls, own, test } = function;
        let renamed = symbols.as_ref().map(|(a, b)| format!(" ({a} → {b})")).unwrap_or_default();
        let cells = [plain(name) + &plain(&renamed)].into_iter().chain(numbers(*own));
        let (p, differs) = match test.p {
            Some(p) => (format!("{p:.4}"), if test.differs { "differs" } else { "chance" }),
            None => (String::new(), ""),
        };
        let statistics = [counts(*calls), signed(test.difference), p, differs.into(), plain(layer)];
        table.row(cells.chain(statistics));
    }
    table
}

fn structure(diff: &Diff, most: usize) -> Table {
    let mut table = heads("call", &["A", "B", "B - A", "", "calls"], &["change", "function", "in"]);
    let places = diff.classes.iter().flat_map(|class| class.places.iter().map(move |place| (class, place)));
    for (class, place) in places.take(most) {
        let cells = [plain(&class.syscall)].into_iter().chain(numbers(place.own));
        let inside = match place.inside {
            0 => String::new(),
            inside => format!(" and {inside} inside it"),
        };
        let function = plain(&place.function) + &inside;
        table.row(cells.chain([counts(place.calls), change(place), function, around(&place.path)]));
    }
    table
}

fn change(place: &Place) -> String {
    match &place.change {
        Change::New => "new".into(),
        Change::Gone => "gone".into(),
        Change::Moved { from } => {
            format!("moved from {}", plain(from.last().map_or("the top", String::as_str)))
        }
        Change::Renamed { from } => format!("in the place of {}", plain(from)),
        Change::Cost => "cost".into(),
    }
}

/// The innermost functions around a place.
fn around(path: &[String]) -> String {
    const SHOWN: usize = 3;
    let hidden = path.len().saturating_sub(SHOWN);
    let shown: Vec<_> = path[hidden..].iter().map(|name| plain(name)).collect();
    format!("{}{}", if hidden > 0 { "… → " } else { "" }, shown.join(" → "))
}

fn pairs(diff: &Diff, most: usize) -> Table {
    let mut table = heads("I/O", &["A", "B", "B - A", "", "ns A", "ns B"], &["what", "bios"]);
    for pair in diff.pairs.iter().take(most) {
        let cells = [format!("{} = {}", pair.ios.a, pair.ios.b)].into_iter();
        let elapsed = [grouped(pair.costs.elapsed.a), grouped(pair.costs.elapsed.b)];
        let cells = cells.chain(numbers(pair.costs.instructions)).chain(elapsed);
        table.row(cells.chain([plain(&pair.what), plain(pair.bios.as_deref().unwrap_or_default())]));
    }
    table
}

fn unpaired(diff: &Diff, most: usize) -> Table {
    let mut table = heads("of", &["I/O"], &["what", "why"]);
    for alone in diff.unpaired.iter().take(most) {
        let side = if alone.of_a { "A" } else { "B" };
        table.row([side.into(), alone.io.to_string(), plain(&alone.what), plain(&alone.reason)]);
    }
    table
}
