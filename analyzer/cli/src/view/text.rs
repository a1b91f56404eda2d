//! Pieces of text views: numbers, colours, notes.
//!
//! In: numbers in instructions, virtual nanoseconds or bytes, and names that a trace has. Out: text for people.

use super::plain::{Paint, is_control};
use super::wrap;
use iotrace::analysis::Warning;
use iotrace::analysis::spread::PercentileSummary;
use iotrace::hash::Map;
use iotrace::model::{TimeMap, major_minor};
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};

/// How text looks: on a terminal with colours, if it wants them, and in lines that fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Use colours.
    pub colour: bool,
    /// Columns of the terminal; none for lines of any length.
    pub width: Option<usize>,
}

impl Style {
    /// A heading.
    pub fn heading<T: Display>(self, what: T) -> Painted<T> {
        self.painted(Paint::Heading, what)
    }

    /// Something of little weight.
    pub fn faint<T: Display>(self, what: T) -> Painted<T> {
        self.painted(Paint::Faint, what)
    }

    /// Something that should be noticed.
    pub fn alarm<T: Display>(self, what: T) -> Painted<T> {
        self.painted(Paint::Alarm, what)
    }

    /// Puts a heading.
    pub fn put_heading(self, line: &mut String, put: impl FnOnce(&mut String)) {
        self.put_painted(Paint::Heading, line, put);
    }

    /// Puts something of little weight.
    pub fn put_faint(self, line: &mut String, put: impl FnOnce(&mut String)) {
        self.put_painted(Paint::Faint, line, put);
    }

    fn put_painted(self, paint: Paint, line: &mut String, put: impl FnOnce(&mut String)) {
        if self.colour {
            line.push_str(paint.marker());
        }
        put(line);
        if self.colour {
            line.push_str(Paint::End.marker());
        }
    }

    fn painted<T: Display>(self, paint: Paint, what: T) -> Painted<T> {
        Painted { paint: self.colour.then_some(paint), what }
    }
}

/// Something to be printed in a colour, or not.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Painted<T> {
    paint: Option<Paint>,
    what: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(paint) = self.paint else { return self.what.fmt(f) };
        write!(f, "{}{}{}", paint.marker(), self.what, Paint::End.marker())
    }
}

/// Virtual nanoseconds in a unit that fits.
#[must_use]
pub fn duration(ns: u64) -> String {
    let scaled = |unit: f64, name| format!("{:.1} {name}", ns as f64 / unit);
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => scaled(1e3, "µs"),
        1_000_000..10_000_000_000 => scaled(1e6, "ms"),
        _ => scaled(1e9, "s"),
    }
}

/// How lengths of time are printed: exact ones as `exact` does, approximate ones behind a tilde, instructions (`i`) where
/// there is no virtual time.
pub fn time_cell(time: &TimeMap, exact: fn(u64) -> String) -> impl Fn(u64) -> String + Copy + use<> {
    let (is_virtual, is_approximate) = (time.is_virtual(), time.is_approximate());
    move |length| match (is_virtual, is_approximate) {
        (false, _) => instructions(length),
        (true, false) => exact(length),
        (true, true) => marked(true, &exact(length)),
    }
}

/// A time, behind a tilde if it is approximate.
#[must_use]
pub fn marked(is_approximate: bool, time: &str) -> String {
    format!("{}{time}", if is_approximate { "~" } else { "" })
}

/// A span in virtual time if there is any, in instructions otherwise (`i`).
#[must_use]
pub fn span(time: &TimeMap, from: u64, to: u64) -> String {
    time.between(from, to).map_or_else(|| instructions(to.saturating_sub(from)), time_cell(time, duration))
}

/// Virtual nanoseconds as microseconds, to be read in columns.
#[must_use]
pub fn micros(ns: u64) -> String {
    let rounded = ns.saturating_add(50);
    format!("{}.{}", grouped(rounded / 1000), rounded % 1000 / 100)
}

/// A span in microseconds of virtual time if there is any, in instructions otherwise (`i`).
#[must_use]
pub fn micros_span(time: &TimeMap, from: u64, to: u64) -> String {
    time.between(from, to).map_or_else(|| instructions(to.saturating_sub(from)), time_cell(time, micros))
}

/// A number of instructions.
#[must_use]
pub fn instructions(count: u64) -> String {
    format!("{}i", grouped(count))
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 bio`, `2 bios`.
#[must_use]
pub fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Bytes in a unit that fits.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut value, mut unit) = (count as f64 / 1024.0, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `major:minor` of a device.
#[must_use]
pub fn device(dev: u64) -> String {
    let (major, minor) = major_minor(dev);
    format!("{major}:{minor}")
}

/// Name of a bio's device, or `major:minor` if the trace does not have it.
#[must_use]
pub fn device_name(name: Option<&str>, dev: u64) -> String {
    name.map_or_else(|| device(dev), plain)
}

/// Text of a trace in a cell or a line, which it does not end: also line feeds are replaced. What drives a terminal
/// does not reach it in any case ([`super::plain`]).
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    put_plain(&mut plain, text);
    plain
}

/// The name of a workload, which may be a whole script: as much of its first line as fits into a heading.
pub fn workload(name: &str) -> String {
    const MOST: usize = 60;
    let line = name.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let begin: String = line.chars().take(MOST).collect();
    let dots = if begin.len() < name.trim().len() { "..." } else { "" };
    format!("workload {}{dots}", plain(&begin))
}

/// Puts text of a trace as [`plain`] makes it.
pub fn put_plain(line: &mut String, text: &str) {
    // All of them are looked at, since that is done many at once.
    let harmless = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.bytes().fold(true, |all, byte| all & harmless(byte)) && !text.ends_with(' ') {
        line.push_str(text);
    } else {
        line.extend(text.trim_end().chars().map(|c| if is_control(c) { '?' } else { c }));
    }
}

/// Fewest values of which percentiles beyond the median say something.
pub const FEW: u64 = 20;

/// Median, 95th and 99th percentile and maximum as cells; no percentiles of fewer than [`FEW`] values.
pub fn percentiles(values: &PercentileSummary, cell: impl Fn(u64) -> String) -> [String; 4] {
    let PercentileSummary { count, median, p95, p99, max } = *values;
    let high = |value: u64| if count < FEW { "-".to_owned() } else { cell(value) };
    [cell(median), high(p95), high(p99), cell(max)]
}

/// Writes warnings under a heading; nothing for none.
///
/// # Errors
/// Those of `out`.
pub fn warnings(out: &mut dyn Write, style: Style, warnings: &[Warning]) -> io::Result<()> {
    if warnings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("Notes"))?;
    warnings.iter().try_for_each(|warning| write_warning(out, style, warning))
}

/// Writes a warning.
///
/// # Errors
/// Those of `out`.
pub fn write_warning(out: &mut dyn Write, style: Style, warning: &Warning) -> io::Result<()> {
    let Warning { severity, topic, text } = warning;
    let line = format!("{severity}: {}: {}", plain(topic), plain(text));
    let line = if *severity == "info" { line } else { style.alarm(line).to_string() };
    wrap::write(out, "  ", &line, style)
}

/// The same with those of one topic summed up in a line, if they are many: their number and the first of them.
///
/// # Errors
/// Those of `out`.
pub fn notes(out: &mut dyn Write, style: Style, all: &[Warning]) -> io::Result<()> {
    const SHOWN: usize = 3;
    let mut topics = Map::<(&str, &str), Vec<&Warning>>::default();
    for warning in all {
        topics.entry((warning.severity, &warning.topic)).or_default().push(warning);
    }
    let mut summed: Vec<Warning> = Vec::new();
    for warning in all {
        let alike = &topics[&(warning.severity, warning.topic.as_str())];
        if alike.len() <= SHOWN + 1 {
            summed.push(warning.clone());
        } else if std::ptr::eq(alike[0], warning) {
            let first: Vec<_> = alike.iter().take(SHOWN).map(|other| other.text.as_str()).collect();
            let (first, more) = (first.join("; "), alike.len() - SHOWN);
            let text = format!("{first}; and {more} more, listed by iotrace-analyze info");
            summed.push(Warning { text, ..warning.clone() });
        }
    }
    warnings(out, style, &summed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_approximate_exact_or_of_instructions() {
        let (mut exact, mut read) = (TimeMap::new(Some(0)), TimeMap::new(None));
        let spans = |time: &TimeMap| [span(time, 100, 1600), micros_span(time, 100, 1600)];
        // Before the first clock event there is no time, though an instruction takes a known one.
        assert_eq!([spans(&exact), spans(&read)], [["1,500i"; 2]; 2]);
        exact.begin(0, 0);
        read.read(100, 0);
        read.read(1000, 2500);
        assert_eq!([spans(&exact), spans(&read)], [["1.5 µs", "1.5"], ["~2.5 µs", "~2.5"]]);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([1, 1234, 1_234_567].map(grouped), ["1", "1,234", "1,234,567"]);
        assert_eq!([0, 949, 950, 1_234_560].map(micros), ["0.0", "0.9", "1.0", "1,234.6"]);
        assert_eq!(micros(u64::MAX), "18,446,744,073,709,551.6");
        assert_eq!([999, 1500, 2_000_000].map(duration), ["999 ns", "1.5 µs", "2.0 ms"]);
        assert_eq!([0, 1, 1234].map(|n| counted(n, "bio")), ["0 bios", "1 bio", "1,234 bios"]);
        assert_eq!([512, 4096, 3 << 20].map(bytes), ["512 B", "4.0 KiB", "3.0 MiB"]);
    }

    #[test]
    fn a_workload_is_one_short_line() {
        let long = "x".repeat(61);
        assert_eq!(workload("direct:count=4"), "workload direct:count=4");
        assert_eq!(workload("\n set -e\ncd /root"), "workload set -e...");
        assert_eq!(workload(&long), format!("workload {}...", "x".repeat(60)));
        assert_eq!(workload("a\u{1b}[31m"), "workload a?[31m");
    }

    #[test]
    fn few_values_have_no_percentiles() {
        let values = |count| PercentileSummary { count, median: 1, p95: 2, p99: 3, max: 4 };
        assert_eq!(percentiles(&values(FEW - 1), grouped), ["1", "-", "-", "4"]);
        assert_eq!(percentiles(&values(FEW), grouped), ["1", "2", "3", "4"]);
    }

    #[test]
    fn notes_of_one_topic_are_summed_up() {
        let note = |topic: &str, text: String| Warning { severity: "info", topic: topic.into(), text };
        let mut all: Vec<_> = (1..=9).map(|n| note("missing", format!("f{n}"))).collect();
        all.insert(4, note("drift", "a little".into()));
        let mut out = Vec::new();
        notes(&mut out, Style::default(), &all).unwrap();
        let expected = "
Notes
  info: missing: f1; f2; f3; and 6 more, listed by iotrace-analyze info
  info: drift: a little
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
