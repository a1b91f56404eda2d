//! Trace metadata: header, sizes, marks, modules, event types.

use crate::view::json;
use crate::view::table::{Align, Table};
use crate::view::text::{self, Style};
use crate::view::wrap::{self, WrapWriter};
use iotrace::analysis::info::Info;
use iotrace_format::event::ShutdownReason;
use rustc_hash::FxHashMap;
use std::io::{self, Write};

/// As text: what [`iotrace::analysis::info::beginning`] tells.
///
/// # Errors
/// Those of `out`.
pub fn write_beginning(out: &mut dyn Write, info: &Info, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    trace(out, info, style)?;
    contents(out, info, style)
}

/// As text: the rest.
///
/// # Errors
/// Those of `out`.
pub fn write_rest(out: &mut dyn Write, info: &Info, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = &mut WrapWriter::new(out, style);
    life(out, info, style)?;
    kinds(out, info, style)?;
    text::warnings(out, style, &info.warnings)
}

fn trace(out: &mut dyn Write, info: &Info, style: Style) -> io::Result<()> {
    let trace = &info.definitions.trace;
    writeln!(out, "{}", style.heading("Trace"))?;
    let mut line = |key: &str, value: &str| {
        wrap::write(out, &format!("  {:<12} ", text::plain(key)), &text::plain(value), style)
    };
    line("writer", &trace.writer)?;
    line("kernel", &trace.banner)?;
    line("build-id", &json::build_id(&info.definitions))?;
    line("slide", &format!("{:#x}", trace.slide))?;
    line("QEMU", &format!("{}, plugin API {}, {} vCPU", trace.target, trace.plugin_api, trace.vcpus))?;
    line("icount", &trace.icount_shift.map_or("none".into(), |shift| format!("shift={shift}")))?;
    trace.notes.iter().try_for_each(|(key, value)| line(key, value))
}

fn contents(out: &mut dyn Write, info: &Info, style: Style) -> io::Result<()> {
    let (census, definitions) = (&info.census, &info.definitions);
    let totals = &census.totals;
    writeln!(out, "\n{}", style.heading("File"))?;
    writeln!(
        out,
        "  {} in {} event blocks and {} definition blocks",
        text::bytes(census.file),
        totals.event_chunks,
        totals.definition_chunks
    )?;
    let per = |bytes: u64| bytes as f64 / totals.events.max(1) as f64;
    writeln!(
        out,
        "  {} events, {:.2} bytes each ({:.1} decoded)",
        text::grouped(totals.events),
        per(totals.stored),
        per(totals.unpacked)
    )?;
    writeln!(
        out,
        "  defined: {} probes, {} modules, {} devices, {} symbols, {} constants",
        definitions.probes.len(),
        definitions.modules.len(),
        definitions.devices.len(),
        definitions.symbols.len(),
        definitions.constants.len()
    )?;
    let end = info.cut.as_deref().map_or("complete".into(), |cut| style.alarm(cut).to_string());
    writeln!(out, "  {end}")
}

fn life(out: &mut dyn Write, info: &Info, style: Style) -> io::Result<()> {
    let (first, last) = (info.census.totals.first_clock, info.census.totals.last_clock);
    writeln!(out, "\n{}", style.heading("Guest"))?;
    writeln!(out, "  instructions {} to {}", text::grouped(first), text::grouped(last))?;
    if let Some(ns) = info.time.between(first, last) {
        let lasted = text::time_cell(&info.time, text::duration)(ns);
        writeln!(out, "  virtual time {lasted}, halted {} times", text::grouped(info.halts))?;
    }
    let (times, most) = info.corrections;
    if times > 0 {
        writeln!(out, "  instruction count resynchronized {times} times (max drift {most})")?;
    }
    for mark in &info.marks {
        let name = mark_name(mark.code);
        writeln!(out, "  {:>13}  mark {name}", text::grouped(mark.clock))?;
    }
    let mut modules = FxHashMap::default();
    info.definitions
        .modules
        .iter()
        .for_each(|module| _ = modules.entry(u64::from(module.id)).or_insert(module));
    for (clock, number, came) in &info.modules {
        let module = modules.get(number);
        let name = module.map_or_else(|| format!("{number}"), |m| text::plain(&m.name));
        let probes = module.map_or(0, |m| m.probes);
        let what = if *came { "load" } else { "unload" };
        writeln!(out, "  {:>13}  module {what}: {name} ({probes} probes)", text::grouped(*clock))?;
    }
    match info.shutdown {
        Some((clock, reason)) => {
            let reason = reason.map_or("shutdown", ShutdownReason::name);
            writeln!(out, "  {:>13}  {reason}", text::grouped(clock))
        }
        None => writeln!(out, "  no shutdown in the trace"),
    }
}

pub(super) fn mark_name(code: u64) -> String {
    match code {
        iotrace_format::event::MARK_BEGIN => "begin".into(),
        iotrace_format::event::MARK_END => "end".into(),
        code => code.to_string(),
    }
}

fn kinds(out: &mut dyn Write, info: &Info, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading("Events"))?;
    let heads = [
        ("count", Align::Right),
        ("event", Align::Left),
        ("stage", Align::Left),
        ("layer", Align::Left),
        ("where", Align::Left),
    ];
    let mut table = Table::new(heads).dropping(["layer", "stage", "where"]);
    for (kind, count) in &info.census.kinds {
        let probe = info.definitions.probes.get(kind);
        let place = probe.map_or(String::new(), |p| {
            let source = if p.file.is_empty() { String::new() } else { format!(" {}:{}", p.file, p.line) };
            format!("{}{source}", p.module.as_deref().unwrap_or("kernel"))
        });
        table.row([
            text::grouped(*count),
            text::plain(&info.definitions.kind_name(*kind)),
            probe.map(|p| text::plain(&p.stage_name())).unwrap_or_default(),
            probe.map_or("", |p| p.layer.name()).to_owned(),
            text::plain(&place),
        ]);
    }
    table.write(out, style, "  ")
}
