//! The DWARF sections of an image, ready to be read.
//!
//! In: an image. Out: a `gimli::Dwarf` over its bytes. A linked image is read in place. In a
//! module's file the sections still wait for their relocations; those are applied to copies,
//! with each allocated section placed at an address of its own (see [`DebugSections::address`]).

mod bounds;
pub(crate) mod entry;
pub(crate) mod units;

use std::sync::{Arc, OnceLock};

use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use goblin::elf::section_header::SHT_RELA;
use iotrace_arch::{Arch, Relocation};

use crate::bytes::{u16_at, u64_at};
use crate::{Address, ElfSection, Image, KernelError};

/// What gimli reads from.
pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// An image's DWARF, prepared when it is first asked for.
#[derive(Debug)]
pub(crate) struct LazyDebug {
    image: Arc<Image>,
    sections: OnceLock<Arc<DebugSections>>,
}

impl LazyDebug {
    /// Nothing is read yet.
    pub fn new(image: Arc<Image>) -> Self {
        Self { image, sections: OnceLock::new() }
    }

    /// The sections.
    pub fn get(&self) -> Result<&Arc<DebugSections>, KernelError> {
        if let Some(ready) = self.sections.get() {
            return Ok(ready);
        }
        let fresh = Arc::new(DebugSections::new(&self.image)?);
        Ok(self.sections.get_or_init(|| fresh))
    }
}

/// An image's DWARF.
#[derive(Debug)]
pub(crate) struct DebugSections {
    image: Arc<Image>,
    /// Copies with relocations applied, by section name.
    relocated: Vec<(String, Vec<u8>)>,
    /// Whether entries are within their bounds; found out when first asked for.
    entries: OnceLock<Result<(), String>>,
}

/// The sections that are read. A file may have any number of others, and of sections that share their bytes.
const READ: [&str; 14] = [
    ".debug_abbrev",
    ".debug_addr",
    ".debug_aranges",
    ".debug_frame",
    ".debug_info",
    ".debug_line",
    ".debug_line_str",
    ".debug_loc",
    ".debug_loclists",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_str",
    ".debug_str_offsets",
    ".debug_types",
];

impl DebugSections {
    /// Prepares the sections; relocates them if the image is a module.
    pub fn new(image: &Arc<Image>) -> Result<Self, KernelError> {
        let debug = |s: &&ElfSection| s.name.starts_with(".debug_") || s.name.starts_with(".zdebug_");
        let compressed = |s: &&ElfSection| s.compressed || s.name.starts_with(".z");
        if let Some(s) = image.sections().iter().filter(debug).find(compressed) {
            let (path, section) = (image.path().to_path_buf(), s.name.clone());
            return Err(KernelError::Compressed { path, section });
        }
        let mut relocated = Vec::new();
        if image.is_relocatable() {
            for rela in image.sections().iter().filter(|s| s.kind == SHT_RELA) {
                let is_read = |s: &&ElfSection| READ.contains(&s.name.as_str());
                let target = image.sections().get(rela.info as usize).filter(is_read);
                let is_new = |s: &&ElfSection| relocated.iter().all(|(name, _)| *name != s.name);
                if let Some(target) = target.filter(is_new) {
                    relocated.push((target.name.clone(), relocate(image, target, rela)?));
                }
            }
        }
        let this = Self { image: Arc::clone(image), relocated, entries: OnceLock::new() };
        for section in [".debug_str", ".debug_line_str"] {
            bounds::strings(section, this.section(section)).map_err(|what| this.beyond(what))?;
        }
        Ok(this)
    }

    /// Refuses entries beyond their bounds: before anything that calls itself for each level of them. Reads all of them
    /// once.
    ///
    /// # Errors
    /// [`KernelError::Bound`].
    pub fn check_entries(&self) -> Result<(), KernelError> {
        let checked = self.entries.get_or_init(|| bounds::entries(&self.dwarf()));
        checked.clone().map_err(|what| self.beyond(what))
    }

    pub fn beyond(&self, what: String) -> KernelError {
        KernelError::Bound { path: self.image.path().to_path_buf(), what }
    }

    /// Is there any?
    pub fn has_info(&self) -> bool {
        self.image.section_bytes(".debug_info").is_some()
    }

    /// What gimli could not read.
    pub fn error(&self, source: gimli::Error) -> KernelError {
        KernelError::Dwarf { path: self.image.path().to_path_buf(), source }
    }

    fn section(&self, name: &str) -> &[u8] {
        match self.relocated.iter().find(|(n, _)| n == name) {
            Some((_, bytes)) => bytes,
            None => self.image.section_bytes(name).map_or(&[], |b| b),
        }
    }

    /// A reader over the sections; costs next to nothing to make.
    pub fn dwarf(&self) -> Dwarf<Slice<'_>> {
        let load = |id: SectionId| {
            Ok::<_, std::convert::Infallible>(EndianSlice::new(self.section(id.name()), LittleEndian))
        };
        match Dwarf::load(load) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }

    /// The address that DWARF uses for `offset` in a section of a relocatable file.
    pub fn address(&self, section: &str, offset: u64) -> Option<u64> {
        let sections = self.image.sections();
        let index = sections.iter().position(|s| s.allocated && s.name == section)?;
        let inside = offset < sections.get(index)?.size;
        inside.then(|| base(index).saturating_add(offset))
    }

    /// The architecture whose registers it has.
    pub fn arch(&self) -> &'static Arch {
        self.image.arch()
    }

    /// The call frame information.
    pub fn frames(&self) -> Slice<'_> {
        EndianSlice::new(self.section(".debug_frame"), LittleEndian)
    }

    /// The place of an instruction that DWARF has at `address`; `None` if no section with
    /// instructions is there.
    pub fn locate(&self, address: u64) -> Option<Address> {
        let code = |s: &&ElfSection| s.allocated && s.executable;
        if !self.image.is_relocatable() {
            let holds = |s: &ElfSection| address.checked_sub(s.address).is_some_and(|at| at < s.size);
            let inside = self.image.sections().iter().filter(code).any(holds);
            return inside.then_some(Address { section: None, offset: address });
        }
        let (index, offset) = (usize::try_from(address >> 32).ok()?, address & 0xffff_ffff);
        let section = self.image.sections().get(index).filter(code)?;
        (offset < section.size).then(|| Address { section: Some(Arc::from(section.name.as_str())), offset })
    }
}

/// Sections of a module have no addresses yet: section n gets n * 4 GiB.
fn base(index: usize) -> u64 {
    (index as u64) << 32
}

/// Applies the entries of `rela` to a copy of `target`.
fn relocate(image: &Image, target: &ElfSection, rela: &ElfSection) -> Result<Vec<u8>, KernelError> {
    /// sizeof(Elf64_Rela)
    const RELA: usize = 24;
    let symbols = image.sections().get(rela.link as usize).map_or(&[][..], |s| &s.bytes);
    let mut bytes = target.bytes.to_vec();
    for (index, entry) in rela.bytes.chunks_exact(RELA).enumerate() {
        let (offset, info) = (u64_at(entry, 0).unwrap_or(0), u64_at(entry, 8).unwrap_or(0));
        let addend = u64_at(entry, 16).unwrap_or(0);
        let kind = (info & 0xffff_ffff) as u32;
        let symbol = symbol_value(image, symbols, (info >> 32) as usize);
        let patched = symbol.and_then(|s| {
            let relocation = image.arch().code.relocation(kind)?;
            patch(&mut bytes, relocation, offset, s.wrapping_add(addend))
        });
        if patched.is_none() {
            let (path, section) = (image.path().to_path_buf(), target.name.clone());
            return Err(KernelError::Relocation { path, section, index, kind, offset });
        }
    }
    Ok(bytes)
}

/// The value of symbol number `index`, with its section where [`base`] puts it.
fn symbol_value(image: &Image, symbols: &[u8], index: usize) -> Option<u64> {
    let at = index.checked_mul(24)?;
    let value = u64_at(symbols, at.checked_add(8)?)?;
    let section = usize::from(u16_at(symbols, at.checked_add(6)?)?);
    let allocated = image.sections().get(section).is_some_and(|s| s.allocated);
    Some(if allocated { base(section).wrapping_add(value) } else { value })
}

fn patch(bytes: &mut [u8], relocation: Relocation, offset: u64, value: u64) -> Option<()> {
    let at = usize::try_from(offset).ok()?;
    let (value, width) = match relocation {
        Relocation::None => return Some(()),
        Relocation::Absolute(width) => (value, width),
        Relocation::Relative(width) => (value.wrapping_sub(offset), width),
    };
    let place = bytes.get_mut(at..at.checked_add(width)?)?;
    place.copy_from_slice(value.to_le_bytes().get(..width)?);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Bytes;
    use crate::bytes::u32_at;
    use crate::testing::ElfBuilder;

    fn module(kind: u32, offset: u64) -> Arc<Image> {
        let bytes = ElfBuilder::relocatable()
            .loaded(".text", 0, vec![0x90; 32])
            .section(".debug_info", vec![0; 12])
            .symbols(&[("", 0, 0, 0, 0), ("f", 2, 1, 0x10, 8), ("s", 0, 2, 0x20, 0)])
            .relocations(".rela.debug_info", 2, &[(0, 1, 1, 4), (offset, 2, kind, 2)])
            .build();
        Arc::new(Image::parse(Path::new("m.ko"), Bytes::from(bytes)).expect("valid"))
    }

    #[test]
    fn applies_relocations_to_a_copy() {
        let image = module(10, 8);
        let debug = DebugSections::new(&image).expect("relocates");
        let bytes = debug.section(".debug_info");
        assert_eq!(u64_at(bytes, 0), Some(0x1_0000_0014));
        assert_eq!(u32_at(bytes, 8), Some(0x22));
        assert_eq!(debug.address(".text", 0x14), Some(0x1_0000_0014));
        assert_eq!(debug.address(".text", 32), None);
    }

    #[test]
    fn each_section_is_copied_once() {
        let builder = ElfBuilder::relocatable()
            .loaded(".text", 0, vec![0x90; 32])
            .section(".debug_info", vec![0; 12])
            .section(".debug_other", vec![0; 12])
            .symbols(&[("", 0, 0, 0, 0), ("f", 2, 1, 0x10, 8)]);
        let again = |builder: ElfBuilder, target| builder.relocations(".rela.debug", target, &[(0, 1, 1, 4)]);
        let bytes = [2, 2, 3, 2].into_iter().fold(builder, again).build();
        let image = Arc::new(Image::parse(Path::new("m.ko"), Bytes::from(bytes)).expect("valid"));
        assert_eq!(DebugSections::new(&image).expect("relocates").relocated.len(), 1);
    }

    #[test]
    fn a_string_that_no_compiler_writes_is_refused() {
        let with = |length| {
            let strings = [&vec![b'x'; length][..], b"\0short\0"].concat();
            let bytes = ElfBuilder::executable().section(".debug_str", strings).build();
            DebugSections::new(&Arc::new(Image::parse(Path::new("v"), Bytes::from(bytes)).expect("valid")))
        };
        assert!(with(16 << 10).is_ok());
        let error = with((16 << 10) + 1).expect_err("too long").to_string();
        assert!(error.contains("a string in .debug_str has 16385 bytes"), "{error}");
    }

    #[test]
    fn entries_that_nest_deeper_than_a_compilers_are_refused() {
        // Version 4; DW_TAG_lexical_block with children, and nothing else.
        let with = |depth: usize| {
            let body = [&[4, 0, 0, 0, 0, 0, 8][..], &vec![1; depth + 1], &vec![0; depth + 1]].concat();
            let info = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
            let builder = ElfBuilder::executable().section(".debug_info", info);
            let bytes = builder.section(".debug_abbrev", vec![1, 0x0b, 1, 0, 0, 0]).build();
            let image = Arc::new(Image::parse(Path::new("v"), Bytes::from(bytes)).expect("valid"));
            DebugSections::new(&image).expect("strings are sound").check_entries()
        };
        assert!(with(512).is_ok());
        assert!(matches!(with(513), Err(KernelError::Bound { .. })));
    }

    #[test]
    fn refuses_what_it_cannot_apply() {
        for (kind, offset) in [(10, 9), (99, 0), (1, u64::MAX)] {
            let e = DebugSections::new(&module(kind, offset)).expect_err("bad");
            assert!(matches!(e, KernelError::Relocation { index: 1, .. }), "{e}");
        }
    }
}
