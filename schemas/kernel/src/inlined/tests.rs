//! The image in tests/data/inlined.c. Addresses and registers are those that readelf and
//! objdump show of it.

use std::path::{Path, PathBuf};

use gimli::{EndianSlice, Expression, LittleEndian};
use iotrace_arch::{FIRST, Reg};
use proptest::prelude::*;

use super::ValueLocation::{Constant, Memory, Register, RegisterPlus, Unknown};
use super::value::{ValueQuery, evaluate};
use super::*;
use crate::{Bytes, Image, Kernel, ModuleFile};

const RAX: Reg = Reg::new(0);
const RDX: Reg = Reg::new(1);
const RBX: Reg = Reg::new(3);
const RSI: Reg = Reg::new(4);
const RDI: Reg = Reg::new(5);
const RBP: Reg = Reg::new(6);
const RSP: Reg = Reg::new(7);
const R15: Reg = Reg::new(15);

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn any_of(names: &'static [&'static str]) -> impl Fn(&str) -> bool {
    move |name| names.contains(&name)
}

/// Function, inside, line of the call, entry, values.
type Row = (&'static str, &'static str, u32, u64, Vec<ValueLocation>);

fn memory(register: Reg, offset: i64) -> ValueLocation {
    Memory { register, offset, width: 8 }
}

fn expected() -> [Row; 10] {
    [
        ("account", "start", 101, 0x40_1180, vec![Register(RDI), Constant(5)]),
        ("settle", "divided", 95, 0x40_115e, vec![Register(RBX)]),
        ("account", "twice", 74, 0x40_1139, vec![Register(RBP), memory(RBX, 24)]),
        ("queue_add", "nested", 64, 0x40_10e6, vec![Register(RBP), Register(RBX)]),
        ("account", "nested", 31, 0x40_10ee, vec![Register(RBX), memory(RBP, 24)]),
        // DW_OP_fbreg -80 and -72; the frame is at rsp + 80 here.
        ("account", "in_memory", 57, 0x40_10ad, vec![memory(RSP, 0), memory(RSP, 8)]),
        // DW_AT_entry_pc is 4 less, where its range is empty.
        ("account", "part_of_another", 48, 0x40_1074, vec![Register(RAX), Constant(3)]),
        ("account", "a_constant", 43, 0x40_1060, vec![Register(RDI), Constant(7u64.wrapping_neg())]),
        // DW_AT_entry_pc is 3 less, where its range is empty.
        ("account", "in_registers", 37, 0x40_1056, vec![Register(RDI), Register(RDX)]),
        // In the copy of its own.
        ("account", "queue_add", 31, 0x40_1028, vec![Register(RSI), memory(RDI, 24)]),
    ]
}

fn check(found: &InlinedFunctions, place: impl Fn(u64) -> Address) {
    let rows = expected();
    assert_eq!(found.instances.len(), rows.len());
    for (instance, (function, inside, line, entry, values)) in found.instances.iter().zip(rows) {
        let what = format!("{function} in {inside}");
        assert_eq!((instance.function.as_str(), instance.inside.as_str()), (function, inside));
        assert_eq!(instance.entry, place(entry), "{what}");
        assert!(instance.ranges.iter().any(|r| r.holds(&instance.entry)), "{what}");
        let call = SourceLine { file: "inlined.c".to_string(), line };
        assert_eq!(instance.call, Some(call), "{what}");
        let found: Vec<_> = instance.arguments.iter().map(|a| a.value).collect();
        assert_eq!(found, values, "{what}");
    }
    assert_eq!(found.only_inlined, ["account", "settle"]);
}

#[test]
fn finds_them_in_a_linked_image() {
    let kernel = Kernel::open(&data("inlined.elf")).expect("checked in");
    let found = kernel.inlined(&any_of(&["account", "queue_add", "settle"])).expect("sound");
    check(&found, |offset| Address { section: None, offset });
    let add = &found.instances[3];
    assert_eq!(add.declared.as_ref().map(|d| d.line), Some(28));
    assert_eq!(add.ranges, [Stretch { begin: add.entry.clone(), len: 0x11 }]);
    let said = add.arguments.iter().map(|a| (a.name.as_str(), a.position, a.points_to.as_deref(), a.width));
    assert!(said.eq([("queue", 0, Some("queue"), 8), ("bio", 1, Some("bio"), 8)]));
    let parts = found.instances[1].ranges.iter().map(|r| (r.begin.offset, r.len));
    assert!(parts.eq([(0x40_115e, 0x10), (0x40_1176, 3), (0x40_1002, 0x10)]));
    // What was not asked for is not there, nor what was not inlined.
    let found = kernel.inlined(&any_of(&["queue_add", "hold", "nothing"])).expect("sound");
    assert_eq!((found.instances.len(), found.only_inlined.len()), (1, 0));
}

#[test]
fn finds_them_in_a_module() {
    let kernel = Kernel::open(&data("inlined.elf")).expect("checked in");
    let module = ModuleFile::open(&data("inlined.ko"), None, &kernel).expect("checked in");
    let found = module.inlined(&any_of(&["account", "queue_add", "settle"])).expect("sound");
    check(&found, |address| {
        let (section, base) =
            if address >= 0x40_1180 { (".init.text", 0x40_1180) } else { (".text", 0x40_1020) };
        Address { section: Some(Arc::from(section)), offset: address - base }
    });
    let far = found.instances[1].ranges.last().map(|r| (r.begin.section.as_deref(), r.begin.offset, r.len));
    assert_eq!(far, Some((Some(".text.unlikely"), 2, 0x10)));
}

/// With link-time optimization it is.
#[test]
fn the_description_may_be_in_another_unit() {
    let kernel = Kernel::open(&data("inlined_lto.elf")).expect("checked in");
    let found = kernel.inlined(&any_of(&["account", "queue_add"])).expect("sound");
    let rows: Vec<_> = found.instances.iter().map(|i| (i.function.as_str(), i.inside.as_str())).collect();
    assert_eq!(rows, [("queue_add", "nested"), ("account", "nested"), ("account", "twice")]);
    let values: Vec<_> =
        found.instances[0].arguments.iter().map(|a| (a.points_to.as_deref(), a.value)).collect();
    assert_eq!(values, [(Some("queue"), Register(RBP)), (Some("bio"), Register(RBX))]);
    assert_eq!(found.instances[2].arguments[1].value, memory(RBX, 24));
    assert_eq!(found.only_inlined, ["account", "queue_add"]);
}

#[test]
fn expressions_that_are_not_understood_are_unknown() {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 5 };
    let frame = || Some((RSP, 64));
    let asked = ValueQuery { address: 0, width: 4, registers: &FIRST.registers, frame: &frame };
    let value = |bytes: &[u8]| {
        let expression = Expression(EndianSlice::new(bytes, LittleEndian));
        evaluate(encoding, expression, &asked).unwrap_or(Unknown)
    };
    let rows: [(&[u8], ValueLocation); 18] = [
        (&[0x50], Register(RAX)),
        (&[0x51], Register(RDX)),
        (&[0x5f], Register(R15)),
        (&[0x61], Unknown),                                               // reg17, xmm0
        (&[0x76, 0x70], Memory { register: RBP, offset: -16, width: 4 }), // breg6 -16
        (&[0x91, 0x48], Memory { register: RSP, offset: 8, width: 4 }),   // fbreg -56
        (&[0x91, 0x40, 0x9f], Register(RSP)),                             // fbreg -64; stack_value
        (&[0x70, 8, 0x23, 4, 0x9f], RegisterPlus { register: RAX, offset: 12 }), // plus_uconst
        (&[0x70, 8, 0x06, 0x9f], Memory { register: RAX, offset: 8, width: 8 }), // deref
        (&[0x70, 8, 0x94, 2, 0x9f], Memory { register: RAX, offset: 8, width: 2 }), // deref_size
        (&[0x70, 8, 0x06], Unknown),                                      // at an address in memory
        (&[0x37, 0x9f], Constant(7)),                                     // lit7
        (&[0x09, 0xff, 0x9f], Constant(u64::MAX)),                        // const1s -1
        (&[0x9e, 2, 0x34, 0x12], Constant(0x1234)),                       // implicit_value
        (&[0xa3, 1, 0x55, 0x9f], Unknown),                                // entry_value
        (&[0x50, 0x93, 4, 0x93, 4], Unknown),                             // in pieces
        (&[0x70, 0, 0x31, 0x1a, 0x9f], Unknown),                          // and
        (&[], Unknown),
    ];
    for (bytes, expected) in rows {
        assert_eq!(value(bytes), expected, "{bytes:02x?}");
    }
    let too_wide = ValueQuery { width: 16, ..asked };
    let bytes = EndianSlice::new(&[0x76, 0x70], LittleEndian);
    assert_eq!(evaluate(encoding, Expression(bytes), &too_wide), None);
}

proptest! {
    #[test]
    fn damaged_dwarf_never_panics(
        name in prop::sample::select(vec!["inlined.elf", "inlined.ko", "inlined_lto.elf"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = std::fs::read(data(name)).expect("checked in");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let image = Image::parse(Path::new(name), Bytes::from(bytes));
        if let Ok(kernel) = image.and_then(Kernel::from_image) {
            let _ = kernel.inlined(&|_| true);
        }
    }
}
