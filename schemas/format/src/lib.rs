//! The trace file, and the words in which the plugin, the catalog and the analyzer speak of events.
//!
//! - [`event`]: the types of events a trace holds, and the words of each.
//! - [`stage`], [`role`], [`layer`]: what functions and their arguments mean to the analyzer.
//! - [`definition`]: the metadata that makes a trace self-describing.
//! - [`trace`]: the trace file, laid out in `schemas/FORMAT.md`.
//! - [`new_file`]: a file that gets its name when it is whole.
//! - [`suggestion`]: what a mistyped name may stand for.
//!
//! A trace that is written, and read again:
//!
//! ```
//! use iotrace_format::definition::{Definition, Note, Severity};
//! use iotrace_format::event::{Event, MARK};
//! use iotrace_format::trace::columns::Columns;
//! use iotrace_format::trace::reader::{Content, Decoder, TraceFile};
//! use iotrace_format::trace::walk::WalkStep;
//! use iotrace_format::trace::writer::TraceWriter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut writer = TraceWriter::new(Vec::new())?;
//! let note = Note { severity: Severity::Info, topic: "example".into(), text: "written by hand".into() };
//! writer.definitions(&[Definition::Note(note)])?;
//! let mark = Event { kind: MARK.id, vcpu: 0, clock: 100, context: 0, task: 0, stack: 0, words: &[1, 0] };
//! writer.event(&mark)?;
//! let file = TraceFile::from_bytes(writer.finish()?)?;
//!
//! let (mut decoder, mut clocks) = (Decoder::new()?, Vec::new());
//! for step in file.walk() {
//!     // What belongs to no whole chunk is `WalkStep::Bad`: a damaged file is read as far as it is sound.
//!     let WalkStep::Chunk(_offset, chunk) = step else { continue };
//!     match decoder.decode(&chunk, Columns::ALL, Box::default())? {
//!         Content::Definitions(definitions, _) => assert_eq!(definitions.len(), 1),
//!         Content::Events(events) => clocks.extend(events.events().map(|event| event.clock)),
//!         _ => {}
//!     }
//! }
//! // Marks are landmarks: they are in the file twice, so that questions about time need not read the rest.
//! assert_eq!(clocks, [100, 100]);
//! # Ok(())
//! # }
//! ```

pub mod definition;
mod encoding;
pub mod event;
pub mod layer;
pub mod new_file;
pub mod role;
pub mod stage;
pub mod suggestion;
pub mod trace;
