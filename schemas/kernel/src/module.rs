//! A kernel module's file.
//!
//! In: a `.ko`, the kernel it belongs to, optionally the module's detached debug file. Out: its
//! name and dependencies, symbols as (section, offset), types, lines. Where a section ends up
//! is decided when the guest loads it: that is the caller's to know.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::debug::LazyDebug;
use crate::symbol::{SymbolKind, whole};
use crate::symtab::parse_symtab;
use crate::types::DescribedTypes;
use crate::{Image, InlinedFunctions, Kernel, KernelError, Lines, Returned, Types, inlined};

/// A symbol of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleSymbol<'a> {
    /// Its name.
    pub name: &'a str,
    /// The section it is in, `.text`.
    pub section: &'a str,
    /// Where in the section, in bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// What it stands for.
    pub kind: SymbolKind,
}

/// A module: its `.ko`, and the debug file of the same build if there is one.
#[derive(Debug)]
pub struct ModuleFile {
    image: Arc<Image>,
    debug: LazyDebug,
    types: Types,
    /// The types are not the kernel's alone.
    has_types: bool,
    /// How many functions have each name; counted when first asked for.
    namesakes: OnceLock<FxHashMap<Box<str>, usize>>,
    described: DescribedTypes,
}

impl ModuleFile {
    /// Opens `path`, which may be compressed. Types come from its BTF on top of the
    /// kernel's, else from the DWARF of `debug` (of the `.ko` itself without it), else they are
    /// the kernel's alone.
    ///
    /// # Errors
    /// [`KernelError`]: not an ELF file, cut short, damaged; [`KernelError::BuildId`] if
    /// `debug` is of another build.
    pub fn open(path: &Path, debug: Option<&Path>, base: &Kernel) -> Result<Self, KernelError> {
        let image = Image::open(path)?;
        Self::from_image(image, debug.map(Image::open).transpose()?, base)
    }

    /// The same, from images that are open already.
    ///
    /// # Errors
    /// As [`ModuleFile::open`].
    pub fn from_image(image: Image, debug: Option<Image>, base: &Kernel) -> Result<Self, KernelError> {
        let image = Arc::new(image);
        let debug_image = match debug {
            Some(debug) => Arc::new(same_build(&image, debug)?),
            None => Arc::clone(&image),
        };
        let debug = LazyDebug::new(debug_image);
        let own = types(&image, &debug, base)?;
        let has_types = own.is_some();
        let types = own.unwrap_or_else(|| base.types().clone());
        let (namesakes, described) = (OnceLock::new(), DescribedTypes::default());
        Ok(Self { image, debug, types, has_types, namesakes, described })
    }

    /// The file itself.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The name the kernel knows it by: `name=` of its modinfo, else the file's.
    #[must_use]
    pub fn name(&self) -> String {
        let own = self.info("name").map(str::to_string);
        own.unwrap_or_else(|| {
            let file = self.image.path().file_name().unwrap_or_default().to_string_lossy();
            file.split(".ko").next().unwrap_or_default().replace('-', "_")
        })
    }

    /// The linker's build-id.
    #[must_use]
    pub fn build_id(&self) -> Option<&[u8]> {
        self.image.build_id()
    }

    /// The modules it needs (modinfo `depends=`), as `-` or `_` came in the list.
    #[must_use]
    pub fn dependencies(&self) -> Vec<&str> {
        let list = self.info("depends").unwrap_or_default();
        list.split(',').filter(|name| !name.is_empty()).collect()
    }

    /// A value of its modinfo: `info("vermagic")`.
    #[must_use]
    pub fn info(&self, key: &str) -> Option<&str> {
        let bytes: &[u8] = self.image.section_bytes(".modinfo")?;
        bytes.split(|b| *b == 0).find_map(|entry| {
            let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
            (name == key).then_some(value)
        })
    }

    /// Its symbols that are in a section which is loaded.
    pub fn symbols(&self) -> impl Iterator<Item = ModuleSymbol<'_>> {
        let tables = self.image.symtab().into_iter();
        tables.flat_map(|(symtab, strtab)| parse_symtab(symtab, strtab)).filter_map(|s| {
            let section = self.image.sections().get(usize::from(s.section))?;
            section.allocated.then_some(ModuleSymbol {
                name: s.name,
                section: &section.name,
                offset: s.value,
                size: s.size,
                kind: s.kind,
            })
        })
    }

    /// Its types, and those of its kernel.
    #[must_use]
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// What the function with this symbol returns, or `None` if the module's own types do not say. One of
    /// the kernel that has the same name is another function.
    #[must_use]
    pub fn returned(&self, symbol: &str) -> Option<Returned> {
        let name = whole(symbol)?;
        let namesakes = || self.namesakes().get(name).copied().unwrap_or(0);
        let found = self.types.returned_by(symbol, namesakes).filter(|_| self.has_types);
        found.or_else(|| self.described.beside(&self.types, &self.debug)?.returned_by(symbol, || 1))
    }

    /// How many functions have each name in the source.
    fn namesakes(&self) -> &FxHashMap<Box<str>, usize> {
        self.namesakes.get_or_init(|| {
            let mut counts = FxHashMap::default();
            let functions = self.symbols().filter(|s| s.kind == SymbolKind::Function);
            functions
                .filter_map(|s| whole(s.name))
                .for_each(|name| *counts.entry(name.into()).or_default() += 1);
            counts
        })
    }

    /// Its line tables, or `None` without DWARF. Keep the result for many questions, and ask
    /// by [`Lines::in_section`].
    ///
    /// # Errors
    /// [`KernelError::Compressed`], [`KernelError::Relocation`], [`KernelError::Dwarf`].
    pub fn lines(&self) -> Result<Option<Lines<'_>>, KernelError> {
        Lines::new(self.debug.get()?)
    }

    /// Where the functions that are `wanted`, by their name in the source, were inlined into
    /// the module's: those of headers, and its own. Nothing without DWARF.
    ///
    /// # Errors
    /// [`KernelError::Compressed`], [`KernelError::Relocation`], [`KernelError::Dwarf`].
    pub fn inlined(&self, wanted: &dyn Fn(&str) -> bool) -> Result<InlinedFunctions, KernelError> {
        let debug = self.debug.get()?;
        let found = inlined::scan(debug, wanted)?;
        let functions = self.symbols().filter(|s| s.kind == SymbolKind::Function);
        let functions: FxHashSet<&str> = functions.filter_map(|s| whole(s.name)).collect();
        Ok(InlinedFunctions::new(found, |name| functions.contains(name)))
    }
}

/// Its own types. Debian's 5.10 has no BTF in its modules: without DWARF they know the kernel's types only.
fn types(image: &Image, debug: &LazyDebug, base: &Kernel) -> Result<Option<Types>, KernelError> {
    if let Some(types) = Types::split(image, base.types())? {
        return Ok(Some(types));
    }
    let debug = debug.get()?;
    Ok(debug.has_info().then(|| Types::from_dwarf(debug)))
}

fn same_build(image: &Image, debug: Image) -> Result<Image, KernelError> {
    let (id, debug_id) = (image.build_id(), debug.build_id());
    if id.is_none() || id == debug_id {
        return Ok(debug);
    }
    Err(KernelError::BuildId {
        path: image.path().to_path_buf(),
        id: hex(id),
        debug: debug.path().to_path_buf(),
        debug_id: hex(debug_id),
    })
}

fn hex(id: Option<&[u8]>) -> String {
    match id {
        Some(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        None => "none".to_string(),
    }
}

#[cfg(test)]
mod tests;
