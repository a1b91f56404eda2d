//! Notes, and what a file is that is not ELF.
//!
//! In: bytes. Out: the build-id; advice.

use crate::bytes::{cstr_at, u32_at};

const NT_GNU_BUILD_ID: u32 = 3;

/// The usual things that are not an ELF file, and how to make one of them.
pub fn other_format(bytes: &[u8]) -> Option<&'static str> {
    (bytes.get(0x202..0x206) == Some(b"HdrS")).then_some("bzImage: extract its vmlinux first")
}

/// Walks ELF notes: name size, description size, type, then both padded to 4 bytes.
pub fn build_id(notes: &[u8]) -> Option<&[u8]> {
    let mut at = 0usize;
    loop {
        let name_size = usize::try_from(u32_at(notes, at)?).ok()?;
        let size = usize::try_from(u32_at(notes, at.checked_add(4)?)?).ok()?;
        let kind = u32_at(notes, at.checked_add(8)?)?;
        let name = at.checked_add(12)?;
        let description = name.checked_add(name_size.checked_next_multiple_of(4)?)?;
        let end = description.checked_add(size)?;
        if kind == NT_GNU_BUILD_ID && name_size == 4 && cstr_at(notes, name) == Some(b"GNU") {
            return notes.get(description..end).filter(|id| !id.is_empty());
        }
        at = end.checked_next_multiple_of(4)?;
    }
}
