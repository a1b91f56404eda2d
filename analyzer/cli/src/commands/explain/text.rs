//! Completion in the block softirq, wake-ups of tasks that wait in system calls, dispatch by kblockd.

use crate::view::text::{Style, grouped, plain};
use crate::view::wrap::{self, WrapWriter};
use iotrace::analysis::explain::{Explanation, OccurrenceCount, WaitKind};
use iotrace::model::{CompletionWay, DispatchWay};
use std::io::{self, Write};
use std::sync::Arc;

/// Calls of a chain that are shown: the innermost.
const CHAIN: usize = 7;
/// The same on a terminal narrower than [`WIDE`].
const NARROW_CHAIN: usize = 4;
/// Columns of a terminal with room for a whole chain.
const WIDE: usize = 160;

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    let scope = if explanation.marked { "workload" } else { "whole trace (no workload marks)" };
    writeln!(out, "Scope: {scope}. N × (E): N occurrences, the first at event number E")?;
    softirq(out, explanation, style)?;
    waits(out, explanation, style)?;
    dispatches(out, explanation, style)
}

fn softirq(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Completion in the block softirq"))?;
    let count = |way| -> u64 {
        let of_way = explanation.completions.iter().filter(|((_, w), _)| *w == way);
        of_way.map(|(_, times)| times.count).sum()
    };
    let total: u64 = explanation.completions.values().map(|times| times.count).sum();
    let unknown = grouped(explanation.unknown_completions);
    let short = match (total, count(CompletionWay::Softirq), count(CompletionWay::InPlace)) {
        (0, ..) if explanation.unknown_completions > 0 => {
            format!("unknown how: {unknown} requests completed by functions of a driver that have no probe")
        }
        (0, ..) => "no request completed".to_owned(),
        (_, 0, _) => "not used: every completion finished inline".to_owned(),
        (_, soft, 0) => {
            format!("completions: {soft}, all raised by the interrupt handler and finished in the softirq")
        }
        (_, soft, place) => format!("completions: {total}, {soft} finished in the softirq, {place} inline"),
    };
    writeln!(out, "  {short}")?;
    if total > 0 && explanation.unknown_completions > 0 {
        let more = "more requests completed, unknown how: by functions of a driver that have no probe";
        wrap::write(out, "  ", &format!("{unknown} {more}"), style)?;
    }
    for ((level, way), times) in &explanation.completions {
        let how = match way {
            CompletionWay::InPlace => "finished inline",
            CompletionWay::Softirq => "finished in the block softirq",
            CompletionWay::Elsewhere => "finished elsewhere: on another CPU, or later",
        };
        line(out, times, &format!("completion reported in {} context, {how}", level.name()), style)?;
    }
    for ((calls, level), times) in &explanation.raises {
        line(
            out,
            times,
            &format!("softirq raised in {} context by {}", level.name(), chain(calls, style)),
            style,
        )?;
    }
    Ok(())
}

fn waits(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Wake-ups of tasks that wait in a system call"))?;
    if explanation.waits.is_empty() {
        return writeln!(out, "  no task waited in a system call and was woken");
    }
    let total: u64 = explanation.waits.values().map(|(times, _)| times.count).sum();
    writeln!(
        out,
        "  wake-ups: {total}; the last function of each chain wakes the task. Mean wait in instructions of \
         all contexts"
    )?;
    let mut waits: Vec<_> = explanation.waits.iter().collect();
    waits.sort_by_key(|(_, (times, _))| std::cmp::Reverse(times.count));
    for (wait, (times, waited)) in waits {
        line(out, times, &waited_line(wait, *waited / times.count, style), style)?;
    }
    Ok(())
}

fn waited_line(wait: &WaitKind, mean: u64, style: Style) -> String {
    let what = match wait.what.as_str() {
        "" => String::new(),
        what => format!(" ({what})"),
    };
    let by = match &wait.by {
        Some(task) => plain(task),
        None => format!("{} context", wait.level.name()),
    };
    let mean = grouped(mean);
    format!(
        "wait in {}{what}: woken by {by}, mean wait {mean}, through {}",
        plain(&wait.function),
        chain(&wait.waker, style)
    )
}

fn dispatches(out: &mut dyn Write, explanation: &Explanation, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Dispatch of requests"))?;
    let total: u64 = explanation.dispatches.values().map(|times| times.count).sum();
    let threads: u64 = explanation
        .dispatches
        .iter()
        .filter(|((way, _), _)| matches!(way, DispatchWay::Kblockd | DispatchWay::Requeue))
        .map(|(_, times)| times.count)
        .sum();
    let short = match (total, threads) {
        (0, _) => "no request dispatched".to_owned(),
        (_, 0) => {
            format!("dispatches: {total}, all by the submitter or by a completion, none by kblockd")
        }
        (_, some) => {
            format!("dispatches: {total}, {some} by kblockd worker threads")
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
        DispatchWay::Direct => "directly by the submitter, without the scheduler",
        DispatchWay::PlugDirect => "directly when the submitter's plug was flushed",
        DispatchWay::PlugFlush => "from the scheduler's queue, run when the submitter's plug was flushed",
        DispatchWay::Run => "from the scheduler's queue, run by the submitter",
        DispatchWay::Kblockd => "by kblockd, running the queue",
        DispatchWay::Requeue => "by kblockd, requeue work",
        DispatchWay::Restart => "by the completion of another request, which restarted the queue",
        DispatchWay::Unknown => "by an unknown path",
    }
}

fn line(out: &mut dyn Write, times: &OccurrenceCount, text: &str, style: Style) -> io::Result<()> {
    let prefix = format!("  {:>6} × {} ", grouped(times.count), style.faint(&format!("({})", times.first)));
    wrap::write(out, &prefix, text, style)
}

/// The innermost calls of a chain.
fn chain(calls: &[Arc<str>], style: Style) -> String {
    let most = if style.width.is_some_and(|width| width < WIDE) { NARROW_CHAIN } else { CHAIN };
    let hidden = calls.len().saturating_sub(most);
    let shown: Vec<_> = calls[hidden..].iter().map(|call| plain(call)).collect();
    format!("{}{}", if hidden > 0 { "… → " } else { "" }, shown.join(" → "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace::model::Level;

    fn of(completions: u64, unknown_completions: u64) -> String {
        let mut explanation = Explanation { unknown_completions, ..Explanation::default() };
        if completions > 0 {
            let times = OccurrenceCount { count: completions, first: 5 };
            explanation.completions.insert((Level::Hardirq, CompletionWay::InPlace), times);
        }
        let mut out = Vec::new();
        write_text(&mut out, &explanation, Style::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn completions_of_which_it_is_not_known_how_are_named() {
        let (none, inline) = ("no request completed", "every completion finished inline");
        for (completions, unknown, expected) in [
            (0, 0, [true, false, false]),
            (0, 3, [false, false, true]),
            (2, 0, [false, true, false]),
            (2, 3, [false, true, true]),
        ] {
            let text = of(completions, unknown);
            let found = [none, inline, "unknown how"].map(|words| text.contains(words));
            assert_eq!(found, expected, "{text}");
        }
    }
}
