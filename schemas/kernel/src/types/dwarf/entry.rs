//! Attributes of one DWARF entry that describes a type.

use gimli::{AttributeValue, Operation};
use gimli::{
    DW_AT_bit_offset, DW_AT_bit_size, DW_AT_byte_size, DW_AT_count, DW_AT_data_bit_offset,
    DW_AT_data_member_location, DW_AT_encoding, DW_AT_name, DW_AT_type, DW_AT_upper_bound,
};

use super::super::shape::{ScalarKind, StructMember};
use crate::debug::entry::{DebugEntry, DebugUnit, Dwarf, number, reference, text};

/// Is the number signed? The bits of a float count as unsigned, as in BTF.
pub fn is_signed(entry: &DebugEntry<'_>) -> bool {
    let encoding = entry.attr_value(DW_AT_encoding);
    let signed = [gimli::DW_ATE_signed, gimli::DW_ATE_signed_char];
    signed.into_iter().any(|ate| encoding == Some(AttributeValue::Encoding(ate)))
}

/// What the bits of a number are; of an enum they are an integer's.
pub fn scalar_kind(entry: &DebugEntry<'_>) -> ScalarKind {
    match entry.attr_value(DW_AT_encoding) {
        Some(AttributeValue::Encoding(gimli::DW_ATE_boolean)) => ScalarKind::Bool,
        Some(AttributeValue::Encoding(gimli::DW_ATE_float | gimli::DW_ATE_complex_float)) => {
            ScalarKind::Float
        }
        _ => ScalarKind::Integer,
    }
}

/// How many elements a subrange has; 0 for a flexible array.
pub fn element_count(entry: &DebugEntry<'_>) -> u64 {
    let upper = || number(entry, DW_AT_upper_bound)?.checked_add(1);
    number(entry, DW_AT_count).or_else(upper).unwrap_or(0)
}

/// A member of a structure or union.
pub fn member<'a>(dwarf: &Dwarf<'a>, unit: &DebugUnit<'a>, entry: &DebugEntry<'a>) -> Option<StructMember> {
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
    Some(StructMember { name, bit_offset, bits, id })
}

/// Up to DWARF 3 bits are counted from the most significant of the unit.
fn old_bit_offset(entry: &DebugEntry<'_>, count: u8) -> u64 {
    let unit_bits = number(entry, DW_AT_byte_size).unwrap_or(4).saturating_mul(8);
    let from_top = number(entry, DW_AT_bit_offset).unwrap_or(0);
    unit_bits.saturating_sub(from_top).saturating_sub(u64::from(count))
}

/// The offset of a member in bytes: a constant, or in DWARF 2 `DW_OP_plus_uconst n`.
fn location(unit: &DebugUnit<'_>, entry: &DebugEntry<'_>) -> Option<u64> {
    let value = entry.attr_value(DW_AT_data_member_location)?;
    if let Some(constant) = value.udata_value() {
        return Some(constant);
    }
    match value.exprloc_value()?.operations(unit.encoding()).next().ok()?? {
        Operation::PlusConstant { value } => Some(value),
        _ => None,
    }
}
