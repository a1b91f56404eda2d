//! The rows of tables as JSON: only the schema needs them together.

use super::rows::{
    AttemptRow, BioRow, BlockEventRow, CarriedRow, EventRow, HandoffRow, IoRow, PathRow, RequestRow, RunRow,
    StageRow, WaitRow,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A line of `--to ndjson`, by the table that it is of. Clocks are guest instructions; `_ns` are virtual nanoseconds, null
/// without icount. csv has the same columns.
#[expect(dead_code, reason = "it is a schema")]
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ExportDocument<'a> {
    /// --table runs
    Run(RunRow),
    /// --table ios
    Io(IoRow<'a>),
    /// --table bios
    Bio(BioRow),
    /// --table stages
    Stage(StageRow),
    /// --table requests
    Request(RequestRow),
    /// --table attempts
    Attempt(AttemptRow),
    /// --table carried
    Carried(CarriedRow),
    /// --table waits
    Wait(WaitRow<'a>),
    /// --table block-events
    BlockEvent(BlockEventRow),
    /// --table events
    Event(EventRow<'a>),
    /// --table path
    Path(PathRow<'a>),
    /// --table handoffs
    Handoff(HandoffRow),
}
