//! Which I/O or bio `path` and `why` are asked about.

use super::conditions::ConditionArgs;
use super::invalid;
use super::numbers::{nth, number};
use crate::view;
use anyhow::Result;
use clap::Args;
use clap::error::ErrorKind;
use iotrace::analysis::conditions::{Range, parse};
use iotrace::analysis::report::{ReportQuery, report};
use iotrace::analysis::subject::Wanted;
use iotrace::{Progress, Session};

/// An I/O or a bio, by its number.
#[derive(Debug, Args)]
pub struct NumberArgs {
    /// Number of an I/O, as printed by report
    #[arg(value_name = "N", value_parser = number, group = "which")]
    pub number: Option<u64>,
    #[arg(long, value_name = "N", value_parser = number, group = "which", hide = true)]
    pub io: Option<u64>,
    /// Number of a bio, as printed by report
    #[arg(long, value_name = "N", value_parser = number, group = "which")]
    pub bio: Option<u64>,
}

impl NumberArgs {
    /// What it is; none if no number is given.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        let io = self.number.or(self.io).map(Wanted::Io);
        io.or(self.bio.map(Wanted::Bio))
    }
}

/// An I/O or a bio; without any of these, the slowest I/O of the workload.
#[derive(Debug, Args)]
#[command(mut_arg("number", |arg| arg.help("Number of an I/O, as printed by report [default: the slowest of the workload]")))]
pub struct SubjectArgs {
    /// By its number.
    #[command(flatten)]
    pub number: NumberArgs,
    /// System call of the workload: write is the first write, write:3 the third
    #[arg(long, value_name = "NAME[:N]", value_parser = nth, group = "which")]
    pub call: Option<(String, usize)>,
    /// Virtual time from call to return: 1ms.., ..200us
    #[arg(long, value_name = "A..B", value_parser = parse::time)]
    pub elapsed: Option<Range>,
    /// Or the first I/O of the workload that fulfils these; if there is none, the first bio.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

impl SubjectArgs {
    fn wanted(&self) -> Option<Wanted> {
        let call = || self.call.as_ref().map(|(name, at)| Wanted::Syscall(name.clone(), *at));
        self.number.wanted().or_else(call)
    }

    /// What it is; none, with a message, if nothing in the trace matches.
    ///
    /// # Errors
    /// If the trace cannot be read.
    pub fn find(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Wanted>> {
        let mut conditions = self.conditions.conditions(None);
        conditions.elapsed = self.elapsed.clone();
        match (self.wanted(), conditions.is_empty()) {
            (Some(wanted), true) => Ok(Some(wanted)),
            (Some(_), false) => {
                invalid(ErrorKind::ArgumentConflict, "a number or --call does not go with conditions")
            }
            (None, true) => slowest(session, progress),
            (None, false) => {
                let query = ReportQuery { conditions: conditions.clone(), rows: 1, ..ReportQuery::default() };
                let report = report(session, &query, progress)?;
                let io = report.ios.first().map(|io| Wanted::Io(io.id));
                let found = io.or(report.bios.first().map(|bio| Wanted::Bio(bio.id)));
                if found.is_none() {
                    view::occurring::complain(&conditions, &report);
                }
                Ok(found)
            }
        }
    }
}

/// The slowest I/O of the workload, and a message that says so.
fn slowest(session: &Session, progress: Progress<'_>) -> Result<Option<Wanted>> {
    let slowest = session.slowest(progress)?.first().copied();
    view::terminal::complain(&match slowest {
        Some(io) => format!("showing the slowest I/O of the workload, #{io}"),
        None => "the workload has no I/O with disk access: specify the number of an I/O".to_owned(),
    });
    Ok(slowest.map(Wanted::Io))
}

/// The message that a trace does not have something.
pub fn complain_missing(wanted: &Wanted) {
    view::terminal::complain(&format!("the trace has no {wanted}"));
}
