//! The layout of structures, from BTF or from DWARF.
//!
//! In: a type's name and a path through its fields, in C's notation. Out: a [`FieldPath`]:
//! which offsets to add, where to follow a pointer, and how many bytes to read at the end.
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

use std::sync::Arc;

use crate::debug::DebugSections;
use crate::{Image, KernelError, TypeError};
use btf::Btf;
use dwarf::DwarfTypes;
use source::Source;

pub(crate) use dwarf::parameter;
pub use prototype::Parameter;

/// What is at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A number: integer, enum, bool, float.
    Scalar,
    /// A pointer; its value is an address.
    Pointer,
    /// An embedded array, structure or union: `width` bytes as they are.
    Aggregate,
    /// The address of the field itself (a path with `&`): nothing is loaded.
    Address,
}

/// How to get from the address of a structure to a field.
///
/// ```text
/// for step in steps: address = *(u64 *)(address + step)
/// value = the `width` bytes at address + offset          (Address: address + offset itself)
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    /// Offsets, each followed by loading a pointer from there.
    pub steps: Vec<u32>,
    /// The offset of the field itself.
    pub offset: u32,
    /// How many bytes it has; for a bitfield, how many to read. 1, 2, 4 or 8 unless the kind
    /// is [`FieldKind::Aggregate`].
    pub width: u32,
    /// For a bitfield: its first bit, counted from the lowest of the value, and how many.
    pub bits: Option<(u8, u8)>,
    /// Is the number signed?
    pub signed: bool,
    /// What it is.
    pub kind: FieldKind,
}

impl FieldPath {
    /// The field's value from the `width` bytes that were read, as a little-endian number:
    /// takes out the bitfield, extends the sign (to 64 bits). Meaningless for an aggregate.
    #[must_use]
    pub fn decode(&self, raw: u64) -> u64 {
        let (first, count) = match self.bits {
            Some((first, count)) => (u32::from(first), u32::from(count)),
            None => (0, self.width.saturating_mul(8)),
        };
        let count = count.clamp(1, 64);
        let top = raw.checked_shr(first).unwrap_or(0) << (64 - count);
        if self.signed { (top.cast_signed() >> (64 - count)).cast_unsigned() } else { top >> (64 - count) }
    }
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
    pub fn resolve(&self, type_name: &str, path: &str) -> Result<FieldPath, TypeError> {
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

    /// Is there a definition (not only a declaration) of a structure or union of that name?
    #[must_use]
    pub fn has_struct(&self, name: &str) -> bool {
        self.size_of(name).is_ok()
    }
}

fn btf_error(image: &Image, source: TypeError) -> KernelError {
    KernelError::Btf { path: image.path().to_path_buf(), source }
}

#[cfg(test)]
mod tests;
