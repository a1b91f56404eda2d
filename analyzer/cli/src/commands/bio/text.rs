//! One bio: its stages, then everything that happened to it.

use crate::view::cause;
use crate::view::event::put_what;
use crate::view::io::{carried_bytes, extent};
use crate::view::table::{Align, Table};
use crate::view::text::{self, Style};
use crate::view::wrap::{self, WrapWriter};
use iotrace::analysis::describe::{block_status, error_cause};
use iotrace::analysis::timeline::Timeline;
use iotrace::model::{Bio, Join, Origin, Request, RequestKind};
use std::io::{self, Write};

/// Columns that a narrow terminal does without, the first to go first.
const DROPPED: [&str; 3] = ["shared by", "all contexts", "clock"];

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, timeline: &Timeline, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    head(out, timeline, style)?;
    stages(out, timeline, style)?;
    commands(out, timeline, style)?;
    events(out, timeline, style)
}

fn head(out: &mut dyn Write, timeline: &Timeline, style: Style) -> io::Result<()> {
    let bio = &timeline.bio;
    let title = format!("Bio #{}: {} ({})", bio.id, extent(bio), text::bytes(bio.bytes));
    writeln!(out, "{}", style.heading(&title))?;
    if bio.device.is_some() {
        let name = text::device_name(bio.device.as_deref(), bio.dev);
        writeln!(out, "  device     {name} ({})", text::device(bio.dev))?;
    }
    writeln!(out, "  task       {}/{}", bio.task.comm, bio.task.pid)?;
    if let Some(call) = bio.call {
        let count = call.count.map(|count| format!(", {count} bytes")).unwrap_or_default();
        let position = call.position.map(|p| format!(" at {p}")).unwrap_or_default();
        writeln!(
            out,
            "  call       {} of inode {} on {}{count}{position}",
            call.kind.name(),
            call.ino,
            text::device(call.dev)
        )?;
    }
    if let Some(cause) = &bio.cause {
        writeln!(out, "  origin     {}", cause::line(cause, &timeline.definitions))?;
    }
    for carried in &bio.carries {
        writeln!(out, "  data       {}", carried_bytes(carried))?;
    }
    match bio.origin {
        Origin::Queued => {}
        Origin::Split { of } => writeln!(out, "  split from #{of}")?,
        Origin::Rest { of } => writeln!(out, "  rest of    #{of}")?,
        Origin::Remap { of } => writeln!(out, "  remap of   #{of}")?,
        Origin::Clone { of } => writeln!(out, "  clone of   #{of}")?,
        Origin::Serve { of } => writeln!(out, "  serves     #{of}")?,
    }
    for request in &timeline.requests {
        writeln!(out, "  {}", request_line(bio, request))?;
    }
    if let Some(irq) = bio.interrupt {
        let handler = irq.handler.and_then(|h| timeline.definitions.symbols.get(&h));
        let handler = handler.map(|name| format!(", {}", text::plain(name))).unwrap_or_default();
        let number = |n: Option<u64>| n.map_or("?".into(), |n| n.to_string());
        writeln!(
            out,
            "  interrupt  {} (vector {}, line {}{handler})",
            irq.id,
            number(irq.vector),
            number(irq.line)
        )?;
    }
    if bio.status != 0 {
        writeln!(out, "  {}", style.alarm(&format!("status     {}", block_status(bio.status))))?;
    }
    Ok(())
}

fn request_line(bio: &Bio, request: &Request) -> String {
    let role = match (request.kind, bio.request == Some(request.id), bio.join) {
        (RequestKind::Flush, ..) => "flush that it waited for",
        (_, false, _) => "merged into another",
        (_, true, Some(Join::Got) | None) => "its own",
        (_, true, Some(Join::Back)) => "merged at its end",
        (_, true, Some(Join::Front)) => "merged at its front",
        (_, true, Some(Join::Discard)) => "merged as a discard range",
        (_, true, Some(Join::WithRequest)) => "merged with its request",
    };
    let commands: Vec<_> = request.attempts.iter().map(|a| format!("cmd{}", a.command)).collect();
    let members = match request.members.len() {
        0 | 1 => String::new(),
        count => format!(", {count} bios"),
    };
    let commands = if commands.is_empty() { String::new() } else { format!(", {}", commands.join(", ")) };
    format!("request    rq{} ({role}{members}{commands})", request.id)
}

fn stages(out: &mut dyn Write, timeline: &Timeline, style: Style) -> io::Result<()> {
    let (bio, time) = (&timeline.bio, &timeline.time);
    let right = ["clock", "since Q", "delta µs", "all contexts", "shared by"];
    let table =
        Table::new([("stage", Align::Left)].into_iter().chain(right.map(|head| (head, Align::Right))));
    let mut table = table.dropping(DROPPED);
    let mut before = bio.queued();
    for mark in &bio.stages {
        table.row([
            mark.stage.name().to_owned(),
            mark.clock.to_string(),
            text::micros_span(time, bio.queued(), mark.clock),
            text::micros_span(time, before, mark.clock),
            text::grouped(mark.clock - before),
            if mark.shared > 1 { mark.shared.to_string() } else { String::new() },
        ]);
        before = mark.clock;
    }
    writeln!(out)?;
    table.write(out, style, "  ")?;
    let line = "clock: instructions since the guest started; since Q, delta: µs of virtual time, since \
                queued and since the previous line; all contexts: \
                instructions since the previous line, in any context; shared by: bios in the request";
    writeln!(out, "  {}", style.faint(line))
}

/// The steps of each command that was made for its requests.
fn commands(out: &mut dyn Write, timeline: &Timeline, style: Style) -> io::Result<()> {
    let (bio, time) = (&timeline.bio, &timeline.time);
    for (request, attempt) in timeline.requests.iter().flat_map(|rq| rq.attempts.iter().map(move |a| (rq, a)))
    {
        let error = attempt.error().map(|cause| format!(", failed: {}", error_cause(cause)));
        let title =
            format!("Command cmd{} of rq{}{}", attempt.command, request.id, error.unwrap_or_default());
        writeln!(out, "\n{}", style.heading(&title))?;
        let right = ["clock", "since Q", "delta µs", "all contexts"];
        let heads = [("step", Align::Left)].into_iter().chain(right.map(|head| (head, Align::Right)));
        let mut table = Table::new(heads).dropping(DROPPED);
        let mut before = None;
        for (step, clock) in attempt.steps() {
            let from = before.replace(clock).unwrap_or(clock);
            table.row([
                step.to_owned(),
                clock.to_string(),
                text::micros_span(time, bio.queued(), clock),
                text::micros_span(time, from, clock),
                text::grouped(clock - from),
            ]);
        }
        table.write(out, style, "  ")?;
    }
    Ok(())
}

fn events(out: &mut dyn Write, timeline: &Timeline, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Events"))?;
    let heads = format!("  {:>13} {:>10} {:>11} {:<7} event", "clock", "since Q", "delta", "context");
    writeln!(out, "{}", style.heading(heads))?;
    let (bio, time) = (&timeline.bio, &timeline.time);
    let cell = text::time_cell(time, text::micros);
    let mut what = String::new();
    let mut before = timeline.events.first().map_or(0, |event| event.clock);
    for event in &timeline.events {
        let since = match time.ns(bio.queued()).zip(time.ns(event.clock)) {
            Some((queued, ns)) if ns < queued => format!("-{}", cell(queued - ns)),
            Some((queued, ns)) => cell(ns - queued),
            None => "-".into(),
        };
        let delta = format!("+{}", text::grouped(event.clock.saturating_sub(before)));
        what.clear();
        put_what(&mut what, event, style);
        let level = event.level.name();
        let prefix = format!("  {:>13} {since:>10} {delta:>11} {level:<7} ", event.clock);
        wrap::write(out, &prefix, &what, style)?;
        before = event.clock;
    }
    let line = "since Q: µs of virtual time since queued; delta: instructions of all contexts since the \
                previous event";
    writeln!(out, "  {}", style.faint(line))
}
