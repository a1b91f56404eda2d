//! Small files made by hand, whole, cut and damaged.

use proptest::prelude::*;

use super::*;
use crate::testing::ElfBuilder;

fn parse(bytes: Vec<u8>) -> Result<Image, KernelError> {
    Image::parse(Path::new("test"), Bytes::from(bytes))
}

fn small() -> Vec<u8> {
    let mut note = vec![4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0];
    note.extend_from_slice(b"GNU\0\xaa\xbb\xcc\0");
    ElfBuilder::executable()
        .loaded(".rodata", 0xffff_ffff_8200_0000, b"hello".to_vec())
        .note(".notes", note)
        .build()
}

#[test]
fn finds_sections_addresses_and_build_id() {
    let image = parse(small()).expect("valid");
    assert_eq!(image.section(".rodata").map(|s| s.size), Some(5));
    assert_eq!(image.at(0xffff_ffff_8200_0001), Some(&b"ello"[..]));
    assert_eq!(image.at(0xffff_ffff_8200_0005), None);
    assert_eq!(image.build_id(), Some(&[0xaa, 0xbb, 0xcc][..]));
    assert!(!image.is_relocatable());
}

#[test]
fn says_what_the_file_is_instead() {
    let mut boot_image = vec![0; 0x202];
    boot_image.extend(b"HdrS");
    let e = parse(boot_image).expect_err("not ELF");
    assert!(e.to_string().contains("bzImage: extract its vmlinux first"), "{e}");
    assert!(matches!(parse(Vec::new()), Err(KernelError::NotElf { .. })));
}

#[test]
fn a_cut_file_is_an_error_with_numbers() {
    let mut bytes = small();
    let full = bytes.len();
    bytes.truncate(full - 10);
    let e = parse(bytes).expect_err("cut");
    assert!(matches!(e, KernelError::Truncated { .. } | KernelError::NotElf { .. }), "{e}");
}

#[test]
fn an_image_of_another_machine_is_refused() {
    let mut bytes = ElfBuilder::executable().build();
    // e_machine
    bytes[18..20].copy_from_slice(&[0xff, 0xff]);
    let error = Image::parse(Path::new("v"), Bytes::from(bytes)).expect_err("another machine").to_string();
    let known = iotrace_arch::Arch::known_names();
    assert!(error.contains(&format!("machine 65535; supported are {known}")), "{error}");
}

#[test]
fn more_segments_than_a_kernel_has_are_refused() {
    let with = |count: u64| {
        let loaded = |elf: ElfBuilder, at| elf.loaded(".data", at << 12, vec![0; 4]);
        parse((0..count).fold(ElfBuilder::executable(), loaded).build())
    };
    assert!(with(64).is_ok());
    assert!(matches!(with(65), Err(KernelError::TooMany { found: 65, most: 64, .. })));
}

proptest! {
    #[test]
    fn never_panics(cut in 0usize..600, changes in prop::collection::vec((0usize..600, any::<u8>()), 0..8)) {
        let mut bytes = small();
        for (at, value) in changes {
            if let Some(b) = bytes.get_mut(at) { *b = value; }
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 7 * 13));
        if let Ok(image) = parse(bytes) {
            let _ = (image.build_id(), image.symtab(), image.at(0xffff_ffff_8200_0001));
        }
    }
}
