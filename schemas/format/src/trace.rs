//! The trace file: a short header, then chunks. `FORMAT.md` gives the byte tables and the reasons.
//!
//! - [`chunk`]: the frame around every piece of the file, with its checksums.
//! - [`columns`]: a block of events to bytes and back.
//! - [`index`]: what stands where, at the file's end.
//! - [`writer`]: appends chunks to a file.
//! - [`reader`]: a mapped file, and what is in its chunks.
//! - [`walk`]: from chunk to chunk, over what is damaged.

pub mod chunk;
pub mod columns;
pub mod index;
pub mod reader;
mod varint;
pub mod walk;
pub mod writer;

use xxhash_rust::xxh3::xxh3_64;

/// First eight bytes of a trace: a non-text byte, the name, line ends that a text transfer would break.
pub const MAGIC: [u8; 8] = *b"\x89iotr\r\n\x1a";
/// Version of the layout, of a trace whose events are numbered from 1 without a gap: the whole of a recording.
pub const WHOLE: u32 = 3;
/// Version of a trace that has numbers of its own: a part of another one. Who reads only [`WHOLE`] would number its
/// events and objects wrongly.
pub const PART: u32 = 4;
/// Bytes of the file header: magic, version, checksum of both.
pub const FILE_HEADER: usize = 16;

/// The file header of a version.
#[must_use]
pub fn file_header(version: u32) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&version.to_le_bytes());
    let checksum = xxh3_64(&header[..12]) as u32;
    header[12..].copy_from_slice(&checksum.to_le_bytes());
    header
}
