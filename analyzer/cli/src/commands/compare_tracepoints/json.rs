//! The document of `witness`.

use crate::view::json;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::witness::{Compared, Comparison, LeftOut, Nesting, TracepointDifference};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The trace compared with the guest's own tracepoints and its function_graph.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WitnessDocument<'a> {
    schema_version: SchemaVersion,
    /// Everything is the same.
    equal: bool,
    /// What is missing of the trace: where it is truncated or damaged, and why; null if it is complete.
    incomplete: Option<&'a str>,
    /// Functions that are not compared, each with its module in brackets; null if function_graph did not run.
    left_out: Option<&'a LeftOut>,
    /// The trace has marks of a workload; otherwise its begin and its end were not compared.
    marked: bool,
    /// The calls compared with those of function_graph; null if it did not run.
    nesting: Option<&'a Nesting>,
    /// The block tracepoints, in the order of the path.
    tracepoints: List<'a, TracepointJson<'a>>,
}

/// The events of one tracepoint.
#[derive(Debug, Serialize, JsonSchema)]
struct TracepointJson<'a> {
    /// The first differences.
    differences: List<'a, TracepointDifferenceJson>,
    /// Events that are the same, up to the first difference.
    equal: usize,
    /// Events that the guest's tracepoint reported.
    guest: usize,
    /// Events of the trace that are compared with them.
    trace: usize,
    /// Name of the tracepoint.
    tracepoint: &'static str,
}

/// A difference.
#[derive(Debug, Serialize, JsonSchema)]
struct TracepointDifferenceJson {
    /// When the event of the trace was: guest instructions; null without one.
    clock: Option<u64>,
    /// What the guest's tracepoint reported; null if nothing.
    guest: Option<String>,
    /// What the trace has; null if nothing.
    trace: Option<String>,
}

/// As JSON (`schemas/json/compare-tracepoints.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    let document = WitnessDocument {
        schema_version: SchemaVersion,
        equal: comparison.is_equal(),
        incomplete: comparison.cut.as_deref(),
        left_out: comparison.nesting.as_ref().map(|(_, left_out)| left_out),
        marked: comparison.marked,
        nesting: comparison.nesting.as_ref().map(|(nesting, _)| nesting),
        tracepoints: List::new(comparison.kinds.iter().map(tracepoint)),
    };
    json::write(out, &document)
}

fn tracepoint(compared: &Compared) -> TracepointJson<'_> {
    TracepointJson {
        differences: List::new(compared.differences.iter().map(difference)),
        equal: compared.equal,
        guest: compared.witness,
        trace: compared.ours,
        tracepoint: compared.kind.name(),
    }
}

fn difference(TracepointDifference { witness, ours }: &TracepointDifference) -> TracepointDifferenceJson {
    TracepointDifferenceJson {
        clock: ours.as_ref().map(|(_, clock)| *clock),
        guest: witness.as_ref().map(ToString::to_string),
        trace: ours.as_ref().map(|(event, _)| event.to_string()),
    }
}
