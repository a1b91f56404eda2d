//! The profile of the guest's kernel.
//!
//! In: the plugin's arguments. Out: a profile, read from its file or compiled from a vmlinux and catalogs.

use crate::args::PluginArgs;
use iotrace_catalog::{Catalog, CatalogError};
use iotrace_profile::{CompileError, Profile, ProfileError, Sources, compile};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no profile.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Catalogs with a profile that was compiled.
    #[error(
        "catalog= cannot be used with a compiled profile: compile the profile again with the catalog, or \
         set kernel= to the vmlinux"
    )]
    CatalogOfProfile,
    /// A catalog cannot be read.
    #[error("cannot read the catalog {}: {source}", path.display())]
    Catalog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A catalog is wrong.
    #[error(transparent)]
    Entry(#[from] CatalogError),
    /// The profile cannot be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The vmlinux cannot be compiled into one.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// Reads or compiles it.
///
/// # Errors
/// [`LoadError`].
pub(super) fn load(args: &PluginArgs) -> Result<Profile, LoadError> {
    if Profile::is_profile(&args.kernel) {
        if !args.catalogs.is_empty() {
            return Err(LoadError::CatalogOfProfile);
        }
        return Ok(Profile::read(&args.kernel)?);
    }
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(LoadError::Catalog { path: path.clone(), source }),
    };
    let files = args.catalogs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let sources = Sources {
        vmlinux: args.kernel.clone(),
        modules: args.modules.clone(),
        debug: args.debug.clone(),
        lines: true,
    };
    let catalog = Catalog::load(&files, sources.arch()?)?;
    Ok(compile(&catalog, &sources)?)
}
