//! Where in the source the calls are that lead to the catalog's functions.
//!
//! In: the functions found, the code of the image and of the modules, their line tables. Out: for each call of
//! one of the functions, and each call through a pointer in one of them, the functions that the call is in,
//! inlined ones first, with file and line.

use super::functions::Ground;
use crate::{FunctionLocation, ProbedFunction, Profile};
use iotrace_arch::Callee;
use iotrace_format::definition::SiteFrame;
use iotrace_kernel::{Kernel, Lines, ModuleFile};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Fills in the profile's sites; without line tables there are none.
pub fn find(ground: &Ground<'_>, profile: &mut Profile) {
    profile.jumpers = jumpers(ground.kernel, &profile.functions);
    if let Some(lines) = &ground.lines {
        profile.sites = in_image(ground.kernel, lines, &profile.functions);
    }
    let names: BTreeSet<_> =
        profile.functions.iter().flat_map(|f| f.symbols.first()).map(String::as_str).collect();
    let mut sites = BTreeMap::new();
    for (module, lines) in &ground.modules {
        if let Some(lines) = lines {
            in_module(module, lines, &names, &mut sites);
        }
    }
    profile.module_sites = sites;
}

/// Functions of the image that may end in a jump to one of `targets`, or to another such function.
fn jumpers(kernel: &Kernel, functions: &[ProbedFunction]) -> Vec<Range<u64>> {
    let placed = functions.iter().filter(|f| f.inside.is_empty()).filter_map(|f| match f.place {
        FunctionLocation::Image(address) => Some(address),
        _ => None,
    });
    let targets: BTreeSet<_> = placed.collect();
    let mut found = BTreeSet::new();
    // A chain of more jumps than that has not been seen.
    for _ in 0..3 {
        let before = found.len();
        for section in kernel.image().sections().iter().filter(|s| s.executable && s.allocated) {
            let Some(code) = kernel.image().section_data(&section.name) else { continue };
            for (from, to) in kernel.image().arch().code.jumps(code, section.address) {
                if !targets.contains(&to) && !found.contains(&to) {
                    continue;
                }
                let holder = kernel.symbols().at(from).map(|symbol| symbol.addr);
                found.extend(holder.filter(|holder| *holder != to && !targets.contains(holder)));
            }
        }
        if found.len() == before {
            break;
        }
    }
    // Up to the next symbol: not all have a size.
    let starts: Vec<_> = kernel.symbols().iter().map(|symbol| symbol.addr).collect();
    let next = |start: u64| starts.get(starts.partition_point(|other| *other <= start)).copied();
    found.into_iter().filter_map(|start| Some(start..next(start)?)).collect()
}

fn in_image(kernel: &Kernel, lines: &Lines<'_>, functions: &[ProbedFunction]) -> Vec<(u64, Vec<SiteFrame>)> {
    let placed = functions.iter().filter(|f| f.inside.is_empty()).filter_map(|f| match f.place {
        FunctionLocation::Image(address) => Some((address, f.size)),
        _ => None,
    });
    let placed: BTreeMap<_, _> = placed.collect();
    let arch = kernel.image().arch();
    let calls = kernel.symbols().iter().filter(|s| arch.code.patched_call(s.name, 0).is_some());
    let thunks: BTreeMap<_, _> = calls.map(|s| (s.addr, s.name)).collect();
    let within = |address: u64| placed.range(..=address).next_back().is_some_and(|(a, s)| address - a < *s);
    let mut sites = Vec::new();
    for section in kernel.image().sections().iter().filter(|s| s.executable && s.allocated) {
        let Some(code) = kernel.image().section_data(&section.name) else { continue };
        for (after, callee) in arch.code.calls(code, section.address) {
            let wanted = match callee {
                Callee::Address(target) if thunks.contains_key(&target) => within(after),
                Callee::Address(target) => placed.contains_key(&target),
                Callee::Pointer => within(after),
            };
            if !wanted {
                continue;
            }
            let Some(frames) = site(lines.chain(after)) else { continue };
            if let Callee::Address(target) = callee
                && let Some(patched) =
                    thunks.get(&target).and_then(|name| arch.code.patched_call(name, after))
            {
                sites.push((patched, frames.clone()));
            }
            sites.push((after, frames));
        }
    }
    sites.sort_by_key(|(address, _)| *address);
    sites.dedup_by_key(|(address, _)| *address);
    sites
}

/// What is kept of a call's functions; none if DWARF has none.
fn site<E>(chain: Result<Vec<iotrace_kernel::SourceFrame>, E>) -> Option<Vec<SiteFrame>> {
    let frames = chain.ok()?;
    let frame = |f: iotrace_kernel::SourceFrame| {
        let (file, line) = f.place.map_or_else(Default::default, |p| (p.file, p.line));
        SiteFrame { function: f.function, file, line }
    };
    Some(frames.into_iter().map(frame).collect::<Vec<_>>()).filter(|f| !f.is_empty())
}

fn in_module(
    module: &ModuleFile,
    lines: &Lines<'_>,
    names: &BTreeSet<&str>,
    sites: &mut BTreeMap<(String, String, u64), Vec<SiteFrame>>,
) {
    let mut functions: Vec<_> =
        module.symbols().filter(|s| s.kind == iotrace_kernel::SymbolKind::Function).collect();
    functions.sort_by_key(|s| (s.section, s.offset));
    let holder = |section: &str, offset: u64| {
        let at = functions.partition_point(|s| (s.section, s.offset) <= (section, offset));
        functions.get(at.checked_sub(1)?).filter(|s| s.section == section && offset - s.offset <= s.size)
    };
    let mut add = |section: &str, after: u64, patched: Option<u64>| {
        let Some(function) = holder(section, after.wrapping_sub(1)) else { return };
        let Some(frames) = site(lines.chain_in_section(section, after)) else { return };
        let key = |after: u64| (module.name(), function.name.to_owned(), after - function.offset);
        if let Some(patched) = patched {
            sites.insert(key(patched), frames.clone());
        }
        sites.insert(key(after), frames);
    };
    let probed =
        |section: &str, after: u64| holder(section, after - 1).is_some_and(|f| names.contains(f.name));
    for call in module.relocated_calls() {
        let patched = module.image().arch().code.patched_call(call.symbol, call.after);
        if names.contains(call.symbol) || patched.is_some() && probed(call.section, call.after) {
            add(call.section, call.after, patched);
        }
    }
    for section in module.image().sections().iter().filter(|s| s.executable && s.allocated) {
        let Some(code) = module.image().section_data(&section.name) else { continue };
        for (after, callee) in module.image().arch().code.calls(code, 0) {
            let wanted = match callee {
                Callee::Address(target) => functions
                    .binary_search_by_key(&(section.name.as_str(), target), |s| (s.section, s.offset))
                    .is_ok_and(|at| names.contains(functions[at].name)),
                Callee::Pointer => probed(&section.name, after),
            };
            if wanted {
                add(&section.name, after, None);
            }
        }
    }
}
