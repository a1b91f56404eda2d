//! `path`: the calls of an I/O or a bio.

pub mod json;
pub mod text;

use super::TraceArgs;
use super::question::Question;
use super::subject::{SubjectArgs, complain_missing};
use crate::view::text::Style;
use anyhow::Result;
use clap::Args;
use iotrace::analysis::conditions::parse;
use iotrace::analysis::path::{self, ListingShape, path};
use iotrace::{Progress, Session};
use iotrace_format::layer::Layer;
use std::io::{self, Write};
use text::PathOptions;

/// Arguments of `path`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze path demo.iot               the slowest I/O\n  iotrace-analyze path demo.iot 210           I/O #210 of report\n  iotrace-analyze path demo.iot --bio 58 --depth 4\n  iotrace-analyze path demo.iot --fd 3 --size 4k.."
)]
pub struct PathCommand {
    /// Trace and format.
    #[command(flatten)]
    pub common: TraceArgs,
    /// Maximum depth of calls to show
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Show functions of this layer only (may be repeated)
    #[arg(long, value_name = "LAYER", value_parser = parse::layer)]
    pub layer: Vec<Layer>,
    /// Hide the callees of this function (may be repeated)
    #[arg(long, value_name = "FUNCTION")]
    pub collapse: Vec<String>,
    /// Show repeated calls separately
    #[arg(long)]
    pub unfolded: bool,
    /// Print the source file and line of each call, and those of its call site
    #[arg(long)]
    pub source: bool,
    /// The I/O or bio.
    #[command(flatten)]
    pub subject: SubjectArgs,
}

impl PathCommand {
    fn shape(&self) -> ListingShape {
        ListingShape {
            depth: self.depth,
            layers: self.layer.clone(),
            collapse: self.collapse.clone(),
            unfolded: self.unfolded,
        }
    }
}

impl Question for PathCommand {
    type Answer = path::Path;

    fn trace(&self) -> &TraceArgs {
        &self.common
    }

    fn ask(&self, session: &Session, progress: Progress<'_>) -> Result<Option<Self::Answer>> {
        let Some(wanted) = self.subject.find(session, progress)? else { return Ok(None) };
        let found = path(session, &wanted, progress)?;
        if found.is_none() {
            complain_missing(&wanted);
        }
        Ok(found)
    }

    fn text(&self, out: &mut dyn Write, answer: &Self::Answer, style: Style) -> io::Result<()> {
        let options = PathOptions { style, source: self.source || style.width.is_none() };
        text::write_text(out, answer, &self.shape(), options)
    }

    fn json(&self, out: &mut dyn Write, answer: &Self::Answer) -> io::Result<()> {
        json::write(out, answer, &self.shape())
    }

    fn lost(&self, answer: &Self::Answer) -> Option<String> {
        answer.subject.cut.clone()
    }
}
