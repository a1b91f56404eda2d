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
    writeln!(out, "\n{}", style.heading("Nesting of calls, compared with function_graph"))?;
    let verdict = if nesting.difference.is_none() { "same" } else { "DIFFERENT" };
    let (functions, tasks) = (nesting.functions.len(), nesting.tasks.len());
    writeln!(
        out,
        "  {} calls and {} returns of {functions} functions in {tasks} tasks ({} in interrupts, maximum depth {}): \
         {verdict}",
        number(nesting.calls),
        number(nesting.returns),
        number(nesting.in_interrupts),
        nesting.deepest,
    )?;
    if let Some((from, to)) = nesting.clocks {
        writeln!(out, "  from instruction {} to {}", grouped(from), grouped(to))?;
    }
    for (count, what) in [
        (nesting.left_out_before, "function_graph calls before the first common call skipped"),
        (nesting.left_out_after, "function_graph calls after the workload skipped"),
        (nesting.moved, "interrupts during a step of the guest's tracer, ordered as in function_graph"),
        (nesting.too_deep, "calls beyond the depth limit of the guest's tracer skipped"),
    ] {
        if count > 0 {
            writeln!(out, "  {} {what}", number(count))?;
        }
    }
    let unseen = nesting.unseen_returns.keys().cloned().collect();
    for (names, why) in [
        (&unseen, "with a return in function_graph only"),
        (&left_out.not_followed, "skipped, not traced by function_graph"),
        (&left_out.ambiguous, "skipped, name not unique"),
        (&left_out.without_returns, "skipped, return without a probe"),
        (&left_out.not_probed, "skipped, without a probe"),
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
    for (side, at, steps) in [("ftrace", "line", witness), ("iotrace", "clock", ours)] {
        writeln!(out, "  {side}")?;
        for (index, step) in steps.iter().enumerate() {
            let sign = if index < *same { ' ' } else { '!' };
            writeln!(out, "  {sign} {}", line(step, at))?;
        }
        if steps.len() == *same {
            writeln!(out, "  ! (none)")?;
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
