//! Values in files of which only this version has to know: caches of what can be made again.
//!
//! In: a value. Out: eight bytes of magic with the version, the xxh3 of what follows, then the value in bincode's
//! fixed-int layout, compressed with zstd; and back. What is damaged or of another version is refused. A file is
//! decompressed to 256 MiB and to a thousand times its length at most; the value takes 128 times what was decompressed, or
//! 64 KiB, at most.

use bincode::{Decode, Encode};
use iotrace_format::new_file::NewFile;
use std::io::{self, Write};
use std::path::Path;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// With what a file of this kind and version begins.
pub type Magic = [u8; 8];

/// Why the bytes of a file are not what was written to it.
#[derive(Debug, Error)]
pub enum SealedError {
    /// Not even a head.
    #[error("too short: {bytes} bytes, the header has {}", HEAD)]
    Short {
        /// Bytes that there are.
        bytes: usize,
    },
    /// Another kind of file, or another version.
    #[error("wrong magic {found:02x?}")]
    Magic {
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// Damaged.
    #[error("checksum mismatch")]
    Checksum,
    /// Not compressed as it was written, or too large.
    #[error("{0}")]
    Decompress(#[source] io::Error),
    /// No value of this type.
    #[error("{0}")]
    Decode(#[from] bincode::error::DecodeError),
}

const HEAD: usize = 16;
/// Largest value that is decompressed, in bytes; profiles of Debian's kernels take 6 MiB.
const LIMIT: usize = 256 << 20;
const LEVEL: i32 = 3;
/// Bytes of memory that a value takes for each byte of its encoding, at most: of a profile's functions it is 5, of lists of
/// empty texts 3.
const GROWTH: usize = 8;

/// Writes a value to a file, whole or not at all.
///
/// # Errors
/// Those of the file system, and of the encoding.
pub fn write(path: &Path, magic: Magic, value: &impl Encode) -> io::Result<()> {
    let bytes = seal(magic, &plain(value)?)?;
    let mut file = NewFile::create(path)?;
    file.write_all(&bytes)?;
    file.keep()
}

/// The bytes of a file from a value that is encoded.
///
/// # Errors
/// Those of the compression.
pub fn seal(magic: Magic, plain: &[u8]) -> io::Result<Vec<u8>> {
    let compressed = zstd::bulk::compress(plain, LEVEL)?;
    let mut bytes = magic.to_vec();
    bytes.extend(xxh3_64(&compressed).to_le_bytes());
    bytes.extend(compressed);
    Ok(bytes)
}

/// A checksum of a value.
///
/// # Errors
/// Those of the encoding.
pub fn checksum(value: &impl Encode) -> io::Result<u64> {
    plain(value).map(|plain| xxh3_64(&plain))
}

/// Reads a value from the bytes of its file.
///
/// # Errors
/// [`SealedError`]: what is wrong with them.
pub fn decode<T: Decode<()>>(bytes: &[u8], magic: Magic) -> Result<T, SealedError> {
    let (head, compressed) = bytes.split_at_checked(HEAD).ok_or(SealedError::Short { bytes: bytes.len() })?;
    if head[..8] != magic {
        return Err(SealedError::Magic { found: head[..8].to_owned() });
    }
    if head[8..] != xxh3_64(compressed).to_le_bytes() {
        return Err(SealedError::Checksum);
    }
    let plain = zstd::bulk::decompress(compressed, LIMIT.min(compressed.len().saturating_mul(1000)))
        .map_err(SealedError::Decompress)?;
    match plain.len().saturating_mul(GROWTH) {
        ..=0x1_0000 => decode_within::<T, 0x1_0000>(&plain),
        0x1_0001..=0x10_0000 => decode_within::<T, 0x10_0000>(&plain),
        0x10_0001..=0x100_0000 => decode_within::<T, 0x100_0000>(&plain),
        _ => decode_within::<T, LIMIT>(&plain),
    }
}

/// A value that takes so much memory at most: what a length claims is allocated before it is read.
fn decode_within<T: Decode<()>, const MEMORY: usize>(plain: &[u8]) -> Result<T, SealedError> {
    let layout = bincode::config::standard().with_fixed_int_encoding().with_limit::<MEMORY>();
    Ok(bincode::decode_from_slice(plain, layout)?.0)
}

/// A value as it is encoded.
///
/// # Errors
/// Those of the encoding.
pub fn plain(value: &impl Encode) -> io::Result<Vec<u8>> {
    let layout = bincode::config::standard().with_fixed_int_encoding();
    bincode::encode_to_vec(value, layout).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: Magic = *b"iotrtest";

    #[test]
    fn a_length_that_is_not_there_is_not_allocated() {
        for length in [70_000_u64, 1 << 27] {
            let sealed = seal(MAGIC, &length.to_le_bytes()).unwrap();
            let error = decode::<String>(&sealed, MAGIC).unwrap_err();
            assert!(
                matches!(error, SealedError::Decode(bincode::error::DecodeError::LimitExceeded)),
                "{error}"
            );
        }
    }

    #[test]
    fn values_of_any_size_come_back() {
        for count in [0, 1, 100, 10_000, 1 << 18] {
            // Some bytes of each: more than a thousandth of what is decompressed.
            let text =
                |number: u32| if number.is_multiple_of(8) { number.to_string() } else { String::new() };
            let value: Vec<_> = (0..count).map(text).collect();
            let sealed = seal(MAGIC, &plain(&value).unwrap()).unwrap();
            assert_eq!(decode::<Vec<String>>(&sealed, MAGIC).unwrap(), value);
        }
    }
}
