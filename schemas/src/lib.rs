//! What both sides of iotrace agree on.
//!
//! - [`catalog`]: the known I/O path functions and devices, as data (`catalog/*.toml`).
//! - [`event`]: the kinds of events a trace holds, and the words of each.
//! - [`stage`], [`role`]: what the analyzer takes functions and their arguments for.
//! - [`definition`]: the metadata that makes a trace self-describing.
//! - [`trace`]: the trace file, laid out in `FORMAT.md`.

pub mod catalog;
pub mod definition;
mod encoding;
pub mod event;
pub mod reference;
pub mod role;
pub mod stage;
mod suggestion;
pub mod trace;
