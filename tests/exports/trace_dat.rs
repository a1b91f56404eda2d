//! trace-cmd reads trace.dat: as many events of each type as the other views have, and the calls of `path`, nested as there
//! and as long as there.

use super::{exported, rows, traces};
use iotrace_tests::json;
use iotrace_tests::readers::{proved, read_by};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
        counts(&lines, &trace, name);
        calls_of_path(&lines, &trace, name);
        let drawn = reported(&file, &[]).expect("it is there");
        assert!(drawn.contains(" us  |  ") && drawn.contains("() {"), "{drawn:.2000}");
        proved("trace-dat", "trace-cmd");
    }
}

/// Events by type, and calls by function, are as many as elsewhere.
fn counts(lines: &[ReportLine<'_>], trace: &Path, name: &str) {
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
    for row in functions["tables"][0]["rows"].as_array().expect("a list") {
        let (function, count) = (row["name"].as_str().expect("a name"), row["count"].as_u64());
        if count != Some(0) {
            assert_eq!(found.get(&format!("{function}()")).copied(), count, "{name}: {function}");
        }
    }
}

/// A call as both have it: function, begin, end, calls around it in its context.
type GraphCall = (String, u64, u64, u64);

/// Each call of `path`, of all I/Os, is in the graph.
fn calls_of_path(lines: &[ReportLine<'_>], trace: &Path, name: &str) {
    let mut graph = BTreeMap::<u32, BTreeSet<GraphCall>>::new();
    for line in lines.iter().filter(|line| line.event == "funcgraph_exit") {
        let [func, depth, begin, end] =
            ["func", "depth", "calltime", "rettime"].map(|name| field(line.fields, name));
        let call = (func.to_owned(), hexadecimal(begin), hexadecimal(end), depth.parse().expect("a number"));
        assert_eq!(line.at, call.2, "an exit is at its end");
        graph.entry(line.pid).or_default().insert(call);
    }
    // Of each context, how deep its outermost call is; and the calls that are open, with the depth that they have there.
    let mut contexts = BTreeMap::<Option<u64>, (u64, Vec<u64>)>::new();
    let mut compared = 0;
    for row in rows(trace, name, "path").iter().filter(|row| row["kind"] == "call") {
        let number = |column: &str| row[column].as_u64();
        let (Some(begin), Some(end), Some(depth)) = (number("ns"), number("end_ns"), number("depth")) else {
            continue;
        };
        let of_task = number("pid").and_then(|pid| graph.get(&(pid as u32)));
        let of_task = of_task.unwrap_or_else(|| panic!("{name}: no calls of the task: {row}"));
        let call =
            of_task.iter().find(|call| (call.0.as_str(), call.1, call.2) == (text(&row["name"]), begin, end));
        let call = call.unwrap_or_else(|| panic!("{name}: not in the graph: {row}"));
        let (outermost, open) = contexts.entry(number("root")).or_insert((call.3, Vec::new()));
        open.retain(|outer| *outer < depth);
        if depth == 0 {
            *outermost = call.3;
        }
        assert_eq!(call.3 - *outermost, open.len() as u64, "{name}: {row}");
        open.push(depth);
        compared += 1;
    }
    assert!(compared > 500, "{name}: {compared} calls are compared");
}
