//! Calls in a module of functions that are not in it.
//!
//! In: the relocations of a module. Out: the places behind calls, and what is called. Other calls are found by their
//! bytes ([`iotrace_arch::Code::calls`]).

use crate::bytes::{str_at, u32_at, u64_at};
use crate::symtab::SymbolEntry;
use crate::{Image, ModuleFile};
use goblin::elf::section_header::SHT_RELA;

/// A call in a module whose target the loader fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelocatedCall<'a> {
    /// The section it is in.
    pub section: &'a str,
    /// Offset of the address behind it in the section, in bytes.
    pub after: u64,
    /// The symbol called.
    pub symbol: &'a str,
}

impl ModuleFile {
    /// Its calls of functions of other sections and of the kernel.
    #[must_use]
    pub fn relocated_calls(&self) -> Vec<RelocatedCall<'_>> {
        relocated_calls(self.image())
    }
}

fn relocated_calls(image: &Image) -> Vec<RelocatedCall<'_>> {
    /// sizeof(Elf64_Rela)
    const RELA: usize = 24;
    let Some((symtab, strtab)) = image.symtab() else { return Vec::new() };
    let name = |number: u32| {
        let symbol = SymbolEntry::of_table(symtab).nth(usize::try_from(number).ok()?)?;
        str_at(strtab, usize::try_from(symbol.name).ok()?)
    };
    let mut calls = Vec::new();
    for rela in image.sections().iter().filter(|s| s.kind == SHT_RELA) {
        let Some(target) = image.sections().get(rela.info as usize).filter(|s| s.executable) else {
            continue;
        };
        for entry in rela.bytes.chunks_exact(RELA) {
            let (Some(at), Some(kind), Some(number)) =
                (u64_at(entry, 0), u32_at(entry, 8), u32_at(entry, 12))
            else {
                continue;
            };
            let after = image.arch().code.relocated_call(&target.bytes, at, kind);
            if let (Some(after), Some(symbol)) = (after, name(number)) {
                calls.push(RelocatedCall { section: &target.name, after, symbol });
            }
        }
    }
    calls
}
