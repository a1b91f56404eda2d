//! Exit statuses: the one table of them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything was done.
    Success,
    /// Something cannot be read or written, or nothing matches.
    Error,
    /// The trace is truncated or damaged; the rest was printed.
    Damaged,
    /// A limit of `diff` is exceeded.
    LimitExceeded,
    /// A comparison with the guest's own tracing or with another trace differs.
    Different,
}

impl Status {
    /// All of them, with what the help says; clap exits with 2.
    const TABLE: [(u8, Option<Self>, &str); 6] = [
        (0, Some(Self::Success), "success"),
        (1, Some(Self::Error), "error, or nothing matches"),
        (2, None, "invalid command line"),
        (3, Some(Self::Damaged), "trace truncated or damaged (the rest is printed)"),
        (4, Some(Self::LimitExceeded), "limit of diff exceeded"),
        (5, Some(Self::Different), "compare-tracepoints or diverge found a difference"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        Self::TABLE.iter().find(|(_, status, _)| *status == Some(self)).map_or(1, |(code, ..)| *code)
    }

    /// The table, for the help.
    pub fn help() -> String {
        let all: Vec<_> = Self::TABLE.iter().map(|(code, _, text)| format!("{code} {text}")).collect();
        format!("Exit status: {}.", all.join("; "))
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_own_number() {
        let all = [Status::Success, Status::Error, Status::Damaged, Status::LimitExceeded, Status::Different];
        assert_eq!(all.map(Status::code), [0, 1, 3, 4, 5]);
        assert!(Status::help().contains("; 2 invalid command line; "));
    }
}
