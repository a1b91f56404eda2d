//! The document of `kernel`.

use crate::view::json;
use crate::view::json::digits;
use crate::view::json::list::List;
use crate::view::json::values::SchemaVersion;
use iotrace::analysis::coverage::{Coverage, CoverageEntry, CoverageLocation};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// Which functions of the catalog a kernel has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KernelDocument<'a> {
    schema_version: SchemaVersion,
    /// Build-id of the kernel in hexadecimal digits; empty if it has none.
    build_id: String,
    /// Functions, in the order of the catalog.
    functions: List<'a, CatalogFunctionJson<'a>>,
    /// Banner of the kernel (`linux_banner`).
    kernel: &'a str,
    /// Stages without a probe in this kernel.
    stages_without_probe: &'a [String],
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

/// As JSON (`schemas/json/kernel.schema.json`).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, coverage: &Coverage) -> io::Result<()> {
    let document = KernelDocument {
        schema_version: SchemaVersion,
        build_id: digits(&coverage.build_id),
        functions: List::new(coverage.functions.iter().map(function)),
        kernel: &coverage.kernel,
        stages_without_probe: &coverage.missing_stages,
    };
    json::write(out, &document)
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
