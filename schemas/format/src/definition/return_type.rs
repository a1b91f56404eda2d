//! What a function returns.
//!
//! In: what its result register had when it returned. Out: the value, as wide as the function's type is. In the file a probe
//! has its type by name, so that readers pass over one that they do not know.

use bincode::{Decode, Encode};
use std::fmt;

macro_rules! return_types {
    ($($(#[doc = $doc:literal])* $type:ident = $name:literal,)*) => {
        /// The type of what a function returns, as far as its value depends on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, serde::Serialize)]
        pub enum ReturnType { $($(#[doc = $doc])* $type,)* }

        impl ReturnType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$type,)*];

            /// Name, as in traces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$type => $name,)* }
            }
        }
    };
}

return_types! {
    /// Nothing: the register has what was left there.
    Void = "void",
    /// True or false.
    Bool = "bool",
    /// A pointer, or an error in its place.
    Pointer = "pointer",
    /// A signed number of 8 bits.
    S8 = "s8",
    /// A signed number of 16 bits.
    S16 = "s16",
    /// A signed number of 32 bits.
    S32 = "s32",
    /// A signed number of 64 bits.
    S64 = "s64",
    /// A number of 8 bits.
    U8 = "u8",
    /// A number of 16 bits.
    U16 = "u16",
    /// A number of 32 bits.
    U32 = "u32",
    /// A number of 64 bits.
    U64 = "u64",
}

impl ReturnType {
    /// The type of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|of| of.name() == name)
    }

    /// The integer of so many bytes.
    #[must_use]
    pub const fn integer(bytes: u8, signed: bool) -> Option<Self> {
        Some(match (bytes, signed) {
            (1, true) => Self::S8,
            (2, true) => Self::S16,
            (4, true) => Self::S32,
            (8, true) => Self::S64,
            (1, false) => Self::U8,
            (2, false) => Self::U16,
            (4, false) => Self::U32,
            (8, false) => Self::U64,
            _ => return None,
        })
    }

    /// Whether values may be below zero.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// The value in a register: its upper bits, which a narrow type leaves undefined, are the sign's, or zero. `None` if
    /// there is none.
    #[must_use]
    pub const fn value(self, register: u64) -> Option<u64> {
        Some(match self {
            Self::Void => return None,
            Self::Bool => (register as u8 != 0) as u64,
            Self::S8 => register as i8 as u64,
            Self::S16 => register as i16 as u64,
            Self::S32 => register as i32 as u64,
            Self::U8 => register as u8 as u64,
            Self::U16 => register as u16 as u64,
            Self::U32 => register as u32 as u64,
            Self::S64 | Self::U64 | Self::Pointer => register,
        })
    }
}

impl fmt::Display for ReturnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        for of in ReturnType::ALL {
            assert_eq!(ReturnType::named(of.name()), Some(*of));
        }
        assert_eq!(ReturnType::named(""), None);
    }

    #[test]
    fn a_value_is_as_wide_as_its_type() {
        use ReturnType::{Bool, Pointer, S8, S16, S32, S64, U8, U16, U32, U64, Void};
        let garbage = 0xaaaa_bbbb_ffff_fffb;
        for (of, expected) in [
            (Void, None),
            (Bool, Some(1)),
            (S8, Some(-5)),
            (S16, Some(-5)),
            (S32, Some(-5)),
            (S64, Some(garbage as i64)),
            (U8, Some(0xfb)),
            (U16, Some(0xfffb)),
            (U32, Some(0xffff_fffb)),
            (U64, Some(garbage as i64)),
            (Pointer, Some(garbage as i64)),
        ] {
            assert_eq!(of.value(garbage).map(u64::cast_signed), expected, "{of}");
        }
        assert_eq!((Bool.value(0xff00), S32.value(0xf_0000_0007)), (Some(0), Some(7)));
    }
}
