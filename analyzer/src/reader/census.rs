//! How a file is made up, from the heads of its chunks alone.

use iotrace_schemas::trace::FILE_HEADER;
use iotrace_schemas::trace::chunk::{ChunkHead, ChunkKind, HEAD};
use iotrace_schemas::trace::reader::TraceFile;

/// Sizes and counts of a file. Bytes unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Length of the file.
    pub file: u64,
    /// Chunks of definitions.
    pub definition_chunks: u64,
    /// Chunks of events.
    pub event_chunks: u64,
    /// Events.
    pub events: u64,
    /// Event blocks as stored, with their heads.
    pub stored: u64,
    /// Event blocks unpacked.
    pub unpacked: u64,
    /// Clock of the first event, in instructions.
    pub first_clock: Option<u64>,
    /// Clock of the last event, in instructions.
    pub last_clock: u64,
}

/// Goes through the heads; stops where the file was cut.
#[must_use]
pub fn census(file: &TraceFile) -> Census {
    let bytes = file.bytes();
    let mut census = Census { file: bytes.len() as u64, ..Census::default() };
    let mut offset = FILE_HEADER;
    while let Some(Ok((head, payload))) = bytes.get(offset..).map(ChunkHead::open) {
        offset += HEAD + payload.len();
        match head.kind {
            ChunkKind::Definitions => census.definition_chunks += 1,
            ChunkKind::Events => {
                census.event_chunks += 1;
                census.events += u64::from(head.count);
                census.stored += (HEAD + payload.len()) as u64;
                census.unpacked += u64::from(head.unpacked);
                census.first_clock =
                    Some(census.first_clock.map_or(head.first_clock, |c| c.min(head.first_clock)));
                census.last_clock = census.last_clock.max(head.last_clock);
            }
            ChunkKind::End | ChunkKind::Unknown(_) => {}
        }
    }
    census
}
