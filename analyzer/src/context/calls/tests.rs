//! Calls from events, drawn by hand.

mod bounds;
mod interrupts;
mod returns;
mod tasks;

use super::*;

const S: u64 = 0xffff_c900_0001_0000;

/// `f` enters `function` from `caller` at a stack pointer; returns which calls ended before.
fn enter(calls: &mut Calls<()>, clock: u64, stack: u64, function: u16, caller: u64) -> Vec<(u16, Ending)> {
    let event = at(clock, stack, &[]);
    let mut left = Vec::new();
    calls.advance(&event);
    let caller = calls.caller(&event, caller);
    calls.settle(&event, function, caller, &mut left);
    calls.enter(&event, function, caller, false, ());
    left.into_iter().map(|l| (l.frame.function, l.ending)).collect()
}

fn leave(calls: &mut Calls<()>, clock: u64, stack: u64, function: u16) -> Vec<(u16, Ending, u64, u64)> {
    let event = at(clock, stack, &[]);
    let mut left = Vec::new();
    calls.advance(&event);
    calls.leave(&event, function, &mut left);
    left.into_iter()
        .map(|l| (l.frame.function, l.ending, l.frame.own, l.frame.own + l.frame.nested))
        .collect()
}

fn at(clock: u64, stack: u64, words: &[u64]) -> Event<'_> {
    Event { kind: 64, vcpu: 0, clock, context: 0, task: 7 << 32, stack, words }
}

// clock 0    10   30   60
// 1     (              )     own 10 + 30
// 2          (    )          own 20
#[test]
fn each_call_has_its_own_cost_and_its_total() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    assert_eq!(leave(&mut calls, 30, S + 700, 2), [(2, Ending::Returned, 20, 20)]);
    assert_eq!(leave(&mut calls, 60, S + 800, 1), [(1, Ending::Returned, 40, 60)]);
    assert_eq!((calls.without_exit, calls.without_entry), (0, 0));
}

#[test]
fn a_tail_call_returns_with_the_function_it_jumped_to() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    assert_eq!(enter(&mut calls, 10, S + 800, 2, 0xa), []);
    let left = leave(&mut calls, 30, S + 800, 2);
    assert_eq!(left, [(2, Ending::Returned, 20, 20), (1, Ending::Jumped, 10, 30)]);
}

#[test]
fn an_entry_without_its_caller_where_another_call_is_open_is_a_tail_call() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    assert_eq!(enter(&mut calls, 10, S + 800, 2, 0), []);
    assert_eq!(enter(&mut calls, 15, S + 800, 3, 0xa), []);
    let left: Vec<_> = leave(&mut calls, 30, S + 800, 3).into_iter().map(|left| (left.0, left.1)).collect();
    assert_eq!(left, [(3, Ending::Returned), (2, Ending::Jumped), (1, Ending::Jumped)]);
}

#[test]
fn a_tail_call_is_known_by_the_guests_own_trampoline() {
    const TRAMPOLINE: u64 = 0xf00;
    let mut calls = Calls::default();
    calls.trampoline(TRAMPOLINE);
    enter(&mut calls, 0, S + 800, 1, 0xa);
    assert_eq!(enter(&mut calls, 10, S + 800, 2, TRAMPOLINE), []);
    assert_eq!(enter(&mut calls, 20, S + 800, 3, TRAMPOLINE), []);
    let left: Vec<_> = leave(&mut calls, 30, S + 800, 3).into_iter().map(|left| (left.0, left.1)).collect();
    assert_eq!(left, [(3, Ending::Returned), (2, Ending::Jumped), (1, Ending::Jumped)]);
    assert_eq!(calls.without_exit, 0);
}

#[test]
fn a_return_that_nobody_saw_is_known_by_the_stack() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 600, 2, 0xb);
    // Called from elsewhere at the same place, and then from further up.
    assert_eq!(enter(&mut calls, 20, S + 600, 3, 0xc), [(2, Ending::Unseen)]);
    assert_eq!(enter(&mut calls, 30, S + 700, 4, 0xd), [(3, Ending::Unseen)]);
    assert_eq!(calls.without_exit, 2);
    assert_eq!(leave(&mut calls, 40, S + 500, 9), []);
    assert_eq!(calls.without_entry, 1);
}

#[test]
fn an_interrupt_ends_with_its_return_and_costs_its_caller_nothing() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    let irq = at(10, S + 600, &[]);
    calls.advance(&irq);
    calls.enter(&irq, 2, 0, true, ());
    // On a stack of its own.
    enter(&mut calls, 12, 0xffff_c900_000f_0000, 3, 0xe);
    let (end, mut left) = (at(50, S + 608, &[u64::MAX]), Vec::new());
    calls.advance(&end);
    calls.leave_interrupt(&end, |f| f.function == 2, &mut left);
    let left: Vec<_> = left.into_iter().map(|l| (l.frame.function, l.ending)).collect();
    assert_eq!(left, [(3, Ending::Unseen), (2, Ending::Returned)]);
    assert_eq!(leave(&mut calls, 60, S + 800, 1), [(1, Ending::Returned, 20, 20)]);
}

#[test]
fn stacks_are_as_large_and_addresses_the_kernels_as_the_trace_says() {
    // Of one stack only the larger one is large enough; the return is to where only the last has the kernel.
    for (stack_size, kernel_start, expected) in
        [(1 << 17, 1 << 63, (1, 1)), (1 << 14, 1 << 63, (0, 1)), (1 << 14, 1 << 40, (0, 0))]
    {
        let mut calls = Calls::default();
        calls.set_layout(Layout { stack_size, kernel_start, ..Layout::default() });
        enter(&mut calls, 0, S - 0x8000, 1, 0xa);
        let settled = enter(&mut calls, 10, S + 0x100, 2, 0xb).len();
        let (end, mut left) = (at(50, S + 0x400, &[1 << 40]), Vec::new());
        calls.advance(&end);
        calls.leave_interrupt(&end, |f| f.function == 2, &mut left);
        assert_eq!((settled, left.len()), expected, "{stack_size:#x} {kernel_start:#x}");
    }
}

#[test]
fn without_stack_pointers_functions_are_matched_by_themselves() {
    let mut calls = Calls::default();
    for (clock, function) in [(0, 1), (1, 2), (2, 1)] {
        enter(&mut calls, clock, 0, function, 0);
    }
    assert_eq!(leave(&mut calls, 3, 0, 1).len(), 1);
    assert_eq!(calls.open(&at(4, 0, &[])).len(), 2);
}

#[test]
fn the_context_at_hand_begins_at_its_boundary_or_level() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    let work = at(1, S + 700, &[]);
    calls.enter(&work, 2, 0xb, true, ());
    enter(&mut calls, 2, S + 600, 3, 0xc);
    let open = |context| {
        let event = Event { context, ..at(3, S + 500, &[]) };
        calls.open(&event).iter().map(|f| f.function).collect::<Vec<_>>()
    };
    assert_eq!((open(0), open(0x1_0000)), (vec![2, 3], vec![]));
    assert_eq!(calls.all().len(), 3);
}
