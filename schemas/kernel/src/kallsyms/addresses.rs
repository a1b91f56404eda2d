//! The addresses, in each of the ways kernels have written them.
//!
//! In: where names and tokens are. Out: candidates for the address table, and its decoding.
//!
//! | kernel | place | encoding |
//! |---|---|---|
//! | to 4.5 | before `num_syms` | u64 addresses |
//! | 4.6 to 6.3 | offsets, `relative_base`, `num_syms` | i32 offsets; on x86-64 negative ones count down from the base, others are absolute (`KALLSYMS_ABSOLUTE_PERCPU`) |
//! | 6.4 to 6.14 | behind `token_index`: offsets, `relative_base` | the same |
//! | 6.15 on | the same | u32 offsets from the base |
//! | 7.x | behind `token_index`: offsets | i32 relative to the entry's own address |
//!
//! Up to 6.x each table is aligned to 8 bytes, in 7.x to 4.

use super::names::NameTable;
use super::tokens::Tokens;
use crate::bytes::{u32_at, u64_at};
use crate::elf::Loaded;

/// How an entry stands for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The address, 8 bytes.
    Absolute,
    /// Negative: `base - 1 - value`; else the value itself (per-CPU symbols).
    AbsolutePerCpu {
        /// `kallsyms_relative_base`.
        base: u64,
    },
    /// Unsigned, added to the base.
    Relative {
        /// `kallsyms_relative_base`.
        base: u64,
    },
    /// Signed, added to the address of the entry.
    SelfRelative,
}

/// A candidate for the address table.
#[derive(Debug)]
pub struct AddressTable {
    /// Offset of the first entry.
    pub at: usize,
    /// How to read it.
    pub encoding: Encoding,
}

impl AddressTable {
    /// The address of each of `count` symbols.
    pub fn decode(&self, part: &Loaded, count: usize) -> Option<Vec<u64>> {
        let bytes = &part.bytes;
        let one = |i: usize| {
            let at = self.at.checked_add(i.checked_mul(self.width())?)?;
            if self.encoding == Encoding::Absolute {
                return u64_at(bytes, at);
            }
            let raw = u32_at(bytes, at)?;
            let signed = i64::from(raw.cast_signed());
            Some(match self.encoding {
                Encoding::AbsolutePerCpu { base } if signed < 0 => {
                    base.wrapping_sub(1).wrapping_add_signed(-signed)
                }
                Encoding::Relative { base } => base.wrapping_add(u64::from(raw)),
                Encoding::SelfRelative => part.address.wrapping_add(at as u64).wrapping_add_signed(signed),
                _ => u64::from(raw),
            })
        };
        (0..count).map(one).collect()
    }

    fn width(&self) -> usize {
        if self.encoding == Encoding::Absolute { 8 } else { 4 }
    }
}

/// Every place and encoding to try, the strictest first.
pub fn places(part: &Loaded, tokens: &Tokens, names: &NameTable) -> Vec<AddressTable> {
    [8, 4].into_iter().flat_map(|align| aligned(part, tokens, names, align)).collect()
}

fn aligned(part: &Loaded, tokens: &Tokens, names: &NameTable, align: usize) -> Vec<AddressTable> {
    let offsets = (names.count * 4).next_multiple_of(align);
    let after = tokens.end.next_multiple_of(align);
    let mut places = vec![
        AddressTable { at: after, encoding: Encoding::SelfRelative },
        AddressTable { at: after, encoding: Encoding::Absolute },
    ];
    places.extend(relative(part, Some(after), Some(after + offsets)));
    let base_at = names.count_at.checked_sub(8);
    places.extend(relative(part, base_at.and_then(|b| b.checked_sub(offsets)), base_at));
    if let Some(at) = names.count_at.checked_sub(names.count * 8) {
        places.push(AddressTable { at, encoding: Encoding::Absolute });
    }
    places
}

fn relative(part: &Loaded, at: Option<usize>, base_at: Option<usize>) -> Vec<AddressTable> {
    let base = base_at.and_then(|b| u64_at(&part.bytes, b));
    let (Some(at), Some(base)) = (at, base) else {
        return Vec::new();
    };
    let encodings = [Encoding::AbsolutePerCpu { base }, Encoding::Relative { base }];
    encodings.map(|encoding| AddressTable { at, encoding }).into()
}
