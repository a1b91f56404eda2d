//! The compressed names and the markers into them.
//!
//! In: bytes of an image and its token table. Out: how many symbols there are and their texts.
//!
//! `kallsyms_names` is a row of (length, tokens); a length of 128 or more takes two bytes,
//! ULEB128, from 6.1 on. `kallsyms_markers` holds the offset of every 256th name, as u32 (as
//! u64 up to 4.19). The markers are found going back from the token table: a zero, then
//! numbers that rise by what 256 names take. The last marker says about where the names begin;
//! walking them must meet every marker.

use std::ops::Range;

use super::tokens::Tokens;
use crate::budget::WorkBudget;
use crate::bytes::{NAME, u32_at, u64_at};

/// Names per marker.
const STEP: usize = 256;
/// The least and the most that 256 names can take: 1 length byte and 1 token; 2 and 512.
const STEP_BYTES: Range<u64> = 2 * 256..514 * 256;
/// More symbols than any kernel has; bounds the search.
const MOST: usize = 4_000_000;

/// Where names and number of symbols are.
#[derive(Debug)]
pub struct NameTable {
    /// How many symbols there are.
    pub count: usize,
    /// Offset of `kallsyms_num_syms`.
    pub count_at: usize,
    /// Offset of the first name.
    start: usize,
}

impl NameTable {
    /// The type letter and name of each symbol, in the order of the addresses.
    pub fn texts(&self, bytes: &[u8], tokens: &Tokens) -> Option<Vec<String>> {
        let mut at = self.start;
        let mut one = || {
            let (name, next) = name(bytes, at)?;
            at = next;
            let mut text = Vec::with_capacity(32);
            for token in name {
                text.extend_from_slice(tokens.text(bytes, *token)?);
                // A letter and a name.
                (text.len() <= NAME).then_some(())?;
            }
            String::from_utf8(text).ok()
        };
        (0..self.count).map(|_| one()).collect()
    }
}

/// The tokens of the name at `at`, and where the next name is.
fn name(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let first = *bytes.get(at)?;
    let (len, start) = match first {
        0 => return None,
        1..0x80 => (usize::from(first), at + 1),
        _ => (usize::from(first & 0x7f) | usize::from(*bytes.get(at + 1)?) << 7, at + 2),
    };
    let end = start.checked_add(len)?;
    Some((bytes.get(start..end)?, end))
}

/// The markers, as offsets into the names.
struct Markers {
    at: usize,
    values: Vec<u64>,
}

/// Finds the names that belong to `tokens`.
pub fn find(bytes: &[u8], tokens: &Tokens, budget: &WorkBudget) -> Option<NameTable> {
    // Between the markers and the tokens may be seqs_of_names: 4 bytes for each symbol.
    let lowest = tokens.start.saturating_sub(4 * MOST + MOST / STEP * 8);
    let places = (lowest..tokens.start).rev().filter(|at| at % 4 == 0);
    for at in places {
        budget.spend(1)?;
        if u32_at(bytes, at) != Some(0) {
            continue;
        }
        for width in [4, 8] {
            let Some(markers) = markers(bytes, at, tokens, width) else { continue };
            budget.spend(markers.values.len() as u64)?;
            if let Some(names) = before(bytes, &markers, budget) {
                return Some(names);
            }
        }
    }
    None
}

/// The markers from `at`, if those are markers of `width` bytes each.
fn markers(bytes: &[u8], at: usize, tokens: &Tokens, width: usize) -> Option<Markers> {
    let value = |at| match width {
        8 => u64_at(bytes, at),
        _ => u32_at(bytes, at).map(u64::from),
    };
    // A wrong start shows at once; look before collecting.
    let second = value(at + width).filter(|v| at + width < tokens.start && STEP_BYTES.contains(v));
    second.or_else(|| (at + 2 * width >= tokens.start).then_some(0))?;
    let mut values = vec![0];
    let mut last = 0;
    for at in (at + width..tokens.start).step_by(width) {
        match value(at) {
            Some(v) if STEP_BYTES.contains(&v.saturating_sub(last)) => values.push(v),
            _ => break,
        }
        last = *values.last()?;
    }
    Some(Markers { at, values })
}

/// The names that end where `markers` begin.
fn before(bytes: &[u8], markers: &Markers, budget: &WorkBudget) -> Option<NameTable> {
    let last = usize::try_from(*markers.values.last()?).ok()?;
    let latest = markers.at.checked_sub(last)?;
    let longest = usize::try_from(STEP_BYTES.end).ok()?;
    let earliest = latest.saturating_sub(longest);
    let starts = (earliest..=latest).rev().filter(|at| at % 4 == 0);
    let mut starts =
        starts.flat_map(|start| [(start, 8), (start, 4)]).take_while(|_| budget.spend(1).is_some());
    starts.find_map(|(start, back)| {
        let count_at = start.checked_sub(back)?;
        let count = usize::try_from(u32_at(bytes, count_at)?).ok()?;
        // Behind the last marker the next table may look like one more.
        let fits = count <= MOST && count > 0 && count.div_ceil(STEP) <= markers.values.len();
        fits.then_some(())?;
        let names = NameTable { count, count_at, start };
        meets(bytes, &names, markers, budget).then_some(names)
    })
}

/// Does walking the names meet every marker, and end where the markers begin?
fn meets(bytes: &[u8], names: &NameTable, markers: &Markers, budget: &WorkBudget) -> bool {
    let mut at = names.start;
    for i in 0..names.count {
        if budget.spend(1).is_none() {
            return false;
        }
        if i % STEP == 0 {
            let marker = markers.values.get(i / STEP).map(|m| *m as usize);
            if marker != Some(at - names.start) {
                return false;
            }
        }
        match name(bytes, at) {
            Some((_, next)) if next <= markers.at => at = next,
            _ => return false,
        }
    }
    markers.at - at < 8
}
