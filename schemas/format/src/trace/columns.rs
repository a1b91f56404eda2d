//! A block of events as columns, and back.
//!
//! In: events in the order of their clocks. Out: a directory of columns, then the columns: kind, clock, context,
//! task and stack pointer of all events, and in a part of a trace where their numbers leave some out; then, for each
//! kind, each of its words. Values of one meaning stand together, each as the difference from the one before it, which is what makes them small.

mod block;
mod builder;

pub use block::{Columns, EventBlock};
pub use builder::BlockBuilder;

use crate::event::KindId;
use thiserror::Error;

/// Most events that a block may hold.
pub const MAX_EVENTS: usize = 1 << 17;

/// Largest number of an event.
pub const MAX_NUMBER: u64 = 1 << 62;
/// Largest clock: two years of a guest that executes an instruction each nanosecond. Spans of clocks can be added up
/// without an overflow.
pub const MAX_CLOCK: u64 = 1 << 56;

/// "Kind" of the columns that all events have.
const COMMON: u16 = u16::MAX;
const KIND: u16 = 0;
const CLOCK: u16 = 1;
const CONTEXT: u16 = 2;
const TASK: u16 = 3;
const STACK: u16 = 4;
const NUMBER: u16 = 5;
const DIRECTORY_ENTRY: usize = 8;

/// Why a payload is not a block of events.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ColumnError {
    /// The payload ends too early.
    #[error("the payload ends inside {part}: {needed} bytes needed, {available} left")]
    Truncated {
        /// What was being read.
        part: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// A column has not as many values as there are events.
    #[error("column {column} of event type {kind} does not have {expected} values")]
    Values {
        /// Kind it belongs to, 65535 for the common ones.
        kind: u16,
        /// Number of the column.
        column: u16,
        /// Values its events need.
        expected: usize,
    },
    /// A column that cannot be done without is not there.
    #[error("column {column} of event type {kind} is missing")]
    Missing {
        /// Kind it belongs to.
        kind: u16,
        /// Number of the column.
        column: u16,
    },
    /// The head claims more events than a block may hold, or than its payload can.
    #[error(
        "{count} events in a block of {bytes} bytes; at most {MAX_EVENTS} are allowed, of five bytes or more"
    )]
    TooMany {
        /// What the head claims.
        count: usize,
        /// Bytes of the payload.
        bytes: usize,
    },
    /// The head's table of kinds does not fit the events.
    #[error("header counts {expected} events of type {kind}, found {found}")]
    Count {
        /// The kind.
        kind: KindId,
        /// Events of it in the payload.
        found: u64,
        /// Events of it in the head.
        expected: u64,
    },
    /// The numbers of events run over, or are told of more events than there are.
    #[error("malformed numbers of {count} events")]
    Number {
        /// Events in the block.
        count: usize,
    },
    /// The clocks do not end where the head says, or there is one beyond [`MAX_CLOCK`].
    #[error("clocks do not end at {last} from {first}, or exceed {MAX_CLOCK}")]
    Clock {
        /// First clock in the head.
        first: u64,
        /// Last clock in the head.
        last: u64,
    },
}

#[cfg(test)]
mod tests;
