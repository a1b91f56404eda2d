//! Attributes of one DWARF entry.
//!
//! In: an entry, its unit. Out: numbers, strings, references. An entry is known by its offset
//! into `.debug_info`.

use gimli::{AttributeValue, DebuggingInformationEntry, DwAt, EntriesCursor};
use gimli::{DW_AT_abstract_origin, DW_AT_declaration, DW_AT_specification};

use super::Slice;

/// All sections.
pub type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;
/// A unit.
pub type DebugUnit<'a> = gimli::Unit<Slice<'a>>;
/// A way through a unit's entries.
pub type Cursor<'u, 'a> = EntriesCursor<'u, Slice<'a>>;
/// An entry.
pub type DebugEntry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// Where a unit begins in `.debug_info`.
pub fn start(unit: &DebugUnit<'_>) -> u64 {
    unit.header.debug_info_offset().map_or(u64::MAX, |at| at.0 as u64)
}

/// Where an entry is in `.debug_info`.
pub fn place(unit: &DebugUnit<'_>, entry: &DebugEntry<'_>) -> u64 {
    start(unit).saturating_add(entry.offset().0 as u64)
}

/// A constant.
pub fn number(entry: &DebugEntry<'_>, at: DwAt) -> Option<u64> {
    entry.attr_value(at)?.udata_value()
}

/// Is it only declared here?
pub fn is_declaration(entry: &DebugEntry<'_>) -> bool {
    matches!(entry.attr_value(DW_AT_declaration), Some(AttributeValue::Flag(true)))
}

/// Longest name and path, in bytes: PATH_MAX.
const TEXT: usize = 4096;

/// A string's bytes; `None` if it is longer than a name or a path can be.
pub fn bytes<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    entry: &DebugEntry<'a>,
    at: DwAt,
) -> Option<&'a [u8]> {
    let value = entry.attr_value(at)?;
    dwarf.attr_string(unit, value).ok().map(|s| s.slice()).filter(|text| text.len() < TEXT)
}

/// A string; empty if there is none.
pub fn text<'a>(dwarf: &Dwarf<'a>, unit: &DebugUnit<'a>, entry: &DebugEntry<'a>, at: DwAt) -> String {
    String::from_utf8_lossy(bytes(dwarf, unit, entry, at).unwrap_or_default()).into_owned()
}

/// The entry another one refers to.
pub fn reference(unit: &DebugUnit<'_>, entry: &DebugEntry<'_>, at: DwAt) -> Option<u64> {
    match entry.attr_value(at)? {
        AttributeValue::UnitRef(offset) => start(unit).checked_add(offset.0 as u64),
        AttributeValue::DebugInfoRef(offset) => Some(offset.0 as u64),
        _ => None,
    }
}

/// The entry of the same unit that this one completes: what it is an instance of, or where it
/// was declared.
pub fn origin<'a>(unit: &DebugUnit<'a>, entry: &DebugEntry<'a>) -> Option<DebugEntry<'a>> {
    let at = [DW_AT_abstract_origin, DW_AT_specification].into_iter().find_map(|at| entry.attr_value(at))?;
    match at {
        AttributeValue::UnitRef(offset) => unit.entry(offset).ok(),
        _ => None,
    }
}

/// Calls `visit` for each child of the entry the cursor is on.
pub fn each_child<'a>(
    cursor: &mut Cursor<'_, 'a>,
    mut visit: impl FnMut(&DebugEntry<'a>),
) -> Result<(), gimli::Error> {
    let Some(entry) = cursor.current().filter(|e| e.has_children()) else {
        return Ok(());
    };
    let depth = entry.depth();
    let mut next = cursor.next_dfs()?;
    while let Some(child) = next.filter(|c| c.depth() == depth + 1) {
        visit(child);
        next = cursor.next_sibling()?;
    }
    Ok(())
}
