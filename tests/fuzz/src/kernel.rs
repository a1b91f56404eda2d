//! Kernel images, modules, and what is in their sections. All that an image may be asked is asked.

use crate::parts::{join, split};
use iotrace_kernel::testing::ElfBuilder;
use iotrace_kernel::testing::kallsyms::{BASE, TEXT};
use iotrace_kernel::{Bytes, Image, Kernel, KernelError, Lines, ModuleFile, Types};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Names that are looked up at most.
const NAMES: usize = 12;
/// The sections of the input of [`dwarf`]; what the first holds is a byte: whether the file is a module.
pub const SECTIONS: [&str; 11] = [
    "",
    ".debug_info",
    ".debug_abbrev",
    ".debug_str",
    ".debug_line",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_loclists",
    ".debug_frame",
    ".debug_addr",
];

/// A file of the kernel crate's tests.
pub fn data(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/kernel/tests/data");
    std::fs::read(folder.join(name)).expect("it is in the repository")
}

fn open(bytes: Vec<u8>) -> Result<Kernel, KernelError> {
    Kernel::from_image(Image::parse(Path::new("vmlinux"), Bytes::from(bytes))?)
}

/// A vmlinux.
pub fn elf(data: &[u8]) {
    match open(data.to_vec()) {
        Ok(kernel) => ask_kernel(&kernel),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A module, of the kernel of the tests.
pub fn module(data: &[u8]) {
    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    let kernel = KERNEL.get_or_init(|| open(self::data("kernel.elf")).expect("it is sound"));
    let image = Image::parse(Path::new("module.ko"), Bytes::from(data.to_vec()));
    let Ok(module) = image.and_then(|image| ModuleFile::from_image(image, None, kernel)) else { return };
    let _ = (module.name(), module.dependencies(), module.build_id(), module.relocated_calls());
    for symbol in module.symbols().take(NAMES) {
        let _ = module.returned(symbol.name);
        let Ok(Some(lines)) = module.lines() else { continue };
        let _ = lines.in_section(symbol.section, symbol.offset);
        let _ = lines.chain_in_section(symbol.section, symbol.offset.saturating_add(8));
    }
    let _ = module.inlined(&|_| true);
    ask_types(module.types(), &["host", "bio", "probe"]);
}

/// A section of types, the kernel's and perhaps that of a module on top of it: separate parts.
pub fn btf(data: &[u8]) {
    let [base, split] = split(data);
    let with = |builder: ElfBuilder, section: &[u8]| {
        let symbols = [("", 0, 0, 0, 0), ("submit", 2, 1, 0x1000, 16)];
        builder
            .loaded(".text", 0x1000, vec![0x90; 16])
            .section(".BTF", section.to_vec())
            .symbols(&symbols)
            .build()
    };
    let Ok(kernel) = open(with(ElfBuilder::executable(), base)) else { return };
    ask_types(kernel.types(), &texts(base));
    let _ = (kernel.returned("submit"), kernel.returned("submit.isra.0"));
    if split.is_empty() {
        return;
    }
    let image = Image::parse(Path::new("m.ko"), Bytes::from(with(ElfBuilder::relocatable(), split)));
    let image = image.expect("it is built here");
    if let Ok(module) = ModuleFile::from_image(image, None, &kernel) {
        ask_types(module.types(), &texts(split));
    }
}

/// The sections of debug information: separate parts.
pub fn dwarf(data: &[u8]) {
    let parts: [&[u8]; SECTIONS.len()] = split(data);
    let is_module = parts[0].first().is_some_and(|byte| byte & 1 == 1);
    let builder = if is_module { ElfBuilder::relocatable() } else { ElfBuilder::executable() };
    let symbols = [("", 0, 0, 0, 0), ("submit", 2, 1, 0x1000, 64)];
    let mut builder = builder.code(".text", 0x1000, vec![0x90; 0x200]).symbols(&symbols);
    for (name, part) in SECTIONS.iter().zip(parts).skip(1) {
        builder = builder.section(name, part.to_vec());
    }
    let Ok(kernel) = open(builder.build()) else { return };
    ask_types(kernel.types(), &texts(parts[3]));
    let _ = kernel.inlined(&|_| true).map(|found| found.only_inlined.len());
    let base = if is_module { 1 << 32 } else { 0x1000 };
    if let Ok(Some(lines)) = kernel.lines() {
        (0..0x200).step_by(7).for_each(|offset| ask_lines(&lines, base + offset));
    }
}

/// The input of [`dwarf`] with the debug sections of a file.
pub fn dwarf_of(image: &Image) -> Vec<u8> {
    let section = |name: &&str| image.section_data(name).unwrap_or_default();
    let sections = SECTIONS[1..].iter().map(section);
    join([&[u8::from(image.is_relocatable())][..]].into_iter().chain(sections))
}

/// Memory of a kernel, which has its tables of symbols.
pub fn kallsyms(data: &[u8]) {
    let builder = ElfBuilder::executable().loaded(".text", TEXT, vec![0xcc; 16]);
    match open(builder.loaded(".rodata", BASE, data.to_vec()).build()) {
        Ok(kernel) => ask_kernel(&kernel),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn ask_kernel(kernel: &Kernel) {
    let _ = (kernel.banner(), kernel.build_id());
    let symbols = kernel.symbols();
    for symbol in symbols.iter().take(NAMES) {
        assert!(symbols.by_name(symbol.name).any(|found| found.addr == symbol.addr), "it is in the table");
        let _ = (symbols.at(symbol.addr), symbols.at(symbol.addr.wrapping_sub(1)), symbol.cold_part_of());
        let _ = (kernel.returned(symbol.name), symbols.variants(symbol.stem()).count());
    }
    ask_types(kernel.types(), &["bio", "host", "submit"]);
    let _ = kernel.inlined(&|_| true);
    if let Ok(Some(lines)) = kernel.lines() {
        symbols.iter().take(NAMES).for_each(|symbol| ask_lines(&lines, symbol.addr));
    }
}

fn ask_lines(lines: &Lines<'_>, address: u64) {
    let _ = (lines.at(address), lines.frames(address), lines.chain(address));
}

/// Names that a table of strings has.
fn texts(bytes: &[u8]) -> Vec<&str> {
    let texts = bytes.rsplit(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
    texts.filter(|text| !text.is_empty()).take(NAMES).collect()
}

fn ask_types(types: &Types, names: &[&str]) {
    for name in names {
        let _ = (types.size_of(name), types.enumerator(name), types.returned(name), types.parameters(name));
        for field in names {
            let paths = [(*field).to_owned(), format!("&{field}.{name}"), format!("{field}[3]->{name}")];
            for path in &paths {
                match types.resolve(name, path) {
                    Ok(field) => assert!(field.access.width <= 8, "{name}.{path} is wider than a register"),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    }
}
