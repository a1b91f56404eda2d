//! The comparison with the guest's own tracepoints and its function_graph.

mod nesting;

use crate::view::table::{Align, Table};
use crate::view::text::Style;
use crate::view::wrap::WrapWriter;
use iotrace::analysis::witness::{Comparison, Saying, TracepointDifference};
use std::io::{self, Write};

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, comparison: &Comparison, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    let right = ["ftrace", "iotrace", "equal"];
    let heads = [("tracepoint", Align::Left)].into_iter().chain(right.map(|head| (head, Align::Right)));
    let mut table = Table::new(heads.chain([("result", Align::Left)]));
    for kind in &comparison.kinds {
        let verdict = if kind.differences.is_empty() { "same" } else { "DIFFERENT" };
        let counts = [kind.witness, kind.ours, kind.equal].map(|n| n.to_string());
        table.row([kind.kind.name().to_owned()].into_iter().chain(counts).chain([verdict.to_owned()]));
    }
    table.write(out, style, "")?;
    if !comparison.marked {
        writeln!(
            out,
            "no workload marks in the trace: events before and after the tracepoint log are not compared"
        )?;
    }
    if let Some((nesting, left_out)) = &comparison.nesting {
        nesting::write(out, nesting, left_out, style)?;
    }
    for kind in comparison.kinds.iter().filter(|kind| !kind.differences.is_empty()) {
        writeln!(out, "\n{}", style.heading(kind.kind.name()))?;
        for TracepointDifference { witness, ours } in &kind.differences {
            let text = |saying: Option<&Saying>| saying.map_or("(none)".into(), ToString::to_string);
            let clock = ours.as_ref().map(|(_, clock)| format!(" at {clock}")).unwrap_or_default();
            writeln!(out, "  ftrace  {}", text(witness.as_ref()))?;
            writeln!(out, "  iotrace {}{clock}", text(ours.as_ref().map(|(saying, _)| saying)))?;
        }
    }
    Ok(())
}
