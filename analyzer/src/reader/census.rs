//! How a file is made up: from its index, or from the heads of its chunks if it has none.

use iotrace_format::event::KindId;
use iotrace_format::trace::chunk::ChunkKind;
use iotrace_format::trace::index::{IndexBuilder, TraceTotals};
use iotrace_format::trace::reader::TraceFile;
use iotrace_format::trace::walk::WalkStep;

/// Sizes and counts of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Length of the file in bytes.
    pub file: u64,
    /// Sizes and counts of its chunks.
    pub totals: TraceTotals,
    /// Events of each kind that occurs, by kind.
    pub kinds: Vec<(KindId, u64)>,
}

/// Looks up the totals, or goes through the heads.
#[must_use]
pub fn census(file: &TraceFile) -> Census {
    let length = file.bytes().len() as u64;
    if let Some(index) = file.index() {
        return Census { file: length, totals: index.totals(), kinds: index.kinds().collect() };
    }
    let mut index = IndexBuilder::default();
    for step in file.walk() {
        if let WalkStep::Chunk(at, chunk) = step {
            index.add(at as u64, &chunk.head, chunk.kinds());
            if chunk.head.kind == ChunkKind::End {
                break;
            }
        }
    }
    Census { file: length, totals: index.totals(), kinds: index.kinds() }
}
