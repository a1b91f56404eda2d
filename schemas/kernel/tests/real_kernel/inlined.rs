//! Inlined functions of a real kernel, with binutils as witness.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use iotrace_kernel::{Address, Inlined, ModuleFile, ValueLocation};

use super::witness::{addr2line, disassembled};
use super::{folder, kernel, modules};

/// Some that kernels of different ages inline.
const WANTED: &[&str] = &[
    "iomap_add_to_ioend",
    "call_write_iter",
    "call_read_iter",
    "blk_mq_plug",
    "bio_set_op_attrs",
    "bio_list_add",
    "blk_complete_request",
    "__raise_softirq_irqoff",
    "set_task_comm",
    "xfs_buf_ioend",
    "ext4_bio_write_page",
    "scsi_cmd_to_rq",
];

fn wanted(name: &str) -> bool {
    WANTED.contains(&name)
}

/// At its entry each is between the innermost function and the one with the symbol.
fn compare(file: &Path, instances: &[Inlined]) {
    let mut by_section: BTreeMap<Option<&str>, Vec<&Inlined>> = BTreeMap::new();
    for instance in instances {
        assert!(instance.ranges.iter().any(|r| r.holds(&instance.entry)), "{instance:?}");
        by_section.entry(instance.entry.section.as_deref()).or_default().push(instance);
    }
    for (section, instances) in by_section {
        let addresses: Vec<u64> = instances.iter().map(|i| i.entry.offset).collect();
        let Some(chains) = addr2line(file, section, &addresses) else {
            return println!("no addr2line: nothing to compare");
        };
        assert_eq!(chains.len(), instances.len());
        for (instance, chain) in instances.iter().zip(chains) {
            let chain: Vec<_> = chain.into_iter().map(|(function, _)| function).collect();
            let at =
                format!("{} in {} at {:?}: {chain:?}", instance.function, instance.inside, instance.entry);
            let outermost = chain.last().expect(&at);
            assert!(outermost.starts_with(&instance.inside), "{at}");
            assert!(chain.contains(&instance.function), "{at}");
        }
        println!("{} agree with addr2line in {}", instances.len(), section.unwrap_or("the image"));
    }
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn inlined_functions_are_where_addr2line_has_them() {
    let kernel = kernel();
    let start = Instant::now();
    let found = kernel.inlined(&wanted).expect("sound");
    println!("{} instances in {:?}", found.instances.len(), start.elapsed());
    if found.instances.is_empty() {
        return println!("no DWARF: nothing to compare");
    }
    for name in &found.only_inlined {
        assert!(kernel.symbols().by_name(name).next().is_none(), "{name}");
    }
    println!("only inlined: {:?}", found.only_inlined);
    compare(kernel.image().path(), &found.instances);
    let values = found.instances.iter().flat_map(|i| &i.arguments).map(|a| a.value);
    let (unknown, known): (Vec<_>, Vec<_>) = values.partition(|v| *v == ValueLocation::Unknown);
    println!("{} arguments known, {} not", known.len(), unknown.len());
    let pointer = found.instances.iter().flat_map(|i| &i.arguments).find(|a| a.points_to.is_some());
    assert_eq!(pointer.map(|a| a.width), Some(8));
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn inlined_functions_of_modules_are_where_addr2line_has_them() {
    let kernel = kernel();
    let debug = modules(&folder().join("debug"));
    for path in modules(&folder().join("modules")) {
        let Some(debug) = debug.iter().find(|d| d.file_name() == path.file_name()) else {
            continue;
        };
        let module = ModuleFile::open(&path, Some(debug), &kernel).expect("opens");
        let start = Instant::now();
        let found = module.inlined(&wanted).expect("sound");
        println!("{}: {} instances in {:?}", module.name(), found.instances.len(), start.elapsed());
        let in_a_section = |a: &Address| a.section.as_deref().is_some_and(|s| s.contains(".text"));
        assert!(found.instances.iter().all(|i| in_a_section(&i.entry)));
        compare(debug, &found.instances);
    }
}

/// Everything, everywhere: each entry is the address of an instruction.
#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn entries_are_instructions() {
    let kernel = kernel();
    let start = Instant::now();
    let found = kernel.inlined(&|_| true).expect("sound");
    println!("{} instances of any function in {:?}", found.instances.len(), start.elapsed());
    let symbols = kernel.symbols();
    for name in ["submit_bio_noacct", "vfs_write", "blk_mq_submit_bio", "vfs_read"] {
        let Some(function) = symbols.by_name(name).next() else {
            continue;
        };
        let end = function.addr + function.size;
        let Some(code) = disassembled(kernel.image().path(), function.addr, end) else {
            return println!("no objdump: nothing to compare");
        };
        let instructions: Vec<u64> = code.iter().map(|(at, _)| *at).collect();
        let inside = found.instances.iter().map(|i| i.entry.offset);
        let inside: Vec<_> = inside.filter(|at| (function.addr..end).contains(at)).collect();
        assert!(inside.iter().all(|at| instructions.contains(at)), "{name}");
        println!("{name}: {} of {} instructions", inside.len(), instructions.len());
    }
}
