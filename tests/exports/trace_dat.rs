//! trace-cmd reads trace.dat: as many events of each type as the other views have, and the calls of `path`, nested as there
//! and as long as there.

use super::{exported, for_each_row, rows, traces};
use iotrace_tests::json;
use iotrace_tests::readers::{proved, read_by};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A line of `trace-cmd report`.
struct ReportLine<'a> {
    pid: u32,
    at: u64,
    event: &'a str,
    fields: &'a str,
}

/// `    dd-42    [000]    26.368982804: block_getrq:   8,0 WS 88 + 8 [dd]`
fn report_line(line: &str) -> Option<ReportLine<'_>> {
    let (task, rest) = line.split_once('[')?;
    let (at, rest) = rest.split_once(']')?.1.trim_start().split_once(": ")?;
    let (event, fields) = rest.split_once(':')?;
    let pid = task.trim_end().rsplit_once('-')?.1.parse().ok()?;
    Some(ReportLine { pid, at: at.replace('.', "").parse().ok()?, event, fields: fields.trim() })
}

/// A field of an event that is printed as it is: `depth=3`.
fn field<'a>(fields: &'a str, name: &str) -> &'a str {
    let mut all = fields.split(' ').filter_map(|field| field.split_once('='));
    all.find(|(field, _)| *field == name).unwrap_or_else(|| panic!("no {name} in {fields}")).1
}

fn hexadecimal(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a hexadecimal number")
}

/// What `trace-cmd report` prints of a file.
fn reported(file: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("trace-cmd");
    read_by("trace-dat", "trace-cmd", command.args(["report", "-t"]).args(arguments).arg("-i").arg(file))
}

#[test]
fn exports_as_trace_dat_are_read_by_trace_cmd() {
    for (name, trace) in traces() {
        let file = exported(&trace, name, "trace-dat", &[]);
        let Some(raw) = reported(&file, &["-R"]) else { return };
        let lines: Vec<_> = raw.lines().filter_map(report_line).collect();
        assert_eq!(lines.len() + 1, raw.lines().count(), "besides the number of CPUs there are only events");
        assert!(lines.is_sorted_by_key(|line| line.at), "{name}");
        let names = counts(&lines, &trace, name);
        calls_of_path(&lines, &names, &trace, name);
        let drawn = reported(&file, &[]).expect("it is there");
        assert!(drawn.contains(" us  |  ") && drawn.contains("() {"), "{drawn:.2000}");
        proved("trace-dat", "trace-cmd");
    }
}

/// This kernel's own names of functions, by those of the catalog.
type OwnNames = BTreeMap<String, Vec<String>>;

/// Events by type, and calls by function, are as many as elsewhere.
fn counts(lines: &[ReportLine<'_>], trace: &Path, name: &str) -> OwnNames {
    let mut found = BTreeMap::<String, u64>::new();
    for line in lines {
        *found.entry(line.event.to_owned()).or_default() += 1;
        if line.event == "funcgraph_entry" {
            *found.entry(format!("{}()", field(line.fields, "func"))).or_default() += 1;
        }
    }
    let mut ours = BTreeMap::<String, u64>::new();
    for row in rows(trace, name, "block-events") {
        *ours.entry(text(&row["tracepoint"]).to_owned()).or_default() += 1;
    }
    for row in rows(trace, name, "events") {
        let event = match (text(&row["stage"]), text(&row["at"])) {
            ("irq.handler", "entry") => "irq_handler_entry",
            ("irq.handler", "exit") => "irq_handler_exit",
            ("softirq.raise", _) => "softirq_raise",
            ("task.switch", "entry") => "sched_switch",
            (stage, "entry") if stage.starts_with("softirq.") && stage != "softirq.run" => "softirq_entry",
            _ => continue,
        };
        *ours.entry(event.to_owned()).or_default() += 1;
    }
    assert!(ours.len() > 9, "{ours:?}");
    for (event, count) in &ours {
        assert_eq!(found.get(event), Some(count), "{name}: {event}");
    }
    let functions = json(trace, &["summary", "--by", "function"]);
    let (mut names, mut calls) = (OwnNames::new(), BTreeMap::<&str, u64>::new());
    for row in functions["tables"][0]["rows"].as_array().expect("a list") {
        // `generic_make_request [submit_bio_noacct]`
        let title = text(&row["name"]);
        let (own, catalogs) =
            title.strip_suffix(']').and_then(|title| title.split_once(" [")).unwrap_or((title, title));
        names.entry(catalogs.to_owned()).or_default().push(own.to_owned());
        *calls.entry(own).or_default() += row["count"].as_u64().expect("a number");
    }
    for (function, count) in calls.into_iter().filter(|(_, count)| *count > 0) {
        assert_eq!(found.get(&format!("{function}()")), Some(&count), "{name}: {function}");
    }
    names
}

/// A call as both have it: function, begin, end.
type GraphCall = (String, u64, u64);

/// How deep each call of each task is in the graph.
fn depths(lines: &[ReportLine<'_>]) -> BTreeMap<u64, BTreeMap<GraphCall, u64>> {
    let mut depths = BTreeMap::<u64, BTreeMap<GraphCall, u64>>::new();
    for line in lines.iter().filter(|line| line.event == "funcgraph_exit") {
        let [begin, end] = ["calltime", "rettime"].map(|name| hexadecimal(field(line.fields, name)));
        assert_eq!(line.at, end, "an exit is at its end");
        let call = (field(line.fields, "func").to_owned(), begin, end);
        let depth = field(line.fields, "depth").parse().expect("a number");
        depths.entry(line.pid.into()).or_default().insert(call, depth);
    }
    depths
}

/// A context in the listing of `path`.
#[derive(Default)]
struct Listed {
    /// How deep its outermost call is in the graph; none if that has not ended.
    outermost: Option<u64>,
    /// How deep its open calls are in the listing, where inlined functions count.
    open: Vec<u64>,
}

/// Each call of `path`, of all I/Os, is in the graph.
fn calls_of_path(lines: &[ReportLine<'_>], names: &OwnNames, trace: &Path, name: &str) {
    let graph = depths(lines);
    let mut contexts = BTreeMap::<Option<u64>, Listed>::new();
    let mut compared = 0;
    for_each_row(trace, name, "path", &mut |row| {
        let number = |column: &str| row[column].as_u64();
        let depth = number("depth").expect("a number");
        let context = contexts.entry(number("root")).or_default();
        context.open.retain(|outer| *outer < depth);
        if row["kind"] != "call" {
            return;
        }
        let around = context.open.len() as u64;
        context.open.push(depth);
        let (Some(begin), Some(end)) = (number("ns"), number("end_ns")) else { return };
        let calls = number("pid").and_then(|pid| graph.get(&pid));
        let mut own = names.get(text(&row["name"])).into_iter().flatten();
        let found = own.find_map(|own| calls?.get(&(own.clone(), begin, end)));
        let found = *found.unwrap_or_else(|| panic!("{name}: not in the graph: {row}"));
        if depth == 0 {
            context.outermost = Some(found);
        }
        if let Some(outermost) = context.outermost {
            assert_eq!(found - outermost, around, "{name}: {row}");
            compared += 1;
        }
    });
    assert!(compared > 1000, "{name}: {compared} calls are compared");
}
