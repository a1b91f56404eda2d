//! The functions that are not of the catalog, for a trace of every function.
//!
//! In: the symbols of the image or of a module. Out: those that are functions, each at one address under one name.

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

/// The functions among symbols: name, address, length in bytes, by ascending address. Left out is what is entered or
/// left in other ways than by a call and a return, so that no return address lies where one is looked for.
pub fn functions<'a>(symbols: &[(&'a str, u64, u64)]) -> impl Iterator<Item = Other<'a>> {
    let one_of = |same: &[(&'a str, u64, u64)]| {
        let functions = same.iter().filter(|(name, _, length)| *length != 0 && is_function(name));
        // Of several names the plainest, as in the kernel's own symbol table.
        functions.copied().min_by_key(|(name, ..)| (name.len() - name.trim_start_matches('_').len(), *name))
    };
    let found: Vec<_> = symbols.chunk_by(|(_, a, _), (_, b, _)| a == b).filter_map(one_of).collect();
    found.into_iter().map(|(name, start, length)| Other {
        name,
        code: start..start.saturating_add(length),
        entered: hot(name).is_none(),
    })
}

/// The function that a symbol is the seldom executed part of: `f.cold`, of older compilers `f.cold.12`.
pub fn hot(symbol: &str) -> Option<&str> {
    // Most names have no dot, which is soon seen.
    let (function, rest) = symbol.contains('.').then(|| symbol.split_once(".cold"))??;
    (rest.is_empty() || rest.starts_with('.')).then_some(function)
}

/// Whether a symbol's code is called and returns.
fn is_function(name: &str) -> bool {
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
    !BEGINNINGS.iter().any(|begin| name.starts_with(begin))
        && !name.ends_with("_return_thunk")
        && !NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_one_name_and_thunks_are_none() {
        let symbols = [
            ("__pfx_f", 0x0ff0, 16),
            ("__se_f", 0x1000, 32),
            ("f", 0x1000, 32),
            ("label", 0x1010, 0),
            ("__x86_return_thunk", 0x1020, 16),
            ("f.cold", 0x1030, 8),
            ("f.part.0", 0x1040, 8),
        ];
        let found: Vec<_> =
            functions(&symbols).map(|o| (o.name, o.code.start, o.code.end, o.entered)).collect();
        let expected = [
            ("f", 0x1000, 0x1020, true),
            ("f.cold", 0x1030, 0x1038, false),
            ("f.part.0", 0x1040, 0x1048, true),
        ];
        assert_eq!(found, expected);
    }
}
