//! Source lines and inlined functions, from DWARF.
//!
//! In: an address, or a section and an offset in it for a module. Out: the file as the kernel
//! tree names it, and the line. [`Lines`] borrows the image; it reads the unit headers when it
//! is made and the rest of a unit when an address in it is first asked for.

use addr2line::{Context, Location};

use crate::KernelError;
use crate::debug::{DebugSections, Slice};

/// The directories at the top of a kernel tree that hold code.
const TOP: [&str; 21] = [
    "arch", "block", "certs", "crypto", "drivers", "fs", "include", "init", "io_uring", "ipc", "kernel",
    "lib", "mm", "net", "rust", "samples", "scripts", "security", "sound", "usr", "virt",
];

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// The path from the top of the kernel tree, `block/bio.c`.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// A function that an address belongs to, inlined or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The function's name in the source.
    pub function: String,
    /// The line in it: for the innermost the address's, for the others that of the call.
    pub place: Option<SourceLine>,
}

/// The line tables of an image.
pub struct Lines<'a> {
    debug: &'a DebugSections,
    context: Context<Slice<'a>>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(debug: &'a DebugSections) -> Result<Option<Self>, KernelError> {
        if !debug.has_info() {
            return Ok(None);
        }
        let context = Context::from_dwarf(debug.dwarf());
        let context = context.map_err(|source| dwarf_error(debug, source))?;
        Ok(Some(Self { debug, context }))
    }

    /// The line of a virtual address of a linked image; `None` if DWARF has none for it.
    ///
    /// # Errors
    /// [`KernelError::Dwarf`] if the unit is damaged.
    pub fn at(&self, address: u64) -> Result<Option<SourceLine>, KernelError> {
        let location = self.context.find_location(address).map_err(|e| self.error(e))?;
        Ok(location.and_then(|l| self.place(address, &l)))
    }

    /// The line of an offset into a section of a module.
    ///
    /// # Errors
    /// As [`Lines::at`].
    pub fn in_section(&self, section: &str, offset: u64) -> Result<Option<SourceLine>, KernelError> {
        self.debug.address(section, offset).map_or(Ok(None), |address| self.at(address))
    }

    /// The functions that `address` is in: the innermost inlined one first, the function that
    /// has the symbol last. For a module take the address from [`Lines::module_address`].
    ///
    /// # Errors
    /// As [`Lines::at`].
    pub fn frames(&self, address: u64) -> Result<Vec<Frame>, KernelError> {
        let found = self.context.find_frames(address).skip_all_loads();
        let mut found = found.map_err(|e| self.error(e))?;
        let mut frames = Vec::new();
        while let Some(frame) = found.next().map_err(|e| self.error(e))? {
            let Some(function) = &frame.function else {
                continue;
            };
            let name = function.raw_name().map_err(|e| self.error(e))?;
            let place = frame.location.as_ref().and_then(|l| self.place(address, l));
            frames.push(Frame { function: name.into_owned(), place });
        }
        Ok(frames)
    }

    /// The address that stands for an offset into a section of a module, for [`Lines::frames`].
    #[must_use]
    pub fn module_address(&self, section: &str, offset: u64) -> Option<u64> {
        self.debug.address(section, offset)
    }

    fn place(&self, address: u64, location: &Location<'_>) -> Option<SourceLine> {
        let unit = self.context.find_dwarf_and_unit(address).skip_all_loads();
        let directory = unit.and_then(|u| u.comp_dir).map(|d| d.to_string_lossy());
        let file = tree_path(location.file?, directory.as_deref().unwrap_or_default());
        Some(SourceLine { file, line: location.line? })
    }

    fn error(&self, source: gimli::Error) -> KernelError {
        dwarf_error(self.debug, source)
    }
}

fn dwarf_error(debug: &DebugSections, source: gimli::Error) -> KernelError {
    KernelError::Dwarf { path: debug.image().path().to_path_buf(), source }
}

/// The path from the top of the kernel tree. The compiler may have been called anywhere, with
/// paths relative to the build directory or absolute: what the path shares with the build
/// directory goes, then what is left up to the first directory that a kernel tree has.
fn tree_path(file: &str, build: &str) -> String {
    let (file, build) = (normal(file), normal(build));
    let shared = file.iter().zip(&build).take_while(|(a, b)| a == b).count();
    let rest = file.get(shared..).unwrap_or_default();
    let top = rest.iter().position(|dir| TOP.contains(dir)).unwrap_or(0);
    rest.get(top..).unwrap_or_default().join("/")
}

/// The components of a path without `.` and `..`.
fn normal(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_tree() {
        let debian = "debian/build/build_amd64_none_amd64";
        let rows = [
            ("debian/build/build_amd64_none_amd64/block/bio.c", debian, "block/bio.c"),
            ("debian/build/build_amd64_none_amd64/./include/linux/bio.h", debian, "include/linux/bio.h"),
            (
                "/b/linux-6.1/arch/x86/entry/entry_64.S",
                "/b/linux-6.1/debian/build",
                "arch/x86/entry/entry_64.S",
            ),
            ("/home/me/kernel/linux/fs/xfs/xfs_aops.c", "/home/me/kernel/linux", "fs/xfs/xfs_aops.c"),
            ("/home/me/out/../linux/mm/filemap.c", "/home/me/out", "mm/filemap.c"),
            ("odd.c", "", "odd.c"),
            ("", "", ""),
        ];
        for (file, build, expected) in rows {
            assert_eq!(tree_path(file, build), expected);
        }
    }
}
