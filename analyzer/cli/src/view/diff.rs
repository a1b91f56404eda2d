//! Two traces compared: what changed, by how much, where.

mod calls;
mod numbers;
mod tables;

pub(super) use numbers::signed;
pub(super) use tables::{ROWS, tables};

pub use super::json::write_diff as write_json;
use super::text::{Style, plain};
use iotrace::analysis::diff::{Diff, DiffSide};
use std::io::{self, Write};

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
    for (side, DiffSide { name, kernel, .. }) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(out, "  {side}  {name}  {}", plain(kernel))?;
    }
    for line in method(diff) {
        writeln!(out, "  {}", style.faint(&line))?;
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
    for (side, DiffSide { name, kernel, .. }, end) in [("A", &diff.a, "  "), ("B", &diff.b, "")] {
        writeln!(out, "{side}: `{name}` {}{end}", plain(kernel))?;
    }
    writeln!(out, "\n{}", method(diff).join("\n"))?;
    for (title, table) in tables(diff, all) {
        if !table.is_empty() {
            writeln!(out, "\n## {title}\n")?;
            table.write_markdown(out)?;
        }
    }
    Ok(())
}

/// How it was told what differs.
pub(super) fn method(diff: &Diff) -> Vec<String> {
    let recordings = diff.recordings;
    let tests = || diff.classes.iter().map(|class| &class.test);
    let Some(interval) = tests().find_map(|test| test.interval) else {
        let number = if recordings == 1 { "one pair".to_owned() } else { format!("{recordings} pairs") };
        return vec![format!(
            "exact for {number} of traces; too few recordings for tests and intervals (4 of each side)"
        )];
    };
    let medians = match tests().find_map(|test| test.a_median) {
        Some(median) => {
            format!("the medians' own ({:.1}%, order statistics) are in the JSON", median.level * 100.0)
        }
        None => "too few recordings for intervals of the medians themselves (6)".to_owned(),
    };
    vec![
        format!("{recordings} recordings of each side; each I/O: the difference of the medians of the recordings' medians"),
        "differs: exact rank-sum test (Wilcoxon, Mann-Whitney), p < 0.05, and by more than recordings of either side among themselves; the means as well".to_owned(),
        format!(
            "interval: {:.1}%, of the shift (Hodges-Lehmann, Moses); {medians}",
            interval.level * 100.0
        ),
    ]
}
