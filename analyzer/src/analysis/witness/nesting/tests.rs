use super::*;

const NAMES: [&str; 6] = ["f", "g", "h", "irq", "handler", "k"];
const PID: u32 = 7;
/// Our functions that stand for the entry of an interrupt: not common, they only hold what is in it.
const FRAME: char = '[';
/// The mark of the beginning comes after the first step.
const ANCHORED: Option<(u64, u64)> = Some((15, 1000));

/// An account in words: `f` enters, `/f` returns, `[` and `]` are the bounds of an interrupt (of the first task), `@N`
/// sets the clock, which every step moves on by 10; `f:8` is of another task.
fn side(text: &str) -> CallSequence {
    let mut side = CallSequence::default();
    let (mut at, mut next) = (0, 0);
    let mut open: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut interrupts: Vec<usize> = Vec::new();
    for word in text.split_whitespace() {
        if word.starts_with(FRAME) {
            side.interrupts.insert(next, interrupts.last().copied());
            interrupts.push(next);
            next += 1;
        } else if word == "]" {
            interrupts.pop();
        } else if let Some(clock) = word.strip_prefix('@') {
            at = clock.parse().unwrap();
        } else {
            let (name, task) = word.split_once(':').map_or((word, PID), |(n, t)| (n, t.parse().unwrap()));
            let open = open.entry(task).or_default();
            at += 10;
            if name.starts_with('/') {
                // What ended together with the one before, which had jumped to it, is written `//f`.
                at -= if name.starts_with("//") { 10 } else { 0 };
                let call = open.pop().unwrap();
                side.steps.push(CallStep { way: Way::Out, call, at });
                continue;
            }
            let function = NAMES.iter().position(|n| *n == name).unwrap();
            let (call, parent) = (side.calls.len(), open.last().copied());
            let interrupt = interrupts.last().copied().filter(|_| task == PID);
            let entered = side.steps.len();
            side.calls.push(Called {
                function,
                task,
                parent,
                interrupt,
                entered,
                unseen: false,
                full: false,
            });
            side.steps.push(CallStep { way: Way::In, call, at });
            open.push(call);
        }
    }
    side
}

fn compared(theirs: &str, ours: &CallSequence, window: Option<(u64, u64)>) -> Nesting {
    compare(&side(theirs), ours, &NAMES.map(str::to_owned), window)
}

fn shown(difference: &Nesting) -> (Vec<String>, Vec<String>) {
    let difference = difference.difference.as_ref().unwrap();
    let text = |steps: &[Shown]| {
        let sign = |step: &Shown| if step.entry { "" } else { "/" };
        steps.iter().map(|s| format!("{}{} {}", sign(s), s.function, s.depth)).collect::<Vec<_>>()
    };
    (text(&difference.witness[difference.same..]), text(&difference.ours[difference.same..]))
}

#[test]
fn the_same_calls_are_the_same() {
    let text = "f g /g k:8 h h /h /h /f /k:8";
    let nesting = compared(text, &side(text), None);
    assert_eq!(nesting.difference, None);
    assert_eq!((nesting.calls, nesting.returns, nesting.deepest), (5, 5, 3));
    assert_eq!((nesting.functions["h"], nesting.tasks.len()), (2, 2));
    assert_eq!(nesting.clocks, Some((10, 100)));
}

#[test]
fn another_order_depth_function_or_task_is_found() {
    let ours = side("f g /g h /h /f");
    for (theirs, witness, here) in [
        ("f h /h g /g /f", "h 1", "g 1"),
        ("f g h /h /g /f", "h 2", "/g 1"),
        ("f g /g /f h /h", "/f 0", "h 1"),
        ("f g /g k /k /f", "k 1", "h 1"),
        ("f g /g h:8 /h:8 /f", "h 0", "h 1"),
        ("f g /g /f", "/f 0", "h 1"),
    ] {
        let (theirs, ours) = shown(&compared(theirs, &ours, ANCHORED));
        assert_eq!((theirs[0].as_str(), ours[0].as_str()), (witness, here));
    }
}

#[test]
fn what_stands_in_another_call_differs_though_the_order_is_the_same() {
    let mut ours = side("f g /g h /h /f");
    // As if g's return had been seen too late.
    ours.calls[2].parent = Some(1);
    let (theirs, ours) = shown(&compared("f g /g h /h /f", &ours, ANCHORED));
    assert_eq!((theirs[0].as_str(), ours[0].as_str()), ("h 1", "h 2"));
}

#[test]
fn the_common_stretch_is_found_and_covers_the_workload() {
    //              10 20 30 40 50 | 60 70 80 90 100 | 110 120 130
    let ours = side("k f /f g /g     h f /f g /g       /h  /k  f");
    let window = Some((55, 105));
    // k is open when the witness begins, and is nobody's caller there.
    let nesting = compared("f /f g /g h f /f g /g /h", &ours, window);
    assert_eq!((nesting.difference, nesting.calls, nesting.left_out_before), (None, 5, 0));
    assert_eq!(nesting.clocks, Some((20, 110)));
    // One more that only the witness has, before the mark and after it.
    let nesting = compared("k:9 /k:9 g /g h f /f g /g /h h", &ours, window);
    assert_eq!((nesting.difference, nesting.calls), (None, 4));
    assert_eq!((nesting.left_out_before, nesting.left_out_after), (1, 1));
    // Between the marks nothing may be missing at the end.
    assert!(compared("g /g h f /f", &ours, window).difference.is_some());
    // Nor at the beginning.
    assert!(compared("f /f g /g", &ours, Some((55, 85))).difference.is_some());
}

#[test]
fn an_interrupt_during_the_guests_tracing_of_an_entry_is_moved() {
    let theirs = "h irq handler /handler /irq f g /g /f /h";
    let ours = side("h f [ irq handler /handler /irq ] g /g /f /h");
    let nesting = compared(theirs, &ours, ANCHORED);
    assert_eq!((nesting.difference, nesting.moved, nesting.in_interrupts), (None, 1, 2));
    // One that came long after the entry was not during the tracing.
    let late = side("h f @5000 [ irq handler /handler /irq ] g /g /f /h");
    assert!(compared(theirs, &late, ANCHORED).difference.is_some());
    // A plain call is not moved.
    let plain = side("h f irq handler /handler /irq g /g /f /h");
    assert!(compared(theirs, &plain, ANCHORED).difference.is_some());
}

#[test]
fn interrupts_during_the_guests_tracing_of_returns_are_moved() {
    let ours = side("h f g /g //f [ irq /irq ] [ irq [ k /k ] /irq ] /h");
    // g had jumped to f: both returns are one step of ours.
    for theirs in [
        "h f g irq /irq irq k /k /irq /g /f /h",
        "h f g /g irq /irq irq k /k /irq /f /h",
        "h f g irq /irq /g irq k /k /irq /f /h",
        "h f g irq /irq /g /f irq k /k /irq /h",
    ] {
        let nesting = compared(theirs, &ours, ANCHORED);
        assert_eq!((nesting.difference, nesting.calls), (None, 6), "{theirs}");
    }
}

#[test]
fn the_guests_tracer_takes_its_time_for_each_of_several_returns_that_are_one() {
    let two = side("h f g /g //f @2500 [ irq /irq ] /h");
    assert_eq!(compared("h f g /g irq /irq /f /h", &two, ANCHORED).difference, None);
    // However long an interrupt between them takes.
    let long = side("h f g /g //f [ irq @6000 /irq ] [ irq /irq ] /h");
    assert_eq!(compared("h f g irq /irq /g irq /irq /f /h", &long, Some((15, 9000))).difference, None);
    let one = side("h f /f @2500 [ irq /irq ] /h");
    assert!(compared("h f irq /irq /f /h", &one, ANCHORED).difference.is_some());
}

#[test]
fn a_return_seen_where_the_function_was_called_may_come_before_interrupts() {
    let ours = side("h f [ irq /irq ] /f /h");
    let nesting = compared("h f /f irq /irq /h", &ours, ANCHORED);
    assert_eq!((nesting.difference, nesting.moved), (None, 1));
    assert!(compared("h f /f /h irq /irq", &ours, ANCHORED).difference.is_some());
    // The tracer has two steps to write down, the interrupt's last one and the return.
    for (back, is_same) in [(2500, true), (5000, false)] {
        let ours = side(&format!("h f [ irq /irq ] @{back} /f /h"));
        let nesting = compared("h f /f irq /irq /h", &ours, Some((15, 9000)));
        assert_eq!(nesting.difference.is_none(), is_same, "{back}");
    }
}

#[test]
fn an_interrupt_during_the_guests_tracing_may_lead_to_other_tasks() {
    // f's return, or k's entry, is written down when the task runs again; g's, seen where it was called, was before.
    let ours = side("h f /f [ irq k:8 /k:8 /irq ] g [ irq k:8 /k:8 /irq ] /g k [ irq h:8 /irq ] /k /h h:8");
    let theirs = "h f irq k:8 /k:8 /irq /f g /g irq k:8 /k:8 /irq irq h:8 /irq k /k /h h:8";
    let nesting = compared(theirs, &ours, ANCHORED);
    assert_eq!((nesting.difference, nesting.calls, nesting.moved), (None, 11, 3));
    // Or never.
    let gone = side("h f /f [ irq k:8 h:8 /h:8 h:8 /h:8 /k:8");
    assert_eq!(compared("h f irq k:8 h:8 /h:8 h:8 /h:8", &gone, Some((15, 95))).difference, None);
    // What the interrupt led to is in it.
    let (theirs, ours) = shown(&compared("h f irq /irq k:8 /k:8 /f g /g", &ours, ANCHORED));
    assert_eq!((theirs[0].as_str(), ours[0].as_str()), ("/irq 2", "k 0"));
}

#[test]
fn an_interrupt_may_come_during_the_guests_tracing_of_another() {
    let ours = side("h f [ irq handler [ irq k /k /irq ] g /g /handler /irq ] [ irq /irq ] /f /h");
    let theirs = "h irq irq k /k /irq handler g /g /handler /irq irq /irq f /f /h";
    let nesting = compared(theirs, &ours, ANCHORED);
    assert_eq!((nesting.difference, nesting.calls, nesting.moved), (None, 8, 3));
    // Each must come before the tracer is done.
    for (last, is_same) in [(200, true), (2500, true), (5000, false)] {
        let ours = side(&format!("h f /f [ irq /irq ] @{last} [ irq /irq ] /h"));
        let nesting = compared("h f irq /irq irq /irq /f /h", &ours, Some((15, 9000)));
        assert_eq!(nesting.difference.is_none(), is_same, "{last}");
    }
}

#[test]
fn an_interrupt_may_come_when_what_was_open_at_the_beginning_returns() {
    // k has jumped to f, and was entered before the witness began.
    let ours = side("k k k f /f //k [ irq /irq ] h /h");
    let theirs = "f irq /irq /f h /h";
    let nesting = compared(theirs, &ours, Some((35, 1000)));
    assert_eq!((nesting.difference, nesting.calls, nesting.moved), (None, 3, 1));
}

#[test]
fn the_witness_may_begin_with_an_interrupt_that_came_during_its_tracing() {
    let ours = side("h k f [ irq handler /handler /irq ] g /g /f /k");
    let theirs = "irq handler /handler /irq f g /g /f";
    let nesting = compared(theirs, &ours, Some((75, 105)));
    assert_eq!((nesting.difference, nesting.calls, nesting.left_out_before), (None, 4, 0));
}

#[test]
fn what_waits_comes_before_the_next_step_of_its_task() {
    let ours = side("h f /f [ irq /irq ] g /g /h");
    let (theirs, ours) = shown(&compared("h f irq /irq g /g /f /h", &ours, ANCHORED));
    assert_eq!((theirs[0].as_str(), ours[0].as_str()), ("g 2", "g 1"));
}

#[test]
fn a_return_that_only_the_witness_saw_is_counted() {
    let mut ours = side("f g /g h /h /f");
    ours.calls[1].unseen = true;
    ours.steps.swap(2, 3);
    ours.calls[2].entered = 2;
    let nesting = compared("f g /g h /h /f", &ours, None);
    assert_eq!((nesting.difference, nesting.calls), (None, 3));
    assert_eq!(nesting.unseen_returns, BTreeMap::from([("g".to_owned(), 1)]));
}

#[test]
fn nothing_at_all_is_no_agreement() {
    let ours = side("f /f");
    assert!(compared("", &ours, Some((5, 25))).difference.is_some());
    assert!(compared("f /f", &CallSequence::default(), Some((5, 25))).difference.is_some());
}

#[test]
fn what_the_witness_had_no_room_for_is_counted() {
    let ours = side("f g k /k h k /k /h /g k /k /f");
    let mut theirs = side("f g /g k /k /f");
    assert!(compare(&theirs, &ours, &NAMES.map(str::to_owned), ANCHORED).difference.is_some());
    theirs.calls[1].full = true;
    let nesting = compare(&theirs, &ours, &NAMES.map(str::to_owned), ANCHORED);
    assert_eq!((nesting.difference, nesting.calls, nesting.too_deep), (None, 3, 3));
}
