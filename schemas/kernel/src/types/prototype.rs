//! What a function takes and returns, over any source of types.
//!
//! In: a source and a function's name. Out: its [`Parameter`]s, in the order of the source
//! code (a clone that the compiler made may take fewer); what it returns.

use super::layout::{DEPTH, size};
use super::shape::{ScalarKind, TypeShape};
use super::source::{TypeId, TypeSource};
use crate::TypeError;

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Its name; empty if only a declaration without names is known.
    pub name: String,
    /// The structure or union that it is a pointer to, if it is one; `const`, `volatile` and
    /// typedefs do not count. `None` for a structure without a name.
    pub points_to: Option<String>,
    /// Is it a pointer, to whatever?
    pub pointer: bool,
    /// Its size in bytes; 0 if its type is not defined.
    pub width: u32,
}

/// The parameters of a function, or `None` if the source does not describe it.
pub fn parameters(source: &impl TypeSource, function: &str) -> Result<Option<Vec<Parameter>>, TypeError> {
    let Some(described) = source.parameters(function)? else {
        return Ok(None);
    };
    let described = described.into_iter();
    described.map(|(name, id)| parameter(source, name, id)).collect::<Result<_, _>>().map(Some)
}

/// The parameter of that name and type.
pub fn parameter(source: &impl TypeSource, name: String, id: TypeId) -> Result<Parameter, TypeError> {
    let target = match without_aliases(source, id)? {
        TypeShape::Pointer(target) => Some(target),
        _ => None,
    };
    let points_to = match target.flatten().map(|to| without_aliases(source, to)).transpose()? {
        Some(TypeShape::Aggregate(to)) => Some(to.name),
        Some(TypeShape::Declaration(to)) => Some(to),
        _ => None,
    };
    let width = match target {
        Some(_) => 8,
        None => size(source, id, DEPTH)?.and_then(|size| u32::try_from(size).ok()).unwrap_or(0),
    };
    let points_to = points_to.filter(|to| !to.is_empty());
    Ok(Parameter { name, points_to, pointer: target.is_some(), width })
}

/// What a function returns in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Returned {
    /// void.
    Nothing,
    /// `bool`.
    Bool,
    /// A pointer.
    Pointer,
    /// An integer or an enum.
    Integer {
        /// Its size in bytes: 1, 2, 4 or 8.
        size: u8,
        /// Is it signed?
        signed: bool,
    },
}

/// What a function returns, or `None` if the source does not describe it, if functions of that
/// name return different types, or if it is nothing that one register has: a structure, a float.
pub fn returned(source: &impl TypeSource, function: &str) -> Result<Option<Returned>, TypeError> {
    let described = source.returned(function)?;
    let mut found = None;
    for id in described {
        let this = match id {
            None => Returned::Nothing,
            Some(id) => match in_register(&without_aliases(source, id)?) {
                Some(value) => value,
                None => return Ok(None),
            },
        };
        if *found.get_or_insert(this) != this {
            return Ok(None);
        }
    }
    Ok(found)
}

fn in_register(shape: &TypeShape) -> Option<Returned> {
    match *shape {
        TypeShape::Pointer(_) => Some(Returned::Pointer),
        TypeShape::Scalar { kind: ScalarKind::Bool, .. } => Some(Returned::Bool),
        TypeShape::Scalar { size, signed, kind: ScalarKind::Integer } => {
            let size = u8::try_from(size).ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
            Some(Returned::Integer { size, signed })
        }
        _ => None,
    }
}

/// The type behind typedefs and qualifiers. Unlike [`super::layout::strip`] it leaves a
/// declaration alone: its name is all that is asked for.
fn without_aliases(source: &impl TypeSource, mut id: TypeId) -> Result<TypeShape, TypeError> {
    for _ in 0..DEPTH {
        match source.describe(id)? {
            TypeShape::Alias(next) => id = next,
            shape => return Ok(shape),
        }
    }
    Err(TypeError::Damaged { what: "a chain of types", at: id, limit: DEPTH as u64 })
}
