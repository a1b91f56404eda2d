//! `witness`: calls in one another that began before the guest's own tracing.

use super::crafted::{Crafted, TASK_A};
use super::{MANY, line, printed, run, text};
use iotrace_format::event::{MARK_BEGIN, MARK_END};

#[test]
fn calls_that_are_open() {
    let mut trace = Crafted::default();
    trace.name_task(TASK_A, 1);
    let ((open, _), (call, returned)) = (trace.plain_call("f"), trace.plain_call("g"));
    (0..MANY / 4).for_each(|_| trace.event(open, &[]));
    trace.mark(MARK_BEGIN);
    for _ in 0..100 {
        trace.event(call, &[]);
        trace.event(returned, &[0]);
    }
    trace.mark(MARK_END);
    let folder = tempfile::tempdir().unwrap();
    let [file, witness] = ["trace.iot", "witness"].map(|name| folder.path().join(name));
    std::fs::write(&file, trace.file()).unwrap();
    let head =
        "# traced: f\n# traced: g\n# tracer: function_graph\n# CPU  TASK/PID  DURATION  FUNCTION CALLS\n";
    let said = head.to_owned() + &" 0)  dd-1  |  1.0 us  |  g();\n".repeat(100);
    std::fs::write(&witness, said).unwrap();
    let said = printed(&run(&["witness", text(&file), text(&witness)]), 0);
    assert!(line(&said, "100 calls").contains("100 returns"), "{said}");
}
