//! One ELF file: its sections, what of it is loaded where, its notes.
//!
//! In: a path. Out: [`Image`], whose parts are cut from one shared mapping. Only the headers
//! are read on opening; everything else when asked for.

mod parts;

use std::path::{Path, PathBuf};

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ET_REL, Header};
use goblin::elf::program_header::{PT_LOAD, PT_NOTE};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHT_NOTE, SHT_SYMTAB};
use goblin::elf::{Elf, ProgramHeader, SectionHeader};
use iotrace_arch::Arch;

use crate::bytes::str_at;
use crate::{Bytes, KernelError, compressed};
use parts::{build_id, other_format};

/// Most loaded segments, and sections and segments of notes: a kernel has some ten. Each is searched.
const PARTS: usize = 64;

/// SHF_COMPRESSED of the gABI.
const COMPRESSED: u64 = 1 << 11;

/// A section of an ELF file.
#[derive(Debug, Clone)]
pub struct ElfSection {
    /// Its name, `.text`.
    pub name: String,
    /// Its virtual address; 0 in a relocatable file.
    pub address: u64,
    /// Its size in memory, in bytes.
    pub size: u64,
    /// Is it part of the running image?
    pub allocated: bool,
    /// Does it hold instructions?
    pub executable: bool,
    pub(crate) compressed: bool,
    pub(crate) kind: u32,
    pub(crate) link: u32,
    pub(crate) info: u32,
    /// Its bytes in the file; empty for `.bss` and the like.
    pub(crate) bytes: Bytes,
}

/// A part of the file that is loaded at `address`.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub address: u64,
    pub bytes: Bytes,
}

/// An ELF file: `vmlinux`, a `.ko`, or the debug file of one.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    arch: &'static Arch,
    sections: Vec<ElfSection>,
    loaded: Vec<Loaded>,
    notes: Vec<Bytes>,
    relocatable: bool,
}

impl Image {
    /// Maps `path` and reads its headers.
    ///
    /// # Errors
    /// [`KernelError::Io`], [`KernelError::NotElf`] (also for a bzImage), [`KernelError::Decompress`],
    /// [`KernelError::Truncated`] if a section lies outside the file.
    pub fn open(path: &Path) -> Result<Self, KernelError> {
        Self::parse(path, compressed::decompressed(path, Bytes::map(path)?)?)
    }

    /// The same, from bytes that are in memory already; `path` serves for messages.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn parse(path: &Path, bytes: Bytes) -> Result<Self, KernelError> {
        let not_elf = |reason: String| KernelError::NotElf { path: path.to_path_buf(), reason };
        if let Some(reason) = other_format(&bytes) {
            return Err(not_elf(reason.to_string()));
        }
        let header = Elf::parse_header(&bytes).map_err(|e| not_elf(e.to_string()))?;
        if header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB {
            return Err(not_elf("only 64-bit little-endian images are supported".to_string()));
        }
        let arch = Arch::of_machine(header.e_machine).ok_or_else(|| {
            let known = Arch::known_names();
            not_elf(format!("unsupported machine {}; supported are {known}", header.e_machine))
        })?;
        let cut = |what: &str, offset, wanted| {
            bytes.cut(offset, wanted).ok_or_else(|| KernelError::Truncated {
                path: path.to_path_buf(),
                what: what.to_string(),
                offset,
                wanted,
                size: bytes.len() as u64,
            })
        };
        let sections = sections(&bytes, &header, &not_elf, &cut)?;
        let programs = programs(&bytes, &header).map_err(|e| not_elf(e.to_string()))?;
        let mut loaded = Vec::new();
        let mut notes = Vec::new();
        for p in &programs {
            match p.p_type {
                PT_LOAD => {
                    let bytes = cut("a loaded segment", p.p_offset, p.p_filesz)?;
                    loaded.push(Loaded { address: p.p_vaddr, bytes });
                }
                PT_NOTE => notes.push(cut("the notes", p.p_offset, p.p_filesz)?),
                _ => {}
            }
        }
        notes.extend(sections.iter().filter(|s| s.kind == SHT_NOTE).map(|s| s.bytes.clone()));
        for (what, found) in [("loaded segments", loaded.len()), ("notes", notes.len())] {
            if found > PARTS {
                return Err(KernelError::TooMany { path: path.to_path_buf(), what, found, most: PARTS });
            }
        }
        let relocatable = header.e_type == ET_REL;
        Ok(Self { path: path.to_path_buf(), arch, sections, loaded, notes, relocatable })
    }

    /// The file it came from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The architecture whose instructions are in it.
    #[must_use]
    pub fn arch(&self) -> &'static Arch {
        self.arch
    }

    /// All sections, in the order of the file; the index is ELF's section number.
    #[must_use]
    pub fn sections(&self) -> &[ElfSection] {
        &self.sections
    }

    /// Is this a `.o` or `.ko`, whose sections have no addresses yet?
    #[must_use]
    pub fn is_relocatable(&self) -> bool {
        self.relocatable
    }

    /// The first section of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&ElfSection> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The bytes of a section; `None` if it is not in the file, or compressed there.
    #[must_use]
    pub fn section_data(&self, name: &str) -> Option<&[u8]> {
        self.section_bytes(name).map(|bytes| &**bytes)
    }

    /// The same, to keep.
    pub(crate) fn section_bytes(&self, name: &str) -> Option<&Bytes> {
        let found = self.sections.iter().filter(|s| s.name == name && !s.compressed);
        found.map(|s| &s.bytes).find(|b| !b.is_empty())
    }

    /// The parts that are loaded at a virtual address, from the program headers.
    pub(crate) fn loaded(&self) -> &[Loaded] {
        &self.loaded
    }

    /// The bytes from `address` to the end of the segment that holds it.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<&[u8]> {
        self.loaded.iter().find_map(|part| {
            let offset = usize::try_from(address.checked_sub(part.address)?).ok()?;
            part.bytes.get(offset..).filter(|tail| !tail.is_empty())
        })
    }

    /// The linker's build-id (NT_GNU_BUILD_ID), usually 20 bytes.
    #[must_use]
    pub fn build_id(&self) -> Option<&[u8]> {
        self.notes.iter().find_map(|notes| build_id(notes))
    }

    /// `.symtab` and its string table.
    pub(crate) fn symtab(&self) -> Option<(&Bytes, &Bytes)> {
        let table = self.sections.iter().find(|s| s.kind == SHT_SYMTAB)?;
        let strings = self.sections.get(usize::try_from(table.link).ok()?)?;
        (!table.bytes.is_empty()).then_some((&table.bytes, &strings.bytes))
    }
}

fn context() -> Ctx {
    Ctx::new(Container::Big, Endian::Little)
}

fn programs(bytes: &[u8], header: &Header) -> goblin::error::Result<Vec<ProgramHeader>> {
    let offset = usize::try_from(header.e_phoff).unwrap_or(usize::MAX);
    match header.e_phnum {
        0 => Ok(Vec::new()),
        count => ProgramHeader::parse(bytes, offset, usize::from(count), context()),
    }
}

fn sections(
    bytes: &Bytes,
    header: &Header,
    not_elf: &impl Fn(String) -> KernelError,
    cut: &impl Fn(&str, u64, u64) -> Result<Bytes, KernelError>,
) -> Result<Vec<ElfSection>, KernelError> {
    let offset = usize::try_from(header.e_shoff).unwrap_or(usize::MAX);
    if offset > bytes.len() {
        cut("the section headers", header.e_shoff, 64)?;
    }
    let headers = SectionHeader::parse(bytes, offset, usize::from(header.e_shnum), context())
        .map_err(|e| not_elf(format!("section headers: {e}")))?;
    let names = match headers.get(usize::from(header.e_shstrndx)) {
        Some(h) => cut("the section names", h.sh_offset, h.sh_size)?,
        None => Bytes::from(Vec::new()),
    };
    headers.iter().map(|h| section(h, &names, cut)).collect()
}

fn section(
    h: &SectionHeader,
    names: &[u8],
    cut: &impl Fn(&str, u64, u64) -> Result<Bytes, KernelError>,
) -> Result<ElfSection, KernelError> {
    let name = str_at(names, h.sh_name).unwrap_or_default().to_string();
    // The null section's size may be the number of sections.
    let in_file = h.sh_type != SHT_NOBITS && h.sh_type != 0;
    let bytes = cut(&name, h.sh_offset, if in_file { h.sh_size } else { 0 })
        .or_else(|e| if in_file { Err(e) } else { Ok(Bytes::from(Vec::new())) })?;
    Ok(ElfSection {
        name,
        address: h.sh_addr,
        size: h.sh_size,
        allocated: h.sh_flags & u64::from(SHF_ALLOC) != 0,
        executable: h.sh_flags & u64::from(SHF_EXECINSTR) != 0,
        compressed: h.sh_flags & COMPRESSED != 0,
        kind: h.sh_type,
        link: h.sh_link,
        info: h.sh_info,
        bytes,
    })
}

#[cfg(test)]
mod tests;
