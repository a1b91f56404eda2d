//! Instances of the catalog's functions that the compiler inlined into others.

use super::CompileError;
use super::functions::{FunctionMatch, Ground};
use super::signature::Signature;
use crate::FunctionLocation;
use iotrace_catalog::Catalog;
use iotrace_kernel::{Inlined, Lines};
use std::collections::{BTreeMap, BTreeSet};

/// The instances of each entry, by the catalog's name, each with the name it has in this kernel; none without
/// line tables.
///
/// # Errors
/// Those of reading DWARF.
pub fn find<'a>(
    catalog: &Catalog,
    ground: &Ground<'a>,
) -> Result<BTreeMap<String, Vec<(String, FunctionMatch<'a>)>>, CompileError> {
    // A label in assembly is nothing that a compiler inlines.
    let functions = catalog.functions.iter().filter(|f| f.exit);
    let names: BTreeMap<_, _> =
        functions.flat_map(|f| f.names().map(move |name| (name, f.name.as_str()))).collect();
    let wanted = |name: &str| names.contains_key(name);
    let of_headers = catalog.functions.iter().filter(|f| f.header).flat_map(|f| f.names()).collect();
    let probed = |instance: &Inlined| is_probed(instance, &of_headers);
    let mut found = BTreeMap::<String, Vec<_>>::new();
    let mut add = |instance: FunctionMatch<'a>, name: &str| {
        // What the compiler split in two, and put one part into the other, is one function.
        let itself = instance.inside.iter().any(|outer| outer == name);
        if let Some(entry) = names.get(name).filter(|_| !itself) {
            found.entry((*entry).to_owned()).or_default().push((name.to_owned(), instance));
        }
    };
    if let Some(lines) = &ground.lines {
        for instance in distinct(ground.kernel.inlined(&wanted)?.instances, &probed) {
            if let Some(placed) = in_image(ground, lines, &instance) {
                add(placed, &instance.function);
            }
        }
    }
    for (module, lines) in &ground.modules {
        let Some(lines) = lines else { continue };
        for instance in distinct(module.inlined(&wanted)?.instances, &probed) {
            if let Some(placed) = in_module(ground, module, lines, &instance) {
                add(placed, &instance.function);
            }
        }
    }
    Ok(found)
}

/// The instances that are probed. One that was taken apart and put into one function several times over begins at one
/// address once.
fn distinct(instances: Vec<Inlined>, probed: &impl Fn(&Inlined) -> bool) -> Vec<Inlined> {
    let mut seen = BTreeSet::new();
    let mut first = |i: &Inlined| seen.insert((i.function.clone(), i.entry.clone()));
    instances.into_iter().filter(probed).filter(|i| first(i)).collect()
}

/// What a header defines is a helper that is everywhere, though older kernels may have it as a function: of those, only
/// what the catalog says is of one.
fn is_probed(instance: &Inlined, of_headers: &BTreeSet<&str>) -> bool {
    let helper = instance.declared.as_ref().is_some_and(|place| place.file.ends_with(".h"));
    !helper || of_headers.contains(instance.function.as_str())
}

fn in_image<'a>(ground: &Ground<'a>, lines: &Lines<'a>, instance: &Inlined) -> Option<FunctionMatch<'a>> {
    let address = instance.entry.offset;
    let symbol = ground.kernel.symbols().at(address)?;
    Some(FunctionMatch {
        symbol: symbol.name.to_owned(),
        place: FunctionLocation::Image(address),
        size: 0,
        cold: None,
        offset: address - symbol.addr,
        inside: inside(lines, address, instance),
        signature: Signature::of_inlined(instance),
        returns: None,
        types: vec![ground.kernel.types()],
        line: line(instance),
    })
}

fn in_module<'a>(
    ground: &Ground<'a>,
    module: &'a iotrace_kernel::ModuleFile,
    lines: &Lines<'a>,
    instance: &Inlined,
) -> Option<FunctionMatch<'a>> {
    let section = instance.entry.section.as_deref()?;
    let offset = instance.entry.offset;
    let holds = |s: &iotrace_kernel::ModuleSymbol<'_>| {
        s.kind == iotrace_kernel::SymbolKind::Function
            && s.section == section
            && (s.offset..s.offset.saturating_add(s.size)).contains(&offset)
    };
    let symbol = module.symbols().find(holds)?;
    Some(FunctionMatch {
        symbol: symbol.name.to_owned(),
        place: FunctionLocation::Module(module.name()),
        size: 0,
        cold: None,
        offset: offset - symbol.offset,
        inside: inside(lines, lines.module_address(section, offset)?, instance),
        signature: Signature::of_inlined(instance),
        returns: None,
        types: vec![module.types(), ground.kernel.types()],
        line: line(instance),
    })
}

/// The functions around an instance, the innermost first.
fn inside(lines: &Lines<'_>, address: u64, instance: &Inlined) -> Vec<String> {
    let frames = lines.frames(address).unwrap_or_default();
    let own = frames.iter().position(|frame| frame.function == instance.function);
    let outer = own.map_or(&[][..], |own| &frames[own + 1..]);
    let mut names: Vec<_> = outer.iter().map(|frame| frame.function.clone()).collect();
    if names.is_empty() {
        names.push(instance.inside.clone());
    }
    names
}

fn line(instance: &Inlined) -> (String, u32) {
    instance.declared.as_ref().map_or_else(Default::default, |place| (place.file.clone(), place.line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_kernel::{Address, SourceLine};

    fn instance(function: &str, file: &str, offset: u64) -> Inlined {
        Inlined {
            function: function.into(),
            inside: "wb_start_background_writeback".into(),
            entry: Address { section: None, offset },
            ranges: Vec::new(),
            call: None,
            declared: Some(SourceLine { file: file.into(), line: 1 }),
            arguments: Vec::new(),
        }
    }

    #[test]
    fn of_what_headers_define_only_what_the_catalog_says_is_probed() {
        let instances = vec![
            instance("mod_delayed_work", "include/linux/workqueue.h", 1),
            instance("mod_delayed_work", "include/linux/workqueue.h", 1),
            instance("mod_delayed_work", "include/linux/workqueue.h", 2),
            instance("wait_on_page_writeback", "include/linux/pagemap.h", 3),
            instance("wb_wakeup", "fs/fs-writeback.c", 4),
        ];
        let of_headers = BTreeSet::from(["mod_delayed_work"]);
        let found = distinct(instances, &|instance| is_probed(instance, &of_headers));
        assert_eq!(found.iter().map(|i| i.entry.offset).collect::<Vec<_>>(), [1, 2, 4]);
    }
}
