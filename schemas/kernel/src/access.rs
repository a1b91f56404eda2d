//! How a value is read from memory, from an object's address on: only offsets, no names.
//!
//! In: offsets in bytes. Out: what a reader of guest memory loads, and the value from what it has loaded.

use bincode::{Decode, Encode};

/// How to get from an object's address to a value.
///
/// ```text
/// for step in steps: address = *(u64 *)(address + step)
/// width > 0: the `width` bytes at address + offset, then `bits`
/// width = 0: address + offset itself, nothing is loaded
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct ValueAccess {
    /// Offsets, each followed by loading a pointer from there.
    pub steps: Vec<i64>,
    /// Offset of the value.
    pub offset: i64,
    /// Bytes to load, 1 to 8; 0: the address itself is the value.
    pub width: u8,
    /// Of a bitfield: first bit, counted from the lowest of what is loaded, and number of bits.
    pub bits: Option<(u8, u8)>,
    /// The number is signed and is extended to 64 bits.
    pub signed: bool,
}

impl ValueAccess {
    /// The value from the `width` bytes that were loaded, as a little-endian number.
    #[must_use]
    pub fn decode(&self, raw: u64) -> u64 {
        let (first, count) = self.bits.unwrap_or((0, self.width.saturating_mul(8)));
        let count = u32::from(count.clamp(1, 64));
        let top = raw.checked_shr(first.into()).unwrap_or(0) << (64 - count);
        if self.signed { (top.cast_signed() >> (64 - count)).cast_unsigned() } else { top >> (64 - count) }
    }

    /// The access that goes on as `next` behind the pointer at the end of this one.
    #[must_use]
    pub fn then(&self, next: Self) -> Self {
        let steps = self.steps.iter().chain([&self.offset]).copied().chain(next.steps).collect();
        Self { steps, ..next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_and_extended() {
        let signed = ValueAccess { width: 2, signed: true, ..ValueAccess::default() };
        assert_eq!(signed.decode(0xffff), u64::MAX);
        let bit = ValueAccess { width: 4, bits: Some((3, 1)), ..ValueAccess::default() };
        assert_eq!((bit.decode(0x8), bit.decode(0x7)), (1, 0));
        assert_eq!(ValueAccess { width: 8, ..ValueAccess::default() }.decode(u64::MAX), u64::MAX);
        let signed_bits = ValueAccess { bits: Some((3, 7)), signed: true, ..bit };
        assert_eq!((signed_bits.decode(0b11_1111_1000), signed_bits.decode(0xf)), (u64::MAX, 1));
        // Bits that no value has, in a file that was not made by a compiler.
        for bits in [(200, 1), (63, 255), (0, 0)] {
            let odd = ValueAccess { width: 255, bits: Some(bits), ..ValueAccess::default() };
            assert!(odd.decode(u64::MAX) <= 1, "{bits:?}");
        }
    }

    #[test]
    fn an_access_goes_on_behind_a_pointer() {
        let pointer = ValueAccess { steps: vec![8], offset: 16, width: 8, ..ValueAccess::default() };
        let value =
            ValueAccess { steps: vec![24], offset: -4, width: 4, signed: true, ..ValueAccess::default() };
        let expected = ValueAccess { steps: vec![8, 16, 24], ..value.clone() };
        assert_eq!(pointer.then(value), expected);
    }
}
