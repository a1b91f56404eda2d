//! Results of checking a file.

use crate::view::text::{self, Style};
use crate::view::wrap::WrapWriter;
use iotrace::analysis::verify::Verified;
use std::io::{self, Write};

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, verified: &Verified, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    for finding in &verified.findings {
        writeln!(out, "offset {}: {}", finding.offset, text::plain(&finding.text))?;
    }
    if verified.more > 0 {
        writeln!(out, "and {} more", text::grouped(verified.more))?;
    }
    let [bytes, chunks, blocks, events] =
        [verified.bytes, verified.chunks, verified.blocks, verified.events].map(text::grouped);
    writeln!(out, "{bytes} bytes: {chunks} valid chunks, {blocks} event blocks with {events} events")?;
    if verified.unknown > 0 {
        writeln!(out, "{} chunks or columns of unknown types skipped", text::grouped(verified.unknown))?;
    }
    let wrong = verified.findings.len() as u64 + verified.more;
    match wrong {
        0 => writeln!(out, "OK: all checks passed"),
        _ => writeln!(out, "{}", style.alarm(&format!("FAILED: {} problems found", text::grouped(wrong)))),
    }
}
