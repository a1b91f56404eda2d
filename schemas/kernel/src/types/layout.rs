//! What lies where in one structure: through typedefs and declarations, into anonymous members.
//!
//! In: a source of types and an id. Out: the type behind its names, its size in bytes, a
//! member with its offset in bits.

use super::shape::{Aggregate, StructMember, TypeShape};
use super::source::{TypeId, TypeSource};
use crate::TypeError;

/// Typedefs, qualifiers and arrays nest no deeper in a sound image.
pub const DEPTH: usize = 64;
/// Anonymous members in one structure, at all levels: task_struct has some dozens.
const ANONYMOUS: usize = 1000;

fn too_deep(id: TypeId) -> TypeError {
    TypeError::Damaged { what: "a chain of types", at: id, limit: DEPTH as u64 }
}

/// The type behind typedefs and qualifiers; a declaration's definition, if there is one.
pub fn strip(source: &impl TypeSource, mut id: TypeId) -> Result<(TypeId, TypeShape), TypeError> {
    for _ in 0..DEPTH {
        match source.describe(id)? {
            TypeShape::Alias(next) => id = next,
            TypeShape::Declaration(name) => {
                let other = source.find(&name)?.into_iter().next();
                return match other.filter(|other| *other != id) {
                    Some(other) => Ok((other, source.describe(other)?)),
                    None => Ok((id, TypeShape::Declaration(name))),
                };
            }
            shape => return Ok((id, shape)),
        }
    }
    Err(too_deep(id))
}

/// The size in bytes; `None` for what has none.
pub fn size(source: &impl TypeSource, id: TypeId, depth: usize) -> Result<Option<u64>, TypeError> {
    let depth = depth.checked_sub(1).ok_or_else(|| too_deep(id))?;
    Ok(match strip(source, id)?.1 {
        TypeShape::Scalar { size, .. } => Some(size),
        TypeShape::Pointer(_) => Some(8),
        TypeShape::Aggregate(a) => Some(a.size),
        TypeShape::Array { element, count } => {
            size(source, element, depth)?.and_then(|size| size.checked_mul(count))
        }
        TypeShape::Declaration(_) | TypeShape::Alias(_) | TypeShape::Nothing => None,
    })
}

/// A member by name, also inside anonymous members; its offset counts from `owner`.
pub fn member(
    source: &impl TypeSource,
    owner: &Aggregate,
    name: &str,
) -> Result<Option<StructMember>, TypeError> {
    let mut budget = ANONYMOUS;
    member_within(source, owner, name, &mut budget)
}

/// Damaged types may contain themselves: `budget` counts the anonymous members looked into.
fn member_within(
    source: &impl TypeSource,
    owner: &Aggregate,
    name: &str,
    budget: &mut usize,
) -> Result<Option<StructMember>, TypeError> {
    if let Some(found) = owner.members.iter().find(|m| m.name == name) {
        return Ok(Some(found.clone()));
    }
    let anonymous = |m: &&StructMember| m.name.is_empty() && m.bits.is_none();
    for outer in owner.members.iter().filter(anonymous) {
        let Some(left) = budget.checked_sub(1) else {
            return Ok(None);
        };
        *budget = left;
        let (_, TypeShape::Aggregate(inner)) = strip(source, outer.id)? else {
            continue;
        };
        if let Some(mut found) = member_within(source, &inner, name, budget)? {
            found.bit_offset = found.bit_offset.saturating_add(outer.bit_offset);
            return Ok(Some(found));
        }
    }
    Ok(None)
}
