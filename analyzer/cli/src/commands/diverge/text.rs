//! The first difference of two traces.

use super::Windows;
use crate::view::table::{Align, Table};
use crate::view::text::{Style, counted, grouped, plain};
use crate::view::wrap::WrapWriter;
use iotrace::analysis::divergence::{Divergence, EventPlace, FirstDifference, LeftOutTypes};
use std::io::{self, Write};

/// What the two traces are called.
const NAMES: [&str; 2] = ["A", "B"];

/// Most event types that are named.
const MOST_NAMES: usize = 8;

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(
    out: &mut dyn Write,
    paths: [&str; 2],
    found: &Divergence,
    windows: &Windows,
    style: Style,
) -> io::Result<()> {
    let mut wrapped = WrapWriter::new(out, style);
    for (name, path) in NAMES.iter().zip(paths) {
        writeln!(wrapped, "{name}: {}", plain(path))?;
    }
    if !found.guests.is_empty() {
        let facts = found
            .guests
            .iter()
            .map(|fact| format!("{}: {} and {}", fact.name, fact.values[0], fact.values[1]));
        let facts = plain(&facts.collect::<Vec<_>>().join("; "));
        writeln!(wrapped, "{}", style.alarm(format!("not of one recording: {facts}")))?;
    }
    for (name, left_out) in NAMES.iter().zip(&found.left_out) {
        write_left_out(&mut wrapped, name, left_out)?;
    }
    let Some(first) = &found.first else {
        return writeln!(wrapped, "no difference in {}", counted(found.equal, "event"));
    };
    writeln!(wrapped, "{} the same; {}", are(found.equal), place(first))?;
    drop(wrapped);
    write_fields(out, first, style)?;
    write_window(out, "before, in both", windows.before.as_deref(), style)?;
    for ((name, from), place) in NAMES.iter().zip(&windows.from).zip(first.at) {
        match place {
            Some(_) => write_window(out, &format!("{name}, from the difference on"), Some(from), style)?,
            None => writeln!(out, "\n{}", style.heading(format!("{name} has no further event")))?,
        }
    }
    Ok(())
}

fn are(events: u64) -> String {
    format!("{} {}", counted(events, "event"), if events == 1 { "is" } else { "are" })
}

/// Where the first difference is.
fn place(first: &FirstDifference) -> String {
    let at = |name: &str, place: EventPlace| {
        format!("event {} of {name} at instruction {}", grouped(place.number), grouped(place.clock))
    };
    let places = NAMES.iter().zip(first.at).filter_map(|(name, place)| Some(at(name, place?)));
    format!("the first difference is {}", places.collect::<Vec<_>>().join(", "))
}

fn write_left_out(out: &mut dyn Write, name: &str, left_out: &LeftOutTypes) -> io::Result<()> {
    if left_out.names.is_empty() {
        return Ok(());
    }
    let mut names: Vec<_> = left_out.names.iter().take(MOST_NAMES).map(|name| plain(name)).collect();
    let more = left_out.names.len() - names.len();
    names.extend((more > 0).then(|| format!("and {} more", grouped(more as u64))));
    let events = counted(left_out.events, "event");
    writeln!(out, "not compared, only in {name}: {events} of {}", names.join(", "))
}

fn write_fields(out: &mut dyn Write, first: &FirstDifference, style: Style) -> io::Result<()> {
    if first.fields.is_empty() {
        return Ok(());
    }
    let heads = ["field", NAMES[0], NAMES[1]];
    let mut table = Table::new(heads.map(|head| (head, Align::Left)));
    for field in &first.fields {
        let [a, b] = &field.values;
        table.row([&field.name, a, b].map(|cell| plain(cell)));
    }
    writeln!(out)?;
    table.write(out, style, "")
}

fn write_window(out: &mut dyn Write, title: &str, lines: Option<&str>, style: Style) -> io::Result<()> {
    let Some(lines) = lines else { return Ok(()) };
    write!(out, "\n{}\n{lines}", style.heading(title))
}
