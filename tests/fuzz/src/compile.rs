//! A vmlinux and a module, matched against the catalog: the sections of the first, and the second, as parts of the input.

use crate::catalog::built_in;
use crate::kernel::{SECTIONS, data};
use crate::parts::{join, split};
use iotrace_kernel::testing::ElfBuilder;
use iotrace_kernel::{Bytes, Image};
use iotrace_profile::{FunctionLocation, Profile, Sources};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Parts behind the debug sections: types, code, symbols, a module.
const PARTS: usize = SECTIONS.len() + 4;
/// Where code is, and the banner.
const CODE: u64 = 0xffff_ffff_8100_0000;
const BANNER: u64 = 0xffff_ffff_8200_0000;
/// Names of functions and structures of the catalog, and of the tests' files.
const NAMES: [&str; 12] = [
    "submit_bio_noacct",
    "blk_mq_end_request",
    "vfs_write",
    "blk_update_request",
    "bio_endio",
    "__schedule",
    "account",
    "queue_add",
    "submit",
    "iowrite8",
    "bio_endio.cold",
    "current_task",
];

/// Where the files of an input are.
struct KernelFolder {
    _folder: TempDir,
    vmlinux: PathBuf,
    modules: PathBuf,
}

impl KernelFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (vmlinux, modules) = (folder.path().join("vmlinux"), folder.path().join("modules"));
        std::fs::create_dir(&modules).expect("a temporary folder");
        Self { _folder: folder, vmlinux, modules }
    }

    /// Of parts: the profile, if there is one.
    fn compile(&self, parts: &[&[u8]; PARTS]) -> Option<Profile> {
        let module = parts[PARTS - 1];
        std::fs::write(&self.vmlinux, vmlinux(parts)).expect("space in the temporary folder");
        std::fs::write(self.modules.join("m.ko"), module).expect("space in the temporary folder");
        let modules = (!module.is_empty()).then(|| self.modules.clone());
        let sources = Sources { vmlinux: self.vmlinux.clone(), modules, debug: None, lines: true };
        match iotrace_profile::compile(built_in(), &sources) {
            Ok(profile) => Some(profile),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }
}

/// The image. Of each of [`NAMES`] there is a symbol at the offset that 2 bytes of the part of symbols state, of the size in
/// the byte behind; one more byte than 3 for each: it is anywhere.
fn vmlinux(parts: &[&[u8]; PARTS]) -> Vec<u8> {
    let [types, code, symbols] = [0, 1, 2].map(|at| parts[SECTIONS.len() + at]);
    let mut table = vec![
        ("", 0, 0, 0, 0),
        ("linux_banner", 1, 2, BANNER, 32),
        ("_stext", 0, 1, CODE, 0),
        ("_etext", 0, 1, CODE.wrapping_add(code.len() as u64), 0),
    ];
    for (name, place) in NAMES.iter().zip(symbols.as_chunks::<4>().0) {
        let offset = u64::from(u16::from_le_bytes([place[0], place[1]]));
        let (address, size) = match place[3] {
            0 => (CODE + offset, u64::from(place[2])),
            far => (u64::MAX - offset, u64::MAX >> (far & 63)),
        };
        table.push((name, 2, 1, address, size));
    }
    let banner = b"Linux version 6.1.0 (test)\n\0".to_vec();
    let mut builder =
        ElfBuilder::executable().code(".text", CODE, code.to_vec()).loaded(".rodata", BANNER, banner);
    builder = builder.symbols(&table).section(".BTF", types.to_vec());
    for (name, part) in SECTIONS.iter().zip(parts).skip(1) {
        builder = builder.section(name, part.to_vec());
    }
    builder.build()
}

/// The sections of a vmlinux, and a module.
pub fn compile(data: &[u8]) {
    static FOLDER: OnceLock<KernelFolder> = OnceLock::new();
    let folder = FOLDER.get_or_init(KernelFolder::new);
    let _ = folder.compile(&split(data)).map(|profile| profile.checksum());
}

/// The input with the sections of a file of the tests.
pub fn compile_of(name: &str, module: &str) -> Vec<u8> {
    let image = Image::parse(Path::new(name), Bytes::from(data(name))).expect("it is sound");
    let code = image.section_data(".text").unwrap_or_default();
    let names = |at: u8| [at * 16, 0, 16, 0];
    let symbols: Vec<u8> = (0..NAMES.len() as u8).flat_map(names).collect();
    let debug = SECTIONS[1..].iter().map(|name| image.section_data(name).unwrap_or_default());
    let last = [image.section_data(".BTF").unwrap_or_default(), code, &symbols, &data(module)];
    join([&[][..]].into_iter().chain(debug).chain(last))
}

/// A small profile.
pub fn seed() -> Profile {
    let input = compile_of("kernel.elf", "module.ko");
    let mut profile = KernelFolder::new().compile(&split(&input)).expect("it is a kernel");
    // What this kernel has not is most of the catalog.
    profile.functions.sort_by_key(|function| !matches!(function.place, FunctionLocation::Image(_)));
    profile.functions.truncate(4);
    profile.missing.truncate(2);
    profile.missing_stages.truncate(2);
    profile.devices.truncate(1);
    profile
}
