//! From a trace to what each block I/O went through.
//!
//! [`Session::open`] opens a trace. The analyses take the session and return plain data:
//!
//! ```no_run
//! use iotrace::analysis::report::{ReportQuery, SortBy, report};
//! use iotrace::{Session, SessionOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = Session::open("trace.iot".as_ref(), SessionOptions::default())?;
//! let query = ReportQuery { rows: 10, sort: SortBy::Elapsed, ..ReportQuery::default() };
//! for io in report(&session, &query, &mut |_| {})?.ios {
//!     println!("#{} {}: bios {:?}", io.id, io.syscall, io.all_bios());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The way is one: [`reader`] (file to events with their definitions) → [`context`] (who runs, at which
//! level, in which call, at what virtual time) → [`trackers`] (facts of calls to those of objects: which bio, request,
//! command, doorbell and interrupt belong together) → [`model`] (plain data, `Send` and serializable) → [`analysis`]
//! (reports, summaries, comparisons). A [`Session`] owns all of it for one trace, feeds any number of [`Observer`]s in one
//! pass, and keeps an index beside the trace. [`rewrite`] goes from the reader back to a file.
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
pub use session::{
    IndexMessage, IndexUse, Observer, Pass, PassEnd, Progress, Session, SessionError, SessionOptions,
};
