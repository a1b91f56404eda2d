//! The trace file, and the words in which the plugin, the catalog and the analyzer speak of events.
//!
//! - [`event`]: the types of events a trace holds, and the words of each.
//! - [`stage`], [`role`], [`layer`]: what functions and their arguments mean to the analyzer.
//! - [`definition`]: the metadata that makes a trace self-describing.
//! - [`trace`]: the trace file, laid out in `schemas/FORMAT.md`.
//! - [`new_file`]: a file that gets its name when it is whole.
//! - [`suggestion`]: what a mistyped name may stand for.

pub mod definition;
mod encoding;
pub mod event;
pub mod layer;
pub mod new_file;
pub mod role;
pub mod stage;
pub mod suggestion;
pub mod trace;
