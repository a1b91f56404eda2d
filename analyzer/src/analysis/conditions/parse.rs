//! Conditions as text: what a user may write, and what is said if it is something else.

use super::Range;
use crate::model::{Op, OpName};
use iotrace_arch::KNOWN;
use iotrace_format::layer::Layer;
use thiserror::Error;

/// Letters of operations and flags, as `blk_fill_rwbs` has them.
const LETTERS: &str = "RWDEFNASM";
/// Units of virtual time, in nanoseconds; the longest names first.
const UNITS: [(&str, u64); 5] =
    [("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
/// Units of bytes, in small letters; the longest names first.
const SIZES: [(&str, u64); 6] =
    [("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)];

/// A condition cannot be read.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ConditionError {
    /// No operation.
    #[error("expected read, write, flush, discard or letters of {}, as printed by report", LETTERS)]
    Op,
    /// No name of a system call.
    #[error("expected the name of a system call, such as write or fsync")]
    Syscall,
    /// No layer.
    #[error("expected one of the layers {}", Layer::names(Layer::ALL))]
    Layer,
    /// More bytes than 64 bits can count.
    #[error("{number} is out of range")]
    TooLarge {
        /// The number, without its unit.
        number: String,
    },
    /// A moment where a range of clocks must be.
    #[error("expected a range A..B in instructions")]
    Clocks,
    /// A moment where a window of time must be.
    #[error("expected a time range A..B, such as 1.2ms..3ms")]
    Time,
    /// A time without a unit.
    #[error("{moment:?} has no unit (ns, us, ms or s)")]
    NoUnit {
        /// The time.
        moment: String,
    },
    /// A unit, but no number before it.
    #[error("invalid time {moment:?}")]
    NotATime {
        /// The time.
        moment: String,
    },
    /// No number.
    #[error("invalid number {text:?}")]
    NotANumber {
        /// What is there.
        text: String,
    },
    /// A range that ends before it begins.
    #[error("{from} is after {to}")]
    Reversed {
        /// Its begin.
        from: String,
        /// Its end.
        to: String,
    },
}

/// Which operations are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpIs {
    /// All that read.
    Read,
    /// All that write.
    Write,
    /// All that flush the device's cache, before or after anything else.
    Flush,
    /// All that give sectors up.
    Discard,
    /// All that have these letters among theirs.
    Letters(String),
}

impl OpIs {
    /// Whether an operation is one of them.
    #[must_use]
    pub fn is(&self, op: Op) -> bool {
        match self {
            Self::Read => op.name == OpName::Read,
            Self::Write => op.name == OpName::Write,
            Self::Flush => op.name == OpName::Flush || op.preflush,
            Self::Discard => matches!(op.name, OpName::Discard | OpName::SecureErase),
            Self::Letters(letters) => {
                let has = op.rwbs();
                letters.chars().all(|c| has.matches(c).count() >= letters.matches(c).count())
            }
        }
    }
}

/// An operation: a word, or letters.
///
/// # Errors
/// [`ConditionError`].
pub fn op(text: &str) -> Result<OpIs, ConditionError> {
    match text {
        "read" => Ok(OpIs::Read),
        "write" => Ok(OpIs::Write),
        "flush" => Ok(OpIs::Flush),
        "discard" => Ok(OpIs::Discard),
        letters if !letters.is_empty() && letters.chars().all(|c| LETTERS.contains(c)) => {
            Ok(OpIs::Letters(letters.to_owned()))
        }
        _ => Err(ConditionError::Op),
    }
}

/// A system call: `write`, `sys_write` and what an architecture puts before it are the same, and so are `pread` and
/// `pread64`.
///
/// # Errors
/// [`ConditionError`].
pub fn syscall(text: &str) -> Result<String, ConditionError> {
    let prefixes = KNOWN.iter().flat_map(|arch| arch.system_call_prefixes);
    let name = prefixes.fold(text, |name, prefix| name.trim_start_matches(prefix));
    let name = name.trim_start_matches("sys_").trim_start_matches("sys.");
    let name = name.trim_end_matches("64");
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '2');
    if is_name { Ok(name.to_owned()) } else { Err(ConditionError::Syscall) }
}

/// A layer.
///
/// # Errors
/// [`ConditionError::Layer`]: which there are.
pub fn layer(text: &str) -> Result<Layer, ConditionError> {
    Layer::parse(text).map_err(|_| ConditionError::Layer)
}

/// Bytes: `4096`, `4k`, `4K`, `4KiB`, or a range of such, `1..4k`; either end may be left out.
///
/// # Errors
/// [`ConditionError`].
pub fn size(text: &str) -> Result<Range, ConditionError> {
    let lower = |number: &str| number.to_ascii_lowercase();
    range(text, |number| {
        match SIZES.iter().find_map(|(unit, of)| {
            lower(number).ends_with(unit).then(|| (&number[..number.len() - unit.len()], of))
        }) {
            Some((number, unit)) => whole(number)?
                .checked_mul(*unit)
                .ok_or_else(|| ConditionError::TooLarge { number: number.to_owned() }),
            None => whole(number),
        }
    })
}

/// Sectors or clocks: a number, or a range `A..B`; either end may be left out.
///
/// # Errors
/// [`ConditionError`].
pub fn numbers(text: &str) -> Result<Range, ConditionError> {
    range(text, whole)
}

/// Clocks, in instructions: a range `A..B`; either end may be left out.
///
/// # Errors
/// [`ConditionError`].
pub fn clocks(text: &str) -> Result<Range, ConditionError> {
    if !text.contains("..") {
        return Err(ConditionError::Clocks);
    }
    numbers(text)
}

/// Virtual time since the workload began, in nanoseconds: a range `1.2ms..3ms`; either end may be left out.
///
/// # Errors
/// [`ConditionError`].
pub fn time(text: &str) -> Result<Range, ConditionError> {
    if !text.contains("..") {
        return Err(ConditionError::Time);
    }
    range(text, |moment| {
        if moment == "0" {
            return Ok(0);
        }
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((moment.strip_suffix(name)?, *unit)))
            .ok_or_else(|| ConditionError::NoUnit { moment: moment.to_owned() })?;
        decimal(number, unit).ok_or_else(|| ConditionError::NotATime { moment: moment.to_owned() })
    })
}

/// A decimal number of units, exactly, as far as the units have parts.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.chars().any(|c| !c.is_ascii_digit()) || whole.is_empty() && part.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = part.bytes().scan(unit, |unit, digit| {
        *unit /= 10;
        Some(u64::from(digit - b'0') * *unit)
    });
    whole.checked_mul(unit)?.checked_add(digits.sum())
}

fn whole(text: &str) -> Result<u64, ConditionError> {
    text.replace(['_', ','], "").parse().map_err(|_| ConditionError::NotANumber { text: text.to_owned() })
}

fn range(text: &str, number: impl Fn(&str) -> Result<u64, ConditionError>) -> Result<Range, ConditionError> {
    let Some((from, to)) = text.split_once("..") else {
        let only = number(text)?;
        return Ok(only..=only);
    };
    let end = |text: &str, otherwise| if text.is_empty() { Ok(otherwise) } else { number(text) };
    let (first, last) = (end(from, 0)?, end(to.trim_start_matches('='), u64::MAX)?);
    let reversed = || ConditionError::Reversed { from: from.to_owned(), to: to.to_owned() };
    (first <= last).then_some(first..=last).ok_or_else(reversed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(clocks("10..1_000"), Ok(10..=1000));
        assert_eq!(clocks(".."), Ok(0..=u64::MAX));
        assert_eq!((numbers("7"), size("4k"), size("1..=2M")), (Ok(7..=7), Ok(4096..=4096), Ok(1..=2 << 20)));
        assert_eq!(time("1.2ms..3ms"), Ok(1_200_000..=3_000_000));
        assert_eq!(time("..0.0000000019s"), Ok(0..=1));
        assert_eq!((time("0.."), time("0..3ms")), (Ok(0..=u64::MAX), Ok(0..=3_000_000)));
        for text in ["4k", "4K", "4KiB", "4kib"] {
            assert_eq!(size(text), Ok(4096..=4096), "{text}");
        }
        assert_eq!((size("4m"), size("..1GiB")), (Ok(4 << 20..=4 << 20), Ok(0..=1 << 30)));
        assert_eq!(time("17µs..18us"), Ok(17_000..=18_000));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (result, expected) in [
            (clocks("5").map(drop), "expected a range A..B"),
            (clocks("9..3").map(drop), "9 is after 3"),
            (clocks("a..").map(drop), "invalid number \"a\""),
            (time("1..2").map(drop), "\"1\" has no unit"),
            (time("1ms").map(drop), "expected a time range A..B"),
            (time("x1ms..").map(drop), "invalid time \"x1ms\""),
            (time(".s..").map(drop), "invalid time"),
            (size("4q").map(drop), "invalid number \"4q\""),
            (size("99999999999999G").map(drop), "out of range"),
            (op("rw").map(drop), "expected read, write"),
            (layer("disk").map(drop), "the layers syscall, vfs"),
            (syscall("wr!te").map(drop), "the name of a system call"),
        ] {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn operations_are_words_or_letters() {
        let flushed = Op { preflush: true, fua: true, sync: true, ..Op::plain(OpName::Write) };
        for (text, is) in
            [("write", true), ("flush", true), ("read", false), ("W", true), ("FWF", true), ("FFF", false)]
        {
            assert_eq!(op(text).unwrap().is(flushed), is, "{text}");
        }
        assert!(
            !op("F").unwrap().is(Op::plain(OpName::Write)) && op("R").unwrap().is(Op::plain(OpName::Read))
        );
    }

    #[test]
    fn a_system_call_has_many_names() {
        for text in ["pwrite64", "sys_pwrite64", "pwrite", "sys.pwrite"] {
            assert_eq!(syscall(text).as_deref(), Ok("pwrite"));
        }
        for prefix in KNOWN.iter().flat_map(|arch| arch.system_call_prefixes) {
            assert_eq!(syscall(&format!("{prefix}sys_pwrite64")).as_deref(), Ok("pwrite"));
        }
    }
}
