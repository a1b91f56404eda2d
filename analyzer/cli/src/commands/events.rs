//! `events`: the events of a trace.

pub mod json;
pub mod text;

use super::conditions::ConditionArgs;
use super::numbers::{event_type, number, stage};
use super::opened::OpenedTrace;
use super::question::{damaged, style};
use super::status::Status;
use super::{Format, ReadArgs, RunCommand, TraceArgs};
use crate::view;
use anyhow::{Context, Result};
use clap::Args;
use iotrace::Session;
use iotrace::analysis::conditions::{Conditions, Range, parse};
use iotrace::analysis::describe::Described;
use iotrace::analysis::events::{Filter, Printed, TraceTimes, events};
use iotrace::analysis::io_events::io_events;
use iotrace::analysis::report::{ReportQuery, report};
use iotrace::model::TimeMap;
use iotrace_format::layer::Layer;
use std::io::Write;

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze events demo.iot --stage rq. --task dd\n  iotrace-analyze events demo.iot --io 236       what I/O #236 did\n  iotrace-analyze events demo.iot --type mmio_write --time 0..1ms"
)]
pub struct EventsCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Show the events of this I/O: its calls, its bios, their completion
    #[arg(long, value_name = "N", value_parser = number)]
    pub io: Option<u64>,
    /// Show functions whose name contains NAME
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Show this stage (bio.queue) or all stages with this prefix (rq.)
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    pub stage: Option<String>,
    /// Show this event type (mmio_write, clock, probe)
    #[arg(long = "type", alias = "kind", value_name = "TYPE", value_parser = event_type)]
    pub event_type: Option<String>,
    /// Show events with these numbers, counted from 1 over the whole trace, as printed by explain
    #[arg(long, value_name = "N|A..B", value_parser = parse::numbers)]
    pub number: Option<Range>,
    /// Maximum number of events to show
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Show events of this layer (block, scsi, driver)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Option<Layer>,
    /// Which are shown.
    #[command(flatten)]
    pub conditions: ConditionArgs,
}

impl EventsCommand {
    fn filter(&self, conditions: Conditions) -> Filter {
        Filter {
            conditions,
            function: self.function.clone(),
            stage: self.stage.clone(),
            kind: self.event_type.clone(),
            number: self.number.clone(),
            limit: self.limit,
        }
    }

    /// Prints; none if the trace does not have the I/O.
    fn print(&self, session: &Session, out: &mut dyn Write) -> Result<Option<Printed>> {
        let TraceTimes { time, marks } = session.times()?;
        let filter = self.filter(self.conditions.conditions(self.layer).settled(time, marks)?);
        match self.common.format {
            Format::Text => self.print_text(session, &filter, time, out),
            Format::Json => {
                let mut stream = json::JsonStream::default();
                let say = |event: &Described<'_>, text: &mut String| {
                    json::put(text, event, time);
                };
                let printed = self.select(session, &filter, &say, &mut |text| stream.write(out, text))?;
                stream.finish(out, printed.as_ref().and_then(|printed| printed.lost.as_deref()))?;
                Ok(printed)
            }
        }
    }

    fn print_text(
        &self,
        session: &Session,
        filter: &Filter,
        time: &TimeMap,
        out: &mut dyn Write,
    ) -> Result<Option<Printed>> {
        let style = style();
        text::write_heads(out, style)?;
        let say = |event: &Described<'_>, text: &mut String| text::put_line(text, event, time, style);
        self.select(session, filter, &say, &mut |text| out.write_all(text.as_bytes()))
    }

    fn select(
        &self,
        session: &Session,
        filter: &Filter,
        say: &(dyn Fn(&Described<'_>, &mut String) + Sync),
        give: &mut dyn FnMut(&str) -> std::io::Result<()>,
    ) -> Result<Option<Printed>> {
        // No progress: the events themselves are on the terminal.
        let mut quiet = |_| {};
        match self.io {
            Some(io) => Ok(io_events(session, io, filter, &mut quiet, say, give)?),
            None => Ok(Some(events(session, filter, &mut quiet, say, give)?)),
        }
    }

    /// Nothing was printed: says which tasks, files and system calls there are.
    fn complain(&self, session: &Session) -> Result<()> {
        let conditions = self.conditions.conditions(None);
        let query = ReportQuery { conditions: conditions.clone(), rows: 0, ..ReportQuery::default() };
        view::occurring::complain(&conditions, &report(session, &query, &mut |_| {})?);
        Ok(())
    }
}

impl RunCommand for EventsCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let trace = &self.common.trace;
        let session = OpenedTrace::open(trace, reading)?;
        let mut out = view::terminal::output(self.common.format.into());
        let printed =
            self.print(&session, &mut out).with_context(|| format!("reading {}", trace.display()))?;
        out.flush()?;
        session.complain();
        let Some(Printed { events, lost }) = printed else {
            view::terminal::complain(&format!("the trace has no I/O #{}", self.io.unwrap_or(0)));
            return Ok(Status::Error);
        };
        let names = &self.conditions;
        let is_named = names.task.is_some() || names.file.is_some() || names.syscall.is_some();
        if events == 0 && is_named {
            self.complain(&session)?;
            return Ok(lost.map_or(Status::Error, |lost| damaged(trace, &lost)));
        }
        Ok(lost.map_or(Status::Success, |lost| damaged(trace, &lost)))
    }
}
