//! What was found out about a file.

pub use super::json::write_verify as write_json;
use super::text::{self, Style};
use iotrace::analysis::verify::Verified;
use std::io::{self, Write};

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, verified: &Verified, style: Style) -> io::Result<()> {
    for finding in &verified.findings {
        writeln!(out, "offset {}: {}", finding.offset, text::plain(&finding.text))?;
    }
    if verified.more > 0 {
        writeln!(out, "and {} more", text::grouped(verified.more))?;
    }
    let [bytes, chunks, blocks, events] =
        [verified.bytes, verified.chunks, verified.blocks, verified.events].map(text::grouped);
    writeln!(out, "{bytes} bytes: {chunks} chunks are sound, {blocks} of them blocks with {events} events")?;
    if verified.unknown > 0 {
        writeln!(
            out,
            "{} pieces are of kinds that this version does not know",
            text::grouped(verified.unknown)
        )?;
    }
    let wrong = verified.findings.len() as u64 + verified.more;
    match wrong {
        0 => writeln!(out, "the trace is what was written"),
        _ => writeln!(out, "{}", style.alarm(&format!("{} things are wrong", text::grouped(wrong)))),
    }
}
