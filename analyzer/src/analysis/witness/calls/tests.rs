use super::*;
use crate::analysis::witness::graph;
use crate::model::Level;
use iotrace_format::definition::Definition;

fn definitions(probes: &[(KindId, At, &str, Option<&str>)]) -> Definitions {
    let mut definitions = Definitions::default();
    for (id, at, symbol, module) in probes {
        definitions.add(&Definition::Probe(Probe {
            id: *id,
            at: *at,
            function: "its catalog's name".into(),
            symbol: (*symbol).into(),
            module: module.map(str::to_owned),
            ..Probe::default()
        }));
    }
    definitions
}

fn call(id: CallId, parent: CallId, kind: KindId, boundary: bool) -> Call {
    Call {
        id,
        parent: Some(parent).filter(|parent| *parent > 0),
        depth: 0,
        depth_in_context: 0,
        kind,
        clock: 10 * id,
        task: 0xf00,
        level: Level::Task,
        boundary,
        caller: 0,
    }
}

fn end(id: CallId) -> CallEnd {
    CallEnd {
        id,
        kind: 0,
        clock: 100 - 10 * id,
        own: 0,
        total: 0,
        ending: Ending::Returned,
        returned: None,
        returns: None,
    }
}

const PROBES: &[(KindId, At, &str, Option<&str>)] = &[
    (64, At::Entry, "f.isra.0", Some("xfs")),
    (65, At::Exit, "f.isra.0", Some("xfs")),
    (66, At::Entry, "frame", None),
    (67, At::Entry, "g", None),
    (68, At::Exit, "g", None),
    (69, At::Entry, "hidden", None),
    (70, At::Exit, "hidden", None),
    (71, At::Entry, "twice", None),
    (72, At::Exit, "twice", None),
    (73, At::Inlined, "g", None),
];
const TEXT: &str = "\
# traced: f.isra.0 [xfs]
# traced: g
# traced: twice
# traced: twice
# traced: other
# tracer: function_graph
# CPU  TASK/PID  DURATION  FUNCTION CALLS
 0)  dd-7  |  |  f.isra.0 [xfs]() {
 0)  dd-7  |  |    other() {
 0)  dd-7  |  |      g();
 0)  dd-7  |  |    }
 0)  dd-7  |  |  }
";

#[test]
fn only_what_both_saw_is_left() {
    let graph = graph::parse(TEXT).unwrap().unwrap();
    // f { frame { hidden { g } } }
    let mut all = AllCalls::default();
    for (id, kind) in [(1, 64), (2, 66), (3, 69), (4, 67), (5, 71)] {
        all.entered(&call(id, id - 1, kind, kind == 66), 7);
    }
    (1..=5).rev().for_each(|id| all.left(&end(id)));
    let (theirs, ours, common) = sides(&graph, &all, &definitions(PROBES), None);
    assert_eq!(common.names, ["f.isra.0 [xfs]", "g"]);
    for side in [&theirs, &ours] {
        let steps: Vec<_> = side.steps.iter().map(|step| (step.way, step.call)).collect();
        assert_eq!(steps, [(Way::In, 0), (Way::In, 1), (Way::Out, 1), (Way::Out, 0)]);
        let calls: Vec<_> = side.calls.iter().map(|c| (c.function, c.task, c.parent, c.entered)).collect();
        assert_eq!(calls, [(0, 7, None, 0), (1, 7, Some(0), 1)]);
    }
    // The second call is the interrupt.
    assert_eq!(ours.calls.iter().map(|call| call.interrupt).collect::<Vec<_>>(), [None, Some(1)]);
    assert_eq!(ours.interrupts, BTreeMap::from([(1, None)]));
    let set = |name: &str| BTreeSet::from([name.to_owned()]);
    let left_out = LeftOut {
        not_followed: set("hidden"),
        ambiguous: set("twice"),
        without_returns: set("frame"),
        not_probed: set("other"),
    };
    assert_eq!(common.left_out, left_out);
}

#[test]
fn a_system_call_is_compared_under_either_of_its_names() {
    let text = "\
# traced: SyS_read
# tracer: function_graph
# CPU  TASK/PID  DURATION  FUNCTION CALLS
 0)  dd-7  |  |  SyS_read() {
 0)  dd-7  |  |  } /* SyS_read */
";
    let probes = [(64, At::Entry, "sys_read", None), (65, At::Exit, "sys_read", None)];
    let graph = graph::parse(text).unwrap().unwrap();
    let (theirs, _, common) = sides(&graph, &AllCalls::default(), &definitions(&probes), None);
    assert_eq!((theirs.steps.len(), &common.names[..]), (2, &["sys_read".to_owned()][..]));
    assert_eq!(common.left_out, LeftOut::default());
}

#[test]
fn without_a_list_what_was_seen_was_followed() {
    let text: String =
        TEXT.lines().filter(|l| !l.starts_with("# traced")).map(|l| format!("{l}\n")).collect();
    let graph = graph::parse(&text).unwrap().unwrap();
    let (_, _, common) = sides(&graph, &AllCalls::default(), &definitions(PROBES), None);
    assert_eq!(common.names, ["f.isra.0 [xfs]", "g"]);
}

#[test]
fn a_call_is_full_if_it_is_the_last_that_there_is_room_for_and_none_is_in_it() {
    let text = |depth: usize| {
        let deep = " 0)  dd-7  |  |  g() {\n".repeat(depth - 1);
        let back = " 0)  dd-7  |  |  }\n".repeat(depth - 1);
        format!(
            "# traced: g\n# tracer: function_graph\n# CPU  TASK/PID  DURATION  FUNCTION CALLS\n{deep} 0)  dd-7  |  |  g();\n{back}"
        )
    };
    for (depth, expected) in [(RETFUNC_DEPTH - 1, 0), (RETFUNC_DEPTH, 1), (RETFUNC_DEPTH + 1, 0)] {
        let graph = graph::parse(&text(depth)).unwrap().unwrap();
        let (theirs, _, _) = sides(&graph, &AllCalls::default(), &definitions(PROBES), None);
        assert_eq!(theirs.calls.iter().filter(|call| call.full).count(), expected, "{depth}");
    }
}
