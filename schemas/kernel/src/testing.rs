//! Small images for tests, built byte by byte.

pub mod kallsyms;

use goblin::elf::section_header::{SHT_NOTE, SHT_PROGBITS, SHT_RELA, SHT_STRTAB, SHT_SYMTAB};

struct Part {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    link: u32,
    info: u32,
    bytes: Vec<u8>,
}

/// Writes a minimal ELF64 file: header, program headers, section bytes, section headers.
pub struct ElfBuilder {
    kind: u16,
    parts: Vec<Part>,
}

impl ElfBuilder {
    /// An ET_EXEC file, as vmlinux.
    pub fn executable() -> Self {
        Self { kind: 2, parts: Vec::new() }
    }

    /// An ET_REL file, as a module.
    pub fn relocatable() -> Self {
        Self { kind: 1, parts: Vec::new() }
    }

    fn part(mut self, name: &'static str, kind: u32, flags: u64, address: u64, bytes: Vec<u8>) -> Self {
        self.parts.push(Part { name, kind, flags, address, link: 0, info: 0, bytes });
        self
    }

    /// A section with SHF_ALLOC and, in an executable, a PT_LOAD segment of its own.
    pub fn loaded(self, name: &'static str, address: u64, bytes: Vec<u8>) -> Self {
        self.part(name, SHT_PROGBITS, 2, address, bytes)
    }

    /// The same, with instructions: SHF_EXECINSTR.
    pub fn code(self, name: &'static str, address: u64, bytes: Vec<u8>) -> Self {
        self.part(name, SHT_PROGBITS, 2 | 4, address, bytes)
    }

    /// A section that is only in the file.
    pub fn section(self, name: &'static str, bytes: Vec<u8>) -> Self {
        self.part(name, SHT_PROGBITS, 0, 0, bytes)
    }

    /// A note section.
    pub fn note(self, name: &'static str, bytes: Vec<u8>) -> Self {
        self.part(name, SHT_NOTE, 0, 0, bytes)
    }

    /// `.symtab` and `.strtab`, see [`symtab`].
    pub fn symbols(self, symbols: &[(&str, u8, u16, u64, u64)]) -> Self {
        let (table, strings) = symtab(symbols);
        let mut this = self.part(".symtab", SHT_SYMTAB, 0, 0, table);
        let strings_at = u32::try_from(this.parts.len() + 1).unwrap();
        this.parts.last_mut().unwrap().link = strings_at;
        this.part(".strtab", SHT_STRTAB, 0, 0, strings)
    }

    /// Relocations of section number `target` against the table that `symbols` made.
    pub fn relocations(self, name: &'static str, target: u32, entries: &[(u64, u32, u32, i64)]) -> Self {
        let mut bytes = Vec::new();
        for (offset, symbol, kind, addend) in entries {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(symbol.to_le_bytes());
            bytes.extend(addend.to_le_bytes());
        }
        let symtab = self.parts.iter().position(|p| p.kind == SHT_SYMTAB).unwrap() + 1;
        let mut this = self.part(name, SHT_RELA, 0, 0, bytes);
        let part = this.parts.last_mut().unwrap();
        part.info = target;
        part.link = u32::try_from(symtab).unwrap();
        this
    }

    /// The file.
    pub fn build(self) -> Vec<u8> {
        let this = self.part(".shstrtab", SHT_STRTAB, 0, 0, Vec::new());
        let mut names = vec![0];
        let mut name_offsets = Vec::new();
        for part in &this.parts {
            name_offsets.push(u32::try_from(names.len()).unwrap());
            names.extend(part.name.as_bytes());
            names.push(0);
        }
        let mut parts = this.parts;
        parts.last_mut().unwrap().bytes = names;
        let programs = if this.kind == 2 { parts.iter().filter(|p| p.flags != 0).count() } else { 0 };
        let mut offset = 64 + 56 * programs;
        let mut program_headers = Vec::new();
        let mut section_headers = vec![0u8; 64];
        let mut body = Vec::new();
        for (part, name) in parts.iter().zip(name_offsets) {
            let pad = offset.next_multiple_of(8) - offset;
            body.extend(std::iter::repeat_n(0, pad));
            offset += pad;
            let (at, size) = (offset as u64, part.bytes.len() as u64);
            section_headers.extend(name.to_le_bytes());
            section_headers.extend(part.kind.to_le_bytes());
            for v in [part.flags, part.address, at, size] {
                section_headers.extend(v.to_le_bytes());
            }
            section_headers.extend(part.link.to_le_bytes());
            section_headers.extend(part.info.to_le_bytes());
            for v in [8u64, if part.kind == SHT_SYMTAB { 24 } else { 0 }] {
                section_headers.extend(v.to_le_bytes());
            }
            if this.kind == 2 && part.flags != 0 {
                program_headers.extend(1u32.to_le_bytes());
                program_headers.extend(5u32.to_le_bytes());
                for v in [at, part.address, part.address, size, size, 8] {
                    program_headers.extend(v.to_le_bytes());
                }
            }
            body.extend(&part.bytes);
            offset += part.bytes.len();
        }
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let half = |n: usize| u16::try_from(n).unwrap().to_le_bytes();
        out.extend(this.kind.to_le_bytes());
        out.extend(iotrace_arch::FIRST.machine.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.extend(if programs > 0 { 64u64 } else { 0 }.to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        out.extend(0u32.to_le_bytes());
        for n in [64, 56, programs, 64, parts.len() + 1, parts.len()] {
            out.extend(half(n));
        }
        out.extend(program_headers);
        out.extend(body);
        out.extend(section_headers);
        out
    }
}

/// An `Elf64_Sym` table and its strings, of (name, STT type, section, value, size).
pub fn symtab(symbols: &[(&str, u8, u16, u64, u64)]) -> (Vec<u8>, Vec<u8>) {
    let mut strings = vec![0];
    let mut table = Vec::new();
    for (name, kind, section, value, size) in symbols {
        let at = if name.is_empty() { 0 } else { strings.len() };
        table.extend(u32::try_from(at).unwrap().to_le_bytes());
        table.extend([*kind, 0]);
        table.extend(section.to_le_bytes());
        table.extend(value.to_le_bytes());
        table.extend(size.to_le_bytes());
        if at > 0 {
            strings.extend(name.as_bytes());
            strings.push(0);
        }
    }
    (table, strings)
}
