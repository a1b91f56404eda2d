//! The kernel model: what a Linux kernel image says about itself.
//!
//! In: an ELF file, either a `vmlinux` (with `.symtab`, or stripped as it comes out of a
//! bzImage) or a module's `.ko`, optionally with its detached debug file. Out: symbols with
//! their virtual addresses, the layout of structures as [`ValueAccess`]es that a reader of guest
//! memory can follow, source lines, and where functions were [`Inlined`]. All offsets and sizes are in bytes unless a name says
//! bits; all addresses are those the image was linked at (no KASLR applied).
//!
//! | question | answered from |
//! |---|---|
//! | where is a function? | `.symtab`, else the kallsyms tables in the image |
//! | where in `struct bio` is a field? | BTF (split BTF for modules), else DWARF |
//! | what does a function take and return? | BTF, else DWARF |
//! | which source line is this? | DWARF |
//! | in which functions is this call, inlined ones included? | DWARF |
//! | where was a function inlined, and where are its arguments there? | DWARF |
//!
//! Nothing here panics on a damaged file: every read is checked against the bytes there are. Bounds on what a file may
//! cost, so that time and memory follow its length:
//!
//! | of | bound |
//! |---|---|
//! | a name of a symbol, a section, a type | 511 bytes (`KSYM_NAME_LEN`); the banner: 4,095 |
//! | loaded segments, notes of an image | 64 |
//! | the search for kallsyms tables | 2^28 steps |
//! | types | 64 typedefs in a row, 1,000 anonymous members, 2^27 steps for all questions |
//! | DWARF: nesting, strings | 512 entries; 16 KiB |
//! | DWARF: ranges that lists have in sum | bytes of the sections with the lists, times 8 |
//! | DWARF: parameters of a function; what inlined instances hold | 64; 256 MiB |
//!
//! An image beyond is refused ([`KernelError`], [`TypeError`]); longer names are left out.
//!
//! ```no_run
//! use iotrace_kernel::Kernel;
//! use std::path::Path;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let kernel = Kernel::open(Path::new("vmlinux"))?;
//!     for function in kernel.symbols().variants("submit_bio_noacct") {
//!         println!("{:#x} {}", function.addr, function.name);
//!     }
//!     let sector = kernel.types().resolve("bio", "bi_iter.bi_sector")?;
//!     println!("a bio's sector: {} bytes at offset {}", sector.size, sector.access.offset);
//!     if let Some(lines) = kernel.lines()? {
//!         println!("{:?}", lines.at(0xffff_ffff_8100_0000)?);
//!     }
//!     Ok(())
//! }
//! ```

mod access;
mod budget;
mod bytes;
mod calls;
mod compressed;
mod debug;
mod elf;
mod error;
mod inlined;
mod kallsyms;
mod kernel;
mod lines;
mod module;
mod source_line;
mod symbol;
mod symtab;
mod types;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use access::ValueAccess;
pub use bytes::Bytes;
pub use calls::RelocatedCall;
pub use elf::{ElfSection, Image};
pub use error::{KernelError, TypeError};
pub use inlined::{Address, Inlined, InlinedArgument, InlinedFunctions, Stretch, ValueLocation};
pub use kernel::Kernel;
pub use lines::{Lines, SourceFrame};
pub use module::{ModuleFile, ModuleSymbol};
pub use source_line::SourceLine;
pub use symbol::{KernelSymbol, SymbolKind, SymbolTable, SymbolTableBuilder, stem};
pub use symtab::{ElfSymbol, LoadedSymtab, SymbolEntry, parse_symtab};
pub use types::{Field, FieldKind, Parameter, Returned, Types};
