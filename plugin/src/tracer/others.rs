//! The functions that are not of the catalog, for a trace of every function.
//!
//! In: the symbols of the image or of a module. Out: those that are functions, each at one address under one name.

use iotrace_arch::Code;
use iotrace_kernel::{KernelSymbol, SymbolKind};
use std::ops::Range;

/// A function.
#[derive(Debug, PartialEq, Eq)]
pub struct Other<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its code.
    pub code: Range<u64>,
    /// A function; otherwise a part of one that stands elsewhere and is only jumped to.
    pub entered: bool,
}

/// The functions among symbols, which come by ascending address, of several names of one the plainest first. Left out
/// is what is entered or left in other ways than by a call and a return, so that no return address lies where one is
/// looked for.
pub fn functions<'a>(
    symbols: impl Iterator<Item = KernelSymbol<'a>>,
    code: &'static dyn Code,
) -> impl Iterator<Item = Other<'a>> {
    let mut last = None;
    let functions =
        symbols.filter(move |s| is_function(s, code)).filter(move |s| last.replace(s.addr) != Some(s.addr));
    functions.map(|s| Other {
        name: s.name,
        code: s.addr..s.addr.saturating_add(s.size),
        entered: s.cold_part_of().is_none(),
    })
}

/// Whether a symbol's code is called and returns.
fn is_function(symbol: &KernelSymbol<'_>, code: &dyn Code) -> bool {
    symbol.kind == SymbolKind::Function && symbol.size != 0 && code.is_called(symbol.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_arch::FIRST;
    use iotrace_kernel::SymbolTable;

    #[test]
    fn a_function_has_one_name_and_padding_is_none() {
        let symbol = |(name, addr, size, kind)| KernelSymbol { name, addr, size, kind };
        let symbols = [
            ("__pfx_f", 0x0ff0, 16, SymbolKind::Function),
            ("__se_f", 0x1000, 32, SymbolKind::Function),
            ("f", 0x1000, 32, SymbolKind::Function),
            ("label", 0x1010, 16, SymbolKind::Other),
            ("f.cold", 0x1030, 8, SymbolKind::Function),
            ("f.part.0", 0x1040, 8, SymbolKind::Function),
        ];
        let table = SymbolTable::new(symbols.map(symbol));
        let found: Vec<_> = functions(table.iter(), FIRST.code)
            .map(|o| (o.name, o.code.start, o.code.end, o.entered))
            .collect();
        let expected = [
            ("f", 0x1000, 0x1020, true),
            ("f.cold", 0x1030, 0x1038, false),
            ("f.part.0", 0x1040, 0x1048, true),
        ];
        assert_eq!(found, expected);
    }
}
