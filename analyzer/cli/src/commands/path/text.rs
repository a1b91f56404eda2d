//! The calls of an I/O or a bio: an indented listing, context by context.

use crate::view::io::{carried_bytes, extent, io_line};
use crate::view::text::{self, Style, grouped, plain};
use crate::view::wrap::{self, WrapWriter};
use iotrace::analysis::describe::Describer;
use iotrace::analysis::path::{Line, ListingShape, Path, Segment, shape};
use iotrace::model::{DeviceStart, Ending, Handover, HandoverKind, Io, Level};
use std::io::{self, Write};

/// Columns that a call and its words have before the place in the source.
const NAME: usize = 72;
/// Columns before a call.
const NUMBERS: usize = 32;

/// How the text is to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct PathOptions {
    /// Colours and width.
    pub style: Style,
    /// Source file and line of each call.
    pub source: bool,
}

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(
    out: &mut dyn Write,
    path: &Path,
    wanted: &ListingShape,
    options: PathOptions,
) -> io::Result<()> {
    let style = options.style;
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    head(out, path, style)?;
    let segments = shape(&path.segments, wanted);
    let depth = segments.iter().flat_map(|segment| &segment.lines).map(|line| line.depth).max().unwrap_or(0);
    let listing = Listing { path, options, begin: path.subject.window.0, indent: Indent::of(depth, style) };
    writeln!(out, "{}", style.heading(format!("{:>10} {:>10} {:>8}  call", "µs", "total", "own")))?;
    for segment in &segments {
        writeln!(out, "\n{}", style.heading(&title(path, segment)))?;
        listing.write_segment(out, segment)?;
    }
    writeln!(out, "\n{}", style.faint(listing.legend()))
}

/// The indentation of calls: a terminal leaves three quarters of a line to their names.
#[derive(Debug, Clone, Copy)]
struct Indent {
    /// Columns for each level of calls.
    level: usize,
    /// Most levels that are indented. A call at a deeper one has its depth before its name.
    most: usize,
}

impl Indent {
    fn of(depth: usize, style: Style) -> Self {
        let Some(width) = style.width else { return Self { level: 2, most: usize::MAX } };
        let room = width.saturating_sub(NUMBERS) / 4;
        let level = if depth * 2 <= room { 2 } else { 1 };
        Self { level, most: room / level }
    }

    /// What is before the name of a call at a depth.
    fn before(self, depth: usize) -> String {
        let indent = " ".repeat(self.level * depth.min(self.most));
        if depth > self.most { format!("{indent}[{depth}] ") } else { indent }
    }
}

/// The calls of a path as lines.
struct Listing<'a> {
    path: &'a Path,
    options: PathOptions,
    /// When the path begins, in instructions.
    begin: u64,
    indent: Indent,
}

impl Listing<'_> {
    fn legend(&self) -> String {
        let mut line =
            "µs: virtual time since the path begins; total: instructions of a call with its callees; own: \
                        without them; both in the context of the call"
                .to_owned();
        if self.indent.most < usize::MAX {
            line.push_str("; [N]: depth of a call that is not indented further");
        }
        line.push_str(match (self.options.source, self.options.style.width) {
            (true, _) => "; source ← call site",
            (false, Some(_)) => "; not shown: source lines (--source)",
            (false, None) => "",
        });
        line
    }

    fn write_segment(&self, out: &mut dyn Write, segment: &Segment) -> io::Result<()> {
        let mut lines = segment.lines.iter().peekable();
        while let Some(line) = lines.next() {
            let mut rest = lines.clone();
            let omitted = rest.next().filter(|next| next.omitted);
            // If nothing else is inside a call, its own line says what is not shown.
            let alone = omitted.filter(|_| rest.next().is_none_or(|next| next.depth <= line.depth));
            if alone.is_some() {
                lines.next();
            }
            self.write_line(out, line, alone)?;
        }
        Ok(())
    }

    fn write_line(&self, out: &mut dyn Write, line: &Line, inside: Option<&Line>) -> io::Result<()> {
        let style = self.options.style;
        let since = match line.omitted {
            true => String::new(),
            false => text::micros_span(&self.path.time, self.begin, line.clock),
        };
        let (total, own) = match (line.instant, line.end) {
            _ if line.omitted => (grouped(line.total), String::new()),
            (true, _) => (String::new(), String::new()),
            (false, None) => ("unfinished".into(), String::new()),
            (false, Some(_)) => (grouped(line.total), grouped(line.own)),
        };
        let indent = self.indent.before(line.depth);
        let prefix = format!("{since:>10} {total:>10} {own:>8}  {indent}");
        let source = source(line).filter(|_| self.options.source);
        let inside = inside.map(|omitted| format!(" {}", call(omitted))).unwrap_or_default();
        let name = call(line) + &inside;
        let text = match source {
            None => name,
            Some(source) => {
                let width = NAME.saturating_sub(wrap::columns(&indent));
                format!("{name:<width$}  {}", style.faint(source))
            }
        };
        wrap::write(out, &prefix, &text, style)?;
        self.write_notes(out, line)
    }

    /// Writes what a call handed off, and where it stopped running.
    fn write_notes(&self, out: &mut dyn Write, line: &Line) -> io::Result<()> {
        let (path, style) = (self.path, self.options.style);
        let prefix = format!("{:NUMBERS$}{}", "", self.indent.before(line.depth));
        let handovers = line.handovers.iter().map(|handover| target(path, *handover));
        let stops = line.stops.iter().map(|(from, to)| match to {
            0 => "⇢ stops running".to_owned(),
            to => format!("⇢ stops running, resumes {} later", text::span(&path.time, *from, *to)),
        });
        let mut notes = handovers.chain(stops);
        notes.try_for_each(|note| wrap::write(out, &prefix, &style.alarm(note).to_string(), style))
    }
}

/// A call or an event, with its words.
fn call(line: &Line) -> String {
    if line.omitted {
        let calls = if line.times == 1 { "call" } else { "calls" };
        return format!("… {} {calls} not shown", grouped(line.times));
    }
    let words: Vec<_> =
        line.words.iter().map(|(name, text)| format!("{}={}", plain(name), plain(text))).collect();
    if line.instant && !line.inlined {
        return format!("{} {}", plain(&line.title), words.join(" ")).trim_end().to_owned();
    }
    let times = if line.times > 1 { format!(" ×{}", line.times) } else { String::new() };
    let how = match (line.inlined, line.ending) {
        (true, _) => " inlined",
        (false, Some(Ending::Unseen)) => " (return not seen)",
        _ => "",
    };
    format!("{}({}){times}{how}", plain(&line.title), words.join(", "))
}

/// Where a function is, and where it is called.
fn source(line: &Line) -> Option<String> {
    let place = |(file, number): &(String, u32), before: &str| {
        if file.is_empty() { String::new() } else { format!("{before}{}:{number}", plain(file)) }
    };
    let (function, site) = (place(&line.source, ""), place(&line.site, "← "));
    let parts: Vec<_> = [function, site].into_iter().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn head(out: &mut dyn Write, path: &Path, style: Style) -> io::Result<()> {
    for io in &path.subject.ios {
        writeln!(out, "{}", style.heading(&io_line(io)))?;
        let span = io.left.map(|left| text::span(&path.time, io.entered, left));
        let span = span.map_or_else(
            || "not returned when the trace ended".into(),
            |span| format!("{span} from call to return"),
        );
        writeln!(out, "  in call: {} instructions; {span}", grouped(io.cost))?;
        if io.cached > 0 {
            writeln!(out, "  {} bytes to the page cache, {}", io.cached, fate(io))?;
        }
    }
    for bio in &path.subject.bios {
        let request = bio.request.map(|rq| format!(", rq{rq}")).unwrap_or_default();
        writeln!(
            out,
            "  bio #{}: {}{request}, queued by {}/{}",
            bio.id,
            extent(bio),
            bio.task.comm,
            bio.task.pid
        )?;
        for carried in &bio.carries {
            writeln!(out, "    data: {}", carried_bytes(carried))?;
        }
    }
    Ok(())
}

/// What became of the bytes that an I/O put into the page cache.
fn fate(io: &Io) -> String {
    let rest = io.unwritten().saturating_sub(io.overwritten).saturating_sub(io.dropped);
    let parts = [
        (io.overwritten, "overwritten by later I/Os"),
        (io.dropped, "dropped: the file was truncated or deleted"),
        (rest, "not written by a bio of this trace"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(bytes, _)| *bytes > 0).map(|(bytes, what)| format!("{bytes} {what}")).collect();
    if parts.is_empty() { "all written by the bios below".to_owned() } else { parts.join(", ") }
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
            format!("{name}{}, current task {task}", irq.unwrap_or_default())
        }
    };
    let resumed = if segment.resumed { " (resumed)" } else { "" };
    let asked = path.handover_to(segment).map(|handover| format!("  ⇠ {}", origin(path, handover)));
    format!("{what}{resumed}{}", asked.unwrap_or_default())
}

/// A hand-over, seen from where it led to.
fn origin(path: &Path, handover: &Handover) -> String {
    let ago = text::span(&path.time, handover.from.clock, handover.to.clock);
    match handover.kind {
        HandoverKind::Wake { .. } => format!("woken {ago} before, in {}", level(handover)),
        HandoverKind::Work { .. } => format!("queued {ago} before"),
        HandoverKind::Softirq { number } => {
            format!("softirq {} raised {ago} before", path.definitions.softirq(number))
        }
        HandoverKind::Timer { .. } => format!("timer started {ago} before"),
        HandoverKind::IrqThread { irq } => format!("interrupt {irq} left work to it {ago} before"),
        HandoverKind::Interrupt { command, since: DeviceStart::Doorbell, .. } => {
            format!("doorbell of cmd{command} written {ago} before")
        }
        HandoverKind::Interrupt { command, since: DeviceStart::Issue, .. } => {
            format!("cmd{command} issued {ago} before")
        }
    }
}

fn level(handover: &Handover) -> &'static str {
    match handover.from.level {
        Level::Unknown => "unknown context",
        Level::Task => "task context",
        Level::Softirq => "softirq context",
        Level::Hardirq => "hardirq context",
        Level::Nmi => "NMI context",
    }
}

/// A hand-over, seen from where it began.
fn target(path: &Path, at: usize) -> String {
    let handover = &path.handovers[at];
    let later = text::span(&path.time, handover.from.clock, handover.to.clock);
    match handover.kind {
        HandoverKind::Wake { .. } => {
            let task = path.woken.get(&at).copied().unwrap_or_default();
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
            format!("⇢ timer {} expires {later} later", plain(&function))
        }
        HandoverKind::IrqThread { .. } => format!("⇢ irq thread runs {later} later"),
        HandoverKind::Interrupt { irq: Some(irq), command, .. } => {
            format!("⇢ cmd{command} issued to the device, interrupt {irq} {later} later")
        }
        HandoverKind::Interrupt { irq: None, command, .. } => {
            format!("⇢ cmd{command} issued to the device, complete {later} later, interrupt unknown")
        }
    }
}
