//! Kernels made by hand, and the one in tests/data.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::Bytes;
use crate::testing::ElfBuilder;

fn open(bytes: Vec<u8>) -> Result<Kernel, KernelError> {
    Kernel::from_image(Image::parse(Path::new("vmlinux"), Bytes::from(bytes))?)
}

#[test]
fn knows_its_symbols_and_banner() {
    let text = b"\x90\x90Linux version 6.1.0 (test)\n\0".to_vec();
    let symbols = [
        ("", 0, 0, 0, 0),
        ("submit_bio", 2, 1, 0x1000, 2),
        ("linux_banner", 1, 1, 0x1002, 28),
        ("absolute", 0, 0xfff1, 7, 0),
    ];
    let bytes = ElfBuilder::executable().loaded(".text", 0x1000, text.clone());
    let kernel = open(bytes.symbols(&symbols).build()).expect("valid");
    assert_eq!(kernel.banner(), Some("Linux version 6.1.0 (test)\n"));
    assert_eq!(kernel.symbols().len(), 2);
    assert_eq!(kernel.symbols().at(0x1001).map(|s| s.name), Some("submit_bio"));
    assert_eq!(kernel.build_id(), None);
    assert_eq!(kernel.types().origin(), "none");
    // Without its symbol the banner is still found.
    let bytes = ElfBuilder::executable().loaded(".text", 0x1000, text);
    let kernel = open(bytes.symbols(&symbols[..2]).build()).expect("valid");
    assert_eq!(kernel.banner(), Some("Linux version 6.1.0 (test)\n"));
}

#[test]
fn without_symbols_it_says_what_to_do() {
    let bytes = ElfBuilder::executable().loaded(".text", 0x1000, vec![0; 64]).build();
    let e = open(bytes).expect_err("no symbols");
    assert!(matches!(e, KernelError::NoSymbols { candidates: 0, .. }));
    assert!(e.to_string().contains("-dbg package"));
}

#[test]
fn finds_lines_and_inlined_functions() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/kernel.elf");
    let kernel = Kernel::open(&path).expect("checked in");
    let lines = kernel.lines().expect("sound").expect("there");
    let submit = kernel.symbols().by_name("submit").next().expect("there");
    let at = lines.in_section(".text", submit.addr).expect("sound").expect("a line");
    assert_eq!((at.file.as_str(), at.line), ("kernel.c", 60));
    assert_eq!(lines.in_section(".text", 0x10_0000).expect("sound"), None);
    let frames = |offset| {
        let address = lines.module_address(".text", submit.addr + offset).expect("inside");
        lines.frames(address).expect("sound")
    };
    let inlined = (0..submit.size).map(frames).find(|f| f.len() == 2).expect("twice is inlined");
    let names: Vec<_> = inlined.iter().map(|f| f.function.as_str()).collect();
    assert_eq!(names, ["twice", "submit"]);
    let call = inlined.last().and_then(|f| f.place.clone()).expect("the call");
    assert_eq!(call.line, 60);
}

proptest! {
    #[test]
    fn a_damaged_kernel_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/kernel.elf");
        let mut bytes = std::fs::read(&path).expect("checked in");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(kernel) = open(bytes) else { return Ok(()) };
        let _ = (kernel.banner(), kernel.build_id(), kernel.symbols().at(0x10));
        let Ok(Some(lines)) = kernel.lines() else { return Ok(()) };
        for offset in [0, 0xa, 0x25] {
            let _ = lines.in_section(".text", offset);
            let _ = lines.module_address(".text", offset).map(|a| lines.frames(a));
        }
    }
}
