//! The document of `check`.

use super::Checked;
use crate::view::json;
use crate::view::json::digits;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::coverage::{CoverageEntry, CoverageLocation};
use iotrace::analysis::machine::MachineFinding;
use iotrace_profile::summary::{DriverSummary, PartSummary};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// What of a guest with a kernel is traced.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckDocument<'a> {
    schema_version: SchemaVersion,
    /// Build-id of the kernel in hexadecimal digits; empty if it has none.
    build_id: String,
    /// Drivers of controllers.
    drivers: List<'a, DriverJson<'a>>,
    /// Functions, in the order of the catalog.
    functions: List<'a, CatalogFunctionJson<'a>>,
    /// Banner of the kernel (`linux_banner`).
    kernel: &'a str,
    /// What all of a trace lacks.
    lacks: List<'a, LackJson<'a>>,
    /// Arguments of QEMU on which tracing or replay depends; null without --qemu.
    machine: Option<List<'a, FindingJson<'a>>>,
    /// Parts of the catalog.
    parts: List<'a, PartJson<'a>>,
    /// Stages without a probe in this kernel.
    stages_without_probe: &'a [String],
}

/// The driver of a controller.
#[derive(Debug, Serialize, JsonSchema)]
struct DriverJson<'a> {
    /// QEMU's name of the controller.
    controller: &'a str,
    /// It is neither in the image nor among the modules that were looked at.
    is_absent: bool,
    /// No replay works with it.
    live_only: bool,
    /// What has no probe.
    missing: &'a [String],
    /// Module of the driver.
    module: &'a str,
    /// Why replays fail, or some of them; empty if they do not.
    replay: &'a str,
}

/// Something that all of a trace lacks.
#[derive(Debug, Serialize, JsonSchema)]
struct LackJson<'a> {
    /// What to do.
    advice: &'a str,
    /// What is not traced, and why.
    what: &'a str,
}

/// An argument of QEMU.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingJson<'a> {
    /// What to do; empty if there is nothing to be done.
    advice: &'a str,
    /// The argument.
    argument: &'a str,
    /// What is traced: `yes`, `live only`, `partly`, `no`.
    traced: &'static str,
    /// Why not all; empty if all is traced.
    why: &'a str,
}

/// A part of the catalog.
#[derive(Debug, Serialize, JsonSchema)]
struct PartJson<'a> {
    /// Functions of the catalog.
    entries: usize,
    /// Those that have a probe.
    found: usize,
    /// The kernel has nothing of it, or none of its functions with a stage.
    is_absent: bool,
    /// Stages without a probe in this kernel.
    missing_stages: &'a [String],
    /// Modules that they are in.
    modules: &'a [String],
    /// What it is about.
    title: &'a str,
}

/// A function of the catalog.
#[derive(Debug, Serialize, JsonSchema)]
struct CatalogFunctionJson<'a> {
    /// Name in the catalog.
    function: &'a str,
    /// Layer.
    layer: &'static str,
    /// Where it is; null if this kernel does not have it.
    location: Option<LocationJson<'a>>,
    /// What is missing, and why.
    reasons: &'a [String],
    /// Stage, or label of the probe; empty if it has none in this kernel.
    stage: &'a str,
}

/// Where a function is.
#[derive(Debug, Serialize, JsonSchema)]
struct LocationJson<'a> {
    /// Source file; null without debug info.
    file: Option<&'a str>,
    /// Of an inlined instance: the functions that it is inlined into, the innermost first; empty for a function.
    inside: &'a [String],
    /// Line in the source file; null without debug info.
    line: Option<u32>,
    /// Module; null for the kernel image.
    module: Option<&'a str>,
    /// Symbol; of an inlined instance, that of the function that it is in.
    symbol: &'a str,
}

/// As JSON (`schemas/json/check.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, checked: &Checked) -> io::Result<()> {
    let Checked { coverage, summary, machine } = checked;
    let document = CheckDocument {
        schema_version: SchemaVersion,
        build_id: digits(&coverage.build_id),
        drivers: List::new(summary.drivers.iter().map(driver)),
        functions: List::new(coverage.functions.iter().map(function)),
        kernel: &coverage.kernel,
        lacks: List::new(summary.lacks.iter().map(|lack| LackJson { advice: lack.advice, what: lack.what })),
        machine: machine.as_ref().map(|findings| List::new(findings.iter().map(finding))),
        parts: List::new(summary.parts.iter().map(part)),
        stages_without_probe: &coverage.missing_stages,
    };
    json::write(out, &document)
}

fn driver(driver: &DriverSummary) -> DriverJson<'_> {
    DriverJson {
        controller: &driver.controller,
        is_absent: driver.is_absent,
        live_only: driver.live_only,
        missing: &driver.missing,
        module: &driver.module,
        replay: &driver.replay,
    }
}

fn finding(found: &MachineFinding) -> FindingJson<'_> {
    FindingJson {
        advice: &found.advice,
        argument: &found.argument,
        traced: found.verdict.name(),
        why: &found.why,
    }
}

fn part(part: &PartSummary) -> PartJson<'_> {
    PartJson {
        entries: part.entries,
        found: part.found,
        is_absent: part.is_absent,
        missing_stages: &part.missing_stages,
        modules: &part.modules,
        title: &part.title,
    }
}

fn function(entry: &CoverageEntry) -> CatalogFunctionJson<'_> {
    CatalogFunctionJson {
        function: &entry.function,
        layer: entry.layer.name(),
        location: entry.found.as_ref().map(location),
        reasons: &entry.reasons,
        stage: &entry.stage,
    }
}

fn location(CoverageLocation { symbol, inside, module, source }: &CoverageLocation) -> LocationJson<'_> {
    LocationJson {
        file: source.as_ref().map(|(file, _)| file.as_str()),
        inside,
        line: source.as_ref().map(|(_, line)| *line),
        module: module.as_deref(),
        symbol,
    }
}
