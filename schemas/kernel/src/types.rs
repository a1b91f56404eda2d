//! The layout of structures, from BTF or from DWARF.
//!
//! In: a type's name and a path through its fields, in C's notation. Out: a [`Field`] with its
//! [`ValueAccess`]: which offsets to add, where to follow a pointer, and how many bytes to read at the end.
//!
//! ```text
//! path  = ["&"] field { "." field | "->" field | "[" number "]" }
//! ```
//!
//! `.` goes into an embedded structure, `->` follows a pointer, `[n]` takes an element of an
//! array or of what a pointer points to. Fields of anonymous structures and unions are found
//! as in C. With `&` in front the result is the address of the field, and is not loaded.

mod btf;
mod dwarf;
mod layout;
mod path;
mod prototype;
mod shape;
mod source;

use std::sync::{Arc, OnceLock};

use crate::debug::{DebugSections, LazyDebug};
use crate::symbol::whole;
use crate::{Image, KernelError, TypeError, ValueAccess};
use btf::Btf;
use dwarf::DwarfTypes;
use source::TypeSource;

pub(crate) use source::WORK;

pub(crate) use dwarf::parameter;
pub use prototype::{Parameter, Returned};

/// What is at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A number: integer, enum, bool, float.
    Scalar,
    /// A pointer; its value is an address.
    Pointer,
    /// An embedded array, structure or union, or a number wider than a register: bytes as they are.
    Aggregate,
    /// The address of the field itself (a path with `&`): nothing is loaded.
    Address,
}

/// A field of a structure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// How to get there from the structure's address; for an aggregate, to its address.
    pub access: ValueAccess,
    /// How many bytes the field has; for a bitfield, how many are read.
    pub size: u32,
    /// What it is.
    pub kind: FieldKind,
}

#[derive(Debug, Clone)]
enum Backend {
    Btf(Btf),
    Dwarf(Arc<DwarfTypes>),
    None,
}

/// The types of a kernel, or of a module on top of its kernel's. A clone shares them.
#[derive(Debug, Clone)]
pub struct Types {
    backend: Backend,
}

impl Types {
    /// The types of a kernel's BTF, or `None` if it has none.
    pub(crate) fn of_btf(image: &Image) -> Result<Option<Self>, KernelError> {
        let Some(bytes) = image.section_bytes(".BTF") else {
            return Ok(None);
        };
        let btf = Btf::parse(bytes.clone(), None).map_err(|source| btf_error(image, source))?;
        Ok(Some(Self { backend: Backend::Btf(btf) }))
    }

    /// The types that the DWARF of an image describes, even if it has BTF too. Reading them
    /// waits for the first question, which then takes seconds for a vmlinux.
    ///
    /// # Errors
    /// [`KernelError::Compressed`], [`KernelError::Relocation`].
    pub fn of_dwarf(image: &Arc<Image>) -> Result<Self, KernelError> {
        Ok(Self::from_dwarf(&Arc::new(DebugSections::new(image)?)))
    }

    pub(crate) fn from_dwarf(debug: &Arc<DebugSections>) -> Self {
        let backend = match debug.has_info() {
            true => Backend::Dwarf(Arc::new(DwarfTypes::new(Arc::clone(debug)))),
            false => Backend::None,
        };
        Self { backend }
    }

    /// The types of a module: its split BTF on top of the kernel's, or `None` if either has
    /// no BTF.
    pub(crate) fn split(image: &Image, base: &Self) -> Result<Option<Self>, KernelError> {
        let (Some(bytes), Backend::Btf(base)) = (image.section_bytes(".BTF"), &base.backend) else {
            return Ok(None);
        };
        let btf = Btf::parse(bytes.clone(), Some(base)).map_err(|source| btf_error(image, source))?;
        Ok(Some(Self { backend: Backend::Btf(btf) }))
    }

    /// Where the answers come from: `"BTF"`, `"DWARF"` or `"none"`.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        match self.backend {
            Backend::Btf(_) => "BTF",
            Backend::Dwarf(_) => "DWARF",
            Backend::None => "none",
        }
    }

    /// Finds `path` from a pointer to `type_name`: `resolve("bio", "bi_bdev->bd_dev")`.
    /// `type_name` is a structure, union or typedef, with or without `struct ` before it.
    ///
    /// # Errors
    /// [`TypeError`], which says what there is instead.
    pub fn resolve(&self, type_name: &str, path: &str) -> Result<Field, TypeError> {
        match &self.backend {
            Backend::Btf(s) => path::resolve(s, type_name, path),
            Backend::Dwarf(s) => path::resolve(&**s, type_name, path),
            Backend::None => Err(TypeError::NoTypes),
        }
    }

    /// The size of a structure, union or typedef, in bytes.
    ///
    /// # Errors
    /// [`TypeError::UnknownType`], [`TypeError::OnlyDeclared`].
    pub fn size_of(&self, type_name: &str) -> Result<u64, TypeError> {
        match &self.backend {
            Backend::Btf(s) => path::size_of(s, type_name),
            Backend::Dwarf(s) => path::size_of(&**s, type_name),
            Backend::None => Err(TypeError::NoTypes),
        }
    }

    /// The value of an enumerator of any enum, also of one without a name. If several enums
    /// have it, the first's.
    #[must_use]
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        match &self.backend {
            Backend::Btf(s) => s.enumerator(name),
            Backend::Dwarf(s) => s.enumerator(name),
            Backend::None => None,
        }
    }

    /// The parameters of a function in the order of its source, or `None` if the types do not
    /// describe it. Of several functions with one name, the first's; for a module, its own
    /// before the kernel's.
    #[must_use]
    pub fn parameters(&self, function: &str) -> Option<Vec<Parameter>> {
        let found = match &self.backend {
            Backend::Btf(s) => prototype::parameters(s, function),
            Backend::Dwarf(s) => prototype::parameters(&**s, function),
            Backend::None => Ok(None),
        };
        // A damaged description is none.
        found.ok().flatten()
    }

    /// What a function returns, or `None` if the types do not say; for a module, of its own
    /// functions. BTF describes what is written in assembly as well, as if it took and returned
    /// nothing.
    #[must_use]
    pub fn returned(&self, function: &str) -> Option<Returned> {
        let found = match &self.backend {
            Backend::Btf(s) => prototype::returned(s, function),
            Backend::Dwarf(s) => prototype::returned(&**s, function),
            Backend::None => Ok(None),
        };
        // A damaged description is none.
        found.ok().flatten()
    }

    /// What the function with this symbol returns. Of functions of one name BTF may describe only one:
    /// `namesakes` counts the symbols that have it. A clone without some parameters (`.isra`) may have
    /// lost what it returned as well.
    pub(crate) fn returned_by(&self, symbol: &str, namesakes: impl Fn() -> usize) -> Option<Returned> {
        let name = whole(symbol)?;
        let found = self.returned(name)?;
        let is_reduced = symbol.get(name.len()..).is_some_and(|suffix| suffix.contains(".isra"));
        let is_certain = matches!(self.backend, Backend::Dwarf(_)) || namesakes() <= 1;
        Some(found).filter(|found| is_certain && (!is_reduced || *found == Returned::Nothing))
    }

    /// Is there a definition (not only a declaration) of a structure or union of that name?
    #[must_use]
    pub fn has_struct(&self, name: &str) -> bool {
        self.size_of(name).is_ok()
    }
}

/// The types that DWARF describes beside those of BTF; read when first asked for.
#[derive(Debug, Default)]
pub(crate) struct DescribedTypes(OnceLock<Option<Types>>);

impl DescribedTypes {
    /// Those beside `types`; `None` if there are none, or if `types` are of DWARF themselves.
    pub(crate) fn beside(&self, types: &Types, debug: &LazyDebug) -> Option<&Types> {
        let read = || Some(Types::from_dwarf(debug.get().ok()?));
        let beside = || read().filter(|_| matches!(types.backend, Backend::Btf(_)));
        self.0.get_or_init(beside).as_ref()
    }
}

fn btf_error(image: &Image, source: TypeError) -> KernelError {
    KernelError::Btf { path: image.path().to_path_buf(), source }
}

#[cfg(test)]
mod tests;
