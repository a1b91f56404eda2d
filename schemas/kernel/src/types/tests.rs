//! The same questions to both back-ends, on a file that gcc and pahole made
//! (tests/data/kernel.c; the offsets are pahole's).

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn data(name: &str) -> Arc<Image> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    Arc::new(Image::open(&path).expect("checked in"))
}

fn both() -> [Types; 2] {
    let image = data("kernel.elf");
    let btf = Types::of_btf(&image).expect("sound").expect("there");
    [btf, Types::of_dwarf(&image).expect("sound")]
}

fn field(steps: &[i64], offset: i64, size: u32, signed: bool, kind: FieldKind) -> Field {
    let is_loaded = matches!(kind, FieldKind::Scalar | FieldKind::Pointer);
    let width = if is_loaded { u8::try_from(size).expect("at most 8") } else { 0 };
    Field { access: ValueAccess { steps: steps.to_vec(), offset, width, bits: None, signed }, size, kind }
}

#[test]
fn paths_resolve_alike_in_btf_and_dwarf() {
    use FieldKind::{Address, Aggregate, Pointer, Scalar};
    let rows = [
        ("next", field(&[], 0, 8, false, Pointer)),
        ("bdev->dev", field(&[8], 8, 4, false, Scalar)),
        ("bdev->disk->part0->start", field(&[8, 16, 0], 0, 8, false, Scalar)),
        ("iter.size", field(&[], 24, 4, false, Scalar)),
        ("depth", field(&[], 32, 2, true, Scalar)),
        ("status", field(&[], 34, 1, false, Scalar)),
        ("raw", field(&[], 32, 8, true, Scalar)),
        ("state", field(&[], 56, 4, true, Scalar)),
        ("comm", field(&[], 60, 16, false, Aggregate)),
        ("comm[3]", field(&[], 63, 1, true, Scalar)),
        ("table[5]", field(&[], 96, 4, true, Scalar)),
        ("iter", field(&[], 16, 16, false, Aggregate)),
        ("parts[3].disk->part0", field(&[192], 0, 8, false, Pointer)),
        ("next[2].iter.sector", field(&[0], 496, 8, false, Scalar)),
        ("end_io", field(&[], 208, 8, false, Pointer)),
        ("private", field(&[], 216, 8, false, Pointer)),
        ("odd", field(&[], 224, 16, false, Aggregate)),
        ("tail[7]", field(&[], 247, 1, false, Scalar)),
        ("&iter", field(&[], 16, 8, false, Address)),
        ("&bdev->dev", field(&[8], 8, 8, false, Address)),
    ];
    for types in both() {
        for (path, expected) in &rows {
            let found = types.resolve("bio", path);
            assert_eq!(found.as_ref(), Ok(expected), "{} {path}", types.origin());
        }
    }
}

#[test]
fn bitfields_say_which_bits() {
    for types in both() {
        let bits = |path| {
            let f = types.resolve("struct bio", path).expect(path).access;
            (f.offset, f.width, f.bits, f.signed)
        };
        assert_eq!(bits("low"), (40, 4, Some((0, 3)), false));
        assert_eq!(bits("signed_bits"), (40, 4, Some((3, 7)), true));
        assert_eq!(bits("high"), (40, 4, Some((10, 22)), false));
        assert_eq!(bits("wide"), (48, 8, Some((0, 40)), false));
    }
}

#[test]
fn values_are_taken_out_of_what_was_read() {
    let [types, _] = both();
    let bits = types.resolve("bio", "signed_bits").expect("there").access;
    assert_eq!(bits.decode(0b11_1111_1000), u64::MAX);
    assert_eq!(bits.decode(0b00_0000_1111), 1);
    assert_eq!(types.resolve("bio", "depth").expect("there").access.decode(0xfffe), -2i64 as u64);
    assert_eq!(types.resolve("bio", "iter.size").expect("there").access.decode(0xffff_fffe), 0xffff_fffe);
    assert_eq!(types.resolve("bio", "private").expect("there").access.decode(u64::MAX), u64::MAX);
}

#[test]
fn mistakes_are_named() {
    for types in both() {
        let error = |name, path| types.resolve(name, path).expect_err(path);
        assert!(matches!(error("nothing", "a"), TypeError::UnknownType { .. }));
        assert!(matches!(error("bio", "bi_sector"), TypeError::UnknownField { .. }));
        assert!(error("bio", "bi_sector").to_string().contains("next bdev iter"));
        assert!(matches!(error("bio", "bdev.dev"), TypeError::Mismatch { at: 5, .. }));
        assert!(matches!(error("bio", "iter->size"), TypeError::Mismatch { .. }));
        assert!(matches!(error("bio", "private->x"), TypeError::Mismatch { .. }));
        assert!(matches!(error("bio", "parts[4].dev"), TypeError::Index { index: 4, count: 4, .. }));
        assert!(matches!(error("bio", "host->number"), TypeError::OnlyDeclared { .. }));
        assert!(matches!(error("bio", "&low"), TypeError::Syntax { .. }));
        for path in ["", "&", "iter.", "iter..size", "parts[", "parts[x]", "parts[1", "comm 1", "[0]"] {
            let e = error("bio", path);
            assert!(matches!(e, TypeError::Syntax { .. }), "{path}: {e}");
        }
        assert!(matches!(error("bio", "tail[99999999999]"), TypeError::TooFar { .. }));
    }
}

#[test]
fn sizes_and_enumerators() {
    for types in both() {
        assert_eq!(types.size_of("bio"), Ok(240));
        assert_eq!(types.size_of("struct block_device"), Ok(24));
        assert_eq!(types.size_of("sector_t"), Ok(8));
        let declared = TypeError::OnlyDeclared { name: "host".to_string() };
        assert_eq!(types.size_of("host"), Err(declared));
        assert!(types.has_struct("disk") && !types.has_struct("host"));
        assert_eq!(types.enumerator("BIO_TRACE_COMPLETION"), Some(6));
        assert_eq!(types.enumerator("GOING"), Some(-2));
        assert_eq!(types.enumerator("COMING"), None);
    }
}

#[test]
fn a_module_defines_what_the_kernel_declares() {
    let [btf, _] = both();
    let split = Types::split(&data("module.ko"), &btf).expect("sound").expect("there");
    let dwarf = Types::of_dwarf(&data("module.ko")).expect("sound");
    for types in [split, dwarf] {
        assert_eq!(types.size_of("host"), Ok(16));
        let through = types.resolve("bio", "host->bio->iter.size").expect("both sides").access;
        assert_eq!((through.steps.as_slice(), through.offset), (&[200, 8][..], 24));
    }
}

fn parameter(name: &str, points_to: Option<&str>, width: u32) -> Parameter {
    let pointer = points_to.is_some();
    Parameter { name: name.to_string(), points_to: points_to.map(str::to_string), pointer, width }
}

#[test]
fn functions_have_parameters() {
    for types in both() {
        assert_eq!(types.parameters("submit"), Some(vec![parameter("bio", Some("bio"), 8)]));
        assert_eq!(types.parameters("chained"), Some(vec![parameter("flags", None, 4)]));
        // A structure is not a function.
        assert_eq!(types.parameters("bio"), None);
    }
    let [btf, dwarf] = both();
    // BTF is about what has a symbol; DWARF knows what was inlined everywhere too.
    assert_eq!((btf.parameters("twice"), dwarf.parameters("twice").map(|p| p.len())), (None, Some(1)));
    let split = Types::split(&data("module.ko"), &btf).expect("sound").expect("there");
    for types in [split, Types::of_dwarf(&data("module.ko")).expect("sound")] {
        assert_eq!(types.parameters("probe"), Some(vec![parameter("host", Some("host"), 8)]));
        assert_eq!(types.parameters("submit"), Some(vec![parameter("bio", Some("bio"), 8)]));
    }
}

#[test]
fn functions_return_what_their_prototypes_say() {
    use Returned::{Bool, Integer, Nothing, Pointer};
    let integer = |size, signed| Some(Integer { size, signed });
    let image = data("returns.elf");
    let btf = Types::of_btf(&image).expect("sound").expect("there");
    for types in [btf, Types::of_dwarf(&image).expect("sound")] {
        for (function, expected) in [
            ("nothing", Some(Nothing)),
            ("no_parameters", Some(Nothing)),
            ("number", integer(4, true)),
            ("bytes", integer(8, true)),
            ("word", integer(8, false)),
            ("status", integer(1, false)),
            ("half", integer(2, true)),
            ("merge", integer(4, false)),
            ("error", integer(4, true)),
            ("truth", Some(Bool)),
            ("split", Some(Pointer)),
            ("text", Some(Pointer)),
            ("pair", None),
            ("missing", None),
        ] {
            assert_eq!(types.returned(function), expected, "{} {function}", types.origin());
        }
    }
}

#[test]
fn what_is_not_certain_of_a_return_is_unknown() {
    let image = data("returns.elf");
    let dwarf = Types::of_dwarf(&image).expect("sound");
    // One returns nothing, another one of the same name a number; two return a number.
    assert_eq!(dwarf.returned("twin"), None);
    assert_eq!(dwarf.returned("alike"), Some(Returned::Integer { size: 4, signed: true }));
    // C declares it, as who only takes its address would; assembly defines it, and would describe it without a type.
    assert_eq!(dwarf.returned("in_assembly"), None);
    assert_eq!(dwarf.returned("fraction"), None);
    let btf = Types::of_btf(&image).expect("sound").expect("there");
    assert_eq!(btf.returned("twin"), Some(Returned::Nothing));
    assert_eq!((btf.returned_by("twin", || 2), btf.returned_by("twin", || 1)), (None, btf.returned("twin")));
    // A clone without some parameters may return nothing; one of constants, what the function does.
    let of = |symbol| btf.returned_by(symbol, || 1);
    assert_eq!((of("number.isra.0"), of("number.constprop.0")), (None, btf.returned("number")));
    assert_eq!((of("nothing.isra.0"), of("nothing.part.0")), (Some(Returned::Nothing), None));
}

/// The types of BTF with these descriptions and strings.
fn btf(types: &[&[u32]], strings: &[u8]) -> Types {
    let types: Vec<u8> = types.iter().flat_map(|t| t.iter().flat_map(|w| w.to_le_bytes())).collect();
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, types.len(), types.len(), strings.len()] {
        bytes.extend(u32::try_from(word).expect("small").to_le_bytes());
    }
    bytes.extend(&types);
    bytes.extend(strings);
    Types { backend: Backend::Btf(Btf::parse(bytes.into(), None).expect("sound")) }
}

/// struct s { u64 : 4; u64 f : 64; } packed, and one with f of 60 bits.
#[test]
fn a_bitfield_that_no_load_has_is_an_error() {
    for (bits, expected) in [(60, Ok((0, 8, Some((4, 60))))), (64, Err(16))] {
        let types: [&[u32]; 2] = [&[5, 1 << 24, 8, 64], &[1, 1 << 31 | 4 << 24 | 1, 9, 3, 1, bits << 24 | 4]];
        let found = btf(&types, b"\0s\0f\0u64\0").resolve("s", "f");
        let found = found.map(|field| (field.access.offset, field.access.width, field.access.bits));
        let wide = |bytes| TypeError::Wide { path: "f".to_string(), bytes };
        assert_eq!(found, expected.map_err(wide), "{bits} bits");
    }
}

/// const struct s *, typedef of a pointer to a typedef of it, u8, void *, a structure itself.
#[test]
fn parameters_are_seen_through_typedefs() {
    let strings = b"\0s\0u8\0p\0f\0ptr\0t\0";
    let types: [&[u32]; 11] = [
        &[1, 4 << 24, 24],                                         // 1: struct s, 24 bytes
        &[0, 10 << 24, 1],                                         // 2: const 1
        &[0, 2 << 24, 2],                                          // 3: * 2
        &[3, 1 << 24, 1, 8],                                       // 4: u8
        &[14, 8 << 24, 1],                                         // 5: typedef t = 1
        &[0, 2 << 24, 5],                                          // 6: * 5
        &[10, 8 << 24, 6],                                         // 7: typedef ptr = 6
        &[0, 2 << 24, 0],                                          // 8: void *
        &[0, 13 << 24 | 6, 0, 6, 3, 6, 7, 6, 4, 6, 8, 6, 5, 0, 0], // 9
        &[8, 12 << 24, 9],                                         // 10: f, by string 8
        &[0, 2 << 24, 99],                                         // 11: * what is not there
    ];
    let types = btf(&types, strings);
    let s = || parameter("p", Some("s"), 8);
    let void = Parameter { pointer: true, ..parameter("p", None, 8) };
    let expected = vec![s(), s(), parameter("p", None, 1), void, parameter("p", None, 24)];
    assert_eq!(types.parameters("f"), Some(expected));
    assert_eq!(types.parameters("g"), None);
}

#[test]
fn without_types_every_answer_says_so() {
    let types = Types { backend: Backend::None };
    assert_eq!(types.resolve("bio", "next"), Err(TypeError::NoTypes));
    assert_eq!((types.enumerator("BIO_CHAIN"), types.origin()), (None, "none"));
}

#[test]
fn a_structure_that_contains_itself_ends() {
    // struct s (id 1) { struct s; struct s; }, both members without a name.
    let words = [1u32, 4 << 24 | 2, 8, 0, 1, 0, 0, 1, 32];
    let types: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let len = u32::try_from(types.len()).expect("short");
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, len, len, 3] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(types);
    bytes.extend(b"\0s\0");
    let types = Types { backend: Backend::Btf(Btf::parse(bytes.into(), None).expect("well formed")) };
    assert_eq!(types.size_of("s"), Ok(8));
    let e = types.resolve("s", "field").expect_err("none");
    assert!(matches!(e, TypeError::UnknownField { .. }), "{e}");
}

/// Asks everything; the answers do not matter.
fn ask(types: &Types) {
    for path in ["bdev->disk->part0->start", "status", "table[5]", "parts[1].dev", "wide", "&comm"] {
        let _ = types.resolve("bio", path);
    }
    let _ = (types.size_of("sector_t"), types.enumerator("GOING"));
    let _ = (types.parameters("submit"), types.returned("submit"), types.parameters("chained"));
}

proptest! {
    #[test]
    fn damaged_btf_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let image = data("kernel.elf");
        let mut bytes = image.section_bytes(".BTF").expect("there").to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut { bytes.truncate(cut.index(bytes.len())); }
        if let Ok(btf) = Btf::parse(bytes.into(), None) {
            ask(&Types { backend: Backend::Btf(btf) });
        }
    }

    #[test]
    fn damaged_dwarf_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let path = data("kernel.elf").path().to_path_buf();
        let mut bytes = std::fs::read(&path).expect("checked in");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(types) = Image::parse(&path, bytes.into()).and_then(|i| Types::of_dwarf(&Arc::new(i))) {
            ask(&types);
        }
    }

    #[test]
    fn paths_never_panic(path in "[&a-z.>\\[\\]0-9-]{0,24}") {
        for types in both() {
            let _ = types.resolve("bio", &path);
        }
    }
}
