//! Calls in tests/data/inlined.c, as addr2line and objdump show them.

use std::path::PathBuf;

use crate::{Kernel, ModuleFile, SourceFrame, SourceLine};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn frame(function: &str, line: u32) -> SourceFrame {
    let place = Some(SourceLine { file: "inlined.c".to_string(), line });
    SourceFrame { function: function.to_string(), place }
}

#[test]
fn a_call_is_in_a_chain_of_functions() {
    let kernel = Kernel::open(&data("inlined.elf")).expect("checked in");
    let lines = kernel.lines().expect("sound").expect("there");
    let chain = |address| lines.chain(address).expect("sound");
    // call complain, in the far part.
    assert_eq!(chain(0x40_100a), [frame("settle", 87), frame("divided", 95)]);
    // call hold; at the address it returns to `settle` begins.
    assert_eq!(chain(0x40_115e), [frame("divided", 94)]);
    assert_eq!(lines.frames(0x40_115e).expect("sound").len(), 2);
    // jmp hold, the last instruction of all.
    assert_eq!(chain(0x40_1190), [frame("start", 102)]);
    for nowhere in [0, 1, 0x40_0000, u64::MAX] {
        assert_eq!(chain(nowhere), []);
    }
}

#[test]
fn a_call_in_a_module_is_too() {
    let kernel = Kernel::open(&data("inlined.elf")).expect("checked in");
    let module = ModuleFile::open(&data("inlined.ko"), None, &kernel).expect("checked in");
    let lines = module.lines().expect("sound").expect("there");
    let chain = |section, offset| lines.chain_in_section(section, offset).expect("sound");
    assert_eq!(chain(".text.unlikely", 0xa), [frame("settle", 87), frame("divided", 95)]);
    // At the end of its section.
    assert_eq!(chain(".init.text", 0x10), [frame("start", 102)]);
    assert_eq!(chain(".init.text", 0x11), []);
    assert_eq!((chain(".text", 0), chain(".nothing", 1)), (vec![], vec![]));
}
