//! `iotrace-analyze`: reads a trace and prints what was in it.
//!
//! [`cli`] reads the command line and joins the library `iotrace` with [`view`], text and JSON.
#![forbid(unsafe_code)]

mod cli;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
