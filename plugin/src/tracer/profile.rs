//! The profile of the guest's kernel.
//!
//! In: the plugin's arguments. Out: a profile, read from its file or compiled from a vmlinux and catalogs.

use crate::args::Args;
use iotrace_profile::{Profile, Sources, compile};
use iotrace_schemas::catalog::Catalog;

/// Reads or compiles it.
///
/// # Errors
/// A message for the user.
pub(super) fn load(args: &Args) -> Result<Profile, String> {
    if Profile::is_profile(&args.kernel) {
        if !args.catalogs.is_empty() {
            return Err("catalog= does not go with a compiled profile, which has its catalog in it: \
                compile the profile again with the catalog, or give kernel= the vmlinux"
                .into());
        }
        return Profile::read(&args.kernel).map_err(|e| e.to_string());
    }
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("cannot read the catalog {}: {e}", path.display()))?;
        Ok::<_, String>((path.display().to_string(), text))
    };
    let files = args.catalogs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let catalog = Catalog::load(&files).map_err(|e| e.to_string())?;
    let sources = Sources {
        vmlinux: args.kernel.clone(),
        modules: args.modules.clone(),
        debug: args.debug.clone(),
        lines: true,
    };
    compile(&catalog, &sources).map_err(|e| e.to_string())
}
