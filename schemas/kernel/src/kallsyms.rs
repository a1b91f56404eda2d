//! The symbols that a kernel carries for itself, for images without a symbol table.
//!
//! In: the loaded parts of a stripped image. Out: a [`SymbolTable`] with addresses as linked.
//!
//! The tables have no header. They are written by `scripts/kallsyms.c` and read by
//! `kernel/kallsyms.c` of the kernel; what they have in common from 3.10 to 7.3:
//!
//! ```text
//! num_syms | names | markers | (seqs_of_names, 6.2 and 6.3) | token_table | token_index
//! ```
//!
//! and where the addresses are, and how they are written, differs (see [`addresses`]). So the
//! token table is found by its shape, the rest from there, and nothing is believed before
//! the whole decodes to sorted addresses with the symbols every kernel has.

mod addresses;
mod names;
mod tokens;

use crate::budget::WorkBudget;
use crate::elf::Loaded;
use crate::symbol::{KernelSymbol, SymbolKind, SymbolTable};
use names::NameTable;
use tokens::Tokens;

/// What the search came to.
pub(crate) enum KallsymsResult {
    /// A table that passed every check.
    Table(SymbolTable),
    /// Nothing; so many places looked like a token table.
    Nothing { candidates: usize },
    /// Nothing in [`STEPS`] steps.
    TooLong,
}

/// Most steps of a search: places looked at, markers and names read. Debian's kernels take a million.
pub(crate) const STEPS: u64 = 1 << 28;

/// Searches the loaded parts for kallsyms tables. `read(address)` gives the bytes that are
/// loaded there, to check what the symbols say against the image.
pub(crate) fn find<'a>(loaded: &[Loaded], read: impl Fn(u64) -> Option<&'a [u8]>) -> KallsymsResult {
    let mut candidates = 0;
    let budget = WorkBudget::new(STEPS);
    for part in loaded {
        for tokens in tokens::find(&part.bytes) {
            candidates += 1;
            let Some(names) = names::find(&part.bytes, &tokens, &budget) else {
                if budget.is_spent() {
                    return KallsymsResult::TooLong;
                }
                continue;
            };
            if let Some(table) = decode(part, &tokens, &names, &read) {
                return KallsymsResult::Table(table);
            }
        }
    }
    KallsymsResult::Nothing { candidates }
}

fn decode<'a>(
    part: &Loaded,
    tokens: &Tokens,
    names: &NameTable,
    read: &impl Fn(u64) -> Option<&'a [u8]>,
) -> Option<SymbolTable> {
    let texts = names.texts(&part.bytes, tokens)?;
    let places = addresses::places(part, tokens, names);
    places.into_iter().find_map(|place| {
        let addresses = place.decode(part, names.count)?;
        sorted(&addresses).then_some(())?;
        let mut table = table(&texts, &addresses);
        plausible(&table, read).then_some(())?;
        table.derive_sizes();
        Some(table)
    })
}

/// `scripts/kallsyms.c` takes `nm -n`'s order. A few out of it (absolute symbols) are borne.
fn sorted(addresses: &[u64]) -> bool {
    let falls = addresses.windows(2).filter(|w| matches!(w, [a, b] if a > b)).count();
    falls <= 1 + addresses.len() / 1000
}

/// Each text starts with nm's letter for the symbol's type.
fn table(texts: &[String], addresses: &[u64]) -> SymbolTable {
    let symbols = texts.iter().zip(addresses).filter_map(|(text, addr)| {
        let letter = text.chars().next()?;
        let name = text.get(letter.len_utf8()..)?;
        Some(KernelSymbol { name, addr: *addr, size: 0, kind: kind(letter) })
    });
    SymbolTable::new(symbols)
}

fn kind(letter: char) -> SymbolKind {
    match letter.to_ascii_lowercase() {
        't' | 'w' => SymbolKind::Function,
        'd' | 'b' | 'r' | 'v' => SymbolKind::Object,
        _ => SymbolKind::Other,
    }
}

/// `_stext` must lie in the image; with CONFIG_KALLSYMS_ALL there is `linux_banner`, whose
/// text is known.
fn plausible<'a>(table: &SymbolTable, read: &impl Fn(u64) -> Option<&'a [u8]>) -> bool {
    let start = table.by_name("_stext").chain(table.by_name("_text")).next();
    let in_image = start.is_some_and(|s| read(s.addr).is_some());
    let banner = table.by_name("linux_banner").next();
    let says_so = |s: KernelSymbol<'_>| read(s.addr).is_some_and(|b| b.starts_with(b"Linux version"));
    in_image && banner.is_none_or(says_so)
}

#[cfg(test)]
mod tests;
