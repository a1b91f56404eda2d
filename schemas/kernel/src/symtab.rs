//! ELF symbol tables, wherever their bytes come from.
//!
//! In: a table of `Elf64_Sym` and its strings: from a file, or from guest memory. Out: its
//! symbols, one by one; nothing is copied.

use crate::SymbolKind;
use crate::bytes::{cstr_at, u16_at, u32_at, u64_at};

/// An entry of an ELF64 symbol table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfSymbol<'a> {
    /// Its name; never empty.
    pub name: &'a str,
    /// Its value: an address, or an offset into `section` in a relocatable file.
    pub value: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its section's number; SHN_UNDEF (0) and SHN_ABS (0xfff1) stand for themselves.
    pub section: u16,
    /// Its type: STT_FUNC and STT_GNU_IFUNC, STT_OBJECT, anything else.
    pub kind: SymbolKind,
}

impl ElfSymbol<'_> {
    /// Is it a function?
    #[must_use]
    pub fn is_function(&self) -> bool {
        self.kind == SymbolKind::Function
    }
}

/// Reads a table of `Elf64_Sym` with its strings, wherever they come from: a file, or a loaded
/// module's `mod->kallsyms` in guest memory. Undefined symbols, section and file symbols and
/// those without a name are left out; so are names that are not UTF-8 or lie outside `strtab`.
pub fn parse_symtab<'a>(symtab: &'a [u8], strtab: &'a [u8]) -> impl Iterator<Item = ElfSymbol<'a>> {
    /// sizeof(Elf64_Sym)
    const SYM: usize = 24;
    symtab.chunks_exact(SYM).filter_map(|sym| elf_symbol(sym, strtab))
}

fn elf_symbol<'a>(sym: &[u8], strtab: &'a [u8]) -> Option<ElfSymbol<'a>> {
    let section = u16_at(sym, 6)?;
    let kind = match sym.get(4)? & 0xf {
        1 => SymbolKind::Object,
        2 | 10 => SymbolKind::Function,
        3 | 4 => return None,
        _ => SymbolKind::Other,
    };
    if section == 0 {
        return None;
    }
    let name = cstr_at(strtab, usize::try_from(u32_at(sym, 0)?).ok()?)?;
    let name = std::str::from_utf8(name).ok().filter(|n| !n.is_empty())?;
    Some(ElfSymbol { name, value: u64_at(sym, 8)?, size: u64_at(sym, 16)?, section, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::symtab;

    #[test]
    fn reads_elf_symbols_of_defined_things() {
        let (symtab, strtab) = symtab(&[
            ("", 0, 0, 0, 0),
            ("undefined", 2, 0, 0, 0),
            ("queuecommand", 2, 3, 0x40, 0x10),
            ("table", 1, 5, 0x8, 4),
            ("file.c", 4, 0xfff1, 0, 0),
        ]);
        let found: Vec<_> = parse_symtab(&symtab, &strtab).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name, found[0].value, found[0].size), ("queuecommand", 0x40, 0x10));
        assert!(found[0].is_function() && !found[1].is_function());
        // Cut anywhere, nothing breaks.
        for cut in 0..symtab.len() {
            assert!(parse_symtab(&symtab[..cut], &strtab[..cut % strtab.len()]).count() <= 2);
        }
    }
}
