//! Numbers on the command line.
//!
//! In: an argument's text. Out: the number of an I/O, of threads, of a call among those of its name, or what it must be.

use iotrace::analysis::conditions::parse;
use iotrace_format::event::BUILTINS;
use iotrace_format::stage::{Stage, StageError};
use thiserror::Error;

/// The least memory with which a trace can be read: that of some blocks of events.
const LEAST_MEMORY: usize = 16 << 20;
/// The type of the events of all functions.
const PROBE: &str = "probe";

/// A number on the command line cannot be read.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(super) enum NumberError {
    /// Of an I/O or a bio.
    #[error("expected a number, counted from 1")]
    Id,
    /// Of threads.
    #[error("expected a number from 1 to 256")]
    Threads,
    /// Of bytes of memory.
    #[error("expected a size of 16m or more, such as 512m or 4GiB")]
    Memory,
    /// No stage.
    #[error(transparent)]
    Stage(StageError),
    /// No type of events.
    #[error("event types are {0}")]
    EventType(String),
    /// Of a call among those of its name.
    #[error("expected NAME or NAME:N with N counted from 1, as in write:3")]
    Nth,
}

pub(super) fn number(text: &str) -> Result<u64, NumberError> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().ok().filter(|id| *id > 0).ok_or(NumberError::Id)
}

/// A stage, or the beginning of several.
pub(super) fn stage(text: &str) -> Result<String, NumberError> {
    let begins = text.ends_with('.') && Stage::names().any(|name| name.starts_with(text));
    match Stage::parse(text) {
        Err(error) if !begins => Err(NumberError::Stage(error)),
        _ => Ok(text.to_owned()),
    }
}

/// A type of events.
pub(super) fn event_type(text: &str) -> Result<String, NumberError> {
    let names = || BUILTINS.iter().map(|builtin| builtin.name).chain([PROBE]);
    match names().find(|name| *name == text) {
        Some(name) => Ok(name.to_owned()),
        None => Err(NumberError::EventType(names().collect::<Vec<_>>().join(", "))),
    }
}

pub(super) fn threads(text: &str) -> Result<usize, NumberError> {
    text.parse().ok().filter(|threads| (1..=256).contains(threads)).ok_or(NumberError::Threads)
}

/// Bytes of memory that may be used.
pub(super) fn memory(text: &str) -> Result<usize, NumberError> {
    let size = parse::size(text).ok().filter(|size| size.start() == size.end());
    let bytes = size.and_then(|size| usize::try_from(*size.start()).ok());
    bytes.filter(|bytes| *bytes >= LEAST_MEMORY).ok_or(NumberError::Memory)
}

pub(super) fn nth(text: &str) -> Result<(String, usize), NumberError> {
    let (name, at) = text.split_once(':').unwrap_or((text, "1"));
    let at = at.parse().ok().filter(|at| *at > 0).ok_or(NumberError::Nth)?;
    Ok((name.to_owned(), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        assert_eq!((number("#12"), number("12")), (Ok(12), Ok(12)));
        assert!(number("0").is_err());
        assert_eq!(nth("write:3"), Ok(("write".into(), 3)));
        assert!(nth("write:0").is_err());
    }

    #[test]
    fn memory_is_a_size() {
        let sizes = ["16m", "512MiB", "1GiB"].map(memory);
        assert_eq!(sizes, [Ok(16 << 20), Ok(512 << 20), Ok(1 << 30)]);
        for wrong in ["", "15m", "1g..2g", "64m..", "-1", "99999999999g"] {
            assert_eq!(memory(wrong), Err(NumberError::Memory), "{wrong}");
        }
    }

    #[test]
    fn words_of_a_closed_list_are_checked() {
        assert_eq!((stage("bio.queue"), stage("rq.")), (Ok("bio.queue".into()), Ok("rq.".into())));
        assert!(stage("bio.queu").unwrap_err().to_string().contains("bio.queue"));
        assert!(stage("xx.").is_err());
        assert_eq!(
            (event_type("mmio_write"), event_type("probe")),
            (Ok("mmio_write".into()), Ok("probe".into()))
        );
        assert!(event_type("mmio").unwrap_err().to_string().contains("mmio_write"));
    }
}
