//! A file that gets its name when it is whole: an earlier one of the name stays until then, and a program that is killed
//! leaves nothing.
//!
//! In: a path, bytes. Out: the file at the path. Until then it has no name (`O_TMPFILE`, open(2)); on a file system without
//! such files a hidden one, which an error removes.

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    place: Place,
}

/// Where it is until it is whole.
#[derive(Debug)]
enum Place {
    /// Under its name: a pipe or a device.
    Direct,
    /// Nowhere.
    Nameless,
    /// Under another name.
    Hidden(PathBuf),
}

impl NewFile {
    /// Begins a file. Nothing is at the path before [`NewFile::keep`] that was not there.
    ///
    /// # Errors
    /// Those of the system, if it is a terminal, and if another program has it locked, as one that writes a trace has.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match OpenOptions::new().write(true).open(&path) {
            Ok(file) if file.is_terminal() => Err(io::Error::other("it is a terminal; specify a file")),
            Ok(file) if !file.metadata()?.is_file() => Ok(Self { file, path, place: Place::Direct }),
            Ok(file) => {
                let in_use = |_| io::Error::other("in use by another writer; specify another file");
                file.try_lock().map_err(in_use)?;
                Self::begin(path)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::begin(path),
            Err(error) => Err(error),
        }
    }

    fn begin(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let nameless = options.read(true).write(true).mode(0o666);
        match nameless.custom_flags(OFlags::TMPFILE.bits().cast_signed()).open(folder_of(&path)) {
            Ok(file) => Ok(Self { file, path, place: Place::Nameless }),
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::IsADirectory) => {
                let hidden = hidden(&path);
                let file =
                    File::options().read(true).write(true).create(true).truncate(true).open(&hidden)?;
                Ok(Self { file, path, place: Place::Hidden(hidden) })
            }
            Err(error) => Err(error),
        }
    }

    /// It gets another name in the same folder than it was begun with, unless it has one already.
    pub fn rename(&mut self, path: &Path) {
        if !matches!(self.place, Place::Direct) {
            path.clone_into(&mut self.path);
        }
    }

    /// Gives it its name, in place of what was there.
    ///
    /// # Errors
    /// Those of the system; what was there is then still there.
    pub fn keep(mut self) -> io::Result<()> {
        if let Place::Nameless = self.place {
            // An earlier file cannot be replaced by a link.
            let target = if self.path.exists() { hidden(&self.path) } else { self.path.clone() };
            let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            let link = |target: &Path| linkat(CWD, own.as_str(), CWD, target, AtFlags::SYMLINK_FOLLOW);
            let target = match link(&target) {
                Err(rustix::io::Errno::EXIST) => {
                    // Another program was faster; or one with our number was killed here.
                    let again = hidden(&self.path);
                    let _ = fs::remove_file(&again);
                    link(&again)?;
                    again
                }
                linked => linked.map(|()| target)?,
            };
            self.place = if target == self.path { Place::Direct } else { Place::Hidden(target) };
        }
        if let Place::Hidden(hidden) = &self.place {
            fs::rename(hidden, &self.path)?;
            self.place = Place::Direct;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Place::Hidden(hidden) = &self.place {
            // Whoever writes it is told of the error that led here.
            let _ = fs::remove_file(hidden);
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside a path that no other process uses.
fn hidden(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".new-{}", std::process::id()));
    folder_of(path).join(name)
}

/// What to do about an error of the system.
#[must_use]
pub fn advice(error: &io::Error) -> Option<&'static str> {
    /// `EIO`, input/output error (include/uapi/asm-generic/errno-base.h).
    const EIO: i32 = rustix::io::Errno::IO.raw_os_error();
    match error.kind() {
        ErrorKind::StorageFull => {
            Some("free some space there, or specify another file or directory (-o, TMPDIR)")
        }
        ErrorKind::QuotaExceeded => {
            Some("free some of your quota, or specify another file or directory (-o, TMPDIR)")
        }
        ErrorKind::ReadOnlyFilesystem => Some("specify a file on a file system that is mounted for writing"),
        ErrorKind::PermissionDenied => Some("specify a file that you have permission for"),
        _ if error.raw_os_error() == Some(EIO) => Some("check the disk, or specify a file on another one"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn begun(path: &Path, hidden: bool) -> NewFile {
        let mut new = NewFile::create(path).unwrap();
        if hidden {
            // As on a file system without files that have no name.
            let other = super::hidden(path);
            new = NewFile {
                file: File::create(&other).unwrap(),
                path: new.path.clone(),
                place: Place::Hidden(other),
            };
        }
        new.write_all(b"new").unwrap();
        new
    }

    #[test]
    fn an_earlier_file_stays_until_the_new_one_is_whole() {
        for hidden in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            drop(begun(&path, hidden));
            assert!(names(folder.path()).is_empty());
            begun(&path, hidden).keep().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            fs::write(&path, "earlier").unwrap();
            let new = begun(&path, hidden);
            assert_eq!(fs::read(&path).unwrap(), b"earlier");
            assert_eq!(names(folder.path()).len(), 1 + usize::from(hidden));
            new.keep().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            fs::write(&path, "earlier").unwrap();
            drop(begun(&path, hidden));
            assert_eq!((fs::read(&path).unwrap(), names(folder.path()).len()), (b"earlier".to_vec(), 1));
        }
    }

    #[test]
    fn it_may_get_another_name_than_it_was_begun_with() {
        for hidden in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut new = begun(&folder.path().join("8_0"), hidden);
            new.rename(&folder.path().join("sda"));
            new.keep().unwrap();
            assert_eq!(names(folder.path()), ["sda"]);
        }
    }

    #[test]
    fn two_at_once_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let both = [begun(&path, false), begun(&path, false)];
        for new in both {
            new.keep().unwrap();
            assert_eq!((fs::read(&path).unwrap(), names(folder.path()).len()), (b"new".to_vec(), 1));
        }
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "earlier").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        begun(&link, false).keep().unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read_link(&link).unwrap()), (b"new".to_vec(), path));
        begun(Path::new("/dev/null"), false).keep().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn one_that_another_program_writes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let writer = File::create(&path).unwrap();
        writer.lock().unwrap();
        let refused = NewFile::create(&path).unwrap_err().to_string();
        assert!(refused.contains("in use by another writer; specify"), "{refused}");
    }

    #[test]
    fn there_is_advice_for_what_can_happen_to_a_file() {
        for error in [rustix::io::Errno::NOSPC, rustix::io::Errno::IO, rustix::io::Errno::ROFS] {
            assert!(advice(&error.into()).is_some(), "{error}");
        }
        assert!(advice(&io::Error::other("another")).is_none());
    }
}
