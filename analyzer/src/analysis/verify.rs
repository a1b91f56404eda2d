//! Whether a file is what its writer wrote: every checksum and everything that must hold.
//!
//! In: a trace, also one that is damaged. Out: what is wrong with it, and where; behind damage it goes on.

use super::Progress;
use crate::model::Definitions;
pub use crate::reader::Finding;
use crate::reader::{Decoded, DecodedStep, Findings, Flow, HEADER, StructureCheck, Trace, decode};
use iotrace_format::event::{KindId, is_landmark};
use iotrace_format::trace::FILE_HEADER;
use iotrace_format::trace::chunk::{ChunkKind, RawChunk};
use iotrace_format::trace::columns::{Columns, EventBlock};
use iotrace_format::trace::reader::{Content, ReadError};
use rustc_hash::{FxHashMap, FxHashSet};

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
}

/// Looks at every byte of a trace.
///
/// # Errors
/// [`ReadError::Thread`].
pub fn verify(trace: &Trace, progress: Progress<'_>) -> Result<Verified, ReadError> {
    let mut verifier = Verifier::default();
    if !trace.header_is_sound() {
        verifier.structure.bad(0, FILE_HEADER, HEADER.into());
    }
    let mut released = 0;
    decode(trace, &mut trace.walk(), &|_| true, (Columns::ALL, usize::MAX), &mut |met, back| {
        progress(met.offset());
        trace.release_up_to(&mut released, met.offset());
        match met {
            DecodedStep::Bad(at, bytes, reason) => verifier.structure.bad(at, bytes, reason.to_string()),
            DecodedStep::Chunk(at, chunk, decoded) => verifier.chunk(at, &chunk, decoded, back),
        }
        Flow::Continue
    })?;
    Ok(verifier.finish(trace.bytes().len()))
}

#[derive(Default)]
struct Verifier {
    told: Verified,
    structure: StructureCheck,
    definitions: Definitions,
    /// Last clock of each vCPU.
    clocks: FxHashMap<u16, u64>,
    /// Kinds of which something was said already.
    odd: FxHashSet<KindId>,
    /// Events of landmark kinds in the blocks less those in the landmarks.
    landmarks: FxHashMap<KindId, i64>,
}

impl Verifier {
    fn chunk(
        &mut self,
        at: usize,
        chunk: &RawChunk<'_>,
        decoded: Option<Decoded>,
        back: &mut Option<Box<EventBlock>>,
    ) {
        if !self.structure.chunk(at, chunk, decoded.as_ref()) {
            return;
        }
        self.told.chunks += 1;
        match decoded {
            Some(Ok(Content::Definitions(definitions, skipped))) => {
                self.told.unknown += skipped.0.len() as u64;
                definitions.iter().for_each(|definition| self.definitions.add(definition));
            }
            Some(Ok(Content::Events(block))) => {
                self.told.unknown += u64::from(block.unknown_columns());
                self.block(at, chunk, &block);
                *back = Some(block);
            }
            Some(Ok(Content::Unknown)) => self.told.unknown += 1,
            _ => {}
        }
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
                self.structure.find(at, text);
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
            self.structure.find(
                at,
                format!(
                    "events of vCPU {vcpu} begin at clock {first}, before the end of the previous ones \
                         at {before}"
                ),
            );
        }
    }

    fn finish(mut self, bytes: usize) -> Verified {
        let mut odd: Vec<_> = self.landmarks.iter().filter(|(_, count)| **count != 0).collect();
        odd.sort();
        let missing = odd.first().map(|(kind, count)| {
            format!("{count} events of type {kind} are missing from the context records")
        });
        let Findings { list, more } = self.structure.finish(bytes, missing);
        (self.told.bytes, self.told.findings, self.told.more) = (bytes as u64, list, more);
        self.told
    }
}
