//! The catalog against the names that a kernel has on its I/O path.

use iotrace_arch::FIRST;
use iotrace_catalog::{Action, Catalog, CatalogFunction};
use iotrace_format::stage::Stage;
use std::collections::BTreeMap;

/// In one kernel the label that interrupts enter through, in a later one the function that it calls: each of
/// the two entries finds another of its names first where this one is not meant.
const TWO_MEANINGS: &[&str] = &["common_interrupt"];

/// What never returns: to probe it tells nothing, and its frame would stay open for ever.
const LOOPS: &[&str] = &[
    "worker_thread",
    "xfsaild",
    "kjournald2",
    "kswapd",
    "scsi_error_handler",
    "kthread",
    "ext4_lazyinit_thread",
];

fn by_name(catalog: &Catalog) -> BTreeMap<&str, Vec<&CatalogFunction>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for function in &catalog.functions {
        for name in function.names() {
            found.entry(name).or_default().push(function);
        }
    }
    found
}

/// What is wrong with the catalog's entries for `wanted`: a name in each line, and the stage that it tells.
fn missing(wanted: &str) -> String {
    let catalog = Catalog::load(&[], FIRST).unwrap();
    let names = by_name(&catalog);
    let mut wrong = String::new();
    for line in wanted.lines() {
        let mut words = line.split_whitespace();
        let Some(name) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let entries = names.get(name).into_iter().flatten();
        let stages: Vec<_> = entries.map(|f| Stage::name_or(f.stage.as_ref(), &f.label)).collect();
        if stages.is_empty() {
            wrong += &format!("{name} is not in the catalog\n");
        } else if let Some(stage) = words.next().filter(|stage| !stages.iter().any(|s| s == stage)) {
            wrong += &format!("{name} tells {stages:?}, not {stage}\n");
        }
    }
    wrong
}

#[test]
fn the_path_of_a_3_10_kernel_is_covered() {
    assert_eq!(missing(include_str!("data/names-3.10.txt")), "");
}

#[test]
fn the_path_of_a_7_2_kernel_is_covered() {
    assert_eq!(missing(include_str!("data/names-7.2.txt")), "");
}

#[test]
fn no_name_stands_for_two_things() {
    let catalog = Catalog::load(&[], FIRST).unwrap();
    for (name, entries) in by_name(&catalog) {
        let entries: Vec<_> = entries.iter().map(|e| e.name.as_str()).collect();
        assert!(entries.len() == 1 || TWO_MEANINGS.contains(&name), "{name} is in {entries:?}");
    }
}

#[test]
fn what_loops_for_ever_is_left_out() {
    let catalog = Catalog::load(&[], FIRST).unwrap();
    let names = by_name(&catalog);
    for name in LOOPS {
        assert!(!names.contains_key(name), "{name}");
    }
}

#[test]
fn where_another_tells_the_stage_it_is_an_entry() {
    let catalog = Catalog::load(&[], FIRST).unwrap();
    for function in &catalog.functions {
        for other in &function.unless {
            let there = catalog.functions.iter().any(|f| f.name == *other);
            assert!(there, "{}: unless {other}: no entry has this name", function.name);
        }
    }
}

#[test]
fn labels_and_what_never_returns_have_no_exit() {
    let catalog = Catalog::load(&[], FIRST).unwrap();
    for function in &catalog.functions {
        let label =
            matches!(function.stage, Some(Stage::IrqFrame | Stage::ExceptionFrame | Stage::TaskSwitch));
        let end = matches!(function.action, Action::Shutdown(_));
        // A moment, in functions that end in a jump to an accessor of ports.
        let moment = function.stage == Some(Stage::CommandDoorbell);
        assert_eq!(function.exit, !label && !end && !moment, "{}", function.name);
    }
}
