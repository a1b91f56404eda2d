//! From a trace to what each block I/O went through.
//!
//! The way is one: [`reader`] (file to events with their definitions) → [`context`] (who runs, at which
//! level, in which call, at what virtual time) → [`trackers`] (facts of calls to those of objects: which bio, request,
//! command, doorbell and interrupt belong together) → [`model`] (plain data) → [`analysis`] (reports, summaries,
//! comparisons). [`rewrite`] goes from the reader back to a file.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod context;
pub mod hash;
mod index;
pub mod model;
mod ranges;
pub mod reader;
pub mod rewrite;
mod session;
pub mod trackers;
mod unsaved;

pub use index::IndexError;
pub use session::{IndexUse, Observer, Pass, PassEnd, Progress, Session, SessionError, SessionOptions};
