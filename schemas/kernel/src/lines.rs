//! Source lines and inlined functions, from DWARF.
//!
//! In: an address, or a section and an offset in it for a module. Out: the file as the kernel
//! tree names it, and the line. [`Lines`] borrows the image; it reads the unit headers when it
//! is made and the rest of a unit when an address in it is first asked for.

use addr2line::{Context, Location};

use crate::debug::{DebugSections, Slice};
use crate::source_line::tree_path;
use crate::{KernelError, SourceLine};

/// A function that an address belongs to, inlined or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceFrame {
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
        debug.check_entries()?;
        let context = Context::from_dwarf(debug.dwarf());
        let context = context.map_err(|source| debug.error(source))?;
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
    pub fn frames(&self, address: u64) -> Result<Vec<SourceFrame>, KernelError> {
        let found = self.context.find_frames(address).skip_all_loads();
        let mut found = found.map_err(|e| self.error(e))?;
        let mut frames = Vec::new();
        while let Some(frame) = found.next().map_err(|e| self.error(e))? {
            let Some(function) = &frame.function else {
                continue;
            };
            let name = function.raw_name().map_err(|e| self.error(e))?;
            let place = frame.location.as_ref().and_then(|l| self.place(address, l));
            frames.push(SourceFrame { function: name.into_owned(), place });
        }
        Ok(frames)
    }

    /// The functions that a call is made in, by the address that it returns to: the innermost
    /// inlined one first, with the line of the call; then each that the one before was inlined
    /// into, with the line where that happened; the function that has the symbol last. Empty
    /// if DWARF has no function there.
    ///
    /// Where a call is the last instruction of a function or of an inlined body, the address
    /// it returns to already belongs to another: what is looked up is the byte before.
    ///
    /// A unit is read when an address in it is first asked for, and kept: any order is fast.
    ///
    /// # Errors
    /// As [`Lines::at`].
    pub fn chain(&self, return_address: u64) -> Result<Vec<SourceFrame>, KernelError> {
        return_address.checked_sub(1).map_or(Ok(Vec::new()), |address| self.frames(address))
    }

    /// The same in a section of a module.
    ///
    /// # Errors
    /// As [`Lines::at`].
    pub fn chain_in_section(
        &self,
        section: &str,
        return_offset: u64,
    ) -> Result<Vec<SourceFrame>, KernelError> {
        let call = return_offset.checked_sub(1).and_then(|offset| self.debug.address(section, offset));
        call.map_or(Ok(Vec::new()), |address| self.frames(address))
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
        self.debug.error(source)
    }
}

#[cfg(test)]
mod tests;
