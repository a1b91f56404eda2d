//! What users of the library rely on: the types of the model are serialized, and pass between threads.

use super::*;
use serde::Serialize;

const fn is_plain_data<T: Serialize + Send + Sync>() {}

/// Compiled is passed.
const _: () = {
    is_plain_data::<Attempt>();
    is_plain_data::<Bio>();
    is_plain_data::<BioStage>();
    is_plain_data::<BlockEvent>();
    is_plain_data::<BlockKind>();
    is_plain_data::<Call>();
    is_plain_data::<CallEnd>();
    is_plain_data::<Carried>();
    is_plain_data::<Cause>();
    is_plain_data::<Comm>();
    is_plain_data::<CompletionWay>();
    is_plain_data::<DispatchWay>();
    is_plain_data::<Ending>();
    is_plain_data::<File>();
    is_plain_data::<FileCall>();
    is_plain_data::<FileCallKind>();
    is_plain_data::<FlushRide>();
    is_plain_data::<Handover>();
    is_plain_data::<HandoverKind>();
    is_plain_data::<Io>();
    is_plain_data::<IrqRef>();
    is_plain_data::<Join>();
    is_plain_data::<Level>();
    is_plain_data::<Op>();
    is_plain_data::<OpField>();
    is_plain_data::<OpName>();
    is_plain_data::<Origin>();
    is_plain_data::<Point>();
    is_plain_data::<Raise>();
    is_plain_data::<Request>();
    is_plain_data::<RequestKind>();
    is_plain_data::<RequestMember>();
    is_plain_data::<Rider>();
    is_plain_data::<StageMark>();
    is_plain_data::<Switch>();
    is_plain_data::<Task>();
    is_plain_data::<TimeMap>();
    is_plain_data::<Update>();
    is_plain_data::<Wait>();
    is_plain_data::<WorkloadMark>();
};

fn serialized(value: impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn what_has_a_name_is_serialized_as_its_name() {
    for stage in BioStage::ALL {
        assert_eq!(serialized(stage), stage.name());
    }
    for kind in BlockKind::ALL {
        assert_eq!(serialized(kind), kind.name());
    }
    for level in [Level::Unknown, Level::Task, Level::Softirq, Level::Hardirq, Level::Nmi] {
        assert_eq!(serialized(level), level.name());
    }
    for kind in [FileCallKind::Read, FileCallKind::Write, FileCallKind::Fsync] {
        assert_eq!(serialized(kind), kind.name());
    }
    assert_eq!(serialized(OpName::Other(77)), "op-77");
    assert_eq!(serialized(Comm::from_text("kworker/0:1")), "kworker/0:1");
}

#[test]
fn times_are_serialized_as_clocks_and_objects_with_their_addresses() {
    let task = Task { address: 0xffff, pid: 7, tgid: 6, comm: Comm::from_text("dd") };
    let thread = Cause::Thread { task, by: Some(std::sync::Arc::new(Cause::Softirq)) };
    let task = serde_json::json!({ "address": 0xffff, "pid": 7, "tgid": 6, "comm": "dd" });
    let expected = serde_json::json!({ "kind": "thread", "task": task, "by": { "kind": "softirq" } });
    assert_eq!(serialized(thread), expected);
    assert_eq!(serialized(Update { clock: 5, bytes: 512, error: 0 })["clock"], 5);
}
