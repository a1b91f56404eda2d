//! Under which names tasks are shown: those of the moment, not those that their addresses have later.

use super::*;
use iotrace_synthetic_guest::reused;

fn shown(task: &Task) -> String {
    format!("{}/{}", task.comm, task.pid)
}

#[test]
fn each_context_and_wake_up_has_the_task_of_its_moment() {
    for (number, contexts, woken) in [(1, &["dd/42", "sh/50"][..], &["dd/42"][..]), (2, &["next/80"], &[])] {
        let path = listing(&reused(), &Wanted::Io(number));
        assert_eq!(path.segments.iter().map(|segment| shown(&segment.task)).collect::<Vec<_>>(), contexts);
        assert_eq!(path.woken.values().map(shown).collect::<Vec<_>>(), woken);
    }
}
