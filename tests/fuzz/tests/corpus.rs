//! Each file of the corpora, given to its target: none panics, and none costs more than it may.

use iotrace_fuzz::{TARGETS, corpus, peak, seeds};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The names in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect()
}

#[test]
fn each_file_is_parsed_or_refused_within_its_bounds() {
    for target in &TARGETS {
        let folder = corpus().join(target.name);
        let files = names(&folder);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        // Not captured: an allocation beyond the bound ends the process.
        let _ = writeln!(std::io::stderr(), "{}: {} files", target.name, files.len());
        for file in &files {
            let data = std::fs::read(folder.join(file)).expect("readable");
            let result = std::panic::catch_unwind(|| target.run(&data));
            assert!(result.is_ok(), "corpus/{}/{file} panicked", target.name);
        }
    }
    println!("at most {} KiB were allocated at once", peak() >> 10);
}

#[test]
fn each_target_has_a_corpus_and_one_that_is_fuzzed() {
    let expected: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&corpus()), expected, "folders of the corpus");
    let fuzzed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let files = expected.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzzed), files, "files of the fuzz targets");
    for name in expected {
        let text = std::fs::read_to_string(fuzzed.join(format!("{name}.rs"))).expect("readable");
        assert!(text.contains(&format!("{name:?}")), "{name}.rs calls its target");
    }
}

#[test]
fn seeds_are_what_they_are_made_from() {
    for (target, name, bytes) in seeds::all() {
        let file = corpus().join(target).join(format!("seed-{name}"));
        let stored = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(stored == bytes, "{} differs: cargo run -p iotrace-fuzz --example seeds", file.display());
    }
}
