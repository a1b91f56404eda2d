//! The nesting of the calls, as text.

use crate::view::text::{Style, grouped};
use iotrace::analysis::witness::{LeftOut, Nesting, NestingDifference, Shown};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Names shown of a list.
const SHOWN: usize = 8;

/// Writes what was compared, the first difference, and what was left out.
pub(super) fn write(
    out: &mut dyn Write,
    nesting: &Nesting,
    left_out: &LeftOut,
    style: Style,
) -> io::Result<()> {
    let number = |n: usize| grouped(n as u64);
    writeln!(out, "\n{}", style.heading("nesting of calls, against function_graph"))?;
    let verdict = if nesting.difference.is_none() { "same" } else { "DIFFERENT from there on" };
    let (functions, tasks) = (nesting.functions.len(), nesting.tasks.len());
    writeln!(
        out,
        "  {} calls and {} returns of {functions} functions in {tasks} tasks, {} of them in interrupts, at most {} \
         deep: {verdict}",
        number(nesting.calls),
        number(nesting.returns),
        number(nesting.in_interrupts),
        nesting.deepest,
    )?;
    if let Some((from, to)) = nesting.clocks {
        writeln!(out, "  from instruction {} to {}", grouped(from), grouped(to))?;
    }
    for (count, what) in [
        (nesting.left_out_before, "calls of the witness before the first that both have were left out"),
        (nesting.left_out_after, "calls of the witness after the workload were left out"),
        (
            nesting.moved,
            "interrupts came while the guest's tracer was at work for a step, and count as it has them",
        ),
        (
            nesting.too_deep,
            "calls are in ones in which the guest's tracer had no room for more, and left out",
        ),
    ] {
        if count > 0 {
            writeln!(out, "  {} {what}", number(count))?;
        }
    }
    let unseen = nesting.unseen_returns.keys().cloned().collect();
    for (names, why) in [
        (&unseen, "of which a return was seen by the witness only"),
        (&left_out.not_followed, "left out, since function_graph does not follow them"),
        (&left_out.ambiguous, "left out, since several bear each of these names"),
        (&left_out.without_returns, "left out, since their returns are not probed"),
        (&left_out.not_probed, "left out, since they are not probed"),
    ] {
        if !names.is_empty() {
            writeln!(out, "  functions {why}: {}", list(names))?;
        }
    }
    nesting.difference.as_ref().map_or(Ok(()), |difference| write_difference(out, difference))
}

fn list(names: &BTreeSet<String>) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn write_difference(out: &mut dyn Write, difference: &NestingDifference) -> io::Result<()> {
    let NestingDifference { same, witness, ours } = difference;
    for (side, at, steps) in [("witness", "line", witness), ("ours", "clock", ours)] {
        writeln!(out, "  {side}")?;
        for (index, step) in steps.iter().enumerate() {
            let sign = if index < *same { ' ' } else { '!' };
            writeln!(out, "  {sign} {}", line(step, at))?;
        }
        if steps.len() == *same {
            writeln!(out, "  ! (nothing)")?;
        }
    }
    Ok(())
}

fn line(step: &Shown, at: &str) -> String {
    let Shown { at: place, task, entry, function, depth, parent } = step;
    let text = if *entry { format!("{function}() {{") } else { format!("}} {function}") };
    let parent = parent.as_ref().map(|parent| format!(", in {parent}")).unwrap_or_default();
    let indent = 2 * depth;
    format!("{at} {place:<12} {task:>5}  {:indent$}{text}{parent}", "")
}
