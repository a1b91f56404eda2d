//! What the functions of a kernel and of its modules return, by their types.
//!
//! In: symbols, types, line tables if they were read. Out: [`ReturnTypes`]. What is not certain is left out.

use super::functions::Ground;
use crate::ReturnTypes;
use iotrace_format::definition::ReturnType;
use iotrace_kernel::{
    Kernel, KernelSymbol, Lines, ModuleFile, ModuleSymbol, Returned, SourceLine, SymbolKind, Types,
};
use std::collections::BTreeMap;

/// What types say a function returns.
pub fn of(returned: Returned) -> Option<ReturnType> {
    match returned {
        Returned::Nothing => Some(ReturnType::Void),
        Returned::Bool => Some(ReturnType::Bool),
        Returned::Pointer => Some(ReturnType::Pointer),
        Returned::Integer { size, signed } => ReturnType::integer(size, signed),
    }
}

/// What all functions return.
pub fn all(ground: &Ground<'_>) -> ReturnTypes {
    let (kernel, lines) = (ground.kernel, ground.lines.as_ref());
    let in_image = |s: KernelSymbol<'_>| Some((s.addr, in_image(kernel, lines, s, false)?));
    let image = kernel.symbols().functions().filter_map(in_image).collect();
    let mut modules = BTreeMap::new();
    for (module, lines) in &ground.modules {
        let functions = module.symbols().filter(|symbol| symbol.kind == SymbolKind::Function);
        let typed = functions.filter_map(|symbol| {
            Some((symbol.name.to_owned(), in_module(module, lines.as_ref(), symbol, false)?))
        });
        modules.insert(module.name(), Vec::from_iter(typed));
    }
    ReturnTypes::new(image, modules)
}

/// What a function of the image returns; `is_c` if it is known to be written in C.
pub fn in_image(
    kernel: &Kernel,
    lines: Option<&Lines<'_>>,
    symbol: KernelSymbol<'_>,
    is_c: bool,
) -> Option<ReturnType> {
    let returns = of(kernel.returned(symbol.name)?)?;
    let source = || lines.map(|lines| lines.at(symbol.addr).ok().flatten());
    certain(returns, kernel.types(), symbol.name, source, is_c)
}

/// The same of a function that may have another name, under which it is described: system calls up to 4.16, `sys_read` of
/// `SyS_read` (include/linux/syscalls.h: SYSCALL_DEFINEx).
pub fn under_any_name(
    kernel: &Kernel,
    lines: Option<&Lines<'_>>,
    symbol: KernelSymbol<'_>,
    is_c: bool,
) -> Option<ReturnType> {
    in_image(kernel, lines, symbol, is_c).or_else(|| {
        let others = kernel.symbols().functions().filter(|s| s.addr == symbol.addr && s.name != symbol.name);
        let mut types = others.map(|other| in_image(kernel, lines, other, is_c));
        let first = types.next()??;
        types.all(|other| other == Some(first)).then_some(first)
    })
}

/// The same of a function of a module.
pub fn in_module(
    module: &ModuleFile,
    lines: Option<&Lines<'_>>,
    symbol: ModuleSymbol<'_>,
    is_c: bool,
) -> Option<ReturnType> {
    let returns = of(module.returned(symbol.name)?)?;
    let source = || lines.map(|lines| lines.in_section(symbol.section, symbol.offset).ok().flatten());
    certain(returns, module.types(), symbol.name, source, is_c)
}

/// BTF describes what is written in assembly as if it took and returned nothing: of what it describes so, the source has
/// to be C.
fn certain(
    returns: ReturnType,
    types: &Types,
    symbol: &str,
    source: impl Fn() -> Option<Option<SourceLine>>,
    is_c: bool,
) -> Option<ReturnType> {
    let name = iotrace_kernel::stem(symbol);
    let takes_nothing = || types.parameters(name).is_none_or(|parameters| parameters.is_empty());
    if returns != ReturnType::Void || types.origin() != "BTF" || !takes_nothing() {
        return Some(returns);
    }
    let is_c = source().map_or(is_c, |line| line.is_some_and(|line| line.file.ends_with(".c")));
    is_c.then_some(returns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// schemas/kernel/tests/data/returns.elf, not linked: its sections begin at 0.
    fn kernel() -> Kernel {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/tests/data/returns.elf");
        Kernel::open(&path).expect("checked in")
    }

    fn returns(kernel: &Kernel, lines: Option<&Lines<'_>>, name: &str, is_c: bool) -> Option<ReturnType> {
        let mut named = kernel.symbols().functions().filter(|symbol| symbol.name == name);
        in_image(kernel, lines, named.next().expect("it is a function of the image"), is_c)
    }

    #[test]
    fn all_that_returns_nothing_is_known_by_its_source() {
        let kernel = kernel();
        let lines = kernel.lines().expect("sound");
        for (name, expected) in [
            ("nothing", Some(ReturnType::Void)),
            ("no_parameters", Some(ReturnType::Void)),
            ("number", Some(ReturnType::S32)),
            ("status", Some(ReturnType::U8)),
            ("truth", Some(ReturnType::Bool)),
            ("split", Some(ReturnType::Pointer)),
            ("pair", None),
            // Two functions of one name: BTF has one of them, or none.
            ("twin", None),
            ("alike", Some(ReturnType::S32)),
            ("in_assembly", None),
        ] {
            assert_eq!(returns(&kernel, lines.as_ref(), name, false), expected, "{name}");
            // What is said of the language matters only where the lines do not tell it.
            assert_eq!(returns(&kernel, lines.as_ref(), name, true), expected, "{name}");
        }
        // Without lines, nobody can tell it from assembly.
        assert_eq!(returns(&kernel, None, "no_parameters", false), None);
        assert_eq!(returns(&kernel, None, "no_parameters", true), Some(ReturnType::Void));
        assert_eq!(returns(&kernel, None, "nothing", false), Some(ReturnType::Void));
    }

    #[test]
    fn a_system_call_returns_what_it_does_under_its_other_name() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/tests/data/syscalls.elf");
        let kernel = Kernel::open(&path).expect("checked in");
        let lines = kernel.lines().expect("sound");
        let of = |name: &str| {
            let symbol = kernel.symbols().functions().find(|symbol| symbol.name == name).expect("there");
            [in_image, under_any_name].map(|find| find(&kernel, lines.as_ref(), symbol, true))
        };
        assert_eq!(of("SyS_f"), [Some(ReturnType::S64); 2]);
        assert_eq!(of("sys_f"), [None, Some(ReturnType::S64)]);
    }
}
