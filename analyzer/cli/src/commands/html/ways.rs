//! The ways of single I/Os: calls in all contexts, hand-offs, the critical path.

use super::super::why::text::words;
use super::data::{IoWay, PageData, WayHandoff, WayLine, WaySegment, WayWait};
use crate::commands::export::rows::handed_off;
use crate::view::cause;
use anyhow::Result;
use iotrace::Session;
use iotrace::analysis::path::{Line, Path, Segment, path};
use iotrace::analysis::subject::Wanted;
use iotrace::analysis::why::why;
use iotrace::model::{IoId, Level};

/// Most lines of a way: what is behind them is left out.
const LINES: usize = 20_000;

/// The way of an I/O; none if the trace does not have it.
///
/// # Errors
/// If the trace cannot be read.
pub fn way(session: &Session, io: IoId, data: &mut PageData) -> Result<Option<IoWay>> {
    let Some(path) = path(session, &Wanted::Io(io), &mut |_| {})? else { return Ok(None) };
    let origin = data.origin;
    let at = |clock: u64| path.time.ns(clock).unwrap_or(clock).saturating_sub(origin);
    let mut left = LINES;
    let mut segments = Vec::new();
    for segment in &path.segments {
        let lines = &segment.lines[..segment.lines.len().min(left)];
        left -= lines.len();
        if !lines.is_empty() {
            let context = data.texts.number(&context(segment, &path));
            let lines = lines.iter().map(|shown| line(shown, data, &at)).collect();
            segments.push(WaySegment { context, lines });
        }
    }
    let handoffs = path.handovers.iter().enumerate().map(|(place, handover)| WayHandoff {
        what: data.texts.number(&handed_off(place, &path)),
        from: at(handover.from.clock),
        from_call: handover.from.call,
        to: at(handover.to.clock),
        to_call: handover.to.call,
    });
    let handoffs = handoffs.collect();
    // An I/O that has not returned has no critical path.
    let spans = why(session, &Wanted::Io(io), &mut |_| {}).map(|why| why.spans).unwrap_or_default();
    let why = spans.iter().map(|span| WayWait {
        from: at(span.from),
        to: at(span.to),
        depth: span.depth,
        what: data.texts.number(&words(&span.doing)),
        device: span.doing.is_device(),
    });
    let why = why.collect();
    Ok(Some(IoWay { io, segments, handoffs, why }))
}

fn context(segment: &Segment, path: &Path) -> String {
    let interrupt = segment.interrupt.and_then(|irq| irq.handler);
    match (segment.level, &segment.work) {
        (Level::Task | Level::Unknown, Some(work)) => format!("{}: {work}", cause::task(&segment.task)),
        (Level::Task | Level::Unknown, None) => cause::task(&segment.task),
        (level, _) => match interrupt {
            Some(handler) => format!("{}: {}", level.name(), cause::function(handler, &path.definitions)),
            None => level.name().to_owned(),
        },
    }
}

fn line(line: &Line, data: &mut PageData, at: &dyn Fn(u64) -> u64) -> WayLine {
    let (file, number) = &line.source;
    let place = if file.is_empty() { String::new() } else { format!("{file}:{number}") };
    let fields: Vec<_> = line.words.iter().map(|(name, text)| format!("{name}={text}")).collect();
    let name = match line.omitted {
        true => format!("({} calls)", line.times),
        false if line.inlined => format!("{} (inlined)", line.title),
        false => line.title.clone(),
    };
    WayLine {
        depth: line.depth,
        name: data.texts.number(&name),
        layer: line.layer.map(iotrace_format::layer::Layer::index),
        from: at(line.clock),
        to: line.end.map(at),
        own: line.own,
        total: line.total,
        place: data.texts.number(&place),
        fields: data.texts.number(&fields.join(" ")),
        call: line.call,
    }
}
