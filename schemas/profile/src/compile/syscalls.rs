//! System calls that are not in the catalog: each is probed, since any of them may be why there is disk I/O.
//!
//! In: the catalog, the kernel's symbols. Out: functions as the catalog would have them, without arguments.

use iotrace_arch::Arch;
use iotrace_catalog::{Catalog, CatalogFunction};
use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;
use iotrace_kernel::{Kernel, SymbolKind};
use std::collections::BTreeSet;

/// What stands before a system call's name in kernels up to 4.16 (include/linux/syscalls.h: `SYSCALL_DEFINEx`).
const OLD: &str = "SyS_";

/// Stands for system calls that a kernel was built without (kernel/sys_ni.c).
const NONE: &str = "ni_syscall";

/// The functions of the system calls that the catalog has none for.
pub fn others(catalog: &Catalog, kernel: &Kernel) -> Vec<CatalogFunction> {
    let arch = kernel.image().arch();
    let known: BTreeSet<&str> = catalog.functions.iter().flat_map(CatalogFunction::names).collect();
    let symbols = kernel.symbols().iter().filter(|symbol| symbol.kind == SymbolKind::Function);
    let names: BTreeSet<_> = symbols.map(|symbol| symbol.name).filter(|name| !known.contains(name)).collect();
    names.into_iter().filter_map(|symbol| Some(function(symbol, name(symbol, arch)?))).collect()
}

/// Name of the system call whose function has this symbol.
fn name<'a>(symbol: &'a str, arch: &Arch) -> Option<&'a str> {
    let prefixed = |prefix: &&str| symbol.strip_prefix(*prefix)?.strip_prefix("sys_");
    let name = arch.system_call_prefixes.iter().find_map(prefixed).or_else(|| symbol.strip_prefix(OLD))?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && name != NONE;
    is_name.then_some(name)
}

fn function(symbol: &str, name: &str) -> CatalogFunction {
    CatalogFunction {
        name: symbol.to_owned(),
        layer: Layer::Syscall,
        stage: Some(Stage::Syscall(name.into())),
        exit: true,
        ret: "ret".into(),
        ..CatalogFunction::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_arch::FIRST;

    #[test]
    fn the_functions_of_system_calls_are_known_by_their_symbols() {
        let known = FIRST.system_call_prefixes[0].to_owned() + "sys_unlinkat";
        for (symbol, expected) in [
            (known.as_str(), Some("unlinkat")),
            ("SyS_rename", Some("rename")),
            ("sys_imageblit", None),
            ("SyS_ni_syscall", None),
            ("SyS_a.part.0", None),
        ] {
            assert_eq!(name(symbol, FIRST), expected, "{symbol}");
        }
    }
}
