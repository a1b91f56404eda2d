//! One file per view: text of an answer. The same answers as JSON are in [`json`].
//!
//! A view writes to any [`std::io::Write`]; it knows no command line. JSON is described by the schemas in
//! `schemas/json/`.

pub mod bio;
pub mod cause;
pub mod diff;
pub mod diff_html;
pub mod events;
pub mod explain;
pub mod info;
pub mod json;
pub mod kernel;
pub mod occurring;
#[cfg(test)]
mod parts_tests;
pub mod path;
pub mod report;
pub mod stages;
pub mod table;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod text;
pub mod verify;
pub mod whatif;
pub mod why;
pub mod witness;
pub mod wrap;
