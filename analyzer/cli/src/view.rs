//! What the text and the JSON of several commands have in common: tables, wrapped lines, the terminal; what an I/O, an
//! event, a bio and its origin are. The text and the JSON of one command are beside it, in [`crate::commands`].
//!
//! A view writes to any [`std::io::Write`]; it knows no command line. JSON is described by the schemas in
//! `schemas/json/`.

pub mod cause;
pub mod event;
pub mod html;
pub mod io;
pub mod json;
pub mod markdown;
pub mod occurring;
pub mod plain;
pub mod stages;
pub mod table;
pub mod terminal;
pub mod text;
pub mod wrap;
