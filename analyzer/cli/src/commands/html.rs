//! `html`: a trace as one page that needs nothing but a browser.
//!
//! In: one pass over the trace, then the ways of the slowest I/Os. Out: the page. Its data is JSON in columns, compressed
//! (gzip) and in base64; the script (`html/script.js`) draws it, and only sets text.

mod collect;
mod data;
#[cfg(test)]
mod tests;
mod ways;

use super::conditions::SelectionArgs;
use super::export::output::ExportTarget;
use super::opened::{OpenedTrace, complain_same};
use super::question::{bar, damaged};
use super::status::Status;
use super::{ReadArgs, RunCommand};
use crate::view;
use crate::view::html::begin;
use crate::view::plain::Controls;
use anyhow::{Context, Result};
#[cfg(test)]
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use clap::Args;
use collect::PageCollector;
use data::PageData;
use flate2::Compression;
use flate2::write::GzEncoder;
use iotrace::analysis::records::{RecordQuery, records};
use iotrace::{Progress, Session};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
const BODY: &str = include_str!("html/body.html");

/// Arguments of `html`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iotrace-analyze html demo.iot -o demo.html\n  iotrace-analyze html demo.iot --syscall fsync --paths 100 -o fsync.html"
)]
pub struct HtmlCommand {
    /// Trace file
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Page to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Include the calls and the critical path of the N slowest I/Os, by guest time
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub paths: usize,
    /// Maximum number of I/Os, and of bios, in the page
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub limit: usize,
    /// What is shown.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

impl RunCommand for HtmlCommand {
    fn run(&self, reading: ReadArgs) -> Result<Status> {
        let session = OpenedTrace::open(&self.trace, reading)?;
        if let Some(output) = &self.output {
            complain_same(&self.trace, output)?;
        }
        let query = self.selection.query();
        let mut out = ExportTarget::new(self.output.as_deref()).text(Controls::Replaced)?;
        let bar = bar(&session, &self.trace);
        let limits = PageLimits { rows: self.limit, paths: self.paths };
        let (data, lost) = gathered(&session, &query, limits, &mut |at| bar.set_position(at as u64))
            .with_context(|| format!("reading {}", self.trace.display()))?;
        bar.finish_and_clear();
        session.complain();
        let name = self.trace.file_name().map(Path::new).unwrap_or(&self.trace);
        write(&mut out, &name.display().to_string(), &data).context("cannot write the page")?;
        out.close()?;
        if data.is_empty() {
            view::terminal::complain("nothing matches");
        }
        Ok(match lost {
            Some(lost) => damaged(&self.trace, &lost),
            None if data.is_empty() => Status::Error,
            None => Status::Success,
        })
    }
}

/// How much a page has.
#[derive(Debug, Clone, Copy)]
struct PageLimits {
    rows: usize,
    paths: usize,
}

/// What the page shows, and what could not be read.
fn gathered(
    session: &Session,
    query: &RecordQuery,
    limits: PageLimits,
    progress: Progress<'_>,
) -> Result<(PageData, Option<String>)> {
    let mut collector = PageCollector::new(limits.rows);
    let end = records(session, query, &mut collector, progress)?;
    let mut data = collector.into_data(&session.times()?.time, query.all, &end);
    for io in data.slowest(limits.paths) {
        let way = ways::way(session, io, &mut data)?;
        data.ways.extend(way);
    }
    Ok((data, end.lost))
}

/// The page.
fn write(out: &mut dyn Write, name: &str, data: &PageData) -> io::Result<()> {
    begin(out, &format!("{name}: I/O trace"), STYLE)?;
    out.write_all(BODY.as_bytes())?;
    write!(out, "<script type=\"application/octet-stream\" id=\"data\">")?;
    let mut packed = GzEncoder::new(EncoderWriter::new(&mut *out, &STANDARD), Compression::best());
    serde_json::to_writer(&mut packed, data)?;
    packed.finish()?.finish()?;
    writeln!(out, "</script>\n<script type=\"module\">\n{SCRIPT}</script>\n</body>\n</html>")
}

/// The data of a page that was written.
#[cfg(test)]
fn data_of(page: &str) -> serde_json::Value {
    use std::io::Read;
    let (_, after) = page.split_once("id=\"data\">").unwrap();
    let packed = STANDARD.decode(after.split_once('<').unwrap().0).unwrap();
    let mut json = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}
