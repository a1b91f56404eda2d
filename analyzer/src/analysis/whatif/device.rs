//! A device as text: `read=100us+1us/KiB,write=50us,flush=1ms,depth=4`.
//!
//! In: what the user wrote. Out: a [`DeviceModel`], or a [`ModelError`] that names the wrong part and what is allowed.
//! Times are kept in picoseconds, so that decimals of the smallest unit are exact; a service time is in nanoseconds.

mod parse;

pub use parse::{ModelError, Problem};

use crate::model::OpName;
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroUsize;

/// Picoseconds of a nanosecond.
const NANOSECOND: u64 = 1_000;
/// Units of time in picoseconds, the longest first.
const TIMES: [(&str, u64); 4] = [
    ("s", 1_000_000_000 * NANOSECOND),
    ("ms", 1_000_000 * NANOSECOND),
    ("us", 1_000 * NANOSECOND),
    ("ns", NANOSECOND),
];

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picoseconds(pub u64);

/// What a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteUnit {
    /// 1,024 bytes.
    KiB,
    /// 1,048,576 bytes.
    MiB,
}

impl ByteUnit {
    const ALL: [Self; 2] = [Self::KiB, Self::MiB];

    fn name(self) -> &'static str {
        match self {
            Self::KiB => "KiB",
            Self::MiB => "MiB",
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::KiB => 1 << 10,
            Self::MiB => 1 << 20,
        }
    }
}

/// How long an operation takes: a fixed time, and more for each unit of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceTime {
    /// Whatever its size is.
    pub fixed: Picoseconds,
    /// For each unit; of a part of a unit, that part.
    pub rate: Option<(Picoseconds, ByteUnit)>,
}

impl ServiceTime {
    /// Nanoseconds that a request of so many bytes takes, to the nearest one.
    #[must_use]
    pub fn of(&self, bytes: u64) -> u64 {
        let by_size = self
            .rate
            .map_or(0, |(time, unit)| u128::from(time.0) * u128::from(bytes) / u128::from(unit.bytes()));
        let nanosecond = u128::from(NANOSECOND);
        let nanoseconds = (u128::from(self.fixed.0) + by_size + nanosecond / 2) / nanosecond;
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }
}

/// What another device takes for each operation. An operation that is not in it takes what it took in the recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceModel {
    /// Of reads.
    pub read: Option<ServiceTime>,
    /// Of writes.
    pub write: Option<ServiceTime>,
    /// Of flushes of the device's cache.
    pub flush: Option<ServiceTime>,
    /// Of discards.
    pub discard: Option<ServiceTime>,
    /// Requests that it serves at the same time; none: all that it is given.
    pub depth: Option<NonZeroUsize>,
}

impl DeviceModel {
    /// What it takes for an operation; none if that is not in the model.
    #[must_use]
    pub fn service(&self, op: Option<OpName>) -> Option<ServiceTime> {
        match op? {
            OpName::Read => self.read,
            OpName::Write => self.write,
            OpName::Flush => self.flush,
            OpName::Discard => self.discard,
            _ => None,
        }
    }
}

impl Display for Picoseconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let whole = TIMES.into_iter().find(|(_, unit)| self.0.is_multiple_of(*unit));
        match whole.filter(|_| self.0 > 0) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => {
                let decimals = format!("{}.{:03}", self.0 / NANOSECOND, self.0 % NANOSECOND);
                write!(f, "{}ns", decimals.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

impl Display for ServiceTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fixed)?;
        self.rate.map_or(Ok(()), |(time, unit)| write!(f, "+{time}/{}", unit.name()))
    }
}

impl Display for DeviceModel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let operations =
            [("read", self.read), ("write", self.write), ("flush", self.flush), ("discard", self.discard)];
        let operations = operations.into_iter().filter_map(|(name, time)| Some(format!("{name}={}", time?)));
        let parts: Vec<_> = operations.chain(self.depth.map(|depth| format!("depth={depth}"))).collect();
        f.write_str(&parts.join(","))
    }
}
