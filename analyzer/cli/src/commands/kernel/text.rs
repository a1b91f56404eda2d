//! What the catalog finds in a kernel.

use crate::view::table::{Align, Table};
use crate::view::text::Style;
use crate::view::wrap::WrapWriter;
use iotrace::analysis::coverage::{Coverage, CoverageCounts, CoverageEntry, CoverageLocation};
use std::io::{self, Write};

/// As text.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, coverage: &Coverage, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    let CoverageCounts { entries, found, renamed, inlined } = coverage.tally();
    writeln!(out, "{}", style.heading(&coverage.kernel))?;
    writeln!(
        out,
        "{entries} catalog functions: {found} found, {renamed} found under another name, {inlined} only inlined, {} \
         missing\n",
        entries - found - renamed - inlined
    )?;
    let heads = ["function", "layer", "stage", "found"];
    let mut table = Table::new(heads.map(|head| (head, Align::Left))).dropping(["layer", "stage"]);
    for entry in &coverage.functions {
        let cells = [entry.function.clone(), entry.layer.to_string(), entry.stage.clone()];
        table.row(cells.into_iter().chain([place(entry)]));
    }
    table.write(out, style, "")?;
    if !coverage.missing_stages.is_empty() {
        writeln!(out, "\nstages without a probe: {}", coverage.missing_stages.join(", "))?;
    }
    Ok(())
}

fn place(entry: &CoverageEntry) -> String {
    let Some(CoverageLocation { symbol, inside, module, source }) = &entry.found else {
        return entry.reasons.join("; ");
    };
    let mut words = vec![module.clone().unwrap_or_else(|| "image".into())];
    if inside.is_empty() {
        words.extend((*symbol != entry.function).then(|| format!("as {symbol}")));
    } else {
        words.push(format!("inlined into {}", inside.join(", in ")));
    }
    words.extend(source.as_ref().map(|(file, line)| format!("{file}:{line}")));
    words.extend(entry.reasons.iter().map(|reason| format!("(without {reason})")));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_format::layer::Layer;

    #[test]
    fn found_renamed_and_missing_functions_are_told_apart() {
        let entry = |function: &str, found, reasons: &[&str]| CoverageEntry {
            function: function.into(),
            layer: Layer::Block,
            stage: "bio.queue".into(),
            found,
            reasons: reasons.iter().map(|r| (*r).to_owned()).collect(),
        };
        let found = |symbol: &str, module: Option<&str>, source| {
            let module = module.map(str::to_owned);
            Some(CoverageLocation { symbol: symbol.into(), inside: Vec::new(), module, source })
        };
        let mut inlined = found("f", None, Some(("block/bio.c".into(), 7)));
        inlined.iter_mut().for_each(|found| found.inside = vec!["g".into(), "f".into()]);
        let coverage = Coverage {
            kernel: "Linux version 6.1".into(),
            build_id: vec![0xab],
            functions: vec![
                entry("submit_bio", found("submit_bio", None, Some(("block/blk-core.c".into(), 841))), &[]),
                entry("sd_done", found("sd_done.isra.0", Some("sd_mod"), None), &["cmd.rq: no struct"]),
                entry("submit", inlined, &[]),
                entry("do_IRQ", None, &["not in the image"]),
            ],
            missing_stages: vec!["sq.run".into()],
        };
        let mut out = Vec::new();
        write_text(&mut out, &coverage, Style::default()).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        Linux version 6.1
        4 catalog functions: 1 found, 1 found under another name, 1 only inlined, 1 missing

        function    layer  stage      found
        submit_bio  block  bio.queue  image block/blk-core.c:841
        sd_done     block  bio.queue  sd_mod as sd_done.isra.0 (without cmd.rq: no struct)
        submit      block  bio.queue  image inlined into g, in f block/bio.c:7
        do_IRQ      block  bio.queue  not in the image

        stages without a probe: sq.run
        ");
    }
}
