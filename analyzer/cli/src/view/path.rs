//! The way of an I/O or a bio: an indented listing, context by context.

pub use super::json::write_path as write_json;
use super::text::{self, Style, grouped, plain};
use iotrace::analysis::describe::Describer;
use iotrace::analysis::path::{Line, ListingShape, Path, Segment, shape};
use iotrace::model::{Ending, Handover, HandoverKind, Io, Level};
use std::io::{self, Write};

/// Columns that a call and its words have before the place in the source.
const NAME: usize = 72;

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, path: &Path, wanted: &ListingShape, style: Style) -> io::Result<()> {
    head(out, path, style)?;
    let line =
        "µs since its begin, instructions with and without those in calls made, call, source, called from";
    writeln!(out, "  {}", style.faint(line))?;
    let begin = path.subject.window.0;
    for segment in shape(&path.segments, wanted) {
        writeln!(out, "\n{}", style.heading(&title(path, &segment)))?;
        for line in &segment.lines {
            write_line(out, path, begin, line, style)?;
        }
    }
    Ok(())
}

fn head(out: &mut dyn Write, path: &Path, style: Style) -> io::Result<()> {
    for io in &path.subject.ios {
        writeln!(out, "{}", style.heading(&io_line(io)))?;
        let span = io.left.map(|left| text::span(&path.time, io.entered, left));
        let span = span.map_or_else(
            || "not over when the trace ended".into(),
            |span| format!("{span} from call to return"),
        );
        writeln!(out, "  {} instructions in the call, {span}", grouped(io.cost))?;
        if io.cached > 0 {
            let rest = match io.unwritten() {
                0 => "all of them carried to the disk by the bios below".to_owned(),
                rest => format!("{rest} of them carried by no bio in this trace"),
            };
            writeln!(out, "  {} bytes into the page cache, {rest}", io.cached)?;
        }
    }
    for bio in &path.subject.bios {
        let request = bio.request.map(|rq| format!(", rq{rq}")).unwrap_or_default();
        writeln!(
            out,
            "  bio #{}: {} {} sector {} + {}{request}, queued by {}/{}",
            bio.id,
            bio.op.rwbs(),
            text::device(bio.dev),
            bio.sector,
            bio.bytes / 512,
            bio.task.comm,
            bio.task.pid
        )?;
        for carried in &bio.carries {
            writeln!(out, "    carries bytes {} to {} of I/O #{}", carried.from, carried.to, carried.io)?;
        }
    }
    Ok(())
}

/// An I/O in one line.
#[must_use]
pub fn io_line(io: &Io) -> String {
    let mut line = format!("I/O #{}: {} by {}/{}", io.id, io.syscall, io.task.comm, io.task.pid);
    if let Some(fd) = io.fd {
        line += &format!(", fd {fd}");
    }
    if let Some(file) = &io.file {
        line += &format!(", {} (inode {} on {})", plain(&file.name), file.ino, text::device(file.dev));
    }
    if let Some(count) = io.count {
        let at = io.position.map(|at| format!(" at {at}")).unwrap_or_default();
        line += &format!(", {count} bytes{at}");
    }
    if let Some(returned) = io.returned {
        line += &format!(", returned {returned}");
    }
    line
}

/// What a segment is the run of, and why it began.
fn title(path: &Path, segment: &Segment) -> String {
    let task = format!("{}/{}", segment.task.comm, segment.task.pid);
    let what = match (segment.level, &segment.work) {
        (Level::Task, Some(work)) => format!("work item {} in {task}", plain(work)),
        (Level::Task, None) => format!("task {task}"),
        (level, _) => {
            let irq = segment.interrupt.map(|irq| {
                let line = irq.line.map(|line| format!(" line {line}")).unwrap_or_default();
                let handler = irq.handler.map(|h| format!(" {}", Describer::function(&path.definitions, h)));
                format!(" {}{line}{}", irq.id, plain(&handler.unwrap_or_default()))
            });
            let name = match level {
                Level::Hardirq => "interrupt",
                Level::Unknown => "unknown context",
                _ => level.name(),
            };
            format!("{name}{}, while {task} ran", irq.unwrap_or_default())
        }
    };
    let goes_on = if segment.resumed { " goes on" } else { "" };
    let asked = path.handover_to(segment).map(|handover| format!("  ⇠ {}", origin(path, handover)));
    format!("{what}{goes_on}{}", asked.unwrap_or_default())
}

/// A hand-over, seen from where it led to.
fn origin(path: &Path, handover: &Handover) -> String {
    let ago = text::span(&path.time, handover.from.clock, handover.to.clock);
    match handover.kind {
        HandoverKind::Wake { .. } => format!("woken {ago} before, at {}", level(handover)),
        HandoverKind::Work { .. } => format!("queued {ago} before"),
        HandoverKind::Softirq { number } => {
            format!("softirq {} raised {ago} before", path.definitions.softirq(number))
        }
        HandoverKind::Timer { .. } => format!("timer started {ago} before"),
        HandoverKind::Interrupt { command, .. } => format!("doorbell of cmd{command} rung {ago} before"),
    }
}

fn level(handover: &Handover) -> &'static str {
    match handover.from.level {
        Level::Unknown => "unknown level",
        Level::Task => "task level",
        Level::Softirq => "softirq level",
        Level::Hardirq => "interrupt level",
        Level::Nmi => "NMI level",
    }
}

/// A hand-over, seen from where it was asked for.
fn target(path: &Path, handover: &Handover) -> String {
    let later = text::span(&path.time, handover.from.clock, handover.to.clock);
    match handover.kind {
        HandoverKind::Wake { task } => {
            let task = path.tasks.get(&task).copied().unwrap_or_default();
            format!("⇢ wakes {}/{}, which runs {later} later", task.comm, task.pid)
        }
        HandoverKind::Work { function } => {
            let function = Describer::function(&path.definitions, function);
            format!("⇢ work item {} runs {later} later", plain(&function))
        }
        HandoverKind::Softirq { number } => {
            format!("⇢ softirq {} runs {later} later", path.definitions.softirq(number))
        }
        HandoverKind::Timer { function } => {
            let function = Describer::function(&path.definitions, function);
            format!("⇢ timer {} runs out {later} later", plain(&function))
        }
        HandoverKind::Interrupt { irq, command } => {
            format!("⇢ cmd{command} goes to the device: interrupt {irq} comes {later} later")
        }
    }
}

fn write_line(out: &mut dyn Write, path: &Path, begin: u64, line: &Line, style: Style) -> io::Result<()> {
    let since = text::micros_span(&path.time, begin, line.clock);
    let (total, own) = match (line.instant, line.end) {
        (true, _) => (String::new(), String::new()),
        (false, None) => ("open".into(), String::new()),
        (false, Some(_)) => (grouped(line.total), grouped(line.own)),
    };
    let indent = "  ".repeat(line.depth);
    let words: Vec<_> =
        line.words.iter().map(|(name, text)| format!("{}={}", plain(name), plain(text))).collect();
    let times = if line.times > 1 { format!(" ×{}", line.times) } else { String::new() };
    let how = match (line.inlined, line.ending) {
        (true, _) => " inlined",
        (false, Some(Ending::Unseen)) => " (its return was not seen)",
        _ => "",
    };
    let name = if line.instant && !line.inlined {
        format!("{indent}{} {}", plain(&line.name), words.join(" "))
    } else {
        format!("{indent}{}({}){times}{how}", plain(&line.name), words.join(", "))
    };
    let place = |(file, number): &(String, u32), before: &str| {
        if file.is_empty() { String::new() } else { format!("{before}{}:{number}", plain(file)) }
    };
    let source = place(&line.source, "  ") + &place(&line.site, " ← ");
    let name = format!("{name:<NAME$}");
    let end = format!("{:>10} {total:>10} {own:>8}  {name}{}", since, style.faint(&source));
    writeln!(out, "{}", end.trim_end())?;
    let note =
        |out: &mut dyn Write, text: String| writeln!(out, "{:>31}{indent}  {}", "", style.alarm(&text));
    for handover in &line.handovers {
        note(out, target(path, &path.handovers[*handover]))?;
    }
    for (from, to) in &line.stops {
        note(
            out,
            match to {
                0 => "⇢ stops running".to_owned(),
                to => format!("⇢ stops running, goes on {} later", text::span(&path.time, *from, *to)),
            },
        )?;
    }
    Ok(())
}
