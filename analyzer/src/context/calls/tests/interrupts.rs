//! Interrupts and exceptions: what their returns end, and whose the time in them is.

use super::*;

const ENTRY: u16 = 9;
const TO_KERNEL: u64 = u64::MAX;
const TO_USER: u64 = 0x7fff_0000_0000;

/// An interrupt's entry. Its stack pointer is that of the frame that the processor pushed.
fn interrupt(calls: &mut Calls<()>, clock: u64, stack: u64) {
    let event = at(clock, stack, &[]);
    calls.advance(&event);
    calls.enter(&event, ENTRY, 0, true, ());
}

fn end(calls: &mut Calls<()>, clock: u64, stack: u64, words: &[u64]) -> Vec<(u16, Ending)> {
    let (event, mut left) = (at(clock, stack, words), Vec::new());
    calls.advance(&event);
    calls.leave_interrupt(&event, |frame| frame.function == ENTRY, &mut left);
    left.into_iter().map(|l| (l.frame.function, l.ending)).collect()
}

fn functions(calls: &Calls<()>) -> Vec<u16> {
    calls.all().iter().map(|frame| frame.function).collect()
}

#[test]
fn a_return_is_that_of_the_entry_at_its_place_or_above_an_error_code() {
    for (returned, ended) in [(S + 600, 1), (S + 608, 1), (S + 592, 0), (S + 616, 0)] {
        let mut calls = Calls::default();
        enter(&mut calls, 0, S + 800, 1, 0xa);
        interrupt(&mut calls, 10, S + 600);
        assert_eq!(end(&mut calls, 20, returned, &[TO_KERNEL]).len(), ended, "{:#x}", returned - S);
    }
}

#[test]
fn a_return_whose_entry_was_not_seen_ends_nothing() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    assert_eq!(end(&mut calls, 10, S + 800, &[TO_KERNEL]), [], "a call at its place is no entry");
    assert_eq!(end(&mut calls, 20, S + 600, &[TO_KERNEL]), []);
    assert_eq!((functions(&calls), calls.without_exit), (vec![1], 0));
}

// A fault in an interrupt, in a call: the return of the fault leaves the interrupt open.
#[test]
fn a_return_inside_an_interrupt_ends_the_inner_one_alone() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    interrupt(&mut calls, 10, S + 600);
    interrupt(&mut calls, 20, S + 400);
    assert_eq!(end(&mut calls, 30, S + 408, &[TO_KERNEL]), [(ENTRY, Ending::Returned)]);
    assert_eq!(functions(&calls), [1, ENTRY]);
    assert_eq!(end(&mut calls, 40, S + 608, &[TO_KERNEL]), [(ENTRY, Ending::Returned)]);
    assert_eq!((functions(&calls), calls.without_exit), (vec![1], 0));
}

// Nothing of a kernel stack is left when user mode goes on: two entries, the return of the inner one was not seen.
#[test]
fn a_return_to_user_mode_ends_all_from_the_first_entry_on() {
    let mut calls = Calls::default();
    interrupt(&mut calls, 10, S + 900);
    enter(&mut calls, 20, S + 800, 1, 0xa);
    interrupt(&mut calls, 30, S + 600);
    let expected = [(ENTRY, Ending::Returned), (1, Ending::Unseen), (ENTRY, Ending::Returned)];
    assert_eq!(end(&mut calls, 40, S + 908, &[TO_USER]), expected);
    assert_eq!((functions(&calls), calls.without_exit), (vec![], 1));
}

#[test]
fn a_return_to_user_mode_ends_calls_even_without_an_entry() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 10, S + 700, 2, 0xb);
    assert_eq!(end(&mut calls, 20, S + 908, &[TO_USER]), [(2, Ending::Unseen), (1, Ending::Unseen)]);
    assert_eq!(calls.without_exit, 2);
}

// The kernel's half begins with the address that the layout names.
#[test]
fn the_first_address_of_the_kernel_is_no_user_mode() {
    let start = Layout::default().kernel_start;
    for (to, ended) in [(start - 1, 1), (start, 0)] {
        let mut calls = Calls::default();
        enter(&mut calls, 0, S + 800, 1, 0xa);
        assert_eq!(end(&mut calls, 20, S + 908, &[to]).len(), ended, "{to:#x}");
    }
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    assert_eq!(end(&mut calls, 20, S + 908, &[]), [], "where it returns to is not known");
}

// clock 0    10    15    18    20    30
// 1     (                            )    own 10 + 10
// irq        (                 )          own 5 + 2, nested 3: not its interrupted call's
// 2                (     )                own 3
#[test]
fn the_time_of_an_interrupt_with_its_calls_is_not_that_of_the_call_it_interrupts() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    interrupt(&mut calls, 10, S + 600);
    enter(&mut calls, 15, S + 500, 2, 0xb);
    leave(&mut calls, 18, S + 500, 2);
    let (event, mut left) = (at(20, S + 608, &[TO_KERNEL]), Vec::new());
    calls.advance(&event);
    calls.leave_interrupt(&event, |frame| frame.function == ENTRY, &mut left);
    let times: Vec<_> = left.iter().map(|l| (l.frame.own, l.frame.nested)).collect();
    assert_eq!(times, [(7, 3)]);
    assert_eq!(leave(&mut calls, 30, S + 800, 1), [(1, Ending::Returned, 20, 20)]);
}

#[test]
fn depths_are_counted_from_the_begin_of_the_context() {
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    enter(&mut calls, 5, S + 700, 2, 0xa);
    interrupt(&mut calls, 10, S + 600);
    enter(&mut calls, 15, S + 500, 3, 0xb);
    let depths: Vec<_> = calls.all().iter().map(|frame| (frame.number, frame.depth)).collect();
    assert_eq!(depths, [(1, 0), (2, 1), (3, 0), (4, 1)]);
    assert_eq!(calls.next(), 5);
}

// A softirq, served on the way out of an interrupt, ends where the level changes although no boundary was seen.
#[test]
fn what_is_open_at_another_level_is_of_another_context() {
    const SOFTIRQ: u32 = 0x100;
    let mut calls = Calls::default();
    enter(&mut calls, 0, S + 800, 1, 0xa);
    let softirq = Event { context: SOFTIRQ, ..at(10, S + 700, &[]) };
    calls.advance(&softirq);
    calls.enter(&softirq, 2, 0xb, false, ());
    calls.enter(&softirq, 3, 0xb, false, ());
    let of = |calls: &Calls<()>, event: &Event<'_>| {
        calls.open(event).iter().map(|frame| frame.function).collect::<Vec<_>>()
    };
    assert_eq!(of(&calls, &softirq), [2, 3]);
    assert_eq!(of(&calls, &at(20, S + 700, &[])), [0; 0], "a task's call cannot be inside a softirq's");
    calls.open_mut(&softirq).iter_mut().for_each(|frame| frame.function += 10);
    assert_eq!(functions(&calls), [1, 12, 13]);
}
