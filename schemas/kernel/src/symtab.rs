//! ELF symbol tables, wherever their bytes come from.
//!
//! In: a table of `Elf64_Sym` and its strings: from a file, or from guest memory. Out: its
//! symbols, one by one; nothing is copied.

use crate::SymbolKind;
use crate::bytes::str_at;

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

/// An `Elf64_Sym` (include/uapi/linux/elf.h), whatever it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolEntry {
    /// `st_name`: where its name begins among the strings.
    pub name: u32,
    /// `st_info`: type and binding.
    pub info: u8,
    /// `st_shndx`.
    pub section: u16,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
}

impl SymbolEntry {
    /// sizeof(Elf64_Sym)
    pub const SIZE: usize = 24;

    /// From its bytes.
    #[must_use]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        let [n0, n1, n2, n3, info, _other, s0, s1, value @ .., z0, z1, z2, z3, z4, z5, z6, z7] = *bytes;
        Self {
            name: u32::from_le_bytes([n0, n1, n2, n3]),
            info,
            section: u16::from_le_bytes([s0, s1]),
            value: u64::from_le_bytes(value),
            size: u64::from_le_bytes([z0, z1, z2, z3, z4, z5, z6, z7]),
        }
    }

    /// The entries of a table, up to the last whole one.
    pub fn of_table(table: &[u8]) -> impl ExactSizeIterator<Item = Self> {
        table.as_chunks().0.iter().map(Self::read)
    }
}

/// Reads a table of `Elf64_Sym` with its strings from a file. Undefined symbols, section and file symbols and
/// those without a name are left out; so are names that are not UTF-8 or lie outside `strtab`.
pub fn parse_symtab<'a>(symtab: &[u8], strtab: &'a [u8]) -> impl Iterator<Item = ElfSymbol<'a>> {
    SymbolEntry::of_table(symtab).filter_map(|entry| elf_symbol(entry, strtab))
}

/// What the symbol table of a loaded module has in guest memory. A kernel whose `struct mod_kallsyms` has a `typetab`
/// keeps the letters of `nm` there; others write them over the table (`add_kallsyms`, kernel/module.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadedSymtab {
    /// From 5.2 on: what the file has.
    Untouched,
    /// Up to 4.20: a letter in `st_info`.
    LetterForInfo,
    /// 5.0 and 5.1: a letter in `st_size`. The size is lost.
    LetterForSize,
}

impl LoadedSymtab {
    /// Whether an entry has a letter in `st_info`: the high nibble would be a binding from 4 to 7, which ELF does not
    /// use (STB_LOOS is 10).
    #[must_use]
    pub fn is_letter(entry: SymbolEntry) -> bool {
        (4..8).contains(&(entry.info >> 4))
    }

    /// The symbol of an `Elf64_Sym`, as [`parse_symtab`]; its size is 0 where that is lost.
    #[must_use]
    pub fn symbol(self, entry: SymbolEntry, strtab: &[u8]) -> Option<ElfSymbol<'_>> {
        let entry = match self {
            Self::Untouched => entry,
            Self::LetterForInfo => SymbolEntry { info: info_of_letter(entry.info), ..entry },
            Self::LetterForSize => SymbolEntry { size: 0, ..entry },
        };
        elf_symbol(entry, strtab)
    }
}

/// The `st_info` that a letter stands for (`elf_type`, kernel/module.c): code, data, or neither.
fn info_of_letter(letter: u8) -> u8 {
    match letter.to_ascii_lowercase() {
        b't' | b'w' => 2,
        b'r' | b'b' | b'd' | b'g' | b's' | b'v' => 1,
        _ => 0,
    }
}

fn elf_symbol(entry: SymbolEntry, strtab: &[u8]) -> Option<ElfSymbol<'_>> {
    let SymbolEntry { name, info, section, value, size } = entry;
    let kind = match info & 0xf {
        1 => SymbolKind::Object,
        2 | 10 => SymbolKind::Function,
        3 | 4 => return None,
        _ => SymbolKind::Other,
    };
    if section == 0 {
        return None;
    }
    let name = str_at(strtab, usize::try_from(name).ok()?).filter(|name| !name.is_empty())?;
    Some(ElfSymbol { name, value, size, section, kind })
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

    /// Two functions, a table of data, a weak function and a constant, with what each form of the table of a loaded
    /// module has in `st_info` and `st_size`.
    fn loaded(form: LoadedSymtab, entries: [(u8, u64); 5]) -> Vec<(String, SymbolKind, u64)> {
        let named = [
            ("queuecommand", 3, 0x40),
            ("done", 3, 0x50),
            ("table", 5, 0x8),
            ("fallback", 3, 0x90),
            ("__crc_x", 0xfff1, 1),
        ];
        let symbols: Vec<_> = named
            .iter()
            .zip(entries)
            .map(|((name, section, value), (info, size))| (*name, info, *section, *value, size))
            .collect();
        let (table, strings) = symtab(&symbols);
        let letters = SymbolEntry::of_table(&table).filter(|entry| LoadedSymtab::is_letter(*entry)).count();
        assert_eq!(letters, if form == LoadedSymtab::LetterForInfo { 5 } else { 0 });
        let found = SymbolEntry::of_table(&table).filter_map(|entry| form.symbol(entry, &strings));
        found.map(|s| (s.name.to_owned(), s.kind, s.size)).collect()
    }

    fn expected(sizes: [u64; 5]) -> Vec<(String, SymbolKind, u64)> {
        use SymbolKind::{Function, Object, Other};
        let named = [
            ("queuecommand", Function),
            ("done", Function),
            ("table", Object),
            ("fallback", Function),
            ("__crc_x", Other),
        ];
        named.iter().zip(sizes).map(|((name, kind), size)| ((*name).to_owned(), *kind, size)).collect()
    }

    #[test]
    fn a_loaded_module_of_5_2_has_its_symbols_untouched() {
        let table = [(2, 0x10), (0x12, 0x20), (0x11, 4), (0x22, 8), (0x10, 0)];
        assert_eq!(loaded(LoadedSymtab::Untouched, table), expected([0x10, 0x20, 4, 8, 0]));
    }

    #[test]
    fn a_loaded_module_of_3_10_has_letters_for_types() {
        let table = [(b't', 0x10), (b't', 0x20), (b'd', 4), (b'w', 8), (b'a', 0)];
        assert_eq!(loaded(LoadedSymtab::LetterForInfo, table), expected([0x10, 0x20, 4, 8, 0]));
        // A table of data is not a function, though the low nibble of its letter is that of one.
        let readonly = [(b't', 0x10), (b'T', 0x20), (b'r', 4), (b'W', 8), (b'A', 0)];
        assert_eq!(loaded(LoadedSymtab::LetterForInfo, readonly), expected([0x10, 0x20, 4, 8, 0]));
    }

    #[test]
    fn a_loaded_module_of_5_0_has_letters_for_sizes() {
        let letter = u64::from;
        let table = [
            (2, letter(b't')),
            (2, letter(b't')),
            (0x11, letter(b'd')),
            (0x22, letter(b'w')),
            (0x10, letter(b'a')),
        ];
        assert_eq!(loaded(LoadedSymtab::LetterForSize, table), expected([0; 5]));
    }
}
