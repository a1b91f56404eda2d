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
    /// Read through the `struct file` of the open file at hand ([`EntryPlan::open_file`]).
    ThroughFile(ValueAccess),
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
    /// Where the `struct file` of an open file of the current task is.
    pub open_file: Option<Box<OpenFilePlan>>,
    /// Which bytes of files are in a bio is recorded too.
    pub pages: Option<Box<PagesPlan>>,
}

/// How to find the `struct file` that belongs to the number of an open file of the current task.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OpenFilePlan {
    /// The number.
    pub number: FieldSource,
    /// From the task to its table.
    pub table: ValueAccess,
    /// How many files the table has room for.
    pub limit: ValueAccess,
    /// Address of the array of pointers in it.
    pub array: ValueAccess,
}

/// How to find the bytes of files that are in a bio, see [`iotrace_format::event::BIO_PAGES`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PagesPlan {
    /// The argument that is the bio, by its place in [`EntryPlan::arguments`].
    pub argument: u8,
    /// Address of the bio's vectors.
    pub vectors: ValueAccess,
    /// Which of them is the first one that counts.
    pub first: ValueAccess,
    /// Bytes of the first one that are done; none in kernels that change the vector instead.
    pub done: Option<ValueAccess>,
    /// Bytes of the bio.
    pub size: ValueAccess,
    /// Of a vector: its size in memory, and its page, offset in it in bytes, and length in bytes.
    pub vector: (u64, ValueAccess, ValueAccess, ValueAccess),
    /// Of a page.
    pub page: PageAccess,
}

/// How to read a `struct page`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PageAccess {
    /// Its size in memory.
    pub size: u64,
    /// What leads from a tail page to its head; none in kernels whose page cache has single pages only.
    pub head: Option<ValueAccess>,
    /// The address space.
    pub mapping: ValueAccess,
    /// Index in the file, in pages.
    pub index: ValueAccess,
    /// Whether it is being written back.
    pub writeback: ValueAccess,
    /// Of an address space: the number and the device of its inode.
    pub inode: (ValueAccess, ValueAccess),
}
