//! One level of a type, in the words both back-ends share.

use super::source::TypeId;

/// What a type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeShape {
    /// Integer, enum, bool or float of so many bytes.
    Scalar {
        /// Its size in bytes.
        size: u64,
        /// Is it signed?
        signed: bool,
        /// What its bits are.
        kind: ScalarKind,
    },
    /// A pointer to a type; 0 is void in BTF, `None` in DWARF.
    Pointer(Option<TypeId>),
    /// `count` elements in a row; of several dimensions, their product.
    Array {
        /// The element's type.
        element: TypeId,
        /// 0 for a flexible array member.
        count: u64,
    },
    /// A structure or union that is defined.
    Aggregate(Aggregate),
    /// A structure or union that is only declared.
    Declaration(String),
    /// Another name for a type: typedef, const, volatile.
    Alias(TypeId),
    /// void, or a function.
    Nothing,
}

/// What the bits of a number are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// An integer, or an enum.
    Integer,
    /// `_Bool`.
    Bool,
    /// A floating point number.
    Float,
}

impl TypeShape {
    /// What to call it in a message.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "number",
            Self::Pointer(_) => "pointer",
            Self::Array { .. } => "array",
            Self::Aggregate(_) => "structure or union",
            Self::Declaration(_) => "structure that is only declared",
            Self::Alias(_) => "typedef",
            Self::Nothing => "void or a function",
        }
    }
}

/// A structure or union.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aggregate {
    /// Its tag; empty if it has none.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its members, in order.
    pub members: Vec<StructMember>,
}

/// A member of a structure or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructMember {
    /// Its name; empty for an anonymous structure or union.
    pub name: String,
    /// Where it begins, in bits from the start of the structure.
    pub bit_offset: u64,
    /// For a bitfield, its bits.
    pub bits: Option<u8>,
    /// Its type.
    pub id: TypeId,
}
