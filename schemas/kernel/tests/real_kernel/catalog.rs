//! What the catalog (schemas/catalog) asks of the types: BTF and DWARF must answer alike.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use iotrace_kernel::{Image, ModuleFile, Returned, Types};

use super::{folder, kernel, modules};

/// What the catalog names.
#[derive(Default)]
struct Catalog {
    /// Structure, path.
    paths: BTreeSet<(String, String)>,
    structures: BTreeSet<String>,
    enumerators: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Catalog {
    /// Reads as much of the files' TOML as they use: tables, and keys with strings or lists.
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/data");
        let files = std::fs::read_dir(folder).expect("there").map(|e| e.expect("readable").path());
        let mut catalog = Self::default();
        for file in files.filter(|f| f.extension().is_some_and(|e| e == "toml")) {
            catalog.add(&std::fs::read_to_string(file).expect("readable"));
        }
        catalog
    }

    fn add(&mut self, text: &str) {
        let (mut table, mut owner) = (String::new(), String::new());
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        while let Some(line) = lines.next() {
            if line.starts_with('[') {
                table = line.trim_matches(['[', ']']).to_string();
                continue;
            }
            let Some((key, value)) = line.split_once(" = ") else {
                continue;
            };
            let mut value = value.to_string();
            while value.starts_with('[') && !value.trim_end().ends_with(']') {
                value.push_str(lines.next().expect("the list ends"));
            }
            let strings: Vec<String> = value.split('"').skip(1).step_by(2).map(str::to_string).collect();
            match (table.as_str(), key) {
                ("object", "name" | "struct") => owner = strings.concat(),
                ("object.fields", _) => strings.iter().for_each(|path| self.add_path(&owner, path)),
                ("function", "name" | "aliases") => self.functions.extend(strings),
                ("", "constants") => self.enumerators.extend(strings),
                _ => {}
            }
        }
    }

    fn add_path(&mut self, owner: &str, path: &str) {
        let sizeof = path.split_once("sizeof(").and_then(|(_, rest)| rest.split(')').next());
        self.structures.extend(sizeof.map(str::to_string));
        if path.starts_with(['@', '+']) {
            return;
        }
        let path = path.split_once('@').map_or(path, |(pointer, _)| pointer);
        let (path, bit) = path.split_once('#').map_or((path, None), |(path, bit)| (path, Some(bit)));
        self.enumerators.extend(bit.map(str::to_string));
        self.paths.insert((owner.to_string(), path.to_string()));
        self.structures.insert(owner.to_string());
    }

    /// Compares all answers. `strict`: what one does not know the other must not know either.
    /// How many both know.
    fn compare(&self, btf: &Types, dwarf: &Types, strict: bool) -> [usize; 3] {
        let (mut known, mut differing) = ([0; 3], 0);
        for (owner, path) in &self.paths {
            let (a, b) = (btf.resolve(owner, path), dwarf.resolve(owner, path));
            known[0] += usize::from(a.is_ok() && b.is_ok());
            if strict || (a.is_ok() && b.is_ok()) {
                assert_eq!(a.ok(), b.ok(), "{owner}.{path}");
            }
        }
        for name in &self.structures {
            let (a, b) = (btf.size_of(name), dwarf.size_of(name));
            if strict || (a.is_ok() && b.is_ok()) {
                assert_eq!(a.ok(), b.ok(), "{name}");
            }
        }
        for name in &self.enumerators {
            let (a, b) = (btf.enumerator(name), dwarf.enumerator(name));
            known[1] += usize::from(a.is_some() && b.is_some());
            if strict || (a.is_some() && b.is_some()) {
                assert_eq!(a, b, "{name}");
            }
        }
        for name in &self.functions {
            // BTF describes no function that was inlined everywhere.
            if let (Some(mut a), Some(mut b)) = (btf.parameters(name), dwarf.parameters(name)) {
                // The macros of system calls declare them under several names.
                if iotrace_arch::FIRST.system_call_prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                    [&mut a, &mut b].into_iter().flatten().for_each(|p| p.name.clear());
                }
                // What a module only calls has no names in its DWARF.
                let nameless = !strict && b.iter().all(|p| p.name.is_empty());
                a.iter_mut().filter(|_| nameless).for_each(|p| p.name.clear());
                known[2] += 1;
                // BTF describes what is written in assembly as if it took nothing; DWARF has its declaration.
                let of_assembly = a.is_empty() && b.iter().all(|p| p.name.is_empty());
                if a != b && !of_assembly {
                    println!("{name}: {a:?} in BTF, {b:?} in DWARF");
                    differing += 1;
                }
            }
        }
        // A module's function that was inlined everywhere is not in its BTF: one of the kernel's of that name
        // answers in its place.
        assert!(differing <= usize::from(!strict), "{differing} functions differ");
        known
    }
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn the_catalog_is_the_same_in_btf_and_dwarf() {
    let kernel = kernel();
    let catalog = Catalog::read();
    let asked = (catalog.paths.len(), catalog.enumerators.len(), catalog.functions.len());
    println!("the catalog has {asked:?} paths, enumerators, functions");
    assert!(asked.0 > 50 && asked.1 > 20 && asked.2 > 50);
    let dwarf = Types::of_dwarf(kernel.image()).expect("sound");
    if dwarf.origin() == "none" || kernel.types().origin() != "BTF" {
        return println!("not both BTF and DWARF: nothing to compare");
    }
    let known = catalog.compare(kernel.types(), &dwarf, true);
    println!("the kernel: {known:?} in both");
    assert!(known.iter().all(|n| *n > 10));
    let debug = modules(&folder().join("debug"));
    for path in modules(&folder().join("modules")) {
        let Some(debug) = debug.iter().find(|d| d.file_name() == path.file_name()) else {
            continue;
        };
        let module = ModuleFile::open(&path, Some(debug), &kernel).expect("opens");
        let image = Arc::new(Image::open(debug).expect("opens"));
        let dwarf = Types::of_dwarf(&image).expect("sound");
        println!("{}: {:?} in both", module.name(), catalog.compare(module.types(), &dwarf, false));
    }
}

/// Prints what each function of the catalog returns, for comparisons with other programs.
#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn functions_of_the_catalog_return_the_same_in_btf_and_dwarf() {
    let kernel = kernel();
    let dwarf = Types::of_dwarf(kernel.image()).expect("sound");
    let catalog = Catalog::read();
    let (mut both, mut one) = (0, 0);
    for name in &catalog.functions {
        // BTF describes what is written in assembly as if it returned nothing.
        let takes_nothing = kernel.types().parameters(name).is_some_and(|p| p.is_empty());
        for symbol in kernel.symbols().variants(name) {
            let of_btf = kernel.types().returned(name);
            let (of_both, of_dwarf) = (kernel.returned(symbol.name), dwarf.returned(name));
            println!("returned {} {of_both:?} {of_dwarf:?}", symbol.name);
            match (of_btf, of_dwarf) {
                (Some(a), Some(b)) => {
                    let of_assembly = takes_nothing && a == Returned::Nothing;
                    assert!(a == b || of_assembly, "{}: {a:?} in BTF, {b:?} in DWARF", symbol.name);
                    both += 1;
                }
                (Some(_), None) => assert!(takes_nothing || dwarf.origin() == "none", "{}", symbol.name),
                _ => one += 1,
            }
        }
    }
    println!("{both} in both, {one} not in BTF");
    assert!(dwarf.origin() == "none" || both > 100);
}
