//! The functions that are not of the catalog, for a trace of every function.
//!
//! In: the symbols of the image or of a module. Out: those that are functions, each at one address under one name.

use iotrace_kernel::{Symbol, SymbolKind};
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
pub fn functions<'a>(symbols: impl Iterator<Item = Symbol<'a>>) -> impl Iterator<Item = Other<'a>> {
    let mut last = None;
    let functions = symbols.filter(is_function).filter(move |s| last.replace(s.addr) != Some(s.addr));
    functions.map(|s| Other {
        name: s.name,
        code: s.addr..s.addr.saturating_add(s.size),
        entered: s.cold_part_of().is_none(),
    })
}

/// Whether a symbol's code is called and returns.
fn is_function(symbol: &Symbol<'_>) -> bool {
    // Thunks of calls, jumps and returns (arch/x86/lib/retpoline.S), static calls (include/linux/static_call_types.h),
    // padding before functions (CONFIG_CALL_PADDING).
    const BEGINNINGS: [&str; 4] = ["__x86_", "__SCT__", "__pfx_", "ret_from_fork"];
    // Switches of stacks and tasks (arch/x86/entry/entry_64.S, arch/x86/kernel/process_64.c); what calls of the
    // guest's own tracing go through (arch/x86/kernel/ftrace_64.S, rethook.c, kprobes/core.c).
    const NAMES: [&str; 11] = [
        "__switch_to_asm",
        "__switch_to",
        "rewind_stack_and_make_dead",
        "__fentry__",
        "ftrace_caller",
        "ftrace_regs_caller",
        "ftrace_graph_caller",
        "ftrace_stub",
        "return_to_handler",
        "arch_rethook_trampoline",
        "__kretprobe_trampoline",
    ];
    let name = symbol.name;
    symbol.kind == SymbolKind::Function
        && symbol.size != 0
        && !BEGINNINGS.iter().any(|begin| name.starts_with(begin))
        && !name.ends_with("_return_thunk")
        && !NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_kernel::SymbolTable;

    #[test]
    fn a_function_has_one_name_and_thunks_are_none() {
        let symbol = |(name, addr, size, kind)| Symbol { name, addr, size, kind };
        let symbols = [
            ("__pfx_f", 0x0ff0, 16, SymbolKind::Function),
            ("__se_f", 0x1000, 32, SymbolKind::Function),
            ("f", 0x1000, 32, SymbolKind::Function),
            ("label", 0x1010, 16, SymbolKind::Other),
            ("__x86_return_thunk", 0x1020, 16, SymbolKind::Function),
            ("f.cold", 0x1030, 8, SymbolKind::Function),
            ("f.part.0", 0x1040, 8, SymbolKind::Function),
        ];
        let table = SymbolTable::new(symbols.map(symbol));
        let found: Vec<_> =
            functions(table.iter()).map(|o| (o.name, o.code.start, o.code.end, o.entered)).collect();
        let expected = [
            ("f", 0x1000, 0x1020, true),
            ("f.cold", 0x1030, 0x1038, false),
            ("f.part.0", 0x1040, 0x1048, true),
        ];
        assert_eq!(found, expected);
    }
}
