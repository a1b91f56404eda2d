//! The traces of many runs in one folder, asked in SQL (`export --append`, `scripts/sql`).

use iotrace_format::definition::{Definition, TraceInfo};
use iotrace_synthetic_guest::{SyntheticGuest, buffered, direct_write};
use iotrace_tests::readers::{left_to_full, proved, python, read_by};
use iotrace_tests::{
    analyze, built, checkout, folder, json, recording, run, said, script, succeed, trace_of,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The tables that a run is kept with.
const KEPT: usize = 10;

/// A new folder.
fn new_folder(name: &str) -> PathBuf {
    let place = folder("runs").join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).expect("the build folder is writable");
    place
}

/// Adds a trace to the runs in a folder.
fn append(trace: &Path, runs: &Path, host: &str) -> Command {
    let mut command = analyze(&["export", "--to", "parquet", "--append"], trace);
    command.arg(runs).args(["--host", host]);
    command
}

/// The files below a folder.
fn files(place: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![place.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is readable") {
            let path = entry.expect("it is readable").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// What a trace says about itself is changed, and each clock behind one: the run has so many more instructions there.
fn varied(mut guest: SyntheticGuest, of: impl Fn(&mut TraceInfo), behind: u64, more: u64) -> SyntheticGuest {
    for definition in &mut guest.definitions {
        if let Definition::Trace(info) = definition {
            of(info);
        }
    }
    guest.events.iter_mut().filter(|event| event.clock > behind).for_each(|event| event.clock += more);
    guest
}

/// What DuckDB answers to a query, by scripts/sql: columns, rows.
fn by_duckdb(runs: &Path, query: &str) -> Option<Value> {
    let found = read_by("runs", "DuckDB", script("sql").arg(runs).args([query, "--format", "json"]))?;
    Some(serde_json::from_str(&found).expect("it is JSON"))
}

/// The cells of a column.
fn column<'a>(answer: &'a Value, name: &str) -> Vec<&'a Value> {
    let columns = answer["columns"].as_array().expect("a list");
    let at = columns
        .iter()
        .position(|column| column == name)
        .unwrap_or_else(|| panic!("no {name} in {columns:?}"));
    answer["rows"].as_array().expect("a list").iter().map(|row| &row[at]).collect()
}

/// The names of the queries that are shipped.
fn queries() -> Vec<String> {
    let listed = succeed(script("sql").arg("--list"));
    listed.lines().map(|line| line.split(' ').next().expect("a name").to_owned()).collect()
}

/// Runs of all sorts: guests, and synthetic ones of two builds.
fn of_all_sorts(name: &str) -> PathBuf {
    let runs = new_folder(name);
    let job = format!("fio:{}", checkout().join("tests/jobs/merges.fio").display());
    for (arguments, host) in
        [(["debian-6.1", "--workload", "demo"], "lab1"), (["debian-6.1", "--workload", &job], "lab2")]
    {
        succeed(&mut append(&trace_of(&recording(&arguments)), &runs, host));
    }
    two_builds(&runs);
    runs
}

/// Six runs of each of two builds, of which the second executes more instructions in a write.
fn two_builds(runs: &Path) {
    let place = new_folder("traces of two builds");
    for (build, more) in [(1, 0), (2, 100)] {
        for number in 0..6 {
            let of = |info: &mut TraceInfo| {
                info.banner = format!("Linux version 6.1.{build} (a compiler)");
                info.build_id = vec![build; 20];
            };
            let guest = varied(direct_write(), of, 1010, more + number);
            let trace = place.join(format!("{build}-{number}.iot"));
            fs::write(&trace, guest.file()).expect("it is writable");
            succeed(&mut append(&trace, runs, "lab1"));
        }
    }
}

#[test]
fn the_summary_of_a_run_by_sql_is_that_of_the_report() {
    for (name, arguments) in
        [("demo", ["debian-6.1", "--workload", "demo"]), ("loop", ["debian-6.1", "--workload", "loop-write"])]
    {
        let trace = trace_of(&recording(&arguments));
        let runs = new_folder(name);
        succeed(&mut append(&trace, &runs, "lab1"));
        assert_eq!(files(&runs).len(), KEPT);
        let Some(found) = by_duckdb(&runs, "summary") else { return };
        let (report, summary) = (json(&trace, &["report"]), json(&trace, &["summary"]));
        let time = |what: &str| report["workload"][what]["ns"].as_u64().expect("a time");
        for (ours, theirs) in [
            ("ios", report["io_count"].clone()),
            ("bios", report["bio_count"].clone()),
            ("requests", summary["requests"].clone()),
            ("bytes", summary["bytes"].clone()),
            ("instructions", summary["instructions"].clone()),
            ("elapsed_ns", (time("end") - time("begin")).into()),
            ("host", "lab1".into()),
        ] {
            assert_eq!(column(&found, ours), [&theirs], "{name}: {ours}");
        }
        stages_of_report(&runs, &report);
        proved("runs", "DuckDB");
    }
}

/// The stages by SQL are those of the report's summary, to the nanosecond.
fn stages_of_report(runs: &Path, report: &Value) {
    let found = by_duckdb(runs, "stages").expect("it is there");
    let cells = |names: [&str; 5]| names.map(|name| column(&found, name));
    let [rwbs, stages, counts, medians, most] = cells(["rwbs", "stage", "count", "median_ns", "max_ns"]);
    let mut seen = 0;
    for of_op in report["summary"].as_array().expect("a list") {
        for of_stage in of_op["stages"].as_array().expect("a list") {
            let is_it = |at: &usize| *rwbs[*at] == of_op["rwbs"] && *stages[*at] == of_stage["stage"];
            let at = (0..rwbs.len()).find(is_it).unwrap_or_else(|| panic!("no {of_stage} in {found}"));
            let ns = &of_stage["ns"];
            assert_eq!(
                (counts[at], medians[at], most[at]),
                (&ns["count"], &ns["median"], &ns["max"]),
                "{of_stage}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, rwbs.len(), "{found}");
}

#[test]
fn each_query_that_is_shipped_runs() {
    let runs = of_all_sorts("of all sorts");
    let names = queries();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let Some(found) = by_duckdb(&runs, &name) else { return };
        assert!(found["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{name}: {found}");
    }
    for format in ["text", "csv"] {
        let printed = succeed(script("sql").arg(&runs).args(["summary", "--format", format]));
        assert_eq!(printed.lines().count(), 15, "{printed}");
    }
}

#[test]
fn a_regression_between_two_builds_is_found_by_the_rank_sum_test() {
    let runs = new_folder("two builds");
    two_builds(&runs);
    let Some(found) = by_duckdb(&runs, "regression") else { return };
    assert_eq!(column(&found, "release_b"), ["6.1.2"], "{found}");
    assert_eq!((column(&found, "runs_a"), column(&found, "runs_b")), (vec![&6.into()], vec![&6.into()]));
    let medians = ["median_a", "median_b"].map(|name| column(&found, name)[0].as_f64().expect("a number"));
    assert!((medians[1] - medians[0] - 100.0).abs() < 1e-6, "{found}");
    // U is 0 of 36: z = (18 - 0.5) / sqrt(36 * 13 / 12).
    let p = column(&found, "p")[0].as_f64().expect("a number");
    assert!((p - 0.005_075).abs() < 2e-6, "{found}");
}

/// Names that would lead elsewhere, if they were parts of a path.
const HOSTILE: [&str; 12] = [
    "..",
    "../../escaped",
    "/escaped",
    "a=b/c=d",
    "nothing\0behind",
    "%2e%2e%2f",
    "'); drop view ios; --",
    "*",
    "[a]?{b}",
    "line\nend\ttab\u{1b}[31m",
    "ä/ü☃",
    "__HIVE_DEFAULT_PARTITION__",
];

#[test]
fn no_name_of_a_workload_or_a_host_leads_out_of_the_folder() {
    let place = new_folder("hostile");
    let (runs, traces) = (place.join("inner").join("runs"), new_folder("traces of hostile names"));
    for (number, name) in (1..).zip(HOSTILE) {
        let of = |info: &mut TraceInfo| {
            info.banner = format!("Linux version {} (a compiler)", name.replace(' ', "_"));
            info.notes = vec![("workload".into(), name.into())];
        };
        let trace = traces.join(format!("{number}.iot"));
        fs::write(&trace, varied(buffered(), of, 0, number).file()).expect("it is writable");
        // No argument of a program has a NUL.
        succeed(&mut append(&trace, &runs, &name.replace('\0', "/")));
    }
    assert_eq!(fs::read_dir(&place).expect("it is there").count(), 1, "nothing is beside the folder");
    let written = files(&place);
    assert_eq!(written.len(), HOSTILE.len() * KEPT);
    for file in written {
        let below: Vec<_> = file.strip_prefix(&runs).expect("it is below the folder").iter().collect();
        let is_level =
            |(name, key): (&&std::ffi::OsStr, &str)| name.to_string_lossy().starts_with(&format!("{key}="));
        let levels = ["kernel", "workload", "host", "run"];
        assert!(below.len() == 5 && below.iter().zip(levels).all(is_level), "{}", file.display());
    }
    let Some(found) = by_duckdb(&runs, "select workload, host, release from runs order by run") else {
        return;
    };
    let mut names: Vec<_> =
        column(&found, "workload").iter().map(|name| name.as_str().expect("a name")).collect();
    names.sort_unstable();
    let mut expected = HOSTILE;
    expected.sort_unstable();
    assert_eq!(names, expected);
    let printed = succeed(script("sql").arg(&runs).arg("select workload, host from ios"));
    assert!(!printed.contains('\u{1b}') && printed.contains("\\x1b[31m"), "{printed}");
}

#[test]
fn a_run_is_added_once() {
    let (runs, trace) = (new_folder("once"), new_folder("trace of once").join("trace.iot"));
    fs::write(&trace, direct_write().file()).expect("it is writable");
    succeed(&mut append(&trace, &runs, "lab1"));
    let before = files(&runs);
    for host in ["lab1", "lab2"] {
        let again = run(&mut append(&trace, &runs, host));
        assert_eq!(again.status.code(), Some(1));
        assert!(said(&again).contains("there already: delete"), "{}", said(&again));
    }
    assert_eq!(files(&runs), before);
    for refused in [&["--all"][..], &["--syscall", "fsync"]] {
        let refused = run(append(&trace, &runs, "lab1").args(refused));
        assert!(said(&refused).contains("keeps the whole workload"), "{}", said(&refused));
    }
}

#[test]
fn an_export_that_is_killed_leaves_no_half_run() {
    let runs = new_folder("killed");
    let trace = trace_of(&recording(&["debian-6.1", "--workload", "demo"]));
    let is_hidden = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(".new-"))
    };
    let has_begun = || fs::read_dir(&runs).expect("it is readable").any(is_hidden);
    let mut child = append(&trace, &runs, "lab1").stderr(Stdio::null()).spawn().expect("it starts");
    while !has_begun() && child.try_wait().expect("it is ours").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let whole =
        |file: &&PathBuf| file.strip_prefix(&runs).is_ok_and(|below| below.starts_with("kernel=6.1.0"));
    assert_eq!(files(&runs).iter().filter(whole).count() % KEPT, 0);
    let _ = run(&mut append(&trace, &runs, "lab1"));
    assert_eq!(files(&runs).len(), KEPT);
    assert!(!has_begun(), "what was left is removed");
}

#[test]
fn a_folder_without_runs_and_a_query_that_there_is_none_of_are_errors() {
    let none = new_folder("none");
    for (query, expected) in
        [("summary", "has no run: add some with"), ("sumary", "no query 'sumary': --list prints those")]
    {
        let refused = run(script("sql").arg(&none).arg(query));
        assert!(refused.status.code() == Some(1) && said(&refused).contains(expected), "{}", said(&refused));
    }
}

/// The rows of an answer, with numbers as far as two engines compute them alike.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(rounded).collect(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().expect("it is one");
            format!("{number:.6e}").into()
        }
        Value::Number(number) => format!("{:.6e}", number.as_f64().expect("it is one")).into(),
        other => other.clone(),
    }
}

#[test]
fn spark_is_left_to_the_full_tests() {
    left_to_full("runs", "Spark");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn spark_answers_each_query_as_duckdb() {
    let runs = of_all_sorts("of all sorts, for Spark");
    let mut spark = python("of_spark.py");
    if let Some(packages) = std::env::var_os("IOTRACE_SPARK") {
        spark.env("PYTHONPATH", packages);
    }
    let names = queries();
    let texts = names.iter().map(|name| checkout().join("scripts/queries").join(format!("{name}.sql")));
    let Some(found) = read_by("runs", "Spark", spark.arg(&runs).args(texts)) else { return };
    let found: Value = serde_json::from_str(&found).expect("it is JSON");
    for name in names {
        let Some(expected) = by_duckdb(&runs, &name) else { return };
        assert_eq!(found[&name]["columns"], expected["columns"], "{name}");
        assert_eq!(rounded(&found[&name]["rows"]), rounded(&expected["rows"]), "{name}");
    }
    proved("runs", "Spark");
}

#[test]
fn the_analyzer_that_is_tested_has_parquet() {
    let help = succeed(Command::new(built("iotrace-analyze")).args(["export", "--help"]));
    assert!(help.contains("--append"), "{help}");
}
