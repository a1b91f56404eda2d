//! A checksum of the sources that decide what is made of a trace: an index of another version is not used.

use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Folders of those sources, from here.
const FOLDERS: &[&str] = &["src", "../schemas/arch/src", "../schemas/format/src"];

fn main() {
    let mut hash = Xxh3::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        collect(Path::new(folder), &mut files);
        files.sort();
        for file in files {
            hash.update(file.to_string_lossy().as_bytes());
            hash.update(&fs::read(&file).unwrap_or_default());
        }
    }
    println!("cargo::rustc-env=IOTRACE_SOURCES={:016x}", hash.digest());
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
