//! Guests that are traced while they run: what QEMU cannot replay.

use iotrace_tests::{built, folder, json, run, said, script, succeed};
use serde_json::Value;

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Each bio of the workload has its completion on the namespace that carried it, and the manifest says that there is
/// nothing to replay.
#[test]
fn an_nvme_guest_is_traced_and_not_replayed() {
    let live = folder("live").join("nvme");
    let record = |more: &[&str]| {
        let mut command = script("record");
        command.args(["debian-6.1", "--controller", "nvme", "--workload", "direct:count=4"]);
        command.arg("--plugin").arg(built("libiotrace.so"));
        command.args(["--force", "-o"]).arg(&live).args(more);
        command
    };
    let refused = run(&mut record(&[]));
    assert!(!refused.status.success() && said(&refused).contains("use --trace"), "{}", said(&refused));
    succeed(&mut record(&["--trace"]));
    let trace = live.join("trace.iot");
    let report = json(&trace, &["report"]);
    let bios = list(&report["bios"]);
    let data: Vec<_> = bios.iter().filter(|bio| bio["bytes"].as_u64() >= Some(4096)).collect();
    assert!(data.len() >= 16, "{report}");
    let (below, above): (Vec<&Value>, Vec<&Value>) =
        data.iter().copied().partition(|bio| bio["device_name"] == "nvme0c0n1");
    assert_eq!((below.len(), below.len() + above.len()), (above.len(), data.len()), "{report}");
    // While the controller still looks at its queue, the driver writes no doorbell (shadow doorbells).
    let mut rung = 0;
    for bio in &below {
        let stages: Vec<_> =
            list(&bio["stages"]).iter().filter_map(|stage| stage["stage"].as_str()).collect();
        rung += usize::from(stages.contains(&"doorbell"));
        let reached = ["issued", "driver", "interrupt", "completed", "ended"]
            .iter()
            .all(|stage| stages.contains(stage));
        assert!(reached, "{bio}");
    }
    assert!(2 * rung >= below.len(), "{rung} of {}", below.len());
    let ios = list(&report["ios"]);
    for call in ["pwrite", "pread"] {
        let of_call: Vec<_> = ios.iter().filter(|io| io["syscall"] == call).collect();
        assert_eq!(of_call.len(), 4, "{call}: {report}");
        assert!(of_call.iter().all(|io| !list(&io["bios"]).is_empty()), "{call}: {report}");
    }
    let text = succeed(&mut iotrace_tests::analyze(&["report"], &trace));
    // A doorbell comes after its command's request was issued.
    assert!(!text.contains("stages out of order"), "{text}");
    assert!(text.contains(", not replayable\n"), "{text}");
    let replayed = run(script("replay").arg(&live));
    assert!(
        !replayed.status.success() && said(&replayed).contains("cannot be replayed"),
        "{}",
        said(&replayed)
    );
}
