//! Where an export is written: files that get their names when they are whole, or standard output.

use super::append::NewRun;
use crate::view::plain::Controls;
use crate::view::terminal;
use anyhow::{Context, Result, bail};
use iotrace_format::new_file::NewFile;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 16;

/// Where an export is to be.
#[derive(Debug, Clone, Copy)]
pub enum ExportTarget<'a> {
    /// Standard output.
    Standard,
    /// A file, or a directory.
    Path(&'a Path),
    /// The directory of a run among many.
    Run(&'a NewRun),
}

impl<'a> ExportTarget<'a> {
    /// At a path; standard output if there is none.
    pub fn new(path: Option<&'a Path>) -> Self {
        path.map_or(Self::Standard, Self::Path)
    }

    /// Whether it is a directory for as many files as there are.
    pub fn is_run(&self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// Where it is by its path.
    fn path(&self) -> Result<Option<&Path>> {
        match self {
            Self::Standard => Ok(None),
            Self::Path(path) => Ok(Some(path)),
            Self::Run(run) => run.folder().map(Some),
        }
    }

    /// One file of text.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn text(&self, controls: Controls) -> Result<ExportFile> {
        match self.path()? {
            Some(path) => ExportFile::create(path),
            None => Ok(ExportFile::Standard(Box::new(terminal::output(controls)))),
        }
    }

    /// One file of bytes.
    ///
    /// # Errors
    /// If none is given, or it cannot be written.
    pub fn binary(&self, format: &str) -> Result<ExportFile> {
        match self.path()? {
            Some(path) => ExportFile::create(path),
            None => bail!("{format} is a binary format: specify a file with -o"),
        }
    }

    /// A directory of files, made if it is missing.
    ///
    /// # Errors
    /// If none is given, or it cannot be made.
    pub fn directory(&self, what: &str) -> Result<PathBuf> {
        let Some(path) = self.path()? else { bail!("{what} are several files: specify a directory with -o") };
        std::fs::create_dir_all(path).with_context(|| format!("cannot make directory {}", path.display()))?;
        Ok(path.to_owned())
    }
}

/// A new file that is being written.
pub struct NewExportFile {
    out: Box<BufWriter<NewFile>>,
    path: PathBuf,
}

impl NewExportFile {
    /// It is whole: it gets its name.
    fn close(mut self) -> Result<()> {
        let writing = || format!("cannot write {}", self.path.display());
        self.out.flush().with_context(writing)?;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error).with_context(writing)?;
        file.keep().with_context(writing)
    }
}

impl Write for NewExportFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that is being written.
pub enum ExportFile {
    /// A new file.
    New(NewExportFile),
    /// Standard output.
    Standard(Box<dyn Write>),
}

impl ExportFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let new = NewFile::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let out = Box::new(BufWriter::with_capacity(BUFFER, new));
        Ok(Self::New(NewExportFile { out, path: path.to_owned() }))
    }

    /// Its name; none of standard output.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::New(file) => Some(&file.path),
            Self::Standard(_) => None,
        }
    }

    /// It is whole: it gets its name.
    ///
    /// # Errors
    /// Those of the system.
    pub fn close(self) -> Result<()> {
        match self {
            Self::New(file) => file.close(),
            Self::Standard(mut out) => Ok(out.flush()?),
        }
    }

    /// It is whole: it gets another name than it was begun with.
    ///
    /// # Errors
    /// Those of the system.
    pub fn close_as(self, path: &Path) -> Result<()> {
        match self {
            Self::New(mut file) => {
                file.out.get_mut().rename(path);
                path.clone_into(&mut file.path);
                file.close()
            }
            standard @ Self::Standard(_) => standard.close(),
        }
    }
}

impl Write for ExportFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::New(out) => out.write(bytes),
            Self::Standard(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::New(out) => out.flush(),
            Self::Standard(out) => out.flush(),
        }
    }
}

/// Writes until the first error, which it keeps.
#[derive(Default)]
pub struct FirstError(Option<io::Error>);

impl FirstError {
    /// Writes, if nothing has failed yet.
    pub fn attempt(&mut self, write: impl FnOnce() -> io::Result<()>) {
        if self.0.is_none() {
            self.0 = write().err();
        }
    }

    /// Whether something failed.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// The error.
    ///
    /// # Errors
    /// The first that there was.
    pub fn check(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), |error| Err(error).context("cannot write the export"))
    }
}
