//! A profile in a file.
//!
//! In: a [`Profile`]. Out: a sealed file ([`crate::sealed`]); and back. A profile is a cache of what can
//! be compiled again, so another version is refused, never converted.

use crate::Profile;
use crate::sealed::{self, Magic, SealedError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

const MAGIC: Magic = *b"iotprof\x0d";

/// Why a profile cannot be read or written.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The file system said no.
    #[error("cannot {what} the kernel profile {path}: {source}")]
    Io {
        /// Read or write.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged or of another version.
    #[error(
        "{path} is not a kernel profile of this version ({source}); compile it again with `iotrace-analyze check VMLINUX -o {path}`"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SealedError,
    },
}

impl Profile {
    /// Whether the file begins as a profile does.
    #[must_use]
    pub fn is_profile(path: &Path) -> bool {
        let mut head = [0; 7];
        let read = fs::File::open(path).and_then(|mut f| io::Read::read_exact(&mut f, &mut head));
        read.is_ok() && MAGIC.starts_with(&head)
    }

    /// Writes the profile to a file, whole or not at all.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), ProfileError> {
        let error = |source| ProfileError::Io { what: "write", path: path.to_owned(), source };
        sealed::write(path, MAGIC, self).map_err(error)
    }

    /// A checksum of what the profile says.
    ///
    /// # Errors
    /// Those of its encoding.
    pub fn checksum(&self) -> io::Result<u64> {
        sealed::checksum(self)
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let bytes = fs::read(path).map_err(|source| ProfileError::Io {
            what: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::decode(&bytes).map_err(|source| ProfileError::Format { path: path.to_owned(), source })
    }

    /// A profile from the bytes of its file.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedError> {
        sealed::decode(bytes, MAGIC)
    }

    /// The bytes of a file whose value is encoded like this, whatever it is.
    ///
    /// # Errors
    /// Those of the compression.
    pub fn seal(plain: &[u8]) -> io::Result<Vec<u8>> {
        sealed::seal(MAGIC, plain)
    }

    /// The value of a file as it is encoded, without its head and compression.
    ///
    /// # Errors
    /// Those of the encoding.
    pub fn plain(&self) -> io::Result<Vec<u8>> {
        sealed::plain(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_kernel::{KernelSymbol, SymbolKind, SymbolTable};

    #[test]
    fn a_profile_survives_and_damage_is_noticed() {
        let folder = std::env::temp_dir().join(format!("iotrace-profile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("p.profile");
        let symbol = KernelSymbol { name: "submit_bio", addr: 0x1000, size: 8, kind: SymbolKind::Function };
        let symbols = SymbolTable::new([symbol]);
        let profile = Profile { banner: "Linux version".into(), symbols, ..Profile::default() };
        profile.write(&path).unwrap();
        assert!(Profile::is_profile(&path));
        let read = Profile::read(&path).unwrap();
        assert_eq!((read.symbols.at(0x1004), &read), (Some(symbol), &profile));
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(Profile::read(&path).unwrap_err().to_string().contains("checksum"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
