//! Profiles of Firefox's profiler, read back: tables have their lengths, indices are in them, weights add up.

use crate::commands::export::format::FormatName;
use crate::commands::export::rows::RecordTable;
use crate::commands::export::tests::one;
use iotrace::Session;
use iotrace::analysis::records::RecordQuery;
use iotrace_synthetic_guest::{buffered, direct_write, small};
use serde_json::Value;

fn profile(guest: &iotrace_synthetic_guest::SyntheticGuest) -> Value {
    let file = one(guest, FormatName::Firefox, RecordTable::Ios, &RecordQuery::default());
    serde_json::from_slice(&file).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The columns of a table that are there have its length.
fn columns_are_equally_long(table: &Value) -> usize {
    let length = table["length"].as_u64().unwrap() as usize;
    let columns = table.as_object().unwrap().values().filter_map(Value::as_array);
    assert!(columns.map(Vec::len).all(|column| column == length), "{table}");
    length
}

/// Indices, where there are any, are within a table.
fn are_within(column: &[Value], length: usize) {
    assert!(
        column.iter().filter(|at| !at.is_null()).all(|at| at.as_u64().unwrap() < length as u64),
        "{column:?} {length}"
    );
}

#[test]
fn weights_add_up_to_the_workload_and_indices_are_in_their_tables() {
    for guest in [direct_write(), buffered(), small()] {
        let profile = profile(&guest);
        let mut sum = 0;
        for thread in list(&profile, "threads") {
            let tables =
                ["samples", "stackTable", "frameTable", "funcTable", "markers"].map(|name| &thread[name]);
            let [_, stacks, frames, functions, _] = tables.map(columns_are_equally_long);
            are_within(list(&thread["samples"], "stack"), stacks);
            are_within(list(&thread["stackTable"], "frame"), frames);
            are_within(list(&thread["frameTable"], "func"), functions);
            let strings = list(thread, "stringArray").len();
            are_within(list(&thread["funcTable"], "name"), strings);
            are_within(list(&thread["markers"], "name"), strings);
            let prefixes = list(&thread["stackTable"], "prefix").iter().enumerate();
            assert!(
                prefixes
                    .filter_map(|(at, prefix)| Some((at, prefix.as_u64()?)))
                    .all(|(at, prefix)| prefix < at as u64)
            );
            sum +=
                list(&thread["samples"], "weight").iter().map(|weight| weight.as_u64().unwrap()).sum::<u64>();
        }
        let session = Session::from_bytes(guest.file()).unwrap();
        let (begin, end) = iotrace::analysis::workload(&session.times().unwrap().marks).unwrap_or((0, None));
        let last = guest.events.iter().map(|event| event.clock).max().unwrap();
        assert_eq!(sum, end.unwrap_or(last) - begin);
    }
}

#[test]
fn threads_are_tasks_interrupts_and_devices() {
    let profile = profile(&direct_write());
    let mut all = String::new();
    for thread in list(&profile, "threads") {
        let strings = list(thread, "stringArray");
        let name = |at: &Value| strings[at.as_u64().unwrap() as usize].as_str().unwrap();
        all +=
            &format!("{}: {}\n", thread["processName"].as_str().unwrap(), thread["name"].as_str().unwrap());
        for (stack, weight) in
            list(&thread["samples"], "stack").iter().zip(list(&thread["samples"], "weight"))
        {
            let mut frames = Vec::new();
            let mut at = stack.as_u64();
            while let Some(stack) = at.map(|at| at as usize) {
                let frame = thread["stackTable"]["frame"][stack].as_u64().unwrap() as usize;
                let function = thread["frameTable"]["func"][frame].as_u64().unwrap() as usize;
                frames.insert(0, name(&thread["funcTable"]["name"][function]));
                at = thread["stackTable"]["prefix"][stack].as_u64();
            }
            all += &format!("  {} {weight}\n", frames.join(";"));
        }
        let markers = list(&thread["markers"], "name").iter().zip(list(&thread["markers"], "data"));
        for (at, (marker, data)) in markers.enumerate() {
            let times = ["startTime", "endTime"].map(|time| &thread["markers"][time][at]);
            all += &format!("  {} {} to {}: {}\n", name(marker), times[0], times[1], data);
        }
    }
    insta::assert_snapshot!(all);
}
