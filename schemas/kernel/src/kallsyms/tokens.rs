//! The token table: 256 strings that the bytes of compressed names stand for.
//!
//! In: bytes of an image. Out: every place that is a token table followed by its index.
//! A byte that occurs in symbol names stands for itself, so the entries '0' to '9' are the
//! digits; `kallsyms_token_index`, 256 u16 offsets into the table, settles it.

use crate::bytes::{cstr_at, u16_at};

const COUNT: usize = 256;
const DIGITS: &[u8] = b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0";

/// A token table and where it lies, as offsets into the bytes that were searched.
pub struct Tokens {
    /// Start of the first string.
    pub start: usize,
    /// First byte after the index.
    pub end: usize,
    /// Where each token's string begins and how long it is.
    strings: Vec<(usize, usize)>,
}

impl Tokens {
    /// The string that `token` stands for.
    pub fn text<'a>(&self, bytes: &'a [u8], token: u8) -> Option<&'a [u8]> {
        let (start, len) = *self.strings.get(usize::from(token))?;
        bytes.get(start..start.checked_add(len)?)
    }
}

/// Every token table in `bytes`.
pub fn find(bytes: &[u8]) -> Vec<Tokens> {
    let hits = memchr::memmem::find_iter(bytes, DIGITS);
    hits.filter_map(|zero| read(bytes, first(bytes, zero)?)).collect()
}

/// The start of the table, `b'0'` strings before the one at `zero`.
fn first(bytes: &[u8], zero: usize) -> Option<usize> {
    (0..usize::from(b'0')).try_fold(zero, |at, _| {
        let end = at.checked_sub(1)?;
        (*bytes.get(end)? == 0).then_some(())?;
        // Before the table there is another table; its last byte may be anything.
        Some(memchr::memrchr(0, bytes.get(..end)?).map_or(0, |nul| nul + 1))
    })
}

fn read(bytes: &[u8], near: usize) -> Option<Tokens> {
    // The first string may seem longer than it is: the table before it need not end in a NUL.
    let index_of = |start: usize| {
        let strings = strings(bytes, start)?;
        let (last, len) = *strings.last()?;
        let after = last + len + 1;
        let aligned = [8, 4].map(|a| after.next_multiple_of(a));
        let index = aligned.into_iter().find(|at| is_index(bytes, *at, start, &strings))?;
        Some(Tokens { start, end: index + 2 * COUNT, strings })
    };
    let end = near + cstr_at(bytes, near)?.len();
    (near..=end).filter(|at| at % 4 == 0).find_map(index_of)
}

fn strings(bytes: &[u8], start: usize) -> Option<Vec<(usize, usize)>> {
    let mut at = start;
    let mut one = || {
        let len = cstr_at(bytes, at)?.len();
        let string = (at, len);
        at += len + 1;
        Some(string)
    };
    (0..COUNT).map(|_| one()).collect()
}

fn is_index(bytes: &[u8], at: usize, start: usize, strings: &[(usize, usize)]) -> bool {
    let mut offsets = (at..).step_by(2).zip(strings);
    offsets.all(|(at, (string, _))| u16_at(bytes, at).map(usize::from) == Some(string - start))
}
