//! Joins the parts: opens the trace, asks, prints.

use super::args::{
    BioArgs, Command, CommandLine, DiffArgs, DiffFormat, EventsArgs, ExplainArgs, Format, InfoArgs,
    KernelArgs, PathArgs, ReadArgs, ReportArgs, SubjectArgs, TraceArgs, WhatIfArgs, WhyArgs, WitnessArgs,
};
use super::files;
use super::opened::Opened;
use super::{CUT, PASSED};
use crate::view;
use crate::view::report::{CellTime, TimeUnit};
use crate::view::text::Style;
use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressStyle};
use iotrace::Session;
use iotrace::analysis::describe::Described;
use iotrace::analysis::subject::{self, Wanted};
use iotrace::analysis::{
    coverage, diff, events, explain, info, path, report, timeline, whatif, why, witness,
};
use iotrace_catalog::Catalog;
use iotrace_profile::Sources;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Bytes under which nobody sees a progress bar.
const QUICK: usize = 8 << 20;

/// Does what was asked.
///
/// # Errors
/// What went wrong, with the file it went wrong with.
pub fn run(args: &CommandLine) -> Result<ExitCode> {
    let reading = args.reading;
    match &args.command {
        Command::Report(args) => report(reading, args),
        Command::Bio(args) => bio(reading, args),
        Command::Path(args) => path(reading, args),
        Command::Why(args) => why(reading, args),
        Command::WhatIf(args) => whatif(reading, args),
        Command::Explain(args) => explain(reading, args),
        Command::Diff(args) => diff(reading, args),
        Command::Events(args) => events(reading, args),
        Command::Info(args) => info(reading, args),
        Command::Verify(args) => files::verify(reading, args),
        Command::Recover(args) => files::recover(reading, args),
        Command::Slice(args) => files::slice(reading, args),
        Command::Cat(args) => files::cat(reading, args),
        Command::Witness(args) => witness(reading, args),
        Command::Kernel(args) => kernel(args),
    }
}

pub(super) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

pub(super) fn style() -> Style {
    view::terminal::style()
}

/// A bar on the terminal, for files that take a while; hidden otherwise.
pub(super) fn bar(file: &Session, trace: &Path) -> ProgressBar {
    let length = file.bytes().len();
    if length < QUICK || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length as u64).with_message(trace.display().to_string());
    let template = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The code for a trace of which something may be missing, and a message if it is.
fn ended(common: &TraceArgs, cut: Option<&str>) -> ExitCode {
    let Some(cut) = cut else { return ExitCode::SUCCESS };
    view::terminal::complain(&format!("{} {cut}; the rest is printed", common.trace.display()));
    ExitCode::from(CUT)
}

fn reading_of(common: &TraceArgs) -> String {
    format!("reading {}", common.trace.display())
}

fn report(reading: ReadArgs, args: &ReportArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let report = report::report(&file, &args.question(), &mut |at| bar.set_position(at as u64))
        .with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    let options = view::report::Options {
        style: style(),
        times: if args.delta { CellTime::Delta } else { CellTime::SinceQueued },
        unit: if args.instructions { TimeUnit::Instructions } else { TimeUnit::Ns },
        summary: args.summary,
    };
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::report::write_text(&mut out, &report, options)?,
        Format::Json => view::report::write_json(&mut out, &report)?,
    }
    out.flush()?;
    Ok(ended(&args.common, report.cut.as_deref()))
}

fn bio(reading: ReadArgs, args: &BioArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let found = timeline::timeline(&file, args.id, &mut |at| bar.set_position(at as u64))
        .with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    let Some(timeline) = found else {
        bail!("{} has no bio #{}", args.common.trace.display(), args.id);
    };
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::bio::write_text(&mut out, &timeline, style())?,
        Format::Json => view::bio::write_json(&mut out, &timeline)?,
    }
    out.flush()?;
    Ok(ended(&args.common, timeline.cut.as_deref()))
}

fn path(reading: ReadArgs, args: &PathArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let wanted = wanted(&file, &args.subject).with_context(|| reading_of(&args.common))?;
    let found = path::path(&file, &wanted, &mut |at| bar.set_position(at as u64))
        .with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    let Some(path) = found else { bail!("{} has no {}", args.common.trace.display(), wanted) };
    let mut out = stdout();
    match args.common.format {
        Format::Text => {
            let options = view::path::PathOptions { style: style(), source: args.source };
            view::path::write_text(&mut out, &path, &args.shape(), options)?;
        }
        Format::Json => view::path::write_json(&mut out, &path, &args.shape())?,
    }
    out.flush()?;
    Ok(ended(&args.common, path.subject.cut.as_deref()))
}

fn why(reading: ReadArgs, args: &WhyArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let wanted = wanted(&file, &args.subject).with_context(|| reading_of(&args.common))?;
    let why = why::why(&file, &wanted, &mut |at| bar.set_position(at as u64))
        .with_context(|| format!("{}, {}", reading_of(&args.common), wanted))?;
    bar.finish_and_clear();
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::why::write_text(&mut out, &why, style())?,
        Format::Json => view::why::write_json(&mut out, &why)?,
    }
    out.flush()?;
    Ok(ended(&args.common, why.subject.cut.as_deref()))
}

fn whatif(reading: ReadArgs, args: &WhatIfArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let whatif = whatif::whatif(&file, &args.question(), &mut |at| bar.set_position(at as u64))
        .with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::whatif::write_text(&mut out, &whatif, style())?,
        Format::Json => view::whatif::write_json(&mut out, &whatif)?,
    }
    out.flush()?;
    Ok(ended(&args.common, whatif.cut.as_deref()))
}

fn diff(reading: ReadArgs, args: &DiffArgs) -> Result<ExitCode> {
    let limits = limits(args)?;
    let (a, b) = (traces(&args.a)?, traces(&args.b)?);
    if a.len() != b.len() {
        let [a_path, b_path] = [&args.a, &args.b].map(|path| path.display());
        bail!("{a_path} has {} traces, {b_path} has {}: the numbers must be equal", a.len(), b.len());
    }
    let (a, b) = std::thread::scope(|scope| {
        let b = scope.spawn(|| gathered(reading, &b));
        (gathered(reading, &a), b.join())
    });
    let b = b.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let called = [&args.a, &args.b].map(|path| path.display().to_string());
    let diff = diff::compare(a?.into_iter().zip(b?).collect(), [&called[0], &called[1]]);
    let mut out = stdout();
    match args.format {
        DiffFormat::Text => view::diff::write_text(&mut out, &diff, args.all, style())?,
        DiffFormat::Json => view::diff::write_json(&mut out, &diff)?,
        DiffFormat::Markdown => view::diff::write_markdown(&mut out, &diff, args.all)?,
        DiffFormat::Html => view::diff_html::write(&mut out, &diff, args.all)?,
    }
    out.flush()?;
    Ok(judged(&diff, &limits))
}

/// What each trace's I/Os did.
fn gathered(reading: ReadArgs, traces: &[PathBuf]) -> Result<Vec<diff::Run>> {
    let gather = |path: &PathBuf| {
        let file = Opened::open(path, reading)?;
        diff::gather(&file, &mut |_| {}).with_context(|| format!("reading {}", path.display()))
    };
    traces.iter().map(gather).collect()
}

/// The code of a comparison: a limit that was passed counts before a trace that was cut, since what was lost does
/// not undo it; where none was passed, what was lost might have.
fn judged(diff: &diff::Diff, limits: &[diff::Limit]) -> ExitCode {
    for cut in &diff.cut {
        view::terminal::complain(&format!("{cut}; the rest is compared"));
    }
    let passed: Vec<_> = limits.iter().filter_map(|limit| limit.passed(diff)).collect();
    for diff::Passed { limit, found } in &passed {
        view::terminal::complain(&format!("{limit}: {found}"));
    }
    match (passed.is_empty(), diff.cut.is_empty()) {
        (false, _) => ExitCode::from(PASSED),
        (true, false) => ExitCode::from(CUT),
        (true, true) => ExitCode::SUCCESS,
    }
}

/// The limits that were given, on the command line and in a budget.
fn limits(args: &DiffArgs) -> Result<Vec<diff::Limit>> {
    let mut limits = args.fail_on.clone();
    if let Some(path) = &args.budget {
        let reading = || format!("reading budget {}", path.display());
        let text = std::fs::read_to_string(path).with_context(reading)?;
        limits.extend(diff::Limit::budget(&text).with_context(reading)?);
    }
    Ok(limits)
}

/// A trace, or the traces (`*.iot`) in a folder, by name.
fn traces(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let reading = || format!("reading directory {}", path.display());
    let entries = std::fs::read_dir(path).with_context(reading)?;
    let files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut files = files.with_context(reading)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "iot"));
    files.sort();
    if files.is_empty() {
        bail!("directory {} has no traces (*.iot)", path.display());
    }
    Ok(files)
}

fn explain(reading: ReadArgs, args: &ExplainArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let bar = bar(&file, &args.common.trace);
    let explanation = explain::explain(&file, &mut |at| bar.set_position(at as u64))
        .with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::explain::write_text(&mut out, &explanation, style())?,
        Format::Json => view::explain::write_json(&mut out, &explanation)?,
    }
    out.flush()?;
    Ok(ended(&args.common, explanation.cut.as_deref()))
}

/// What is asked about, by number or by conditions.
fn wanted(file: &Session, args: &SubjectArgs) -> Result<Wanted> {
    let conditions = args.conditions.conditions(None);
    match (args.wanted(), conditions.is_empty()) {
        (Some(wanted), true) => Ok(wanted),
        (Some(_), false) => {
            let text = "--io, --bio and --call cannot be used with conditions\n";
            clap::Error::raw(ErrorKind::ArgumentConflict, text).exit()
        }
        (None, true) => {
            let text = "missing selection: --io N, --bio N, --call NAME[:N] or conditions such as --fd N\n";
            clap::Error::raw(ErrorKind::MissingRequiredArgument, text).exit()
        }
        (None, false) => {
            let first = subject::first(file, &conditions, &mut |_| {})?;
            first.context("no I/O or bio of the workload matches the conditions")
        }
    }
}

fn events(reading: ReadArgs, args: &EventsArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let events::TraceTimes { time, marks } = file.times().with_context(|| reading_of(&args.common))?;
    let conditions = args.conditions.conditions(args.layer).settled(time, marks)?;
    let (mut out, style, filter) = (stdout(), style(), args.filter(conditions));
    // No bar: the events themselves are on the terminal.
    let mut quiet = |_| {};
    let finished = match args.common.format {
        Format::Text => {
            view::events::write_heads(&mut out, style)?;
            let say =
                |event: &Described<'_>, text: &mut String| view::events::put_line(text, event, time, style);
            events::events(&file, &filter, &mut quiet, &say, &mut |text| out.write_all(text.as_bytes()))
                .with_context(|| reading_of(&args.common))?
        }
        Format::Json => {
            let mut stream = view::events::JsonStream::default();
            let say = |event: &Described<'_>, text: &mut String| view::events::put_json(text, event, time);
            let finished =
                events::events(&file, &filter, &mut quiet, &say, &mut |text| stream.write(&mut out, text))
                    .with_context(|| reading_of(&args.common))?;
            stream.finish(&mut out, finished.lost().as_deref())?;
            finished
        }
    };
    out.flush()?;
    Ok(ended(&args.common, finished.lost().as_deref()))
}

fn info(reading: ReadArgs, args: &InfoArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let (mut out, text) = (stdout(), args.common.format == Format::Text);
    let beginning = info::beginning(&file).with_context(|| reading_of(&args.common))?.filter(|_| text);
    if let Some(beginning) = &beginning {
        view::info::write_beginning(&mut out, beginning, style())?;
        out.flush()?;
    }
    let bar = bar(&file, &args.common.trace);
    let info =
        info::info(&file, &mut |at| bar.set_position(at as u64)).with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    match args.common.format {
        Format::Text if beginning.is_some() => view::info::write_rest(&mut out, &info, style())?,
        Format::Text => {
            view::info::write_beginning(&mut out, &info, style())?;
            view::info::write_rest(&mut out, &info, style())?;
        }
        Format::Json => view::info::write_json(&mut out, &info)?,
    }
    out.flush()?;
    Ok(ended(&args.common, info.cut.as_deref()))
}

fn witness(reading: ReadArgs, args: &WitnessArgs) -> Result<ExitCode> {
    let file = Opened::open(&args.common.trace, reading)?;
    let path = args.witness.display();
    let text = std::fs::read(&args.witness).with_context(|| format!("reading {path}"))?;
    let said = witness::parse(&String::from_utf8_lossy(&text)).with_context(|| format!("reading {path}"))?;
    let bar = bar(&file, &args.common.trace);
    let comparison = witness::compare(&file, &said, &mut |at| bar.set_position(at as u64))
        .with_context(|| reading_of(&args.common))?;
    bar.finish_and_clear();
    let mut out = stdout();
    match args.common.format {
        Format::Text => view::witness::write_text(&mut out, &comparison, style())?,
        Format::Json => view::witness::write_json(&mut out, &comparison)?,
    }
    out.flush()?;
    if !comparison.is_equal() {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ended(&args.common, comparison.cut.as_deref()))
}

fn kernel(args: &KernelArgs) -> Result<ExitCode> {
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    let files = args.catalog.iter().map(read).collect::<Result<Vec<_>>>()?;
    let sources = Sources {
        vmlinux: args.vmlinux.clone(),
        modules: args.modules.clone(),
        debug: args.debug.clone(),
        lines: true,
    };
    let what = || format!("matching the catalog against {}", args.vmlinux.display());
    let catalog = Catalog::load(&files, sources.arch().with_context(what)?)?;
    let profile = iotrace_profile::compile(&catalog, &sources).with_context(what)?;
    if let Some(path) = &args.output {
        profile.write(path)?;
    }
    let coverage = coverage::coverage(&profile);
    let mut out = stdout();
    match args.format {
        Format::Text => view::kernel::write_text(&mut out, &coverage, style())?,
        Format::Json => view::kernel::write_json(&mut out, &coverage)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
