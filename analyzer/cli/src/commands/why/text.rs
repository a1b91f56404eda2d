//! The critical path of an I/O: what was being waited for, span by span, and added up.

use crate::view::io::io_line;
use crate::view::table::{Align, Table};
use crate::view::text::{self, Style, grouped, plain};
use crate::view::wrap::WrapWriter;
use iotrace::analysis::describe::error_cause;
use iotrace::analysis::why::{Doing, FARTHEST, Span, Why};
use iotrace::model::DeviceStart;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, why: &Why, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    for io in &why.subject.ios {
        writeln!(out, "{}", style.heading(&io_line(io)))?;
    }
    let (begin, end) = whole(why);
    writeln!(
        out,
        "  {} from call to return ({}), {} instructions of all contexts",
        text::span(&why.time, begin, end),
        parts(why),
        grouped(end - begin)
    )?;
    writeln!(out, "\n{}", style.heading("Critical path"))?;
    let right = ["at µs", "for µs", "all contexts"].map(|head| (head, Align::Right));
    let table = Table::new(right.into_iter().chain([("what", Align::Left)]));
    let mut table = table.dropping(["all contexts", "at µs"]);
    for span in &why.spans {
        table.row([
            text::micros_span(&why.time, begin, span.from),
            text::micros_span(&why.time, span.from, span.to),
            grouped(span.to - span.from),
            format!("{}{}{}", "  ".repeat(span.depth), describe(span), failure(why, span)),
        ]);
    }
    table.write(out, style, "  ")?;
    writeln!(out, "\n{}", style.heading("Sum by kind"))?;
    let right = ["µs", "%", "all contexts", "times"].map(|head| (head, Align::Right));
    let table = Table::new(right.into_iter().chain([("what", Align::Left)]));
    let mut table = table.dropping(["all contexts", "times"]);
    let total = why.time.length(begin, end);
    for sum in sums(why) {
        let share = if total == 0 { 0.0 } else { sum.time as f64 * 100.0 / total as f64 };
        let time = text::time_cell(&why.time, text::micros);
        let time = why.time.ns(begin).map_or_else(|| grouped(sum.time), |_| time(sum.time));
        table.row([time, format!("{share:.1}"), grouped(sum.instructions), sum.times.to_string(), sum.what]);
    }
    table.write(out, style, "  ")?;
    let sum: u64 = why.spans.iter().map(|span| span.to - span.from).sum();
    writeln!(out, "  total: {} instructions; {}", grouped(sum), parts(why))?;
    match why.unknown_interrupts() {
        0 => {}
        1 => writeln!(out, "  1 wait for an interrupt or softirq whose cause is unknown")?,
        many => writeln!(out, "  {many} waits for interrupts or softirqs whose cause is unknown")?,
    }
    let line = "µs of virtual time; all contexts: instructions executed meanwhile, in any context";
    writeln!(out, "  {}", style.faint(line))
}

/// The guest's and the device's part of the time from call to return.
fn parts(why: &Why) -> String {
    let time = why.io_time(&why.time);
    let cell = text::time_cell(&why.time, text::duration);
    format!("guest {}, device {}", cell(time.guest()), cell(time.device))
}

/// Begin and end of the system call, in instructions.
pub(super) fn whole(why: &Why) -> (u64, u64) {
    let begin = why.spans.first().map_or(0, |span| span.from);
    (begin, why.spans.last().map_or(begin, |span| span.to))
}

struct Sum {
    what: String,
    is_device: bool,
    time: u64,
    instructions: u64,
    times: u64,
}

/// Spans of one kind added up: those of the guest, then those of devices; the longest first.
fn sums(why: &Why) -> Vec<Sum> {
    let mut sums = BTreeMap::<String, Sum>::new();
    for span in &why.spans {
        let what = kind(&span.doing);
        let is_device = span.doing.is_device();
        let sum =
            sums.entry(what.clone()).or_insert(Sum { what, is_device, time: 0, instructions: 0, times: 0 });
        sum.time += why.time.length(span.from, span.to);
        sum.instructions += span.to - span.from;
        sum.times += 1;
    }
    let mut sums: Vec<_> = sums.into_values().collect();
    sums.sort_by(|a, b| (a.is_device, b.time, &a.what).cmp(&(b.is_device, a.time, &b.what)));
    sums
}

/// A kind of span, whichever command or number it is about.
fn kind(doing: &Doing) -> String {
    match doing {
        Doing::Device { handler, .. } => format!("device of {}", plain(handler)),
        Doing::Recovery { .. } => "error recovery".to_owned(),
        Doing::Requeued { reason, .. } => format!("requeued after {}", plain(reason)),
        other => words(other),
    }
}

fn describe(span: &Span) -> String {
    let place = match &span.doing {
        _ if span.place.is_empty() => String::new(),
        Doing::Interrupt { .. } | Doing::Softirq => format!(", until {}", plain(&span.place)),
        Doing::Device { since: DeviceStart::Doorbell, .. } => {
            format!(", command issued in {}", plain(&span.place))
        }
        Doing::Device { since: DeviceStart::Issue, .. } => format!(" in {}", plain(&span.place)),
        Doing::Runnable { .. } => format!(", woken by {}", plain(&span.place)),
        _ => format!(", since {}", plain(&span.place)),
    };
    words(&span.doing) + &place
}

/// Why the command failed that a device works on in a span; empty if it did not.
fn failure(why: &Why, span: &Span) -> String {
    let Doing::Device { command, .. } = span.doing else { return String::new() };
    let error = why.errors.iter().find(|error| error.command == command);
    error.map_or_else(String::new, |error| format!(", failed: {}", error_cause(error.cause)))
}

pub fn words(doing: &Doing) -> String {
    match doing {
        Doing::Running { task, work: Some(work) } => {
            format!("{} runs work item {}", plain(task), plain(work))
        }
        Doing::Running { task, work: None } => format!("{} runs", plain(task)),
        Doing::Runnable { task } => format!("{} is runnable", plain(task)),
        Doing::Device { command, handler, since: DeviceStart::Doorbell } => {
            format!("cmd{command}: device of {}", plain(handler))
        }
        Doing::Device { command, handler, since: DeviceStart::Issue } => {
            format!("cmd{command}: device of {}, since its issue", plain(handler))
        }
        Doing::Recovery { command } => format!("cmd{command}: error recovery"),
        Doing::Requeued { command, reason } => format!("cmd{command}: requeued after {}", plain(reason)),
        Doing::Interrupt { handler } => format!("interrupt: {}", plain(handler)),
        Doing::Interrupted { handler } => format!("interrupted by {}", plain(handler)),
        Doing::SoftirqPending { name } => format!("softirq {} is pending", plain(name)),
        Doing::Softirq => "softirq".to_owned(),
        Doing::WorkPending { function } => format!("work item {} is queued", plain(function)),
        Doing::ThreadPending { task } => format!("irq thread {} is pending", plain(task)),
        Doing::Timer { function } => format!("timer: {}", plain(function)),
        Doing::UnknownInterrupt { handler } => format!("interrupt {}, cause unknown", plain(handler)),
        Doing::UnknownSoftirq { name } if name.is_empty() => "softirq, cause unknown".to_owned(),
        Doing::UnknownSoftirq { name } => format!("softirq {}, cause unknown", plain(name)),
        Doing::UnknownContext { task } => format!("unknown context, current task {}", plain(task)),
        Doing::Unknown { task } => format!("{} waits: cause not in the trace", plain(task)),
        Doing::TooFar { task } => {
            format!("{} waits: cause more than {FARTHEST} hand-offs away", plain(task))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_called_so() {
        let device = |since| Doing::Device { command: 7, handler: "intr".to_owned(), since };
        let span = |doing| Span { from: 0, to: 1, doing, depth: 0, place: "f".to_owned() };
        for (doing, expected) in [
            (device(DeviceStart::Doorbell), "cmd7: device of intr, command issued in f"),
            (device(DeviceStart::Issue), "cmd7: device of intr, since its issue in f"),
        ] {
            assert_eq!(describe(&span(doing)), expected);
        }
        let softirq = |name: &str| Doing::UnknownSoftirq { name: name.to_owned() };
        for (doing, expected) in [
            (Doing::UnknownInterrupt { handler: "intr".to_owned() }, "interrupt intr, cause unknown"),
            (softirq("BLOCK"), "softirq BLOCK, cause unknown"),
            (softirq(""), "softirq, cause unknown"),
        ] {
            assert_eq!(words(&doing), expected);
        }
    }
}
