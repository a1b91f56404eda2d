//! What of a guest will be traced.

use super::Checked;
use crate::view::table::{Align, Table};
use crate::view::text::Style;
use crate::view::wrap::WrapWriter;
use iotrace::analysis::coverage::{Coverage, CoverageCounts, CoverageEntry, CoverageLocation};
use iotrace::analysis::machine::MachineFinding;
use iotrace_profile::summary::{DriverSummary, KernelSummary, PartSummary};
use std::io::{self, Write};

/// As text. `functions`: with the table of the catalog's functions.
///
/// # Errors
/// Those of `out`.
pub fn write_text(out: &mut dyn Write, checked: &Checked, functions: bool, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    let Checked { coverage, summary, machine } = checked;
    let CoverageCounts { entries, found, renamed, inlined } = coverage.tally();
    writeln!(out, "{}", style.heading(&coverage.kernel))?;
    writeln!(
        out,
        "{entries} catalog functions: {found} found, {renamed} found under another name, {inlined} only inlined, {} \
         missing\n",
        entries - found - renamed - inlined
    )?;
    parts(out, &summary.parts, style)?;
    drivers(out, &summary.drivers, style)?;
    if let Some(findings) = machine {
        of_machine(out, findings, style)?;
    }
    if functions {
        writeln!(out, "\n{}", style.heading("Functions"))?;
        list(out, coverage, style)?;
    }
    to_do(out, summary, machine.as_deref().unwrap_or_default(), style)
}

fn parts(out: &mut dyn Write, parts: &[PartSummary], style: Style) -> io::Result<()> {
    let heads = [
        ("part", Align::Left),
        ("functions", Align::Right),
        ("found", Align::Right),
        ("traced", Align::Left),
        ("modules", Align::Left),
    ];
    let mut table = Table::new(heads).dropping(["functions"]);
    for part in parts {
        let traced = match part {
            PartSummary { is_absent: true, .. } => "no: not in this kernel".to_owned(),
            PartSummary { missing_stages, .. } if !missing_stages.is_empty() => {
                format!("without {}", missing_stages.join(", "))
            }
            _ => "yes".to_owned(),
        };
        let modules = part.modules.join(" ");
        table.row([part.title.clone(), part.entries.to_string(), part.found.to_string(), traced, modules]);
    }
    table.write(out, style, "")
}

fn drivers(out: &mut dyn Write, drivers: &[DriverSummary], style: Style) -> io::Result<()> {
    writeln!(out)?;
    let heads = ["controller", "driver", "traced"];
    let mut table = Table::new(heads.map(|head| (head, Align::Left)));
    for driver in drivers {
        let traced = match driver {
            DriverSummary { is_absent: true, .. } => {
                "no: neither in the image nor among the modules".to_owned()
            }
            DriverSummary { missing, .. } if !missing.is_empty() => format!("without {}", missing.join(", ")),
            DriverSummary { live_only: true, replay, .. } => format!("yes, while it runs ({replay})"),
            DriverSummary { replay, .. } if !replay.is_empty() => format!("yes ({replay})"),
            _ => "yes".to_owned(),
        };
        table.row([driver.controller.clone(), driver.module.clone(), traced]);
    }
    table.write(out, style, "")
}

fn of_machine(out: &mut dyn Write, findings: &[MachineFinding], style: Style) -> io::Result<()> {
    writeln!(out)?;
    let mut table = Table::new(["QEMU", "traced", "why"].map(|head| (head, Align::Left)));
    for finding in findings {
        table.row([finding.argument.clone(), finding.verdict.name().to_owned(), finding.why.clone()]);
    }
    table.write(out, style, "")
}

/// What is missing in all of a trace, and what to do.
fn to_do(
    out: &mut dyn Write,
    summary: &KernelSummary,
    findings: &[MachineFinding],
    style: Style,
) -> io::Result<()> {
    let of_kernel = summary.lacks.iter().map(|lack| (lack.what, lack.advice));
    let of_machine =
        findings.iter().filter(|f| !f.advice.is_empty()).map(|f| (f.argument.as_str(), f.advice.as_str()));
    let all = Vec::from_iter(of_kernel.chain(of_machine));
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.heading("To do"))?;
    all.iter().try_for_each(|(what, advice)| writeln!(out, "  {what}: {advice}"))
}

fn list(out: &mut dyn Write, coverage: &Coverage, style: Style) -> io::Result<()> {
    let heads = ["function", "layer", "stage", "found"];
    let mut table = Table::new(heads.map(|head| (head, Align::Left))).dropping(["layer", "stage"]);
    for entry in &coverage.functions {
        let cells = [entry.function.clone(), entry.layer.to_string(), entry.stage.clone()];
        table.row(cells.into_iter().chain([place(entry)]));
    }
    table.write(out, style, "")
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
        let lack = |what, advice| iotrace_profile::summary::Lack { what, advice };
        let driver = |controller: &str, missing: &[&str], replay: &str| DriverSummary {
            controller: controller.into(),
            module: format!("{controller}_mod"),
            missing: missing.iter().map(|what| (*what).to_owned()).collect(),
            is_absent: controller == "absent",
            replay: replay.into(),
            live_only: controller == "live",
        };
        let part = |title: &str, found, modules: &[&str], stages: &[&str]| PartSummary {
            title: title.into(),
            entries: 12,
            found,
            modules: modules.iter().map(|name| (*name).to_owned()).collect(),
            missing_stages: stages.iter().map(|name| (*name).to_owned()).collect(),
            is_absent: found == 0,
        };
        let summary = KernelSummary {
            release: "Linux 6.1".into(),
            entries: 36,
            found: 21,
            parts: vec![
                part("Block layer", 12, &[], &[]),
                part("SCSI", 9, &["scsi_mod", "sd_mod"], &["cmd.sense"]),
                part("btrfs", 0, &[], &[]),
            ],
            drivers: vec![
                driver("whole", &[], ""),
                driver("partly", &["interrupt (x)"], ""),
                driver("absent", &[], ""),
                driver("live", &[], "it stands still"),
            ],
            lacks: vec![lack("no lines: no debug info", "use another vmlinux")],
        };
        let finding = MachineFinding {
            argument: "-enable-kvm".into(),
            verdict: iotrace::analysis::machine::Verdict::Not,
            why: "plugins need TCG".into(),
            advice: "use -accel tcg".into(),
        };
        let checked = Checked { coverage, summary, machine: Some(vec![finding]) };
        let mut out = Vec::new();
        write_text(&mut out, &checked, true, Style::default()).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        Linux version 6.1
        4 catalog functions: 1 found, 1 found under another name, 1 only inlined, 1 missing

        part         functions  found  traced                  modules
        Block layer         12     12  yes
        SCSI                12      9  without cmd.sense       scsi_mod sd_mod
        btrfs               12      0  no: not in this kernel

        controller  driver      traced
        whole       whole_mod   yes
        partly      partly_mod  without interrupt (x)
        absent      absent_mod  no: neither in the image nor among the modules
        live        live_mod    yes, while it runs (it stands still)

        QEMU         traced  why
        -enable-kvm  no      plugins need TCG

        Functions
        function    layer  stage      found
        submit_bio  block  bio.queue  image block/blk-core.c:841
        sd_done     block  bio.queue  sd_mod as sd_done.isra.0 (without cmd.rq: no struct)
        submit      block  bio.queue  image inlined into g, in f block/bio.c:7
        do_IRQ      block  bio.queue  not in the image

        To do
          no lines: no debug info: use another vmlinux
          -enable-kvm: use -accel tcg
        "#);
    }
}
