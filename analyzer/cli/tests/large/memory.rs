//! What never ends is kept: a small file may have more of it than there is memory for.

use super::crafted::{Crafted, WRITE};
use super::{MANY, printed, run, text};
use iotrace_format::definition::{AddressName, At, Definition};
use std::path::Path;
use std::process::Output;

/// Files of some KiB: bios that never end; tasks with open calls; symbols, each with the longest name.
fn files() -> [(&'static str, Vec<u8>); 3] {
    let mut bios = Crafted::default();
    let queue = bios.probe("bio.queue", At::Entry, &["bio", "bio.size", "bio.op", "bio.traced"]);
    (1..=2 * MANY).for_each(|bio| bios.event(queue, &[bio << 8, 4096, WRITE, 0]));
    let mut calls = Crafted::default();
    let (write, _) = calls.call("sys.write", &["regs.fd"]);
    for task in 1..=MANY {
        calls.task = task << 8;
        calls.name_task(task << 8, task);
        calls.event(write, &[3]);
    }
    let mut symbols = Crafted::default();
    for address in 0..MANY {
        let name = format!("{address:0512}");
        symbols.define(Definition::Symbol(AddressName { address, name }));
    }
    [("bios", bios.file()), ("calls", calls.file()), ("symbols", symbols.file())]
}

fn ask(trace: &Path, command: &[&str], memory: &str) -> Output {
    run(&[&[command[0], text(trace)], &command[1..], &["--memory", memory, "--threads", "1"]].concat())
}

#[test]
fn a_file_that_takes_more_memory_than_it_may_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (what, file) in files() {
        let trace = folder.path().join(what);
        std::fs::write(&trace, file).unwrap();
        for command in
            [&["report", "--limit", "1"][..], &["why", "1"], &["events", "--type", "mark"], &["diff"]]
        {
            let command = if command == ["diff"] { vec!["diff", text(&trace)] } else { command.to_vec() };
            let output = ask(&trace, &[&command[..], &["--stats"]].concat(), "96m");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                // What is not kept needs no memory.
                Some(0) => {}
                Some(1) => assert!(said.contains("more than 96 MiB of memory are needed"), "{what}: {said}"),
                code => panic!("{what}: {command:?}: {code:?}: {said}"),
            }
            let peak = said.lines().find_map(|line| line.split("peak memory ").nth(1));
            let peak = peak.unwrap_or_else(|| panic!("{what}: {command:?}: {said}"));
            let mib: f64 = peak.split(' ').next().and_then(|number| number.parse().ok()).unwrap();
            assert!(
                peak.contains("KiB") || peak.contains("MiB") && mib < 256.0,
                "{what}: {command:?}: {peak}"
            );
        }
    }
    let (bios, report) = (folder.path().join("bios"), ["report", "--limit", "1"]);
    let output = ask(&bios, &report, "96m");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(printed(&ask(&bios, &report, "4GiB"), 0).contains("2,097,152 bios"));
}
