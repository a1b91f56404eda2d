//! Whether the chunks of a file fit together: their numbers, the definitions, the index, the end.
//!
//! In: all chunks in the order of the file, with what is in those of definitions. Out: findings; what is in blocks of
//! events is not looked at.

use super::Decoded;
use crate::hash::Map;
use iotrace_format::definition::Definition;
use iotrace_format::trace::chunk::{ChunkKind, RawChunk};
use iotrace_format::trace::index::{IndexBuilder, TraceIndex, end};
use iotrace_format::trace::reader::Content;
use iotrace_format::trace::walk::{Damage, Ledger};

/// Most findings that are listed one by one.
const MOST: usize = 1000;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the file, in bytes.
    pub offset: usize,
    /// What.
    pub text: String,
}

/// What is wrong, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first findings.
    pub list: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
}

impl Findings {
    fn add(&mut self, offset: usize, text: String) {
        if self.list.len() < MOST {
            self.list.push(Finding { offset, text });
        } else {
            self.more += 1;
        }
    }

    fn add_damage(&mut self, ledger: &Ledger) {
        self.list.extend(ledger.damage().iter().map(|damage| {
            let Damage { offset, bytes, reason, chunks, events, .. } = damage;
            let text =
                format!("{bytes} unreadable bytes: {reason}; {chunks} chunks with {events} events lost");
            Finding { offset: *offset, text }
        }));
        self.more += ledger.more();
    }
}

/// Checks chunk after chunk.
#[derive(Debug, Default)]
pub struct StructureCheck {
    findings: Findings,
    ledger: Ledger,
    index: IndexBuilder,
    /// Offset of the index.
    indexed: Option<u64>,
    ended: bool,
}

impl StructureCheck {
    /// Bytes that belong to no chunk, or that cannot be read.
    pub fn bad(&mut self, at: usize, bytes: usize, reason: String) {
        self.ledger.bad(at, bytes, reason);
    }

    /// Something else that is wrong with the file.
    pub fn find(&mut self, at: usize, text: String) {
        self.findings.add(at, text);
    }

    /// A chunk; with what is in it, if it was decoded. Returns whether it can be read and stands where it must.
    pub fn chunk(&mut self, at: usize, chunk: &RawChunk<'_>, decoded: Option<&Decoded>) -> bool {
        let head = &chunk.head;
        if head.kind != ChunkKind::Index {
            self.index.add(at as u64, head, chunk.kinds());
        }
        if let Some(reason) = unreadable(chunk, decoded) {
            self.bad(at, head.length(), reason);
            return false;
        }
        let events = if head.kind == ChunkKind::Events { head.count } else { 0 };
        if !self.ledger.chunk(at, head, events.into()) {
            return false;
        }
        if self.ended {
            self.find(at, "chunk after the end of the trace".into());
        }
        match (head.kind, decoded) {
            (_, Some(Ok(Content::Definitions(definitions, skipped)))) => {
                self.definitions(at, chunk, definitions, skipped.0.len());
            }
            (ChunkKind::Index, _) if head.is_readable() => self.index(at, chunk),
            (_, Some(Ok(Content::End))) => self.end(at, chunk),
            _ => {}
        }
        true
    }

    fn definitions(&mut self, at: usize, chunk: &RawChunk<'_>, definitions: &[Definition], skipped: usize) {
        let (found, count) = (definitions.len() + skipped, chunk.head.count);
        if found != count as usize {
            self.find(at, format!("{found} definitions, header counts {count}"));
        }
        if chunk.head.sequence == 0 && !matches!(definitions.first(), Some(Definition::Trace(_))) {
            self.find(at, "first definition is not of type trace".into());
        }
    }

    fn index(&mut self, at: usize, chunk: &RawChunk<'_>) {
        if self.indexed.replace(at as u64).is_some() {
            return self.find(at, "more than one index".into());
        }
        let made = self.index.bytes();
        if made == chunk.payload {
            return;
        }
        let (found, made) =
            (TraceIndex::parse(at as u64, chunk.payload), TraceIndex::parse(at as u64, &made));
        let (Some(found), Some(made)) = (found, made) else {
            return self.find(at, "malformed index".into());
        };
        wrong_entries(found, made).into_iter().for_each(|text| self.find(at, text));
        if found.totals() != made.totals() || !found.kinds().eq(made.kinds()) {
            self.find(at, "totals of the index differ from those of the chunk headers".into());
        }
    }

    fn end(&mut self, at: usize, chunk: &RawChunk<'_>) {
        self.ended = true;
        let expected = self.indexed.map(|index| end(index, self.index.totals().events));
        if expected.is_none_or(|expected| expected != chunk.payload) {
            self.find(at, "end chunk has a wrong index offset or event count".into());
        }
    }

    /// The file of so many bytes is over. `missing` is what is found of one that was read as a whole.
    #[must_use]
    pub fn finish(mut self, bytes: usize, missing: Option<String>) -> Findings {
        let is_whole = self.ledger.damage().is_empty();
        self.findings.add_damage(&self.ledger);
        if !self.ended {
            self.find(bytes, "no end chunk: file truncated or trace not finished".into());
        }
        if let Some(text) = missing.filter(|_| is_whole && self.ended) {
            self.find(bytes, text);
        }
        self.findings.list.sort_by_key(|finding| finding.offset);
        self.findings
    }
}

/// Why a chunk cannot be read. Who decodes the events does not need the index, and leaves it out.
fn unreadable(chunk: &RawChunk<'_>, decoded: Option<&Decoded>) -> Option<String> {
    match decoded {
        Some(decoded) => decoded.as_ref().err().map(ToString::to_string),
        None if chunk.head.kind == ChunkKind::Index => chunk.check().err().map(|error| error.to_string()),
        None => None,
    }
}

/// Entries that are in only one of two indexes, or that differ, by their offsets.
fn wrong_entries(found: TraceIndex<'_>, made: TraceIndex<'_>) -> Vec<String> {
    let entries = |index: TraceIndex<'_>| {
        let all = index.definitions().chain(index.landmarks()).chain(index.events());
        all.map(|entry| (entry.offset, entry)).collect::<Map<_, _>>()
    };
    let (listed, there) = (entries(found), entries(made));
    let different = (listed.iter()).filter(|(offset, entry)| there.get(offset) != Some(entry));
    let different =
        different.map(|(offset, _)| (*offset, "lists, with other data or without a counterpart,"));
    let missing = there.keys().filter(|offset| !listed.contains_key(offset));
    let mut wrong: Vec<_> = different.chain(missing.map(|offset| (*offset, "does not list"))).collect();
    wrong.sort_unstable();
    wrong.into_iter().map(|(offset, text)| format!("index {text} a chunk at offset {offset}")).collect()
}
