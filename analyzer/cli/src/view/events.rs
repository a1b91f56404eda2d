//! The raw stream, an event per line.

pub use super::json::{JsonStream, put_event as put_json};
use super::text::{Style, put_plain};
use iotrace::analysis::describe::{Described, FieldForm};
use iotrace::model::TimeMap;
use iotrace_format::definition::At;

/// Puts an event as a line of text. Most of it is numbers in columns: they are put there without a format string,
/// which would take most of the time.
pub fn put_line(line: &mut String, event: &Described<'_>, time: &TimeMap, style: Style) {
    put_number(line, event.number, 9, ' ');
    line.push(' ');
    put_number(line, event.clock, 13, ' ');
    line.push(' ');
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
    put_column(line, 7, |line| line.push_str(event.level.name()));
    line.push(' ');
    put_column(line, 20, |line| {
        line.push_str(&event.task.comm.text());
        line.push('/');
        put_number(line, event.task.pid.into(), 1, ' ');
    });
    line.push(' ');
    put_what(line, event, style);
    line.push('\n');
}

/// Puts what an event is, a call, a return, or a kind; its words, each with its name, that are decoded or addresses; its source file and line, if
/// known.
pub fn put_what(line: &mut String, event: &Described<'_>, style: Style) {
    style.put_heading(line, |line| {
        put_plain(line, &event.name);
        line.push_str(match event.at {
            Some(At::Entry) => "()",
            Some(At::Exit) => " returns",
            Some(At::Inlined) => " (inlined)",
            None => "",
        });
    });
    for word in event.words.iter().filter(|word| word.form != FieldForm::Raw) {
        line.push(' ');
        put_plain(line, &word.name);
        line.push('=');
        put_plain(line, &word.text);
    }
    style.put_faint(line, |line| {
        let Some((file, number)) = &event.source else { return };
        line.push_str("  ");
        put_plain(line, file);
        line.push(':');
        put_number(line, (*number).into(), 1, ' ');
    });
}

/// Puts a number at the right of so many columns.
fn put_number(line: &mut String, value: u64, width: usize, fill: char) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value);
    (digits.len()..width).for_each(|_| line.push(fill));
    line.push_str(digits);
}

/// Puts a text at the left of so many columns.
fn put_column(line: &mut String, width: usize, put: impl FnOnce(&mut String)) {
    let begin = line.len();
    put(line);
    let text = &line[begin..];
    let taken = if text.is_ascii() { text.len() } else { text.chars().count() };
    (taken..width).for_each(|_| line.push(' '));
}
