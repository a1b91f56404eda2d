//! Types from DWARF, for images without BTF.
//!
//! In: the DWARF sections of an image. Out: a [`TypeSource`]. The first question makes one pass
//! over the outermost entries of every unit and notes where the definitions are; a type is
//! decoded when it is asked for. In C nothing of interest nests deeper than that: compilers
//! put a structure that is declared inside another beside it.

mod entry;
mod index;
mod near;

use std::sync::{Arc, OnceLock};

use gimli::{DW_AT_byte_size, DW_AT_name, DW_AT_type};
use gimli::{DwTag, Section as _};

use super::shape::{Aggregate, TypeShape};
use super::source::{TypeId, TypeSource, WORK};
use crate::TypeError;
use crate::debug::DebugSections;
use crate::debug::entry::{
    Cursor, DebugEntry, DebugUnit, Dwarf, each_child, is_declaration, number, origin, reference, text,
};
use crate::debug::units::Units;
use entry::{element_count, is_signed, member, scalar_kind};
use index::DefinitionIndex;

pub(crate) use near::parameter;

/// The types that an image's DWARF describes.
#[derive(Debug)]
pub struct DwarfTypes {
    debug: Arc<DebugSections>,
    index: OnceLock<Result<DefinitionIndex, TypeError>>,
}

impl DwarfTypes {
    /// Nothing is read yet.
    pub fn new(debug: Arc<DebugSections>) -> Self {
        Self { debug, index: OnceLock::new() }
    }

    fn index(&self) -> Result<&DefinitionIndex, TypeError> {
        let index = self.index.get_or_init(|| DefinitionIndex::build(&self.debug.dwarf()));
        index.as_ref().map_err(Clone::clone)
    }

    /// Calls `visit` with a cursor on the entry at `id`.
    fn visit<T>(
        &self,
        id: TypeId,
        visit: impl for<'u, 'a> FnOnce(&'u Dwarf<'a>, &'u DebugUnit<'a>, Cursor<'u, 'a>) -> Result<T, TypeError>,
    ) -> Result<T, TypeError> {
        let dwarf = self.debug.dwarf();
        let found = self.index()?.units.open(&dwarf, id)?;
        let (unit, offset) = found.ok_or_else(|| self.outside(id))?;
        let mut cursor = unit.entries_at_offset(offset)?;
        cursor.next_dfs()?;
        visit(&dwarf, &unit, cursor)
    }

    fn outside(&self, id: TypeId) -> TypeError {
        let limit = self.debug.dwarf().debug_info.reader().len() as u64;
        TypeError::Damaged { what: "an offset into .debug_info", at: id, limit }
    }
}

impl TypeSource for DwarfTypes {
    fn find(&self, name: &str) -> Result<Vec<TypeId>, TypeError> {
        Ok(self.index()?.find(name))
    }

    fn describe(&self, id: TypeId) -> Result<TypeShape, TypeError> {
        charged(&self.index()?.units, self.visit(id, shape)?)
    }

    fn parameters(&self, function: &str) -> Result<Option<Vec<(String, TypeId)>>, TypeError> {
        let found = self.index()?.function(function);
        found.map(|id| self.visit(id, parameters)).transpose()
    }

    fn returned(&self, function: &str) -> Result<Vec<Option<TypeId>>, TypeError> {
        let index = self.index()?;
        let found = index.functions(function);
        let types: Vec<_> = found.iter().map(|id| self.visit(*id, returned)).collect::<Result<_, _>>()?;
        // Whoever only wants an address declares `void f(void)`, whatever it is: so are the system calls up to 4.16 where the
        // table of them is made.
        if types == [None]
            && index.is_only_declared(function)
            && self.parameters(function)?.is_none_or(|p| p.is_empty())
        {
            return Ok(Vec::new());
        }
        Ok(types)
    }

    fn enumerator(&self, name: &str) -> Option<i64> {
        self.index().ok()?.enumerator(name)
    }
}

/// A type, unless those that were read before took too long together.
fn charged(units: &Units, shape: TypeShape) -> Result<TypeShape, TypeError> {
    let members = if let TypeShape::Aggregate(of) = &shape { of.members.len() } else { 0 };
    units.work.spend(1 + members as u64).ok_or(TypeError::Work { steps: WORK })?;
    Ok(shape)
}

/// The type of the entry the cursor is on.
fn shape<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    cursor: Cursor<'_, 'a>,
) -> Result<TypeShape, TypeError> {
    let Some(entry) = cursor.current() else {
        return Ok(TypeShape::Nothing);
    };
    let size = number(entry, DW_AT_byte_size).unwrap_or(0);
    let target = reference(unit, entry, DW_AT_type);
    Ok(match entry.tag() {
        gimli::DW_TAG_base_type | gimli::DW_TAG_enumeration_type => {
            TypeShape::Scalar { size, signed: is_signed(entry), kind: scalar_kind(entry) }
        }
        gimli::DW_TAG_pointer_type => TypeShape::Pointer(target),
        gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => aggregate(dwarf, unit, cursor)?,
        gimli::DW_TAG_array_type => {
            let Some(element) = target else {
                return Ok(TypeShape::Nothing);
            };
            TypeShape::Array { element, count: elements(cursor)? }
        }
        tag if is_alias(tag) => target.map_or(TypeShape::Nothing, TypeShape::Alias),
        _ => TypeShape::Nothing,
    })
}

fn is_alias(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_typedef
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type
    )
}

fn aggregate<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    mut cursor: Cursor<'_, 'a>,
) -> Result<TypeShape, TypeError> {
    let Some(entry) = cursor.current() else {
        return Ok(TypeShape::Nothing);
    };
    let name = text(dwarf, unit, entry, DW_AT_name);
    if is_declaration(entry) {
        return Ok(TypeShape::Declaration(name));
    }
    let mut found =
        Aggregate { name, size: number(entry, DW_AT_byte_size).unwrap_or(0), members: Vec::new() };
    each_child(&mut cursor, |child| {
        if child.tag() == gimli::DW_TAG_member {
            found.members.extend(member(dwarf, unit, child));
        }
    })?;
    Ok(TypeShape::Aggregate(found))
}

/// The parameters of the function the cursor is on. Those of a definition that completes an
/// earlier entry may say no more than which parameter they are.
fn parameters<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    mut cursor: Cursor<'_, 'a>,
) -> Result<Vec<(String, TypeId)>, TypeError> {
    let mut found = Vec::new();
    each_child(&mut cursor, |child| {
        if child.tag() == gimli::DW_TAG_formal_parameter {
            let origin = origin(unit, child);
            let described = origin.as_ref().unwrap_or(child);
            let name = text(dwarf, unit, described, DW_AT_name);
            found.extend(reference(unit, described, DW_AT_type).map(|id| (name, id)));
        }
    })?;
    Ok(found)
}

/// The type that the function returns which the cursor is on; `None` for void.
fn returned<'a>(
    _: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    cursor: Cursor<'_, 'a>,
) -> Result<Option<TypeId>, TypeError> {
    let Some(entry) = cursor.current() else { return Ok(None) };
    // A definition that completes a declaration has its type from there.
    let declaration = origin(unit, entry);
    let of = |entry: &DebugEntry<'a>| reference(unit, entry, DW_AT_type);
    Ok(of(entry).or_else(|| declaration.as_ref().and_then(of)))
}

/// The product of an array's dimensions, as BTF counts them.
fn elements(mut cursor: Cursor<'_, '_>) -> Result<u64, TypeError> {
    let mut count: Option<u64> = None;
    each_child(&mut cursor, |child| {
        if child.tag() == gimli::DW_TAG_subrange_type {
            count = Some(count.unwrap_or(1).saturating_mul(element_count(child)));
        }
    })?;
    Ok(count.unwrap_or(0))
}
