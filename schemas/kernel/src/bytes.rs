//! A shared, read-only stretch of a file (or of memory), with bounded little-endian reads.
//!
//! In: a file to map, or bytes. Out: slices and integers, or `None` where there are too few
//! bytes. Cloning and cutting cost a reference count, so every back-end can own its part.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::KernelError;

enum Backing {
    Map(Mmap),
    Memory(Vec<u8>),
}

/// A part of a mapped file; dereferences to its bytes.
#[derive(Clone)]
pub struct Bytes {
    backing: Arc<Backing>,
    range: Range<usize>,
}

impl Bytes {
    /// Maps a whole file.
    ///
    /// # Errors
    /// [`KernelError::Io`] if it cannot be opened or mapped.
    pub fn map(path: &Path) -> Result<Self, KernelError> {
        let io = |source| KernelError::Io { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(std::io::Error::other("is a directory: specify the vmlinux in it")));
        }
        // SAFETY: the mapping is private and never written. A kernel image that someone
        // truncates while it is mapped would raise SIGBUS; images are build products in a
        // cache that is written by rename, never in place.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Ok(Self::new(Backing::Map(map)))
    }

    fn new(backing: Backing) -> Self {
        let backing = Arc::new(backing);
        let len = match &*backing {
            Backing::Map(map) => map.len(),
            Backing::Memory(vec) => vec.len(),
        };
        Self { backing, range: 0..len }
    }

    /// The `len` bytes from `offset` of this part, or `None` if it ends before.
    #[must_use]
    pub fn cut(&self, offset: u64, len: u64) -> Option<Self> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        if end > self.range.len() {
            return None;
        }
        let base = self.range.start;
        Some(Self { backing: Arc::clone(&self.backing), range: base + start..base + end })
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(Backing::Memory(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all: &[u8] = match &*self.backing {
            Backing::Map(map) => map,
            Backing::Memory(vec) => vec,
        };
        all.get(self.range.clone()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({:#x}..{:#x})", self.range.start, self.range.end)
    }
}

/// `N` bytes at `offset`.
fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    let end = offset.checked_add(N)?;
    bytes.get(offset..end)?.try_into().ok()
}

/// A little-endian u16 at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

/// A little-endian u32 at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

/// A little-endian u64 at `offset`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// Longest name with its NUL, in bytes: `KSYM_NAME_LEN` of include/linux/kallsyms.h, which BTF has too
/// (`btf_name_valid_identifier`, kernel/bpf/btf.c). In a small file, a great many may refer to one long name.
pub(crate) const NAME: usize = 512;
/// Longest text with its NUL, in bytes: that of a page, which `/proc/version` prints the banner into.
const TEXT: usize = 4096;

/// The bytes from `offset` up to, not including, the next NUL; `None` if they are more than a name has.
pub(crate) fn cstr_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    until_nul(bytes, offset, NAME)
}

fn until_nul(bytes: &[u8], offset: usize, most: usize) -> Option<&[u8]> {
    let tail = bytes.get(offset..)?;
    let tail = tail.get(..most).unwrap_or(tail);
    tail.get(..memchr::memchr(0, tail)?)
}

/// The text at `offset`, which may be longer than a name.
pub(crate) fn text_at(bytes: &[u8], offset: usize) -> Option<&str> {
    std::str::from_utf8(until_nul(bytes, offset, TEXT)?).ok()
}

/// A name as text, or `None` if it is not UTF-8.
pub(crate) fn str_at(bytes: &[u8], offset: usize) -> Option<&str> {
    std::str::from_utf8(cstr_at(bytes, offset)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let bytes = Bytes::from(vec![1, 2, 3, 4, 5, 6, 7, 8, 0]);
        assert_eq!(u64_at(&bytes, 0), Some(0x0807_0605_0403_0201));
        assert_eq!(u64_at(&bytes, 2), None);
        assert_eq!(u32_at(&bytes, usize::MAX), None);
        assert_eq!(cstr_at(&bytes, 6), Some(&[7, 8][..]));
        assert_eq!(cstr_at(&bytes[..8], 6), None);
    }

    #[test]
    fn a_name_that_no_kernel_has_is_none() {
        let long = |length| [&vec![b'x'; length][..], &[0]].concat();
        assert_eq!(cstr_at(&long(NAME - 1), 0).map(<[u8]>::len), Some(NAME - 1));
        assert_eq!(cstr_at(&long(NAME), 0), None);
        assert_eq!((text_at(&long(NAME), 0).map(str::len), text_at(&long(TEXT), 0)), (Some(NAME), None));
    }

    #[test]
    fn cuts_nest_and_are_bounded() {
        let bytes = Bytes::from((0..10).collect::<Vec<u8>>());
        let part = bytes.cut(2, 6).and_then(|b| b.cut(1, 3)).expect("inside");
        assert_eq!(&*part, &[3, 4, 5]);
        assert!(part.cut(1, 3).is_none());
        assert!(part.cut(u64::MAX, 2).is_none());
    }
}
