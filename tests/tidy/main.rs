//! What no compiler checks of the sources: one meaning for a type's name, files that can be read at a sitting, words of
//! a processor in one crate, the analyzer's output in one file.

mod documents;
mod words;

use iotrace_tests::checkout;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a source file.
const LINES: usize = 500;

/// The workspace's Rust files, relative to the checkout.
fn sources() -> Vec<PathBuf> {
    files_of("rs")
}

/// Its files with this extension.
fn files_of(wanted: &str) -> Vec<PathBuf> {
    let (root, mut folders, mut files) = (checkout(), vec![PathBuf::new()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("the checkout is readable") {
            let entry = entry.expect("the checkout is readable");
            let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
            match entry.file_type().expect("the checkout is readable").is_dir() {
                true if name != "target" && !name.to_string_lossy().starts_with('.') => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == wanted) => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(checkout().join(file)).expect("sources are text")
}

/// The names of the types that a file has for others.
fn public_types(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("pub")?;
        let rest = match rest.strip_prefix('(') {
            Some(scope) => scope.split_once(')')?.1,
            None => rest,
        };
        let (kind, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
        let is_type = ["struct", "enum", "union", "trait", "type"].contains(&kind);
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|_| is_type)
    })
}

#[test]
fn a_types_name_has_one_meaning() {
    let mut found = BTreeMap::<String, BTreeSet<PathBuf>>::new();
    for file in sources() {
        for name in public_types(&read(&file)) {
            found.entry(name.to_owned()).or_default().insert(file.clone());
        }
    }
    let twice: Vec<_> = found.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "types with names that others have: {twice:#?}");
}

#[test]
fn files_are_short() {
    let lines = |file: PathBuf| (read(&file).lines().count(), file);
    let long: Vec<_> = sources().into_iter().map(lines).filter(|(lines, _)| *lines > LINES).collect();
    assert!(long.is_empty(), "files of more than {LINES} lines: {long:?}");
}

/// The analyzer's one file that has the process's output, and ways to it that no other file may have.
const OUTPUT: (&str, [&str; 9]) = (
    "analyzer/cli/src/view/terminal.rs",
    [
        "io::stdout",
        "io::stderr",
        "Stdout",
        "Stderr",
        "print!(",
        "println!(",
        "dbg!(",
        "error.exit()",
        "/dev/stdout",
    ],
);

#[test]
fn the_analyzer_prints_through_one_file() {
    let (output, ways) = OUTPUT;
    let is_other = |file: &PathBuf| file.starts_with("analyzer/cli/src") && *file != Path::new(output);
    for file in sources().into_iter().filter(is_other) {
        let text = read(&file);
        let found: Vec<_> = ways.iter().filter(|way| text.contains(**way)).collect();
        assert!(found.is_empty(), "{} has {found:?}: print through {output}", file.display());
    }
    assert!(read(Path::new(output)).contains(ways[0]), "{output} has standard output");
}

#[test]
fn public_types_are_found() {
    let text = "pub struct A;\nstruct B;\n    pub(crate) enum C<T> {\npub fn d() {}\npub type E = u8;\n// pub struct F\n\
                pub(in crate::x) trait G: H {\n";
    assert_eq!(Vec::from_iter(public_types(text)), ["A", "C", "E", "G"]);
    assert!(sources().len() > 200 && sources().contains(&PathBuf::from("tests/tidy/main.rs")));
}
