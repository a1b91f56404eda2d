//! A real kernel, if there is one: `IOTRACE_TEST_KERNEL` names a folder with
//!
//! ```text
//! vmlinux             any; with .symtab and DWARF more is compared
//! vmlinux.stripped    optional: the payload of the same build's bzImage
//! modules/*.ko        optional, uncompressed, in any depth below
//! debug/*.ko          optional: the same modules' debug files
//! ```
//!
//! `IOTRACE_TEST_KERNEL=... cargo test --release -- --ignored --nocapture`

mod catalog;
mod chains;
mod inlined;
mod witness;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use btf_rs::{Btf, BtfType, Type};
use iotrace_kernel::{Kernel, ModuleFile, SymbolKind, Types};

/// What the analyzer and the plugin will read; alternatives by kernel version in one row.
const FIELDS: &[(&str, &[&str])] = &[
    ("bio", &["bi_bdev->bd_dev", "bi_disk->first_minor"]),
    ("bio", &["bi_iter.bi_sector"]),
    ("bio", &["bi_iter.bi_size"]),
    ("bio", &["bi_opf"]),
    ("bio", &["bi_flags"]),
    ("bio", &["bi_status"]),
    ("bio", &["bi_private"]),
    ("bio", &["bi_end_io"]),
    ("bio", &["__bi_remaining.counter"]),
    ("bio", &["bi_next"]),
    ("request", &["bio"]),
    ("request", &["biotail"]),
    ("request", &["__sector"]),
    ("request", &["__data_len"]),
    ("request", &["cmd_flags"]),
    ("request", &["rq_flags"]),
    ("request", &["tag"]),
    ("request", &["internal_tag"]),
    ("request", &["q->disk->part0->bd_dev", "rq_disk->first_minor"]),
    ("request", &["part->bd_dev", "part->partno"]),
    ("task_struct", &["pid"]),
    ("task_struct", &["tgid"]),
    ("task_struct", &["comm"]),
    ("task_struct", &["group_leader->pid"]),
    ("module", &["name"]),
    ("module", &["state"]),
    ("module", &["kallsyms"]),
    ("module", &["mem[0].base", "core_layout.base"]),
    ("mod_kallsyms", &["symtab"]),
    ("mod_kallsyms", &["num_symtab"]),
    ("mod_kallsyms", &["strtab"]),
    ("irq_desc", &["irq_data.irq"]),
    ("irq_desc", &["action->handler"]),
    ("irq_desc", &["action->name"]),
    ("pci_dev", &["vendor"]),
    ("pci_dev", &["device"]),
    ("pci_dev", &["devfn"]),
    ("pci_dev", &["resource[0].start"]),
    ("pci_dev", &["resource[5].end"]),
    ("pci_dev", &["bus->number"]),
    ("file", &["f_inode->i_ino"]),
    ("file", &["f_inode->i_sb->s_dev"]),
    ("file", &["f_path.dentry->d_name.name", "__f_path.dentry->d_name.name"]),
];

const SCSI_FIELDS: &[&str] = &["result", "cmnd", "cmd_len", "device->id", "device->lun"];

fn folder() -> PathBuf {
    let name = std::env::var_os("IOTRACE_TEST_KERNEL");
    PathBuf::from(name.expect("set IOTRACE_TEST_KERNEL to a folder with vmlinux"))
}

fn kernel() -> Kernel {
    let start = Instant::now();
    let kernel = Kernel::open(&folder().join("vmlinux")).expect("opens");
    println!("opened in {:?}: {:?}", start.elapsed(), kernel.banner());
    kernel
}

/// The `.ko` files below a folder.
fn modules(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|e| Some(e.ok()?.path()));
    let mut found: Vec<_> = paths
        .flat_map(|p| match p.is_dir() {
            true => modules(&p),
            false => vec![p],
        })
        .filter(|p| p.extension().is_some_and(|e| e == "ko"))
        .collect();
    found.sort();
    found
}

/// What the types say of every field; only one of each row's alternatives need be there.
fn resolve_all(types: &Types) -> Vec<String> {
    let one = |(name, paths): &(&str, &[&str])| {
        let all: Vec<_> = paths.iter().map(|path| types.resolve(name, path)).collect();
        let found = all.iter().flatten().next();
        format!("{name}.{}: {:?}", paths[0], found.unwrap_or_else(|| panic!("{all:?}")))
    };
    FIELDS.iter().map(one).collect()
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn symbols_and_fields_are_there() {
    let kernel = kernel();
    assert!(kernel.build_id().is_some_and(|id| id.len() == 20));
    assert!(kernel.banner().is_some_and(|b| b.starts_with("Linux version ")));
    assert!(kernel.symbols().functions().count() > 10_000);
    for name in ["submit_bio_noacct", "bio_endio", "blk_mq_submit_bio", "vfs_read"] {
        let symbol = kernel.symbols().variants(name).next().expect(name);
        let inside = kernel.symbols().at(symbol.addr + symbol.size / 2).expect(name);
        assert_eq!((inside.name, inside.kind), (name, SymbolKind::Function));
    }
    for line in resolve_all(kernel.types()) {
        println!("{line}");
    }
    for name in ["BIO_TRACE_COMPLETION", "BIO_CHAIN"] {
        println!("{name} = {}", kernel.types().enumerator(name).expect(name));
    }
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn kallsyms_agree_with_symtab() {
    let stripped = folder().join("vmlinux.stripped");
    if !stripped.exists() {
        return println!("no vmlinux.stripped: nothing to compare");
    }
    let (full, stripped) = (kernel(), Kernel::open(&stripped).expect("kallsyms"));
    assert_eq!(full.build_id(), stripped.build_id());
    assert_eq!(full.banner(), stripped.banner());
    let of =
        |k: &Kernel| -> HashSet<_> { k.symbols().iter().map(|s| (s.name.to_string(), s.addr)).collect() };
    let extra: Vec<_> = of(&stripped).difference(&of(&full)).cloned().collect();
    println!("kallsyms: {} symbols, symtab: {}", stripped.symbols().len(), full.symbols().len());
    assert!(extra.is_empty(), "only in kallsyms: {extra:?}");
    let functions: HashSet<_> = of(&stripped);
    let lost = full.symbols().functions().filter(|s| !functions.contains(&(s.name.to_string(), s.addr)));
    let lost: Vec<_> = lost.map(|s| s.name).collect();
    assert!(lost.is_empty(), "functions only in symtab: {lost:?}");
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn dwarf_agrees_with_btf() {
    let kernel = kernel();
    let start = Instant::now();
    let dwarf = Types::of_dwarf(kernel.image()).expect("sound");
    if dwarf.origin() == "none" || kernel.types().origin() != "BTF" {
        return println!("not both BTF and DWARF: nothing to compare");
    }
    assert_eq!(resolve_all(&dwarf), resolve_all(kernel.types()));
    println!("{} fields from DWARF in {:?}", FIELDS.len(), start.elapsed());
    for name in ["BIO_TRACE_COMPLETION", "BIO_CHAIN", "TASK_COMM_LEN", "MODULE_STATE_LIVE"] {
        assert_eq!(dwarf.enumerator(name), kernel.types().enumerator(name), "{name}");
    }
}

/// The functions of kernel.symbols() that both describe; of those that share a name, BTF and
/// DWARF may have met another one first.
#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn parameters_agree_in_btf_and_dwarf() {
    let kernel = kernel();
    let dwarf = Types::of_dwarf(kernel.image()).expect("sound");
    if dwarf.origin() == "none" || kernel.types().origin() != "BTF" {
        return println!("not both BTF and DWARF: nothing to compare");
    }
    let names: Vec<_> = kernel.symbols().functions().map(|s| s.name).step_by(50).collect();
    let start = Instant::now();
    let of_btf: Vec<_> = names.iter().map(|name| kernel.types().parameters(name)).collect();
    println!("{} functions from BTF in {:?}", names.len(), start.elapsed());
    let start = Instant::now();
    let of_dwarf: Vec<_> = names.iter().map(|name| dwarf.parameters(name)).collect();
    println!("and from DWARF in {:?}", start.elapsed());
    // The stubs of system calls are defined more than once, under macros.
    let unique = |name: &str| !name.contains("_sys_") && kernel.symbols().by_name(name).count() == 1;
    let both = names.iter().zip(of_btf.iter().zip(&of_dwarf)).filter(|(name, _)| unique(name));
    let both: Vec<_> = both.filter_map(|(n, (a, b))| Some((n, a.as_ref()?, b.as_ref()?))).collect();
    let other: Vec<_> = both.iter().filter(|(_, a, b)| a != b).collect();
    println!("{} described by both, {} not alike: {other:?}", both.len(), other.len());
    assert!(both.len() > 100 && other.is_empty());
    let submit = kernel.types().parameters("submit_bio").expect("there");
    assert_eq!(submit.first().and_then(|p| p.points_to.as_deref()), Some("bio"));
}

/// The crate btf-rs as witness: every direct member of every named structure.
#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn btf_agrees_with_btf_rs() {
    let kernel = kernel();
    let Some(bytes) = kernel.image().section_data(".BTF") else {
        return println!("no BTF: nothing to compare");
    };
    let witness = Btf::from_bytes(bytes).expect("btf-rs reads it");
    let start = Instant::now();
    let mut compared = 0;
    let (first, last) = witness.base().type_id_range();
    for id in first.max(1)..=last {
        let Ok(Type::Struct(s)) = witness.resolve_type_by_id(id) else {
            continue;
        };
        let name = witness.resolve_name(&s).expect("a name");
        // Where a name stands for several structures, which one is asked for is open.
        if name.is_empty() || witness.resolve_ids_by_name(&name).expect("ids").len() > 1 {
            continue;
        }
        assert_eq!(kernel.types().size_of(&name), Ok(s.size() as u64), "{name}");
        for m in &s.members {
            let field = witness.resolve_name(m).expect("a name");
            if field.is_empty() || m.get_type_id() == Some(0) {
                continue;
            }
            let found = kernel.types().resolve(&name, &field);
            let found = found.unwrap_or_else(|e| panic!("{name}.{field}: {e}")).access;
            let first = found.bits.map_or(0, |(first, _)| i64::from(first));
            assert_eq!(found.offset * 8 + first, i64::from(m.bit_offset()), "{name}.{field}");
            compared += 1;
        }
    }
    println!("{compared} members agree, {:?}", start.elapsed());
    assert!(compared > 1000);
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn modules_open_with_types_and_lines() {
    let kernel = kernel();
    let debug = modules(&folder().join("debug"));
    for path in modules(&folder().join("modules")) {
        let debug = debug.iter().find(|d| d.file_name() == path.file_name());
        let start = Instant::now();
        let module = ModuleFile::open(&path, debug.map(PathBuf::as_path), &kernel).expect("opens");
        let functions = module.symbols().filter(|s| s.kind == SymbolKind::Function);
        let functions: Vec<_> = functions.filter(|s| s.section == ".text").collect();
        println!(
            "{} ({}): {} functions in .text, needs {:?}, {:?}",
            module.name(),
            module.types().origin(),
            functions.len(),
            module.dependencies(),
            start.elapsed()
        );
        module.types().size_of("bio").expect("the kernel's types too");
        if module.types().has_struct("scsi_cmnd") && module.name() == "scsi_mod" {
            for path in SCSI_FIELDS {
                let found = module.types().resolve("scsi_cmnd", path).expect(path);
                println!("  scsi_cmnd.{path}: {found:?}");
            }
        }
        let Some(lines) = module.lines().expect("sound") else {
            continue;
        };
        let with_line = functions.iter().filter(|f| {
            let line = lines.in_section(f.section, f.offset).expect("sound");
            line.is_some_and(|l| l.line > 0 && !l.file.starts_with('/'))
        });
        assert_eq!(with_line.count(), functions.len(), "{}", module.name());
        let dwarf =
            Types::of_dwarf(&Arc::new(iotrace_kernel::Image::open(debug.unwrap_or(&path)).expect("opens")));
        let dwarf = dwarf.expect("sound");
        for (name, path) in [("bio", "bi_iter.bi_sector"), ("page", "flags"), ("scsi_cmnd", "device->lun")] {
            if let (Ok(a), Ok(b)) = (module.types().resolve(name, path), dwarf.resolve(name, path)) {
                assert_eq!(a, b, "{name}.{path}");
            }
        }
    }
}
