//! Symbols, by name and by address.
//!
//! In: (name, address, size, kind) from an ELF symbol table or from kallsyms. Out: a table
//! that answers both ways. Names live in one string; two index arrays serve the look-ups.

use std::hash::Hasher;
use std::sync::OnceLock;

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use rustc_hash::FxHasher;

/// What a symbol stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub enum SymbolKind {
    /// Code that is called: STT_FUNC, or `t`, `T`, `w`, `W` of kallsyms.
    Function,
    /// Data.
    Object,
    /// A label without a type.
    Other,
}

/// A symbol of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    /// Its name, with the compiler's suffix if it has one.
    pub name: &'a str,
    /// Its virtual address as linked.
    pub addr: u64,
    /// Its size in bytes; from kallsyms, which has none, the distance to the next symbol.
    /// 0: unknown.
    pub size: u64,
    /// What it stands for.
    pub kind: SymbolKind,
}

impl KernelSymbol<'_> {
    /// Its name without what the compiler adds.
    #[must_use]
    pub fn stem(&self) -> &str {
        stem(self.name)
    }

    /// The function that it is the seldom executed part of: `f.cold`, of older compilers `f.cold.12`.
    #[must_use]
    pub fn cold_part_of(&self) -> Option<&str> {
        // Most names have no dot, which is soon seen.
        let (function, rest) = self.name.contains('.').then(|| self.name.split_once(".cold"))??;
        (rest.is_empty() || rest.starts_with('.')).then_some(function)
    }
}

/// A symbol's name without what the compiler adds: `.isra.0`, `.constprop.0`, `.part.0`, `.cold`, `.llvm.123`.
#[must_use]
pub fn stem(name: &str) -> &str {
    // A leading dot is part of the name.
    match name.get(1..).and_then(|tail| tail.find('.')) {
        Some(at) => name.get(..=at).unwrap_or(name),
        None => name,
    }
}

/// Is this the whole of a function, as opposed to `.cold` and `.part` pieces of it?
fn is_whole(suffix: &str) -> bool {
    let is_clone = |word: &str| {
        matches!(word, "isra" | "constprop" | "llvm") || word.bytes().all(|b| b.is_ascii_digit())
    };
    suffix.split('.').skip(1).all(is_clone)
}

/// The name in the source of a symbol that has the whole of a function.
pub(crate) fn whole(name: &str) -> Option<&str> {
    let stem = stem(name);
    is_whole(name.get(stem.len()..)?).then_some(stem)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct Entry {
    addr: u64,
    size: u64,
    name: u32,
    len: u16,
    kind: SymbolKind,
}

/// All symbols of a kernel.
#[derive(Debug, Clone, Default)]
pub struct SymbolTable {
    names: String,
    /// By address; among equals what `at` prefers comes first.
    entries: Vec<Entry>,
    /// Hash of the stem, index into `entries`; sorted. Made when first asked for.
    by_stem: OnceLock<Vec<(u64, u32)>>,
}

impl SymbolTable {
    /// Makes a table of symbols in any order.
    pub fn new<'a>(symbols: impl IntoIterator<Item = KernelSymbol<'a>>) -> Self {
        let mut builder = SymbolTableBuilder::default();
        symbols.into_iter().for_each(|symbol| builder.push(symbol));
        builder.build()
    }

    fn sorted(mut self) -> Self {
        let Self { names, entries, .. } = &mut self;
        // Of equals the plainest name first, as kallsyms has them (compare_symbols, scripts/kallsyms.c, of what nm -n
        // prints).
        let key = |e: &Entry| (e.addr, e.kind, e.size == 0, underscores(names, e));
        entries.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| name(names, a).cmp(name(names, b))));
        self
    }

    fn push(&mut self, s: KernelSymbol<'_>) {
        let place = (u32::try_from(self.names.len()), u16::try_from(s.name.len()));
        // A name of 64 KiB, or 4 GiB of names: not a kernel's.
        let (Ok(name), Ok(len)) = place else { return };
        self.names.push_str(s.name);
        self.entries.push(Entry { addr: s.addr, size: s.size, name, len, kind: s.kind });
    }

    /// Gives symbols without a size the distance to the next address; 0 for the last.
    pub fn derive_sizes(&mut self) {
        let mut next = None;
        let mut following = 0;
        for e in self.entries.iter_mut().rev() {
            if next != Some(e.addr) {
                following = next.map_or(0, |n: u64| n - e.addr);
                next = Some(e.addr);
            }
            if e.size == 0 {
                e.size = following;
            }
        }
    }

    fn symbol(&self, e: &Entry) -> KernelSymbol<'_> {
        let Entry { addr, size, kind, .. } = *e;
        KernelSymbol { name: name(&self.names, e), addr, size, kind }
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All symbols, by ascending address.
    pub fn iter(&self) -> impl Iterator<Item = KernelSymbol<'_>> {
        self.entries.iter().map(|e| self.symbol(e))
    }

    /// All functions, by ascending address.
    pub fn functions(&self) -> impl Iterator<Item = KernelSymbol<'_>> {
        self.iter().filter(|s| s.kind == SymbolKind::Function)
    }

    /// Every symbol of exactly that name, by ascending address: static functions may repeat.
    pub fn by_name<'a>(&'a self, name: &str) -> impl Iterator<Item = KernelSymbol<'a>> + use<'a> {
        let name = name.to_string();
        self.with_stem(stem(&name)).filter(move |s| s.name == name)
    }

    /// The function of that name and its `.isra` and `.constprop` clones, each of which has the
    /// whole body; not its `.cold` and `.part` pieces.
    pub fn variants<'a>(&'a self, name: &str) -> impl Iterator<Item = KernelSymbol<'a>> + use<'a> {
        let len = name.len();
        let whole = move |s: &KernelSymbol<'_>| s.name.get(len..).is_some_and(is_whole);
        let functions = self.with_stem(name).filter(|s| s.kind == SymbolKind::Function);
        functions.filter(whole)
    }

    /// The symbols whose name without suffixes is `wanted`, by ascending address.
    fn with_stem<'a>(&'a self, wanted: &str) -> impl Iterator<Item = KernelSymbol<'a>> + use<'a> {
        let by_stem = self.by_stem.get_or_init(|| self.index());
        let (key, wanted) = (hash(wanted), wanted.to_string());
        let first = by_stem.partition_point(|(h, _)| *h < key);
        let bucket = by_stem.iter().skip(first).take_while(move |(h, _)| *h == key);
        let symbols = bucket.filter_map(|(_, i)| self.entries.get(*i as usize));
        symbols.map(|e| self.symbol(e)).filter(move |s| s.stem() == wanted)
    }

    fn index(&self) -> Vec<(u64, u32)> {
        let key = |e| hash(stem(name(&self.names, e)));
        let mut index: Vec<_> = (0u32..).zip(&self.entries).map(|(i, e)| (key(e), i)).collect();
        index.sort_unstable();
        index
    }

    /// The symbol that holds `addr`. Of several at one place, a function before a label.
    /// Labels inside a function (they have no size) do not hide it.
    #[must_use]
    pub fn at(&self, addr: u64) -> Option<KernelSymbol<'_>> {
        // Enough to step over the labels of an entry stub.
        const LOOK_BACK: usize = 256;
        let end = self.entries.partition_point(|e| e.addr <= addr);
        let before = self.entries.get(end.saturating_sub(LOOK_BACK)..end)?;
        // One of a damaged profile need not be sorted.
        let holds = |e: &&Entry| addr.checked_sub(e.addr).is_some_and(|at| at < e.size);
        let nearest = before.iter().rev().find(holds).map(|e| e.addr).or_else(|| {
            // Assembly without sizes: the nearest label.
            before.last().filter(|e| e.size == 0).map(|e| e.addr)
        })?;
        let first = before.partition_point(|e| e.addr < nearest);
        before.get(first).map(|e| self.symbol(e))
    }
}

/// Makes a table of symbols that come one by one, and need not live as long as it.
#[derive(Debug, Default)]
pub struct SymbolTableBuilder(SymbolTable);

impl SymbolTableBuilder {
    /// Adds a symbol.
    pub fn push(&mut self, symbol: KernelSymbol<'_>) {
        self.0.push(symbol);
    }

    /// The table, without spare memory.
    #[must_use]
    pub fn build(mut self) -> SymbolTable {
        self.0.names.shrink_to_fit();
        self.0.entries.shrink_to_fit();
        self.0.sorted()
    }
}

impl PartialEq for SymbolTable {
    fn eq(&self, other: &Self) -> bool {
        (&self.names, &self.entries) == (&other.names, &other.entries)
    }
}

impl Eq for SymbolTable {}

impl Encode for SymbolTable {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (&self.names, &self.entries).encode(encoder)
    }
}

impl<Context> Decode<Context> for SymbolTable {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (names, entries) = Decode::decode(decoder)?;
        Ok(Self { names, entries, by_stem: OnceLock::new() })
    }
}

bincode::impl_borrow_decode!(SymbolTable);

fn name<'a>(names: &'a str, e: &Entry) -> &'a str {
    let start = e.name as usize;
    names.get(start..start + usize::from(e.len)).unwrap_or_default()
}

fn underscores(names: &str, e: &Entry) -> usize {
    name(names, e).bytes().take_while(|b| *b == b'_').count()
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests;
