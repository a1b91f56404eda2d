//! Attributes of one DWARF entry.

use gimli::{AttributeValue, DebuggingInformationEntry, DwAt, Operation};
use gimli::{
    DW_AT_abstract_origin, DW_AT_bit_offset, DW_AT_bit_size, DW_AT_byte_size, DW_AT_count,
    DW_AT_data_bit_offset, DW_AT_data_member_location, DW_AT_declaration, DW_AT_encoding, DW_AT_name,
    DW_AT_specification, DW_AT_type, DW_AT_upper_bound,
};

use super::super::shape::Member;
use super::super::source::TypeId;
use super::{Dwarf, Unit, start};
use crate::debug::Slice;

/// An entry.
pub type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// A constant.
pub fn number(entry: &Entry<'_>, at: DwAt) -> Option<u64> {
    entry.attr_value(at)?.udata_value()
}

/// Is it only declared here?
pub fn is_declaration(entry: &Entry<'_>) -> bool {
    matches!(entry.attr_value(DW_AT_declaration), Some(AttributeValue::Flag(true)))
}

/// Is the number signed? The bits of a float count as unsigned, as in BTF.
pub fn is_signed(entry: &Entry<'_>) -> bool {
    let encoding = entry.attr_value(DW_AT_encoding);
    let signed = [gimli::DW_ATE_signed, gimli::DW_ATE_signed_char];
    signed.into_iter().any(|ate| encoding == Some(AttributeValue::Encoding(ate)))
}

/// A string's bytes.
pub fn bytes<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, entry: &Entry<'a>, at: DwAt) -> Option<&'a [u8]> {
    let value = entry.attr_value(at)?;
    dwarf.attr_string(unit, value).ok().map(|s| s.slice())
}

/// A string; empty if there is none.
pub fn text<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, entry: &Entry<'a>, at: DwAt) -> String {
    String::from_utf8_lossy(bytes(dwarf, unit, entry, at).unwrap_or_default()).into_owned()
}

/// The entry another one refers to.
pub fn reference(unit: &Unit<'_>, entry: &Entry<'_>, at: DwAt) -> Option<TypeId> {
    match entry.attr_value(at)? {
        AttributeValue::UnitRef(offset) => start(unit).checked_add(offset.0 as u64),
        AttributeValue::DebugInfoRef(offset) => Some(offset.0 as u64),
        _ => None,
    }
}

/// The entry of the same unit that this one completes: what it is an instance of, or where it
/// was declared.
pub fn origin<'a>(unit: &Unit<'a>, entry: &Entry<'a>) -> Option<Entry<'a>> {
    let at = [DW_AT_abstract_origin, DW_AT_specification].into_iter().find_map(|at| entry.attr_value(at))?;
    match at {
        AttributeValue::UnitRef(offset) => unit.entry(offset).ok(),
        _ => None,
    }
}

/// How many elements a subrange has; 0 for a flexible array.
pub fn element_count(entry: &Entry<'_>) -> u64 {
    let upper = || number(entry, DW_AT_upper_bound)?.checked_add(1);
    number(entry, DW_AT_count).or_else(upper).unwrap_or(0)
}

/// A member of a structure or union.
pub fn member<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, entry: &Entry<'a>) -> Option<Member> {
    let name = text(dwarf, unit, entry, DW_AT_name);
    let id = reference(unit, entry, DW_AT_type)?;
    let byte_offset = location(unit, entry).unwrap_or(0);
    let bits = number(entry, DW_AT_bit_size).and_then(|b| u8::try_from(b).ok());
    let bit_offset = byte_offset.saturating_mul(8);
    let bit_offset = match (bits, number(entry, DW_AT_data_bit_offset)) {
        (_, Some(from_start)) => from_start,
        (Some(count), None) => bit_offset.saturating_add(old_bit_offset(entry, count)),
        (None, None) => bit_offset,
    };
    Some(Member { name, bit_offset, bits, id })
}

/// Up to DWARF 3 bits are counted from the most significant of the unit.
fn old_bit_offset(entry: &Entry<'_>, count: u8) -> u64 {
    let unit_bits = number(entry, DW_AT_byte_size).unwrap_or(4).saturating_mul(8);
    let from_top = number(entry, DW_AT_bit_offset).unwrap_or(0);
    unit_bits.saturating_sub(from_top).saturating_sub(u64::from(count))
}

/// The offset of a member in bytes: a constant, or in DWARF 2 `DW_OP_plus_uconst n`.
fn location(unit: &Unit<'_>, entry: &Entry<'_>) -> Option<u64> {
    let value = entry.attr_value(DW_AT_data_member_location)?;
    if let Some(constant) = value.udata_value() {
        return Some(constant);
    }
    match value.exprloc_value()?.operations(unit.encoding()).next().ok()?? {
        Operation::PlusConstant { value } => Some(value),
        _ => None,
    }
}
