//! The answers to three questions about the block layer.

pub use super::json::write_explain as write_json;
use super::text::{Style, grouped, plain};
use iotrace::analysis::explain::{Explanation, OccurrenceCount, WaitKind};
use iotrace::model::{CompletionWay, DispatchWay};
use std::io::{self, Write};
use std::sync::Arc;

/// Calls of a chain that are shown: the innermost.
const CHAIN: usize = 7;

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    let what = if explanation.marked { "the workload" } else { "the trace (the guest set no marks)" };
    writeln!(out, "Counted in {what}; (N) is the number of the first event that shows it")?;
    softirq(out, explanation, style)?;
    waits(out, explanation, style)?;
    dispatches(out, explanation, style)
}

fn softirq(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("1. How does the block softirq come to be raised, and by whom?"))?;
    let count = |way| -> u64 {
        let of_way = explanation.completions.iter().filter(|((_, w), _)| *w == way);
        of_way.map(|(_, times)| times.count).sum()
    };
    let total: u64 = explanation.completions.values().map(|times| times.count).sum();
    let short = match (total, count(CompletionWay::Softirq), count(CompletionWay::InPlace)) {
        (0, ..) => "No request was completed.".to_owned(),
        (_, 0, _) => "Not at all here: every completion did without it.".to_owned(),
        (_, soft, 0) => format!(
            "For every completion ({soft}): the interrupt's handler only raises it, the rest is done in it."
        ),
        (_, soft, place) => format!("For {soft} of {total} completions; {place} did without it."),
    };
    writeln!(out, "  {short}")?;
    for ((level, way), times) in &explanation.completions {
        let how = match way {
            CompletionWay::InPlace => {
                "completed in the very call with which the driver told the block layer: no softirq is needed \
                 where the request's queue belongs to this CPU alone"
            }
            CompletionWay::Softirq => {
                "put on the CPU's list of done requests by the driver's call, completed in the block softirq"
            }
            CompletionWay::Elsewhere => "completed elsewhere: on another CPU, or later",
        };
        line(out, times, &format!("told at {} level, {how}", level.name()), style)?;
    }
    for ((calls, level), times) in &explanation.raises {
        line(out, times, &format!("raised at {} level by {}", level.name(), chain(calls)), style)?;
    }
    Ok(())
}

fn waits(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("2. How is a task woken that waits in a system call?"))?;
    if explanation.waits.is_empty() {
        return writeln!(out, "  No task waited in a system call and was woken.");
    }
    let total: u64 = explanation.waits.values().map(|(times, _)| times.count).sum();
    writeln!(
        out,
        "  {total} times a task was woken that waited in a system call; by the last function of each line."
    )?;
    let mut waits: Vec<_> = explanation.waits.iter().collect();
    waits.sort_by_key(|(_, (times, _))| std::cmp::Reverse(times.count));
    for (wait, (times, waited)) in waits {
        line(out, times, &waited_line(wait, *waited / times.count), style)?;
    }
    Ok(())
}

fn waited_line(wait: &WaitKind, mean: u64) -> String {
    let what = match wait.what.as_str() {
        "" => String::new(),
        what => format!(" (a wait for a {what})"),
    };
    let by = match &wait.by {
        Some(task) => format!("{} at task level", plain(task)),
        None => format!("{} level", wait.level.name()),
    };
    let mean = grouped(mean);
    format!(
        "in {}{what}: woken from {by} after {mean} instructions on average, by {}",
        plain(&wait.function),
        chain(&wait.waker)
    )
}

fn dispatches(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("3. Does a thread run the queue of requests?"))?;
    let total: u64 = explanation.dispatches.values().map(|times| times.count).sum();
    let threads: u64 = explanation
        .dispatches
        .iter()
        .filter(|((way, _), _)| matches!(way, DispatchWay::Kblockd | DispatchWay::Requeue))
        .map(|(_, times)| times.count)
        .sum();
    let short = match (total, threads) {
        (0, _) => "No request was dispatched.".to_owned(),
        (_, 0) => {
            format!("No: all {total} dispatches were made by whoever submitted, or completed, a request.")
        }
        (_, some) => {
            format!("Sometimes: {some} of {total} dispatches were made by kblockd's worker threads.")
        }
    };
    writeln!(out, "  {short}")?;
    for ((way, by), times) in &explanation.dispatches {
        line(out, times, &format!("{}, in {}", way_text(*way), plain(by)), style)?;
    }
    Ok(())
}

fn way_text(way: DispatchWay) -> &'static str {
    match way {
        DispatchWay::Direct => "directly by the submitter, past the scheduler",
        DispatchWay::PlugDirect => "directly when the submitter's plug was flushed",
        DispatchWay::PlugFlush => "from the scheduler's queue, run when the submitter's plug was flushed",
        DispatchWay::Run => "from the scheduler's queue, run by the submitter",
        DispatchWay::Kblockd => "by kblockd, which was asked to run the queue",
        DispatchWay::Requeue => "by kblockd's requeue work",
        DispatchWay::Restart => "when the completion of another request ran the queue again",
        DispatchWay::Unknown => "by none of the known ways",
    }
}

fn line(out: &mut dyn Write, times: &OccurrenceCount, text: &str, style: Style) -> io::Result<()> {
    writeln!(out, "  {:>6} × {} {text}", grouped(times.count), style.faint(&format!("({})", times.first)))
}

/// The innermost calls of a chain.
fn chain(calls: &[Arc<str>]) -> String {
    let hidden = calls.len().saturating_sub(CHAIN);
    let shown: Vec<_> = calls[hidden..].iter().map(|call| plain(call)).collect();
    format!("{}{}", if hidden > 0 { "… → " } else { "" }, shown.join(" → "))
}
