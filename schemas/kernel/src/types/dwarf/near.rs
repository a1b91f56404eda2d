//! Types as one unit sees them: without an index of all the others.
//!
//! In: a unit, and in it an entry for a parameter. Out: the [`Parameter`].

use gimli::{DW_AT_name, DW_AT_type};

use super::super::prototype::{self, Parameter};
use super::super::shape::TypeShape;
use super::super::source::{TypeId, TypeSource};
use super::{charged, shape};
use crate::TypeError;
use crate::debug::entry::{DebugEntry, DebugUnit, Dwarf, reference, start, text};
use crate::debug::units::Units;

struct Near<'u, 'a> {
    dwarf: &'u Dwarf<'a>,
    units: &'u Units,
    unit: &'u DebugUnit<'a>,
}

/// The parameter that an entry of `unit` describes.
pub(crate) fn parameter<'a>(
    dwarf: &Dwarf<'a>,
    units: &Units,
    unit: &DebugUnit<'a>,
    entry: &DebugEntry<'a>,
) -> Result<Parameter, TypeError> {
    let name = text(dwarf, unit, entry, DW_AT_name);
    let Some(id) = reference(unit, entry, DW_AT_type) else {
        return Ok(Parameter { name, points_to: None, pointer: false, width: 0 });
    };
    prototype::parameter(&Near { dwarf, units, unit }, name, id)
}

fn at<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    offset: gimli::UnitOffset,
) -> Result<TypeShape, TypeError> {
    let mut cursor = unit.entries_at_offset(offset)?;
    cursor.next_dfs()?;
    shape(dwarf, unit, cursor)
}

impl TypeSource for Near<'_, '_> {
    /// A declaration is not looked up: its name is enough.
    fn find(&self, _: &str) -> Result<Vec<TypeId>, TypeError> {
        Ok(Vec::new())
    }

    fn describe(&self, id: TypeId) -> Result<TypeShape, TypeError> {
        let within = id.checked_sub(start(self.unit)).and_then(|offset| usize::try_from(offset).ok());
        let within = within.map(gimli::UnitOffset).filter(|offset| offset.is_in_bounds(&self.unit.header));
        if let Some(offset) = within {
            return charged(self.units, at(self.dwarf, self.unit, offset)?);
        }
        match self.units.open(self.dwarf, id)? {
            Some((unit, offset)) => charged(self.units, at(self.dwarf, &unit, offset)?),
            None => Ok(TypeShape::Nothing),
        }
    }

    fn parameters(&self, _: &str) -> Result<Option<Vec<(String, TypeId)>>, TypeError> {
        Ok(None)
    }

    fn returned(&self, _: &str) -> Result<Vec<Option<TypeId>>, TypeError> {
        Ok(Vec::new())
    }

    fn enumerator(&self, _: &str) -> Option<i64> {
        None
    }
}
