//! The tables and their rows: the same for every format that has tables. Rows are flat; what one table has of another one is
//! its number. Clocks are guest instructions; `_ns` are virtual nanoseconds, null without icount.
//!
//! The comments of the fields are the descriptions in `schemas/json/export.schema.json`.

mod block;
mod event;
mod io;
mod path;
mod run;

pub use block::{AttemptRow, BioRow, BlockEventRow, CarriedRow, RequestRow, StageRow};
pub use event::{EventRow, WaitRow};
pub use io::IoRow;
pub use path::{HandoffRow, PathRow, handed_off};
pub use run::{RunRow, run_name};

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordTable {
    /// The run: kernel, workload, machine
    Runs,
    /// I/Os
    Ios,
    /// Bios
    Bios,
    /// Stages of bios, in order
    Stages,
    /// Requests
    Requests,
    /// Attempts to have the device process a request: commands
    Attempts,
    /// Bytes of I/Os that bios carried out of the page cache
    Carried,
    /// Waits of tasks in I/Os
    Waits,
    /// Block tracepoints, as the kernel's would have fired
    BlockEvents,
    /// Events
    Events,
    /// Calls of each I/O, in all contexts, as path prints them
    Path,
    /// Hand-offs between the contexts of each I/O
    Handoffs,
}

impl RecordTable {
    /// What a run that is kept among many has: what queries join. Events take the most space, and block events follow from
    /// the others.
    pub const KEPT: [Self; 10] = [
        Self::Runs,
        Self::Ios,
        Self::Bios,
        Self::Stages,
        Self::Requests,
        Self::Attempts,
        Self::Carried,
        Self::Waits,
        Self::Path,
        Self::Handoffs,
    ];

    /// Name, of a file too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Ios => "ios",
            Self::Bios => "bios",
            Self::Stages => "stages",
            Self::Requests => "requests",
            Self::Attempts => "attempts",
            Self::Carried => "carried",
            Self::Waits => "waits",
            Self::BlockEvents => "block-events",
            Self::Events => "events",
            Self::Path => "path",
            Self::Handoffs => "handoffs",
        }
    }
}

/// A row of a table. Its default is a row of the same columns.
pub trait Row: Serialize + JsonSchema + Default {
    /// The table.
    const TABLE: RecordTable;
}
