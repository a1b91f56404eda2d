//! What is read when a probe is hit, worked out beforehand: no names, no look-ups, only offsets.

use bincode::{Decode, Encode};
use iotrace_format::role::Role;
pub use iotrace_kernel::ValueAccess;

/// Where an argument is when the probe is hit. Registers by their DWARF numbers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ArgumentLocation {
    /// In a register.
    Register(u8),
    /// A register and an offset, added.
    Sum(u8, i64),
    /// In memory, at a register and an offset.
    Memory {
        /// Register.
        register: u8,
        /// Offset in bytes.
        offset: i64,
        /// Bytes, 1 to 8.
        width: u8,
    },
    /// The compiler knows it.
    Constant(u64),
    /// Nowhere any more.
    Unknown,
}

/// Where a word of an event comes from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FieldSource {
    /// An argument, by its place in [`EntryPlan::arguments`].
    Argument(u8),
    /// The element of the list at hand ([`EntryPlan::list`]).
    Element,
    /// Read through an argument.
    Through(u8, ValueAccess),
    /// Read through the element at hand.
    ThroughElement(ValueAccess),
    /// The return address, on top of the stack.
    Caller,
}

/// A word of an event.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EventField {
    /// Name in the trace.
    pub name: String,
    /// What it is; none if it is only shown.
    pub role: Option<Role>,
    /// Where it comes from.
    pub source: FieldSource,
    /// The value is a function's address, to be named in the trace.
    pub symbol: bool,
}

/// What is recorded at a function's entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct EntryPlan {
    /// Where the arguments are.
    pub arguments: Vec<ArgumentLocation>,
    /// The words of the event.
    pub words: Vec<EventField>,
    /// One event for each element of a list: the argument that is the `list_head`, and the offset of
    /// the link in an element.
    pub list: Option<(u8, i64)>,
}
