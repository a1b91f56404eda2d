//! On a terminal no line is longer than it is wide; in a pipe lines are whole.
//!
//! The program runs on a pseudo-terminal of 80 and of 120 columns, with every command, on traces built by hand and on those
//! of earlier versions.

mod help;
mod terminal;

use help::commands;
use iotrace_synthetic_guest::{buffered, changed_write, direct_write, small};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use unicode_width::UnicodeWidthStr;

const PROGRAM: &str = env!("CARGO_BIN_EXE_iotrace-analyze");
/// Terminals that are tried.
const WIDTHS: [u16; 2] = [80, 120];

/// What is printed on a terminal of so many columns, without its colours; `columns` is set in the environment.
fn on_terminal(args: &[&str], width: u16, columns: Option<&str>) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_remove("COLUMNS").env_remove("NO_COLOR").envs(columns.map(|c| ("COLUMNS", c)));
    without_colours(&terminal::printed(terminal::start(command, width)))
}

fn in_pipe(args: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(args).env("COLUMNS", "40").stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Text without SGR sequences (ECMA-48, 8.3.117).
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or(part, |(_, rest)| rest))
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Hand-built traces and those of earlier versions.
    fn traces(&self) -> Vec<String> {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let golden = ["with-roles", "damaged"].map(|name| golden.join(name).with_extension("iot"));
        let built = [("small", small()), ("buffered", buffered()), ("direct", direct_write())];
        let built = built.map(|(name, guest)| PathBuf::from(self.write(name, &guest.file())));
        golden.iter().chain(&built).map(|path| path.to_str().unwrap().to_owned()).collect()
    }
}

/// Tracepoints and calls that a guest did not have.
const WITNESS: &str = "\
# traced: bio_enter_function
# tracer: function_graph
# CPU  TASK/PID         DURATION                  FUNCTION CALLS
 0)     dd-42      |               |  bio_enter_function() {
 0)     dd-42      |               |    /* block_bio_queue: 8,0 WS 100 + 8 [dd] */
 0)     dd-42      |   1.000 us    |    bio_enter_function();
";

/// An answer to a question.
const ANSWERS: &str = r#"{"schema_version": 1, "answers": [{"clock": 5, "place": "vfs_write", "vcpu": 0, "context": 0,
"stack_pointer": "0x10", "task": {"address": "0x1"}, "fields": {"count": "59"}, "stack": []}]}"#;

/// Every command that reads a trace, `T`; `W` is a tracepoint log, `O` another trace, `N` a new one, `A` has answers.
const COMMANDS: &[&[&str]] = &[
    &["report", "T"],
    &["report", "T", "--all", "--delta"],
    &["report", "T", "--summary"],
    &["report", "T", "--instructions", "--limit", "1"],
    &["bio", "T", "1"],
    &["bio", "T", "3"],
    &["path", "T", "--io", "1"],
    &["path", "T", "--bio", "1", "--source"],
    &["why", "T", "--io", "1"],
    &["whatif", "T", "--device", "read=1ms,write=1us+1us/KiB,depth=1"],
    &["explain", "T"],
    &["diff", "T", "O", "--all"],
    &["events", "T"],
    &["info", "T"],
    &["verify", "T"],
    &["compare-tracepoints", "T", "W"],
    &["diverge", "T", "O"],
    &["recover", "T", "-o", "N"],
    &["slice", "T", "--clock", "0..", "-o", "N"],
    &["cat", "T", "T", "-o", "N"],
    &["inject", "T", "A", "-o", "N"],
    &["inject", "T", "W", "-o", "N"],
    &["report", "T", "--clock", "2..1"],
    &["bio", "T", "99"],
];

fn assert_fits(args: &[&str], text: &str, width: u16) {
    assert!(!text.trim().is_empty(), "{args:?} printed nothing");
    let long: Vec<_> = text.lines().filter(|line| line.width() > width.into()).collect();
    assert!(long.is_empty(), "{args:?} at {width}: {long:#?} in\n{text}");
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let other = place.write("other", &changed_write().file());
    let witness = place.write("witness", WITNESS.as_bytes());
    let new = place.folder.path().join("new.iot").to_str().unwrap().to_owned();
    let answers = place.write("answers", ANSWERS.as_bytes());
    for trace in place.traces() {
        for command in COMMANDS {
            let arg = |arg: &&'static str| match *arg {
                "T" => trace.clone(),
                "O" => other.clone(),
                "W" => witness.clone(),
                "A" => answers.clone(),
                "N" => new.clone(),
                arg => arg.to_owned(),
            };
            let args: Vec<String> = command.iter().map(arg).collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            for width in WIDTHS {
                assert_fits(&args, &on_terminal(&args, width, None), width);
            }
        }
    }
}

#[test]
fn help_fits() {
    let names = commands();
    for width in WIDTHS {
        let all = std::iter::once(vec!["--help"]).chain(names.iter().map(|name| vec![name, "--help"]));
        for args in all {
            let help = on_terminal(&args, width, None);
            assert!(help.contains("Usage: "), "{args:?}: {help}");
            assert_fits(&args, &help, width);
        }
    }
}

#[test]
fn numbers_are_whole_and_columns_that_are_not_shown_are_named() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let trace = place.write("small", &small().file());
    let whole = in_pipe(&["report", &trace]);
    let narrow = on_terminal(&["report", &trace], 80, None);
    assert!(!whole.contains("not shown at this width"), "{whole}");
    let (_, dropped) = narrow.split_once("not shown at this width: ").expect("columns are dropped");
    assert!(dropped.contains("driver"), "{narrow}");
    for number in ["1,002.0", "1,001.7", "100", "108", "500"] {
        let words = |text: &str| text.split_whitespace().any(|word| word == number);
        assert!(words(&whole) && words(&narrow), "{number} in {narrow}");
    }
}

#[test]
fn a_pipe_gets_whole_lines_and_columns_overrides_the_terminal() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let trace = place.write("small", &small().file());
    assert!(in_pipe(&["report", &trace]).lines().any(|line| line.width() > 120));
    let wide = on_terminal(&["report", &trace], 80, Some("120"));
    assert_fits(&["report"], &wide, 120);
    assert!(wide.lines().any(|line| line.width() > 80), "{wide}");
    assert_fits(&["report"], &on_terminal(&["report", &trace], 120, Some("60")), 60);
}
