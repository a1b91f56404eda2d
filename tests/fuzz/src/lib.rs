//! Fuzz targets: one function for each parser of bytes that people receive or that guests write.
//!
//! In: any bytes. Out: nothing; a panic if the parser panics, or if what is asserted here does not hold. Each target is a
//! function of a module below and a line in [`TARGETS`], with the most memory that an input may cost. Work is bounded as
//! well: by the sum of all allocations of an input, and, where a parser searches, by a budget of its own.
//!
//! - `cargo test --profile checked -p iotrace-fuzz` replays `corpus/TARGET/*` with stable Rust.
//! - `scripts/fuzz` runs libFuzzer (the package in `fuzz`, whose targets are one line each).
//! - `cargo run -p iotrace-fuzz --example seeds` writes the seeds. Other files of the corpus found a fault once.

mod catalog;
mod choices;
mod compile;
mod edits;
mod guests;
mod index;
mod kernel;
mod parts;
mod profile;
pub mod seeds;
pub mod semantic;
mod text;
pub mod trace;

pub use choices::Choices;
pub use guests::guests;

use cap::Cap;
use std::alloc::System;
use std::path::PathBuf;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const MIB: usize = 1 << 20;

/// Most bytes that all allocations of an input may have in sum: what takes more does far more than it is worth.
const WORK: usize = 4096 * MIB;

/// A parser, and what an input may cost it.
pub struct FuzzTarget {
    /// Its name: of the target in `fuzz/fuzz_targets`, and of its folder in `corpus`.
    pub name: &'static str,
    /// Most memory that an input of a few KiB may cost, in bytes.
    pub memory: usize,
    parse: fn(&[u8]),
}

/// All targets. Limits of memory follow from limits of the formats: a block of events and a state of an index have 64 MiB at
/// most, a section of an ELF file is copied at most once.
pub const TARGETS: [FuzzTarget; 13] = [
    FuzzTarget { name: "trace", memory: 96 * MIB, parse: trace::trace },
    FuzzTarget { name: "semantic", memory: 96 * MIB, parse: semantic::semantic },
    FuzzTarget { name: "index", memory: 160 * MIB, parse: index::index },
    FuzzTarget { name: "profile", memory: 32 * MIB, parse: profile::profile },
    FuzzTarget { name: "catalog", memory: 16 * MIB, parse: catalog::catalog },
    FuzzTarget { name: "elf", memory: 16 * MIB, parse: kernel::elf },
    FuzzTarget { name: "module", memory: 16 * MIB, parse: kernel::module },
    FuzzTarget { name: "btf", memory: 16 * MIB, parse: kernel::btf },
    FuzzTarget { name: "dwarf", memory: 32 * MIB, parse: kernel::dwarf },
    FuzzTarget { name: "kallsyms", memory: 16 * MIB, parse: kernel::kallsyms },
    FuzzTarget { name: "compile", memory: 64 * MIB, parse: compile::compile },
    FuzzTarget { name: "conditions", memory: 4 * MIB, parse: text::conditions },
    FuzzTarget { name: "tracepoints", memory: 16 * MIB, parse: text::tracepoints },
];

impl FuzzTarget {
    /// Gives bytes to the parser, with its bounds. More memory than it may have ends the process, as the system does.
    ///
    /// # Panics
    /// If the parser does, or if a bound does not hold.
    pub fn run(&self, data: &[u8]) {
        let before = MEMORY.total_allocated();
        MEMORY.set_limit(MEMORY.allocated() + self.memory).expect("more than is allocated");
        (self.parse)(data);
        MEMORY.set_limit(usize::MAX).expect("no limit");
        let work = MEMORY.total_allocated() - before;
        assert!(work <= WORK, "{}: {work} bytes were allocated in sum", self.name);
    }
}

/// Gives bytes to the target of this name.
///
/// # Panics
/// As [`FuzzTarget::run`]; if there is none.
pub fn run(name: &str, data: &[u8]) {
    TARGETS.iter().find(|target| target.name == name).expect("a target").run(data);
}

/// The most memory that was allocated at once so far, in bytes.
#[must_use]
pub fn peak() -> usize {
    MEMORY.max_allocated()
}

/// The folder with the corpora of all targets.
#[must_use]
pub fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}
