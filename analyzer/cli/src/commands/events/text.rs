//! The raw stream, an event per line.

use crate::view::event::{put_number, put_what};
use crate::view::text::Style;
use crate::view::wrap;
use iotrace::analysis::describe::Described;
use iotrace::model::TimeMap;
use std::io::{self, Write};

/// Columns of a terminal with room for all that precedes an event.
const WIDE: usize = 140;
/// Columns of a terminal with room for the level.
const MEDIUM: usize = 100;

/// Which of the columns before an event there is room for: virtual time and vCPU are dropped first, then the level.
#[derive(Debug, Clone, Copy)]
struct Columns {
    time: bool,
    level: bool,
}

impl Columns {
    fn of(style: Style) -> Self {
        let has = |columns| style.width.is_none_or(|width| width >= columns);
        Self { time: has(WIDE), level: has(MEDIUM) }
    }
}

/// Writes the heads of the columns, if the output is a terminal; a program that reads lines gets events only.
///
/// # Errors
/// Those of `out`.
pub fn write_heads(out: &mut dyn Write, style: Style) -> io::Result<()> {
    if style.width.is_none() {
        return Ok(());
    }
    let columns = Columns::of(style);
    let time = if columns.time { "        seconds C " } else { "" };
    let level = if columns.level { "context " } else { "" };
    let heads = format!("{:>9} {:>13} {time}{level}{:<20} event", "number", "clock", "task/pid");
    writeln!(out, "{}", style.heading(heads))?;
    let mut line = "clock: instructions since the guest started".to_owned();
    if columns.time {
        line.push_str("; seconds: virtual time; C: vCPU");
    } else {
        let level = if columns.level { "" } else { ", context" };
        line.push_str(&format!("; not shown at this width: seconds, vCPU{level}"));
    }
    wrap::write(out, "", &style.faint(line).to_string(), style)
}

/// Puts an event as a line of text. Most of it is numbers in columns: they are put there without a format string,
/// which would take most of the time.
pub fn put_line(line: &mut String, event: &Described<'_>, time: &TimeMap, style: Style) {
    let (begin, columns) = (line.len(), Columns::of(style));
    put_number(line, event.number, 9, ' ');
    line.push(' ');
    put_number(line, event.clock, 13, ' ');
    line.push(' ');
    if columns.time {
        put_time(line, event, time);
    }
    if columns.level {
        put_column(line, 7, |line| line.push_str(event.level.name()));
        line.push(' ');
    }
    put_column(line, 20, |line| {
        line.push_str(&event.task.comm.text());
        line.push('/');
        put_number(line, event.task.pid.into(), 1, ' ');
    });
    line.push(' ');
    let what = line.len();
    put_what(line, event, style);
    if style.width.is_some() {
        let what = line.split_off(what);
        let prefix = line.split_off(begin);
        wrap::put(line, &prefix, &what, style);
    }
    line.push('\n');
}

/// Puts virtual time in seconds, and the vCPU.
fn put_time(line: &mut String, event: &Described<'_>, time: &TimeMap) {
    match time.ns(event.clock) {
        Some(ns) => {
            put_number(line, ns / 1_000_000_000, 5, ' ');
            line.push('.');
            put_number(line, ns % 1_000_000_000, 9, '0');
        }
        None => line.push_str("              -"),
    }
    line.push(' ');
    put_number(line, event.vcpu.into(), 1, ' ');
    line.push(' ');
}

/// Puts a text at the left of so many columns.
fn put_column(line: &mut String, width: usize, put: impl FnOnce(&mut String)) {
    let begin = line.len();
    put(line);
    let text = &line[begin..];
    let taken = if text.is_ascii() { text.len() } else { text.chars().count() };
    (taken..width).for_each(|_| line.push(' '));
}
