//! The JSON of every command is valid by its schema.

use iotrace_synthetic_guest::{buffered, changed_write, direct_write, small};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_iotrace-analyze");

/// Commands that print JSON of a trace, with their options.
const COMMANDS: &[&[&str]] = &[
    &["report"],
    &["report", "--all"],
    &["report", "--summary"],
    &["bio", "1"],
    &["bio", "3"],
    &["bio", "4"],
    &["events"],
    &["events", "--type", "shutdown"],
    &["explain"],
    &["info"],
    &["path", "--io", "1"],
    &["path", "--bio", "1", "--depth", "2"],
    &["summary"],
    &["summary", "--by", "stage", "--all"],
    &["verify"],
    &["whatif", "--device", "read=1ms,write=1us+1us/KiB,depth=1"],
    &["whatif", "--device", "flush=0ns", "--limit", "0"],
    &["why", "--io", "1"],
];

/// What function_graph prints of another run.
const GRAPH: &str = "\
# traced: bio_enter_function
# tracer: function_graph
# CPU  TASK/PID         DURATION                  FUNCTION CALLS
 0)     dd-42      |               |  bio_enter_function() {
 0)     dd-42      |   1.000 us    |    bio_enter_function();
";

/// What the guest's tracepoints report of another run.
const TRACEPOINTS: &str = " dd-42 [000] ..... 1.0: block_bio_queue: 8,0 WS 100 + 8 [dd]\n";

/// The schemas by the names of their commands, and how many documents each was used for.
struct Schemas(BTreeMap<String, (Validator, usize)>);

impl Schemas {
    fn read() -> Self {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/json")).unwrap();
        let schema = |path: PathBuf| {
            let file = path.file_name().unwrap().to_str().unwrap();
            let name = file.strip_suffix(".schema.json").expect("only schemas are there").to_owned();
            let schema = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (name, (jsonschema::draft202012::new(&schema).unwrap(), 0))
        };
        Self(files.map(|file| schema(file.unwrap().path())).collect())
    }

    fn problems(&mut self, name: &str, document: &Value) -> Vec<String> {
        let (validator, used) = self.0.get_mut(name).unwrap_or_else(|| panic!("{name} has no schema"));
        *used += 1;
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// The document that a command printed, if it printed one; the schema must allow it.
    fn check(&mut self, what: &str, name: &str, output: &Output) -> Option<Value> {
        // Not every trace has what is asked for.
        let printed = std::str::from_utf8(&output.stdout).unwrap();
        if printed.is_empty() {
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(1) && !message.is_empty(), "{what}: {message}");
            return None;
        }
        let document: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{what}: {error}"));
        let problems = self.problems(name, &document);
        assert!(problems.is_empty(), "{what}: {problems:#?}");
        let first = printed.trim_start_matches(['{', ' ', '\n']);
        assert!(first.starts_with("\"schema_version\": 1,"), "{what}: {first:.80}");
        Some(document)
    }

    fn unused(&self) -> BTreeSet<&str> {
        self.0.iter().filter(|(_, (_, used))| *used == 0).map(|(name, _)| name.as_str()).collect()
    }
}

/// Runs a command on a trace.
fn run(command: &[&str], trace: &Path) -> Output {
    let (name, options) = command.split_first().unwrap();
    Command::new(PROGRAM).arg(name).arg(trace).args(options).args(["--format", "json"]).output().unwrap()
}

/// Hand-built traces, one of them truncated, and those that earlier versions wrote.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let small_trace = small().file();
    let built = [
        ("small", small_trace.clone()),
        ("truncated", small_trace[..small_trace.len() - 100].to_vec()),
        ("buffered", buffered().file()),
        ("direct", direct_write().file()),
        ("changed", changed_write().file()),
    ];
    let write = |(name, bytes): (&str, Vec<u8>)| {
        let path = folder.join(name).with_extension("iot");
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut traces = built.map(write).to_vec();
    let golden = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")).unwrap();
    traces.extend(golden.map(|file| file.unwrap().path()));
    traces
}

#[test]
fn every_command_prints_what_its_schema_allows() {
    let place = TempDir::new().unwrap();
    let (mut schemas, traces) = (Schemas::read(), traces(place.path()));
    let [graph, tracepoints] = [("graph", GRAPH), ("tracepoints", TRACEPOINTS)].map(|(name, text)| {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    });
    let direct = place.path().join("direct.iot").into_os_string().into_string().unwrap();
    let of_two = [
        &["compare-tracepoints", &graph][..],
        &["compare-tracepoints", &tracepoints],
        &["diff", &direct],
        &["diverge", &direct],
    ];
    for command in COMMANDS.iter().copied().chain(of_two) {
        let answered = traces.iter().filter(|trace| {
            let what = format!("{command:?} of {}", trace.display());
            schemas.check(&what, command[0], &run(command, trace)).is_some()
        });
        assert!(answered.count() > 0, "no trace has an answer to {command:?}");
    }
    kernel(&mut schemas);
    lines(&mut schemas, &traces);
    assert_eq!(schemas.unused(), BTreeSet::new());
}

/// The lines of all tables of an export.
fn lines(schemas: &mut Schemas, traces: &[PathBuf]) {
    const TABLES: [&str; 11] = [
        "ios",
        "bios",
        "stages",
        "requests",
        "attempts",
        "carried",
        "waits",
        "block-events",
        "events",
        "path",
        "handoffs",
    ];
    for table in TABLES {
        let mut count = 0;
        for trace in traces {
            let arguments = ["--to", "ndjson", "--table", table, "--all"];
            let output = Command::new(PROGRAM).arg("export").arg(trace).args(arguments).output().unwrap();
            for line in std::str::from_utf8(&output.stdout).unwrap().lines() {
                let problems = schemas.problems("export", &serde_json::from_str(line).unwrap());
                assert!(problems.is_empty(), "{table} of {}: {problems:#?}", trace.display());
                count += 1;
            }
        }
        assert!(count > 0, "no trace has a row of {table}");
    }
}

/// A small image with functions of the catalog: two of its own, one inlined.
fn kernel(schemas: &mut Schemas) {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/image.elf");
    let output = run(&["check"], &image);
    let document = schemas.check("check", "check", &output);
    let document = document.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let functions = document["functions"].as_array().unwrap();
    let there: Vec<_> = functions.iter().map(|function| &function["location"]["symbol"]).collect();
    assert_eq!(there.iter().filter(|symbol| symbol.is_string()).count(), 3, "{document}");
    assert!(there.len() > 1000 && !document["stages_without_probe"].as_array().unwrap().is_empty());
}

#[test]
fn a_document_that_differs_from_its_schema_is_refused() {
    let place = TempDir::new().unwrap();
    let trace = place.path().join("t.iot");
    fs::write(&trace, small().file()).unwrap();
    let mut schemas = Schemas::read();
    let document = schemas.check("report", "report", &run(&["report"], &trace)).unwrap();
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 6] = [
        (|document| document["bios"][0]["sector"] = json!("100"), "/bios/0/sector"),
        (|document| document["bios"][0]["stages"][0]["stage"] = json!("nowhere"), "/bios/0/stages/0/stage"),
        (|document| document["bios"][0]["extra"] = json!(1), "'extra'"),
        (|document| document["extra"] = json!(null), "'extra'"),
        (|document| _ = document.as_object_mut().unwrap().remove("totals"), "\"totals\""),
        (|document| document["schema_version"] = json!(2), "/schema_version"),
    ];
    for (change, expected) in changes {
        let mut changed = document.clone();
        change(&mut changed);
        let problems = schemas.problems("report", &changed);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
    }
}
