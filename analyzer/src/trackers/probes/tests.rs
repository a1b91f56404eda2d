//! What probes say, by role.

use super::*;
use iotrace_synthetic_guest::probe;

fn event(kind: KindId, words: &[u64]) -> Event<'_> {
    Event { kind, vcpu: 0, clock: 0, context: 0, task: 0, stack: 0, words }
}

fn define(probes: &mut Probes, id: KindId, (stage, at): (&str, At), words: &[&str]) {
    probes.define(&probe(id, stage, at, words.iter().map(|word| (*word).to_owned()).collect()));
}

#[test]
fn values_are_found_by_role() {
    let mut probes = Probes::default();
    define(&mut probes, FIRST_PROBE + 2, ("cmd.start", At::Entry), &["x", "cmd", "cmd.rq", "cmd"]);
    define(&mut probes, FIRST_PROBE + 3, ("cmd.start", At::Exit), &["ret"]);
    define(&mut probes, FIRST_PROBE - 1, ("cmd.start", At::Exit), &["ret"]);
    let words = [1, 2, 3, 4];
    let event_of_it = event(FIRST_PROBE + 2, &words);
    let roles = probes.words(&event_of_it).unwrap();
    assert_eq!(
        (roles.get(Role::Command), roles.get(Role::Request), roles.get(Role::Bio)),
        (Some(2), Some(3), None)
    );
    assert_eq!(
        (roles.command(), roles.request(), roles.at(), roles.has_exit()),
        (Some(2), Some(3), At::Entry, true)
    );
    assert_eq!(roles.any([Role::Bio, Role::Request, Role::Command]), Some(3));
    assert_eq!(
        (roles.stage(), probes.stage(FIRST_PROBE + 2)),
        (Some(&Stage::CommandStart), Some(&Stage::CommandStart))
    );
    assert_eq!(&*probes.name(roles.function()), "cmd_start_function");
    let zeroes = [0; 4];
    let event_of_it = event(FIRST_PROBE + 2, &zeroes);
    let roles = probes.words(&event_of_it).unwrap();
    assert_eq!((roles.command(), roles.request(), roles.get(Role::Command)), (None, None, Some(0)));
    for kind in [0, FIRST_PROBE - 1, FIRST_PROBE, FIRST_PROBE + 4] {
        assert!(probes.words(&event(kind, &words)).is_none() && probes.stage(kind).is_none());
    }
    assert_eq!(&*probes.name(7), "");
}

#[test]
fn a_function_is_told_by_its_name_symbol_and_module() {
    let mut probes = Probes::default();
    let all =
        [("hw.run", None), ("hw.work", None), ("hw.run", Some("a")), ("hw.run", Some("b")), ("hw.run", None)];
    let numbers: Vec<_> = (FIRST_PROBE..)
        .zip(all)
        .map(|(id, (stage, module))| {
            let probe = Probe { module: module.map(str::to_owned), ..probe(id, stage, At::Entry, vec![]) };
            probes.define(&probe);
            probes.words(&event(id, &[])).unwrap().function()
        })
        .collect();
    assert_eq!(numbers, [0, 1, 2, 3, 0]);
}

#[test]
fn a_system_call_has_its_name() {
    let mut probes = Probes::default();
    define(&mut probes, FIRST_PROBE, ("sys.pwrite64", At::Entry), &[]);
    define(&mut probes, FIRST_PROBE + 1, ("hw.run", At::Entry), &[]);
    let name = |kind| probes.words(&event(kind, &[])).unwrap().syscall();
    assert_eq!((&*name(FIRST_PROBE), &*name(FIRST_PROBE + 1)), ("pwrite64", ""));
}

#[test]
fn success_is_what_the_exit_says() {
    let mut probes = Probes::default();
    define(&mut probes, FIRST_PROBE, ("rq.insert", At::Exit), &["ret"]);
    define(&mut probes, FIRST_PROBE + 1, ("rq.merge", At::Exit), &["ret"]);
    define(&mut probes, FIRST_PROBE + 2, ("hw.run", At::Exit), &["ret"]);
    for (function, returned, expected) in [
        (0, Some(0), true),
        (0, Some(1), false),
        (0, None, true),
        (1, Some(0), false),
        (1, Some(7), true),
        (2, Some(0), true),
        (2, Some(1), true),
        (9, Some(1), true),
    ] {
        assert_eq!(probes.succeeded(function, returned), expected, "{function} {returned:?}");
    }
}

// A start that is told by its command or its request counts, for its own module's dispatch functions.
#[test]
fn drivers_tell_of_starts_or_not() {
    for (words, module, tells) in [
        (&["cmd"][..], "sym53c8xx", true),
        (&["rq"], "sym53c8xx", true),
        (&["ccb"], "sym53c8xx", false),
        (&["cmd"], "other", false),
    ] {
        let mut probes = Probes::default();
        define(&mut probes, FIRST_PROBE, ("cmd.dispatch", At::Entry), &["cmd"]);
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let start = probe(FIRST_PROBE + 1, "cmd.start", At::Entry, words);
        probes.define(&Probe { module: Some(module.to_owned()), ..start });
        assert_eq!((probes.tells_start(0), probes.tells_start(1)), (tells, false), "{module}");
    }
}
