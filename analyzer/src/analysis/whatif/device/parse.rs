//! The grammar: `NAME=FIXED[+PER/UNIT]` and `depth=N`, with commas between.

use super::{ByteUnit, DeviceModel, Picoseconds, ServiceTime, TIMES};
use std::str::FromStr;
use thiserror::Error;

/// The longest time: an hour.
const LONGEST: u64 = 3_600 * TIMES[0].1;

/// A part of a model that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("in `{part}`: {problem}")]
pub struct ModelError {
    /// The part between two commas.
    pub part: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a part of a model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// It has no name and value.
    #[error("expected NAME=FIXED[+PER/UNIT] or depth=N, as in read=100us+1us/KiB,depth=4")]
    NoPart,
    /// An unknown name.
    #[error("unknown name `{0}`: expected read, write, flush, discard or depth")]
    UnknownName(String),
    /// The name was given before.
    #[error("`{0}` specified twice")]
    GivenTwice(&'static str),
    /// A time without a known unit.
    #[error("invalid time `{0}`: expected a number and ns, us, ms or s, as in 100us or 0.5ms")]
    NoTime(String),
    /// A time that is too long.
    #[error("`{0}` is longer than an hour")]
    TooLong(String),
    /// A time with too many decimals.
    #[error("`{0}` is finer than a picosecond")]
    TooFine(String),
    /// A rate alone.
    #[error("`{0}` has no fixed time: expected FIXED[+PER/UNIT], as in 0us+1us/KiB")]
    NoFixedTime(String),
    /// A rate without a known unit of bytes.
    #[error("invalid rate `{0}`: expected a time and /KiB or /MiB, as in 1us/KiB")]
    NoRate(String),
    /// A depth that is no number.
    #[error("invalid depth `{0}`: expected a number, 1 or larger")]
    NoDepth(String),
}

impl FromStr for DeviceModel {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let mut model = Self::default();
        for part in text.split(',').map(str::trim) {
            model.set(part).map_err(|problem| ModelError { part: part.to_owned(), problem })?;
        }
        Ok(model)
    }
}

impl DeviceModel {
    fn set(&mut self, part: &str) -> Result<(), Problem> {
        let (name, value) = part.split_once('=').ok_or(Problem::NoPart)?;
        match name {
            "read" => set_once(&mut self.read, "read", service_time(value)?),
            "write" => set_once(&mut self.write, "write", service_time(value)?),
            "flush" => set_once(&mut self.flush, "flush", service_time(value)?),
            "discard" => set_once(&mut self.discard, "discard", service_time(value)?),
            "depth" => {
                let depth = digits(value).and_then(|value| value.parse().ok());
                set_once(&mut self.depth, "depth", depth.ok_or_else(|| Problem::NoDepth(value.to_owned()))?)
            }
            _ => Err(Problem::UnknownName(name.to_owned())),
        }
    }
}

fn set_once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::GivenTwice(name)),
    }
}

fn service_time(text: &str) -> Result<ServiceTime, Problem> {
    let (fixed, rate) = match text.split_once('+') {
        Some((fixed, rate)) => (fixed, Some(rate)),
        None if text.contains('/') => return Err(Problem::NoFixedTime(text.to_owned())),
        None => (text, None),
    };
    Ok(ServiceTime { fixed: time(fixed)?, rate: rate.map(byte_rate).transpose()? })
}

fn byte_rate(text: &str) -> Result<(Picoseconds, ByteUnit), Problem> {
    let no_rate = || Problem::NoRate(text.to_owned());
    let (per, name) = text.split_once('/').ok_or_else(no_rate)?;
    let unit = ByteUnit::ALL.into_iter().find(|unit| unit.name() == name).ok_or_else(no_rate)?;
    Ok((time(per)?, unit))
}

fn time(text: &str) -> Result<Picoseconds, Problem> {
    let no_time = || Problem::NoTime(text.to_owned());
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(no_time)?;
    let (number, name) = text.split_at(at);
    let (_, unit) = *TIMES.iter().find(|(unit, _)| *unit == name).ok_or_else(no_time)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, decimals) = digits(whole).zip(digits(decimals)).ok_or_else(no_time)?;
    let too_long = || Problem::TooLong(text.to_owned());
    // More digits than any number has: too long, whatever they are.
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let fraction = fraction(decimals, unit).ok_or_else(|| Problem::TooFine(text.to_owned()))?;
    let all = whole.checked_mul(unit).and_then(|all| all.checked_add(fraction));
    all.filter(|all| *all <= LONGEST).map(Picoseconds).ok_or_else(too_long)
}

/// Picoseconds that decimals of a unit stand for; none if that is no whole number.
fn fraction(decimals: &str, unit: u64) -> Option<u64> {
    let mut place = unit;
    let mut sum = 0;
    for digit in decimals.trim_end_matches('0').bytes() {
        if !place.is_multiple_of(10) {
            return None;
        }
        place /= 10;
        sum += u64::from(digit - b'0') * place;
    }
    Some(sum)
}

/// A text of one or more digits.
fn digits(text: &str) -> Option<&str> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OpName;

    fn model(text: &str) -> DeviceModel {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        text.parse::<DeviceModel>().expect_err(text).to_string()
    }

    #[test]
    fn each_operation_has_its_time() {
        let all = model("read=100us+1us/KiB,write=50us+2ms/MiB,flush=1ms,discard=1.5s,depth=32");
        let times = [
            (OpName::Read, 0, 100_000),
            (OpName::Read, 4096, 104_000),
            (OpName::Read, 512, 100_500),
            (OpName::Write, 1 << 20, 2_050_000),
            (OpName::Write, 1 << 19, 1_050_000),
            (OpName::Flush, 4096, 1_000_000),
            (OpName::Discard, 4096, 1_500_000_000),
        ];
        for (op, bytes, ns) in times {
            assert_eq!(all.service(Some(op)).map(|time| time.of(bytes)), Some(ns), "{op} {bytes}");
        }
        assert_eq!(all.depth.map(usize::from), Some(32));
        for op in [OpName::WriteZeroes, OpName::SecureErase, OpName::DriverIn, OpName::Zone] {
            assert_eq!(all.service(Some(op)), None, "{op}");
        }
        assert_eq!(all.service(None), None);
        assert_eq!(model("depth=1").service(Some(OpName::Read)), None);
    }

    #[test]
    fn decimals_are_exact_to_the_picosecond() {
        for (text, bytes, ns) in [
            ("read=0.5us", 0, 500),
            ("read=1.000000000001s", 0, 1_000_000_000),
            ("read=0ns+0.25ns/KiB", 4096, 1),
            ("read=0ns+0.001ns/KiB", 1 << 20, 1),
            ("read=0.5ns", 0, 1),
            ("read=0.499ns", 0, 0),
            ("read=3600s", 0, 3_600_000_000_000),
            ("read=3600s+3600s/KiB", u64::MAX, u64::MAX),
        ] {
            assert_eq!(model(text).read.unwrap().of(bytes), ns, "{text}");
        }
    }

    #[test]
    fn a_model_is_printed_as_it_is_read() {
        for text in
            ["read=100us+1us/KiB,write=50us,flush=1ms,discard=2s+3ns/MiB,depth=4", "depth=1", "read=0ns"]
        {
            assert_eq!(model(text).to_string(), text);
        }
        assert_eq!(model("depth=2, read=1.5ms+0.25ns/KiB").to_string(), "read=1500us+0.25ns/KiB,depth=2");
        assert_eq!(model("write=1000us").to_string(), "write=1ms");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (text, part, allowed) in [
            ("", "in ``", "NAME=FIXED[+PER/UNIT] or depth=N"),
            ("read=1us,", "in ``", "NAME=FIXED"),
            ("read", "in `read`", "NAME=FIXED"),
            ("erase=1us", "`erase`", "read, write, flush, discard or depth"),
            ("READ=1us", "`READ`", "read, write"),
            ("read=1us,read=2us", "`read` specified twice", ""),
            ("depth=1,depth=1", "`depth` specified twice", ""),
            ("write=2us,read=100", "`100`", "ns, us, ms or s"),
            ("read=", "``", "ns, us, ms or s"),
            ("read=us", "`us`", "a number and"),
            ("read=-1us", "`-1us`", "a number and"),
            ("read=.5us", "`.5us`", "0.5ms"),
            ("read=1.us", "`1.us`", "0.5ms"),
            ("read=1.2.3us", "`1.2.3us`", "a number and"),
            ("read=1m", "`1m`", "ns, us, ms or s"),
            ("read=1us+", "``", "/KiB or /MiB"),
            ("read=1us+2us", "`2us`", "/KiB or /MiB"),
            ("read=1us+2us/KB", "`2us/KB`", "/KiB or /MiB"),
            ("read=1us+2/KiB", "`2`", "ns, us, ms or s"),
            ("read=2us/KiB", "`2us/KiB` has no fixed time", "0us+1us/KiB"),
            ("read=3601s", "`3601s`", "an hour"),
            ("read=99999999999999999999999ns", "`99999999999999999999999ns`", "an hour"),
            ("read=0.0001ns", "`0.0001ns`", "picosecond"),
            ("read=0.0000000000001s", "s`", "picosecond"),
            ("depth=0", "`0`", "1 or larger"),
            ("depth=+2", "`+2`", "1 or larger"),
            ("depth=99999999999999999999999", "`99999999999999999999999`", "1 or larger"),
        ] {
            let error = error(text);
            assert!(error.contains(part) && error.contains(allowed), "{text}: {error}");
        }
    }
}
