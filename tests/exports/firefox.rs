//! No importer of Firefox's profiler can be had as a package: what is tested is that a profile is consistent, as its format
//! describes, and that its weights are the instructions of the workload.

use super::{exported, traces};
use iotrace_tests::json;
use iotrace_tests::readers::unproved;
use serde_json::Value;

#[test]
fn exports_for_the_firefox_profiler_are_consistent() {
    for (name, trace) in traces() {
        let text = std::fs::read_to_string(exported(&trace, name, "firefox", &[])).expect("it is text");
        let profile: Value = serde_json::from_str(&text).expect("it is JSON");
        let list = |value: &Value, name: &str| {
            value[name].as_array().cloned().unwrap_or_else(|| panic!("no {name}"))
        };
        let (mut sum, mut ios, mut bios) = (0, 0, 0);
        for thread in list(&profile, "threads") {
            for table in ["samples", "stackTable", "frameTable", "funcTable", "markers"] {
                let length = thread[table]["length"].as_u64().expect("a number") as usize;
                let columns =
                    thread[table].as_object().expect("an object").values().filter_map(Value::as_array);
                assert!(columns.map(Vec::len).all(|column| column == length), "{name}: {table}");
            }
            let stacks = thread["stackTable"]["length"].as_u64();
            assert!(
                list(&thread["samples"], "stack")
                    .iter()
                    .all(|stack| stack.is_null() || stack.as_u64() < stacks)
            );
            sum += list(&thread["samples"], "weight").iter().filter_map(Value::as_u64).sum::<u64>();
            let markers = list(&thread["markers"], "data");
            ios += markers.iter().filter(|marker| marker["type"] == "io").count();
            bios += markers.iter().filter(|marker| marker["type"] == "bio").count();
        }
        assert_eq!(json(&trace, &["summary"])["instructions"].as_u64(), Some(sum), "{name}");
        let report = json(&trace, &["report"]);
        let count = |table: &str| report[table].as_array().expect("a list").len();
        assert_eq!((ios, bios), (count("ios"), count("bios")), "{name}");
    }
    unproved("firefox", "profiler", "its tables and sums are checked");
}
