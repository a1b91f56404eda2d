//! The module in tests/data on top of the kernel there.

use std::path::PathBuf;

use super::*;
use crate::Bytes;
use crate::testing::ElfBuilder;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[test]
fn says_what_it_is() {
    let kernel = Kernel::open(&data("kernel.elf")).expect("checked in");
    let module = ModuleFile::open(&data("module.ko"), None, &kernel).expect("checked in");
    assert_eq!(module.name(), "tiny_host");
    assert_eq!(module.dependencies(), ["scsi_mod", "raid-class"]);
    assert_eq!(module.info("vermagic"), None);
    assert_eq!(module.types().origin(), "BTF");
    assert_eq!(module.types().size_of("host"), Ok(16));
    let probe = module.symbols().find(|s| s.name == "probe").expect("there");
    assert_eq!((probe.section, probe.offset, probe.kind), (".init.text", 0, SymbolKind::Function));
    let lines = module.lines().expect("sound").expect("there");
    let at = lines.in_section(probe.section, probe.offset).expect("sound").expect("a line");
    assert_eq!((at.file.as_str(), at.line), ("module.c", 14));
    let at = lines.in_section(".text", 0).expect("sound").expect("a line");
    assert_eq!(at.file, "kernel.c");
}

#[test]
fn a_name_comes_from_the_file_if_need_be() {
    let kernel = Kernel::open(&data("kernel.elf")).expect("checked in");
    let module = ModuleFile::open(&data("kernel.elf"), None, &kernel).expect("an ELF file");
    assert_eq!(module.name(), "kernel.elf");
    assert!(module.dependencies().is_empty());
}

#[test]
fn without_types_of_its_own_it_has_the_kernels() {
    let kernel = Kernel::open(&data("kernel.elf")).expect("checked in");
    let bytes = ElfBuilder::relocatable().loaded(".text", 0, vec![0x90; 4]).build();
    let image = Image::parse(Path::new("bare.ko"), Bytes::from(bytes)).expect("valid");
    let debug = LazyDebug::new(Arc::new(
        Image::parse(Path::new("bare.ko"), Bytes::from(ElfBuilder::relocatable().build())).expect("valid"),
    ));
    assert!(types(&image, &debug, &kernel).expect("sound").is_none());
    let folder = std::env::temp_dir().join(format!("iotrace-bare-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let symbols = [("", 0, 0, 0, 0), ("submit", 2, 1, 0, 4)];
    let bare = ElfBuilder::relocatable().loaded(".text", 0, vec![0x90; 4]).symbols(&symbols).build();
    std::fs::write(folder.join("bare.ko"), bare).expect("writable");
    let module = ModuleFile::open(&folder.join("bare.ko"), None, &kernel).expect("opens");
    std::fs::remove_dir_all(&folder).expect("there");
    assert_eq!((module.types().origin(), module.types().size_of("bio")), ("BTF", Ok(240)));
    // Its submit is not the kernel's.
    assert_eq!((kernel.returned("submit"), module.returned("submit")), (INT, None));
}

const INT: Option<Returned> = Some(Returned::Integer { size: 4, signed: true });

#[test]
fn its_functions_return_what_its_own_types_say() {
    let kernel = Kernel::open(&data("kernel.elf")).expect("checked in");
    let module = ModuleFile::open(&data("module.ko"), None, &kernel).expect("checked in");
    assert_eq!((module.returned("probe"), kernel.returned("probe")), (INT, None));
}

#[test]
fn a_debug_file_of_another_build_is_refused() {
    let with_id = |id: u8| {
        let note = vec![4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0, id, 0, 0, 0];
        let bytes = ElfBuilder::relocatable().note(".note.gnu.build-id", note).build();
        Image::parse(Path::new("m.ko"), Bytes::from(bytes)).expect("valid")
    };
    assert!(same_build(&with_id(1), with_id(1)).is_ok());
    let e = same_build(&with_id(1), with_id(2)).expect_err("another build");
    assert!(e.to_string().contains("build-id 02") && e.to_string().contains("has 01"), "{e}");
}
