//! Numbers of a variable length: LEB128, and differences of either sign on top of it.
//!
//! In: numbers. Out: seven bits a byte, the lowest first, the top bit set on all but the last; and back.

/// Appends a number.
pub(super) fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front; none if the bytes end in it or it has more than 64 bits.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    if first < 0x80 {
        return Some(u64::from(first));
    }
    take_rest(u64::from(first & 0x7f), bytes)
}

fn take_rest(mut value: u64, bytes: &mut &[u8]) -> Option<u64> {
    for shift in (7..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The difference from `before` as a number that is small if the difference is, of either sign.
#[inline]
pub(super) fn difference(value: u64, before: u64) -> u64 {
    let difference = value.wrapping_sub(before).cast_signed();
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

/// The value whose [`difference`] from `before` this is.
#[inline]
pub(super) fn add(before: u64, difference: u64) -> u64 {
    before.wrapping_add((difference >> 1) ^ (difference & 1).wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_number_survives(values in proptest::collection::vec(any::<u64>(), 0..20)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| put(*value, &mut bytes));
            let mut rest = &bytes[..];
            let found: Vec<_> = std::iter::from_fn(|| take(&mut rest)).collect();
            prop_assert_eq!((found, rest.len()), (values, 0));
        }

        #[test]
        fn any_difference_survives(value in any::<u64>(), before in any::<u64>()) {
            prop_assert_eq!(add(before, difference(value, before)), value);
        }
    }

    #[test]
    fn small_differences_are_small_numbers() {
        assert_eq!([5, 4, 6, 3].map(|value| difference(value, 5)), [0, 1, 2, 3]);
    }

    #[test]
    fn too_many_bits_are_no_number() {
        assert_eq!(take(&mut &[0xff; 12][..]), None);
        assert_eq!(take(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2][..]), None);
    }
}
