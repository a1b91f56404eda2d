//! Questions to a recording (`scripts/ask`): their answers are those of the trace and of gdb.

use crate::debugger::{DEMO, gdb};
use iotrace_tests::{built, checkout, folder, json, recording, replay, run, said, script, succeed};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn ask(recorded: &Path, arguments: &[&str]) -> Command {
    let mut command = script("ask");
    command.arg(recorded).args(arguments).arg("--analyzer").arg(built("iotrace-analyze"));
    command
}

fn answers(recorded: &Path, arguments: &[&str]) -> Vec<Value> {
    let printed = succeed(ask(recorded, arguments).args(["--format", "json"]));
    let document: Value = serde_json::from_str(&printed).expect("it is JSON");
    let schema = fs::read(checkout().join("schemas/ask.schema.json")).expect("the schema is there");
    let schema = serde_json::from_slice(&schema).expect("it is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("it is a schema");
    let problems: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    document["answers"].as_array().expect("a list").clone()
}

fn clocks(found: &[Value]) -> Vec<u64> {
    found.iter().map(|one| one["clock"].as_u64().expect("a clock")).collect()
}

/// The clocks between the marks of the workload.
fn workload(trace: &Path) -> String {
    let info = json(trace, &["info"]);
    let of = |name: &str| {
        let mark = info["marks"].as_array().expect("a list").iter().find(|mark| mark["name"] == name);
        mark.expect("the workload is marked")["clock"].as_u64().expect("a clock")
    };
    format!("{}..{}", of("begin"), of("end") - 1)
}

/// Executions of functions that the trace has: the same clocks, tasks, I/Os and values.
#[test]
fn answers_are_those_of_the_trace() {
    let recorded = recording(&DEMO);
    let trace = recorded.join("trace.iot");
    let window = workload(&trace);
    for (function, question, field) in [
        ("vfs_write", "vfs_write count", Some("count")),
        (
            "submit_bio_noacct_nocheck",
            "submit_bio_noacct_nocheck bio.sector=bio->bi_iter.bi_sector",
            Some("bio.sector"),
        ),
        ("bio_endio", "bio_endio bio.size=bio->bi_iter.bi_size", Some("bio.size")),
        ("try_to_wake_up", "try_to_wake_up p->pid", None),
    ] {
        let events = json(&trace, &["events", "--function", function, "--clock", &window]);
        let entries = events["events"].as_array().expect("a list").iter();
        let entries: Vec<_> = entries.filter(|e| e["name"] == function && e["at"] == "entry").collect();
        let found = answers(&recorded, &[question]);
        assert!(found.len() > 2, "{function}: {found:?}");
        let recorded_clocks: Vec<_> = entries.iter().map(|e| e["clock"].as_u64().expect("a clock")).collect();
        assert_eq!(clocks(&found), recorded_clocks, "{function}");
        for (answer, event) in found.iter().zip(entries) {
            assert_eq!(answer["task"]["pid"], event["task"]["pid"], "{function}: {answer}");
            let Some(field) = field else { continue };
            let of_event = event["fields"].as_array().expect("a list").iter().find(|f| f["name"] == field);
            assert_eq!(
                answer["fields"][field],
                of_event.expect("it is recorded")["text"],
                "{function}: {answer}"
            );
        }
    }
    // What is called for an I/O is of it.
    let io = json(&trace, &["report"])["ios"].as_array().expect("a list").clone();
    let io = io.iter().find(|io| io["syscall"] == "pwrite").expect("the workload writes directly");
    let bio = io["bios"][0].clone();
    let issued = answers(&recorded, &["blk_mq_start_request rq->__sector"]);
    let of_io: Vec<_> = issued.iter().filter(|answer| answer["io"] == io["id"]).collect();
    assert!(of_io.len() == 1 && of_io[0]["bios"][0] == bio, "{issued:?}");
}

/// Every execution of a function that is called often, in all contexts, and each once: as a trace of all functions has them.
#[test]
fn every_execution_is_answered_once() {
    let recorded = recording(&DEMO);
    let full = replay(&recorded, "asked-full", &["--plugin-args", "mode=full,window=workload"]);
    let window = workload(&recorded.join("trace.iot"));
    for function in ["up_read", "kfree"] {
        let events = json(&full, &["events", "--function", function, "--clock", &window]);
        let entries = events["events"].as_array().expect("a list").iter();
        let entries: Vec<_> =
            entries.filter(|e| e["name"] == function && e["at"] == "entry").cloned().collect();
        let found = clocks(&answers(&recorded, &[function]));
        assert!(found.len() > 50 && found == clocks(&entries), "{function}: {} answers", found.len());
    }
}

/// A function's returns have its arguments at the call and the value that the trace has.
#[test]
fn returns_have_the_arguments_of_their_calls() {
    let recorded = recording(&DEMO);
    let trace = recorded.join("trace.iot");
    let events = json(&trace, &["events", "--function", "vfs_write", "--clock", &workload(&trace)]);
    let exits = events["events"].as_array().expect("a list").iter().filter(|e| e["at"] == "exit");
    let values: Vec<_> = exits.map(|e| e["fields"][0]["text"].clone()).collect();
    let found = answers(&recorded, &["vfs_write%return count $retval"]);
    assert_eq!(found.iter().map(|a| a["fields"]["$retval"].clone()).collect::<Vec<_>>(), values);
    assert!(found.iter().all(|answer| answer["fields"]["count"] == answer["fields"]["$retval"]), "{found:?}");
    let some = answers(&recorded, &["vfs_write%return count", "--where", "count==59"]);
    assert!(!some.is_empty() && some.len() < found.len(), "{some:?}");
    let counted = succeed(&mut ask(&recorded, &["vfs_write%return count", "--by", "task", "--sum", "count"]));
    assert!(counted.contains("sum of count") && counted.contains("loop-write/"), "{counted}");
}

/// What a command prints of a trace as JSON, but for numbers of events and how many there are.
fn told(trace: &Path, arguments: &[&str]) -> Value {
    fn settle(value: &mut Value) {
        match value {
            Value::Object(keys) => {
                for counted in ["event", "events"] {
                    keys.entry(counted).and_modify(|value| {
                        if value.is_number() {
                            *value = Value::Null;
                        }
                    });
                }
                keys.values_mut().for_each(settle);
            }
            Value::Array(values) => values.iter_mut().for_each(settle),
            _ => {}
        }
    }
    let mut document = json(trace, arguments);
    settle(&mut document);
    document
}

/// An event has what the answer has: moment, task, texts, callers.
fn assert_same(answer: &Value, event: &Value) {
    let fields = event["fields"].as_array().expect("a list").iter();
    let fields =
        fields.map(|field| (field["name"].as_str().expect("a name").to_owned(), field["text"].clone()));
    let (callers, fields): (Vec<_>, Vec<_>) = fields.partition(|(name, _)| name == "callers");
    assert_eq!(Value::Object(fields.into_iter().collect()), answer["fields"], "{event}");
    let stack = answer["stack"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let stack = stack.collect::<Vec<_>>().join(" ← ");
    assert_eq!(callers.first().map_or("", |(_, text)| text.as_str().expect("a text")), stack);
    let of = |one: &Value| ["pid", "comm"].map(|key| one["task"][key].clone());
    assert_eq!((&event["clock"], of(event)), (&answer["clock"], of(answer)), "{event}");
    assert_eq!((event["at"].as_str(), event["vcpu"].as_u64()), (Some("inserted"), Some(0)));
}

/// A trace with the answers has each at its clock, and tells all else as the trace of the recording: questions of all kinds.
#[test]
fn a_trace_keeps_the_answers() {
    let recorded = recording(&DEMO);
    let (plain, kept) = (recorded.join("trace.iot"), folder("traces").join("asked.iot"));
    let report = json(&plain, &["report"]);
    let io = report["ios"].as_array().expect("a list").iter().find(|io| io["syscall"] == "pwrite");
    let io = io.expect("the workload writes directly");
    let (number, written) = (io["id"].to_string(), format!("bio#{}.bi_iter.bi_size", io["bios"][0]));
    let line = "fs/iomap/direct-io.c:323 bio->bi_opf:x32 pos op=(enum req_op)(bio->bi_opf&255) \
                name=dio->iocb->ki_filp->f_path.dentry->d_name.name:string";
    let returned = "vfs_write%return name=file->f_path.dentry->d_name.name:string $retval";
    let stacks = ["iomap_dio_submit_bio bio", "submit_bio bio->bi_iter", "--stack", "--task", "direct-io"];
    for (arguments, name) in [
        (&[line][..], "ask.fs/iomap/direct-io.c:323"),
        (&[returned, "--where", "count==59"], "ask.vfs_write%return"),
        (&["--writes", &written], "ask."),
        (&[&stacks[..], &["--limit", "3"]].concat(), "ask."),
    ] {
        let found = answers(&recorded, &[arguments, &["-o", kept.to_str().expect("a plain name")]].concat());
        let events = json(&kept, &["events", "--function", name]);
        let events = events["events"].as_array().expect("a list");
        assert!(!found.is_empty() && found.len() == events.len(), "{arguments:?}: {found:#?}, {events:#?}");
        found.iter().zip(events).for_each(|(answer, event)| assert_same(answer, event));
        for command in [&["report", "--all"][..], &["path", &number], &["why", &number], &["summary"]] {
            assert!(told(&kept, command) == told(&plain, command), "{arguments:?}: {command:?}");
        }
        let findings = |trace| json(trace, &["verify"])["findings"].clone();
        assert_eq!(findings(&kept), findings(&plain));
    }
}

/// An answer has the context and the task of the event of a probe at the same place.
#[test]
fn an_answer_is_an_event_as_that_of_a_probe() {
    let recorded = recording(&DEMO);
    let (plain, kept) = (recorded.join("trace.iot"), folder("traces").join("probed.iot"));
    let questions = ["vfs_write count", "bio_endio bio->bi_iter.bi_size"];
    let found = answers(&recorded, &[&questions[..], &["-o", kept.to_str().expect("a plain name")]].concat());
    let both = json(&kept, &["events", "--clock", &workload(&plain)]);
    let of = |prefix: &str, at: &str| {
        let is_asked = |event: &&Value| {
            let names = ["vfs_write", "bio_endio"].map(|name| format!("{prefix}{name}"));
            event["at"] == at && names.iter().any(|name| event["name"] == **name)
        };
        let all = both["events"].as_array().expect("a list").iter().filter(is_asked);
        all.map(|event| ["clock", "context", "task", "vcpu"].map(|key| event[key].clone()))
            .collect::<Vec<_>>()
    };
    let asked = of("ask.", "inserted");
    assert!(
        asked.len() == found.len() && asked.iter().any(|[_, context, ..]| context != "task"),
        "{asked:?}"
    );
    assert_eq!(asked, of("", "entry"));
}

/// A trace that cannot be written is refused before the replay, a text that is too long with its field.
#[test]
fn answers_that_cannot_be_kept_are_refused() {
    let recorded = recording(&DEMO);
    let output = |name: &str| folder("traces").join(name);
    for (question, output, reason) in [
        ("vfs_write count", recorded.join("trace.iot"), "is the trace of the recording"),
        ("vfs_write count", output("nowhere/asked.iot"), "no directory"),
        ("vfs_write whole=*file", output("never.iot"), "field \"whole\": its longest text needs"),
    ] {
        let refused = run(ask(&recorded, &[question]).arg("-o").arg(&output));
        assert!(refused.status.code() == Some(1) && said(&refused).contains(reason), "{}", said(&refused));
    }
}

/// A line is executed, and a variable is written, where gdb stops for it.
#[test]
fn answers_are_those_of_gdb() {
    let recorded = recording(&DEMO);
    let source = format!("source {}", checkout().join("tests/debugger/stops.py").display());
    for (arguments, place) in [
        (&["fs/iomap/direct-io.c:323 bio->bi_opf pos"][..], "fs/iomap/direct-io.c:323"),
        (&["--writes", "jiffies_64"], "watch -l jiffies_64"),
    ] {
        let printed = succeed(&mut gdb(&recorded, &[], &[&format!("python PLACE = '{place}'"), &source]));
        let stops = printed.lines().filter_map(|line| line.strip_prefix("stop "));
        let stops: Vec<u64> = stops.map(|clock| clock.parse().expect("a clock")).collect();
        let found = answers(&recorded, arguments);
        assert!(stops.len() >= 4 && clocks(&found) == stops, "{place}: {stops:?}, {found:?}");
    }
}

/// A question that cannot be answered is refused, with what is near.
#[test]
fn a_question_is_refused_with_what_is_near() {
    let recorded = recording(&DEMO);
    for (arguments, reason) in [
        (&["vfs_writ"][..], "no function 'vfs_writ' in this kernel; near it: vfs_write"),
        (&["vfs_write cont"], "no variable 'cont' at vfs_write; did you mean count?"),
        (&["vfs_write file->f_poss"], "Did you mean f_pos"),
        (&["fs/iomap/direct-io.c:2"], "no statement at line 2"),
        (&["nowhere/direct-io.c:2"], "no source file"),
        (&["iomap_sector%return"], "inlined wherever it is called"),
        (&["vfs_write $retval"], "known at %return only"),
        (&["--writes", "bio#99999.bi_status"], "no bio 99999"),
        (&["--writes", "nothing_such"], "has no address"),
        (&["vfs_write", "--clock", "5..6"], "before the begin of the recording"),
        (&["vfs_write", "--task", "nobody"], "no execution"),
        (&["vfs_write", "--where", "count=59"], "not allowed"),
        (&["4vfs"], "expected FUNCTION"),
        (&[], "one of the two"),
    ] {
        let refused = run(&mut ask(&recorded, arguments));
        let said = said(&refused);
        assert!(refused.status.code() == Some(1) && said.contains(reason), "{arguments:?}: {said}");
        assert!(!said.contains("Traceback"), "{said}");
    }
}
