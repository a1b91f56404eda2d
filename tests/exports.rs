//! Exports of real guests, read by the tools that they are for.

mod blktrace;
mod ctf;
mod firefox;
mod pages;
mod trace_dat;

use iotrace_tests::readers::{proved, python, read_by};
use iotrace_tests::{analyze, checkout, folder, json, recording, succeed, trace_of};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The demo, and a job whose writes are merged.
fn traces() -> [(&'static str, PathBuf); 2] {
    let job = format!("fio:{}", checkout().join("tests/jobs/merges.fio").display());
    let demo = recording(&["debian-6.1", "--workload", "demo"]);
    let merges = recording(&["debian-6.1", "--workload", &job]);
    [("demo", trace_of(&demo)), ("merges", trace_of(&merges))]
}

/// An export of a trace, in a folder of its own.
fn exported(trace: &Path, name: &str, to: &str, arguments: &[&str]) -> PathBuf {
    let path = folder("exports").join(format!("{name}-{to}"));
    let _ = std::fs::remove_dir_all(&path);
    let _ = std::fs::remove_file(&path);
    let mut command = analyze(&["export", "--to", to], trace);
    succeed(command.args(arguments).arg("-o").arg(&path));
    path
}

/// The rows of a table.
fn rows(trace: &Path, name: &str, table: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for_each_row(trace, name, table, &mut |row| all.push(row));
    all
}

/// The rows of a table, one by one: all calls of all I/Os are many.
fn for_each_row(trace: &Path, name: &str, table: &str, see: &mut dyn FnMut(Value)) {
    let file = exported(trace, &format!("{name}-{table}"), "ndjson", &["--table", table]);
    let text = std::fs::read_to_string(file).expect("it is text");
    text.lines().for_each(|line| see(serde_json::from_str(line).expect("it is JSON")));
}

/// All tables, as csv, ndjson and parquet.
fn tables(trace: &Path, name: &str) -> PathBuf {
    let all = "runs,ios,bios,stages,requests,attempts,carried,waits,block-events,events,path,handoffs";
    let folder = exported(trace, name, "csv", &["--table", all]);
    for format in ["ndjson", "parquet"] {
        let mut command = analyze(&["export", "--to", format], trace);
        succeed(command.args(["--table", all, "-o"]).arg(&folder));
    }
    folder
}

/// What DuckDB finds in the tables.
fn by_duckdb(trace: &Path, name: &str) -> Option<Value> {
    let found = read_by("tables", "DuckDB", python("of_tables.py").arg(tables(trace, name)))?;
    Some(serde_json::from_str(&found).expect("it is JSON"))
}

#[test]
fn exports_of_tables_are_read_by_duckdb() {
    for (name, trace) in traces() {
        let Some(found) = by_duckdb(&trace, name) else { return };
        let report = json(&trace, &["report"]);
        let rows =
            |table: &str| found["rows"][table].as_u64().unwrap_or_else(|| panic!("no {table} in {found}"));
        let count = |list: &str| report[list].as_array().expect("a list").len() as u64;
        for table in ["ios", "bios"] {
            for kind in ["csv", "ndjson", "parquet"] {
                assert_eq!(rows(&format!("{table}.{kind}")), count(table), "{name}");
            }
        }
        assert_eq!(found["rows"].as_object().map(serde_json::Map::len), Some(36), "{found}");
        for (table, count) in found["rows"].as_object().expect("an object") {
            let table = table.split('.').next().expect("a name");
            assert_eq!(*count, found["rows"][format!("{table}.parquet")], "{name}: {table}");
        }
        assert_eq!(found["types"], serde_json::json!(["BIGINT", "BOOLEAN", "VARCHAR"]), "{name}");
        let listed = json(&trace, &["events", "--stage", "bio.queue"]);
        assert!(rows("events.csv") > listed["events"].as_array().expect("a list").len() as u64);
        steps_of_summary(&trace, &found["steps"]);
        proved("tables", "DuckDB");
    }
}

/// The steps of `summary` are those of the table of stages.
fn steps_of_summary(trace: &Path, found: &Value) {
    let summary = json(trace, &["summary"]);
    for step in summary["steps"].as_array().expect("a list") {
        let name = step["step"].as_str().expect("a name");
        assert_eq!((&found[name][0], &found[name][1]), (&step["count"], &step["sum"]), "{name}");
    }
}

#[test]
fn exports_for_perfetto_are_read_by_its_schema() {
    for (name, trace) in traces() {
        let file = exported(&trace, name, "perfetto", &[]);
        let Some(found) = read_by("perfetto", "schema", python("of_perfetto.py").arg(file)) else { return };
        let found: Value = serde_json::from_str(&found).expect("it is JSON");
        assert_eq!(
            (&found["unknown"], &found["unbalanced"], &found["half_flows"]),
            (&0.into(), &0.into(), &0.into())
        );
        assert!(found["flows"].as_u64() > Some(20) && found["packets"].as_u64() > Some(1000), "{found}");
        let slices = found["slices"].as_object().expect("an object");
        let bios = slices.iter().filter(|(name, _)| name.starts_with("bio #")).count();
        let report = json(&trace, &["report"]);
        assert_eq!(bios, report["bios"].as_array().expect("a list").len());
        let functions = json(&trace, &["summary", "--by", "function"]);
        for row in functions["tables"][0]["rows"].as_array().expect("a list") {
            let (function, count) = (row["name"].as_str().expect("a name"), row["count"].as_u64());
            if count != Some(0) {
                assert_eq!(slices.get(function).and_then(Value::as_u64), count, "{name}: {function}");
            }
        }
        proved("perfetto", "schema");
    }
}

#[test]
fn exports_of_stacks_add_up_to_the_workload() {
    for (name, trace) in traces() {
        let folded = std::fs::read_to_string(exported(&trace, name, "folded", &[])).expect("it is text");
        let weights = folded.lines().map(|line| line.rsplit_once(' ').expect("a weight").1);
        let sum: u64 = weights.map(|weight| weight.parse::<u64>().expect("a number")).sum();
        let marks = json(&trace, &["events", "--type", "mark"]);
        let clock = |code: &str| {
            let is_it = |mark: &&Value| mark["fields"][0]["text"] == code;
            let mark = marks["events"].as_array().expect("a list").iter().find(is_it);
            mark.and_then(|mark| mark["clock"].as_u64()).expect("the mark is there")
        };
        assert_eq!(sum, clock("2") - clock("1"), "{name}");
        assert_eq!(json(&trace, &["summary"])["instructions"].as_u64(), Some(sum));
    }
}
