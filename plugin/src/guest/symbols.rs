//! The symbols of a module in guest memory.
//!
//! In: the address of a `struct module`, room for what is kept of it. Out: its functions, as many as there is room for.
//! The guest's memory may hold anything: what is read at once is a few pages, whatever the guest says of the rest; of
//! names, as much as a kernel's largest modules have many times over; of the symbols of all modules together, what the
//! budget has. The functions of the image are not a module's.

use super::module_name;
use crate::budget::{Budget, Kept};
use crate::follow::follow;
use crate::qemu::Cpu;
use iotrace_kernel::{
    ElfSymbol, KernelSymbol, LoadedSymtab, SymbolEntry, SymbolKind, SymbolTable, SymbolTableBuilder,
};
use iotrace_profile::ModuleAccess;
use iotrace_profile::plan::ValueAccess;
use std::ops::Range;

/// A module in the guest.
pub struct LoadedModule {
    /// Name.
    pub name: String,
    /// Its functions, at their addresses in the guest.
    pub functions: SymbolTable,
    /// Bytes of the budget that they take.
    pub kept: usize,
}

/// Most symbols that a module may have. (Of Debian's modules amdgpu has most: some 60,000.)
const SYMBOLS: u64 = 1 << 20;
/// Symbols that are read at once.
const AT_ONCE: usize = 1024;
/// Bytes of names that are read at once.
const CHUNK: u32 = 4096;
/// How often such a part of the names is read, for one module. (Of Debian's modules amdgpu has most: 2 MB of names.)
const CHUNKS: u32 = 8192;
/// KSYM_NAME_LEN, include/linux/kallsyms.h.
const NAME: usize = 512;
/// Bytes that are kept of a function, beside its name: 24 in the table and 16 in its index by name, 12 to sort it, 64
/// while jumps are looked for in it, and its part of a hash table of those that have some.
pub const FUNCTION: usize = 128;

/// Reads the module whose `struct module` is at `address`; `image` is the kernel's own text.
pub fn read_module(
    access: &ModuleAccess,
    address: u64,
    cpu: &Cpu,
    image: &Range<u64>,
    budget: &Budget,
) -> Option<LoadedModule> {
    let value = |access: &ValueAccess| follow(access, address, cpu);
    let count = budget.read_symbols(value(&access.num_symtab)?.min(SYMBOLS)) as usize;
    let (symtab, strtab) = (value(&access.symtab)?, value(&access.strtab)?);
    let name = module_name(access, address, cpu)?;
    let mut symbols = Symbols { cpu, symtab, count, strtab, form: LoadedSymtab::Untouched };
    if !access.has_typetab {
        symbols.form = symbols.written_over();
    }
    // What is only needed to initialize the module has memory of its own, which is given back.
    let mut init = None;
    symbols.each(|symbol| {
        init = (symbol.name == "init_module").then_some(symbol.section);
        init.is_none()
    });
    let (mut functions, mut kept) = (SymbolTableBuilder::default(), 0);
    let nameless = symbols.each(|symbol| {
        let bytes = FUNCTION + symbol.name.len();
        if Some(symbol.section) != init
            && !image.contains(&symbol.value)
            && budget.take(Kept::Function, bytes)
        {
            kept += bytes;
            let ElfSymbol { name, value, size, .. } = *symbol;
            functions.push(KernelSymbol { name, addr: value, size, kind: SymbolKind::Function });
        }
        true
    });
    budget.leave_out(Kept::Function, nameless);
    let mut functions = functions.build();
    if symbols.form == LoadedSymtab::LetterForSize {
        functions.derive_sizes();
    }
    Some(LoadedModule { name, functions, kept })
}

/// A symbol table in guest memory.
struct Symbols<'a> {
    cpu: &'a Cpu,
    symtab: u64,
    count: usize,
    strtab: u64,
    form: LoadedSymtab,
}

impl Symbols<'_> {
    /// What a kernel without a `typetab` has written over the table.
    fn written_over(&self) -> LoadedSymtab {
        let mut form = LoadedSymtab::LetterForSize;
        self.each_entry(|entry| {
            if LoadedSymtab::is_letter(entry) {
                form = LoadedSymtab::LetterForInfo;
            }
            form == LoadedSymtab::LetterForSize
        });
        form
    }

    /// Goes through the functions until there was enough; returns how many were left out because their names are too far
    /// apart.
    fn each(&self, mut go_on: impl FnMut(&ElfSymbol<'_>) -> bool) -> u64 {
        let modules = &self.cpu.arch().memory.modules;
        let (cpu, strtab) = (self.cpu, self.strtab);
        let mut strings =
            Strings { cpu, strtab, page: u32::MAX, bytes: Vec::new(), left: CHUNKS, nameless: 0 };
        self.each_entry(|entry| {
            strings.symbol(self.form, entry).is_none_or(|symbol| !is_sane(&symbol, modules) || go_on(&symbol))
        });
        strings.nameless
    }

    /// Goes through the entries until there was enough.
    fn each_entry(&self, mut go_on: impl FnMut(SymbolEntry) -> bool) {
        for first in (0..self.count).step_by(AT_ONCE) {
            let at = self.symtab.wrapping_add((first * SymbolEntry::SIZE) as u64);
            let length = AT_ONCE.min(self.count - first) * SymbolEntry::SIZE;
            let table = read_pages(self.cpu, at, length);
            if !SymbolEntry::of_table(&table).all(&mut go_on) || table.len() < length {
                return;
            }
        }
    }
}

/// Names in guest memory, of which some are read at a time: those of neighbours are mostly near one another.
struct Strings<'a> {
    cpu: &'a Cpu,
    strtab: u64,
    /// Number of the chunk from which on the bytes are, counted from the first name.
    page: u32,
    bytes: Vec<u8>,
    /// How often another chunk may be read.
    left: u32,
    /// Symbols whose chunk was not.
    nameless: u64,
}

impl Strings<'_> {
    /// A symbol with its name.
    fn symbol(&mut self, form: LoadedSymtab, entry: SymbolEntry) -> Option<ElfSymbol<'_>> {
        let page = entry.name / CHUNK;
        if page != self.page {
            let Some(left) = self.left.checked_sub(1) else {
                self.nameless += 1;
                return None;
            };
            self.left = left;
            let at = self.strtab.wrapping_add(u64::from(page) * u64::from(CHUNK));
            // A name may begin with the last byte.
            (self.page, self.bytes) = (page, read_pages(self.cpu, at, CHUNK as usize + NAME + 1));
        }
        form.symbol(SymbolEntry { name: entry.name % CHUNK, ..entry }, &self.bytes)
    }
}

/// Whether a symbol of a module is a function, and can be what it says.
fn is_sane(symbol: &ElfSymbol<'_>, modules: &Range<u64>) -> bool {
    const LONGEST: u64 = 16 << 20;
    symbol.is_function()
        && symbol.name.len() <= NAME
        && symbol.size <= LONGEST
        && modules.contains(&symbol.value)
}

/// As much of `length` bytes as is mapped, page by page.
fn read_pages(cpu: &Cpu, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut done = 0;
    while done < length {
        let at = address.wrapping_add(done as u64);
        let page = cpu.arch().memory.page_size();
        let part = ((page - at % page) as usize).min(length - done);
        if !cpu.read(at, &mut bytes[done..done + part]) {
            bytes.truncate(done);
            break;
        }
        done += part;
    }
    bytes
}
