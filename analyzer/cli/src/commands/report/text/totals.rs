//! Totals of the whole trace, how much of it is attributed, and notes.

use crate::view::text::{self, Style, grouped, plain};
use iotrace::analysis::Warning;
use iotrace::analysis::attribution::Attribution;
use iotrace::analysis::report::Report;
use std::io::{self, Write};

/// Topics of notes that name what the catalog has and the kernel has not. `info` shows them.
const FUNCTIONS: [&str; 2] = ["missing-function", "partial-function"];
/// Topics of the note that names stages without a probe; the second one is of traces up to version 0.1.
const STAGES: [&str; 2] = ["missing-stages", "untold-stages"];

/// Writes them.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    totals(out, report, style)?;
    attribution(out, report, style)?;
    notes(out, report, style)
}

fn totals(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let (totals, counts) = (&report.totals, &report.counts);
    writeln!(out, "\n{}", style.heading("Totals (whole trace)"))?;
    let [data, merged, requeues, flush, passthrough] =
        [totals.data, totals.merged, totals.requeues, totals.flush, totals.passthrough].map(grouped);
    writeln!(out, "  {} events, {} bios", grouped(report.events), grouped(totals.bios))?;
    writeln!(
        out,
        "  requests: {data} data ({merged} merged into another, {requeues} requeues), {flush} flush, \
         {passthrough} passthrough"
    )?;
    let [interrupts, doorbells, idle] =
        [counts.interrupts, counts.doorbells, counts.idle_doorbells].map(grouped);
    writeln!(out, "  {interrupts} interrupts, {doorbells} doorbells ({idle} without a new command)")
}

fn attribution(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let scope = if report.all { "whole trace" } else { "workload" };
    writeln!(out, "\n{}", style.heading(format!("Attribution ({scope})")))?;
    let Attribution { events, calls, unseen, causes, .. } = &report.attribution;
    let missing = report.attribution.left_over();
    let share = missing as f64 * 100.0 / (*events).max(1) as f64;
    writeln!(
        out,
        "  {} of {} events not attributed ({share:.2}%); {} calls",
        grouped(missing),
        grouped(*events),
        grouped(*calls)
    )?;
    for (oddity, times) in report.counts.all().filter(|(oddity, _)| !oddity.is_loss()) {
        writeln!(out, "{}", style.faint(&format!("  {:>8} {}", grouped(times), oddity.text())))?;
    }
    for (function, times) in unseen {
        let why = "return not seen (tail call to a function without a probe)";
        writeln!(out, "{}", style.faint(&format!("  {:>8} {}(): {why}", grouped(*times), plain(function))))?;
    }
    let causes: Vec<_> = causes.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    if !causes.is_empty() {
        writeln!(out, "  bio origin: {}", causes.join(", "))?;
    }
    Ok(())
}

/// The notes that matter to a reader of the report, and how many there are of the others.
fn notes(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let is_of = |topics: [&str; 2], warning: &Warning| topics.contains(&warning.topic.as_str());
    let infos = || report.warnings.iter().filter(|warning| warning.severity == "info");
    let rest = infos().filter(|warning| !is_of(FUNCTIONS, warning) && !is_of(STAGES, warning));
    let mut notes: Vec<Warning> = rest.cloned().collect();
    notes.extend(infos().find(|warning| is_of(STAGES, warning)).map(|note| {
        let stages = note.text.split_once(": ").map_or(note.text.as_str(), |(_, stages)| stages);
        let count = text::counted(stages.split(", ").count() as u64, "stage");
        let text = format!("{count} without a probe ({stages}); iotrace-analyze info lists the functions");
        Warning { severity: "info", topic: STAGES[0].to_owned(), text }
    }));
    text::notes(out, style, &notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(warnings: &[(&'static str, &str, &str)]) -> String {
        let warning = |(severity, topic, text): &(&'static str, &str, &str)| Warning {
            severity,
            topic: (*topic).to_owned(),
            text: (*text).to_owned(),
        };
        let report = Report { warnings: warnings.iter().map(warning).collect(), ..Report::default() };
        let mut out = Vec::new();
        notes(&mut out, &report, Style::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn functions_without_a_probe_are_left_to_info() {
        let missing = ("info", "missing-function", "f: not in the image");
        assert_eq!(noted(&[missing, ("info", "partial-function", "g: no argument")]), "");
        for topic in STAGES {
            let stages = ("info", topic, "stages of this kernel: sq.run, rq.get");
            let text = noted(&[missing, stages, ("info", "slice", "a part")]);
            assert!(text.contains("2 stages without a probe (sq.run, rq.get)"), "{text}");
            assert!(text.contains("slice: a part") && !text.contains("not in the image"), "{text}");
        }
    }
}
