//! What an event is, as text.

use super::text::{Style, put_plain};
use iotrace::analysis::describe::{Described, FieldForm};
use iotrace_format::definition::At;

/// Puts what an event is, a call, a return, or a kind; its words, each with its name, that are decoded or addresses; its source file and line, if
/// known.
pub fn put_what(line: &mut String, event: &Described<'_>, style: Style) {
    style.put_heading(line, |line| {
        put_plain(line, &event.title);
        line.push_str(match event.at {
            Some(At::Entry) => "()",
            Some(At::Exit) => " returns",
            Some(At::Inlined) => " (inlined)",
            Some(At::Inserted) | None => "",
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
pub fn put_number(line: &mut String, value: u64, width: usize, fill: char) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value);
    (digits.len()..width).for_each(|_| line.push(fill));
    line.push_str(digits);
}
