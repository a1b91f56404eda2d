//! What the catalog finds in a kernel.
//!
//! In: a kernel profile. Out: for each function of the catalog, where it is or why it is not there.

use iotrace_profile::{Place, Profile};
use std::collections::BTreeMap;

/// A kernel as the catalog sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The kernel's banner.
    pub kernel: String,
    /// Its build-id, in bytes.
    pub build_id: Vec<u8>,
    /// The catalog's functions, in its order.
    pub functions: Vec<Entry>,
}

/// A function of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The catalog's name.
    pub function: String,
    /// Layer.
    pub layer: String,
    /// Stage; empty if it tells none, or another function tells it in this kernel.
    pub stage: String,
    /// Where it is; none if this kernel does not have it.
    pub found: Option<Found>,
    /// What is missing, and why.
    pub reasons: Vec<String>,
}

/// Where a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name in this kernel, if it is not the catalog's.
    pub symbol: String,
    /// Module; none for the image.
    pub module: Option<String>,
    /// Source file and line; none without debug info.
    pub source: Option<(String, u32)>,
}

/// Goes through the profile.
#[must_use]
pub fn coverage(profile: &Profile) -> Coverage {
    let mut reasons = BTreeMap::<&str, Vec<String>>::new();
    for missing in &profile.missing {
        reasons.entry(&missing.function).or_default().push(missing.reason.clone());
    }
    let entry = |function: &iotrace_profile::Function| Entry {
        function: function.name.clone(),
        layer: function.layer.clone(),
        stage: function.stage.clone(),
        found: found(function),
        reasons: reasons.get(function.name.as_str()).cloned().unwrap_or_default(),
    };
    Coverage {
        kernel: profile.banner.trim_end().to_owned(),
        build_id: profile.build_id.clone(),
        functions: profile.functions.iter().map(entry).collect(),
    }
}

fn found(function: &iotrace_profile::Function) -> Option<Found> {
    let module = match &function.place {
        Place::Image(_) => None,
        Place::Module(name) => Some(name.clone()),
        Place::Elsewhere => return None,
    };
    Some(Found {
        symbol: function.symbols.first().cloned().unwrap_or_default(),
        module,
        source: (function.line != 0).then(|| (function.file.clone(), function.line)),
    })
}
