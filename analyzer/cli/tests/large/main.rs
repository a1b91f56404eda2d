//! Small files that declare a great deal: the time that an answer takes follows the number of events and definitions,
//! whatever they are, and nothing in a file makes the stack overflow.
//!
//! There are so many of each thing that work in the square of their number takes minutes, or hours: a program that does
//! it is ended by the system.

mod calls;
mod clocks;
mod crafted;
mod devices;
mod diff;
mod files;
mod inlined;
mod memory;
mod notes;
mod page_cache;
mod path;
mod reader;
mod requests;
mod whatif;
mod why;
mod witness;

use std::path::Path;
use std::process::{Command, Output};

/// How many of each thing.
const MANY: u64 = 1 << 20;
/// Processor time that the program may take, in seconds. It needs less than 4 of them, mostly 1.
const LIMIT: u32 = 60;

/// What the program prints when it is asked about a file.
fn ask(file: &[u8], args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.iot");
    std::fs::write(&trace, file).unwrap();
    let (command, rest) = args.split_first().unwrap();
    printed(&run(&[&[command, text(&trace)], rest].concat()), 0)
}

/// Runs the program with a limit on its time.
fn run(args: &[&str]) -> Output {
    let limited = format!("ulimit -t {LIMIT}; exec \"$0\" \"$@\"");
    let program = env!("CARGO_BIN_EXE_iotrace-analyze");
    Command::new("sh").args(["-c", &limited, program]).args(args).output().unwrap()
}

/// What was printed by a program that has ended with this code.
fn printed(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "it ended with {}: {said}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The line of a text that has some words in it.
fn line<'a>(text: &'a str, words: &str) -> &'a str {
    text.lines()
        .find(|line| line.contains(words))
        .unwrap_or_else(|| panic!("no line has {words:?}:\n{text:.2000}"))
}
