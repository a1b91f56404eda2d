//! `iotrace-analyze`: reads a trace and prints what was in it.
//!
//! [`commands`] reads the command line and joins the library `iotrace` with [`view`], text and JSON.
#![forbid(unsafe_code)]

mod commands;
mod view;

use cap::Cap;
use std::alloc::System;
use std::process::ExitCode;

/// Counts the memory in use, which `--memory` limits.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    commands::main()
}
