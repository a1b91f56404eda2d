//! Look-ups in tables made by hand.

use super::*;

fn function(name: &str, addr: u64, size: u64) -> KernelSymbol<'_> {
    KernelSymbol { name, addr, size, kind: SymbolKind::Function }
}

fn names<'a>(found: impl Iterator<Item = KernelSymbol<'a>>) -> Vec<&'a str> {
    found.map(|s| s.name).collect()
}

#[test]
fn finds_repeated_static_functions() {
    let table = SymbolTable::new([
        function("bio_init", 0x30, 8),
        function("end_io", 0x20, 8),
        function("end_io", 0x10, 8),
    ]);
    let addrs: Vec<_> = table.by_name("end_io").map(|s| s.addr).collect();
    assert_eq!(addrs, [0x10, 0x20]);
    assert_eq!(table.by_name("nothing").count(), 0);
}

#[test]
fn variants_are_clones_but_not_pieces() {
    let all = [
        "foo",
        "foo.isra.0",
        "foo.constprop.0.isra.0",
        "foo.cold",
        "foo.part.0",
        "foo.isra.0.cold",
        "foobar",
        "foo_bar.isra.0",
    ];
    let table = SymbolTable::new((0u64..).zip(all).map(|(i, n)| function(n, i * 16, 16)));
    assert_eq!(names(table.variants("foo")), ["foo", "foo.isra.0", "foo.constprop.0.isra.0"]);
    assert_eq!(names(table.by_name("foo.cold")), ["foo.cold"]);
    assert_eq!(table.variants("").count(), 0);
}

#[test]
fn at_prefers_the_function_that_holds_the_address() {
    let label = KernelSymbol { name: "label", addr: 0x18, size: 0, kind: SymbolKind::Other };
    let alias = KernelSymbol { name: "start", addr: 0x10, size: 0, kind: SymbolKind::Other };
    let table = SymbolTable::new([alias, label, function("f", 0x10, 0x20)]);
    for addr in [0x10, 0x17, 0x18, 0x2f] {
        assert_eq!(table.at(addr).map(|s| s.name), Some("f"), "{addr:#x}");
    }
    assert_eq!(table.at(0xf), None);
    assert_eq!(SymbolTable::default().at(0), None);
}

#[test]
fn of_several_names_the_plainest_is_taken() {
    let table = SymbolTable::new(["__f", "g", "f"].map(|name| function(name, 0x10, 8)));
    assert_eq!(names(table.iter()), ["f", "g", "__f"]);
    assert_eq!(table.at(0x12).map(|s| s.name), Some("f"));
}

#[test]
fn kallsyms_sizes_reach_to_the_next_address() {
    let mut table =
        SymbolTable::new([function("a", 0x10, 0), function("a_alias", 0x10, 0), function("b", 0x40, 0)]);
    table.derive_sizes();
    let sizes: Vec<_> = table.iter().map(|s| s.size).collect();
    assert_eq!(sizes, [0x30, 0x30, 0]);
}

#[test]
fn the_cold_part_of_a_function_is_known_by_its_name() {
    for (name, expected) in [
        ("f.cold", Some("f")),
        ("f.cold.12", Some("f")),
        ("f.isra.0.cold", Some("f.isra.0")),
        ("f.colder", None),
        ("f", None),
    ] {
        assert_eq!(function(name, 0, 0).cold_part_of(), expected, "{name}");
    }
}
