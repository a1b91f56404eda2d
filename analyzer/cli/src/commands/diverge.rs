//! `diverge`: the first event in which two traces of one recording differ.

pub mod json;
pub mod text;

use super::opened::OpenedTrace;
use super::question::{bar, damaged, style};
use super::status::Status;
use super::{Format, ReadArgs, RunCommand};
use crate::view;
use anyhow::{Context, Result};
use clap::Args;
use iotrace::analysis::describe::Described;
use iotrace::analysis::divergence::{ComparedTypes, Divergence, EventPlace, divergence};
use iotrace::analysis::events::{Filter, events};
use std::io::Write;
use std::path::PathBuf;

/// Most events that are shown before and after the difference.
const MOST_AROUND: u64 = 1000;

/// Arguments of `diverge`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  iotrace-analyze diverge recording/trace.iot second.iot")]
pub struct DivergeCommand {
    /// First trace
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Second trace, of another replay of the same recording
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Events to show before and after the difference
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=MOST_AROUND))]
    pub around: u64,
    /// Compare only the events of probes that both traces have, with the same fields
    #[arg(long)]
    pub common_probes: bool,
}

impl DivergeCommand {
    fn paths(&self) -> [&PathBuf; 2] {
        [&self.a, &self.b]
    }

    /// The events around the first difference, each as `say` puts it.
    fn windows(
        &self,
        traces: &[OpenedTrace; 2],
        found: &Divergence,
        say: &(dyn Fn(usize, &Described<'_>, &mut String) + Sync),
    ) -> Result<Windows> {
        let mut windows = Windows::default();
        let Some(first) = &found.first else { return Ok(windows) };
        for (side, (trace, place)) in traces.iter().zip(first.at).enumerate() {
            let show = |from: u64, to: u64| -> Result<String> {
                let filter = Filter { number: Some(from..=to), ..Filter::default() };
                let mut text = String::new();
                let mut put = |part: &str| {
                    text.push_str(part);
                    Ok(())
                };
                let say = |event: &Described<'_>, text: &mut String| say(side, event, text);
                events(trace, &filter, &mut |_| {}, &say, &mut put)
                    .with_context(|| format!("reading {}", self.paths()[side].display()))?;
                Ok(text)
            };
            let Some(EventPlace { number, .. }) = place else { continue };
            if windows.before.is_none() && number > 1 {
                windows.before = Some(show(number.saturating_sub(self.around).max(1), number - 1)?);
            }
            windows.from[side] = show(number, number.saturating_add(self.around))?;
        }
        Ok(windows)
    }
}

/// Events around the first difference, as they are printed.
#[derive(Debug, Default)]
pub struct Windows {
    /// Those before it, of the first trace that has the event; none if there are none.
    pub before: Option<String>,
    /// It and those after it, of each trace; empty for a trace that has ended.
    pub from: [String; 2],
}

impl RunCommand for DivergeCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let paths = self.paths();
        let traces = [OpenedTrace::open(&self.a, reading)?, OpenedTrace::open(&self.b, reading)?];
        let bar = bar(&traces[0], &self.a);
        let compared = if self.common_probes { ComparedTypes::Common } else { ComparedTypes::All };
        let both: [&iotrace::reader::Trace; 2] = [&traces[0], &traces[1]];
        let found = divergence(both, compared, &mut |at| bar.set_position(at as u64));
        bar.finish_and_clear();
        let found = found.map_err(|(trace, error)| {
            anyhow::Error::from(error).context(format!("reading {}", paths[trace].display()))
        })?;
        let names = paths.map(|path| path.display().to_string());
        let mut out = view::terminal::output(self.format.into());
        let times = [traces[0].times()?, traces[1].times()?];
        match self.format {
            Format::Text => {
                let style = style();
                let windows = self.windows(&traces, &found, &|side, event, text| {
                    super::events::text::put_line(text, event, &times[side].time, style);
                })?;
                text::write_text(&mut out, [&names[0], &names[1]], &found, &windows, style)?;
            }
            Format::Json => {
                let windows = self.windows(&traces, &found, &|side, event, text| {
                    super::events::json::put(text, event, &times[side].time);
                })?;
                json::write(&mut out, &found, &windows)?;
            }
        }
        out.flush()?;
        Ok(status(&paths, &found))
    }
}

/// A difference is one, whatever else could not be read; traces that are the same as far as they can be read may differ
/// in the rest.
fn status(paths: &[&PathBuf; 2], found: &Divergence) -> Status {
    let lost = paths.iter().zip(&found.lost).filter_map(|(path, lost)| Some((path, lost.as_deref()?)));
    let statuses: Vec<_> = lost.map(|(path, lost)| damaged(path, lost)).collect();
    match (&found.first, statuses.first()) {
        (Some(_), _) => Status::Different,
        (None, Some(damaged)) => *damaged,
        (None, None) => Status::Success,
    }
}
