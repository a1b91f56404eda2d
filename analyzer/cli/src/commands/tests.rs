//! Views as snapshots of traces built by hand.

use super::path::text::PathOptions;
use super::report::text::{CellTime, Options, TimeUnit};
use crate::view::text::Style;
use iotrace::Session;
use iotrace::analysis::conditions::{Conditions, OpIs};
use iotrace::analysis::describe::Described;
use iotrace::analysis::events::{Filter, events as give, times};
use iotrace::analysis::path::{ListingShape, path};
use iotrace::analysis::report::ReportQuery;
use iotrace::analysis::subject::Wanted;
use iotrace::analysis::{diff, explain, info, report, timeline, whatif, why, witness};
use iotrace::model::{BlockKind, Comm};
use iotrace_format::definition::Definition;
use iotrace_format::event::{self, CLOCK, TIME};
use iotrace_format::layer::Layer;
use iotrace_synthetic_guest::{SyntheticGuest, buffered, changed_write, direct_write, failing, small};
use std::collections::BTreeSet;
use std::io::Write;

fn file() -> Session {
    Session::from_bytes(small().file()).unwrap()
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const PLAIN: Options = Options {
    style: Style { colour: false, width: None },
    times: CellTime::SinceQueued,
    unit: TimeUnit::Ns,
    summary: false,
};

const SOURCES: PathOptions = PathOptions { style: PLAIN.style, source: true };

#[test]
fn report() {
    let report = of(&small(), &ReportQuery::default());
    insta::assert_snapshot!(text(|out| super::report::text::write_text(out, &report, PLAIN)));
}

fn of(guest: &SyntheticGuest, question: &ReportQuery) -> report::Report {
    let file = Session::from_bytes(guest.file()).unwrap();
    report::report(&file, question, &mut |_| {}).unwrap()
}

/// A read that succeeds with its third attempt, and one that fails: why, how often, and how each ended.
#[test]
fn report_of_commands_that_fail() {
    let report = of(&failing(), &ReportQuery::default());
    let text = text(|out| super::report::text::write_text(out, &report, PLAIN));
    let row = |bio: &str| text.lines().find(|line| line.trim_start().starts_with(bio)).map(str::trim_end);
    assert!(
        row("bio").is_some_and(|heads| heads.contains("D1") && heads.ends_with("attempts  outcome")),
        "{text}"
    );
    let retried = "3  2x Aborted Command b/00/06, ended without error";
    assert!(row("#1").is_some_and(|row| row.ends_with(retried)), "{text}");
    let failed = "1  1x Medium Error 3/11/00, ended with 10(IOERR)";
    assert!(row("#2").is_some_and(|row| row.ends_with(failed)), "{text}");
    let summary =
        "  R: 2 bios, 8.0 KiB, 1 retried, 1 failed; 1x Medium Error 3/11/00; 2x Aborted Command b/00/06\n";
    assert!(text.contains(summary), "{text}");
    let json = self::text(|out| super::report::json::write(out, &report));
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let errors = &document["bios"][0]["errors"];
    assert_eq!(errors[1]["sense"], serde_json::json!({"key": 11, "asc": 0, "ascq": 6}));
    assert_eq!((errors[1]["command"].as_u64(), document["bios"][0]["attempts"].as_u64()), (Some(2), Some(3)));
}

#[test]
fn bio_whose_commands_fail() {
    let file = Session::from_bytes(failing().file()).unwrap();
    let timeline = timeline::timeline(&file, 1, &mut |_| {}).unwrap().unwrap();
    let text = text(|out| super::bio::text::write_text(out, &timeline, Style::default()));
    let titles: Vec<_> = text.lines().filter(|line| line.starts_with("Command ")).collect();
    let failed = |command| format!("Command cmd{command} of rq1, failed: Aborted Command b/00/06");
    assert_eq!(titles, [failed(1), failed(2), "Command cmd3 of rq1".to_owned()], "{text}");
}

/// Without a failure there is no column for it.
#[test]
fn report_of_commands_that_do_not_fail_has_no_outcomes() {
    let report = of(&small(), &ReportQuery::default());
    let text = text(|out| super::report::text::write_text(out, &report, PLAIN));
    assert!(!text.contains("attempts") && !text.contains("outcome") && !text.contains("D1"), "{text}");
}

#[test]
fn report_of_system_calls() {
    let report = of(&buffered(), &ReportQuery::default());
    insta::assert_snapshot!(text(|out| super::report::text::write_text(out, &report, PLAIN)));
}

#[test]
fn report_of_what_fulfils_conditions() {
    let conditions =
        Conditions { fd: Some(3), size: Some(59..=59), op: Some(OpIs::Write), ..Conditions::default() };
    let report = of(&buffered(), &ReportQuery { conditions, ..ReportQuery::default() });
    assert_eq!(report.ios.iter().map(|io| io.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(report.bios.iter().map(|bio| bio.id).collect::<Vec<_>>(), [1]);
    let text = text(|out| super::report::text::write_text(out, &report, PLAIN));
    assert!(text.contains("\nI/Os (workload, matching the conditions): 2\n"), "{text}");
}

#[test]
fn report_of_system_calls_as_json() {
    let report = of(&buffered(), &ReportQuery { rows: 1, ..ReportQuery::default() });
    insta::assert_snapshot!(text(|out| super::report::json::write(out, &report)));
}

#[test]
fn bio_with_its_cause() {
    let file = Session::from_bytes(buffered().file()).unwrap();
    let timeline = timeline::timeline(&file, 1, &mut |_| {}).unwrap().unwrap();
    let text = text(|out| super::bio::text::write_text(out, &timeline, Style::default()));
    insta::assert_snapshot!(text.lines().take(8).collect::<Vec<_>>().join("\n"));
}

#[test]
fn path_names_the_bytes_of_a_file_as_bio_does() {
    let path = path(&Session::from_bytes(buffered().file()).unwrap(), &Wanted::Bio(1), &mut |_| {})
        .unwrap()
        .unwrap();
    let text = text(|out| {
        super::path::text::write_text(out, &path, &ListingShape::default(), PathOptions::default())
    });
    let data: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    data: ")).collect();
    let expected = [(0, 58, 1), (59, 117, 2)];
    assert_eq!(
        data,
        expected.map(|(from, to, io)| format!("bytes {from} to {to} of the file, written by I/O #{io}"))
    );
}

#[test]
fn report_of_everything_in_instructions() {
    let report = of(&small(), &ReportQuery { all: true, rows: 2, ..ReportQuery::default() });
    let options = Options { times: CellTime::Delta, unit: TimeUnit::Instructions, ..PLAIN };
    insta::assert_snapshot!(text(|out| super::report::text::write_text(out, &report, options)));
}

#[test]
fn report_as_json() {
    let report = of(&small(), &ReportQuery::default());
    insta::assert_snapshot!(text(|out| super::report::json::write(out, &report)));
}

#[test]
fn bio() {
    let timeline = timeline::timeline(&file(), 3, &mut |_| {}).unwrap().unwrap();
    insta::assert_snapshot!(text(|out| super::bio::text::write_text(out, &timeline, Style::default())));
}

#[test]
fn a_bio_that_is_not_there() {
    assert!(timeline::timeline(&file(), 99, &mut |_| {}).unwrap().is_none());
}

fn way() -> Session {
    Session::from_bytes(direct_write().file()).unwrap()
}

#[test]
fn path_of_a_direct_write() {
    let path = path(&way(), &Wanted::Syscall("pwrite".into(), 1), &mut |_| {}).unwrap().unwrap();
    let text = text(|out| super::path::text::write_text(out, &path, &ListingShape::default(), SOURCES));
    insta::assert_snapshot!(text);
}

#[test]
fn path_of_a_bio_in_two_layers() {
    let path = path(&way(), &Wanted::Bio(1), &mut |_| {}).unwrap().unwrap();
    let shape = ListingShape { depth: Some(2), ..ListingShape::default() };
    let text = text(|out| super::path::text::write_text(out, &path, &shape, PathOptions::default()));
    insta::assert_snapshot!(text);
}

#[test]
fn why_of_a_direct_write() {
    let why = why::why(&way(), &Wanted::Io(1), &mut |_| {}).unwrap();
    let whole: u64 = why.spans.iter().map(|span| span.to - span.from).sum();
    assert_eq!((whole, why.spans.windows(2).all(|pair| pair[0].to == pair[1].from)), (2050, true));
    insta::assert_snapshot!(text(|out| super::why::text::write_text(out, &why, Style::default())));
}

/// Without the preemption count no context is known: what needs it says so.
#[test]
fn answers_name_contexts_that_are_not_known() {
    let mut guest = direct_write();
    guest.events.iter_mut().for_each(|event| event.context = event::UNKNOWN_CONTEXT);
    let report = of(&guest, &ReportQuery::default());
    let report = text(|out| super::report::text::write_text(out, &report, PLAIN));
    let told = "events in an unknown context (task, softirq or interrupt)";
    assert!(report.contains(told), "{report}");
    let trace = Session::from_bytes(guest.file()).unwrap();
    let path = path(&trace, &Wanted::Io(1), &mut |_| {}).unwrap().unwrap();
    let path = text(|out| super::path::text::write_text(out, &path, &ListingShape::default(), SOURCES));
    assert!(path.contains("unknown context, current task ") && !path.contains("task context"), "{path}");
    let explanation = explain::explain(&trace, &mut |_| {}).unwrap();
    let explanation = text(|out| super::explain::text::write_text(out, &explanation, Style::default()));
    assert!(
        explanation.contains("in unknown context") && !explanation.contains("in task context"),
        "{explanation}"
    );
}

#[test]
fn explanation_of_a_direct_write() {
    let explanation = explain::explain(&way(), &mut |_| {}).unwrap();
    insta::assert_snapshot!(text(|out| super::explain::text::write_text(
        out,
        &explanation,
        Style::default()
    )));
}

/// Times that a hand-drawn timeline has not: of each assumption, with rounded percentiles, of an I/O not over.
fn modelled() -> whatif::WhatIf {
    use whatif::{Assumption, TimeChange};
    let question = whatif::WhatIfQuery { model: "write=1ms+1us/KiB,depth=1".parse().unwrap(), rows: 10 };
    let mut whatif = whatif::whatif(&way(), &question, &mut |_| {}).unwrap();
    let mut unfinished = whatif.ios[0].clone();
    (unfinished.io.id, unfinished.elapsed) = (2, None);
    whatif.ios.push(unfinished);
    let mut read = whatif.operations[0];
    (read.op, read.is_modelled) = (None, false);
    whatif.operations.push(read);
    (whatif.io_count, whatif.rounded) = (5, true);
    (whatif.devices[0].waited, whatif.devices[0].wait, whatif.devices[0].longest_wait) =
        (3, 1_000_000, 500_000);
    whatif.devices[0].busy = TimeChange { recorded: 4_000_000, modelled: 3_000_000 };
    Assumption::ALL.into_iter().zip(1..).for_each(|(one, count)| {
        whatif.assumptions.add(one, count, if count % 2 == 0 { 1_000 * count } else { 0 });
    });
    whatif
}

#[test]
fn another_device() {
    let whatif = modelled();
    insta::assert_snapshot!(text(|out| super::whatif::text::write_text(out, &whatif, Style::default())));
}

#[test]
fn another_device_as_json() {
    let whatif = modelled();
    insta::assert_snapshot!(text(|out| super::whatif::json::write(out, &whatif)));
}

/// So many recordings of two guests, compared.
fn compared(a: &SyntheticGuest, b: &SyntheticGuest, recordings: usize) -> diff::Diff {
    let gather = |guest: &SyntheticGuest| {
        let file = Session::from_bytes(guest.file()).unwrap();
        diff::gather(&file, &mut |_| {}).unwrap()
    };
    let runs = (0..recordings).map(|_| (gather(a), gather(b))).collect();
    diff::compare(runs, ["a.iot", "b.iot"])
}

#[test]
fn diff_of_a_trace_with_itself() {
    let diff = compared(&direct_write(), &direct_write(), 1);
    assert_eq!(
        text(|out| super::diff::text::write_text(out, &diff, false, Style::default())),
        "no difference\n"
    );
}

#[test]
fn diff_of_one_recording_each() {
    let diff = compared(&direct_write(), &changed_write(), 1);
    assert_eq!(diff.costs.instructions.difference(), 30, "what the calls differ by");
    insta::assert_snapshot!(text(|out| super::diff::text::write_text(out, &diff, false, Style::default())));
}

/// The same guest, live without icount: its time was read at each event.
fn live(mut guest: SyntheticGuest) -> SyntheticGuest {
    for definition in &mut guest.definitions {
        if let Definition::Trace(info) = definition {
            info.icount_shift = None;
        }
    }
    guest.events.retain(|event| event.kind != CLOCK.id);
    let clocks: BTreeSet<_> = guest.events.iter().map(|event| event.clock).collect();
    clocks.into_iter().for_each(|clock| guest.raw(clock, TIME.id, &[clock * 4]));
    guest.events.sort_by_key(|event| (event.clock, event.kind != TIME.id));
    guest
}

#[test]
fn a_tilde_is_before_the_times_of_the_side_that_ran_live() {
    let diff = compared(&direct_write(), &live(changed_write()), 1);
    assert_eq!([diff.a.approximate_times, diff.b.approximate_times], [false, true]);
    let text = text(|out| super::diff::text::write_text(out, &diff, false, Style::default()));
    let steps = text.split_once("By stage").unwrap().1;
    let row = steps.lines().find(|line| line.trim_start().starts_with("return")).unwrap();
    assert!(row.contains("  0.6  ~0.6     ~+0.0  "), "{row}");
    assert!(text.contains("~: approximate"), "{text}");
}

#[test]
fn diff_of_four_recordings_each() {
    let diff = compared(&direct_write(), &changed_write(), 4);
    insta::assert_snapshot!(text(|out| super::diff::text::write_markdown(out, &diff, true)));
}

#[test]
fn diff_the_other_way_round() {
    let there = compared(&direct_write(), &changed_write(), 1);
    let back = compared(&changed_write(), &direct_write(), 1);
    assert_eq!(back.costs.instructions.difference(), -there.costs.instructions.difference());
    let gone = back.places(|change| *change == diff::CallChange::Gone);
    assert_eq!(gone.map(|place| place.function.as_str()).collect::<Vec<_>>(), ["vfs_extra_function"]);
}

#[test]
fn diff_of_different_workloads() {
    let diff = compared(&direct_write(), &buffered(), 1);
    assert!(diff.pairs.is_empty());
    let alone = diff.unpaired.iter().map(|alone| (alone.of_a, alone.what.as_str(), alone.reason.as_str()));
    insta::assert_debug_snapshot!(alone.collect::<Vec<_>>());
}

#[test]
fn info() {
    let info = info::info(&file(), &mut |_| {}).unwrap();
    let text = text(|out| {
        super::info::text::write_beginning(out, &info, Style::default())?;
        super::info::text::write_rest(out, &info, Style::default())
    });
    // The compressor's own size is nobody's promise.
    let stable: Vec<_> =
        text.lines().filter(|line| !line.contains("bytes each") && !line.contains("KiB")).collect();
    insta::assert_snapshot!(stable.join("\n"));
}

#[test]
fn events() {
    let conditions = Conditions { clock: Some(1290..=1420), ..Conditions::default() };
    let (file, filter) = (file(), Filter { conditions, ..Filter::default() });
    let time = times(&file).unwrap().time;
    let lines = text(|out| {
        let say = |event: &Described<'_>, text: &mut String| {
            super::events::text::put_line(text, event, &time, Style::default())
        };
        give(&file, &filter, &mut |_| {}, &say, &mut |text| out.write_all(text.as_bytes()))
            .map(drop)
            .map_err(std::io::Error::other)
    });
    insta::assert_snapshot!(lines);
}

#[test]
fn filters_choose() {
    let count = |filter: Filter| {
        let (mut count, say) = (0, |_: &Described<'_>, text: &mut String| text.push('.'));
        give(&file(), &filter, &mut |_| {}, &say, &mut |said| {
            count += said.len();
            Ok(())
        })
        .unwrap();
        count
    };
    let some = |text: &str| Some(text.to_owned());
    let asked = |conditions| Filter { conditions, ..Filter::default() };
    let none = Conditions::default;
    assert_eq!(count(Filter { stage: some("rq.issue"), ..Filter::default() }), 2);
    assert_eq!(count(Filter { stage: some("cmd."), limit: Some(3), ..Filter::default() }), 3);
    assert_eq!(count(Filter { kind: some("mark"), ..Filter::default() }), 2);
    let queued = |task| {
        let conditions = Conditions { task: some(task), ..none() };
        count(Filter { function: some("bio_queue"), ..asked(conditions) })
    };
    assert_eq!((queued("dd"), queued("41")), (4, 0));
    assert_eq!(count(asked(Conditions { layer: Some(Layer::Scsi), ..none() })), 0);
    assert_eq!(count(asked(Conditions { sector: Some(7..=7), op: Some(OpIs::Read), ..none() })), 3);
    assert_eq!(count(asked(Conditions { sector: Some(108..=109), size: Some(4096..=4096), ..none() })), 3);
}

#[test]
fn witness_that_differs() {
    let said = "\
 dd-42 [000] ..... 1.0: block_bio_queue: 8,0 WS 100 + 8 [dd]
 dd-42 [000] ..... 1.1: block_bio_queue: 8,0 W 108 + 8 [dd]
 dd-42 [000] ..... 1.2: block_bio_backmerge: 8,0 WS 108 + 8 [dd]
";
    let comparison = witness::compare(&file(), &witness::parse(said).unwrap(), &mut |_| {}).unwrap();
    let equal: Vec<_> =
        comparison.kinds.iter().filter(|k| k.differences.is_empty()).map(|k| k.kind).collect();
    assert!(equal.contains(&BlockKind::BackMerge) && !equal.contains(&BlockKind::BioQueue));
    insta::assert_snapshot!(text(|out| super::compare_tracepoints::text::write_text(
        out,
        &comparison,
        Style::default()
    )));
}

/// What function_graph would say of the workload.
const GRAPH: &str = "\
# traced: bio_enter_function
# traced: rq_get_function
# traced: merge_back_function
# traced: rq_dispatch_function
# traced: elsewhere
# tracer: function_graph
#
# CPU  TASK/PID         DURATION                  FUNCTION CALLS
# |     |    |           |   |                     |   |   |   |
 0)     dd-42      |               |  bio_enter_function() {
 0)     dd-42      |   1.000 us    |    rq_get_function();
 0)     dd-42      |               |    /* block_bio_queue: 8,0 WS 100 + 8 [dd] */
 0)     dd-42      |   2.000 us    |  } /* bio_enter_function */
 0)     dd-42      |               |  bio_enter_function() {
 0)     dd-42      |   1.000 us    |    merge_back_function();
 0)     dd-42      |   2.000 us    |  } /* bio_enter_function */
 0)     dd-42      |   1.000 us    |  rq_dispatch_function();
 0)     dd-42      |               |  bio_enter_function() {
 0)     dd-42      |   1.000 us    |    rq_get_function();
 0)     dd-42      |   2.000 us    |  } /* bio_enter_function */
 0)     dd-42      |   1.000 us    |  elsewhere();
";

fn nesting(text: &str) -> witness::Comparison {
    let mut comparison = witness::compare(&file(), &witness::parse(text).unwrap(), &mut |_| {}).unwrap();
    comparison.kinds.truncate(1);
    comparison
}

#[test]
fn witness_with_calls() {
    let comparison = nesting(GRAPH);
    insta::assert_snapshot!(text(|out| super::compare_tracepoints::text::write_text(
        out,
        &comparison,
        Style::default()
    )));
    insta::assert_snapshot!(text(|out| super::compare_tracepoints::json::write(out, &comparison)));
}

#[test]
fn witness_with_calls_that_differ() {
    let (before, last) = GRAPH.rsplit_once("rq_get_function();").unwrap();
    let comparison = nesting(&format!("{before}merge_back_function();{last}"));
    insta::assert_snapshot!(text(|out| super::compare_tracepoints::text::write_text(
        out,
        &comparison,
        Style::default()
    )));
}

#[test]
fn a_guests_names_drive_no_terminal() {
    assert_eq!(Comm::from_text("a\x1b[31mb").to_string(), "a?[31mb");
    assert_eq!(crate::view::text::plain("a\nb\x07"), "a?b?");
    assert_eq!(crate::view::text::plain("ä\u{9b} x \n"), "ä? x");
    assert_eq!(crate::view::text::plain("x y "), "x y");
}
