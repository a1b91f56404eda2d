//! Compressed files: modules as distributions install them (`.ko.xz`, `.ko.zst`, `.ko.gz`).
//!
//! In: the bytes of a file. Out: those of the file that was compressed, in memory; at most [`LARGEST`] of them, and
//! decoders may keep [`MOST_KEPT_KIB`]. What a file is compressed with is seen by its first bytes, not by its name.

use std::io::{self, Read};
use std::path::Path;

use crate::{Bytes, KernelError};

/// Bytes that a file may be decompressed to: more than a vmlinux with debug information has.
const LARGEST: u64 = 1 << 30;
/// KiB that a decoder of xz may keep: the dictionary of `xz -9` is 64 MiB (xz(1)).
const MOST_KEPT_KIB: u32 = 128 << 10;
/// The same of zstd, as a power of two: what `zstd -d` allows (zstd(1), `--memory`).
const LOG_OF_MOST_KEPT: u32 = 27;

/// The file, decompressed if it is compressed.
///
/// # Errors
/// [`KernelError::Decompress`] if it is damaged, truncated or too large.
pub fn decompressed(path: &Path, bytes: Bytes) -> Result<Bytes, KernelError> {
    decompressed_up_to(LARGEST, &bytes)
        .map(|whole| whole.map_or(bytes, Bytes::from))
        .map_err(|source| KernelError::Decompress { path: path.to_path_buf(), source })
}

fn decompressed_up_to(most: u64, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut reader: Box<dyn Read + '_> = if bytes.starts_with(b"\xfd7zXZ\0") {
        Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, MOST_KEPT_KIB))
    } else if bytes.starts_with(b"\x28\xb5\x2f\xfd") {
        let mut decoder = zstd::Decoder::with_buffer(bytes)?;
        decoder.window_log_max(LOG_OF_MOST_KEPT)?;
        Box::new(decoder)
    } else if bytes.starts_with(b"\x1f\x8b") {
        Box::new(flate2::read::MultiGzDecoder::new(bytes))
    } else {
        return Ok(None);
    };
    let mut whole = Vec::new();
    let read = reader.by_ref().take(most + 1).read_to_end(&mut whole)?;
    if read as u64 > most {
        return Err(io::Error::other(format!("larger than {most} bytes")));
    }
    Ok(Some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// By the programs that distributions use.
    fn compressed(program: &str, options: &[&str], bytes: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("writable");
        let input = folder.path().join("input");
        std::fs::write(&input, bytes).expect("writable");
        let mut command = Command::new(program);
        let command = command.args(options).arg("-c").arg(&input).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {output:?}");
        output.stdout
    }

    /// As the kernel's scripts/Makefile.modinst compresses modules.
    fn all(bytes: &[u8]) -> [Vec<u8>; 3] {
        [
            compressed("xz", &["--check=crc32", "--lzma2=dict=1MiB"], bytes),
            compressed("zstd", &["-q"], bytes),
            compressed("gzip", &["-n"], bytes),
        ]
    }

    #[test]
    fn each_format_is_decompressed_to_what_was_compressed() {
        let bytes: Vec<u8> = (0..100_000u32).flat_map(|n| (n % 1000).to_le_bytes()).collect();
        for packed in all(&bytes) {
            assert!(packed.len() < bytes.len());
            assert_eq!(decompressed_up_to(LARGEST, &packed).expect("sound"), Some(bytes.clone()));
        }
        assert_eq!(decompressed_up_to(LARGEST, &bytes).expect("not compressed"), None);
    }

    #[test]
    fn a_truncated_file_is_an_error_and_so_is_one_that_is_too_large() {
        let bytes = vec![7; 100_000];
        for packed in all(&bytes) {
            assert!(decompressed_up_to(LARGEST, &packed[..packed.len() - 5]).is_err());
            let error = decompressed_up_to(99_999, &packed).expect_err("too large");
            assert_eq!(error.to_string(), "larger than 99999 bytes");
            assert!(decompressed_up_to(100_000, &packed).is_ok());
        }
    }

    /// A file that asks for a dictionary of 1.5 GiB.
    #[test]
    fn a_decoder_has_a_limit_of_memory() {
        let packed = compressed("xz", &["--lzma2=preset=0,dict=1536MiB", "-M0"], &[7; 100]);
        assert!(decompressed_up_to(LARGEST, &packed).is_err());
    }
}
