//! What the catalog finds in a kernel.
//!
//! In: a kernel profile. Out: for each function of the catalog, where it is or why it is not there.

use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;
use iotrace_profile::{FunctionLocation, Profile};
use std::collections::BTreeMap;

/// A kernel as the catalog sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The kernel's banner.
    pub kernel: String,
    /// Its build-id, in bytes.
    pub build_id: Vec<u8>,
    /// The catalog's functions, in its order.
    pub functions: Vec<CoverageEntry>,
    /// Stages that no function of this kernel tells.
    pub missing_stages: Vec<String>,
}

/// A function of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageEntry {
    /// The catalog's name.
    pub function: String,
    /// Layer.
    pub layer: Layer,
    /// Stage, or label; empty if it tells none, or another function tells it in this kernel.
    pub stage: String,
    /// Where it is; none if this kernel does not have it.
    pub found: Option<CoverageLocation>,
    /// What is missing, and why.
    pub reasons: Vec<String>,
}

/// Where a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageLocation {
    /// The symbol it has in this kernel; of an inlined instance, that of the function around it.
    pub symbol: String,
    /// Of an inlined instance: the functions it is in, the innermost first.
    pub inside: Vec<String>,
    /// Module; none for the image.
    pub module: Option<String>,
    /// Source file and line; none without debug info.
    pub source: Option<(String, u32)>,
}

/// What became of the catalog's entries in a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoverageCounts {
    /// Entries of the catalog.
    pub entries: usize,
    /// That are functions of their own, under the catalog's name.
    pub found: usize,
    /// That are functions of their own, under another name.
    pub renamed: usize,
    /// That exist only inlined into others.
    pub inlined: usize,
}

impl Coverage {
    /// Counts the entries by what became of them.
    #[must_use]
    pub fn tally(&self) -> CoverageCounts {
        let mut entries = BTreeMap::<&str, Vec<&CoverageLocation>>::new();
        for entry in &self.functions {
            entries.entry(&entry.function).or_default().extend(&entry.found);
        }
        let mut tally = CoverageCounts { entries: entries.len(), ..CoverageCounts::default() };
        for (name, found) in entries {
            let whole = found.iter().find(|found| found.inside.is_empty());
            match whole {
                Some(found) if found.symbol == name => tally.found += 1,
                Some(_) => tally.renamed += 1,
                None => tally.inlined += usize::from(!found.is_empty()),
            }
        }
        tally
    }
}

/// Goes through the profile.
#[must_use]
pub fn coverage(profile: &Profile) -> Coverage {
    let mut reasons = BTreeMap::<&str, Vec<String>>::new();
    for missing in &profile.missing {
        reasons.entry(&missing.function).or_default().push(missing.reason.clone());
    }
    let entry = |function: &iotrace_profile::ProbedFunction| CoverageEntry {
        function: function.name.clone(),
        layer: function.layer,
        stage: function.stage_name().into_owned(),
        found: found(function),
        reasons: reasons.get(function.name.as_str()).cloned().unwrap_or_default(),
    };
    Coverage {
        kernel: profile.banner.trim_end().to_owned(),
        build_id: profile.build_id.clone(),
        functions: profile.functions.iter().map(entry).collect(),
        missing_stages: profile.missing_stages.iter().map(Stage::to_string).collect(),
    }
}

fn found(function: &iotrace_profile::ProbedFunction) -> Option<CoverageLocation> {
    let module = match &function.place {
        FunctionLocation::Image(_) => None,
        FunctionLocation::Module(name) => Some(name.clone()),
        FunctionLocation::Elsewhere => return None,
    };
    Some(CoverageLocation {
        symbol: function.symbols.first().cloned().unwrap_or_default(),
        inside: function.inside.clone(),
        module,
        source: (function.line != 0).then(|| (function.file.clone(), function.line)),
    })
}
