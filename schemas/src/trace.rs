//! The trace file: a short header, then chunks. `FORMAT.md` gives the byte tables and the reasons.
//!
//! - [`chunk`]: the frame around every piece of the file, with its checksum.
//! - [`columns`]: a block of events to bytes and back.
//! - [`writer`]: appends chunks to a file.
//! - [`reader`]: goes through the chunks of a mapped file, up to its end or to where it was cut.

pub mod chunk;
pub mod columns;
pub mod reader;
pub mod writer;

/// First eight bytes of a trace: a non-text byte, the name, line ends that a text transfer would break.
pub const MAGIC: [u8; 8] = *b"\x89iotr\r\n\x1a";
/// Version of the layout. A reader refuses another one.
pub const VERSION: u32 = 2;
/// Bytes of the file header: magic, version, reserved.
pub const FILE_HEADER: usize = 16;
