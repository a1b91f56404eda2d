//! What ends with a return, and what an entry says about the calls that are open.

use super::*;

fn functions(calls: &Calls<()>) -> Vec<u16> {
    calls.all().iter().map(|frame| frame.function).collect()
}

// clock 0   10   20   50
// 1     (             )     2 and 3 end with it: their exits did not come
// 2         (
// 3              (
#[test]
fn a_return_ends_the_calls_inside_whose_exits_did_not_come() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    enter(&mut calls, 20, S + 600, 3, 0xc);
    let expected = [(3, Ending::Unseen, 30, 30), (2, Ending::Unseen, 10, 40), (1, Ending::Returned, 10, 50)];
    assert_eq!(leave(&mut calls, 50, S + 800, 1), expected);
    assert_eq!((calls.without_exit, calls.without_entry), (2, 0));
}

#[test]
fn a_return_ends_nothing_of_what_is_further_up_the_stack() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    enter(&mut calls, 20, S + 600, 3, 0xc);
    assert_eq!(leave(&mut calls, 50, S + 700, 2).len(), 2);
    assert_eq!(functions(&calls), [1]);
}

// 1 jumps to 2 and 2 to 3. The exit that came is that of 2: how 3 ended was not seen.
#[test]
fn of_tail_calls_the_one_whose_exit_came_has_returned() {
    let mut calls = Calls::default();
    for (clock, function) in [(0, 1), (10, 2), (20, 3)] {
        assert_eq!(enter(&mut calls, clock, S + 800, function, 0xa), []);
    }
    let endings: Vec<_> = leave(&mut calls, 30, S + 800, 2).into_iter().map(|l| (l.0, l.1)).collect();
    assert_eq!(endings, [(3, Ending::Unseen), (2, Ending::Returned), (1, Ending::Jumped)]);
    assert_eq!(calls.without_exit, 1);
}

// Stack: 2 was called by 1 and has jumped to 3; 1 itself stays open.
#[test]
fn a_tail_call_does_not_end_the_caller_of_the_one_that_jumped() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    enter(&mut calls, 20, S + 700, 3, 0xb);
    assert_eq!(leave(&mut calls, 30, S + 700, 3).len(), 2);
    assert_eq!(functions(&calls), [1]);
}

// An exit of a function that is not open, where others have jumped to it without its entry being seen.
#[test]
fn an_exit_of_a_function_whose_entry_was_not_seen_ends_those_that_jumped_to_it() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    let left = leave(&mut calls, 30, S + 700, 9);
    assert_eq!(left, [(2, Ending::Returned, 20, 20)]);
    assert_eq!((functions(&calls), calls.without_entry), (vec![1], 0));
}

// 1 has jumped to 2, whose entry was not seen; 2 is open once more, further down, and did not return there.
#[test]
fn an_exit_is_of_a_call_at_its_place_only() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    let left: Vec<_> = leave(&mut calls, 30, S + 800, 2).into_iter().map(|l| (l.0, l.1)).collect();
    assert_eq!(left, [(2, Ending::Unseen), (1, Ending::Returned)]);
}

#[test]
fn an_exit_of_what_is_not_open_is_counted_and_ends_nothing() {
    let mut calls = Calls::default();
    for (stack, function) in [(S + 800, 9), (0, 9)] {
        assert_eq!(leave(&mut calls, 5, stack, function), []);
    }
    enter(&mut calls, 10, S + 800, 1, 0xa);
    for (stack, function) in [(S + 700, 1), (S + 900, 1), (0, 9)] {
        assert_eq!(leave(&mut calls, 20, stack, function), []);
    }
    assert_eq!((functions(&calls), calls.without_entry), (vec![1], 5));
}

// Where one of the two stack pointers is not known, the function identifies the call.
#[test]
fn a_call_or_an_exit_without_its_stack_pointer_is_matched_by_its_function() {
    for (entered, left) in [(0, S + 800), (S + 800, 0)] {
        let mut calls = Calls::default();
        enter(&mut calls, 0, S + 900, 9, 0xa);
        enter(&mut calls, 1, entered, 1, 0xb);
        assert_eq!(leave(&mut calls, 11, left, 1), [(1, Ending::Returned, 10, 10)]);
        assert_eq!((functions(&calls), calls.without_exit, calls.without_entry), (vec![9], 0, 0));
    }
}

// Without stack pointers no tail call is recognized: what is inside has not returned as far as anybody knows, and
// what is outside is still open.
#[test]
fn without_stack_pointers_a_return_ends_its_call_and_what_is_inside() {
    let mut calls = Calls::default();
    for (clock, function) in [(0, 1), (10, 2), (20, 3)] {
        enter(&mut calls, clock, 0, function, 0);
    }
    let left: Vec<_> = leave(&mut calls, 30, 0, 2).into_iter().map(|l| (l.0, l.1)).collect();
    assert_eq!(left, [(3, Ending::Unseen), (2, Ending::Returned)]);
    assert_eq!((functions(&calls), calls.without_exit), (vec![1], 1));
}

// The same function at the same place of the stack, from the same caller: in a loop, with its exit lost.
#[test]
fn a_function_that_is_entered_again_at_its_place_has_returned() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    assert_eq!(enter(&mut calls, 20, S + 700, 2, 0xb), [(2, Ending::Unseen)]);
    assert_eq!((functions(&calls), calls.without_exit), (vec![1, 2], 1));
}

// A recursive call has a place of its own, further down.
#[test]
fn a_function_that_calls_itself_is_open_twice() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    assert_eq!(enter(&mut calls, 10, S + 700, 1, 0xb), []);
    assert_eq!(leave(&mut calls, 20, S + 700, 1), [(1, Ending::Returned, 10, 10)]);
    assert_eq!(leave(&mut calls, 40, S + 800, 1), [(1, Ending::Returned, 30, 40)]);
}

// Of which call a function was jumped to from is not known without the caller of either.
#[test]
fn an_entry_at_the_place_of_a_call_without_a_caller_is_a_tail_call() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0);
    assert_eq!(enter(&mut calls, 10, S + 800, 2, 0xa), []);
    assert_eq!(functions(&calls), [1, 2]);
}

// A trampoline's address stands for the caller of the call at that place, not of any other.
#[test]
fn the_trampoline_stands_for_the_caller_of_the_call_at_its_place() {
    const TRAMPOLINE: u64 = 0xf00;
    let mut calls = Calls::default();
    calls.trampoline(TRAMPOLINE);
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    let callers = [(S + 800, TRAMPOLINE), (S + 700, TRAMPOLINE), (S + 600, TRAMPOLINE), (S + 700, 0xd)];
    let callers = callers.map(|(stack, caller)| calls.caller(&at(20, stack, &[]), caller));
    assert_eq!(callers, [0xa, 0xb, TRAMPOLINE, 0xd]);
}

// bio_endio of several bios of a list is recorded once for each, at one clock.
#[test]
fn an_entry_is_repeated_at_its_clock_and_place_only() {
    let mut calls = Calls::default();
    assert!(!calls.is_repeated(&at(0, S + 800, &[]), 1));
    enter(&mut calls, 0, S + 900, 2, 0xa);
    enter(&mut calls, 10, S + 800, 1, 0xa);
    let repeated = [(10, S + 800, 1), (11, S + 800, 1), (10, S + 792, 1), (10, S + 800, 3), (0, S + 900, 2)]
        .map(|(clock, stack, function)| calls.is_repeated(&at(clock, stack, &[]), function));
    assert_eq!(repeated, [true, false, false, false, false]);
    enter(&mut calls, 20, 0, 4, 0);
    assert!(!calls.is_repeated(&at(20, 0, &[]), 4), "without a place nothing says that it is the same");
}
