//! From a file to events in the order of their clocks, with the definitions they need.
//!
//! In: a mapped trace. Out: calls to a [`Visitor`], definitions before the events that need them. Blocks are
//! decoded by threads ahead of the visitor, and only those that it needs. Memory follows the blocks under way, not
//! the length of the file.

mod ahead;
mod cache;
mod census;
mod finished;
mod limits;
mod merge;
mod needs;
mod structure;
mod trace;

pub use ahead::{Decoded, DecodedStep, decode};
pub use census::{Census, census};
pub use finished::{End, Finished};
pub use needs::Needs;
pub use structure::{Finding, Findings, StructureCheck};
pub(crate) use trace::release_up_to;
pub use trace::{MemoryLimit, Trace, WasRead};

use crate::model::Definitions;
use iotrace_format::definition::Definition;
use iotrace_format::event::{Event, KindId};
use iotrace_format::trace::FILE_HEADER;
use iotrace_format::trace::chunk::{ChunkError, ChunkKind, HEAD, RawChunk};
use iotrace_format::trace::columns::{Columns, EventBlock};
use iotrace_format::trace::index::TraceIndex;
use iotrace_format::trace::reader::{Content, ReadError};
use iotrace_format::trace::walk::{Ledger, WalkStep};
use merge::Merger;
use needs::{ReadPlan, is_read_in_order};
use rustc_hash::FxHashSet;

/// What is wrong with a file whose header is not what was written.
pub(crate) const HEADER: &str = "checksum mismatch of the file header";

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Give me more.
    Continue,
    /// I have seen enough.
    Stop,
}

/// Takes what a trace holds.
pub trait Visitor {
    /// What is needed; asked once, before anything is read.
    fn needs(&self) -> Needs {
        Needs::ALL
    }

    /// The kinds that are needed, given all definitions; none for all. Asked if the needs are by kind.
    fn kinds(&self, _definitions: &Definitions) -> Option<FxHashSet<KindId>> {
        None
    }

    /// Definitions follow: these are those of the events before.
    fn defining(&mut self, _definitions: &Definitions) {}

    /// A definition; it is among the definitions of the events that follow.
    fn define(&mut self, _definition: &Definition) {}

    /// A landmark that comes before the first event that is needed.
    fn landmark(&mut self, _definitions: &Definitions, _event: &Event<'_>) {}

    /// So many events were left out here: they are not needed, or lost.
    fn skipped(&mut self, _events: u64) {}

    /// An event.
    fn event(&mut self, definitions: &Definitions, event: &Event<'_>) -> Flow;

    /// All events of a block were given, and no others since its first. `first` is the number of that, from 1; `next`
    /// is the offset in the file behind the block.
    fn block(&mut self, _block: &EventBlock, _first: u64, _next: usize) {}
}

/// A part of a trace that is read by who knows what was before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadWindow {
    /// Offset in the file: the blocks behind it are given.
    pub offset: u64,
    /// Blocks of events after this clock, in instructions, are probably not needed.
    pub until: u64,
}

/// Reads what the visitor needs of a trace. `progress` is told the bytes gone through.
///
/// # Errors
/// [`ReadError`]. A file that was cut or is damaged is no error.
pub fn read(
    trace: &Trace,
    visitor: &mut dyn Visitor,
    progress: &mut dyn FnMut(usize),
) -> Result<Finished, ReadError> {
    let needs = visitor.needs();
    let mut reading = Reading::new(trace, visitor, progress);
    match trace.index().filter(|_| !needs.everything()) {
        Some(index) => reading.planned(index, &needs)?,
        None => reading.in_order(&needs)?,
    }
    Ok(reading.finish())
}

/// All definitions of a trace. With an index nothing else is read.
///
/// # Errors
/// [`ReadError`].
pub fn definitions(trace: &Trace) -> Result<Definitions, ReadError> {
    struct Nothing;
    impl Visitor for Nothing {
        fn needs(&self) -> Needs {
            Needs::DEFINITIONS
        }

        fn event(&mut self, _: &Definitions, _: &Event<'_>) -> Flow {
            Flow::Continue
        }
    }
    Ok(read(trace, &mut Nothing, &mut |_| {})?.definitions)
}

/// Reads a trace from a block on, with all definitions before it. The visitor is not told of what is left out.
///
/// # Errors
/// [`ReadError`]. A trace without an index of chunks is read from its beginning.
pub fn read_window(
    trace: &Trace,
    window: ReadWindow,
    visitor: &mut dyn Visitor,
    progress: &mut dyn FnMut(usize),
) -> Result<Finished, ReadError> {
    let mut reading = Reading::new(trace, visitor, progress);
    match trace.index() {
        Some(index) => reading.window(index, window)?,
        None => reading.in_order(&Needs::ALL)?,
    }
    Ok(reading.finish())
}

struct Reading<'a> {
    trace: &'a Trace,
    visitor: &'a mut dyn Visitor,
    progress: &'a mut dyn FnMut(usize),
    done: Finished,
    ledger: Ledger,
    merger: Merger,
    last_clock: u64,
    /// Number of the next event, from 0; of several vCPUs, in the order in which they are given.
    number: u64,
    /// Memory up to here was given back.
    released: usize,
    /// A block was decoded.
    decoded: bool,
    /// Decoded blocks are kept for the next pass.
    caches: bool,
}

impl<'a> Reading<'a> {
    fn new(trace: &'a Trace, visitor: &'a mut dyn Visitor, progress: &'a mut dyn FnMut(usize)) -> Self {
        let mut ledger = Ledger::default();
        if !trace.header_is_sound() {
            ledger.bad(0, FILE_HEADER, HEADER.into());
        }
        let (done, merger) = (Finished::default(), Merger::default());
        Self {
            trace,
            visitor,
            progress,
            done,
            ledger,
            merger,
            last_clock: 0,
            number: 0,
            released: 0,
            decoded: false,
            caches: false,
        }
    }

    /// Everything, from the beginning.
    fn in_order(&mut self, needs: &Needs) -> Result<(), ReadError> {
        let trace = self.trace;
        let (mut ended, mut last) = (false, None);
        let mut structure = StructureCheck::default();
        if !trace.header_is_sound() {
            structure.bad(0, FILE_HEADER, HEADER.into());
        }
        let flow = ahead::decode(
            trace,
            &mut trace.walk(),
            &is_read_in_order,
            (needs.columns, usize::MAX),
            &mut |met, back| {
                (self.progress)(met.offset());
                match met {
                    DecodedStep::Bad(at, bytes, reason) => {
                        structure.bad(at, bytes, reason.to_string());
                        // If nothing comes behind it, the file was cut there.
                        last = Some(End::Cut { offset: at, lost: bytes, reason: reason.to_string() });
                        if ended || at + bytes < trace.bytes().len() {
                            self.ledger.bad(at, bytes, reason.to_string());
                            last = None;
                        }
                        Flow::Continue
                    }
                    DecodedStep::Chunk(at, chunk, decoded) => {
                        structure.chunk(at, &chunk, decoded.as_ref());
                        ended |= chunk.head.kind == ChunkKind::End;
                        self.chunk_in_order(at, &chunk, decoded, back)
                    }
                }
            },
        )?;
        let flow = if flow == Flow::Continue { self.give_rest() } else { flow };
        let length = trace.bytes().len();
        let silent = || {
            let reason = ChunkError::Cut { needed: HEAD, available: 0 };
            End::Cut { offset: length, lost: 0, reason: reason.to_string() }
        };
        let end = if ended { End::Complete } else { last.unwrap_or_else(silent) };
        if flow == Flow::Continue {
            self.done.end = Some(end);
            self.done.findings = structure.finish(length, None);
        }
        Ok(())
    }

    fn chunk_in_order(
        &mut self,
        at: usize,
        chunk: &RawChunk<'_>,
        decoded: Option<Decoded>,
        back: &mut Option<Box<EventBlock>>,
    ) -> Flow {
        if let Some(Err(error)) = &decoded {
            self.ledger.bad(at, chunk.head.length(), error.to_string());
            return Flow::Continue;
        }
        let events = if chunk.head.kind == ChunkKind::Events { chunk.head.count } else { 0 };
        if !self.ledger.chunk(at, &chunk.head, events.into()) {
            return Flow::Continue;
        }
        match decoded {
            Some(Ok(content)) => self.content(at, chunk, content, back),
            _ => Flow::Continue,
        }
    }

    /// What is needed, by the index.
    fn planned(&mut self, index: TraceIndex<'a>, needs: &Needs) -> Result<(), ReadError> {
        self.done.end = Some(End::Complete);
        let mut plan = ReadPlan { trace: self.trace, index, numbered: true };
        if needs.landmarks {
            return self.follow(&mut plan.landmarks(), (needs.columns, usize::MAX));
        }
        let all = self.all_definitions(&plan)?;
        plan.numbered = all.trace.vcpus <= 1 && !self.trace.is_part();
        let Some(first) = plan.first(needs) else {
            return self.follow(&mut plan.definitions(), (needs.columns, usize::MAX));
        };
        let kinds = self.visitor.kinds(&all).filter(|_| needs.by_kind);
        let from = *needs.clocks.start();
        // Those from here on are among the events that are given.
        let until = (first.number > 0).then_some(first.first_clock);
        self.before(&mut plan.before(&first, until), until)?;
        // Those of a part are numbered by their blocks.
        self.pass_over(if self.trace.is_part() { 0 } else { plan.events_before(&first, from) });
        self.follow(&mut plan.from(&first, needs, kinds.as_ref()), (needs.columns, usize::MAX))
    }

    /// The blocks behind an offset.
    fn window(&mut self, index: TraceIndex<'a>, window: ReadWindow) -> Result<(), ReadError> {
        self.done.end = Some(End::Complete);
        self.caches = true;
        let plan = ReadPlan { trace: self.trace, index, numbered: true };
        let Some(first) = index.events().find(|block| block.offset >= window.offset) else {
            return self.follow(&mut plan.definitions(), (Columns::ALL, usize::MAX));
        };
        self.before(&mut plan.before(&first, None), None)?;
        self.number = first.number;
        let needed = index.events().take_while(|block| block.first_clock <= window.until).last();
        let eager = needed.map_or(0, |last| usize::try_from(last.offset).unwrap_or(usize::MAX));
        self.trace.cache().retain(usize::try_from(first.offset).unwrap_or(usize::MAX)..=eager);
        self.follow(&mut plan.from(&first, &Needs::ALL, None), (Columns::ALL, eager))
    }

    /// All definitions of the trace, for a plan.
    fn all_definitions(&mut self, plan: &ReadPlan<'a>) -> Result<Definitions, ReadError> {
        let mut all = Definitions::default();
        ahead::decode(
            self.trace,
            &mut plan.definitions(),
            &|_| true,
            (Columns::ALL, usize::MAX),
            &mut |met, _| {
                if let DecodedStep::Chunk(_, _, Some(Ok(Content::Definitions(mut definitions, _)))) = met {
                    for definition in &mut definitions {
                        limits::shorten(definition);
                        all.add(definition);
                    }
                }
                Flow::Continue
            },
        )?;
        Ok(all)
    }

    /// Definitions and landmarks before the first event that is given; `until` is its clock, if there are any.
    fn before(
        &mut self,
        steps: &mut dyn Iterator<Item = WalkStep<'a>>,
        until: Option<u64>,
    ) -> Result<(), ReadError> {
        ahead::decode(self.trace, steps, &|_| true, (Columns::ALL, usize::MAX), &mut |met, back| {
            match self.planned_content(met) {
                Some((at, chunk, Content::Events(block))) => {
                    self.count(at, &chunk, true);
                    for event in block.events().filter(|event| Some(event.clock) <= until) {
                        self.visitor.landmark(&self.done.definitions, &event);
                    }
                    *back = Some(block);
                }
                Some((at, chunk, content)) => _ = self.content(at, &chunk, content, back),
                None => {}
            }
            Flow::Continue
        })?;
        Ok(())
    }

    fn follow(
        &mut self,
        steps: &mut dyn Iterator<Item = WalkStep<'a>>,
        columns: (Columns, usize),
    ) -> Result<(), ReadError> {
        let flow = ahead::decode(self.trace, steps, &|_| true, columns, &mut |met, back| {
            (self.progress)(met.offset());
            match self.planned_content(met) {
                Some((at, chunk, content)) => self.content(at, &chunk, content, back),
                None => Flow::Continue,
            }
        })?;
        let flow = if flow == Flow::Continue { self.give_rest() } else { flow };
        self.done.end = self.done.end.take().filter(|_| flow == Flow::Continue);
        Ok(())
    }

    /// What is in a chunk that the index told of; damage if it is not that.
    fn planned_content<'m>(&mut self, met: DecodedStep<'m>) -> Option<(usize, RawChunk<'m>, Content)> {
        match met {
            DecodedStep::Chunk(at, chunk, Some(Ok(content))) => return Some((at, chunk, content)),
            DecodedStep::Chunk(at, chunk, Some(Err(error))) => {
                self.ledger.bad(at, chunk.head.length(), error.to_string());
            }
            DecodedStep::Bad(at, bytes, reason) => self.ledger.bad(at, bytes, reason.to_string()),
            DecodedStep::Chunk(_, _, None) => {}
        }
        None
    }

    fn content(
        &mut self,
        at: usize,
        chunk: &RawChunk<'_>,
        content: Content,
        back: &mut Option<Box<EventBlock>>,
    ) -> Flow {
        self.count(at, chunk, matches!(content, Content::Events(_)));
        match content {
            Content::Definitions(mut definitions, skipped) => {
                self.done.definitions.skipped += skipped.0.len() as u64;
                for definition in &mut definitions {
                    self.done.shortened += u64::from(limits::shorten(definition));
                }
                self.define(&definitions);
                Flow::Continue
            }
            Content::Events(block) => {
                self.done.unknown_columns += u64::from(block.unknown_columns());
                let is_first = block.number(0).is_none() && chunk.head.kind == ChunkKind::Events;
                if self.done.definitions.trace.vcpus <= 1 && is_first {
                    self.pass_over(chunk.head.number.saturating_sub(self.number));
                }
                self.give(block, (at, at + chunk.head.length()), back)
            }
            Content::Unknown => {
                self.done.unknown_chunks += 1;
                Flow::Continue
            }
            Content::Index | Content::End => Flow::Continue,
        }
    }

    fn pass_over(&mut self, events: u64) {
        if events > 0 {
            self.number = self.number.saturating_add(events);
            self.visitor.skipped(events);
        }
    }

    fn count(&mut self, at: usize, chunk: &RawChunk<'_>, unpacked: bool) {
        let (bytes, blocks) = (chunk.head.length() as u64, u64::from(unpacked));
        self.decoded |= unpacked;
        self.trace.count(WasRead { bytes, blocks, ..WasRead::default() });
        self.trace.release_up_to(&mut self.released, at);
    }

    fn define(&mut self, definitions: &[Definition]) {
        self.visitor.defining(&self.done.definitions);
        for definition in definitions {
            if let Definition::Trace(info) = definition {
                self.merger.expect(info.vcpus);
            }
            self.done.definitions.add(definition);
            self.visitor.define(definition);
        }
    }

    /// Gives the events of a block that stands between two offsets.
    fn give(
        &mut self,
        block: Box<EventBlock>,
        (at, next): (usize, usize),
        back: &mut Option<Box<EventBlock>>,
    ) -> Flow {
        let mut merger = std::mem::take(&mut self.merger);
        let first = self.number.saturating_add(1);
        let flow = merger.add(block, back, &mut |number, event| self.event(number, event));
        self.merger = merger;
        if let (Flow::Continue, Some(block)) = (flow, back.as_deref()) {
            self.visitor.block(block, first, next);
        }
        if self.caches {
            *back = back.take().and_then(|block| self.trace.cache().keep(at, block));
        }
        flow
    }

    /// Gives what waits for another vCPU.
    fn give_rest(&mut self) -> Flow {
        let mut merger = std::mem::take(&mut self.merger);
        merger.finish(&mut |number, event| self.event(number, event))
    }

    fn event(&mut self, number: Option<u64>, event: &Event<'_>) -> Flow {
        if let Some(number) = number {
            self.pass_over(number.saturating_sub(self.number.saturating_add(1)));
        }
        self.done.events += 1;
        // A file may state any number.
        self.number = self.number.saturating_add(1);
        self.done.out_of_order += u64::from(event.clock < self.last_clock);
        self.last_clock = event.clock;
        self.visitor.event(&self.done.definitions, event)
    }

    fn finish(mut self) -> Finished {
        let (events, passes) = (self.done.events, u64::from(self.decoded));
        self.trace.count(WasRead { events, passes, ..WasRead::default() });
        self.done.damage = self.ledger.damage().to_vec();
        self.done.more_damage = self.ledger.more();
        self.done
    }
}

#[cfg(test)]
mod tests;
