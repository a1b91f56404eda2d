//! Whether a file is what its writer wrote: every checksum and everything that must hold.
//!
//! In: a trace, also one that is damaged. Out: what is wrong with it, and where; behind damage it goes on.

use super::Progress;
use crate::hash::Map;
use crate::model::Definitions;
use crate::reader::{Decoded, DecodedStep, Flow, Trace, decode};
use iotrace_format::definition::Definition;
use iotrace_format::event::{KindId, is_landmark};
use iotrace_format::trace::FILE_HEADER;
use iotrace_format::trace::chunk::{ChunkKind, RawChunk};
use iotrace_format::trace::columns::{Columns, EventBlock};
use iotrace_format::trace::index::{IndexBuilder, TraceIndex, end};
use iotrace_format::trace::reader::{Content, ReadError};
use iotrace_format::trace::walk::{Damage, Ledger};
use rustc_hash::{FxHashMap, FxHashSet};

/// Most findings that are told one by one.
const MOST: usize = 1000;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the file, in bytes.
    pub offset: usize,
    /// What.
    pub text: String,
}

/// What was found out about a file.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Bytes of the file.
    pub bytes: u64,
    /// Chunks that are sound.
    pub chunks: u64,
    /// Blocks of events among them.
    pub blocks: u64,
    /// Events in these.
    pub events: u64,
    /// Chunks, columns and definitions that this version does not know.
    pub unknown: u64,
    /// What is wrong, in the order of the file.
    pub findings: Vec<Finding>,
    /// Further findings.
    pub more: u64,
}

impl Verified {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, offset: usize, text: String) {
        if self.findings.len() < MOST {
            self.findings.push(Finding { offset, text });
        } else {
            self.more += 1;
        }
    }
}

/// Looks at every byte of a trace.
///
/// # Errors
/// [`ReadError::Thread`].
pub fn verify(trace: &Trace, progress: Progress<'_>) -> Result<Verified, ReadError> {
    check(trace, &|_| true, progress)
}

/// Looks at what is there beside the events: heads, definitions, the index, the end. For who decodes the events anyway.
///
/// # Errors
/// [`ReadError::Thread`].
pub fn verify_structure(trace: &Trace) -> Result<Verified, ReadError> {
    let is_structure = |chunk: &RawChunk<'_>| {
        matches!(chunk.head.kind, ChunkKind::Definitions | ChunkKind::Index | ChunkKind::End)
    };
    check(trace, &is_structure, &mut |_| {})
}

fn check(
    trace: &Trace,
    wants: &dyn Fn(&RawChunk<'_>) -> bool,
    progress: Progress<'_>,
) -> Result<Verified, ReadError> {
    let mut verifier = Verifier::default();
    verifier.told.bytes = trace.bytes().len() as u64;
    if !trace.header_is_sound() {
        verifier.ledger.bad(0, FILE_HEADER, "checksum mismatch of the file header".into());
    }
    let mut released = 0;
    decode(trace, &mut trace.walk(), wants, (Columns::ALL, usize::MAX), &mut |met, back| {
        progress(met.offset());
        trace.release_up_to(&mut released, met.offset());
        match met {
            DecodedStep::Bad(at, bytes, reason) => verifier.ledger.bad(at, bytes, reason.to_string()),
            DecodedStep::Chunk(at, chunk, decoded) => verifier.chunk(at, &chunk, decoded, back),
        }
        Flow::Continue
    })?;
    Ok(verifier.finish())
}

#[derive(Default)]
struct Verifier {
    told: Verified,
    ledger: Ledger,
    index: IndexBuilder,
    definitions: Definitions,
    /// Last clock of each vCPU.
    clocks: FxHashMap<u16, u64>,
    /// Kinds of which something was said already.
    odd: FxHashSet<KindId>,
    /// Events of landmark kinds in the blocks less those in the landmarks.
    landmarks: FxHashMap<KindId, i64>,
    /// Offset of the index.
    indexed: Option<u64>,
    ended: bool,
}

impl Verifier {
    fn chunk(
        &mut self,
        at: usize,
        chunk: &RawChunk<'_>,
        decoded: Option<Decoded>,
        back: &mut Option<Box<EventBlock>>,
    ) {
        let head = &chunk.head;
        if head.kind != ChunkKind::Index {
            self.index.add(at as u64, head, chunk.kinds());
        }
        let content = match decoded {
            Some(Ok(content)) => Some(content),
            Some(Err(error)) => return self.ledger.bad(at, head.length(), error.to_string()),
            None => None,
        };
        let is_block = head.kind == ChunkKind::Events;
        if !self.ledger.chunk(at, head, if is_block { head.count.into() } else { 0 }) {
            return;
        }
        if self.ended {
            self.told.find(at, "chunk after the end of the trace".into());
        }
        self.told.chunks += 1;
        let Some(content) = content else { return };
        match content {
            Content::Definitions(definitions, skipped) => {
                self.told.unknown += skipped.0.len() as u64;
                self.definitions(
                    at,
                    head.sequence,
                    &definitions,
                    definitions.len() + skipped.0.len(),
                    head.count,
                );
            }
            Content::Events(block) => {
                self.told.unknown += u64::from(block.unknown_columns());
                self.block(at, chunk, &block);
                *back = Some(block);
            }
            Content::Index => self.index(at, chunk),
            Content::End => self.end(at, chunk),
            Content::Unknown => self.told.unknown += 1,
        }
    }

    fn definitions(
        &mut self,
        at: usize,
        sequence: u64,
        definitions: &[Definition],
        found: usize,
        count: u32,
    ) {
        if found != count as usize {
            self.told.find(at, format!("{found} definitions, header counts {count}"));
        }
        if sequence == 0 && !matches!(definitions.first(), Some(Definition::Trace(_))) {
            self.told.find(at, "first definition is not of type trace".into());
        }
        definitions.iter().for_each(|definition| self.definitions.add(definition));
    }

    fn block(&mut self, at: usize, chunk: &RawChunk<'_>, block: &EventBlock) {
        let head = &chunk.head;
        for of_kind in block.of_kind() {
            let (kind, words) = (of_kind.kind, of_kind.words);
            if is_landmark(kind) || self.definitions.probes.get(&kind).is_some_and(|p| p.is_landmark()) {
                let count = i64::from(of_kind.count);
                let sign = if head.kind == ChunkKind::Landmarks { -count } else { count };
                *self.landmarks.entry(kind).or_default() += sign;
            }
            let defined = match self.definitions.kinds.get(&kind) {
                Some((_, names)) => Some(names.len()),
                None => self.definitions.probes.get(&kind).map(|probe| probe.words.len()),
            };
            if defined != Some(words.into()) && self.odd.insert(kind) {
                let text = match defined {
                    None => format!("events of type {kind} without a preceding definition"),
                    Some(names) => {
                        format!("events of type {kind} have {words} fields, their definition {names}")
                    }
                };
                self.told.find(at, text);
            }
        }
        if head.kind == ChunkKind::Landmarks {
            return;
        }
        self.told.blocks += 1;
        self.told.events += block.len() as u64;
        let before = self.clocks.insert(head.vcpu, head.last_clock);
        if let Some(before) = before.filter(|before| *before > head.first_clock) {
            let (vcpu, first) = (head.vcpu, head.first_clock);
            self.told.find(
                at,
                format!(
                    "events of vCPU {vcpu} begin at clock {first}, before the end of the previous ones \
                         at {before}"
                ),
            );
        }
    }

    fn index(&mut self, at: usize, chunk: &RawChunk<'_>) {
        if self.indexed.replace(at as u64).is_some() {
            return self.told.find(at, "more than one index".into());
        }
        let made = self.index.bytes();
        let (found, made) =
            (TraceIndex::parse(at as u64, chunk.payload), TraceIndex::parse(at as u64, &made));
        let (Some(found), Some(made)) = (found, made) else {
            return self.told.find(at, "malformed index".into());
        };
        let missing = |text: &str, offset: u64| format!("index {text} a chunk at offset {offset}");
        let entries = |index: TraceIndex<'_>| {
            let all = index.definitions().chain(index.landmarks()).chain(index.events());
            all.map(|entry| (entry.offset, entry)).collect::<Map<_, _>>()
        };
        let (listed, there) = (entries(found), entries(made));
        let mut wrong: Vec<_> = (listed.iter())
            .filter(|(offset, entry)| there.get(offset) != Some(entry))
            .map(|(offset, _)| {
                (*offset, missing("lists, with other data or without a counterpart,", *offset))
            })
            .chain(
                there.keys().filter(|o| !listed.contains_key(o)).map(|o| (*o, missing("does not list", *o))),
            )
            .collect();
        wrong.sort();
        wrong.into_iter().for_each(|(_, text)| self.told.find(at, text));
        if found.totals() != made.totals() || !found.kinds().eq(made.kinds()) {
            self.told.find(at, "totals of the index differ from those of the chunk headers".into());
        }
    }

    fn end(&mut self, at: usize, chunk: &RawChunk<'_>) {
        self.ended = true;
        let expected = self.indexed.map(|index| end(index, self.index.totals().events));
        if expected.is_none_or(|expected| expected != chunk.payload) {
            self.told.find(at, "end chunk has a wrong index offset or event count".into());
        }
    }

    fn finish(mut self) -> Verified {
        let Damaged { findings, more } = Damaged::of(&self.ledger);
        let whole = findings.is_empty();
        self.told.findings.extend(findings);
        self.told.more += more;
        if !self.ended {
            let text = "no end chunk: file truncated or trace not finished";
            self.told.find(self.told.bytes as usize, text.into());
        }
        let mut odd: Vec<_> = self.landmarks.iter().filter(|(_, count)| **count != 0).collect();
        odd.sort();
        if let (true, true, Some((kind, count))) = (whole, self.ended, odd.first()) {
            let text = format!("{count} events of type {kind} are missing from the context records");
            self.told.find(self.told.bytes as usize, text);
        }
        self.told.findings.sort_by_key(|finding| finding.offset);
        self.told
    }
}

/// The damage of a ledger as findings.
struct Damaged {
    findings: Vec<Finding>,
    more: u64,
}

impl Damaged {
    fn of(ledger: &Ledger) -> Self {
        let findings = ledger.damage().iter().map(|damage| {
            let Damage { offset, bytes, reason, chunks, events, .. } = damage;
            let text =
                format!("{bytes} unreadable bytes: {reason}; {chunks} chunks with {events} events lost");
            Finding { offset: *offset, text }
        });
        Self { findings: findings.collect(), more: ledger.more() }
    }
}
