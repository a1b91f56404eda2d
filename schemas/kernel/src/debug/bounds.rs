//! What no compiler writes, and what would cost more than a file of that size may.
//!
//! In: the debug sections of an image. Out: an error for one whose entries nest deeper, whose strings are longer or whose
//! entries refer to more ranges than those of a kernel. addr2line calls itself for each level, and keeps the ranges of all
//! entries; a short string is found by its end.

use gimli::{DW_AT_ranges, Section as _};

use super::entry::{DebugEntry, DebugUnit, Dwarf};

/// Most entries around one: compilers nest some ten blocks and inlined functions.
const DEPTH: isize = 512;
/// Longest string in bytes. Of DWARF, those are names of types, paths, and the compiler's options.
const STRING: usize = 16 << 10;
/// Times that each byte of the sections with range lists may be read: lists are seldom shared.
const SHARED: usize = 8;

/// What is beyond a bound of the strings in a section.
pub fn strings(section: &str, bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = memchr::memchr(0, rest).unwrap_or(rest.len());
        if end > STRING {
            return Err(format!("a string in {section} has {end} bytes, at most {STRING} are expected"));
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Ok(())
}

/// What is beyond a bound of the entries. A unit that is damaged ends where it is.
pub fn entries(dwarf: &Dwarf<'_>) -> Result<(), String> {
    let lists = dwarf.ranges.debug_ranges().reader().len() + dwarf.ranges.debug_rnglists().reader().len();
    let mut left = lists.saturating_mul(SHARED);
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        if let Ok(unit) = dwarf.unit(header) {
            // What cannot be read is an error where it is needed.
            unit_entries(dwarf, &unit, &mut left).unwrap_or(Ok(()))?;
        }
    }
    Ok(())
}

fn unit_entries(
    dwarf: &Dwarf<'_>,
    unit: &DebugUnit<'_>,
    left: &mut usize,
) -> Result<Result<(), String>, gimli::Error> {
    let mut entries = unit.entries_raw(None)?;
    let mut entry = DebugEntry::null();
    while !entries.is_empty() {
        let (depth, at) = (entries.next_depth(), entries.next_offset());
        let mut ahead = entries.clone();
        let Some(abbreviation) = ahead.read_abbreviation()? else {
            entries = ahead;
            continue;
        };
        if depth > DEPTH {
            let at = super::entry::start(unit).saturating_add(at.0 as u64);
            return Ok(Err(format!(
                "the entry at {at:#x} is within {depth} others, at most {DEPTH} are expected"
            )));
        }
        if abbreviation.attributes().iter().all(|attribute| attribute.name() != DW_AT_ranges) {
            ahead.skip_attributes(abbreviation.attributes())?;
            entries = ahead;
            continue;
        }
        entries.read_entry(&mut entry)?;
        let Some(value) = entry.attr_value(DW_AT_ranges) else { continue };
        let Ok(Some(mut ranges)) = dwarf.attr_ranges(unit, value) else { continue };
        while let Ok(Some(_)) = ranges.next() {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Ok(Err("its entries refer to the same ranges over and over".to_owned())),
            }
        }
    }
    Ok(Ok(()))
}
