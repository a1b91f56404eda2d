//! Profiles by hand, and what is said of them.

use super::*;
use crate::plan::EntryPlan;
use crate::{Action, CatalogPart};
use iotrace_format::layer::Layer;

fn function(name: &str, place: FunctionLocation, stage: Option<Stage>) -> ProbedFunction {
    ProbedFunction {
        name: name.into(),
        symbols: vec![name.into()],
        place,
        size: 0,
        cold: None,
        offset: 0,
        inside: Vec::new(),
        layer: Layer::Driver,
        stage,
        label: String::new(),
        action: Action::default(),
        file: String::new(),
        line: 0,
        entry: EntryPlan::default(),
        exit: None,
    }
}

fn controller(name: &str, entry: &str, interrupt: &str, doorbell: &str) -> Controller {
    Controller {
        qemu: vec![name.into(), format!("{name}-alias")],
        module: format!("{name}_mod"),
        entry: vec!["never".into(), entry.into()],
        interrupt: vec![interrupt.into()],
        doorbell: doorbell.into(),
        replay: String::new(),
        live_only: false,
    }
}

fn profile() -> Profile {
    let part = |title: &str, functions: &[&str]| CatalogPart {
        title: title.into(),
        functions: functions.iter().map(|name| (*name).to_owned()).collect(),
    };
    let of_module = || FunctionLocation::Module("a_mod".into());
    Profile {
        banner: "Linux version 6.1.0-50-amd64 (debian-kernel)\n".into(),
        functions: vec![
            function("queue_a", of_module(), Some(Stage::CommandDispatch)),
            function("irq_a", FunctionLocation::Image(1), Some(Stage::IrqDriver)),
            function("ring_a", of_module(), Some(Stage::CommandDoorbell)),
            function("queue_b", FunctionLocation::Image(2), Some(Stage::CommandDispatch)),
            function("run", FunctionLocation::Elsewhere, Some(Stage::parse("sq.run").unwrap())),
        ],
        parts: vec![
            part("Drivers", &["queue_a", "irq_a", "ring_a", "queue_b"]),
            part("Single", &["run", "gone"]),
        ],
        controllers: vec![
            controller("a", "queue_a", "irq_a", "ring_a"),
            controller("b", "queue_b", "irq_b", "b"),
            controller("c", "queue_c", "irq_a", "ring_a"),
            Controller { module: String::new(), ..controller("none", "x", "y", "z") },
        ],
        missing_stages: vec![Stage::parse("sq.run").unwrap()],
        lines: true,
        ..Profile::default()
    }
}

#[test]
fn drivers_are_whole_partly_there_or_absent() {
    let summary = summary(&profile());
    let drivers: Vec<_> = summary
        .drivers
        .iter()
        .map(|d| (d.controller.as_str(), d.is_whole(), d.is_absent, d.missing.join("; ")))
        .collect();
    assert_eq!(
        drivers,
        [
            ("a", true, false, String::new()),
            ("b", false, false, "interrupt (irq_b); doorbell (b)".into()),
            ("c", false, true, String::new()),
        ]
    );
    assert_eq!((summary.found, summary.entries), (4, 6));
    assert_eq!(summary.parts[0].modules, ["a_mod"]);
    assert_eq!(summary.parts[1].missing_stages, ["sq.run"]);
    assert_eq!((summary.parts[0].is_absent, summary.parts[1].is_absent), (false, true));
}

#[test]
fn a_part_is_there_if_others_tell_its_stages_and_a_driver_if_its_module_is() {
    let mut profile = profile();
    // As deadline, noop and cfq, which leave it to the block layer to tell that a request is inserted.
    profile.functions.push(function("noop_add_request", FunctionLocation::Image(3), None));
    profile.functions.push(function("new_insert", FunctionLocation::Elsewhere, Some(Stage::CommandDispatch)));
    profile.parts.push(CatalogPart {
        title: "Schedulers".into(),
        functions: vec!["noop_add_request".into(), "new_insert".into()],
    });
    // As nvme.ko of 3.10, whose driver has no function with a command yet.
    profile.functions.push(function(
        "irq_c",
        FunctionLocation::Module("c_mod".into()),
        Some(Stage::IrqDriver),
    ));
    let summary = summary(&profile);
    assert_eq!((summary.parts[2].found, summary.parts[2].is_absent), (1, false));
    let driver = &summary.drivers[2];
    assert_eq!(
        (driver.is_absent, driver.missing.join("; ")),
        (false, "entry of the driver (never, queue_c)".into())
    );
}

#[test]
fn the_line_of_a_summary_has_what_is_missing() {
    assert_eq!(
        summary(&profile()).to_string(),
        "Linux 6.1.0-50-amd64: 4 of 6 catalog functions found; drivers: a_mod; b_mod without interrupt (irq_b), doorbell (b); \
         tasks are unknown: current_task was not found; the context of events (task, softirq or \
         interrupt) is unknown: preempt_count was not found; functions of modules are not traced: the layout of struct module \
         is unknown"
    );
}
