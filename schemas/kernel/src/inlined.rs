//! Where functions were inlined, and where their arguments are there.
//!
//! In: the DWARF of an image, and which functions are wanted. Out: an [`Inlined`] for every
//! place where the compiler put the body of one into another function. Such a function has no
//! symbol to stop at there, but its first instruction does.
//!
//! What DWARF cannot promise: the entry is the instruction at which the compiler says the
//! body begins. A body that begins with a loop may come by it once per round; one that was
//! split and moved about may in parts run before it. One that was optimized away to nothing
//! has no instruction, and is not listed. The values hold before the instruction at the entry
//! is executed; the address of a variable is unknown, as it moves with the kernel.

mod abstracts;
mod frame;
mod scan;
mod value;

use std::sync::Arc;

use crate::SourceLine;

pub(crate) use scan::scan;
pub use value::ValueLocation;

/// A place in an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// In a module: the section, `.text`. `None` in a linked image.
    pub section: Option<Arc<str>>,
    /// In a module: the offset in that section. In a linked image: the virtual address.
    pub offset: u64,
}

/// Instructions in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// The first.
    pub begin: Address,
    /// How many bytes, at least 1.
    pub len: u64,
}

impl Stretch {
    /// Is that address in it?
    #[must_use]
    pub fn holds(&self, address: &Address) -> bool {
        let same = self.begin.section == address.section;
        same && address.offset.checked_sub(self.begin.offset).is_some_and(|at| at < self.len)
    }
}

/// A function, where it was inlined into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inlined {
    /// Its name in the source.
    pub function: String,
    /// The function around it that was not inlined itself, by its name in the source: its
    /// symbol may have a suffix.
    pub inside: String,
    /// Its first instruction; within the ranges.
    pub entry: Address,
    /// All its instructions, as DWARF lists them: that with the lowest address, or the entry,
    /// need not come first. Never empty.
    pub ranges: Vec<Stretch>,
    /// Where it is called.
    pub call: Option<SourceLine>,
    /// Where its name is declared.
    pub declared: Option<SourceLine>,
    /// Its arguments, one for each parameter in the source, in that order.
    pub arguments: Vec<InlinedArgument>,
}

/// An argument of an inlined function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InlinedArgument {
    /// The parameter's name.
    pub name: String,
    /// Which parameter, from 0.
    pub position: usize,
    /// The structure or union that it is a pointer to, if it is one.
    pub points_to: Option<String>,
    /// The parameter's size in bytes: the rest of a register is not part of the value.
    pub width: u32,
    /// Where the value is at the entry.
    pub value: ValueLocation,
}

/// What became of the wanted functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InlinedFunctions {
    /// Every place where one was inlined, also into another inlined function; in the order of
    /// DWARF.
    pub instances: Vec<Inlined>,
    /// Those that were inlined and have no symbol in this image with the whole body: they can
    /// be seen as inlined only. Sorted.
    pub only_inlined: Vec<String>,
}

impl InlinedFunctions {
    /// `has_symbol`: is there an out-of-line copy of that function?
    pub(crate) fn new(instances: Vec<Inlined>, has_symbol: impl Fn(&str) -> bool) -> Self {
        let mut names: Vec<&str> = instances.iter().map(|i| i.function.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let only = names.into_iter().filter(|name| !has_symbol(name));
        let only_inlined = only.map(str::to_string).collect();
        Self { instances, only_inlined }
    }
}

#[cfg(test)]
mod tests;
