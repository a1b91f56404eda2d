//! Pieces of text views: tables, numbers, colours.

use iotrace::analysis::Warning;
use iotrace::hash::Map;
use iotrace::model::{TimeMap, major_minor};
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};

/// Ends a colour (ECMA-48, 8.3.117).
const RESET: &str = "\x1b[0m";

/// Colours, if the output is a terminal that wants them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Use colours.
    pub colour: bool,
}

impl Style {
    /// A heading.
    pub fn heading<T: Display>(self, what: T) -> Painted<T> {
        self.painted("1", what)
    }

    /// Something of little weight.
    pub fn faint<T: Display>(self, what: T) -> Painted<T> {
        self.painted("2", what)
    }

    /// Something that should be noticed.
    pub fn alarm<T: Display>(self, what: T) -> Painted<T> {
        self.painted("33", what)
    }

    /// Puts a heading.
    pub fn put_heading(self, line: &mut String, put: impl FnOnce(&mut String)) {
        self.put_painted("1", line, put);
    }

    /// Puts something of little weight.
    pub fn put_faint(self, line: &mut String, put: impl FnOnce(&mut String)) {
        self.put_painted("2", line, put);
    }

    fn put_painted(self, code: &'static str, line: &mut String, put: impl FnOnce(&mut String)) {
        if self.colour {
            line.extend(["\x1b[", code, "m"]);
        }
        put(line);
        if self.colour {
            line.push_str(RESET);
        }
    }

    fn painted<T: Display>(self, code: &'static str, what: T) -> Painted<T> {
        Painted { code: self.colour.then_some(code), what }
    }
}

/// Something to be printed in a colour, or not.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Painted<T> {
    /// SGR parameter (ECMA-48, 8.3.117).
    code: Option<&'static str>,
    what: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "\x1b[{code}m{}{RESET}", self.what),
            None => self.what.fmt(f),
        }
    }
}
/// A table of columns as wide as they need to be.
#[derive(Debug, Clone, Default)]
pub struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// On which side a column is straight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(heads: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Self {
        let heads = heads.into_iter().map(|(head, align)| (head.into(), align)).collect();
        Self { heads, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table without columns in which no row has anything.
    #[must_use]
    pub fn without_empty(self) -> Self {
        let used = |at: &usize| self.rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()));
        let kept: Vec<usize> = (0..self.heads.len()).filter(used).collect();
        let of = |row: &Vec<String>| kept.iter().filter_map(|at| row.get(*at).cloned()).collect();
        Self {
            heads: kept.iter().map(|at| self.heads[*at].clone()).collect(),
            rows: self.rows.iter().map(of).collect(),
        }
    }

    /// The columns.
    #[must_use]
    pub fn heads(&self) -> &[(String, Align)] {
        &self.heads
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Writes it as a table of Markdown.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<_> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |", cells.join(" | "))
        };
        writeln!(out, "{}", line(&mut self.heads.iter().map(|(head, _)| head.clone())))?;
        let rule = |(_, align): &(String, Align)| match align {
            Align::Left => "---".to_owned(),
            Align::Right => "---:".to_owned(),
        };
        writeln!(out, "{}", line(&mut self.heads.iter().map(rule)))?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{}", line(&mut row.iter().cloned())))
    }

    /// Writes it, with `indent` before each line; nothing if it has no rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, style: Style, indent: &str) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(self.heads[at].0.chars().count())
        };
        let widths: Vec<_> = (0..self.heads.len()).map(width).collect();
        let heads: Vec<_> = self.heads.iter().map(|(head, _)| head.clone()).collect();
        writeln!(out, "{indent}{}", style.heading(&self.line(&heads, &widths)))?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{indent}{}", self.line(row, &widths)))
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.heads) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            match align {
                Align::Left => line.push_str(&format!("{cell:<width$}")),
                Align::Right => line.push_str(&format!("{cell:>width$}")),
            }
        }
        line.truncate(line.trim_end().len());
        line
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

/// A span in virtual time if there is any, in instructions otherwise (`i`).
#[must_use]
pub fn span(time: &TimeMap, from: u64, to: u64) -> String {
    time.between(from, to).map_or_else(|| instructions(to.saturating_sub(from)), duration)
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
    time.between(from, to).map_or_else(|| instructions(to.saturating_sub(from)), micros)
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

/// Text of a trace, which may drive no terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    put_plain(&mut plain, text);
    plain
}

/// Puts text of a trace so that it drives no terminal.
pub fn put_plain(line: &mut String, text: &str) {
    // All of them are looked at, since that is done many at once.
    let harmless = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.bytes().fold(true, |all, byte| all & harmless(byte)) && !text.ends_with(' ') {
        line.push_str(text);
    } else {
        line.extend(text.trim_end().chars().map(|c| if c.is_control() { '?' } else { c }));
    }
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
    for Warning { severity, topic, text } in warnings {
        let line = format!("{severity}: {}: {}", plain(topic), plain(text));
        writeln!(out, "  {}", if *severity == "info" { line } else { style.alarm(line).to_string() })?;
    }
    Ok(())
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
            let text = format!("{first}; and {more} more, which `iotrace-analyze info` lists");
            summed.push(Warning { text, ..warning.clone() });
        }
    }
    warnings(out, style, &summed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([1, 1234, 1_234_567].map(grouped), ["1", "1,234", "1,234,567"]);
        assert_eq!([0, 949, 950, 1_234_560].map(micros), ["0.0", "0.9", "1.0", "1,234.6"]);
        assert_eq!(micros(u64::MAX), "18,446,744,073,709,551.6");
        assert_eq!([999, 1500, 2_000_000].map(duration), ["999 ns", "1.5 µs", "2.0 ms"]);
        assert_eq!([512, 4096, 3 << 20].map(bytes), ["512 B", "4.0 KiB", "3.0 MiB"]);
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
  info: missing: f1; f2; f3; and 6 more, which `iotrace-analyze info` lists
  info: drift: a little
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn columns_are_straight_and_lines_have_no_tail() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right), ("x", Align::Left)]);
        table.row(["µ".into(), "10".into(), String::new()]);
        table.row(["long".into(), "1".into(), "y".into()]);
        let mut out = Vec::new();
        table.write(&mut out, Style::default(), "").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name   n  x\nµ     10\nlong   1  y\n");
    }
}
