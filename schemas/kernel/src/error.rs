//! What can go wrong with an image, and what to do about it.

use std::path::PathBuf;

/// An image could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The file could not be opened or mapped.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A compressed file could not be decompressed.
    #[error("cannot decompress {}: {source}", path.display())]
    Decompress {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The file is not a 64-bit little-endian ELF.
    #[error("{}: not a usable ELF file: {reason}", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
        /// What was found instead, and how to unpack it where that is known.
        reason: String,
    },
    /// A header points outside the file.
    #[error(
        "{}: {what} needs {wanted} bytes at offset {offset:#x}, the file has {size}: truncated or damaged, \
         get it again", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: String,
        /// Where it should start.
        offset: u64,
        /// How long it should be.
        wanted: u64,
        /// How long the file is.
        size: u64,
    },
    /// Neither a symbol table nor kallsyms tables that make sense.
    #[error(
        "{}: no .symtab and no kallsyms tables ({candidates} candidates for the token table, none decodes \
         to sorted symbols): specify the vmlinux of the build or of the -dbg package",
        path.display()
    )]
    NoSymbols {
        /// The file.
        path: PathBuf,
        /// How many places looked like a token table.
        candidates: usize,
    },
    /// More than a sound image has: each would be searched.
    #[error("{}: {found} {what}, at most {most} are expected: not the file of a kernel", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// There is so much that looks like kallsyms tables that the search was given up.
    #[error(
        "{}: no .symtab, and no kallsyms tables in {steps} steps: specify the vmlinux of the build or of the \
         -dbg package", path.display()
    )]
    Search {
        /// The file.
        path: PathBuf,
        /// Most steps of the search.
        steps: u64,
    },
    /// The debug information is of a form that no compiler writes, and that would cost much to read.
    #[error("{}: damaged DWARF: {what}", path.display())]
    Bound {
        /// The file.
        path: PathBuf,
        /// Which bound it exceeds.
        what: String,
    },
    /// The debug sections are compressed.
    #[error(
        "{}: section {section} is compressed: use `objcopy --decompress-debug-sections`", path.display()
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The first such section.
        section: String,
    },
    /// A relocation of a debug section that is not understood.
    #[error(
        "{}: section {section}: cannot apply relocation {index} of type {kind} at {offset:#x}: unknown type \
         or outside of the section", path.display()
    )]
    Relocation {
        /// The file.
        path: PathBuf,
        /// The section that is patched.
        section: String,
        /// Which entry.
        index: usize,
        /// Its ELF type number.
        kind: u32,
        /// Where in the section.
        offset: u64,
    },
    /// The BTF section is damaged.
    #[error("{}: damaged BTF: {source}", path.display())]
    Btf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TypeError,
    },
    /// DWARF could not be read.
    #[error("{}: damaged DWARF: {source}", path.display())]
    Dwarf {
        /// The file.
        path: PathBuf,
        /// What gimli said.
        source: gimli::Error,
    },
    /// The debug file belongs to another build.
    #[error(
        "{} has build-id {debug_id}, but {} has {id}: use the debug file of the same build",
        debug.display(), path.display()
    )]
    BuildId {
        /// The module.
        path: PathBuf,
        /// Its build-id, in hex.
        id: String,
        /// The debug file.
        debug: PathBuf,
        /// Its build-id, in hex.
        debug_id: String,
    },
}

/// A type, a field or an enumerator could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The image has neither BTF nor DWARF.
    #[error("no type information: neither .BTF nor .debug_info in the image; use a debug image")]
    NoTypes,
    /// No such structure, union or typedef.
    #[error("no type named {name:?}: the kernel has it under another name, or it is in a module")]
    UnknownType {
        /// The name asked for.
        name: String,
    },
    /// Only a forward declaration is known.
    #[error("{name:?} is declared but not defined here: use the types of its module")]
    OnlyDeclared {
        /// The structure's name.
        name: String,
    },
    /// The structure has no such field.
    #[error("{owner:?} has no field {field:?} (in path {path:?}); it has: {known}")]
    UnknownField {
        /// The structure.
        owner: String,
        /// The field asked for.
        field: String,
        /// The whole path.
        path: String,
        /// The first fields it does have.
        known: String,
    },
    /// The path does not follow the grammar.
    #[error("cannot read path {path:?} at byte {at}: {reason}")]
    Syntax {
        /// The whole path.
        path: String,
        /// Where, in bytes.
        at: usize,
        /// What was expected.
        reason: &'static str,
    },
    /// The operator does not fit the type it is applied to.
    #[error("path {path:?} at byte {at}: {reason}, but this is a {found}")]
    Mismatch {
        /// The whole path.
        path: String,
        /// Where, in bytes.
        at: usize,
        /// What the operator needs.
        reason: &'static str,
        /// What kind of type it met.
        found: &'static str,
    },
    /// A bitfield that no single load has.
    #[error("path {path:?}: value of {bytes} bytes, at most 8 can be read")]
    Wide {
        /// The whole path.
        path: String,
        /// How many bytes would have to be read.
        bytes: u32,
    },
    /// An index beyond the end of an array.
    #[error("path {path:?}: index {index}, but the array has {count} elements")]
    Index {
        /// The whole path.
        path: String,
        /// The index asked for.
        index: u64,
        /// How many elements there are.
        count: u64,
    },
    /// An offset or a size that no structure of a kernel has.
    #[error("path {path:?}: offset {offset} does not fit in 32 bits")]
    TooFar {
        /// The whole path.
        path: String,
        /// The offset in bytes.
        offset: u64,
    },
    /// Types refer to each other in a way that takes long to follow.
    #[error("damaged type information: it takes more than {steps} steps to read")]
    Work {
        /// Most steps for all questions together.
        steps: u64,
    },
    /// The type information contradicts itself or ends too early.
    #[error("damaged type information: {what} at {at:#x} (limit {limit:#x})")]
    Damaged {
        /// What was being read.
        what: &'static str,
        /// Where, as an offset or a type id.
        at: u64,
        /// The end of what there is.
        limit: u64,
    },
    /// DWARF could not be read.
    #[error("cannot read DWARF: {0}")]
    Dwarf(#[from] gimli::Error),
}
