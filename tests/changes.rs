//! What another kernel does differently, told of a kernel of which it is known.

use iotrace_tests::{built, checkout, folder, replay, script, succeed};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Recordings of each kernel: the fewest from which the rank-sum test tells a difference.
const RECORDINGS: usize = 4;

/// What `patches/one-more-call.patch` adds to `vfs_write` itself: 100 instructions, the call, and the return from it,
/// which is the first instruction of what follows the call.
const ADDED: i64 = 102;

/// What the function it adds costs: the place for ftrace's call at its entry, and 50 instructions.
const NEW: i64 = 51;

/// The folder with the traces of so many recordings of a kernel.
fn traces(kernel: &str, name: &str) -> PathBuf {
    let catalog = format!("catalog={}", checkout().join("tests/catalogs/one_more_call.toml").display());
    let place = folder(&format!("traces/{name}"));
    for number in 1..=RECORDINGS {
        let recorded = folder("recordings").join(format!("{name}-{number}"));
        succeed(script("record").args([kernel, "--workload", "loop-write", "--force", "-o"]).arg(&recorded));
        let trace = replay(&recorded, &format!("{name}/{number}"), &["--plugin-args", &catalog]);
        assert_eq!(trace.parent(), Some(&*place));
    }
    place
}

fn compared(a: &Path, b: &Path, format: &str) -> String {
    succeed(
        Command::new(built("iotrace-analyze")).arg("diff").args([a, b]).args(["--all", "--format", format]),
    )
}

#[test]
fn a_patch_is_found_to_the_instruction() {
    let patch = checkout().join("tests/patches/one-more-call.patch");
    let patched = succeed(script("kernel").arg("built-6.1").arg("--patch").arg(&patch));
    let (a, b) = (traces("built-6.1", "unpatched"), traces(&patched, "patched"));
    println!("{}", compared(&a, &b, "text"));
    let diff: Value = serde_json::from_str(&compared(&a, &b, "json")).expect("it is JSON");
    assert_eq!(diff["unpaired"], Value::Array(Vec::new()));
    let functions = diff["functions"].as_array().expect("a list of functions");
    let of = |name: &str| functions.iter().find(|function| function["name"] == name).expect(name);
    assert_eq!(of("vfs_write")["test"]["difference"], ADDED);
    assert_eq!(of("iotrace_extra")["test"]["difference"], NEW);
    assert_eq!(of("iotrace_extra")["calls"]["a"], 0);
    let differ = functions.iter().filter(|function| function["test"]["differs"] == true);
    let mut differ: Vec<_> = differ.map(|function| function["name"].as_str().expect("a name")).collect();
    differ.sort_unstable();
    assert_eq!(differ, ["iotrace_extra", "vfs_write"]);
    assert_eq!(compared(&a, &a, "text"), "no difference");
}
