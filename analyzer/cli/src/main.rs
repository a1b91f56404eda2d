//! `iotrace-analyze`: reads a trace and prints what was in it.
//!
//! [`commands`] reads the command line and joins the library `iotrace` with [`view`], text and JSON.
#![forbid(unsafe_code)]

mod commands;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::main()
}
