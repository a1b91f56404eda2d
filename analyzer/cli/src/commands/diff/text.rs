//! Two traces compared: what changed, by how much, where.

mod calls;
mod numbers;
mod tables;

pub(super) use numbers::signed;
pub(super) use tables::tables;

use crate::view::markdown::Markdown;
use crate::view::stages;
use crate::view::text::{Style, plain};
use crate::view::wrap::WrapWriter;
use iotrace::analysis::diff::{Both, Diff, DiffSide};
use std::io::{self, Write};

/// As text. `all`: every row, not only the largest differences.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, diff: &Diff, all: bool, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    if diff.equal {
        return writeln!(out, "no difference");
    }
    for line in &diff.headline {
        writeln!(out, "{}", style.heading(&plain(line)))?;
    }
    writeln!(out)?;
    for (side, DiffSide { name, kernel, .. }) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(out, "  {side}  {}  {}", plain(name), plain(kernel))?;
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
    writeln!(out)?;
    legend(diff).iter().try_for_each(|line| writeln!(out, "  {}", style.faint(line)))
}

/// As Markdown, for a report or a comment on a change.
///
/// # Errors
/// Those of `out`.
pub fn write_markdown(out: &mut dyn Write, diff: &Diff, all: bool) -> io::Result<()> {
    if diff.equal {
        return writeln!(out, "no difference");
    }
    let mut out = Markdown::new(out);
    diff.headline.iter().try_for_each(|line| out.item(line))?;
    out.paragraph([])?;
    for (side, DiffSide { name, kernel, .. }, more) in [("A", &diff.a, true), ("B", &diff.b, false)] {
        out.named(side, &format!("{name} {kernel}"), more)?;
    }
    out.paragraph(method(diff).iter().map(String::as_str))?;
    for (title, table) in tables(diff, all) {
        if !table.is_empty() {
            out.heading(&title)?;
            out.table(&table)?;
        }
    }
    legend(diff).iter().try_for_each(|line| out.paragraph([line.as_str()]))
}

/// What columns and stages mean.
pub(super) fn legend(diff: &Diff) -> Vec<String> {
    let instructions = "attributed: instructions executed for an I/O in any context (task, softirq, \
                        interrupt, work item); \
                        own: of a function without its callees; total: with them; share: of all \
                        instructions of B";
    let times = "µs: guest time, virtual time without that in which the task slept while a device had a command; \
                 device: that time in µs, of the recording host's disk unless that answers at once";
    let has_times = diff.costs.elapsed != Both::default();
    let stages = stages::legend(|stage| diff.steps.iter().any(|step| step.step == stage.short()));
    let mut times = if has_times { times.to_owned() } else { String::new() };
    if has_times && (diff.a.approximate_times || diff.b.approximate_times) {
        times.push_str("; ~: approximate, of a guest that ran live without icount");
    }
    [instructions.to_owned(), times, stages].into_iter().filter(|line| !line.is_empty()).collect()
}

/// The method by which differences are found.
pub(super) fn method(diff: &Diff) -> Vec<String> {
    let recordings = diff.recordings;
    let tests = || diff.classes.iter().map(|class| &class.test);
    let Some(interval) = tests().find_map(|test| test.interval) else {
        let number = if recordings == 1 { "one pair".to_owned() } else { format!("{recordings} pairs") };
        return vec![format!(
            "exact for {number} of traces; tests and intervals need 4 recordings of each side"
        )];
    };
    let medians = match tests().find_map(|test| test.a_median) {
        Some(median) => {
            format!(
                "intervals of the medians ({:.1}%, order statistics) in the JSON output",
                median.level * 100.0
            )
        }
        None => "intervals of the medians need 6 recordings".to_owned(),
    };
    vec![
        format!(
            "{recordings} recordings of each side; each I/O: difference of the medians of the \
                 recordings' medians"
        ),
        "differs: exact rank-sum test (Wilcoxon, Mann-Whitney) with p < 0.05, and medians and means differ \
         by more than recordings of one side do"
            .to_owned(),
        format!("interval: {:.1}% of the shift (Hodges-Lehmann, Moses); {medians}", interval.level * 100.0),
    ]
}
