//! What binutils say.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `addr2line -f -i` says of each address: functions and "file:line", innermost first.
/// `None` without that program.
pub fn addr2line(
    file: &Path,
    section: Option<&str>,
    addresses: &[u64],
) -> Option<Vec<Vec<(String, String)>>> {
    let mut command = Command::new("addr2line");
    command.args(["-a", "-f", "-i", "-e"]).arg(file);
    command.args(section.map(|s| format!("--section={s}")));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut input = child.stdin.take()?;
    let lines: String = addresses.iter().map(|a| format!("{a:#x}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().expect("no panic").ok()?;
    let mut found: Vec<Vec<_>> = Vec::new();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            found.push(Vec::new());
        } else {
            let place = lines.next()?.split(" (discriminator").next()?;
            found.last_mut()?.push((line.to_string(), place.to_string()));
        }
    }
    Some(found)
}

/// The instructions between two addresses, by objdump. `None` without that program.
pub fn disassembled(file: &Path, begin: u64, end: u64) -> Option<Vec<(u64, String)>> {
    let mut command = Command::new("objdump");
    command.args(["-d", "--no-show-raw-insn"]);
    command.args([format!("--start-address={begin:#x}"), format!("--stop-address={end:#x}")]);
    let output = command.arg(file).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| {
        let (address, instruction) = line.trim().split_once(":\t")?;
        Some((u64::from_str_radix(address, 16).ok()?, instruction.trim().to_string()))
    };
    Some(text.lines().filter_map(row).collect())
}
