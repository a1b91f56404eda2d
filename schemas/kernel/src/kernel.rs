//! A vmlinux and what was derived from it.
//!
//! In: a vmlinux, with or without `.symtab`, BTF and DWARF. Out: its symbols, its types, its
//! lines, what it calls itself.

use std::path::Path;
use std::sync::Arc;

use crate::bytes::text_at;
use crate::debug::LazyDebug;
use crate::kallsyms::{self, KallsymsResult};
use crate::symbol::{KernelSymbol, SymbolKind, SymbolTable, whole};
use crate::symtab::{ElfSymbol, parse_symtab};
use crate::types::DescribedTypes;
use crate::{Image, InlinedFunctions, KernelError, Lines, Returned, Types, inlined};

/// Constants of assembly files: not an address in the image.
const SHN_ABS: u16 = 0xfff1;

/// A kernel image.
#[derive(Debug)]
pub struct Kernel {
    image: Arc<Image>,
    symbols: SymbolTable,
    types: Types,
    debug: LazyDebug,
    described: DescribedTypes,
}

impl Kernel {
    /// Opens a vmlinux: reads its symbols, from `.symtab` or else from the kallsyms tables in
    /// the image, and finds its type information (DWARF is not read before it is needed).
    ///
    /// # Errors
    /// [`KernelError`]: not an ELF file, cut short, without symbols, damaged BTF. An image
    /// without type information opens; [`Kernel::types`] then answers that there is none.
    pub fn open(vmlinux: &Path) -> Result<Self, KernelError> {
        Self::from_image(Image::open(vmlinux)?)
    }

    /// The same, from an image that is open already.
    ///
    /// # Errors
    /// As [`Kernel::open`].
    pub fn from_image(image: Image) -> Result<Self, KernelError> {
        let image = Arc::new(image);
        let symbols = symbols(&image)?;
        let debug = LazyDebug::new(Arc::clone(&image));
        let types = match Types::of_btf(&image)? {
            Some(types) => types,
            None => Types::from_dwarf(debug.get()?),
        };
        Ok(Self { image, symbols, types, debug, described: DescribedTypes::default() })
    }

    /// The file itself.
    #[must_use]
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// The linker's build-id (NT_GNU_BUILD_ID), 20 bytes.
    #[must_use]
    pub fn build_id(&self) -> Option<&[u8]> {
        self.image.build_id()
    }

    /// What the kernel says first, "Linux version 6.1.0-... \n". `None` if the file is a
    /// debug file without the data.
    #[must_use]
    pub fn banner(&self) -> Option<&str> {
        const START: &[u8] = b"Linux version ";
        let symbol = self.symbols.by_name("linux_banner").next();
        let there = symbol.and_then(|s| self.image.at(s.addr)).filter(|b| b.starts_with(START));
        if let Some(bytes) = there {
            return text_at(bytes, 0);
        }
        // Without CONFIG_KALLSYMS_ALL data has no symbols.
        self.image.loaded().iter().find_map(|part| {
            let mut places = memchr::memmem::find_iter(&part.bytes, START);
            places.find_map(|at| text_at(&part.bytes, at).filter(|text| text.ends_with('\n')))
        })
    }

    /// Its symbols.
    #[must_use]
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }

    /// Its types.
    #[must_use]
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// What the function with this symbol returns, or `None` if the types do not say. BTF leaves out
    /// functions that the compiler changed, and all but one of those of one name: of these, DWARF tells.
    #[must_use]
    pub fn returned(&self, symbol: &str) -> Option<Returned> {
        let name = whole(symbol)?;
        let found = self.types.returned_by(symbol, || self.symbols.variants(name).count());
        found.or_else(|| self.described.beside(&self.types, &self.debug)?.returned_by(symbol, || 1))
    }

    /// Its line tables, or `None` if it has no DWARF. Keep the result for many questions.
    ///
    /// # Errors
    /// [`KernelError::Compressed`], [`KernelError::Dwarf`].
    pub fn lines(&self) -> Result<Option<Lines<'_>>, KernelError> {
        Lines::new(self.debug.get()?)
    }

    /// Where the functions that are `wanted`, by their name in the source, were inlined.
    /// Nothing without DWARF. Reads all of it, which takes a second or two for a vmlinux.
    ///
    /// # Errors
    /// [`KernelError::Compressed`], [`KernelError::Dwarf`].
    pub fn inlined(&self, wanted: &dyn Fn(&str) -> bool) -> Result<InlinedFunctions, KernelError> {
        let debug = self.debug.get()?;
        let found = inlined::scan(debug, wanted)?;
        Ok(InlinedFunctions::new(found, |name| self.symbols.variants(name).next().is_some()))
    }
}

fn symbols(image: &Image) -> Result<SymbolTable, KernelError> {
    if let Some((symtab, strtab)) = image.symtab() {
        let linked = parse_symtab(symtab, strtab).filter(|s| s.section != SHN_ABS);
        return Ok(SymbolTable::new(linked.map(symbol)));
    }
    let path = || image.path().to_path_buf();
    match kallsyms::find(image.loaded(), |address| image.at(address)) {
        KallsymsResult::Table(table) => Ok(table),
        KallsymsResult::TooLong => Err(KernelError::Search { path: path(), steps: kallsyms::STEPS }),
        KallsymsResult::Nothing { candidates } => Err(KernelError::NoSymbols { path: path(), candidates }),
    }
}

fn symbol(s: ElfSymbol<'_>) -> KernelSymbol<'_> {
    let ElfSymbol { name, value, size, kind, .. } = s;
    KernelSymbol { name, addr: value, size: if kind == SymbolKind::Other { 0 } else { size }, kind }
}

#[cfg(test)]
mod tests;
