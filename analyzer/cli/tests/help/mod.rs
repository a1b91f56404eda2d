//! The commands of the program, as its help lists them.

use std::process::Command;

/// Names of all commands, but for `help`.
pub fn commands() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_iotrace-analyze")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Names stand two columns in, what goes on from the line before further.
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(names.len() > 15, "{help}");
    names
}
