//! Matches the catalog against a kernel.
//!
//! In: the catalog, a vmlinux, a folder of modules. Out: a [`Profile`]. What a kernel has not is listed in
//! it, with the reason; only files that cannot be read are errors.

mod functions;
mod inlined;
mod pages;
mod reads;
mod returns;
mod signature;
mod sites;
mod stages;
mod syscalls;

use crate::plan::ValueAccess;
use crate::{Anchors, ContextAccess, CountBits, CountPlace, MmioCode, ModuleAccess, Profile, Thunks};
use iotrace_arch::Arch;
use iotrace_catalog::{self as catalog, Catalog};
use iotrace_format::definition::Constant;
use iotrace_kernel::{Image, Kernel, KernelError, ModuleFile, SymbolKind, SymbolTable, Types};
use reads::access;
use std::path::{Path, PathBuf};
use std::{fs, io};
use thiserror::Error;

/// What the names of compressed modules end with (kernel's scripts/Makefile.modinst).
const COMPRESSIONS: [&str; 3] = [".xz", ".zst", ".gz"];

/// Where a kernel's files are.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The vmlinux.
    pub vmlinux: PathBuf,
    /// Folder with the modules (`*.ko`, `*.ko.xz`, `*.ko.zst`, `*.ko.gz`, at any depth).
    pub modules: Option<PathBuf>,
    /// Folder with the modules' detached debug files, of the same names (`*.ko`, `*.ko.debug`).
    pub debug: Option<PathBuf>,
    /// Look up source lines in the DWARF, which takes seconds.
    pub lines: bool,
}

impl Sources {
    /// The architecture of the vmlinux, of which the catalog's files have to be.
    ///
    /// # Errors
    /// [`CompileError::Kernel`] if the vmlinux cannot be read.
    pub fn arch(&self) -> Result<&'static Arch, CompileError> {
        Ok(Image::open(&self.vmlinux)?.arch())
    }
}

/// Why a profile cannot be compiled.
#[derive(Debug, Error)]
pub enum CompileError {
    /// A kernel file cannot be read.
    #[error("{0}")]
    Kernel(#[from] KernelError),
    /// The modules' folder cannot be read.
    #[error("cannot read the module directory {path}: {source}")]
    Modules {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The modules' folder has no module.
    #[error(
        "the module directory {path} has no modules (*.ko, *.ko.xz, *.ko.zst, *.ko.gz): specify /lib/modules/RELEASE of this kernel"
    )]
    NoModules {
        /// The folder.
        path: PathBuf,
    },
    /// None of the modules is of the kernel.
    #[error(
        "the module directory {path} has no module of this kernel, {release}; the first is of {other}: specify the \
         modules of the same build"
    )]
    OtherModules {
        /// The folder.
        path: PathBuf,
        /// The kernel's release.
        release: String,
        /// The release that a module is of.
        other: String,
    },
    /// The image lacks what everything hangs on.
    #[error("{path} has no {what}: expected the vmlinux of a Linux kernel with symbols")]
    NotAKernel {
        /// The image.
        path: PathBuf,
        /// What it lacks.
        what: &'static str,
    },
}

/// Compiles a profile.
///
/// # Errors
/// [`CompileError`] if a file cannot be read or the vmlinux is none.
pub fn compile(catalog: &Catalog, sources: &Sources) -> Result<Profile, CompileError> {
    let kernel = Kernel::open(&sources.vmlinux)?;
    let modules = open_modules(sources, &kernel)?;
    let mut profile = Profile {
        arch: kernel.image().arch().name.to_owned(),
        banner: kernel.banner().unwrap_or_default().to_owned(),
        build_id: kernel.build_id().unwrap_or_default().to_owned(),
        anchors: anchors(&sources.vmlinux, &kernel)?,
        context: context(catalog, &kernel),
        module: module_access(catalog, &kernel),
        mmio: catalog.mmio.iter().map(|code| mmio(code, &kernel)).collect(),
        constants: constants(catalog, &kernel),
        devices: catalog.devices.clone(),
        parts: catalog.parts.clone(),
        controllers: catalog.controllers.clone(),
        symbols: code_symbols(&kernel),
        thunks: thunks(&kernel),
        callers: callers(&catalog.callers, kernel.symbols()),
        ..Profile::default()
    };
    let ground = functions::Ground::new(&kernel, &modules, sources.lines)?;
    profile.lines = ground.lines.is_some();
    (profile.functions, profile.missing) = functions::find(catalog, &ground)?;
    profile.missing_stages = stages::missing(catalog, &profile.functions);
    profile.returns = returns::all(&ground);
    sites::find(&ground, &mut profile);
    Ok(profile)
}

/// Names of what is in the text, labels written in assembly among them.
fn code_symbols(kernel: &Kernel) -> SymbolTable {
    SymbolTable::new(kernel.symbols().iter().filter(|s| s.kind != SymbolKind::Object))
}

fn thunks(kernel: &Kernel) -> Thunks {
    let named = |fits: &dyn Fn(&str) -> bool| {
        kernel.symbols().iter().filter(|s| fits(s.name)).map(|s| s.addr).collect()
    };
    let code = kernel.image().arch().code;
    Thunks {
        returns: named(&|name| code.is_return_thunk(name)),
        calls: named(&|name| code.is_call_thunk(name)),
    }
}

/// Where code of these names is: up to the next symbol if it is a label without a size, as those in assembly are.
fn callers(names: &[String], symbols: &SymbolTable) -> Vec<std::ops::Range<u64>> {
    let next = |start: u64| symbols.iter().map(|symbol| symbol.addr).find(|addr| *addr > start);
    let code = |symbol: iotrace_kernel::KernelSymbol<'_>| {
        let end = match symbol.size {
            0 => next(symbol.addr)?,
            size => symbol.addr.saturating_add(size),
        };
        Some(symbol.addr..end)
    };
    let mut found: Vec<_> = names.iter().flat_map(|name| symbols.by_name(name)).filter_map(code).collect();
    // Of labels of one place, the one with the longest code.
    found.sort_unstable_by_key(|code| (code.start, std::cmp::Reverse(code.end)));
    found.dedup_by_key(|code| code.start);
    found
}

fn open_modules(sources: &Sources, kernel: &Kernel) -> Result<Vec<ModuleFile>, CompileError> {
    let Some(folder) = &sources.modules else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    collect(folder, &mut files).map_err(|source| CompileError::Modules { path: folder.clone(), source })?;
    files.sort();
    if files.is_empty() {
        return Err(CompileError::NoModules { path: folder.clone() });
    }
    let open = |path: &PathBuf| ModuleFile::open(path, debug_file(sources, path).as_deref(), kernel);
    let modules = files.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    check_releases(folder, kernel, &modules)?;
    Ok(modules)
}

/// The debug file of a module.
fn debug_file(sources: &Sources, module: &Path) -> Option<PathBuf> {
    let name = file_name(module)?;
    let plain = COMPRESSIONS.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let candidates = [plain.to_owned(), format!("{plain}.debug")];
    let folder = sources.debug.as_ref()?;
    candidates.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// Refuses modules of which none is of the kernel, by the release in their `vermagic` (include/linux/vermagic.h).
fn check_releases(folder: &Path, kernel: &Kernel, modules: &[ModuleFile]) -> Result<(), CompileError> {
    let Some(release) = kernel.banner().and_then(release_of) else { return Ok(()) };
    let mut others =
        modules.iter().filter_map(|module| module.info("vermagic")?.split(' ').next()).peekable();
    let Some(other) = others.peek().map(|other| (*other).to_owned()) else { return Ok(()) };
    if others.any(|other| other == release) {
        return Ok(());
    }
    Err(CompileError::OtherModules { path: folder.to_owned(), release: release.to_owned(), other })
}

/// The release in a kernel's banner.
fn release_of(banner: &str) -> Option<&str> {
    banner.strip_prefix("Linux version ")?.split(' ').next()
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if file_name(&path).is_some_and(is_module) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file is a module, by its name.
fn is_module(name: &str) -> bool {
    COMPRESSIONS.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name).ends_with(".ko")
}

fn anchors(path: &Path, kernel: &Kernel) -> Result<Anchors, CompileError> {
    let symbol = |name| kernel.symbols().by_name(name).next().map(|s| s.addr);
    let lacking = |what| CompileError::NotAKernel { path: path.to_owned(), what };
    Ok(Anchors {
        banner: symbol("linux_banner").ok_or_else(|| lacking("symbol linux_banner"))?,
        notes: symbol("__start_notes").zip(symbol("__stop_notes")),
        text: symbol("_stext")
            .or_else(|| symbol("_text"))
            .zip(symbol("_etext"))
            .ok_or_else(|| lacking("symbols _stext and _etext"))?,
        entry_text: symbol("__entry_text_start")
            .zip(symbol("__entry_text_end"))
            .map_or(0..0, |(start, end)| start..end),
    })
}

fn context(catalog: &Catalog, kernel: &Kernel) -> ContextAccess {
    let first = |paths: &[String]| paths.iter().find_map(|p| per_cpu(p, kernel));
    let task = |field| field_of(catalog, "task", field, kernel.types());
    let preempt_count = catalog.context.preempt_count.iter().find_map(|path| count_place(path, kernel));
    let count_bits = match preempt_count {
        Some(CountPlace::OfTask(_)) => CountBits::Wide,
        _ if first(&catalog.context.counts_disabled).is_some() => CountBits::Disabled,
        _ => CountBits::Usual,
    };
    ContextAccess {
        current_task: first(&catalog.context.current_task),
        preempt_count,
        count_bits,
        pid: task("pid"),
        tgid: task("tgid"),
        comm: task("comm"),
        mm: task("mm"),
        stack: task("stack"),
    }
}

/// `symbol` or `symbol:structure.field`: an offset in the per-CPU data.
fn per_cpu(path: &str, kernel: &Kernel) -> Option<u64> {
    let address = |name| kernel.symbols().by_name(name).next().map(|s| s.addr);
    match path.split_once(':') {
        None => address(path),
        Some((symbol, field)) => {
            let (structure, field) = field.split_once('.')?;
            let offset = kernel.types().resolve(structure, field).ok()?.access.offset;
            address(symbol)?.checked_add_signed(offset)
        }
    }
}

/// As [`per_cpu`], or `structure.field->structure.field`: behind a pointer of the current task.
fn count_place(path: &str, kernel: &Kernel) -> Option<CountPlace> {
    let Some((pointer, number)) = path.split_once("->") else {
        return per_cpu(path, kernel).map(CountPlace::PerCpu);
    };
    let field = |path: &str| {
        let (structure, field) = path.split_once('.')?;
        Some(kernel.types().resolve(structure, field).ok()?.access)
    };
    let (pointer, number) = (field(pointer)?, field(number)?);
    // A set of bits, whatever the type says of it.
    Some(CountPlace::OfTask(pointer.then(ValueAccess { signed: false, ..number })))
}

fn module_access(catalog: &Catalog, kernel: &Kernel) -> Option<ModuleAccess> {
    let module = |field| field_of(catalog, "module", field, kernel.types());
    Some(ModuleAccess {
        name: module("name")?,
        symtab: module("symtab")?,
        num_symtab: module("num_symtab")?,
        strtab: module("strtab")?,
        has_typetab: module("typetab").is_some(),
    })
}

fn field_of(catalog: &Catalog, object: &str, field: &str, types: &Types) -> Option<ValueAccess> {
    let object = catalog.objects.get(object)?;
    access(object, field, &[types]).ok()
}

fn mmio(code: &catalog::MmioEntry, kernel: &Kernel) -> MmioCode {
    let found = code.functions.iter().flat_map(|name| kernel.symbols().variants(name));
    MmioCode {
        record: code.record,
        ranges: found.map(|s| (s.addr, s.size)).collect(),
        modules: code.modules.clone(),
    }
}

fn constants(catalog: &Catalog, kernel: &Kernel) -> Vec<Constant> {
    let value = |name: &String| {
        let value = kernel.types().enumerator(name)?;
        Some(Constant { name: name.clone(), value })
    };
    catalog.constants.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tells what is running in one of the small kernels of schemas/kernel/tests/data.
    fn context_of(file: &str) -> ContextAccess {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/tests/data").join(file);
        context(&Catalog::load(&[], iotrace_arch::FIRST).unwrap(), &Kernel::open(&path).unwrap())
    }

    #[test]
    fn callers_may_be_labels_in_assembly() {
        let symbol = |name, addr, size, kind| iotrace_kernel::KernelSymbol { name, addr, size, kind };
        // As in the entry code of 3.10: functions without an end, labels, and two labels of one place.
        let symbols = SymbolTable::new([
            symbol("check_irq", 0x0f, 0, SymbolKind::Other),
            symbol("leave_irq", 0x10, 0, SymbolKind::Other),
            symbol("return_plain", 0x1e, 0, SymbolKind::Other),
            symbol("return_of_irq", 0x1e, 0, SymbolKind::Other),
            symbol("careful", 0x20, 0, SymbolKind::Other),
            symbol("enter_call", 0x70, 0x29d, SymbolKind::Other),
            symbol("check_work", 0x80, 0, SymbolKind::Other),
            symbol("smpboot_thread_fn", 0x1000, 0x40, SymbolKind::Function),
            symbol("last", 0x2000, 0, SymbolKind::Other),
        ]);
        let names =
            ["smpboot_thread_fn", "enter_call", "return_of_irq", "return_plain", "leave_irq", "last", "gone"];
        assert_eq!(
            callers(&names.map(str::to_owned), &symbols),
            [0x10..0x1e, 0x1e..0x20, 0x70..0x30d, 0x1000..0x1040]
        );
    }

    /// In 3.10 the code of system_call has labels, and a kernel's labels have no sizes.
    #[test]
    fn a_system_call_is_called_behind_a_label() {
        let labels = [("system_call", 0x10), ("system_call_later", 0x13), ("system_call_fastpath", 0x80)];
        let others = [("ret_from_sys_call", 0xa0), ("tracesys", 0x200), ("int_ret_from_sys_call", 0x280)];
        let kind = SymbolKind::Other;
        let symbol = |(name, addr)| iotrace_kernel::KernelSymbol { name, addr, size: 0, kind };
        let symbols = SymbolTable::new(labels.into_iter().chain(others).map(symbol));
        let catalog = Catalog::load(&[], iotrace_arch::FIRST).unwrap();
        assert_eq!(callers(&catalog.callers, &symbols), [0x10..0x13, 0x80..0xa0, 0x200..0x280]);
    }

    #[test]
    fn the_preemption_count_is_found_at_the_bottom_of_the_stack() {
        let context = context_of("count_in_stack.elf");
        // task_struct.stack lies behind a long, thread_info.preempt_count is as far in as in 3.10.
        let access = ValueAccess { steps: vec![8], offset: 0x1c, width: 4, ..ValueAccess::default() };
        assert_eq!(context.preempt_count, Some(CountPlace::OfTask(access)));
        assert_eq!(context.count_bits, CountBits::Wide);
        assert!(context.current_task.is_some() && context.stack.is_some());
    }

    #[test]
    fn the_preemption_count_in_the_per_cpu_data_comes_first() {
        let context = context_of("count_per_cpu.elf");
        assert!(matches!(context.preempt_count, Some(CountPlace::PerCpu(_))), "{context:?}");
        assert_eq!(context.count_bits, CountBits::Usual);
    }

    #[test]
    fn a_preemption_count_that_is_nowhere_is_none() {
        let context = context_of("count_nowhere.elf");
        assert!(context.preempt_count.is_none() && context.current_task.is_some());
    }
}
