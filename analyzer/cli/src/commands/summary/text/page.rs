//! The page: counts; layers beside latencies; what was waited for; the slowest I/Os; anomalies.

use super::super::super::why::text::words;
use crate::view::text::{self, Style, counted, duration, grouped, plain};
use iotrace::analysis::breakdown::{Breakdown, BreakdownBy, BreakdownRow, SlowIo};
use iotrace::analysis::report::Outcomes;
use iotrace::model::IoTime;
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Columns of the page.
const WIDTH: usize = 80;
/// Columns of its left half.
const HALF: usize = 42;
/// Lines of layers and of latencies.
const BARS: usize = 8;
/// Lines of anomalies.
const ANOMALIES: usize = 3;
/// Columns of the name of a file.
const NAME: usize = 12;
/// Columns of a bar.
const BAR: usize = 16;

/// Writes the page.
///
/// # Errors
/// Those of `out`.
pub fn write_summary(out: &mut dyn Write, found: &Breakdown, all: bool, style: Style) -> io::Result<()> {
    writeln!(out, "{}", style.heading(fitting(&counts(found, all), WIDTH)))?;
    writeln!(out, "{}", fitting(&recorded(found), WIDTH))?;
    let (layers, latencies) = (layers(found), latencies(found));
    let head = |text: &str, width| style.heading(padded(text, width)).to_string();
    writeln!(out, "{}{}", head("Layers, by own instructions", HALF), head("I/Os by elapsed time", 0))?;
    for at in 0..layers.len().max(latencies.len()) {
        let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
        writeln!(out, "{}", format!("{}{}", padded(&line(&layers), HALF), line(&latencies)).trim_end())?;
    }
    writeln!(out, "{} {}", style.heading("Bios"), fitting(&steps(found), WIDTH - 5))?;
    writeln!(out, "{} {}", style.heading("Waits"), fitting(&waits(found), WIDTH - 6))?;
    writeln!(
        out,
        "{}",
        style.heading("Slowest I/Os: guest time, elapsed time, what most of that was spent on")
    )?;
    for slow in &found.slowest {
        writeln!(out, "{}", fitting(&slowest(slow, found), WIDTH))?;
    }
    let anomalies = anomalies(found);
    writeln!(out, "{} {}", style.heading("Anomalies"), if anomalies.is_empty() { "none" } else { "" })?;
    let shown = if anomalies.len() > ANOMALIES { ANOMALIES - 1 } else { ANOMALIES };
    for anomaly in anomalies.iter().take(shown) {
        writeln!(out, "{}", style.alarm(fitting(&format!("  {anomaly}"), WIDTH)))?;
    }
    match anomalies.len() - shown.min(anomalies.len()) {
        0 => Ok(()),
        more => writeln!(out, "  {more} more: iotrace-analyze report"),
    }
}

/// As much of a line as fits.
fn fitting(line: &str, width: usize) -> String {
    let (mut taken, mut end) = (0, 0);
    for (at, c) in line.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > width {
            return format!("{}…", &line[..end]);
        }
        if taken < width {
            end = at + c.len_utf8();
        }
    }
    line.to_owned()
}

/// A line with spaces up to a width.
fn padded(line: &str, width: usize) -> String {
    let taken: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
    format!("{line}{}", " ".repeat(width.saturating_sub(taken)))
}

fn time(found: &Breakdown, time: u64) -> String {
    text::time_cell(&found.time, duration)(time)
}

/// How much there is, in a line.
pub fn counts(found: &Breakdown, all: bool) -> String {
    let scope = if all || found.workload.is_none() { "Whole trace" } else { "Workload" };
    let counts = [(found.ios, "I/O"), (found.bios, "bio"), (found.outcomes.requests, "request")];
    let counts = counts.map(|(count, what)| counted(count, what)).join(", ");
    let span = found.workload.filter(|_| !all).and_then(|(begin, end)| Some((begin, end?)));
    let lasted = span.map(|(begin, end)| format!(" in {}", time(found, found.time.length(begin, end))));
    let instructions = grouped(found.instructions);
    format!("{scope}: {counts}, {}{}, {instructions} i", text::bytes(found.bytes), lasted.unwrap_or_default())
}

/// Of what the trace is, in a line.
pub fn recorded(found: &Breakdown) -> String {
    let note = |key: &str| found.definitions.note(key).map(plain);
    let parts = [
        found.definitions.release().map(|release| format!("Linux {}", plain(release))),
        note("controller"),
        note("file system"),
        found.definitions.note("workload").map(text::workload),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn bar(part: u64, whole: u64, width: usize) -> String {
    let length = if whole == 0 { 0.0 } else { part as f64 * width as f64 / whole as f64 };
    "#".repeat((length.ceil() as usize).min(width))
}

/// Layers with their share: as many as fit, the rest in one.
fn layers(found: &Breakdown) -> Vec<String> {
    let rows = found.rows(BreakdownBy::Layer);
    let whole: u64 = rows.iter().map(|row| row.own).sum();
    let largest = rows.first().map_or(0, |row| row.own);
    let line = |name: &str, own: u64| {
        let share = if whole == 0 { 0.0 } else { own as f64 * 100.0 / whole as f64 };
        let name = if name.starts_with('(') { "outside" } else { name };
        format!("  {name:<11}{share:>5.1}%  {}", bar(own, largest, BAR))
    };
    let shown = if rows.len() > BARS { BARS - 1 } else { rows.len() };
    let mut lines: Vec<_> = rows[..shown].iter().map(|row| line(&row.name, row.own)).collect();
    if rows.len() > shown {
        lines.push(line("others", rows[shown..].iter().map(|row| row.own).sum()));
    }
    lines
}

/// I/Os by elapsed time: as many ranges as fit, the shortest put together.
fn latencies(found: &Breakdown) -> Vec<String> {
    let buckets = &found.latencies;
    let first = buckets.len().saturating_sub(BARS);
    let mut rows: Vec<_> = buckets[first..].iter().map(|b| (b.to, b.count)).collect();
    if let Some(row) = rows.first_mut() {
        row.1 += buckets[..first].iter().map(|b| b.count).sum::<u64>();
    }
    let largest = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let line = |(to, count): &(u64, u64)| {
        format!("<{:>9} {:>7}  {}", time(found, *to), grouped(*count), bar(*count, largest, BAR))
    };
    rows.iter().map(line).collect()
}

/// Shares of the time from Q to C, as in btt's table of overhead.
fn steps(found: &Breakdown) -> String {
    let whole =
        found.steps.iter().find(|step| step.name == "Q2C").map_or((0, 0), |step| (step.sum, step.count));
    let share = |sum: u64| if whole.0 == 0 { 0.0 } else { sum as f64 * 100.0 / whole.0 as f64 };
    let parts = found.steps.iter().filter(|step| step.count > 0 && step.name != "Q2C");
    let parts: Vec<_> = parts.map(|step| format!("{} {:.1}%", step.name, share(step.sum))).collect();
    let mean = whole.0.checked_div(whole.1).map_or_else(|| "-".to_owned(), |mean| time(found, mean));
    format!("Q2C {mean} on average: {}", parts.join(", "))
}

fn waits(found: &Breakdown) -> String {
    let rows = found.rows(BreakdownBy::Wait);
    let name = |row: &BreakdownRow| plain(row.name.split(" (").next().unwrap_or(&row.name));
    let wait = |row: &BreakdownRow| format!("{} {}x {}", name(row), row.count, time(found, row.own));
    if rows.is_empty() { "none".to_owned() } else { rows.iter().map(wait).collect::<Vec<_>>().join(", ") }
}

/// An I/O and its reason, in a line.
fn slowest(SlowIo { io, reason }: &SlowIo, found: &Breakdown) -> String {
    let lasted = io.time(&found.time).unwrap_or_default();
    let guest = time(found, IoTime::guest(lasted));
    let share = |part: u64| (part as f64 * 100.0 / lasted.elapsed.max(1) as f64).round();
    let reason = match reason {
        Some((doing, part)) => format!("{:.0}% {}", share(*part), words(doing).replace("cmd0: ", "")),
        None => "no reason known".to_owned(),
    };
    let name = io.file.as_ref().map_or_else(|| "-".to_owned(), |file| plain(&file.name));
    let name = padded(&fitting(&name, NAME), NAME);
    let elapsed = time(found, lasted.elapsed);
    format!("  #{:<6} {:<10} {name} {guest:>8} {elapsed:>8}  {reason}", io.id, plain(&io.syscall))
}

/// Errors, what could not be attributed, warnings.
pub fn anomalies(found: &Breakdown) -> Vec<String> {
    let Outcomes { failed_ios, unfinished_ios, failed_bios, requeues, .. } = found.outcomes;
    let counted = [
        (failed_ios, "I/Os returned an error"),
        (unfinished_ios, "I/Os did not return before the end of the trace"),
        (failed_bios, "bios ended with an error"),
        (requeues, "requeues of requests"),
    ];
    let losses = found.counts.all().filter(|(oddity, _)| oddity.is_loss());
    let counted = counted.into_iter().chain(losses.map(|(oddity, times)| (times, oddity.text())));
    let counted = counted.filter(|(count, _)| *count > 0);
    let mut lines: Vec<_> = counted.map(|(count, what)| format!("{} {what}", grouped(count))).collect();
    let status = found.definitions.note("workload status");
    lines.extend(status.map(|status| format!("workload exited with status {}", plain(status))));
    let warnings = found.warnings.iter().filter(|warning| warning.severity != "info");
    lines.extend(warnings.map(|warning| format!("{}: {}", plain(&warning.topic), plain(&warning.text))));
    lines
}
