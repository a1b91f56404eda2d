//! The completions that `generate` writes, in a shell on a terminal.

mod terminal;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Writes the completions of bash below a folder.
fn generate(folder: &Path) {
    let mut generate = Command::new(env!("CARGO_BIN_EXE_iotrace-analyze"));
    generate.arg("generate").arg(folder).args(["--script", "replay=Replay a recording"]);
    assert!(generate.status().unwrap().success());
}

/// What bash executes when these lines are typed, Tab included.
fn completed(lines: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path());
    let rc = folder.path().join("rc");
    let begin = "iotrace() { echo \"executed: iotrace $*\"; }
        iotrace-analyze() { echo \"executed: iotrace-analyze $*\"; }
        bind 'set bell-style none'
        for file in \"${BASH_SOURCE%/*}\"/bash-completion/completions/*; do . \"$file\"; done\n";
    fs::write(&rc, begin).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--rcfile"]).arg(&rc).arg("-i").env("TERM", "dumb").env("HISTFILE", "");
    let (child, mut master) = terminal::start(bash, 200);
    master.write_all(lines.as_bytes()).unwrap();
    master.write_all(b"exit\n").unwrap();
    let printed = terminal::printed((child, master));
    let executed = printed.lines().filter_map(|line| line.trim().strip_prefix("executed: "));
    executed.map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn commands_options_and_words_are_completed() {
    let lines =
        "iotrace-analyze repo\t\niotrace-analyze report --la\t\niotrace repl\t\niotrace whatif --dev\t\n";
    let expected = [
        "iotrace-analyze report",
        "iotrace-analyze report --layer",
        "iotrace replay",
        "iotrace whatif --device",
    ];
    assert_eq!(completed(lines), expected);
}
