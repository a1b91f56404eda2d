//! `iotrace-analyze`: reads a trace and prints what was in it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    iotrace_analyzer::cli::main()
}
