//! Where the definitions are.
//!
//! In: DWARF. Out: for each name the offsets of its definitions, for each enumerator its value.
//! A structure that thousands of units repeat is kept once; those of the same name but another
//! size are kept as well.

use gimli::{
    AttributeValue, DW_AT_byte_size, DW_AT_const_value, DW_AT_decl_line, DW_AT_language, DW_AT_name,
};
use rustc_hash::FxHashMap;

use super::super::source::TypeId;
use crate::TypeError;
use crate::debug::entry::{
    Cursor, DebugEntry, DebugUnit, Dwarf, bytes, each_child, is_declaration, number, origin, place, start,
};
use crate::debug::units::Units;

/// Most definitions of one name that are told apart.
const NAMESAKES: usize = 1024;

/// What has one name.
#[derive(Debug, Default)]
struct Named {
    /// Structures and unions: size, offset.
    tags: Vec<(u64, TypeId)>,
    typedef: Option<TypeId>,
    declared: Option<TypeId>,
    /// Definitions of functions, one for each line that one is defined at: a header's is in many units.
    functions: Vec<(u64, TypeId)>,
    declared_function: Option<TypeId>,
}

/// The definitions of an image.
#[derive(Debug, Default)]
pub struct DefinitionIndex {
    pub units: Units,
    named: FxHashMap<Box<[u8]>, Named>,
    enumerators: FxHashMap<Box<[u8]>, i64>,
}

impl DefinitionIndex {
    /// Reads the outermost entries of every unit.
    pub fn build(dwarf: &Dwarf<'_>) -> Result<Self, TypeError> {
        let mut index = Self::default();
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            let unit = dwarf.unit(header)?;
            index.units.push(start(&unit));
            let mut cursor = unit.entries();
            // What is written in assembly is described too, without types: as if it took and returned nothing.
            if cursor.next_dfs()?.is_some_and(is_assembly) {
                continue;
            }
            index.add_children(dwarf, &unit, &mut cursor)?;
        }
        Ok(index)
    }

    fn add_children<'a>(
        &mut self,
        dwarf: &Dwarf<'a>,
        unit: &DebugUnit<'a>,
        cursor: &mut Cursor<'_, 'a>,
    ) -> Result<(), TypeError> {
        let mut next = cursor.next_dfs()?;
        while let Some(entry) = next.filter(|e| e.depth() == 1) {
            match entry.tag() {
                gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                    self.add_tag(dwarf, unit, entry);
                }
                gimli::DW_TAG_subprogram => self.add_function(dwarf, unit, entry),
                gimli::DW_TAG_typedef => self.add_typedef(dwarf, unit, entry),
                gimli::DW_TAG_enumeration_type => {
                    self.add_enumerators(dwarf, unit, &mut cursor.clone())?;
                }
                _ => {}
            }
            next = cursor.next_sibling()?;
        }
        Ok(())
    }

    fn named<'a>(
        &mut self,
        dwarf: &Dwarf<'a>,
        unit: &DebugUnit<'a>,
        entry: &DebugEntry<'a>,
    ) -> Option<&mut Named> {
        let name = bytes(dwarf, unit, entry, DW_AT_name)?;
        if !self.named.contains_key(name) {
            self.named.insert(name.into(), Named::default());
        }
        self.named.get_mut(name)
    }

    fn add_tag<'a>(&mut self, dwarf: &Dwarf<'a>, unit: &DebugUnit<'a>, entry: &DebugEntry<'a>) {
        let id = place(unit, entry);
        let Some(named) = self.named(dwarf, unit, entry) else {
            return;
        };
        if is_declaration(entry) {
            named.declared.get_or_insert(id);
            return;
        }
        let size = number(entry, DW_AT_byte_size).unwrap_or(0);
        if named.tags.len() < NAMESAKES && named.tags.iter().all(|(other, _)| *other != size) {
            named.tags.push((size, id));
        }
    }

    /// An instance of an abstract function has no name, and is not needed beside it. A
    /// definition that completes a declaration has its name from there.
    fn add_function<'a>(&mut self, dwarf: &Dwarf<'a>, unit: &DebugUnit<'a>, entry: &DebugEntry<'a>) {
        let id = place(unit, entry);
        let declaration = match entry.has_attr(gimli::DW_AT_specification) {
            true => origin(unit, entry),
            false => None,
        };
        if let Some(named) = self.named(dwarf, unit, declaration.as_ref().unwrap_or(entry)) {
            let line = number(entry, DW_AT_decl_line).unwrap_or(0);
            if is_declaration(entry) {
                named.declared_function.get_or_insert(id);
            } else if named.functions.len() < NAMESAKES
                && named.functions.iter().all(|(other, _)| *other != line)
            {
                named.functions.push((line, id));
            }
        }
    }

    fn add_typedef<'a>(&mut self, dwarf: &Dwarf<'a>, unit: &DebugUnit<'a>, entry: &DebugEntry<'a>) {
        let id = place(unit, entry);
        if let Some(named) = self.named(dwarf, unit, entry) {
            named.typedef.get_or_insert(id);
        }
    }

    fn add_enumerators<'a>(
        &mut self,
        dwarf: &Dwarf<'a>,
        unit: &DebugUnit<'a>,
        cursor: &mut Cursor<'_, 'a>,
    ) -> Result<(), TypeError> {
        let visited = each_child(cursor, |child| {
            let Some(name) = bytes(dwarf, unit, child, DW_AT_name) else {
                return;
            };
            if self.enumerators.contains_key(name) {
                return;
            }
            if let Some(value) = constant(child) {
                self.enumerators.insert(name.into(), value);
            }
        });
        visited.map_err(TypeError::from)
    }

    /// The definitions of that name, or its declaration.
    pub fn find(&self, name: &str) -> Vec<TypeId> {
        let Some(named) = self.named.get(name.as_bytes()) else {
            return Vec::new();
        };
        let tags = named.tags.iter().map(|(_, id)| *id);
        let found: Vec<_> = tags.chain(named.typedef).collect();
        if found.is_empty() { named.declared.into_iter().collect() } else { found }
    }

    /// The definition of a function, or its declaration.
    pub fn function(&self, name: &str) -> Option<TypeId> {
        self.functions(name).first().copied()
    }

    /// Whether no function of that name is defined.
    pub fn is_only_declared(&self, name: &str) -> bool {
        self.named.get(name.as_bytes()).is_some_and(|named| named.functions.is_empty())
    }

    /// The definitions of the functions of that name, or a declaration.
    pub fn functions(&self, name: &str) -> Vec<TypeId> {
        let Some(named) = self.named.get(name.as_bytes()) else {
            return Vec::new();
        };
        match &named.functions[..] {
            [] => named.declared_function.into_iter().collect(),
            defined => defined.iter().map(|(_, id)| *id).collect(),
        }
    }

    /// The value of an enumerator.
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        self.enumerators.get(name.as_bytes()).copied()
    }
}

fn is_assembly(unit: &DebugEntry<'_>) -> bool {
    unit.attr_value(DW_AT_language) == Some(AttributeValue::Language(gimli::DW_LANG_Mips_Assembler))
}

/// An enumerator's value; its form says whether it is signed.
fn constant(entry: &DebugEntry<'_>) -> Option<i64> {
    let value = entry.attr_value(DW_AT_const_value)?;
    match value {
        gimli::AttributeValue::Sdata(v) => Some(v),
        other => other.udata_value().map(u64::cast_signed).or_else(|| other.sdata_value()),
    }
}
